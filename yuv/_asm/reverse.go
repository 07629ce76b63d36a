package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Vectors of the reverse constant block; reverse_amd64.go fills it in the same order.
const (
	rY    = 2 * iota // words R, B of each pixel; then G and 0
	rU               // the same
	rV               // the same
	rBias            // dwords: luma; then chroma
	rMask            // 0x00FF words; then the order of luma
)

// reverse converts two rows of 32 pixels from RGBA to I420 or NV12.
//
//  1. A pixel's bytes become words (R, B) and (G, A); two VPMADDWD make its luma.
//  2. Words of two rows are added, then of neighbours; two VPMADDWD each make U and V.
//  3. Packing leaves dwords of luma and pairs of chroma alternating between the lanes:
//     VPERMD and VPUNPCKLWD put them in order.
func reverse(name string, semi bool) {
	TEXT(name, NOSPLIT, "func(s0, s1, y0, y1, u, v *byte, n int, k *byte)")
	Pragma("noescape")
	Doc(name + " converts two rows.")
	par := func(n string) reg.GPVirtual { return Load(Param(n), GP64()).(reg.GPVirtual) }
	s := [2]reg.GPVirtual{par("s0"), par("s1")}
	y := [2]reg.GPVirtual{par("y0"), par("y1")}
	u := par("u")
	var v reg.GPVirtual
	if !semi {
		v = par("v")
	}
	n, k := par("n"), par("k")
	c := func(i int) Mem { return Mem{Base: k, Disp: 64 * i} }
	mask := YMM()
	VMOVDQU(c(rMask), mask)

	// weigh is a dword for each pixel or block: two products and the bias, shifted.
	weigh := func(rb, ga reg.VecVirtual, weights, bias int, shift uint64) reg.VecVirtual {
		a, b := YMM(), YMM()
		VPMADDWD(c(weights), rb, a)
		VPMADDWD(c(weights+1), ga, b)
		VPADDD(c(bias), a, a)
		VPADDD(b, a, a)
		if bias == rBias {
			VPSRLD(Imm(shift), a, a)
		} else {
			VPSRAD(Imm(shift), a, a)
		}
		return a
	}

	Label(name + "_loop")
	var luma [2][2]reg.VecVirtual // by row and half, words
	var us, vs [2]reg.VecVirtual  // by half, dwords
	for half := range 2 {
		var part [2][2]reg.VecVirtual // luma by row and quarter
		var rbs, gas [2]reg.VecVirtual
		for q := range 2 {
			for row := range 2 {
				rb, ga := YMM(), YMM()
				VMOVDQU(Mem{Base: s[row], Disp: 32 * (2*half + q)}, ga)
				VPAND(mask, ga, rb)
				VPSRLW(Imm(8), ga, ga)
				part[row][q] = weigh(rb, ga, rY, rBias, 15)
				if row == 0 {
					rbs[q], gas[q] = rb, ga
				} else {
					VPADDW(rb, rbs[q], rbs[q])
					VPADDW(ga, gas[q], gas[q])
				}
			}
		}
		for row := range 2 {
			luma[row][half] = part[row][0]
			VPACKUSDW(part[row][1], part[row][0], luma[row][half])
		}
		neighbours := func(a, b reg.VecVirtual) reg.VecVirtual {
			odd := YMM()
			VSHUFPS(Imm(0xDD), b, a, odd)
			VSHUFPS(Imm(0x88), b, a, a)
			VPADDW(odd, a, a)
			return a
		}
		rb, ga := neighbours(rbs[0], rbs[1]), neighbours(gas[0], gas[1])
		us[half] = weigh(rb, ga, rU, rBias+1, 17)
		vs[half] = weigh(rb, ga, rV, rBias+1, 17)
	}
	order := YMM()
	VMOVDQU(c(rMask+1), order)
	for row := range 2 {
		l := luma[row][0]
		VPACKUSWB(luma[row][1], l, l)
		VPERMD(l, order, l)
		VMOVDQU(l, Mem{Base: y[row]})
	}
	VPACKSSDW(us[1], us[0], us[0])
	VPACKSSDW(vs[1], vs[0], vs[0])
	uv := us[0]
	VPACKUSWB(vs[0], uv, uv) // in each lane 8 U, then 8 V
	hi, a, b := XMM(), XMM(), XMM()
	VEXTRACTI128(Imm(1), uv, hi)
	VPUNPCKLWD(hi, uv.AsX(), a)
	VPUNPCKHWD(hi, uv.AsX(), b)
	if semi {
		VPUNPCKLBW(b, a, hi)
		VPUNPCKHBW(b, a, a)
		VMOVDQU(hi, Mem{Base: u})
		VMOVDQU(a, Mem{Base: u, Disp: 16})
		ADDQ(Imm(32), u)
	} else {
		VMOVDQU(a, Mem{Base: u})
		VMOVDQU(b, Mem{Base: v})
		ADDQ(Imm(16), u)
		ADDQ(Imm(16), v)
	}
	for row := range 2 {
		ADDQ(U32(128), s[row])
		ADDQ(Imm(32), y[row])
	}
	SUBQ(Imm(32), n)
	JG(LabelRef(name + "_loop"))
	VZEROUPPER()
	RET()
}
