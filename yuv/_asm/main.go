// The generator of package yuv's amd64 kernels. Run it with go generate in yuv.
//
// A kernel takes a block of pixels (32 with YMM, 64 with ZMM registers) of two rows that
// share chroma, or of one row. Between the loads and the stores all layouts are alike:
//
//  1. Chroma becomes words (c−128)<<8, in the order in which step 4 wants it.
//  2. VPMULHRSW by the coefficients and VPADDW of the biases give three terms.
//  3. VPUNPCK of a term with itself gives each to two pixels (4:2:0 and 4:2:2).
//  4. Luma becomes words y<<8: transposed by VPERMD and unpacked, or by one VPSHUFB of 16
//     broadcast bytes, or by VPERMB; VPMULHUW scales it.
//  5. Six VPADDSW, six shifts and three VPACKUSWB give R, G, B bytes.
//  6. VPUNPCK by bytes and by words gives pixels, in order thanks to the transposition.
package main

import (
	"fmt"
	"os"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Vectors of the constant block; consts_amd64.go fills it in the same order.
const (
	kCY = iota
	kRV
	kGU
	kGV
	kBU
	kBR
	kBG
	kBB
	kPerm  // dwords: transposes luma
	kU     // bytes (or words): where the first chroma sample of each word comes from
	kV     // the same for the second
	kX80   // 0x80 in each byte or 0x8000 in each word
	kShift // 1024 in each word: VPMULHW by it is >> 6 on a port with less to do
	kQPerm // qwords: transposes luma of 16 bits
	kPack  // bytes: drops every fourth
	kJoin  // dwords: joins what kPack left
	kY     // bytes: luma out of a packed layout
	kFF
	kYH // bytes: the second half of a block's luma, kY being the first (VBMI)
	kCount
)

type variant struct {
	name string
	zmm  bool
	vbmi bool
}

type layout struct {
	name   string
	rows   int
	ys, us int // bytes of luma and of a chroma plane for two pixels
	bits   int
}

var layouts = []layout{
	{"Planar420", 2, 2, 1, 8},
	{"Planar422", 1, 2, 1, 8},
	{"Full", 1, 2, 2, 8},
	{"Semi", 2, 2, 2, 8},
	{"SemiRow", 1, 2, 2, 8}, // of 4:2:0, for pictures that go to memory
	{"I010", 2, 4, 2, 16},
	{"P010", 2, 4, 4, 16},
	{"Packed", 1, 4, 0, 8},
}

type output struct {
	name string
	bpp  int
	nt   bool
	near bool // in the cache already
}

var outputs = []output{{name: "RGBA", bpp: 4}, {name: "RGBANT", bpp: 4, nt: true}, {name: "RGBANear", bpp: 4, near: true}, {name: "RGB24", bpp: 3}}

// ahead is how far before its stores a kernel asks for the destination, in bytes. Stores
// leave in order: one that waits for its line holds up all that follow. A Xeon (Sapphire
// Rapids) is 1.25 times as fast to memory with it; 256 to 2048 do the same. Asking past
// the end of the destination is harmless. Where it is in the cache asking costs up to 4 %,
// and Zen 5 loses by it everywhere: near kernels don't.
const ahead = 512

// gen is one kernel being generated.
type gen struct {
	variant
	layout
	output
	k      reg.Register
	held   map[int]reg.VecVirtual
	zero   reg.VecVirtual
	spread reg.OpmaskVirtual // 0xAAAA…: the upper byte of each word
	last   reg.OpmaskVirtual // the dwords of RGB24's last store
}

// semi reports whether U and V are interleaved, in 8 bits.
func (g *gen) semi() bool { return strings.HasPrefix(g.layout.name, "Semi") }

func (g *gen) vec() reg.VecVirtual {
	if g.zmm {
		return ZMM()
	}
	return YMM()
}

func (g *gen) bytes() int {
	if g.zmm {
		return 64
	}
	return 32
}

// c is constant i, in a register or in memory.
func (g *gen) c(i int) Op {
	if v, ok := g.held[i]; ok {
		return v
	}
	return Mem{Base: g.k, Disp: 64 * i}
}

func (g *gen) hold(is ...int) {
	for _, i := range is {
		v := g.vec()
		g.load(Mem{Base: g.k, Disp: 64 * i}, v)
		g.held[i] = v
	}
}

func (g *gen) load(m Op, v reg.VecVirtual) {
	if g.zmm {
		VMOVDQU64(m, v)
	} else {
		VMOVDQU(m, v)
	}
}

func (g *gen) xor(a Op, b, dst reg.VecVirtual) {
	if g.zmm {
		VPXORQ(a, b, dst)
	} else {
		VPXOR(a, b, dst)
	}
}

// transposed loads a vector and transposes its dwords.
func (g *gen) transposed(m Mem) reg.VecVirtual {
	v := g.vec()
	if g.zmm {
		VPERMD(m, g.held[kPerm], v)
	} else { // apart: together they take twice as long on Zen 3
		VMOVDQU(m, v)
		VPERMD(v, g.held[kPerm], v)
	}
	return v
}

// transposed16 does the same with qwords.
func (g *gen) transposed16(m Mem) reg.VecVirtual {
	v := g.vec()
	if g.zmm {
		VPERMQ(m, g.held[kQPerm], v)
	} else {
		VMOVDQU(m, v)
		VPERMQ(Imm(0xD8), v, v)
	}
	return v
}

func (g *gen) shuffle(by int, v reg.VecVirtual) reg.VecVirtual {
	o := g.vec()
	VPSHUFB(g.c(by), v, o)
	return o
}

func (g *gen) flip(v reg.VecVirtual) reg.VecVirtual {
	g.xor(g.c(kX80), v, v)
	return v
}

// chroma loads the samples that are shared by two pixels, as words.
func (g *gen) chroma(u, v reg.Register) (uu, vv reg.VecVirtual) {
	switch g.layout.name {
	case "Planar420", "Planar422":
		switch {
		case g.vbmi:
			uv := ZMM()
			VMOVDQU64(Mem{Base: u}, uv.AsY())
			VINSERTI64X4(Imm(1), Mem{Base: v}, uv, uv)
			return g.spreadBytes(g.flip(uv))
		case g.zmm:
			one := func(p reg.Register) reg.VecVirtual {
				c := ZMM()
				VPMOVZXBW(Mem{Base: p}, c)
				VPERMD(c, g.held[kPerm], c)
				g.flip(c)
				VPSLLW(Imm(8), c, c)
				return c
			}
			return one(u), one(v)
		default:
			one := func(p reg.Register) reg.VecVirtual {
				c := YMM()
				VBROADCASTI128(Mem{Base: p}, c)
				return g.shuffle(kU, g.flip(c))
			}
			return one(u), one(v)
		}
	case "Semi", "SemiRow":
		if g.vbmi {
			uv := ZMM()
			g.load(Mem{Base: u}, uv)
			return g.spreadBytes(g.flip(uv))
		}
		uv := g.flip(g.transposed(Mem{Base: u}))
		return g.shuffle(kU, uv), g.shuffle(kV, uv)
	case "I010":
		one := func(p reg.Register) reg.VecVirtual {
			c := g.transposed(Mem{Base: p})
			VPSLLW(Imm(6), c, c)
			return g.flip(c)
		}
		return one(u), one(v)
	case "P010":
		if g.zmm {
			a := g.vec()
			g.load(Mem{Base: u}, a)
			one := func(idx int) reg.VecVirtual {
				c := g.vec()
				g.load(Mem{Base: g.k, Disp: 64 * idx}, c)
				VPERMI2W(Mem{Base: u, Disp: 64}, a, c)
				return g.flip(c)
			}
			return one(kU), one(kV)
		}
		a := g.shuffle(kU, g.transposed16(Mem{Base: u}))
		b := g.shuffle(kU, g.transposed16(Mem{Base: u, Disp: 32}))
		uu, vv = g.vec(), g.vec()
		VPUNPCKLQDQ(b, a, uu)
		VPUNPCKHQDQ(b, a, vv)
		return g.flip(uu), g.flip(vv)
	}
	panic(g.layout.name)
}

// spreadBytes puts chroma bytes into the upper halves of words.
func (g *gen) spreadBytes(uv reg.VecVirtual) (uu, vv reg.VecVirtual) {
	uu, vv = ZMM(), ZMM()
	VPERMB_Z(uv, g.held[kU], g.spread, uu)
	VPERMB_Z(uv, g.held[kV], g.spread, vv)
	return
}

// unpack widens bytes to words c<<8.
func (g *gen) unpack(v reg.VecVirtual) (lo, hi reg.VecVirtual) {
	lo, hi = g.vec(), g.vec()
	VPUNPCKLBW(v, g.zero, lo)
	VPUNPCKHBW(v, g.zero, hi)
	return
}

// terms are what chroma adds to R, G and B.
func (g *gen) terms(u, v reg.VecVirtual) (t [3]reg.VecVirtual) {
	return g.termsOf([]reg.VecVirtual{u}, []reg.VecVirtual{v})[0]
}

// termsOf does the same for several vectors. What is not held it loads once.
func (g *gen) termsOf(u, v []reg.VecVirtual) (t [][3]reg.VecVirtual) {
	t = make([][3]reg.VecVirtual, len(u))
	apply := func(k int, f func(c Op, i int)) {
		c := g.c(k)
		if _, inMemory := c.(Mem); inMemory && len(u) > 1 {
			r := g.vec()
			g.load(c, r)
			c = r
		}
		for i := range u {
			f(c, i)
		}
	}
	part := func(weight, bias, at int, of []reg.VecVirtual) {
		apply(weight, func(c Op, i int) {
			t[i][at] = g.vec()
			VPMULHRSW(c, of[i], t[i][at])
		})
		apply(bias, func(c Op, i int) { VPADDW(c, t[i][at], t[i][at]) })
	}
	part(kRV, kBR, 0, v)
	part(kGU, kBG, 1, u)
	apply(kGV, func(c Op, i int) {
		x := g.vec()
		VPMULHRSW(c, v[i], x)
		VPADDW(x, t[i][1], t[i][1])
	})
	part(kBU, kBB, 2, u)
	return t
}

// samples loads a block of bytes as words c<<8, chroma about its middle.
func (g *gen) samples(p reg.Register, chroma bool) (lo, hi reg.VecVirtual) {
	if g.vbmi { // one permutation less than transposing and unpacking takes
		lo, hi = g.vec(), g.vec()
		VPERMB_Z(Mem{Base: p}, g.held[kY], g.spread, lo)
		VPERMB_Z(Mem{Base: p}, g.held[kYH], g.spread, hi)
		return
	}
	if g.zmm {
		v := g.transposed(Mem{Base: p})
		if chroma {
			g.flip(v)
		}
		return g.unpack(v)
	}
	// All that a half needs lies within 16 bytes: broadcasting is free with the load,
	// and one shuffle does what a permutation and an unpacking would.
	one := func(disp int) reg.VecVirtual {
		v := YMM()
		VBROADCASTI128(Mem{Base: p, Disp: disp}, v)
		if chroma {
			g.flip(v)
		}
		return g.shuffle(kY, v)
	}
	return one(0), one(16)
}

// luma loads a block of a row as words.
func (g *gen) luma(y reg.Register) (lo, hi reg.VecVirtual) {
	switch g.layout.name {
	case "I010", "P010":
		lo, hi = g.transposed16(Mem{Base: y}), g.transposed16(Mem{Base: y, Disp: g.bytes()})
		if g.layout.name == "I010" {
			VPSLLW(Imm(6), lo, lo)
			VPSLLW(Imm(6), hi, hi)
		}
		return
	}
	return g.samples(y, false)
}

// pixels adds terms to luma and stores a block of a row.
func (g *gen) pixels(yl, yh reg.VecVirtual, lo, hi [3]reg.VecVirtual, d reg.Register) {
	VPMULHUW(g.c(kCY), yl, yl)
	VPMULHUW(g.c(kCY), yh, yh)
	var p [3]reg.VecVirtual
	for i := range p {
		a, b := g.vec(), g.vec()
		VPADDSW(lo[i], yl, a)
		VPADDSW(hi[i], yh, b)
		// Shifting is VPMULHW's work with YMM: shifts share ports with the unpacking.
		if g.zmm {
			VPSRAW(Imm(6), a, a)
			VPSRAW(Imm(6), b, b)
		} else {
			VPMULHW(g.c(kShift), a, a)
			VPMULHW(g.c(kShift), b, b)
		}
		VPACKUSWB(b, a, a)
		p[i] = a
	}
	rg0, rg1, ba0, ba1 := g.vec(), g.vec(), g.vec(), g.vec()
	VPUNPCKLBW(p[1], p[0], rg0)
	VPUNPCKHBW(p[1], p[0], rg1)
	var alpha Op = p[2]
	if g.bpp == 4 {
		alpha = g.c(kFF)
	}
	VPUNPCKLBW(alpha, p[2], ba0)
	VPUNPCKHBW(alpha, p[2], ba1)
	for i := range 4 {
		o := g.vec()
		switch i {
		case 0:
			VPUNPCKLWD(ba0, rg0, o)
		case 1:
			VPUNPCKHWD(ba0, rg0, o)
		case 2:
			VPUNPCKLWD(ba1, rg1, o)
		case 3:
			VPUNPCKHWD(ba1, rg1, o)
		}
		g.store(i, o, d)
	}
}

// store writes the i-th quarter of a block.
func (g *gen) store(i int, o reg.VecVirtual, d reg.Register) {
	quarter := g.bytes() / 4 * g.bpp
	m := Mem{Base: d, Disp: i * quarter}
	if !g.nt && !g.near {
		for line := 0; line < 4*quarter; line += 64 {
			if line/quarter == i {
				PREFETCHT0(Mem{Base: d, Disp: line + ahead})
			}
		}
	}
	if g.bpp == 3 {
		o = g.shuffle(kPack, o)
		VPERMD(o, g.held[kJoin], o)
		// A quarter of the vector is left over. The next store covers it; the last one
		// must not write it.
		if i == 3 {
			if g.zmm {
				VMOVDQU32(o, g.last, m)
				return
			}
			VMOVDQU(o.AsX(), m)
			x := XMM()
			VEXTRACTI128(Imm(1), o, x)
			VMOVQ(x, m.Offset(16))
			return
		}
	}
	switch {
	case g.nt:
		VMOVNTDQ(o, m)
	case g.zmm:
		VMOVDQU64(o, m)
	default:
		VMOVDQU(o, m)
	}
}

func (g *gen) symbol(s siting) string {
	return strings.ToLower(g.layout.name[:1]) + g.layout.name[1:] + g.output.name + string(s) + g.variant.name
}

// masks makes the mask of RGB24's last store.
func (g *gen) masks() {
	g.last = K()
	t := GP64()
	MOVQ(U32(0x0FFF), t)
	KMOVW(t.As32(), g.last)
}

func (g *gen) kernel() {
	n := g.symbol("")
	TEXT(n, NOSPLIT, "func(d0, d1, y0, y1, u, v *byte, n int, k *byte)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s converts %d row(s).", n, g.rows))
	par := func(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }
	d := []reg.GPVirtual{par("d0")}
	y := []reg.GPVirtual{par("y0")}
	if g.rows == 2 {
		d, y = append(d, par("d1")), append(y, par("y1"))
	}
	var u, v reg.GPVirtual
	if g.us > 0 {
		u = par("u")
		if !g.semi() && g.layout.name != "P010" {
			v = par("v")
		}
	}
	left := par("n")
	g.k = par("k")
	g.held = map[int]reg.VecVirtual{}
	if !g.vbmi && (g.semi() || g.layout.name == "I010" || g.zmm && g.layout.name != "P010" && g.layout.name != "Packed") {
		g.hold(kPerm)
	}
	if g.bpp == 3 {
		g.hold(kJoin)
	}
	if g.zmm {
		if g.bits == 8 && g.layout.name != "Packed" && !g.vbmi {
			g.zero = g.vec()
			g.xor(g.zero, g.zero, g.zero)
		}
		g.hold(kCY, kRV, kGU, kGV, kBU, kBR, kBG, kBB, kX80)
		if g.bits == 16 || g.layout.name == "Packed" {
			g.hold(kQPerm)
		}
		if g.layout.name == "Packed" {
			g.hold(kY)
		}
		if g.semi() || g.layout.name == "Packed" || g.vbmi {
			g.hold(kU, kV)
		}
		if g.bpp == 4 {
			g.hold(kFF)
		} else {
			g.hold(kPack)
			g.masks()
		}
		if g.vbmi {
			g.hold(kY, kYH)
			g.spread = K()
			t := GP64()
			MOVQ(U64(0xAAAAAAAAAAAAAAAA), t)
			KMOVQ(t, g.spread)
		}
	} else if g.us < 2 || g.bpp == 4 {
		g.hold(kCY, kShift)
	}

	block := g.bytes()
	Label(n + "_loop")
	switch g.layout.name {
	case "Full":
		ul, uh := g.samples(u, true)
		vl, vh := g.samples(v, true)
		lo, hi := g.terms(ul, vl), g.terms(uh, vh)
		yl, yh := g.luma(y[0])
		g.pixels(yl, yh, lo, hi, d[0])
	case "Packed":
		half := func(disp int) (yy reg.VecVirtual, t [3]reg.VecVirtual) {
			p := g.transposed16(Mem{Base: y[0], Disp: disp})
			yy = g.shuffle(kY, p)
			g.flip(p)
			return yy, g.terms(g.shuffle(kU, p), g.shuffle(kV, p))
		}
		yl, lo := half(0)
		yh, hi := half(block)
		g.pixels(yl, yh, lo, hi, d[0])
	default:
		t := g.terms(g.chroma(u, v))
		var lo, hi [3]reg.VecVirtual
		for i, c := range t {
			lo[i], hi[i] = g.vec(), g.vec()
			VPUNPCKLWD(c, c, lo[i])
			VPUNPCKHWD(c, c, hi[i])
		}
		for i := range y {
			yl, yh := g.luma(y[i])
			g.pixels(yl, yh, lo, hi, d[i])
		}
	}
	for i := range y {
		ADDQ(U32(uint32(block*g.ys/2)), y[i])
		ADDQ(U32(uint32(block*g.bpp)), d[i])
	}
	if g.us > 0 {
		ADDQ(U32(uint32(block*g.us/2)), u)
		if v != nil {
			ADDQ(U32(uint32(block*g.us/2)), v)
		}
	}
	SUBQ(Imm(uint64(block)), left)
	JG(LabelRef(n + "_loop"))
	VZEROUPPER()
	RET()
}

