//go:build !purego

package yuv

// reverseSteps returns c's kernels. AVX-512 CPUs use AVX2's, too.
func reverseSteps(c *Reverse) []reverseStep {
	if c.variant < AVX2 {
		return nil
	}
	s := reverseStep{run: reversePlanarAVX2, block: 32, us: 1, k: new(consts)}
	u, v := c.m.u, c.m.v
	if c.cfg.From != I420 {
		s.run, s.us = reverseSemiAVX2, 2
	}
	if c.cfg.From == NV21 {
		u, v = v, u
	}
	for i, w := range [3][3]int16{c.m.y, u, v} {
		even := [2]int{int(w[0]), int(w[2])}
		s.k.words(2*i, func(n int) int { return even[n&1] })
		s.k.words(2*i+1, func(n int) int { return int(w[1]) * (n&1 ^ 1) })
	}
	s.k.dwords(6, func(int) int { return int(c.m.biasY) })
	s.k.dwords(7, func(int) int { return biasC })
	s.k.words(8, func(int) int { return 0xff })
	s.k.dwords(9, func(i int) int { return i>>1 + 4*(i&1) })
	return []reverseStep{s}
}
