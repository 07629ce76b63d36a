package yuv

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/scanout-av/scanout/internal/avtest"
)

func reversals(t *testing.T, f func(t *testing.T, cfg Config)) {
	for _, v := range Variants() {
		for _, l := range []Layout{I420, NV12, NV21} {
			for _, p := range []Packing{RGBA, BGRA} {
				t.Run(fmt.Sprintf("%v/%v/%v", v, l, p), func(t *testing.T) { f(t, Config{From: l, To: p, Variant: v}) })
			}
		}
	}
}

// reverseReference is the model applied block by block.
func reverseReference(cfg Config, src []byte, stride, w, h int) (y, u, v []byte) {
	m := newReverseModel(cfg.Matrix, cfg.Range)
	rgb := func(x, yy int) (r, g, b byte) {
		p := src[min(yy, h-1)*stride+4*min(x, w-1):]
		if cfg.To == BGRA {
			return p[2], p[1], p[0]
		}
		return p[0], p[1], p[2]
	}
	for yy := range h {
		for x := range w {
			y = append(y, m.luma(rgb(x, yy)))
		}
	}
	for yy := 0; yy < h; yy += 2 {
		for x := 0; x < w; x += 2 {
			var s [3]int32
			for i := range 4 {
				r, g, b := rgb(x+i&1, yy+i>>1)
				s[0], s[1], s[2] = s[0]+int32(r), s[1]+int32(g), s[2]+int32(b)
			}
			a, b := m.chroma(s[0], s[1], s[2])
			u, v = append(u, a), append(v, b)
		}
	}
	return
}

// TestReverseWidths converts every width from 1 to 300 between guard pages.
func TestReverseWidths(t *testing.T) {
	const maxW, maxH, extra = 300, 5, 11
	in := avtest.NewGuard(t, (maxW*4+extra)*maxH)
	var out [3]*avtest.Guard
	for i := range out {
		out[i] = avtest.NewGuard(t, (maxW+extra)*maxH)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	reversals(t, func(t *testing.T, cfg Config) {
		step := 1
		if testing.Short() {
			step = 7
		}
		for w := 1; w <= maxW; w += step {
			cfg.Matrix, cfg.Range = Matrix(rng.IntN(3)), Range(rng.IntN(2))
			c, err := NewReverse(cfg)
			if err != nil {
				t.Fatal(err)
			}
			h := 1 + w%maxH
			pick := (*avtest.Guard).AtStart
			if w&1 == 0 {
				pick = (*avtest.Guard).AtEnd
			}
			stride := 4*w + w%3*extra
			src := pick(in, (h-1)*stride+4*w)
			fills[[]string{"random", "extremes", "white", "black", "stripes"}[w%5]](rng, src)
			for _, g := range out {
				paint(g.AtStart(g.Len()))
			}
			p := layOut(cfg.From, w, h, w%2*extra, func(i, n int) []byte { return pick(out[i], n) })
			if err := c.Convert(p, src, stride, 0, h); err != nil {
				t.Fatal(err)
			}
			y, u, v := reverseReference(cfg, src, stride, w, h)
			cw := (w + 1) / 2
			want := [3]func(row, i int) byte{func(row, i int) byte { return y[row*w+i] },
				func(row, i int) byte { return u[row*cw+i] }, func(row, i int) byte { return v[row*cw+i] }}
			if cfg.From != I420 {
				a, b := u, v
				if cfg.From == NV21 {
					a, b = v, u
				}
				want[1] = func(row, i int) byte {
					if i&1 == 0 {
						return a[row*cw+i/2]
					}
					return b[row*cw+i/2]
				}
			}
			for i, pl := range p.Planes {
				if pl == nil {
					continue
				}
				rb, rows := cfg.From.PlaneSize(i, w, h)
				for row := range rows {
					line := pl[row*p.Stride[i]:]
					for k := range min(len(line), p.Stride[i]) {
						expect := byte(canary)
						if k < rb {
							expect = want[i](row, k)
						}
						if line[k] != expect {
							t.Fatalf("%+v %dx%d: plane %d, row %d, byte %d is %d, want %d", cfg, w, h, i, row, k, line[k], expect)
						}
					}
				}
				all := out[i].AtStart(out[i].Len())
				rest := all[len(pl):]
				if w&1 == 0 {
					rest = all[:len(all)-len(pl)]
				}
				for _, b := range rest {
					if b != canary {
						t.Fatalf("%dx%d: a byte outside plane %d was written", w, h, i)
					}
				}
			}
		}
	})
}

// TestReverseAccuracy compares all 2²⁴ colours with float64. Short runs take every 16th.
func TestReverseAccuracy(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 16
	}
	for m := BT709; m <= BT2020; m++ {
		for r := Limited; r <= Full; r++ {
			t.Run(fmt.Sprintf("%v-%v", m, r), func(t *testing.T) {
				t.Parallel()
				x := newReverseModel(m, r)
				kr, kb := m.krkb()
				sy, sc, black := 219.0, 224.0, 16.0
				if r == Full {
					sy, sc, black = 255, 255, 0
				}
				worst := 0.0
				check := func(got byte, exact float64) {
					worst = max(worst, math.Abs(float64(got)-min(math.Round(exact), 255)))
				}
				for red := 0; red < 256; red += step {
					for green := range 256 {
						for blue := range 256 {
							l := (kr*float64(red) + (1-kr-kb)*float64(green) + kb*float64(blue)) / 255
							check(x.luma(byte(red), byte(green), byte(blue)), black+sy*l)
							u, v := x.chroma(4*int32(red), 4*int32(green), 4*int32(blue))
							check(u, 128+sc*(float64(blue)/255-l)/(2*(1-kb)))
							check(v, 128+sc*(float64(red)/255-l)/(2*(1-kr)))
							if red == green && green == blue && (u != 128 || v != 128) {
								t.Fatalf("grey %d has chroma %d, %d", red, u, v)
							}
						}
					}
				}
				if worst > 1 {
					t.Errorf("off by up to %v levels", worst)
				}
			})
		}
	}
}

