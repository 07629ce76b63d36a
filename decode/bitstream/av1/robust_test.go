package av1

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/media"
)

func open(t testing.TB, cfg Config) *Decoder {
	t.Helper()
	d, err := NewDecoder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// feed decodes rubbish and holds the decoder to its promises.
func feed(t *testing.T, d *Decoder, check *contract, units [][]byte) {
	t.Helper()
	for _, tu := range units {
		pics, _ := d.Decode(tu)
		for i := range pics {
			p := &pics[i]
			if err := check.picture(p); err != nil {
				t.Fatal(err)
			}
			last := p.Header
			for _, tile := range p.Tiles {
				if tile.Begin < last || tile.End <= tile.Begin || tile.End > len(tu) {
					t.Fatalf("tile %+v in %d bytes, after %d", tile, len(tu), last)
				}
				last = tile.End
			}
			if p.ID%5 == 0 {
				d.Damage(p.ID)
			}
		}
	}
}

func FuzzDecoder(f *testing.F) {
	for _, name := range clips {
		data := read(f, clip(name))
		f.Add(data[:min(len(data), 3000)])
		f.Add(append(bytes.Clone(data[len(data)/3:]), data...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d := open(t, Config{})
		var check contract
		feed(t, d, &check, temporalUnits(t, data))
		feed(t, d, &check, [][]byte{data}) // several units at once
		d.Flush()
		if d.occupied() != 0 {
			t.Fatal("slots are in use after Flush")
		}
	})
}

// FuzzSequence takes data as a sequence header and as a container's record.
func FuzzSequence(f *testing.F) {
	for _, name := range clips {
		data := read(f, clip(name))
		f.Add(data[2:min(len(data), 40)])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = NewDecoder(Config{ExtraData: data})
		s, err := ParseSequence(data)
		if (s == nil) != (err != nil) {
			t.Fatalf("%v, %v", s, err)
		}
		if s != nil {
			s.Color()
			s.FrameRate()
			if s.MaxWidth() < 1 || s.MaxHeight() < 1 || s.idLen() > 16 && s.FrameIDNumbersPresentFlag {
				t.Fatalf("%+v", s)
			}
		}
	})
}

// TestDamage flips bits and cuts units: whatever comes out keeps the contract, and behind
// it an intact stream is intact.
func TestDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range clips {
		stream := read(t, clip(name))
		intact := temporalUnits(t, stream)
		for range 60 {
			bad := bytes.Clone(stream)
			for range 1 + rng.IntN(8) {
				bad[rng.IntN(min(len(bad), 1+rng.IntN(len(bad))))] ^= 1 << rng.IntN(8)
			}
			if rng.IntN(4) == 0 {
				at := rng.IntN(len(bad))
				bad = append(bad[:at], bad[min(at+rng.IntN(60), len(bad)):]...)
			}
			d := open(t, Config{})
			var check contract
			feed(t, d, &check, temporalUnits(t, bad))
			for n, tu := range intact {
				pics, err := d.Decode(tu)
				if err != nil {
					t.Fatal(err)
				}
				for i := range pics {
					if err := check.picture(&pics[i]); err != nil {
						t.Fatal(err)
					}
					if pics[i].Corrupt {
						t.Fatalf("%s: unit %d of an intact stream is corrupt", name, n)
					}
				}
			}
		}
	}
}

// TestJoin begins at each temporal unit: nothing is decoded before the first key frame,
// and everything is right behind it.
func TestJoin(t *testing.T) {
	units := temporalUnits(t, read(t, clip("grain")))
	d := open(t, Config{ExtraData: units[0]})
	for from := range units {
		d.Reset()
		begun, dropped := false, d.Dropped()
		for n, tu := range units[from:] {
			pics, err := d.Decode(tu)
			var e *bitstream.SyntaxError
			if err != nil && (begun || !errors.As(err, &e)) {
				t.Fatalf("from %d, unit %d: %v", from, from+n, err)
			}
			for i := range pics {
				p := &pics[i]
				begun = begun || p.Key()
				if !begun || p.Corrupt {
					t.Errorf("from %d, unit %d: %v frame, corrupt is %v", from, from+n, p.Frame.FrameType, p.Corrupt)
				}
			}
			if !begun && err == nil {
				t.Errorf("from %d: unit %d has no key frame and is no error", from, from+n)
			}
		}
		if (d.Dropped() == dropped) != (from == 0 || from == 8) {
			t.Errorf("from %d: %d frames dropped", from, d.Dropped()-dropped)
		}
	}
}

