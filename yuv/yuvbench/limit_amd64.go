//go:build !purego

package yuvbench

import "github.com/klauspost/cpuid/v2"

//go:generate sh -c "cd ../_asm && go run ./limit -out ../yuvbench/limit_amd64.s -stubs ../yuvbench/stubs_amd64.go -pkg yuvbench"

// limits lists the loads and stores without arithmetic, the widest registers last.
func limits() []contestant {
	one := func(name string, nt bool, block int, run func(d0, d1, y0, y1, u, v *byte, n int)) contestant {
		return contestant{name: name, nt: nt, limit: true, run: func(f *frame) error {
			p := &f.p
			n := p.Width &^ (block - 1)
			for y := 0; y+1 < p.Height; y += 2 {
				run(&f.dst[y*p.Width*4], &f.dst[(y+1)*p.Width*4], &p.Planes[0][y*p.Stride[0]], &p.Planes[0][(y+1)*p.Stride[0]],
					&p.Planes[1][y/2*p.Stride[1]], &p.Planes[2][y/2*p.Stride[2]], n)
			}
			return nil
		}}
	}
	var l []contestant
	if cpuid.CPU.Has(cpuid.AVX2) {
		l = append(l, one("limit 32-byte", false, 32, limitAVX2), one("limit 32-byte nt", true, 32, limitAVX2NT))
	}
	if cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL) {
		l = append(l, one("limit 64-byte", false, 64, limitAVX512), one("limit 64-byte nt", true, 64, limitAVX512NT))
	}
	return l
}
