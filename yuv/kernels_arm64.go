//go:build !purego

package yuv

import (
	"encoding/binary"
	"math"
)

// constVectors is how many vectors the kernels' constant block has.
const constVectors = 1

// neonBlock is how many pixels a kernel takes at a time.
const neonBlock = 16

// betweenKind is what a kernel that interpolates chroma is for.
type betweenKind struct {
	layout string
	midway bool
	bpp    int
}

func hasVariant(v Variant) bool { return v == NEON }

func nearBytes() int { return 0 }

func farBytes() int { return math.MaxInt }

func storeFence() {}

func reverseSteps(*Reverse) []reverseStep { return nil }

// neonLayout names the kernels for c as _asm/neon does; "" where there are none.
func neonLayout(c *Converter) string {
	switch uFirst := c.uo < c.vo; c.g.kind {
	case kindPlanar420:
		return "planar420"
	case kindPlanar422:
		return "planar422"
	case kindFull:
		return "full"
	case kindSemi:
		if uFirst {
			return "semi"
		}
		return "semiVU"
	case kindI010:
		return "i010"
	case kindP010:
		if uFirst {
			return "p010"
		}
		return "p010VU"
	case kindPacked:
		order := [2]byte{'Y', 'U'}
		if !uFirst {
			order[1] = 'V'
		}
		if c.yo == 1 {
			order[0], order[1] = order[1], order[0]
		}
		return "packed" + string(order[:])
	}
	return ""
}

// vectorSteps returns c's kernel.
func vectorSteps(c *Converter) []step {
	k, ok := neonKernels[neonLayout(c)]
	if !ok || c.variant != NEON || c.cfg.To == RGBA64 {
		return nil
	}
	run := k[4-c.cfg.To.bytesPerPixel()]
	s := step{run: run, nt: run, near: run, row: run, block: neonBlock, rows: 2, k: new(consts)}
	s.k.fill(c)
	return []step{s}
}

// fill writes the words that _asm/neon's V0 holds.
func (k *consts) fill(c *Converter) {
	for i, w := range []int16{int16(c.m.cy), c.m.rv, c.m.gu, c.m.gv, c.m.bu, c.m.br} {
		binary.LittleEndian.PutUint16(k[0][2*i:], uint16(w))
	}
}

// vectors chooses b's kernel and makes its constants.
func (b *between) vectors(c *Converter) {
	layout := neonLayout(c)
	if layout == "planar420" { // a row at a time they are the same
		layout = "planar422"
	}
	if c.variant != NEON {
		return
	}
	for i, k := range neonBetween {
		if k != (betweenKind{layout, b.x.back != 0, c.cfg.To.bytesPerPixel()}) {
			continue
		}
		b.step, b.pack = i, neonBlock
		for f := range b.k {
			b.k[f] = new(consts)
			b.k[f].fill(c)
			for i := 0; i < 16; i += c.g.bytes { // of the samples' size
				b.k[f][0][16+i], b.k[f][0][32+i] = byte(4-f), byte(f)
			}
		}
	}
}