func TestReverseErrors(t *testing.T) {
	for _, cfg := range []Config{{From: I444}, {From: P010}, {To: RGB24}, {To: RGBA64}, {From: layouts}} {
		if _, err := NewReverse(cfg); !errors.Is(err, ErrNotSupported) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	c, err := NewReverse(Config{})
	if err != nil {
		t.Fatal(err)
	}
	p, _, _ := I420.NewPicture(nil, 8, 5)
	src := make([]byte, 4*8*5)
	for name, tc := range map[string]struct {
		from, to int
		src      []byte
		sentinel error
	}{
		"odd start":   {1, 4, src, ErrGeometry},
		"odd end":     {0, 3, src, ErrGeometry},
		"short":       {0, 5, src[1:], ErrGeometry},
		"overlapping": {0, 2, p.Planes[0][:40:40], ErrGeometry},
		"good":        {0, 5, src, nil},
		"last rows":   {4, 5, src, nil},
	} {
		if err := c.Convert(&p, tc.src, 32, tc.from, tc.to); !errors.Is(err, tc.sentinel) {
			t.Errorf("%s: %v, want %v", name, err, tc.sentinel)
		}
	}
	one := make([]byte, 64) // planes may reach into each other's memory, their rows not
	p.Planes = [3][]byte{one, one[40:], one[52:]}
	if err := c.Convert(&p, src, 32, 0, 5); err != nil {
		t.Errorf("planes of one slice: %v", err)
	}
	p.Planes[2] = p.Planes[1]
	if err := c.Convert(&p, src, 32, 0, 5); !errors.Is(err, ErrOverlap) {
		t.Errorf("one plane for both chromas: %v", err)
	}
}

func TestReverseAllocatesNothing(t *testing.T) {
	reversals(t, func(t *testing.T, cfg Config) {
		c, err := NewReverse(cfg)
		if err != nil {
			t.Fatal(err)
		}
		p, _, err := cfg.From.NewPicture(nil, 99, 7)
		if err != nil {
			t.Fatal(err)
		}
		src := make([]byte, 99*4*7)
		if n := testing.AllocsPerRun(100, func() {
			if err := c.Convert(&p, src, 99*4, 0, 7); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
