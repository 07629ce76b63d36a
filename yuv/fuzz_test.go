package yuv

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzGeometry gives a conversion arbitrary sizes, strides, row ranges and memory: it
// must fail with a sentinel and write nothing, or give what the model gives.
func FuzzGeometry(f *testing.F) {
	f.Add(uint8(0), uint8(0), 64, 4, 64, 32, 256, 0, 4, 256, 64, 64, 1024)
	f.Add(uint8(4), uint8(1), 33, 3, 40, 34, 132, 1, 3, 113, 68, 0, 264)
	f.Add(uint8(7), uint8(4), 1, 1, 2, 4, 8, 0, 1, 2, 4, 0, 8)
	f.Add(uint8(8), uint8(2), 301, 2, 604, 0, 903, 0, 2, 1208, 0, 0, 1806)
	f.Add(uint8(10), uint8(0), 64, 4, 64, 32, 256, 0, 4, 256, 64, 64, 1024)
	f.Add(uint8(24), uint8(1), 131, 3, 140, 140, 524, 1, 3, 411, 272, 0, 1048)
	f.Add(uint8(68), uint8(2), 67, 2, 136, 0, 201, 0, 2, 272, 0, 0, 402)
	f.Add(uint8(3), uint8(0), -1, 1<<40, -5, 1<<62, 0, -3, 9, 0, 0, 0, 0)
	mem := make([]byte, 1<<16)
	for i := range mem {
		mem[i] = byte(i * 167)
	}
	f.Fuzz(func(t *testing.T, from, to uint8, w, h, ys, us, stride, first, last, ny, nu, nv, nd int) {
		clip := func(n int) []byte { return mem[:min(max(n, 0), len(mem))] }
		p := &Picture{Width: w, Height: h, Planes: [3][]byte{clip(ny), clip(nu), clip(nv)}, Stride: [3]int{ys, us, us}}
		dst := make([]byte, min(max(nd, 0), 1<<16))
		for _, v := range Variants() {
			paint(dst)
			cfg := Config{From: Layout(from % uint8(layouts)), To: Packing(to % uint8(packings)), Variant: v,
				Chroma: Chroma(from / uint8(layouts) % uint8(chromas))}
			c, err := New(cfg)
			if err != nil {
				continue
			}
			err = c.Convert(dst, stride, p, first, last)
			if err != nil {
				if !errors.Is(err, ErrGeometry) || len(bytes.Trim(dst, "\xa5")) > 0 {
					t.Fatalf("%v, and written: %v", err, len(bytes.Trim(dst, "\xa5")) > 0)
				}
				continue
			}
			if first < last {
				verify(t, cfg, p, dst, stride, first, last)
			}
		}
	})
}
