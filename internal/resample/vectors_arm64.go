//go:build !purego

package resample

const vectors = true

func blendVectors(dst, a, b []byte, n int, weights uint) {
	blendNEON(&dst[0], &a[0], &b[0], n, weights)
}

func acrossVectors(dst, src []byte, at []Position, n int) {
	interpNEON(&dst[0], &src[0], &at[0], n)
}
