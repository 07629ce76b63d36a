package yuv

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/scanout-av/scanout/internal/avtest"
)

// TestWidths converts every width from 1 to 300 between guard pages, at either end, with
// odd strides, and compares every byte with the model.
func TestWidths(t *testing.T) {
	const maxW, maxH, extra = 300, 5, 13
	var planes [3]*avtest.Guard
	for i := range planes {
		planes[i] = avtest.NewGuard(t, (maxW*4+extra)*maxH)
	}
	out := avtest.NewGuard(t, (maxW*8+extra)*maxH)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, g := range planes {
		fills["random"](rng, g.AtEnd(g.Len()))
	}
	conversions(t, func(t *testing.T, cfg Config) {
		cfg.Matrix, cfg.Range = Matrix(rng.IntN(3)), Range(rng.IntN(2))
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		step := 1
		if testing.Short() {
			step = 7
		}
		for w := 1; w <= maxW; w += step {
			h := 1 + w%maxH
			c.near, c.far = [2]int{0, 1 << 20}[w>>1&1], [2]int{0, 1 << 20}[w>>2&1] // every kernel
			end := w&1 == 0
			pick := func(g *avtest.Guard, n int) []byte {
				if end {
					return g.AtEnd(n)
				}
				return g.AtStart(n)
			}
			p := layOut(cfg.From, w, h, (w%3)*extra, func(i, n int) []byte { return pick(planes[i], n) })
			stride := cfg.To.RowBytes(w) + w%4*7
			dst := pick(out, (h-1)*stride+cfg.To.RowBytes(w))
			whole := out.AtStart(out.Len())
			paint(whole)
			if err := c.Convert(dst, stride, p, 0, h); err != nil {
				t.Fatal(err)
			}
			if !verify(t, cfg, p, dst, stride, 0, h) {
				return
			}
			rest := whole[len(dst):]
			if end {
				rest = whole[:len(whole)-len(dst)]
			}
			for _, b := range rest {
				if b != canary {
					t.Fatalf("width %d: a byte outside the destination was written", w)
				}
			}
		}
	})
}

// TestFills runs contents that saturate, for every matrix and range, misaligned.
func TestFills(t *testing.T) {
	conversions(t, func(t *testing.T, cfg Config) {
		rng := rand.New(rand.NewPCG(3, 4))
		const w, h = 131, 3
		for m := BT709; m <= BT2020; m++ {
			for r := Limited; r <= Full; r++ {
				cfg.Matrix, cfg.Range = m, r
				c, err := New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				for name, fill := range fills {
					off := rng.IntN(64)
					p := layOut(cfg.From, w, h, rng.IntN(9), func(_, n int) []byte {
						b := make([]byte, n+off)[off:]
						fill(rng, b)
						return b
					})
					stride := cfg.To.RowBytes(w) + rng.IntN(9)
					dst := make([]byte, off+stride*h)[off:]
					paint(dst)
					if err := c.Convert(dst, stride, p, 0, h); err != nil {
						t.Fatal(err)
					}
					if !verify(t, cfg, p, dst, stride, 0, h) {
						t.Fatal(name)
					}
				}
			}
		}
	})
}

// TestBands converts in bands of every size, starting on odd rows, too.
func TestBands(t *testing.T) {
	conversions(t, func(t *testing.T, cfg Config) {
		rng := rand.New(rand.NewPCG(5, 6))
		const w, h = 70, 9
		p := layOut(cfg.From, w, h, 3, func(_, n int) []byte {
			b := make([]byte, n)
			fills["random"](rng, b)
			return b
		})
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		stride := cfg.To.RowBytes(w) + 5
		for from := 0; from <= h; from++ {
			for to := from; to <= h; to++ {
				dst := make([]byte, stride*h+1)
				paint(dst)
				if err := c.Convert(dst, stride, p, from, to); err != nil {
					t.Fatal(err)
				}
				if !verify(t, cfg, p, dst, stride, from, to) {
					return
				}
				for i, b := range dst[(to-from)*stride:] {
					if b != canary {
						t.Fatalf("rows %d to %d: byte %d after the band was written", from, to, i)
					}
				}
			}
		}
	})
}

