//go:build !purego

package resample

import "github.com/klauspost/cpuid/v2"

//go:generate sh -c "cd ../../yuv/_asm && go run ./resample -out ../../internal/resample/kernels_amd64.s -stubs ../../internal/resample/stubs_amd64.go -pkg resample"

var vectors = cpuid.CPU.Has(cpuid.AVX2)

func blendVectors(dst, a, b []byte, n int, weights uint) {
	blendAVX2(&dst[0], &a[0], &b[0], n, weights)
}

func acrossVectors(dst, src []byte, at []Position, n int) {
	interpAVX2(&dst[0], &src[0], &at[0], n)
}
