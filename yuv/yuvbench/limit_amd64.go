//go:build !purego

package yuvbench

import (
	"fmt"

	"github.com/klauspost/cpuid/v2"
)

//go:generate sh -c "cd ../_asm && go run ./limit -out ../yuvbench/limit_amd64.s -stubs ../yuvbench/stubs_amd64.go -pkg yuvbench"

// limits lists the loads and stores without arithmetic: two rows that share chroma at a
// time, which reads chroma once, and one row at a time, which writes to one place.
func limits() []contestant {
	type run func(d0, d1, y0, y1, u, v *byte, n int)
	one := func(name string, nt bool, block, rows int, run run) contestant {
		return contestant{name: name, nt: nt, limit: true, run: func(f *frame) error {
			p := &f.p
			n := p.Width &^ (block - 1)
			last := rows - 1
			for y := 0; y+last < p.Height; y += rows {
				run(&f.dst[y*p.Width*4], &f.dst[(y+last)*p.Width*4], &p.Planes[0][y*p.Stride[0]], &p.Planes[0][(y+last)*p.Stride[0]],
					&p.Planes[1][y/2*p.Stride[1]], &p.Planes[2][y/2*p.Stride[2]], n)
			}
			if nt {
				storeFence()
			}
			return nil
		}}
	}
	var l []contestant
	add := func(block int, pair, pairNT, row, rowNT run) {
		name := fmt.Sprintf("limit %d-byte ", block)
		l = append(l, one(name+"2 rows", false, block, 2, pair), one(name+"1 row", false, block, 1, row),
			one(name+"2 rows nt", true, block, 2, pairNT), one(name+"1 row nt", true, block, 1, rowNT))
	}
	if cpuid.CPU.Has(cpuid.AVX2) {
		add(32, limitPairAVX2, limitPairAVX2NT, limitAVX2, limitAVX2NT)
	}
	if cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL) {
		add(64, limitPairAVX512, limitPairAVX512NT, limitAVX512, limitAVX512NT)
	}
	return l
}