// TestNonTemporal checks that aligned and unaligned destinations get the same bytes.
func TestNonTemporal(t *testing.T) {
	conversions(t, func(t *testing.T, cfg Config) {
		rng := rand.New(rand.NewPCG(7, 8))
		cfg.NonTemporal = true
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		g := avtest.NewGuard(t, 1<<16)
		for _, w := range []int{1, 31, 32, 64, 65, 128, 190, 191, 192} {
			for _, off := range []int{0, 1, 32} {
				p := layOut(cfg.From, w, 4, 0, func(_, n int) []byte {
					b := make([]byte, n)
					fills["random"](rng, b)
					return b
				})
				stride := (cfg.To.RowBytes(w) + 63) &^ 63
				dst := g.AtStart(stride*4 + off)[off:]
				paint(dst)
				if err := c.Convert(dst, stride, p, 0, 4); err != nil {
					t.Fatal(err)
				}
				if !verify(t, cfg, p, dst, stride, 0, 4) {
					return
				}
			}
		}
	})
}

func TestGeometryErrors(t *testing.T) {
	const w, h = 64, 4
	good := func() (*Picture, []byte) {
		p, _, _ := I420.NewPicture(nil, w, h)
		return &p, make([]byte, w*4*h)
	}
	huge := int(^uint(0) >> 1)
	shared := make([]byte, w*4*h+w*h*2)
	for name, tc := range map[string]struct {
		change   func(p *Picture, dst *[]byte, stride, from, to *int)
		sentinel error
	}{
		"width 0":                  {func(p *Picture, _ *[]byte, _, _, _ *int) { p.Width = 0 }, ErrGeometry},
		"negative width":           {func(p *Picture, _ *[]byte, _, _, _ *int) { p.Width = -64 }, ErrGeometry},
		"negative height":          {func(p *Picture, _ *[]byte, _, _, _ *int) { p.Height = -1 }, ErrGeometry},
		"absurd width":             {func(p *Picture, _ *[]byte, _, _, _ *int) { p.Width = huge }, ErrGeometry},
		"absurd height":            {func(p *Picture, _ *[]byte, _, _, _ *int) { p.Height = huge }, ErrGeometry},
		"largest size":             {func(p *Picture, _ *[]byte, _, _, _ *int) { p.Width, p.Height = maxSize, maxSize }, ErrGeometry},
		"row before the first":     {func(_ *Picture, _ *[]byte, _, from, _ *int) { *from = -1 }, ErrGeometry},
		"row after the last":       {func(_ *Picture, _ *[]byte, _, _, to *int) { *to = h + 1 }, ErrGeometry},
		"rows backwards":           {func(_ *Picture, _ *[]byte, _, from, to *int) { *from, *to = 2, 1 }, ErrGeometry},
		"luma stride":              {func(p *Picture, _ *[]byte, _, _, _ *int) { p.Stride[0] = w - 1 }, ErrGeometry},
		"negative luma stride":     {func(p *Picture, _ *[]byte, _, _, _ *int) { p.Stride[0] = -w }, ErrGeometry},
		"huge luma stride":         {func(p *Picture, _ *[]byte, _, _, _ *int) { p.Stride[0] = huge }, ErrGeometry},
		"chroma stride":            {func(p *Picture, _ *[]byte, _, _, _ *int) { p.Stride[2] = w/2 - 1 }, ErrGeometry},
		"short luma":               {func(p *Picture, _ *[]byte, _, _, _ *int) { p.Planes[0] = p.Planes[0][:w*h-1] }, ErrGeometry},
		"short chroma":             {func(p *Picture, _ *[]byte, _, _, _ *int) { p.Planes[1] = p.Planes[1][:w*h/4-1] }, ErrGeometry},
		"no plane":                 {func(p *Picture, _ *[]byte, _, _, _ *int) { p.Planes[2] = nil }, ErrGeometry},
		"destination stride":       {func(_ *Picture, _ *[]byte, s, _, _ *int) { *s = w*4 - 1 }, ErrGeometry},
		"negative stride":          {func(_ *Picture, _ *[]byte, s, _, _ *int) { *s = -w * 4 }, ErrGeometry},
		"huge stride":              {func(_ *Picture, _ *[]byte, s, _, _ *int) { *s = huge }, ErrGeometry},
		"short destination":        {func(_ *Picture, d *[]byte, _, _, _ *int) { *d = (*d)[:len(*d)-1] }, ErrGeometry},
		"no destination":           {func(_ *Picture, d *[]byte, _, _, _ *int) { *d = nil }, ErrGeometry},
		"destination is luma":      {func(p *Picture, d *[]byte, _, _, _ *int) { p.Planes[0] = *d }, ErrOverlap},
		"destination ends in luma": {func(p *Picture, d *[]byte, _, _, _ *int) { *d, p.Planes[0] = shared[:w*4*h], shared[w*4*h-1:] }, ErrOverlap},
		"chroma ends in destination": {func(p *Picture, d *[]byte, _, _, _ *int) {
			p.Planes[1], *d = shared[:w*h/4], shared[w*h/4-1:]
		}, ErrOverlap},
	} {
		t.Run(name, func(t *testing.T) {
			p, dst := good()
			paint(dst)
			stride, from, to := w*4, 0, h
			tc.change(p, &dst, &stride, &from, &to)
			c, err := New(Config{})
			if err != nil {
				t.Fatal(err)
			}
			before := append([]byte(nil), dst...)
			if err := c.Convert(dst, stride, p, from, to); !errors.Is(err, tc.sentinel) {
				t.Errorf("got %v, want %v", err, tc.sentinel)
			}
			for i := range dst {
				if dst[i] != before[i] {
					t.Fatal("bytes were written before the error")
				}
			}
		})
	}
	p, dst := good()
	c, _ := New(Config{})
	if err := c.Convert(dst, w*4, p, 0, h); err != nil {
		t.Errorf("the unchanged picture: %v", err)
	}
	if err := c.Convert(nil, w*4, p, 2, 2); err != nil {
		t.Errorf("no rows need no destination: %v", err)
	}
	// Neighbours share no byte.
	p.Planes[0], dst = shared[w*4*h:], shared[:w*4*h]
	if err := c.Convert(dst, w*4, p, 0, h); err != nil {
		t.Errorf("neighbours: %v", err)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, cfg := range []Config{
		{Matrix: 9}, {Range: 9}, {From: layouts}, {To: packings}, {Variant: variants},
		{From: I420, To: RGBA64}, {From: YUY2, To: RGBA64},
	} {
		if _, err := New(cfg); !errors.Is(err, ErrNotSupported) {
			t.Errorf("%+v: got %v, want ErrNotSupported", cfg, err)
		}
	}
	if _, _, err := I420.NewPicture(make([]byte, 5), 2, 2); !errors.Is(err, ErrGeometry) {
		t.Errorf("short memory: %v", err)
	}
	if _, _, err := Layout(99).NewPicture(nil, 2, 2); !errors.Is(err, ErrNotSupported) {
		t.Errorf("unknown layout: %v", err)
	}
}

func TestConvertAllocatesNothing(t *testing.T) {
	conversions(t, func(t *testing.T, cfg Config) {
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		p, _, err := cfg.From.NewPicture(nil, 99, 7)
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]byte, cfg.To.RowBytes(99)*7)
		if n := testing.AllocsPerRun(100, func() {
			if err := c.Convert(dst, cfg.To.RowBytes(99), &p, 0, 7); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
