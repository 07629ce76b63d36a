package yuv

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestSitings interpolates chroma for every siting, with bands that begin anywhere. The
// widths of converter_test.go cover what differs between kernels: samples on pixels, and
// midway.
func TestSitings(t *testing.T) {
	for _, v := range Variants() {
		for _, l := range Layouts() {
			for s := ChromaLeft; s < chromas; s++ {
				t.Run(fmt.Sprintf("%v/%v/%v", v, l, s), func(t *testing.T) {
					rng := rand.New(rand.NewPCG(9, uint64(s)))
					cfg := Config{From: l, To: BGRA, Variant: v, Chroma: s, Matrix: BT2020}
					c, err := New(cfg)
					if err != nil {
						t.Fatal(err)
					}
					for _, size := range [][2]int{{1, 1}, {2, 2}, {66, 1}, {131, 7}, {192, 6}} {
						w, h := size[0], size[1]
						p := layOut(l, w, h, 5, func(_, n int) []byte {
							b := make([]byte, n)
							fills[[]string{"random", "extremes"}[rng.IntN(2)]](rng, b)
							return b
						})
						from := rng.IntN(h)
						to := from + 1 + rng.IntN(h-from)
						dst := make([]byte, 4*w*(to-from))
						if err := c.Convert(dst, 4*w, p, from, to); err != nil {
							t.Fatal(err)
						}
						if g := l.geometry(); g.subX+g.subY == 0 {
							cfg.Chroma = ChromaNearest // nothing lies between
						}
						if !verify(t, cfg, p, dst, 4*w, from, to) {
							return
						}
					}
				})
			}
		}
	}
}

// TestInterpolatedExactly compares with float64: chroma that is interpolated before it is
// rounded leaves pixels within a level of the exact result.
func TestInterpolatedExactly(t *testing.T) {
	const w, h = 96, 16
	rng := rand.New(rand.NewPCG(10, 11))
	for m := BT709; m <= BT2020; m++ {
		for _, l := range []Layout{I420, P010} {
			cfg := Config{Matrix: m, Chroma: ChromaCenter, From: l}
			c, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			p := layOut(l, w, h, 0, func(_, n int) []byte {
				b := make([]byte, n)
				fills["random"](rng, b)
				for i := 0; l == P010 && i < n; i += 2 {
					b[i] &= 0xc0
				}
				return b
			})
			dst := make([]byte, 4*w*h)
			if err := c.Convert(dst, 4*w, p, 0, h); err != nil {
				t.Fatal(err)
			}
			kr, kb := m.krkb()
			for i := range w * h {
				u, v := interpolated(cfg, p, i%w, i/w) // exact, 256ths of 8-bit levels
				y, _, _, shift := codes(cfg, p, i%w, i/w)
				l := (float64(y<<shift)/256 - 16) / 219
				cb, cr := (float64(u)/256-128)/224, (float64(v)/256-128)/224
				r, b := l+2*(1-kr)*cr, l+2*(1-kb)*cb
				g := (l - kr*r - kb*b) / (1 - kr - kb)
				for k, want := range [3]float64{r, g, b} {
					want = 255 * min(max(want, 0), 1)
					if d := math.Abs(float64(dst[4*i+k]) - want); d > 0.56 {
						t.Fatalf("%v %v: pixel %d component %d is %d, want %.3f", m, cfg.From, i, k, dst[4*i+k], want)
					}
				}
			}
		}
	}
}

func TestInterpolationRefused(t *testing.T) {
	for _, cfg := range []Config{{Chroma: chromas}, {Chroma: ChromaLeft, From: P010, To: RGBA64}} {
		if _, err := New(cfg); !errors.Is(err, ErrNotSupported) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	if _, err := NewReverse(Config{Chroma: ChromaLeft}); !errors.Is(err, ErrNotSupported) {
		t.Errorf("reverse: %v", err)
	}
}
