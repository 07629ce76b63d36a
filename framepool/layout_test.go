package framepool

import (
	"testing"
	"unsafe"

	"github.com/scanout-av/scanout/media"
)

func TestLayoutEveryFormat(t *testing.T) {
	sizes := [][2]int{{1, 1}, {2, 2}, {17, 5}, {64, 64}, {1919, 1079}, {1920, 1080}}
	for _, format := range media.PixelFormats() {
		for _, s := range sizes {
			for _, align := range []int{0, 1, 16, 64, 256, 4096} {
				w, h := s[0], s[1]
				if align == PageBytes && w > 100 {
					continue // megabytes of padding
				}
				need := FrameBytes(format, w, h, align)
				p, err := New(Config{Slots: 2, SlotBytes: need})
				if err != nil {
					t.Fatal(err)
				}
				a, b := mustGet(t, p), mustGet(t, p)
				for _, f := range []*media.Frame{a, b} {
					if err := p.Layout(f, format, w, h, align); err != nil {
						t.Fatal(err)
					}
					checkLayout(t, p, f, align)
				}
				a.Release()
				b.Release()
				if err := p.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func checkLayout(t *testing.T, p *Pool, f *media.Frame, align int) {
	t.Helper()
	if err := f.Check(); err != nil {
		t.Error(err)
	}
	if align == 0 {
		align = DefaultAlign
	}
	end := int64(f.Slot) * int64(p.SlotBytes())
	for i := range f.Format.Info().Planes {
		pl := &f.Planes[i]
		if pl.Offset < end || pl.Offset%int64(align) != 0 || pl.Stride%align != 0 {
			t.Errorf("%v %dx%d align %d: plane %d at %d, stride %d, previous plane ends at %d", f.Format, f.Width, f.Height, align, i, pl.Offset, pl.Stride, end)
		}
		if &p.Mapping()[pl.Offset] != &pl.Data[0] {
			t.Errorf("plane %d: Offset does not lead to Data", i)
		}
		slot, off, ok := p.Locate(uintptr(unsafe.Pointer(&pl.Data[0])))
		if !ok || slot != f.Slot || off != pl.Offset {
			t.Errorf("plane %d: Locate gives slot %d, offset %d, %v", i, slot, off, ok)
		}
		end = pl.Offset + int64(len(pl.Data))
	}
	if end > int64(f.Slot+1)*int64(p.SlotBytes()) {
		t.Errorf("%v %dx%d runs into the next slot", f.Format, f.Width, f.Height)
	}
}

func TestLayoutRefuses(t *testing.T) {
	p := newPool(t, 1, PageBytes)
	f := mustGet(t, p)
	defer f.Release()
	for name, try := range map[string]func() error{
		"too large":      func() error { return p.Layout(f, media.I420, 64, 65, 0) },
		"empty":          func() error { return p.Layout(f, media.I420, 0, 64, 0) },
		"negative":       func() error { return p.Layout(f, media.I420, 16, -1, 0) },
		"huge":           func() error { return p.Layout(f, media.Gray8, 1<<62, 1<<62, 0) },
		"odd alignment":  func() error { return p.Layout(f, media.I420, 16, 16, 48) },
		"unknown format": func() error { return p.Layout(f, media.FormatUnknown, 16, 16, 0) },
		"no slot":        func() error { return p.Layout(&media.Frame{Slot: -1}, media.I420, 16, 16, 0) },
	} {
		if try() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if f.Format != media.FormatUnknown {
		t.Error("a refused layout changed the frame")
	}
}

func TestLocateOutside(t *testing.T) {
	p := newPool(t, 2, PageBytes)
	base := uintptr(unsafe.Pointer(&p.Mapping()[0]))
	for _, addr := range []uintptr{0, base - 1, base + uintptr(2*PageBytes), ^uintptr(0)} {
		if _, _, ok := p.Locate(addr); ok {
			t.Errorf("Locate(base%+d) found a slot", int64(addr)-int64(base))
		}
	}
	if s, o, ok := p.Locate(base + PageBytes); !ok || s != 1 || o != PageBytes {
		t.Errorf("Locate(start of slot 1) = %d, %d, %v", s, o, ok)
	}
}
