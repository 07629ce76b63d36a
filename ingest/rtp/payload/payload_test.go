package payload

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtp/codecs"
)

// feed is a packet of a table: its payload, or a gap before the next one.
type feed struct {
	p      []byte
	marker bool
	lost   bool
}

func pk(b ...byte) feed { return feed{p: b} }
func mk(b ...byte) feed { return feed{p: b, marker: true} }

var gap = feed{lost: true}

// got is what came out: units and errors in order.
type got struct {
	Data         []byte
	Key, Damaged bool
	Offset       uint32
	Err          string
}

// run does what the receiver does with one stream.
func run(d Depacketizer, size int, in []feed) (out []got) {
	u := Unit{Data: make([]byte, 0, size)}
	finish := func() {
		d.Finish(&u)
		if len(u.Data) > 0 {
			out = append(out, got{Data: u.Data, Key: u.Key, Damaged: u.Damaged, Offset: u.Offset})
		}
		u = Unit{Data: make([]byte, 0, size)}
	}
	for _, f := range in {
		if f.lost {
			d.Lose(&u)
			continue
		}
		for {
			more, err := d.Add(&u, f.p, f.marker)
			if err != nil {
				out = append(out, got{Err: err.Error()})
			}
			if u.Complete || more {
				finish()
			}
			if !more {
				break
			}
		}
	}
	finish()
	return out
}

const (
	bad      = "malformed payload"
	large    = "access unit too large"
	unlikely = "unsupported packetization"
)

