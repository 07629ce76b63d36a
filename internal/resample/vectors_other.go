//go:build (!amd64 && !arm64) || purego

package resample

const vectors = false

func blendVectors(dst, a, b []byte, n int, weights uint) {}

func acrossVectors(dst, src []byte, at []Position, n int) {}
