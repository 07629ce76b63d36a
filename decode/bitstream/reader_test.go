package bitstream

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/scanout-av/scanout/media"
)

// slowBits is a payload without emulation prevention as a string of bits.
func slowBits(payload []byte) string {
	var b []byte
	for _, c := range Unescape(nil, payload) {
		for i := 7; i >= 0; i-- {
			b = append(b, '0'+c>>i&1)
		}
	}
	return string(b)
}

func number(bits string) uint32 {
	n, _ := new(big.Int).SetString("0"+bits, 2)
	return uint32(n.Uint64())
}

var payloads = [][]byte{
	{},
	{0x80},
	{0xff, 0x80},
	{0, 0, 3, 1, 0x80},
	{0, 0, 3, 0, 0, 3, 0, 0, 3, 0x80},
	{1, 2, 3, 0, 0, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0x40},
	{0, 0, 3},             // cabac_zero_word
	{0x80, 0, 0, 3, 0, 0}, // padding
	{0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe, 0x10},
	bytes.Repeat([]byte{0, 0, 3}, 20),
	{0xa6, 0x42, 0x98, 0xe2, 0x04, 0x8a, 0x17},
}

// checkReader reads a payload by what ops say and compares with a string of bits.
func checkReader(t *testing.T, payload, ops []byte) {
	var r Reader
	r.Reset(payload)
	bits := slowBits(payload[:r.end])
	for _, op := range ops {
		at := r.Position()
		rest := ""
		if !r.Failed() {
			rest = bits[at:]
			if want := bytes.ContainsRune([]byte(rest[min(1, len(rest)):]), '1'); r.MoreData() != want {
				t.Fatalf("%x at %d: MoreData %v", payload, at, !want)
			}
		}
		switch n := int(op) % 36; {
		case n <= 32:
			v := r.U(n)
			if n > len(rest) {
				if n > 0 && !r.Failed() || v != 0 {
					t.Fatalf("%x: %d bits at %d of %d are %d", payload, n, at, len(bits), v)
				}
			} else if v != number(rest[:n]) || r.Position() != at+n {
				t.Fatalf("%x: %d bits at %d are %d, position %d", payload, n, at, v, r.Position())
			}
		case n == 33:
			v := r.UE()
			zeros := 0
			for zeros < len(rest) && rest[zeros] == '0' {
				zeros++
			}
			if zeros > 31 || 2*zeros+1 > len(rest) {
				if !r.Failed() || v != 0 {
					t.Fatalf("%x: code at %d is %d", payload, at, v)
				}
			} else if want := number(rest[zeros:2*zeros+1]) - 1; v != want || r.Position() != at+2*zeros+1 {
				t.Fatalf("%x: code at %d is %d, want %d", payload, at, v, want)
			}
		case n == 34:
			r.SE()
		default:
			r.Skip(int(op))
		}
		if !r.Failed() && r.Aligned() != (r.Position()%8 == 0) {
			t.Fatalf("%x: aligned at %d", payload, r.Position())
		}
	}
}

var readerOps = [][]byte{{1, 2, 3, 4, 5}, {33, 33, 33, 33}, {32, 32, 32}, {34, 8, 34}, {71, 1}, {0, 7, 31, 33}}

func TestReader(t *testing.T) {
	for _, p := range payloads {
		for _, o := range readerOps {
			checkReader(t, p, o)
		}
	}
}

// FuzzReader takes data as a payload, which ops read, and as units in every framing.
func FuzzReader(f *testing.F) {
	for _, p := range payloads {
		for _, o := range readerOps {
			f.Add(p, o)
		}
	}
	for _, s := range streams {
		f.Add(s.data, []byte{33, 33})
	}
	f.Fuzz(func(t *testing.T, data, ops []byte) {
		checkReader(t, data, ops[:min(len(ops), 200)])
		for size := range 5 {
			_, _ = units(t, Framing{LengthSize: size}, data)
		}
	})
}

func TestReaderCodes(t *testing.T) {
	var r Reader
	// 1, 010, 011, 00100, 00101: 0 1 2 3 4; signed 0 1 -1 2 -2.
	data := []byte{0b10100110, 0b01000010, 0b11000000}
	r.Reset(data)
	for want := range uint32(5) {
		if v := r.UE(); v != want {
			t.Errorf("unsigned code %d is %d", want, v)
		}
	}
	r.Reset(data)
	for i, want := range []int32{0, 1, -1, 2, -2} {
		if v := r.SE(); v != want {
			t.Errorf("signed code %d is %d, want %d", i, v, want)
		}
	}
	r.Reset([]byte{0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x80})
	if v := r.UE(); v != 1<<32-2 {
		t.Errorf("the highest code is %d", v)
	}
	r.Reset([]byte{0, 0, 0, 0, 0x80, 0, 0, 0, 0x80})
	if r.UE(); !r.Failed() {
		t.Error("32 zeros are no code")
	}
}