func main() {
	ConstraintExpr("!purego")
	table := &strings.Builder{}
	fmt.Fprint(table, "// Code generated by command: go run . DO NOT EDIT.\n\n//go:build !purego\n\npackage yuv\n\n")
	fmt.Fprintf(table, "// constVectors is how many vectors the kernels' constant block has.\nconst constVectors = %d\n\n", kTotal)
	fmt.Fprint(table, "// kernels returns the kernels of a variant for RGBA, RGBA past the caches and within them, and RGB24.\nfunc kernels(v Variant, k kind) (rgba, nt, near, rgb24 kernel) {\n\tswitch v {\n")
	for _, v := range []variant{{name: "AVX512VBMI", zmm: true, vbmi: true}, {name: "AVX512", zmm: true}, {name: "AVX2"}} {
		fmt.Fprintf(table, "\tcase %s:\n\t\tswitch k {\n", v.name)
		for _, l := range layouts {
			if l.name == "SemiRow" && !v.vbmi {
				continue // nothing to gain
			}
			use := v
			use.vbmi = v.vbmi && (strings.HasPrefix(l.name, "Semi") || strings.HasPrefix(l.name, "Planar"))
			if v.vbmi && !use.vbmi {
				use.name = "AVX512"
			}
			fmt.Fprintf(table, "\t\tcase kind%s:\n\t\t\treturn ", l.name)
			for i, o := range outputs {
				g := &gen{variant: use, layout: l, output: o}
				if use.name == v.name {
					g.kernel()
				}
				fmt.Fprint(table, map[bool]string{true: ", "}[i > 0], g.symbol(""))
			}
			fmt.Fprintln(table)
		}
		fmt.Fprint(table, "\t\t}\n")
	}
	fmt.Fprint(table, "\t}\n\treturn nil, nil, nil, nil\n}\n\n")
	fmt.Fprint(table, betweens())
	reverse("reversePlanarAVX2", false)
	reverse("reverseSemiAVX2", true)
	rgba64("i010RGBA64AVX2", false)
	rgba64("p010RGBA64AVX2", true)
	TEXT("storeFence", NOSPLIT, "func()")
	Doc("storeFence makes non-temporal stores visible before what follows.")
	SFENCE()
	RET()
	Generate()
	if err := os.WriteFile("../table_amd64.go", []byte(table.String()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
