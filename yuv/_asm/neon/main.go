// The generator of package yuv's arm64 kernels, for 16 pixels at a time, and of
// internal/resample's. Go's assembler
// lacks the multiplications and the saturating instructions, so these are written as words
// (encode.go). The steps are those of the amd64 kernels, with fewer instructions:
//
//  1. Chroma becomes words (c−128)<<8. SQRDMULH is VPMULHRSW: it gives the three terms.
//  2. ZIP gives each term to two pixels.
//  3. USHLL makes luma y<<7, and SQDMULH, which doubles, scales it.
//  4. SQADD, then SQSHRUN: >> 6, clamped, as bytes.
//  5. ST4 or ST3 interleaves.
package main

import (
	"fmt"
	"go/format"
	"os"
	"strings"
)

// layout is how a kernel finds its samples.
type layout struct {
	name    string
	rows    int
	chroma  string // planar, semi, full, packed, i010 or p010
	swapped bool   // V comes first
	odd     bool   // luma lies on odd bytes
}

var layouts = []layout{
	{name: "planar420", rows: 2, chroma: "planar"},
	{name: "planar422", rows: 1, chroma: "planar"},
	{name: "full", rows: 1, chroma: "full"},
	{name: "semi", rows: 2, chroma: "semi"},
	{name: "semiVU", rows: 2, chroma: "semi", swapped: true},
	{name: "i010", rows: 2, chroma: "i010"},
	{name: "p010", rows: 2, chroma: "p010"},
	{name: "p010VU", rows: 2, chroma: "p010", swapped: true},
	{name: "packedYU", rows: 1, chroma: "packed"},
	{name: "packedYV", rows: 1, chroma: "packed", swapped: true},
	{name: "packedUY", rows: 1, chroma: "packed", odd: true},
	{name: "packedVY", rows: 1, chroma: "packed", odd: true, swapped: true},
}

// Lanes of the constants in V0.
const (
	cy = iota
	rv
	gu
	gv
	bu
	bias
)

// Registers that keep their meaning; the others are scratch.
const (
	vConst, vBias, vMiddle = 0, 1, 2 // constants, the bias, 0x80 in every byte
	vU, vV                 = 3, 4    // chroma as words
	vLuma                  = 6       // and 7
	vNear, vFar            = 9, 10   // weights of the rows
	vR, vG, vB, vAlpha     = 16, 17, 18, 19
	vTerms                 = 20         // six: of R, G, B for pixels 0 to 7, then for 8 to 15
	vHere, vNext, vBefore  = 26, 28, 30 // chroma between two rows, of U and V
)

// kernel generates the conversion of one or two rows with nearest chroma.
func (a *asm) kernel(l layout, bpp int) {
	a.begin(fmt.Sprintf("%s%dNEON", l.name, bpp), fmt.Sprintf("converts %d row(s)", l.rows), "d0", "d1", "y0", "y1", "u", "v")
	a.constants(bpp)
	if l.bits16() { // the middle of words
		a.shift("SHL", vMiddle, vMiddle, 8)
	}
	a.label("loop")
	yReg := []int{2, 3}
	switch l.chroma {
	case "planar":
		a.do("VLD1.P 8(R4), [V3.B8]")
		a.do("VLD1.P 8(R5), [V4.B8]")
		a.chromaWords()
	case "semi":
		a.interleaved(l, "B8", 16)
		a.chromaWords()
	case "i010":
		a.do("VLD1.P 16(R4), [V3.B16]")
		a.do("VLD1.P 16(R5), [V4.B16]")
		for _, v := range []int{vU, vV} {
			a.shift("SHL", v, v, 6)
			a.three("EOR", ".16B", v, v, vMiddle)
		}
	case "p010":
		a.interleaved(l, "H8", 32)
		for _, v := range []int{vU, vV} {
			a.three("EOR", ".16B", v, v, vMiddle)
		}
	case "packed":
		a.do("VLD2.P 32(R2), [V5.B16, V6.B16]")
		y, c := 5, 6
		if l.odd {
			y, c = 6, 5
		}
		a.three("EOR", ".16B", c, c, vMiddle)
		first, second := l.pair(vU, vV)
		a.shift("SHL", first, c, 8)
		a.shift("USHR", second, c, 8)
		a.shift("SHL", second, second, 8)
		a.terms(vTerms, vU, vV)
		a.double()
		a.lumaOf(y)
		a.pixels(0, bpp)
	case "full":
		a.do("VLD1.P 16(R4), [V11.B16]")
		a.do("VLD1.P 16(R5), [V12.B16]")
		a.three("EOR", ".16B", 11, 11, vMiddle)
		a.three("EOR", ".16B", 12, 12, vMiddle)
		for half := range 2 {
			a.widen("SHLL", half, vU, 11, 8)
			a.widen("SHLL", half, vV, 12, 8)
			a.terms(vTerms+3*half, vU, vV)
		}
		a.luma(2)
		a.pixels(0, bpp)
	}
	if l.chroma != "packed" && l.chroma != "full" {
		a.terms(vTerms, vU, vV)
		a.double()
		for r := range l.rows {
			if l.bits16() {
				a.luma16(yReg[r], l.chroma == "i010")
			} else {
				a.luma(yReg[r])
			}
			a.pixels(r, bpp)
		}
	}
	a.end()
}

