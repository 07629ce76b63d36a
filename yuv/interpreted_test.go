//go:build amd64 && !purego

package yuv

import (
	"bytes"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"testing"
	"unsafe"

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
						c.near, c.far = [2]int{0, 1 << 20}[i>>1&1], [3]int{0, 1 << 20, 1 << 20}[i%3] // every kernel
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

// TestInterpretedBetween does the same for the kernels that interpolate chroma: a block in
// the middle of a row.
func TestInterpretedBetween(t *testing.T) {
	all := programs(t)
	table, err := os.ReadFile("table_amd64.go")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, m := range regexp.MustCompile(`case (\d+):\n\t\t(\w+)\(`).FindAllStringSubmatch(string(table), -1) {
		names[m[1]] = m[2]
	}
	ran := map[string]bool{}
	for _, v := range []Variant{AVX2, AVX512VBMI} {
		for _, l := range Layouts() {
			for _, p := range []Packing{RGBA, BGRA, RGB24} {
				for s := ChromaLeft; s < chromas; s++ {
					rng := rand.New(rand.NewPCG(uint64(l), uint64(s)))
					cfg := Config{From: l, To: p, Variant: v, Chroma: s}
					c, err := newConverter(cfg)
					if err != nil {
						t.Fatal(err)
					}
					b := &c.between
					if !b.on || b.step < 0 {
						continue
					}
					w, h, n := 4*b.pack, 5, 2*b.pack
					pic := layOut(l, w, h, 0, func(_, n int) []byte {
						m := make([]byte, n)
						fills[[]string{"random", "extremes"}[rng.IntN(2)]](rng, m)
						return m
					})
					for y := range h {
						x := b.pack
						dst := make([]byte, p.RowBytes(w))
						r0, r1, f := b.y.at(y, (h+int(c.g.subY))>>c.g.subY)
						pu, pv := c.chromaPlanes()
						at := func(plane, row, i int) *byte { return &pic.Planes[plane][row*pic.Stride[plane]+i] }
						uv := x / 2 * c.g.us
						k := &b.k[f][0][0]
						args := []*byte{&dst[p.RowBytes(x)], at(0, y, x*c.g.ys), at(pu, r0, uv), at(pu, r1, uv), at(pv, r0, uv), at(pv, r1, uv)}
						m := new(cpu)
						for i, a := range args {
							m.frame[i] = uint64(uintptr(unsafe.Pointer(a)))
						}
						m.frame[6], m.frame[7] = uint64(n), uint64(uintptr(unsafe.Pointer(k)))
						name := names[strconv.Itoa(b.step)]
						ran[name] = true
						if err := m.run(all[name]); err != nil {
							t.Fatalf("%s: %v", name, err)
						}
						runtime.KeepAlive(args)
						for ; x < 3*b.pack; x++ {
							if got, want := dst[p.RowBytes(x):p.RowBytes(x+1)], reference(cfg, pic, x, y); !bytes.Equal(got, want) {
								t.Fatalf("%s: pixel %d,%d is %d, want %d", name, x, y, got, want)
							}
						}
					}
				}
			}
		}
	}
	if len(ran) != len(names) {
		t.Errorf("ran %d kernels of %d", len(ran), len(names))
	}
}
