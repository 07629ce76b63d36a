// The generator of yuvbench's limits: the loads and stores of I420 to RGBA and nothing
// else, of one row and of two rows at a time. No conversion in the same order can be
// faster than that on the same memory.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// limit generates the loop over blocks of two rows, or of one.
func limit(name string, rows int, zmm, nt bool) {
	TEXT(name, NOSPLIT, "func(d0, d1, y0, y1, u, v *byte, n int)")
	Pragma("noescape")
	par := func(n string) reg.GPVirtual { return Load(Param(n), GP64()).(reg.GPVirtual) }
	d, y := []reg.GPVirtual{par("d0")}, []reg.GPVirtual{par("y0")}
	if rows == 2 {
		d, y = append(d, par("d1")), append(y, par("y1"))
	}
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
	for i := range rows {
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
	for i := range rows {
		ADDQ(U32(uint32(size)), y[i])
		ADDQ(U32(uint32(4*size)), d[i])
	}
	ADDQ(U32(uint32(size/2)), u)
	ADDQ(U32(uint32(size/2)), v)
	SUBQ(Imm(uint64(size)), n)
	JG(LabelRef(name + "_loop"))
	VZEROUPPER()
	RET()
}

func main() {
	ConstraintExpr("!purego")
	for _, rows := range []int{1, 2} {
		name := map[int]string{1: "limit", 2: "limitPair"}[rows]
		limit(name+"AVX2", rows, false, false)
		limit(name+"AVX2NT", rows, false, true)
		limit(name+"AVX512", rows, true, false)
		limit(name+"AVX512NT", rows, true, true)
	}
	TEXT("storeFence", NOSPLIT, "func()")
	SFENCE()
	RET()
	Generate()
}