func (l layout) bits16() bool { return l.chroma == "i010" || l.chroma == "p010" }

// interleaved loads both chroma samples of a plane.
func (a *asm) interleaved(l layout, of string, bytes int) {
	if !l.swapped {
		a.do("VLD2.P %d(R4), [V3.%s, V4.%s]", bytes, of, of)
		return
	}
	// Registers of a load are consecutive.
	a.do("VLD2.P %d(R4), [V4.%s, V5.%s]", bytes, of, of)
	a.do("VMOV V5.B16, V3.B16")
}

// pair orders what lies first and second.
func (l layout) pair(u, v int) (first, second int) {
	if l.swapped {
		return v, u
	}
	return u, v
}

// between generates the conversion of a row with chroma between its samples: weighed
// between the rows, then between the samples, as words of which no bit is lost.
func (a *asm) between(l layout, midway bool, bpp int) {
	siting := map[bool]string{false: "Left", true: "Mid"}[midway]
	name := strings.TrimSuffix(l.name, "422")
	a.begin(fmt.Sprintf("%s%s%dNEON", name, siting, bpp), "converts a row with chroma between its samples", "d", "y", "ua", "ub", "va", "vb")
	a.constants(bpp)
	a.do("ADD $16, R7, R8")
	a.do("VLD1 (R8), [V9.B16, V10.B16]")
	bits16 := l.bits16()
	if bits16 { // the middle of words
		a.shift("SHL", vMiddle, vMiddle, 8)
	}
	planes := map[string]int{"planar": 2, "i010": 2, "semi": 1, "p010": 1}[l.chroma]
	step, of := 2/planes, "B8" // bytes of a sample, of both in one plane
	if bits16 {
		step, of = 2*step, "H8"
	}
	// rows leaves U and V between two rows, from disp bytes on, in two vectors.
	rows := func(disp, to int) {
		at := func(reg int) string {
			if disp == 0 {
				return fmt.Sprintf("(R%d)", reg)
			}
			a.do("ADD $%d, R%d, R8", disp, reg)
			return "(R8)"
		}
		u, v := l.pair(to, to+1)
		if planes == 1 {
			a.do("VLD2 %s, [V11.%s, V12.%s]", at(2), of, of)
			a.do("VLD2 %s, [V13.%s, V14.%s]", at(3), of, of)
		} else {
			for i := range 4 {
				a.do("VLD1 %s, [V%d.%s]", at(2+i), []int{11, 13, 12, 14}[i], of)
			}
		}
		for i, d := range []int{u, v} {
			for _, c := range []int{11 + i, 13 + i} {
				if l.chroma == "i010" {
					a.shift("SHL", c, c, 6)
				}
				a.three("EOR", ".16B", c, c, vMiddle)
				if bits16 {
					a.shift("SSHR", c, c, 4)
				}
			}
			if bits16 {
				a.three("MUL", ".8H", d, 11+i, vNear)
				a.three("MLA", ".8H", d, 13+i, vFar)
			} else {
				a.three("SMULL", "", d, 11+i, vNear)
				a.three("SMLAL", "", d, 13+i, vFar)
			}
		}
	}
	a.label("loop")
	rows(0, vHere)
	rows(step, vNext)
	if midway {
		rows(-step, vBefore)
	}
	for i := range 2 {
		here, next, before := vHere+i, vNext+i, vBefore+i
		even, odd := 11, 12
		scale := 4 // samples of 8 bits have 4 fewer
		if bits16 {
			scale = 0
		}
		if midway {
			a.shift("SHL", even, here, 1)
			a.three("ADD", ".8H", here, here, even)
			a.three("ADD", ".8H", even, before, here)
			a.three("ADD", ".8H", odd, here, next)
			if scale > 0 {
				a.shift("SHL", even, even, scale)
				a.shift("SHL", odd, odd, scale)
			}
		} else {
			a.shift("SHL", even, here, scale+2)
			a.three("ADD", ".8H", odd, here, next)
			a.shift("SHL", odd, odd, scale+1)
		}
		a.three("ZIP1", ".8H", here, even, odd)
		a.three("ZIP2", ".8H", next, even, odd)
	}
	a.terms(vTerms, vHere, vHere+1)
	a.terms(vTerms+3, vNext, vNext+1)
	if bits16 {
		a.luma16(1, l.chroma == "i010")
	} else {
		a.luma(1)
	}
	a.pixels(0, bpp)
	for i := range 2 * planes {
		a.do("ADD $%d, R%d", 8*step, 2+i)
	}
	a.end()
}

