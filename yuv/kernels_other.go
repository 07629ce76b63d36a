//go:build (!amd64 && !arm64) || purego

package yuv

import "math"

// constVectors is nominal where there are no kernels.
const constVectors = 1

func hasVariant(Variant) bool { return false }

func vectorSteps(*Converter) []step { return nil }

func storeFence() {}

func nearBytes() int { return 0 }

func farBytes() int { return math.MaxInt }

func reverseSteps(*Reverse) []reverseStep { return nil }

func (*between) vectors(*Converter) {}

func runBetween(id int, d, y, ua, ub, va, vb *byte, n int, k *byte) {}