func TestReaderErrors(t *testing.T) {
	var r Reader
	r.Reset([]byte{0b00100_000, 0x80})
	if v := r.UEMax(2, "num_things"); v != 0 || !r.Failed() {
		t.Errorf("3 of at most 2: %d", v)
	}
	r.U(8)
	err := r.Err("a unit")
	var s *SyntaxError
	if !errors.As(err, &s) || s.Field != "num_things" || err.Error() != "a unit: num_things is out of range" {
		t.Errorf("%v", err)
	}
	r.Reset(nil)
	r.UEMax(2, "num_things")
	if err := r.Err("a unit"); err == nil || err.Error() != "a unit: num_things is not an exp-Golomb code of 32 bits" && err.Error() != "a unit: num_things is missing: the unit ends before it" {
		t.Errorf("%v", err)
	}
	if err := error(&UnsupportedError{"H.264", Interlaced}); !errors.Is(err, media.ErrNotSupported) {
		t.Errorf("%v", err)
	}
}

var streams = []struct {
	name    string
	data    []byte
	framing Framing
	want    []string // units
	err     error
}{
	{"empty", nil, Framing{}, nil, nil},
	{"no start code", []byte{1, 2, 3, 0, 0}, Framing{}, nil, nil},
	{"one", []byte{0, 0, 1, 9}, Framing{}, []string{"\x09"}, nil},
	{"zero bytes", []byte{0, 0, 0, 1, 9, 0, 0, 0, 1, 8, 7, 0, 0, 0, 0}, Framing{}, []string{"\x09", "\x08\x07"}, nil},
	{"rubbish before", []byte{5, 6, 0, 0, 1, 9}, Framing{}, []string{"\x09"}, nil},
	{"empty units", []byte{0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 9}, Framing{}, []string{"\x09"}, nil},
	{"ends in a start code", []byte{0, 0, 1, 9, 0, 0, 1}, Framing{}, []string{"\x09"}, nil},
	{"four", []byte{0, 0, 0, 2, 9, 8, 0, 0, 0, 1, 7}, Framing{LengthSize: 4}, []string{"\x09\x08", "\x07"}, nil},
	{"two", []byte{0, 2, 9, 8, 0, 0, 0, 1, 7}, Framing{LengthSize: 2}, []string{"\x09\x08", "\x07"}, nil},
	{"padded", []byte{0, 1, 9, 0}, Framing{LengthSize: 2}, []string{"\x09"}, nil},
	{"cut", []byte{0, 0, 0, 9, 9, 8}, Framing{LengthSize: 4}, []string{"\x09\x08"}, ErrLength},
	{"cut length", []byte{0, 0, 0, 1, 9, 0, 5}, Framing{LengthSize: 4}, []string{"\x09"}, ErrLength},
	{"far too long", []byte{255, 255, 255, 255, 1}, Framing{LengthSize: 4}, []string{"\x01"}, ErrLength},
}

func units(t *testing.T, f Framing, data []byte) (got []string, err error) {
	last := 0
	for pos := 0; ; {
		n, ok, e := f.Next(data, pos)
		if e != nil {
			err = e
		}
		if !ok {
			return got, err
		}
		if n.Start < last || n.Begin <= n.Start || n.End <= n.Begin || n.End > len(data) || n.After() <= pos {
			t.Fatalf("%+v in %d bytes from %d", n, len(data), pos)
		}
		if f.LengthSize == 0 && (!bytes.Equal(data[n.Start:n.Begin], []byte{0, 0, 1}) || data[n.End-1] == 0) {
			t.Fatalf("%x: %+v", data, n)
		}
		got = append(got, string(n.Bytes(data)))
		last, pos = n.End, n.After()
	}
}

func TestFraming(t *testing.T) {
	for _, s := range streams {
		if got, err := units(t, s.framing, s.data); !slices.Equal(got, s.want) || err != s.err {
			t.Errorf("%s: %q %v, want %q %v", s.name, got, err, s.want, s.err)
		}
	}
}

func TestSampleAspect(t *testing.T) {
	for i, want := range strings.Fields("1:1 12:11 10:11 16:11 40:33 24:11 20:11 32:11 80:33 18:11 15:11 64:33 160:99 4:3 3:2 2:1") {
		w, h := SampleAspect(uint8(i + 1))
		if got := fmt.Sprintf("%d:%d", w, h); got != want {
			t.Errorf("%d is %s, want %s", i+1, got, want)
		}
	}
	for _, idc := range []uint8{0, 17, ExtendedSAR} {
		if w, h := SampleAspect(idc); w != 0 || h != 0 {
			t.Errorf("%d is %d:%d", idc, w, h)
		}
	}
}

func TestColour(t *testing.T) {
	c := Colour(9, 16, 9, true, 2)
	if c != (media.Color{Primaries: 9, Transfer: 16, Matrix: 9, Range: media.RangeFull, Chroma: media.ChromaTopLeft}) {
		t.Errorf("%+v", c)
	}
	if c := Colour(1, 1, 1, false, -1); c.Range != media.RangeLimited || c.Chroma != media.ChromaUnspecified {
		t.Errorf("%+v", c)
	}
}
