// The generator of internal/resample's kernels: rows of pixels of four bytes, blended and
// interpolated across.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func param(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// lanes is a vector constant whose lanes of 16 bytes are the same.
func lanes(name string, at func(i int) int) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i := range 32 {
		DATA(i, U8(at(i&15)))
	}
	return m
}

func load(m Mem) reg.VecVirtual {
	v := YMM()
	VMOVDQU(m, v)
	return v
}

// blend weighs two rows, 32 bytes at a time. Samples become signed bytes, whose sum with
// weights that add up to 256 just fits into a word.
func blend() {
	flip := lanes("flip", func(int) int { return 0x80 })
	round := lanes("round", func(i int) int { return 128 * (i&1 ^ 1) })
	TEXT("blendAVX2", NOSPLIT, "func(dst, a, b *byte, n int, weights uint)")
	Pragma("noescape")
	Doc("blendAVX2 takes n bytes, a multiple of 32. weights holds those of a and b, in bytes.")
	d, a, b, n := param("dst"), param("a"), param("b"), param("n")
	w, x := YMM(), XMM()
	VMOVQ(param("weights"), x)
	VPBROADCASTW(x, w)
	f, r := load(flip), load(round)
	Label("blend")
	p, q, lo, hi := YMM(), YMM(), YMM(), YMM()
	VPXOR(Mem{Base: a}, f, p)
	VPXOR(Mem{Base: b}, f, q)
	VPUNPCKLBW(q, p, lo)
	VPUNPCKHBW(q, p, hi)
	for _, v := range []reg.VecVirtual{lo, hi} {
		VPMADDUBSW(v, w, v)
		VPMULHRSW(r, v, v) // (v + 128) >> 8
	}
	VPACKSSWB(hi, lo, lo)
	VPXOR(f, lo, lo)
	VMOVDQU(lo, Mem{Base: d})
	for _, p := range []reg.GPVirtual{d, a, b} {
		ADDQ(Imm(32), p)
	}
	SUBQ(Imm(32), n)
	JG(LabelRef("blend"))
	VZEROUPPER()
	RET()
}

// interp interpolates between neighbours, eight pixels at a time: each pair of
// neighbours is one load of eight bytes. A vector holds pixels 0, 1, 4, 5 or 2, 3, 6, 7:
// packing puts them in order.
func interp() {
	// wide gives bytes first… of the pairs in a lane as words.
	wide := func(first int) func(i int) int {
		return func(i int) int {
			if i&1 == 1 {
				return 0x80
			}
			return i/8*8 + first + i%8/2
		}
	}
	left, right := lanes("left", wide(0)), lanes("right", wide(4))
	// weight gives the words of two positions four times.
	weight := func(first int) func(i int) int { return func(i int) int { return 4*(first+i/8) + i&1 } }
	near, far := lanes("near", weight(0)), lanes("far", weight(2))
	TEXT("interpAVX2", NOSPLIT, "func(dst, src *byte, at *uint32, n int)")
	Pragma("noescape")
	Doc("interpAVX2 makes n pixels, a multiple of 8. Positions lie below 65,536.")
	d, s, at, n := param("dst"), param("src"), param("at"), param("n")
	l, r := load(left), load(right)
	weights := [2]reg.VecVirtual{load(near), load(far)}
	Label("interp")
	f := YMM()
	VMOVDQU(Mem{Base: at}, f)
	VPSLLD(Imm(24), f, f)
	VPSRLD(Imm(17), f, f) // weights << 7
	var o [2]reg.VecVirtual
	for i := range o {
		pair := func(k int) reg.VecVirtual {
			x := XMM()
			for j := range 2 {
				p := GP64()
				MOVWQZX(Mem{Base: at, Disp: 4*(k+j) + 1}, p)
				m := Mem{Base: s, Index: p, Scale: 4}
				if j == 0 {
					VMOVQ(m, x)
				} else {
					VPINSRQ(Imm(1), m, x, x)
				}
			}
			return x
		}
		p, hi := pair(2*i), pair(2*i+4)
		y := p.AsY()
		VINSERTI128(Imm(1), hi, y, y)
		a, b, w := YMM(), YMM(), YMM()
		VPSHUFB(l, y, a)
		VPSHUFB(r, y, b)
		VPSHUFB(weights[i], f, w)
		VPSUBW(a, b, b)
		VPMULHRSW(w, b, b)
		VPADDW(a, b, b)
		o[i] = b
	}
	VPACKUSWB(o[1], o[0], o[0])
	VMOVDQU(o[0], Mem{Base: d})
	ADDQ(Imm(32), d)
	ADDQ(Imm(32), at)
	SUBQ(Imm(8), n)
	JG(LabelRef("interp"))
	VZEROUPPER()
	RET()
}

func main() {
	ConstraintExpr("!purego")
	blend()
	interp()
	Generate()
}
