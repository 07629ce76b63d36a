//go:build amd64 && !purego

package yuv

import (
	"math/rand/v2"
	"testing"

	"github.com/scanout-av/scanout/internal/avtest"
)

// TestInterpreted runs every kernel in the interpreter, between guard pages, and
// compares with the model. That AVX2, which most machines have, passes both here and in
// silicon shows that the interpreter is right about the instructions they share.
func TestInterpreted(t *testing.T) {
	all := programs(t)
	const maxW, h = 200, 3
	var planes [3]*avtest.Guard
	for i := range planes {
		planes[i] = avtest.NewGuard(t, maxW*4*h)
	}
	out := avtest.NewGuard(t, (maxW*4+64)*h)
	// In odd places multiples of 64 go past the caches.
	widths := []int{32, 63, 64, 64, 65, 66, 96, 128, 127, 129, 128, 191, 200}
	if testing.Short() {
		widths = []int{66, 128, 129}
	}
	for _, v := range []Variant{AVX2, AVX512, AVX512VBMI} {
		for _, l := range Layouts() {
			for _, p := range []Packing{RGBA, BGRA, RGB24, BGR24} {
				t.Run(v.String()+"/"+l.String()+"/"+p.String(), func(t *testing.T) {
					rng := rand.New(rand.NewPCG(1, uint64(l)))
					for i, w := range widths {
						cfg := Config{From: l, To: p, Variant: v, Matrix: Matrix(rng.IntN(3)), Range: Range(rng.IntN(2))}
						nt := i&1 == 1 && w&63 == 0 && p <= BGRA
						cfg.NonTemporal = nt
						c, err := newConverter(cfg)
						if err != nil {
							t.Fatal(err)
						}
						interpret(t, all, c)
						pic := layOut(l, w, h, 0, func(i, n int) []byte {
							b := planes[i].AtEnd(n)
							fills[[]string{"random", "extremes", "stripes"}[rng.IntN(3)]](rng, b)
							return b
						})
						stride := p.RowBytes(w)
						dst := out.AtEnd(stride * h)
						if nt {
							dst = out.AtStart(stride * h)
						}
						paint(out.AtStart(out.Len()))
						if err := c.Convert(dst, stride, pic, 0, h); err != nil {
							t.Fatal(err)
						}
						if !verify(t, cfg, pic, dst, stride, 0, h) {
							return
						}
					}
				})
			}
		}
	}
}