// cases are the seeds of the fuzz targets, too.
var cases = []struct {
	name string
	d    func() Depacketizer
	size int
	in   []feed
	want []got
}{
	{"h264 single", func() Depacketizer { return NewH264(false) }, 0,
		[]feed{pk(0x67, 1, 2), pk(0x68, 3), mk(0x65, 4)},
		[]got{{Data: []byte{0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 4}, Key: true}}},
	{"h264 stap-a", func() Depacketizer { return NewH264(false) }, 0,
		[]feed{mk(0x78, 0, 2, 0x67, 1, 0, 1, 0x68)},
		[]got{{Data: []byte{0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68}}}},
	{"h264 stap-a cut off", func() Depacketizer { return NewH264(false) }, 0,
		[]feed{mk(0x78, 0, 2, 0x67, 1, 0, 3, 0x68)},
		[]got{{Err: bad}, {Data: []byte{0, 0, 0, 1, 0x67, 1}, Damaged: true}}},
	{"h264 fu-a", func() Depacketizer { return NewH264(false) }, 0,
		[]feed{pk(0x7c, 0x85, 1), pk(0x7c, 0x05, 2), mk(0x7c, 0x45, 3)},
		[]got{{Data: []byte{0, 0, 0, 1, 0x65, 1, 2, 3}, Key: true}}},
	{"h264 fu-a without its middle", func() Depacketizer { return NewH264(false) }, 0,
		[]feed{pk(0x61, 9), pk(0x7c, 0x81, 1), gap, mk(0x7c, 0x41, 3), mk(0x61, 8)},
		[]got{{Data: []byte{0, 0, 0, 1, 0x61, 9}, Damaged: true}, {Data: []byte{0, 0, 0, 1, 0x61, 8}}}},
	{"h264 fu-a without its middle, kept", func() Depacketizer { return NewH264(true) }, 0,
		[]feed{pk(0x61, 9), pk(0x7c, 0x81, 1), gap, mk(0x7c, 0x41, 3), mk(0x61, 8)},
		[]got{{Data: []byte{0, 0, 0, 1, 0x61, 9, 0, 0, 0, 1, 0x61, 1}, Damaged: true}, {Data: []byte{0, 0, 0, 1, 0x61, 8}}}},
	{"h264 fu-a without its beginning", func() Depacketizer { return NewH264(true) }, 0,
		[]feed{gap, pk(0x7c, 0x01, 1), mk(0x7c, 0x41, 3), mk(0x61, 8)},
		[]got{{Data: []byte{0, 0, 0, 1, 0x61, 8}}}},
	{"h264 fu-a overlapping", func() Depacketizer { return NewH264(false) }, 0,
		[]feed{pk(0x7c, 0x85, 1), pk(0x7c, 0x85, 2), mk(0x7c, 0x45, 3)},
		[]got{{Data: []byte{0, 0, 0, 1, 0x65, 2, 3}, Key: true, Damaged: true}}},
	{"h264 fu-a first and last", func() Depacketizer { return NewH264(false) }, 0,
		[]feed{mk(0x7c, 0xc5, 1)}, []got{{Err: bad}}},
	{"h264 fu-a too short", func() Depacketizer { return NewH264(false) }, 0, []feed{mk(0x7c, 0x85)}, []got{{Err: bad}}},
	{"h264 recovery point", func() Depacketizer { return NewH264(false) }, 0,
		[]feed{pk(0x06, 6, 1), mk(0x61, 4)}, []got{{Data: []byte{0, 0, 0, 1, 6, 6, 1, 0, 0, 0, 1, 0x61, 4}, Key: true}}},
	{"h264 filler", func() Depacketizer { return NewH264(false) }, 0, []feed{pk(0x0c, 255, 255), mk(0x61, 4)}, []got{{Data: []byte{0, 0, 0, 1, 0x61, 4}}}},
	{"h264 empty", func() Depacketizer { return NewH264(false) }, 0, []feed{mk()}, []got{{Err: bad}}},
	{"h264 stap-b", func() Depacketizer { return NewH264(false) }, 0, []feed{mk(0x79, 0, 0, 0, 1, 0x61)}, []got{{Err: unlikely}}},
	{"h264 mtap", func() Depacketizer { return NewH264(false) }, 0, []feed{pk(0x7a, 1), pk(0x7b, 1), mk(0x7d, 1)}, []got{{Err: unlikely}, {Err: unlikely}, {Err: unlikely}}},
	{"h264 too large", func() Depacketizer { return NewH264(false) }, 12,
		[]feed{pk(0x61, 1), mk(0x61, 2, 3)}, []got{{Err: large}, {Data: []byte{0, 0, 0, 1, 0x61, 1}, Damaged: true}}},
	{"h264 fu-a too large", func() Depacketizer { return NewH264(true) }, 8,
		[]feed{pk(0x7c, 0x85, 1, 2), mk(0x7c, 0x45, 3, 4, 5)}, []got{{Err: large}}},

	{"h265 single", func() Depacketizer { return NewH265(false, false) }, 0,
		[]feed{pk(0x42, 1, 9), mk(0x26, 1, 5)},
		[]got{{Data: []byte{0, 0, 0, 1, 0x42, 1, 9, 0, 0, 0, 1, 0x26, 1, 5}, Key: true}}},
	{"h265 donl", func() Depacketizer { return NewH265(true, false) }, 0,
		[]feed{mk(0x02, 1, 0, 7, 5)}, []got{{Data: []byte{0, 0, 0, 1, 0x02, 1, 5}}}},
	{"h265 ap", func() Depacketizer { return NewH265(false, false) }, 0,
		[]feed{mk(0x60, 1, 0, 3, 0x40, 1, 1, 0, 3, 0x42, 1, 2)},
		[]got{{Data: []byte{0, 0, 0, 1, 0x40, 1, 1, 0, 0, 0, 1, 0x42, 1, 2}}}},
	{"h265 ap with donl", func() Depacketizer { return NewH265(true, false) }, 0,
		[]feed{mk(0x60, 1, 0, 9, 0, 3, 0x40, 1, 1, 0, 0, 3, 0x42, 1, 2)},
		[]got{{Data: []byte{0, 0, 0, 1, 0x40, 1, 1, 0, 0, 0, 1, 0x42, 1, 2}}}},
	{"h265 ap cut off", func() Depacketizer { return NewH265(false, false) }, 0, []feed{mk(0x60, 1, 0, 9, 0x40)}, []got{{Err: bad}}},
	{"h265 fu", func() Depacketizer { return NewH265(false, false) }, 0,
		[]feed{pk(0x62, 1, 0x93, 1), pk(0x62, 1, 0x13, 2), mk(0x62, 1, 0x53, 3)},
		[]got{{Data: []byte{0, 0, 0, 1, 0x26, 1, 1, 2, 3}, Key: true}}},
	{"h265 fu with donl", func() Depacketizer { return NewH265(true, false) }, 0,
		[]feed{pk(0x62, 1, 0x81, 0, 7, 1), mk(0x62, 1, 0x41, 2)},
		[]got{{Data: []byte{0, 0, 0, 1, 0x02, 1, 1, 2}}}},
	{"h265 fu without its end", func() Depacketizer { return NewH265(false, false) }, 0,
		[]feed{pk(0x62, 1, 0x81, 1), gap, mk(0x02, 1, 4)},
		[]got{{Data: []byte{0, 0, 0, 1, 0x02, 1, 4}, Damaged: true}}},
	{"h265 paci", func() Depacketizer { return NewH265(false, false) }, 0, []feed{mk(0x64, 1, 0, 0)}, []got{{Err: unlikely}}},
	{"h265 short", func() Depacketizer { return NewH265(false, false) }, 0, []feed{mk(0x42, 1)}, []got{{Err: bad}}},

	{"vp8", func() Depacketizer { return &VP8{} }, 0,
		[]feed{pk(0x10, 0, 1), mk(0x00, 2)}, []got{{Data: []byte{0, 1, 2}, Key: true}}},
	{"vp8 extended", func() Depacketizer { return &VP8{} }, 0,
		[]feed{mk(0x90, 0xf0, 0x80, 5, 6, 7, 1, 1)}, []got{{Data: []byte{1, 1}}}},
	{"vp8 without its end", func() Depacketizer { return &VP8{} }, 0,
		[]feed{pk(0x10, 1, 1), gap, mk(0x10, 0, 3)}, []got{{Data: []byte{1, 1}, Damaged: true}}},
	{"vp8 without its beginning", func() Depacketizer { return &VP8{} }, 0,
		[]feed{gap, mk(0x00, 2), mk(0x10, 1, 3)}, []got{{Data: []byte{1, 3}}}},
	{"vp8 descriptor cut off", func() Depacketizer { return &VP8{} }, 0,
		[]feed{mk(0x90), mk(0x90, 0x80), mk(0x90, 0x40), mk()}, []got{{Err: bad}, {Err: bad}, {Err: bad}, {Err: bad}}},

	{"vp9", func() Depacketizer { return &VP9{} }, 0,
		[]feed{pk(0x88, 5, 1), mk(0x84, 5, 2)}, []got{{Data: []byte{1, 2}, Key: true}}},
	{"vp9 structure", func() Depacketizer { return &VP9{} }, 0,
		[]feed{mk(0x8e, 0x85, 6, 0x18, 1, 2, 3, 4, 1, 0x04, 9, 7)}, []got{{Data: []byte{7}, Key: true}}},
	{"vp9 flexible", func() Depacketizer { return &VP9{} }, 0,
		[]feed{mk(0xfc, 5, 0x20, 3, 2, 7)}, []got{{Data: []byte{7}}}},
	{"vp9 two layers", func() Depacketizer { return &VP9{} }, 0,
		[]feed{pk(0xac, 5, 0, 0, 7), mk(0xec, 5, 2, 0, 8, 9)},
		[]got{{Data: []byte{7, 8, 9, 0xd9, 1, 0, 0, 0, 2, 0, 0, 0, 0xd9}, Key: true}}},
	{"vp9 without its end", func() Depacketizer { return &VP9{} }, 0,
		[]feed{pk(0x88, 5, 1), gap, mk(0x84, 5, 2), mk(0xcc, 6, 3)}, []got{{Data: []byte{1}, Key: true, Damaged: true}, {Data: []byte{3}}}},
	{"vp9 descriptor cut off", func() Depacketizer { return &VP9{} }, 0,
		[]feed{mk(0x80), mk(0xa0, 1, 2), mk(0x52, 1), mk(0x0a, 0x38, 1)}, []got{{Err: bad}, {Err: bad}, {Err: bad}, {Err: bad}}},

	{"av1", func() Depacketizer { return &AV1{} }, 0,
		[]feed{mk(0x28, 2, 0x08, 7, 0x30, 1, 2)},
		[]got{{Data: []byte{0x12, 0, 0x0a, 0x81, 0x80, 0x80, 0, 7, 0x32, 0x82, 0x80, 0x80, 0, 1, 2}, Key: true}}},
	{"av1 fragments", func() Depacketizer { return &AV1{} }, 0,
		[]feed{pk(0x50, 0x30, 1), mk(0x90, 2, 3)},
		[]got{{Data: []byte{0x12, 0, 0x32, 0x83, 0x80, 0x80, 0, 1, 2, 3}}}},
	{"av1 without its beginning", func() Depacketizer { return &AV1{} }, 0,
		[]feed{gap, mk(0xa0, 1, 9, 0x30, 3)},
		[]got{{Data: []byte{0x12, 0, 0x32, 0x81, 0x80, 0x80, 0, 3}, Damaged: true}}},
	{"av1 with sizes", func() Depacketizer { return &AV1{} }, 0,
		[]feed{mk(0x10, 0x32, 1, 9)}, []got{{Data: []byte{0x12, 0, 0x32, 1, 9}}}},
	{"av1 delimiter", func() Depacketizer { return &AV1{} }, 0, []feed{mk(0x10, 0x12, 0)}, nil},
	{"av1 size beyond its end", func() Depacketizer { return &AV1{} }, 0, []feed{mk(0x00, 9, 0x30)}, []got{{Err: bad}}},

	{"opus", func() Depacketizer { return Plain{} }, 0,
		[]feed{pk(1, 2), gap, mk(3)}, []got{{Data: []byte{1, 2}, Key: true}, {Data: []byte{3}, Key: true}}},
	{"aac", func() Depacketizer { return hbr() }, 0,
		[]feed{mk(0, 16, 0, 16, 1, 2)}, []got{{Data: []byte{1, 2}, Key: true}}},
	{"aac several", func() Depacketizer { return hbr() }, 0,
		[]feed{mk(0, 48, 0, 16, 0, 8, 0, 24, 1, 2, 3, 4, 5, 6), mk(0, 16, 0, 8, 9)},
		[]got{{Data: []byte{1, 2}, Key: true}, {Data: []byte{3}, Key: true, Offset: 1024}, {Data: []byte{4, 5, 6}, Key: true, Offset: 2048}, {Data: []byte{9}, Key: true}}},
	{"aac fragments", func() Depacketizer { return hbr() }, 0,
		[]feed{pk(0, 16, 0, 24, 1, 2), mk(0, 16, 0, 24, 3)}, []got{{Data: []byte{1, 2, 3}, Key: true}}},
	{"aac without its last fragment", func() Depacketizer { return hbr() }, 0,
		[]feed{pk(0, 16, 0, 24, 1, 2), gap, mk(0, 16, 0, 8, 3)}, []got{{Data: []byte{1, 2, 3}, Key: true, Damaged: true}}},
	{"aac interleaved", func() Depacketizer { return hbr() }, 0,
		[]feed{mk(0, 32, 0, 8, 0, 9, 1, 2)}, []got{{Data: []byte{1}, Key: true}, {Err: unlikely}}},
	{"aac headers beyond its end", func() Depacketizer { return hbr() }, 0, []feed{mk(0, 255, 0, 8, 1), mk(0)}, []got{{Err: bad}, {Err: bad}}},
	{"latm", func() Depacketizer { return &LATM{} }, 0, []feed{mk(2, 1, 2)}, []got{{Data: []byte{1, 2}, Key: true}}},
	{"latm with its configuration", func() Depacketizer { return &LATM{InBand: true} }, 0,
		[]feed{mk(7, 8)}, []got{{Data: []byte{0x56, 0xe0, 2, 7, 8}, Key: true}}},
}

