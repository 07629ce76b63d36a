package vp9

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"
)

// feed decodes rubbish and holds the decoder to its promises.
func feed(t *testing.T, d *Decoder, check *contract, units [][]byte) {
	t.Helper()
	for _, data := range units {
		pics, _ := d.Decode(data)
		for i := range pics {
			p := &pics[i]
			if err := check.picture(p); err != nil {
				t.Fatal(err)
			}
			if p.Begin < 0 || p.End > len(data) || p.Begin >= p.End {
				t.Fatalf("a frame at %d to %d of %d", p.Begin, p.End, len(data))
			}
			if p.ID%5 == 0 {
				d.Damage(p.ID)
			}
		}
	}
}

func FuzzDecoder(f *testing.F) {
	for _, name := range clips {
		units := frames(f, clip(name))
		f.Add(units[0], units[1], units[2])
	}
	f.Add([]byte{}, []byte{0xc0}, []byte{0x88, 0xc1, 1, 1, 0xc1})
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		d := NewDecoder()
		var check contract
		feed(t, d, &check, [][]byte{a, b, c, b, a, c, superframe(a, b)})
		d.Flush()
		if d.occupied() != 0 {
			t.Fatal("slots are in use after Flush")
		}
	})
}

// superframe joins frames (annex B).
func superframe(frames ...[]byte) (out []byte) {
	marker := byte(0xc0 | 3<<3 | (len(frames) - 1))
	index := []byte{marker}
	for _, f := range frames {
		out = append(out, f...)
		index = append(index, byte(len(f)), byte(len(f)>>8), byte(len(f)>>16), byte(len(f)>>24))
	}
	return append(append(out, index...), marker)
}

// TestSuperframe decodes frames that were joined, and damaged indices.
func TestSuperframe(t *testing.T) {
	units := frames(t, clip("groups"))
	d := NewDecoder()
	joined := superframe(units[0], units[1], []byte{0x88}) // and shows frame 0 again
	pics, err := d.Decode(joined)
	if err != nil || len(pics) != 3 || pics[1].Begin != len(units[0]) || pics[1].End != len(units[0])+len(units[1]) || !pics[2].Existing {
		t.Fatalf("%v, %+v", err, pics)
	}
	var check contract
	for i := range pics {
		if err := check.picture(&pics[i]); err != nil {
			t.Error(err)
		}
	}
	for n := range len(joined) - 1 {
		parts, frames := Frames(joined[:n])
		for i := range frames {
			if parts[i] > parts[i+1] || parts[i+1] > n {
				t.Fatalf("%v of %d bytes", parts, n)
			}
		}
	}
	if _, err := d.Decode([]byte{0x8f}); err != nil { // a key frame fills all places
		t.Errorf("frame 7 shown: %v", err)
	}
	d.Reset()
	if _, err := d.Decode([]byte{0x8f}); err == nil {
		t.Error("a frame that is missing is shown")
	}
}

// TestDamage flips bits and cuts frames: whatever comes out keeps the contract, and from
// the next key frame on an intact stream is intact.
func TestDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range clips {
		intact := frames(t, clip(name))
		for range 100 {
			var bad [][]byte
			for _, u := range intact {
				u = bytes.Clone(u)
				for range rng.IntN(4) {
					u[rng.IntN(min(len(u), 1+rng.IntN(40)))] ^= 1 << rng.IntN(8)
				}
				if rng.IntN(5) == 0 {
					u = u[:rng.IntN(len(u))]
				}
				bad = append(bad, u)
			}
			d := NewDecoder()
			var check contract
			feed(t, d, &check, bad)
			for n, u := range intact {
				pics, err := d.Decode(u)
				if err != nil {
					t.Fatal(err)
				}
				for i := range pics {
					if err := check.picture(&pics[i]); err != nil {
						t.Fatal(err)
					}
					if pics[i].Corrupt {
						t.Fatalf("%s: frame %d of an intact stream is corrupt", name, n)
					}
				}
			}
		}
	}
}

// TestJoin begins at each frame: nothing is decoded before the first key frame, and
// everything is right behind it.
func TestJoin(t *testing.T) {
	units := frames(t, clip("groups"))
	d := NewDecoder()
	keys := 0
	for from := range units {
		d.Reset()
		begun := false
		for n, u := range units[from:] {
			pics, err := d.Decode(u)
			for i := range pics {
				begun = begun || pics[i].Frame.KeyFrame
				if from == 0 && pics[i].Frame.KeyFrame {
					keys++
				}
				if pics[i].Corrupt {
					t.Errorf("from %d: frame %d is corrupt", from, from+n)
				}
			}
			if begun != (err == nil) || begun != (len(pics) == 1) {
				t.Errorf("from %d, frame %d: %d pictures, %v", from, from+n, len(pics), err)
			}
		}
	}
	if keys != 2 || d.Dropped() == 0 {
		t.Errorf("%d key frames, %d dropped", keys, d.Dropped())
	}
}

// TestLost: behind a frame that cannot be read everything is corrupt until a key frame.
func TestLost(t *testing.T) {
	d := NewDecoder()
	for n, u := range frames(t, clip("groups")) {
		if n == 3 {
			u = u[:5]
		}
		pics, err := d.Decode(u)
		if (n == 3) != (err != nil) {
			t.Errorf("frame %d: %v", n, err)
		}
		for i := range pics {
			if want := n > 3 && n < 12; pics[i].Corrupt != want {
				t.Errorf("frame %d: corrupt is %v", n, pics[i].Corrupt)
			}
		}
	}
}

// TestTiles: sizes of tiles that do not fit are found.
func TestTiles(t *testing.T) {
	u := bytes.Clone(frames(t, clip("tiles"))[0])
	d := NewDecoder()
	pics, err := d.Decode(u)
	if err != nil || len(pics) != 1 || pics[0].Frame.TileColsLog2 != 1 || pics[0].Frame.TileRowsLog2 != 1 {
		t.Fatalf("%v: %+v", err, pics)
	}
	u[pics[0].Tiles+2] ^= 0x7f
	if pics, err = d.Decode(u); err == nil || len(pics) != 1 || !pics[0].Corrupt || pics[0].Missing.Tiles == 0 {
		t.Errorf("%v: %+v", err, pics)
	}
}

// TestNoAllocations decodes a stream over and over.
func TestNoAllocations(t *testing.T) {
	units := frames(t, clip("groups"))
	d := NewDecoder()
	round := func() {
		for _, u := range units {
			if _, err := d.Decode(u); err != nil {
				t.Fatal(err)
			}
		}
	}
	round()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 50 {
		round()
	}
	runtime.ReadMemStats(&after)
	if n := after.Mallocs - before.Mallocs; n > 8 {
		t.Errorf("%d allocations in %d frames", n, 50*len(units))
	}
}

func BenchmarkDecoder(b *testing.B) {
	units := frames(b, clip("groups"))
	d := NewDecoder()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := d.Decode(units[i%len(units)]); err != nil {
			b.Fatal(err)
		}
	}
}
