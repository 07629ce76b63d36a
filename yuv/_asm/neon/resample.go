package main

import "fmt"

// resample generates internal/resample's kernels.
func resample() *asm {
	a := new(asm)
	a.head("resample")
	// Two rows, 32 bytes at a time: the weights, of which none is 256, are bytes.
	a.function("blendNEON", "takes n bytes, a multiple of 32. weights holds those of a and b, in bytes.",
		"func(dst, a, b *byte, n int, weights uint)", "dst", "a", "b", "n", "weights")
	a.do("VDUP R4, V4.B16")
	a.do("LSR $8, R4, R5")
	a.do("VDUP R5, V5.B16")
	a.label("loop")
	a.do("VLD1.P 32(R1), [V0.B16, V1.B16]")
	a.do("VLD1.P 32(R2), [V2.B16, V3.B16]")
	for i := range 2 {
		for half := range 2 {
			a.halves("UMULL", half, 6+half, i, 4)
			a.halves("UMLAL", half, 6+half, 2+i, 5)
			a.round(half, 16+i, 6+half)
		}
	}
	a.do("VST1.P [V16.B16, V17.B16], 32(R0)")
	a.do("SUBS $32, R3, R3")
	a.do("BGT loop")
	a.do("RET")
	// Pixels between neighbours, eight at a time: 256·l + (r − l)·f fits into a word.
	a.function("interpNEON", "makes n pixels, a multiple of 8.",
		"func(dst, src *byte, at *uint32, n int)", "dst", "src", "at", "n")
	a.do("VMOVI $255, V18.B16")
	a.word(encodings["USHR.4S"]-24<<16|18<<5|18, "USHR V18.4S, V18.4S, #24")
	a.label("loop")
	for i := range 2 {
		for k := range 4 {
			a.do("MOVWU %d(R2), R5", 4*k)
			a.do("LSR $8, R5, R5")
			a.do("ADD R5<<2, R1, R6")
			a.do("VLD1 (R6), V%d.D[%d]", k/2, k&1)
		}
		a.do("VLD1.P 16(R2), [V4.B16]")
		a.three("UZP1", ".4S", 2, 0, 1) // left neighbours
		a.three("UZP2", ".4S", 3, 0, 1)
		a.three("AND", ".16B", 4, 4, 18)
		a.word(encodings["SHL.4S"]+16<<16|4<<5|5, "SHL V5.4S, V4.4S, #16")
		a.three("ORR", ".16B", 4, 4, 5)
		a.three("ZIP1", ".4S", 5, 4, 4) // weights, a word for each byte
		a.three("ZIP2", ".4S", 6, 4, 4)
		for half := range 2 {
			a.halves("USUBL", half, 7, 3, 2)
			a.widen("SHLL", half, 8, 2, 8)
			a.three("MLA", ".8H", 8, 7, 5+half)
			a.round(half, 16+i, 8)
		}
	}
	a.do("VST1.P [V16.B16, V17.B16], 32(R0)")
	a.do("SUBS $8, R3, R3")
	a.do("BGT loop")
	a.do("RET")
	return a
}

// halves is an instruction that makes words of the lower or the upper eight bytes.
func (a *asm) halves(op string, half, d, n, m int) {
	of := []string{"8B", "16B"}[half]
	a.word(encodings[fmt.Sprint(op, half)]|uint32(m)<<16|uint32(n)<<5|uint32(d),
		"%s%s V%d.8H, V%d.%s, V%d.%s", op, []string{"", "2"}[half], d, n, of, m, of)
}

// round narrows words to the lower or the upper eight bytes: (v + 128) >> 8.
func (a *asm) round(half, d, n int) {
	a.word(encodings[fmt.Sprint("RSHRN", half)]|uint32(n)<<5|uint32(d), "RSHRN%s V%d.%s, V%d.8H, #8",
		[]string{"", "2"}[half], d, []string{"8B", "16B"}[half], n)
}
