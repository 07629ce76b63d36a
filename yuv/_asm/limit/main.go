// The generator of yuvbench's limit: the loads and stores of I420 to RGBA and nothing
// else. No conversion can be faster than that on the same memory.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func limit(name string, zmm, nt bool) {
	TEXT(name, NOSPLIT, "func(d0, d1, y0, y1, u, v *byte, n int)")
	Pragma("noescape")
	par := func(n string) reg.GPVirtual { return Load(Param(n), GP64()).(reg.GPVirtual) }
	d := [2]reg.GPVirtual{par("d0"), par("d1")}
	y := [2]reg.GPVirtual{par("y0"), par("y1")}
	u, v, n := par("u"), par("v"), par("n")
	size := 32
	vec := func() reg.VecVirtual { return YMM() }
	if zmm {
		size = 64
		vec = func() reg.VecVirtual { return ZMM() }
	}
	Label(name + "_loop")
	if zmm {
		VMOVDQU(Mem{Base: u}, YMM())
		VMOVDQU(Mem{Base: v}, YMM())
	} else {
		VMOVDQU(Mem{Base: u}, XMM())
		VMOVDQU(Mem{Base: v}, XMM())
	}
	for i := range 2 {
		s := vec()
		if zmm {
			VMOVDQU64(Mem{Base: y[i]}, s)
		} else {
			VMOVDQU(Mem{Base: y[i]}, s)
		}
		for k := range 4 {
			m := Mem{Base: d[i], Disp: k * size}
			switch {
			case nt:
				VMOVNTDQ(s, m)
			case zmm:
				VMOVDQU64(s, m)
			default:
				VMOVDQU(s, m)
			}
		}
	}
	for i := range 2 {
		ADDQ(U32(uint32(size)), y[i])
		ADDQ(U32(uint32(4*size)), d[i])
	}
	ADDQ(U32(uint32(size/2)), u)
	ADDQ(U32(uint32(size/2)), v)
	SUBQ(Imm(uint64(size)), n)
	JG(LabelRef(name + "_loop"))
	VZEROUPPER()
	if nt {
		SFENCE()
	}
	RET()
}

func main() {
	ConstraintExpr("!purego")
	limit("limitAVX2", false, false)
	limit("limitAVX2NT", false, true)
	limit("limitAVX512", true, false)
	limit("limitAVX512NT", true, true)
	Generate()
}
