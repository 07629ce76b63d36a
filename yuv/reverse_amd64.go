//go:build !purego

package yuv

// reverseSteps returns c's kernels. AVX-512 CPUs use AVX2's: reading RGB is memory's
// work rather than arithmetic's.
func reverseSteps(c *Reverse) []reverseStep { return nil }
