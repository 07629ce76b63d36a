//go:build !purego

package yuv

// vectors chooses b's kernel and makes its constants.
func (b *between) vectors(c *Converter) {
	b.step, b.pack = betweenKernel(c.variant, c.g.kind, b.x.back != 0, c.cfg.To.bytesPerPixel())
	if b.step < 0 {
		return
	}
	v := AVX2
	if b.pack == 64 {
		v = AVX512VBMI
	}
	for f := range b.k {
		b.k[f] = new(consts)
		b.k[f].fillBetween(c, v, b, f)
	}
}

// fillBetween makes the constants for chroma that lies f quarters between two rows.
func (k *consts) fillBetween(c *Converter, v Variant, b *between, f int) {
	k.fill(c, v, b.pack)
	lanes := b.pack / 16
	chroma := func(i int) int { return 2*(lanes*(i>>1&3)+i>>3) + i&1 }
	unit := 32 // of eight bits, a quarter
	if b.x.back != 0 {
		unit = 16 // the sum has a fourth term
	}
	k.bytes(kWeights, func(i int) int { return unit * [2]int{4 - f, f}[i&1] })
	switch c.g.kind {
	case kindPlanar420, kindPlanar422:
		if v == AVX512VBMI { // bytes of two vectors
			k.bytes(kU, func(i int) int { return chroma(i/2) + i&1*64 })
			k.bytes(kV, func(i int) int { return chroma(i/2) + i&1*64 })
		} else {
			k.bytes(kU, low(chroma))
			k.bytes(kUFar, high(chroma))
		}
	case kindSemi:
		of := func(offset int) func(i int) int { return func(i int) int { return 2*(i&7) + offset } }
		if v == AVX512VBMI {
			k.bytes(kU, func(i int) int { return 2*chroma(i/2) + c.uo + i&1*64 })
			k.bytes(kV, func(i int) int { return 2*chroma(i/2) + c.vo + i&1*64 })
		} else {
			k.bytes(kU, low(of(c.uo)))
			k.bytes(kV, low(of(c.vo)))
			k.bytes(kUFar, high(of(c.uo)))
			k.bytes(kVFar, high(of(c.vo)))
		}
	case kindI010, kindP010:
		k.words(kWeights, func(int) int { return 4 - f })
		k.words(kFar, func(int) int { return f })
	case kindPacked: // flipped after it has been interpolated
		k.words(kX80, func(int) int { return 0x8000 })
	}
}

// low is high with the lower half.
func low(at func(word int) int) func(i int) int {
	return func(i int) int {
		if i&1 == 1 {
			return 0x80
		}
		return at(i / 2)
	}
}
