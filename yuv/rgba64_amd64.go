//go:build !purego

package yuv

// rgba64Step returns the kernel for 16-bit RGB; AVX-512 CPUs use it, too.
func rgba64Step(c *Converter) step {
	s := step{run: i010RGBA64AVX2, block: 8, rows: 1, k: new(consts)}
	each := 2 // bytes from one sample of U to the next
	if c.g.kind == kindP010 {
		s.run, each = p010RGBA64AVX2, 4
	}
	s.nt, s.near, s.row = s.run, s.run, s.run
	m := &c.m64
	for i, w := range []int32{m.cy, m.rv, m.gu, m.gv, m.bu, m.bias, 0xffff} {
		s.k.dwords(i, func(int) int { return int(w) })
	}
	s.k.words(7, func(int) int { return 512 })
	s.k.words(8, func(int) int { return 1023 })
	at := func(offset int) func(i int) int {
		return func(i int) int { return i&15/4*each + offset + i&1 }
	}
	s.k.bytes(9, at(c.uo))
	s.k.bytes(10, at(c.vo))
	s.k.bytes(11, func(i int) int { return i&15 ^ 1 })
	return s
}