// TestMissing damages the header of one frame: what comes behind is corrupt until a key
// frame, and no slot is used that holds nothing.
func TestMissing(t *testing.T) {
	units := temporalUnits(t, read(t, clip("grain")))
	for lost := 1; lost < 8; lost++ {
		d := open(t, Config{})
		var check contract
		corrupt := 0
		for n, tu := range units {
			if n == lost {
				tu = append(bytes.Clone(tu[:min(len(tu), 6)]), 0xff)
			}
			pics, err := d.Decode(tu)
			if n == lost && err == nil {
				t.Errorf("unit %d is cut and no error", n)
			}
			for i := range pics {
				p := &pics[i]
				if err := check.picture(p); err != nil {
					t.Fatalf("unit %d lost: %v", lost, err)
				}
				if p.Corrupt && n < lost || p.Corrupt && n >= 8 {
					t.Errorf("unit %d lost: unit %d is corrupt", lost, n)
				}
				if p.Corrupt {
					corrupt++
				}
			}
		}
		if corrupt == 0 && lost < 6 { // behind it comes the key frame
			t.Errorf("unit %d lost: nothing is corrupt", lost)
		}
	}
}

// TestTiles cuts a frame of four tiles: the others are there, and the frame says so.
func TestTiles(t *testing.T) {
	units := temporalUnits(t, read(t, clip("tiles")))
	d := open(t, Config{})
	pics, err := d.Decode(units[0])
	if err != nil || len(pics) != 1 || len(pics[0].Tiles) != 4 || pics[0].Corrupt {
		t.Fatalf("%v, %+v", err, pics)
	}
	d.Reset()
	bad := bytes.Clone(units[0])
	bad[pics[0].Tiles[1].Begin-1] ^= 0x70 // size of the second tile
	pics, err = d.Decode(bad)
	if err == nil || len(pics) != 1 || pics[0].Missing.Tiles == 0 || !pics[0].Corrupt {
		t.Errorf("%v, %+v", err, pics[0].Missing)
	}
	pics, err = d.Decode(units[1])
	if err != nil || len(pics) != 1 || !pics[0].Corrupt || pics[0].Missing.Any() {
		t.Errorf("behind a damaged frame: %v, %+v", err, pics[0].Missing)
	}
}

// TestExtraData takes the sequence header from an av1C record.
func TestExtraData(t *testing.T) {
	units := temporalUnits(t, read(t, clip("grain")))
	var header OBU
	for pos := 0; header.Type != OBUSequenceHeader; pos = header.End {
		var err error
		if header, _, err = NextOBU(units[0], pos); err != nil {
			t.Fatal(err)
		}
	}
	config := units[0][header.Start:header.End]
	record := append([]byte{0x81, 0, 0xc, 0}, config...)
	bare := append(bytes.Clone(units[0][:header.Start]), units[0][header.End:]...)
	for _, extra := range [][]byte{record, config} {
		d := open(t, Config{ExtraData: extra})
		if s := d.Sequence(); s == nil || s.MaxWidth() != 176 || s.MaxHeight() != 144 || s.ColorConfig.BitDepth() != 8 {
			t.Fatalf("%+v", s)
		}
		if pics, err := d.Decode(bare); err != nil || len(pics) != 1 || !pics[0].NewSequence {
			t.Errorf("%v, %d pictures", err, len(pics))
		}
		// A header that repeats is not a new sequence.
		if pics, err := d.Decode(units[0]); err != nil || len(pics) != 1 || pics[0].NewSequence {
			t.Errorf("%v, %d pictures", err, len(pics))
		}
	}
	if _, err := NewDecoder(Config{ExtraData: []byte{0x82, 0, 0, 0}}); err == nil {
		t.Error("av1C of version 2 is taken")
	}
	if _, err := NewDecoder(Config{ExtraData: record[:8]}); err == nil {
		t.Error("a cut av1C is taken")
	}
}

