package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Vectors of the RGBA64 constant block; rgba64_amd64.go fills it in the same order.
const (
	wCY = iota // dwords
	wRV
	wGU
	wGV
	wBU
	wBias
	wAlpha // dwords 0xFFFF
	wMid   // words 512
	wMask  // words 1023
	wU     // bytes: each U of 16 bytes twice
	wV
	wSwap // bytes: big-endian words
)

// rgba64 converts a row of 10-bit samples to 16-bit RGB, 8 pixels at a time, in dwords.
func rgba64(name string, semi bool) {
	TEXT(name, NOSPLIT, "func(d0, d1, y0, y1, u, v *byte, n int, k *byte)")
	Pragma("noescape")
	Doc(name + " converts one row.")
	par := func(n string) reg.GPVirtual { return Load(Param(n), GP64()).(reg.GPVirtual) }
	d, y, u := par("d0"), par("y0"), par("u")
	var v reg.GPVirtual
	if !semi {
		v = par("v")
	}
	n, k := par("n"), par("k")
	c := func(i int) Mem { return Mem{Base: k, Disp: 64 * i} }
	// tenBits brings the samples to the bottom.
	tenBits := func(x reg.VecVirtual) {
		if semi {
			VPSRLW(Imm(6), x, x)
		} else {
			VPAND(c(wMask), x, x)
		}
	}
	Label(name + "_loop")
	yw, yd := XMM(), YMM()
	VMOVDQU(Mem{Base: y}, yw)
	tenBits(yw)
	VPMOVZXWD(yw, yd)
	VPMULLD(c(wCY), yd, yd)
	VPADDD(c(wBias), yd, yd)
	chroma := func(from reg.GPVirtual, shuffle int) reg.VecVirtual {
		w, dw := XMM(), YMM()
		if semi {
			VMOVDQU(Mem{Base: from}, w)
		} else {
			VMOVQ(Mem{Base: from}, w)
		}
		VPSHUFB(c(shuffle), w, w)
		tenBits(w)
		VPSUBW(c(wMid), w, w)
		VPMOVSXWD(w, dw)
		return dw
	}
	from := v
	if semi {
		from = u
	}
	ud, vd := chroma(u, wU), chroma(from, wV)
	add := func(sum reg.VecVirtual, x reg.VecVirtual, weight int) reg.VecVirtual {
		p := YMM()
		VPMULLD(c(weight), x, p)
		VPADDD(sum, p, p)
		return p
	}
	r, g, b := add(yd, vd, wRV), add(add(yd, ud, wGU), vd, wGV), add(yd, ud, wBU)
	for _, x := range []reg.VecVirtual{r, g, b} {
		VPSRAD(Imm(12), x, x)
	}
	// Packing clamps; words then dwords interleave within lanes of four pixels.
	VPACKUSDW(b, r, r)
	VPACKUSDW(c(wAlpha), g, g)
	rg, ba := YMM(), YMM()
	VPUNPCKLWD(g, r, rg)
	VPUNPCKHWD(g, r, ba)
	lo, hi := YMM(), YMM()
	VPUNPCKLDQ(ba, rg, lo)
	VPUNPCKHDQ(ba, rg, hi)
	VPSHUFB(c(wSwap), lo, lo)
	VPSHUFB(c(wSwap), hi, hi)
	VPERM2I128(Imm(0x20), hi, lo, rg)
	VPERM2I128(Imm(0x31), hi, lo, ba)
	VMOVDQU(rg, Mem{Base: d})
	VMOVDQU(ba, Mem{Base: d, Disp: 32})
	ADDQ(Imm(64), d)
	ADDQ(Imm(16), y)
	if semi {
		ADDQ(Imm(16), u)
	} else {
		ADDQ(Imm(8), u)
		ADDQ(Imm(8), v)
	}
	SUBQ(Imm(8), n)
	JG(LabelRef(name + "_loop"))
	VZEROUPPER()
	RET()
}