func hbr() Depacketizer {
	return NewAAC(AACConfig{SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3, Duration: 1024})
}

func TestDepacketizers(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			size := c.size
			if size == 0 {
				size = 4096
			}
			if d := cmp.Diff(c.want, run(c.d(), size, c.in)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// TestWhatOthersSend takes apart what another implementation's payloaders make.
func TestWhatOthersSend(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	nal := func(header []byte, n int) []byte {
		b := append([]byte{}, header...)
		for range n {
			b = append(b, byte(1+rng.IntN(255)))
		}
		return b
	}
	annexB := func(nals ...[]byte) (out []byte) {
		for _, n := range nals {
			out = append(append(out, 0, 0, 0, 1), n...)
		}
		return out
	}
	h264 := annexB(nal([]byte{0x67}, 20), nal([]byte{0x68}, 4), nal([]byte{0x65}, 5000), nal([]byte{0x65}, 300))
	h265 := annexB(nal([]byte{0x40, 1}, 20), nal([]byte{0x42, 1}, 40), nal([]byte{0x44, 1}, 9), nal([]byte{0x26, 1}, 5000))
	vp8 := nal([]byte{0x10}, 4000)
	obu := func(t byte, n int) []byte {
		b := nal(nil, n)
		return append([]byte{t<<3 | 2, byte(n)&0x7f | 0x80, byte(n >> 7)}, b...)
	}
	av1 := append(obu(1, 200), obu(6, 3000)...)
	av1Out := func(b []byte) []byte { // sizes are four bytes here
		out := []byte{0x12, 0}
		for len(b) > 0 {
			n := int(b[1]&0x7f) | int(b[2])<<7
			out = append(out, b[0], byte(n)|0x80, byte(n>>7)|0x80, byte(n>>14)|0x80, byte(n>>21))
			out = append(out, b[3:3+n]...)
			b = b[3+n:]
		}
		return out
	}
	tests := []struct {
		name     string
		d        Depacketizer
		payloads [][]byte
		want     []byte
	}{
		{"h264", NewH264(false), (&codecs.H264Payloader{}).Payload(1200, h264), h264},
		{"h265", NewH265(false, false), (&codecs.H265Payloader{}).Payload(1200, h265), h265},
		{"vp8", &VP8{}, (&codecs.VP8Payloader{EnablePictureID: true}).Payload(1200, vp8), vp8},
		{"av1", &AV1{}, (&codecs.AV1Payloader{}).Payload(1200, av1), av1Out(av1)},
		{"opus", Plain{}, (&codecs.OpusPayloader{}).Payload(1200, []byte{1, 2, 3}), []byte{1, 2, 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var in []feed
			for i, p := range tt.payloads {
				in = append(in, feed{p: p, marker: i == len(tt.payloads)-1})
			}
			got := run(tt.d, 1<<16, in)
			if len(got) != 1 || got[0].Err != "" || got[0].Damaged || !got[0].Key {
				t.Fatalf("%d payloads became %d units", len(tt.payloads), len(got))
			}
			if !bytes.Equal(got[0].Data, tt.want) {
				t.Errorf("unit of %d bytes differs from the %d sent", len(got[0].Data), len(tt.want))
			}
		})
	}
}

func TestNoAllocations(t *testing.T) {
	for _, c := range cases {
		d := c.d()
		u := Unit{Data: make([]byte, 0, 4096)}
		n := testing.AllocsPerRun(100, func() {
			for _, f := range c.in {
				if f.lost {
					d.Lose(&u)
					continue
				}
				for {
					more, _ := d.Add(&u, f.p, f.marker)
					d.Finish(&u)
					u = Unit{Data: u.Data[:0]}
					if !more {
						break
					}
				}
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

// FuzzDepacketizers gives every depacketizer any packets: nothing is written beyond the
// unit's memory, what is made is finite, and a lost packet is survived.
func FuzzDepacketizers(f *testing.F) {
	for _, c := range cases {
		var b []byte
		for _, in := range c.in {
			n := byte(len(in.p))
			flags := byte(0)
			if in.marker {
				flags |= 1
			}
			if in.lost {
				flags |= 2
			}
			b = append(append(b, flags, n), in.p...)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, d := range []Depacketizer{NewH264(false), NewH264(true), NewH265(false, true), NewH265(true, false), &VP8{}, &VP9{}, &AV1{},
			Plain{}, hbr(), NewAAC(AACConfig{ConstantSize: 3}), NewAAC(AACConfig{SizeLength: 6, CTSDeltaLength: 5, DTSDeltaLength: 3, RandomAccess: true, StreamStateLength: 2, AuxiliaryLength: 8}),
			&LATM{}, &LATM{InBand: true}} {
			memory := make([]byte, 256)
			for i := range memory {
				memory[i] = 0xa5
			}
			u := Unit{Data: memory[:0:200]}
			units := 0
			for rest := b; len(rest) >= 2; {
				flags, n := rest[0], min(int(rest[1]), len(rest)-2)
				p := rest[2 : 2+n]
				rest = rest[2+n:]
				if flags&2 != 0 && (len(u.Data) > 0 || !d.Begins(p)) {
					d.Lose(&u)
				}
				for {
					more, _ := d.Add(&u, p, flags&1 != 0)
					if u.Complete || more {
						d.Finish(&u)
						FindPicture("h264", u.Data)
						u = Unit{Data: memory[:0:200]}
						units++
					}
					if !more {
						break
					}
				}
			}
			d.Finish(&u)
			if units > 256*(len(b)+1) {
				t.Fatalf("%T made %d units of %d bytes", d, units, len(b))
			}
			for i, v := range memory[200:] {
				if v != 0xa5 {
					t.Fatalf("%T wrote %d bytes beyond the unit", d, i+1)
				}
			}
		}
	})
}

// FuzzPicture looks for sizes in anything.
func FuzzPicture(f *testing.F) {
	for _, s := range pictures {
		f.Add(s.unit)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, c := range []string{"h264", "hevc", "vp8", "vp9", "av1"} {
			if p, ok := FindPicture(codec(c), b); ok && !p.valid() {
				t.Errorf("%s: %+v", c, p)
			}
		}
	})
}

// TestBegins: which packets show that nothing of their unit is missing before them.
func TestBegins(t *testing.T) {
	h264, h265, donl := NewH264(true), NewH265(false, true), NewH265(true, true)
	for _, c := range []struct {
		name string
		d    Depacketizer
		p    []byte
		want bool
	}{
		{"h264 delimiter", h264, []byte{0x09, 0x10}, true},
		{"h264 sps", h264, []byte{0x67, 1}, true},
		{"h264 pps", h264, []byte{0x68, 1}, false},
		{"h264 macroblock 0", h264, []byte{0x61, 0x88}, true},
		{"h264 a later macroblock", h264, []byte{0x61, 0x48}, false},
		{"h264 idr, whose parameter sets may be lost", h264, []byte{0x65, 0x88}, false},
		{"h264 fu-a", h264, []byte{0x7c, 0x81, 0x88}, true},
		{"h264 fu-a, a later macroblock", h264, []byte{0x7c, 0x81, 0x48}, false},
		{"h264 fu-a, not the first", h264, []byte{0x7c, 0x01, 0x88}, false},
		{"h264 stap-a", h264, []byte{0x78, 0, 2, 0x67, 1, 0, 1, 0x68}, true},
		{"h264 stap-a cut off", h264, []byte{0x78, 0, 9, 0x67, 1}, false},
		{"h264 empty", h264, nil, false},
		{"h265 delimiter", h265, []byte{0x46, 1, 0x50, 0}, true},
		{"h265 vps", h265, []byte{0x40, 1, 9, 9}, true},
		{"h265 pps", h265, []byte{0x44, 1, 9, 9}, false},
		{"h265 first segment", h265, []byte{0x02, 1, 0x80, 0}, true},
		{"h265 later segment", h265, []byte{0x02, 1, 0x40, 0}, false},
		{"h265 idr", h265, []byte{0x26, 1, 0x80, 0}, false},
		{"h265 fu", h265, []byte{0x62, 1, 0x81, 0x80}, true},
		{"h265 fu, not the first", h265, []byte{0x62, 1, 0x01, 0x80}, false},
		{"h265 donl", donl, []byte{0x02, 1, 0x80, 0, 0x40}, false},
		{"h265 donl, first segment", donl, []byte{0x02, 1, 0, 7, 0x80}, true},
		{"h265 fu, donl", donl, []byte{0x62, 1, 0x81, 0, 7, 0x80}, true},
		{"h265 fu, donl and no more", donl, []byte{0x62, 1, 0x81, 0, 7}, false},
		{"h265 packets", h265, []byte{0x60, 1, 0, 3, 0x42, 1, 9}, true},
		{"h265 packets, donl", donl, []byte{0x60, 1, 0, 7, 0, 3, 0x42, 1, 9}, true},
		{"vp8 first partition", &VP8{}, []byte{0x10, 1}, true},
		{"vp8 later partition", &VP8{}, []byte{0x11, 1}, false},
		{"vp8 goes on", &VP8{}, []byte{0x00, 1}, false},
		{"vp9", &VP9{}, []byte{0x48, 1}, true},
		{"vp9 goes on", &VP9{}, []byte{0x40, 1}, false},
		{"vp9 lowest layer", &VP9{}, []byte{0x28, 0x00, 0, 1}, true},
		{"vp9 layer above", &VP9{}, []byte{0x28, 0x02, 0, 1}, false},
		{"av1 new sequence", &AV1{}, []byte{0x18, 0x30, 1}, true},
		{"av1 sequence header", &AV1{}, []byte{0x20, 2, 0x08, 9, 0x30, 1}, true},
		{"av1 sequence header alone", &AV1{}, []byte{0x10, 0x08, 9}, true},
		{"av1 frame", &AV1{}, []byte{0x10, 0x30, 1}, false},
		{"av1 goes on", &AV1{}, []byte{0x90, 0x08, 1}, false},
		{"av1 cut off", &AV1{}, []byte{0x20, 9, 0x08}, false},
		{"opus", Plain{}, []byte{1}, true},
	} {
		if got := c.d.Begins(c.p); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