// TestLayers: which units an operating point needs, and that of several layers the last
// is shown.
func TestLayers(t *testing.T) {
	const idc = 1<<0 | 1<<1 | 1<<8 | 1<<9 // two temporal and two spatial layers
	for _, c := range []struct {
		o    OBU
		idc  uint16
		want bool
	}{
		{OBU{Type: OBUFrame}, idc, true},
		{OBU{Type: OBUFrame, Extension: true, TemporalID: 1, SpatialID: 1}, idc, true},
		{OBU{Type: OBUFrame, Extension: true, TemporalID: 2}, idc, false},
		{OBU{Type: OBUFrame, Extension: true, SpatialID: 2}, idc, false},
		{OBU{Type: OBUFrame, Extension: true, SpatialID: 2}, 0, true},
		{OBU{Type: OBUSequenceHeader, Extension: true, SpatialID: 2}, idc, true},
	} {
		if got := c.o.InOperatingPoint(c.idc); got != c.want {
			t.Errorf("%+v: %v", c.o, got)
		}
	}
	if n := (&OperatingPoint{OperatingPointIdc: idc}).Spatial(); n != 2 {
		t.Errorf("%d spatial layers", n)
	}
	d := open(t, Config{})
	units := temporalUnits(t, read(t, clip("tiles")))
	if _, err := d.Decode(units[0]); err != nil {
		t.Fatal(err)
	}
	d.spatial = true
	pics, err := d.Decode(append(bytes.Clone(units[1]), units[2]...))
	if err != nil || len(pics) != 2 || len(pics[0].Output) != 0 || len(pics[1].Output) != 1 {
		t.Errorf("%v: %+v", err, pics)
	}
	if _, err := d.Decode([]byte{byte(OBUTileList)<<3 | 2, 0}); !errors.Is(err, media.ErrNotSupported) {
		t.Errorf("a tile list: %v", err)
	}
}

// TestNoAllocations decodes a stream over and over.
func TestNoAllocations(t *testing.T) {
	for _, name := range []string{"grain", "tiles", "resize"} {
		units := temporalUnits(t, read(t, clip(name)))
		d := open(t, Config{})
		round := func() {
			for _, tu := range units {
				if _, err := d.Decode(tu); err != nil {
					t.Fatal(err)
				}
			}
		}
		round()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 10 {
			round()
		}
		runtime.ReadMemStats(&after)
		if n := after.Mallocs - before.Mallocs; n > 8 {
			t.Errorf("%s: %d allocations in %d units", name, n, 10*len(units))
		}
	}
}

func BenchmarkDecoder(b *testing.B) {
	units := temporalUnits(b, read(b, clip("grain")))
	d := open(b, Config{})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := d.Decode(units[i%len(units)]); err != nil {
			b.Fatal(err)
		}
	}
}

// TestGlobalMotion codes parameters by the inverse of 5.9.26 and reads them back.
func TestGlobalMotion(t *testing.T) {
	for _, c := range []struct{ low, high, ref int }{{-4096, 4097, 0}, {-4096, 4097, 4000}, {-256, 257, -255}, {-512, 513, 77}} {
		seen := map[int]bool{}
		mx := c.high - c.low
		// Every symbol below mx stands for a value of its own in the range.
		for v := range mx {
			var x int
			if ref := c.ref - c.low; ref<<1 <= mx {
				x = inverseRecenter(ref, v)
			} else {
				x = mx - 1 - inverseRecenter(mx-1-ref, v)
			}
			if x += c.low; x < c.low || x >= c.high || seen[x] {
				t.Fatalf("%+v: symbol %d is %d", c, v, x)
			}
			seen[x] = true
			if v == 0 && x != c.ref {
				t.Errorf("%+v: symbol 0 is %d", c, x)
			}
		}
	}
	// 0 and three bits: 5; then 1, 0 and three bits: 8+2; then all ones to the last bits.
	var r bitstream.Reader
	r.ResetPlain([]byte{0b0101_1001, 0b0_0000000})
	if a, b := subexp(&r, 8193), subexp(&r, 8193); a != 5 || b != 10 {
		t.Errorf("%d, %d", a, b)
	}
}

// TestManyInAUnit: a unit that shows a kept frame every few bytes takes a bounded amount of
// memory.
func TestManyInAUnit(t *testing.T) {
	for _, name := range clips {
		d := open(t, Config{})
		for _, tu := range temporalUnits(t, read(t, clip(name))) {
			if _, err := d.Decode(tu); err != nil {
				t.Fatal(err)
			}
			for i := range byte(8) {
				again := []byte{byte(OBUFrameHeader)<<3 | 2, 1, 0x88 | i<<4} // show_existing_frame, frame_to_show_map_idx
				if pics, err := d.Decode(again); err != nil || len(pics) != 1 {
					continue // it may not be shown
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				pics, err := d.Decode(bytes.Repeat(again, 20_000))
				runtime.ReadMemStats(&after)
				if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 || len(pics) == 0 {
					t.Errorf("%s: %d pictures take %d MB", name, len(pics), n>>20)
				}
				var s *bitstream.SyntaxError
				if !errors.As(err, &s) {
					t.Errorf("%s: %v", name, err)
				}
				return
			}
		}
	}
	t.Error("no frame of any clip can be shown again")
}
