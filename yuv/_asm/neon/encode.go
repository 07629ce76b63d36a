package main

import (
	"fmt"
	"strings"
)

// asm collects functions and their Go declarations.
type asm struct {
	text, stubs strings.Builder
	name        string
}

func (a *asm) do(format string, args ...any) { fmt.Fprintf(&a.text, "\t"+format+"\n", args...) }

func (a *asm) label(s string) { fmt.Fprintf(&a.text, "\n%s:\n", s) }

// begin starts a function of six addresses, a count in R6 and the constants in R7.
func (a *asm) begin(name, doc string, params ...string) {
	a.name = name
	sig := fmt.Sprintf("func %s(%s *byte, n int, k *byte)", name, strings.Join(params, ", "))
	fmt.Fprintf(&a.text, "\n// %s\nTEXT ·%s(SB), NOSPLIT, $0-64\n", sig, name)
	fmt.Fprintf(&a.stubs, "// %s %s.\n//\n//go:noescape\n%s\n\n", name, doc, sig)
	for i, p := range append(params, "n", "k") {
		a.do("MOVD %s+%d(FP), R%d", p, 8*i, i)
	}
}

func (a *asm) end() {
	a.do("SUBS $16, R6, R6")
	a.do("BGT loop")
	a.do("RET")
}

// word writes an instruction that Go's assembler lacks.
func (a *asm) word(w uint32, format string, args ...any) {
	a.do("WORD $0x%08x // %s", w, fmt.Sprintf(format, args...))
}

// Encodings, without registers. Source: Arm Architecture Reference Manual for A-profile,
// C7.2, one page an instruction.
var encodings = map[string]uint32{
	"EOR.16B":  0x6e201c00,
	"ADD.8H":   0x4e608400,
	"SQADD.8H": 0x4e600c00,
	"UZP2.8H":  0x4e405800,
	"ZIP1.8H":  0x4e403800,
	"ZIP2.8H":  0x4e407800,
	"MUL.8H":   0x4e609c00,
	"MLA.8H":   0x4e609400,
	"SMULL":    0x0e20c000, // 8 words from bytes
	"SMLAL":    0x0e208000,
	"UMULL0":   0x2f40a000, // 4 words of 32 bits by a lane, of the lower half
	"UMULL1":   0x6f40a000, // and the upper
	"SQDMULH":  0x4f40c000, // by a lane
	"SQRDMULH": 0x4f40d000,
	"SHL":      0x4f105400, // words, plus the shift
	"SSHR":     0x4f200400, // the same, signed
	"USHR":     0x6f200400, // words, minus the shift
	"USHLL0":   0x2f08a400, // words from the lower 8 bytes
	"USHLL1":   0x6f08a400, // and the upper
	"SHLL0":    0x2e213800, // by 8
	"SHLL1":    0x6e213800,
	"SQSHRUN0": 0x2f108400, // to the lower 8 bytes, minus the shift
	"SQSHRUN1": 0x6f108400,
}

// three is an instruction of three vectors.
func (a *asm) three(op, of string, d, n, m int) {
	w := encodings[op+of] | uint32(m)<<16 | uint32(n)<<5 | uint32(d)
	switch op {
	case "SMULL", "SMLAL":
		a.word(w, "%s V%d.8H, V%d.8B, V%d.8B", op, d, n, m)
	default:
		a.word(w, "%s V%d%s, V%d%s, V%d%s", op, d, of, n, of, m, of)
	}
}

// byLane adds the registers of a multiplication by a lane of a vector below V16.
func byLane(w uint32, d, n, m, i int) uint32 {
	return w | uint32(i>>2&1)<<11 | uint32(i>>1&1)<<21 | uint32(i&1)<<20 | uint32(m)<<16 | uint32(n)<<5 | uint32(d)
}

// wide multiplies the lower or the upper four words, giving 32 bits.
func (a *asm) wide(half, d, n, m, i int) {
	a.word(byLane(encodings[fmt.Sprint("UMULL", half)], d, n, m, i), "UMULL%s V%d.4S, V%d.%s, V%d.H[%d]",
		[]string{"", "2"}[half], d, n, []string{"4H", "8H"}[half], m, i)
}

// lane multiplies words by one of a vector below V16.
func (a *asm) lane(op string, d, n, m, i int) {
	w := byLane(encodings[op], d, n, m, i)
	a.word(w, "%s V%d.8H, V%d.8H, V%d.H[%d]", op, d, n, m, i)
}

// shift shifts words.
func (a *asm) shift(op string, d, n, by int) {
	amount := by
	if op != "SHL" {
		amount = -by
	}
	a.word(encodings[op]+uint32(amount)<<16|uint32(n)<<5|uint32(d), "%s V%d.8H, V%d.8H, #%d", op, d, n, by)
}

// widen makes shifted words of the lower or the upper eight bytes.
func (a *asm) widen(op string, half, d, n, by int) {
	w := encodings[fmt.Sprint(op, half)] | uint32(n)<<5 | uint32(d)
	if op == "USHLL" {
		w |= uint32(by) << 16
	}
	a.word(w, "%s%s V%d.8H, V%d.%s, #%d", op, []string{"", "2"}[half], d, n, []string{"8B", "16B"}[half], by)
}

// narrow shifts words right and clamps them to the lower or the upper eight bytes.
func (a *asm) narrow(half, d, n, by int) {
	w := encodings[fmt.Sprint("SQSHRUN", half)] - uint32(by)<<16 | uint32(n)<<5 | uint32(d)
	a.word(w, "SQSHRUN%s V%d.%s, V%d.8H, #%d", []string{"", "2"}[half], d, []string{"8B", "16B"}[half], n, by)
}