// constants loads what the loop needs.
func (a *asm) constants(bpp int) {
	a.do("VLD1 (R7), [V0.B16]")
	a.do("VDUP V0.H[%d], V1.H8", bias)
	a.do("VMOVI $128, V2.B16")
	if bpp == 4 {
		a.do("VMOVI $255, V19.B16")
	}
}

// chromaWords makes words of 8 samples of U and V.
func (a *asm) chromaWords() {
	for _, v := range []int{vU, vV} {
		a.three("EOR", ".16B", v, v, vMiddle)
		a.widen("SHLL", 0, v, v, 8)
	}
}

// terms are what chroma adds to R, G and B.
func (a *asm) terms(to, u, v int) {
	a.lane("SQRDMULH", to, v, vConst, rv)
	a.lane("SQRDMULH", to+1, u, vConst, gu)
	a.lane("SQRDMULH", 8, v, vConst, gv)
	a.lane("SQRDMULH", to+2, u, vConst, bu)
	a.three("ADD", ".8H", to+1, to+1, 8)
	for i := range 3 {
		a.three("ADD", ".8H", to+i, to+i, vBias)
	}
}

// double gives the terms of 8 samples to 16 pixels.
func (a *asm) double() {
	for i := range 3 {
		a.three("ZIP2", ".8H", vTerms+3+i, vTerms+i, vTerms+i)
		a.three("ZIP1", ".8H", vTerms+i, vTerms+i, vTerms+i)
	}
}

func (a *asm) luma(reg int) {
	a.do("VLD1.P 16(R%d), [V8.B16]", reg)
	a.lumaOf(8)
}

// luma16 scales 16 words, of which SQDMULH would lose the sign bit.
func (a *asm) luma16(reg int, low bool) {
	a.do("VLD1.P 32(R%d), [V6.B16, V7.B16]", reg)
	for half := range 2 {
		v := vLuma + half
		if low {
			a.shift("SHL", v, v, 6)
		}
		a.wide(0, 8, v, vConst, cy)
		a.wide(1, 15, v, vConst, cy)
		a.three("UZP2", ".8H", v, 8, 15)
	}
}

// lumaOf scales 16 bytes.
func (a *asm) lumaOf(v int) {
	a.widen("USHLL", 1, vLuma+1, v, 7)
	a.widen("USHLL", 0, vLuma, v, 7)
	a.lane("SQDMULH", vLuma, vLuma, vConst, cy)
	a.lane("SQDMULH", vLuma+1, vLuma+1, vConst, cy)
}

// pixels adds and stores.
func (a *asm) pixels(reg, bpp int) {
	for half := range 2 {
		for i := range 3 {
			a.three("SQADD", ".8H", 11+i, vTerms+3*half+i, vLuma+half)
		}
		for i := range 3 {
			a.narrow(half, vR+i, 11+i, 6)
		}
	}
	if bpp == 4 {
		a.do("VST4.P [V16.B16, V17.B16, V18.B16, V19.B16], 64(R%d)", reg)
	} else {
		a.do("VST3.P [V16.B16, V17.B16, V18.B16], 48(R%d)", reg)
	}
}

func main() {
	a := new(asm)
	a.head("yuv")
	table := new(strings.Builder)
	fmt.Fprint(table, "// neonKernels are by layout and bytes of a pixel.\nvar neonKernels = map[string][2]kernel{\n")
	for _, l := range layouts {
		a.kernel(l, 4)
		a.kernel(l, 3)
		fmt.Fprintf(table, "%q: {%s4NEON, %s3NEON},\n", l.name, l.name, l.name)
	}
	calls, names := new(strings.Builder), new(strings.Builder)
	n := 0
	for _, l := range layouts {
		if l.name == "planar420" || l.chroma == "full" || l.chroma == "packed" {
			continue
		}
		for _, midway := range []bool{false, true} {
			for _, bpp := range []int{4, 3} {
				a.between(l, midway, bpp)
				fmt.Fprintf(names, "{%q, %v, %d},\n", l.name, midway, bpp)
				fmt.Fprintf(calls, "case %d:\n%s(d, y, ua, ub, va, vb, n, k)\n", n, a.name)
				n++
			}
		}
	}
	fmt.Fprintf(&a.stubs, "%s}\n\n// neonBetween are the kernels that interpolate chroma, by number.\nvar neonBetween = []betweenKind{\n%s}\n\n", table, names)
	fmt.Fprintf(&a.stubs, "// runBetween calls a kernel by its number.\nfunc runBetween(id int, d, y, ua, ub, va, vb *byte, n int, k *byte) {\nswitch id {\n%s}\n}\n", calls)
	a.write("..")
	resample().write("../../internal/resample")
}

// write writes the assembly and the declarations into a folder.
func (a *asm) write(folder string) {
	stubs, err := format.Source([]byte(a.stubs.String()))
	if err == nil {
		err = os.WriteFile(folder+"/stubs_arm64.go", stubs, 0o644)
	}
	if err == nil {
		err = os.WriteFile(folder+"/kernels_arm64.s", []byte(a.text.String()), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
