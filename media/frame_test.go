package media

import (
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
)

type owner struct{ reclaimed []*Frame }

func (o *owner) ReclaimFrame(f *Frame) { o.reclaimed = append(o.reclaimed, f) }

func mustPanic(t *testing.T, want string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if s, _ := recover().(string); !strings.Contains(s, want) {
			t.Errorf("panic %q, want one about %q", s, want)
		}
	}()
	fn()
}

func TestFrameReferences(t *testing.T) {
	var o owner
	f := &Frame{}
	f.Arm(&o)
	gen := f.Generation()
	mustPanic(t, "in use", func() { f.Arm(&o) })
	if f.Retain() != f || f.References() != 2 {
		t.Fatalf("%d references after Retain", f.References())
	}
	f.Release()
	if len(o.reclaimed) != 0 || f.References() != 1 {
		t.Fatal("reclaimed while referenced")
	}
	f.Release()
	if len(o.reclaimed) != 1 || o.reclaimed[0] != f {
		t.Fatalf("reclaimed %v", o.reclaimed)
	}
	f.Arm(&o)
	if f.Generation() != gen+2 {
		t.Errorf("generation went from %d to %d over one release and one Arm", gen, f.Generation())
	}
	f.Release()
	mustPanic(t, "released twice", f.Release)
	g := &Frame{}
	mustPanic(t, "Retain of a released", func() { g.Retain() })
}

func TestFrameRef(t *testing.T) {
	var o owner
	f := &Frame{}
	f.Arm(&o)
	r := f.Ref()
	if !r.Valid() || r.Frame() != f {
		t.Fatal("a fresh Ref is not valid")
	}
	f.Release()
	if r.Valid() {
		t.Error("valid after release")
	}
	f.Arm(&o)
	if r.Valid() {
		t.Error("valid in the next generation")
	}
	mustPanic(t, "after release", func() { r.Frame() })
	mustPanic(t, "after release", func() { (Ref{}).Frame() })
}

type countingOwner struct{ n int }

func (o *countingOwner) ReclaimFrame(*Frame) { o.n++ }

func TestFrameConcurrentRelease(t *testing.T) {
	var o countingOwner // not atomic: exactly one goroutine may get there
	f := &Frame{}
	for range 100 {
		f.Arm(&o)
		var wg sync.WaitGroup
		for range 4 {
			f.Retain()
			wg.Go(func() { f.Retain().Release(); f.Release() })
		}
		f.Release()
		wg.Wait()
	}
	if o.n != 100 || f.References() != 0 {
		t.Errorf("%d reclaims, %d references", o.n, f.References())
	}
}

func TestFrameAllocs(t *testing.T) {
	var o countingOwner
	f := &Frame{}
	if n := testing.AllocsPerRun(100, func() {
		f.Arm(&o)
		r := f.Ref()
		r.Frame().Retain().Release()
		f.Release()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestDisplaySize(t *testing.T) {
	r90, r180 := Orientation{Rotation: 90}, Orientation{Rotation: 180, Mirror: true}
	for _, c := range []struct {
		w, h   int
		sar    Rational
		o      Orientation
		dw, dh int
	}{
		{1920, 1080, Rational{}, Orientation{}, 1920, 1080},
		{1920, 1080, Rational{1, 1}, r90, 1080, 1920},
		{1920, 1080, Rational{7, 7}, r180, 1920, 1080},
		{720, 576, Rational{16, 15}, Orientation{}, 768, 576},
		{720, 480, Rational{8, 9}, Orientation{}, 720, 540},
		{720, 480, Rational{40, 33}, Orientation{}, 873, 480},
		{720, 576, Rational{16, 15}, r90, 576, 768},
		{720, 576, Rational{16, 15}, Orientation{Rotation: 270}, 576, 768},
		{1, 1, Rational{1, 2}, Orientation{}, 1, 2},
		{16, 16, Rational{-1, 2}, Orientation{}, 16, 16},
		{16, 16, Rational{0, 1}, Orientation{}, 16, 16},
	} {
		f := Frame{Width: c.w, Height: c.h, SAR: c.sar, Orientation: c.o}
		if w, h := f.DisplaySize(); w != c.dw || h != c.dh {
			t.Errorf("%dx%d sar %v %+v: %dx%d, want %dx%d", c.w, c.h, c.sar, c.o, w, h, c.dw, c.dh)
		}
	}
}

func testFrame(format PixelFormat, w, h, pad int) *Frame {
	f := &Frame{Format: format, Width: w, Height: h, Slot: -1}
	for p := range format.Info().Planes {
		rb, rows := format.PlaneSize(p, w, h)
		f.Planes[p] = Plane{Data: make([]byte, (rows-1)*(rb+pad)+rb), Stride: rb + pad, Offset: -1}
	}
	return f
}

func TestFrameCheck(t *testing.T) {
	for _, format := range PixelFormats() {
		for _, size := range [][2]int{{1, 1}, {17, 15}, {64, 2}} {
			f := testFrame(format, size[0], size[1], 5)
			if err := f.Check(); err != nil {
				t.Errorf("%v: %v", format, err)
			}
			for p := range format.Info().Planes {
				pl := f.Planes[p]
				f.Planes[p].Data = pl.Data[:len(pl.Data)-1]
				if f.Check() == nil {
					t.Errorf("%v: plane %d one byte short went unnoticed", format, p)
				}
				f.Planes[p] = Plane{}
				if f.Check() == nil {
					t.Errorf("%v: missing plane %d went unnoticed", format, p)
				}
				f.Planes[p] = pl
			}
		}
	}
	for name, spoil := range map[string]func(f *Frame){
		"format":   func(f *Frame) { f.Format = FormatUnknown },
		"width":    func(f *Frame) { f.Width = 0 },
		"height":   func(f *Frame) { f.Height = -1 },
		"huge":     func(f *Frame) { f.Width = math.MaxInt },
		"overflow": func(f *Frame) { f.Width, f.Planes[0].Stride = math.MaxInt/2+1, math.MaxInt },
		"stride":   func(f *Frame) { f.Planes[0].Stride = math.MaxInt/2 + 1 },
		"negative": func(f *Frame) { f.Planes[0].Stride = -f.Planes[0].Stride },
	} {
		f := testFrame(I420, 16, 15, 0)
		spoil(f)
		if f.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := (&Frame{Format: 99, Width: 1, Height: 1}).Check(); !errors.Is(err, ErrNotSupported) {
		t.Errorf("unknown format: %v", err)
	}
}

func TestAudioBlockCount(t *testing.T) {
	b := AudioBlock{Samples: make([]float32, 12)}
	if b.Count() != 0 {
		t.Error("samples without channels")
	}
	if b.Channels = 3; b.Count() != 4 {
		t.Errorf("%d samples", b.Count())
	}
}

type auOwner struct{ got []uintptr }

func (o *auOwner) ReclaimAccessUnit(n uintptr) { o.got = append(o.got, n) }

func TestAccessUnitRelease(t *testing.T) {
	var o auOwner
	au := AccessUnit{Data: []byte{1}, Native: 7, Owner: &o}
	au.Release()
	au.Release()
	(&AccessUnit{}).Release()
	if len(o.got) != 1 || o.got[0] != 7 {
		t.Errorf("reclaimed %v", o.got)
	}
	if au.Data != nil {
		t.Error("data survives the release")
	}
}
