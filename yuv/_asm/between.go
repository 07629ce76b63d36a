package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Further vectors of the constant block, for chroma between its samples.
const (
	kUFar = kCount + iota // bytes: where the first chroma sample comes from in the other row
	kVFar
	kWeights // bytes: of the near and the far row; words of the near row with 16-bit samples
	kFar     // words: of the far row
	kTotal
)

// siting is where chroma samples lie across: on the even pixels, or between two.
type siting string

const (
	onEven siting = "Left"
	midway siting = "Mid"
)

// between generates a kernel that interpolates chroma, for one row. Every pixel of luma
// lies between two rows of chroma and two samples of each:
//
//  1. Samples of both rows become pairs of bytes about 0, in the order of kernel's step 1,
//     and VPMADDUBSW weighs them: words between the rows. Once more for the next sample,
//     and for the one before where samples lie midway.
//  2. Sums of these are the chroma of even and of odd pixels; no bit is lost up to here.
//  3. VPUNPCK of the two replaces kernel's step 3; all else is the same.
func (g *gen) between(s siting) string {
	n := g.symbol(s)
	TEXT(n, NOSPLIT, "func(d, y, ua, ub, va, vb *byte, n int, k *byte)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s converts a row with chroma between its samples.", n))
	par := func(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }
	d, y := par("d"), par("y")
	var u, v [2]reg.GPVirtual
	planes := 0
	if g.us > 0 {
		u = [2]reg.GPVirtual{par("ua"), par("ub")}
		planes = 1
		if g.layout.name != "Semi" && g.layout.name != "P010" {
			v = [2]reg.GPVirtual{par("va"), par("vb")}
			planes = 2
		}
	}
	left := par("n")
	g.k = par("k")
	g.held = map[int]reg.VecVirtual{}
	if g.vbmi {
		g.hold(kCY, kRV, kGU, kGV, kBU, kBR, kBG, kBB, kX80, kU, kV, kWeights, kY, kYH)
		if g.bpp == 4 {
			g.hold(kFF)
		} else {
			g.hold(kPack, kJoin)
			g.masks()
		}
		g.spread = K()
		t := GP64()
		MOVQ(U64(0xAAAAAAAAAAAAAAAA), t)
		KMOVQ(t, g.spread)
	} else {
		if g.layout.name == "Semi" || g.layout.name == "I010" {
			g.hold(kPerm)
		}
		if g.bpp == 3 {
			g.hold(kJoin)
		}
		if g.bits == 8 && g.us > 0 {
			g.hold(kWeights)
		}
	}

	block := g.bytes()
	step := g.us // bytes of a sample, of both in one plane
	if g.us == 0 {
		step = 4
	}
	Label(n + "_loop")
	var lo, hi [3]reg.VecVirtual
	var yl, yh reg.VecVirtual
	if g.us == 0 {
		var us, vs []reg.VecVirtual
		half := func(disp int) (yy reg.VecVirtual) {
			at := func(samples int) reg.VecVirtual { return g.transposed16(Mem{Base: y, Disp: disp + samples*step}) }
			p := at(0)
			yy = g.shuffle(kY, p)
			next := at(1)
			var before reg.VecVirtual
			if s == midway {
				before = at(-1)
			}
			var c [2]reg.VecVirtual
			for i, k := range [2]int{kU, kV} {
				here, far := g.shuffle(k, p), g.shuffle(k, next)
				if s == midway {
					// Even pixels look back, odd ones ahead.
					VPBLENDW(Imm(0xAA), far, g.shuffle(k, before), far)
					VPAVGW(here, far, far)
					VPAVGW(here, far, far)
				} else {
					VPAVGW(here, far, far)
					VPBLENDW(Imm(0xAA), far, here, far)
				}
				c[i] = g.flip(far)
			}
			us, vs = append(us, c[0]), append(vs, c[1])
			return yy
		}
		yl, yh = half(0), half(block)
		t := g.termsOf(us, vs)
		lo, hi = t[0], t[1]
	} else {
		var even, odd [2]reg.VecVirtual // of U and V
		here := g.chromaRows(u, v, 0)
		next := g.chromaRows(u, v, step)
		var before [2]reg.VecVirtual
		if s == midway {
			before = g.chromaRows(u, v, -step)
		}
		for i := range here {
			even[i], odd[i] = g.vec(), next[i]
			switch {
			case s == midway:
				VPADDW(here[i], here[i], even[i])
				VPADDW(here[i], even[i], even[i])
				VPADDW(even[i], next[i], odd[i])
				VPADDW(before[i], even[i], even[i])
			case g.bits == 8:
				VPADDW(here[i], here[i], even[i])
				VPADDW(here[i], next[i], odd[i])
			default:
				VPSLLW(Imm(2), here[i], even[i])
				VPADDW(here[i], next[i], odd[i])
				VPADDW(odd[i], odd[i], odd[i])
			}
		}
		var c [2][2]reg.VecVirtual // half, U and V
		for i := range even {
			c[0][i], c[1][i] = g.vec(), even[i]
			VPUNPCKLWD(odd[i], even[i], c[0][i])
			VPUNPCKHWD(odd[i], even[i], c[1][i])
		}
		t := g.termsOf([]reg.VecVirtual{c[0][0], c[1][0]}, []reg.VecVirtual{c[0][1], c[1][1]})
		lo, hi = t[0], t[1]
		yl, yh = g.luma(y)
	}
	g.pixels(yl, yh, lo, hi, d)
	ADDQ(U32(uint32(block*g.ys/2)), y)
	ADDQ(U32(uint32(block*g.bpp)), d)
	for _, p := range [][2]reg.GPVirtual{u, v}[:planes] {
		for i := range p {
			ADDQ(U32(uint32(block*g.us/2)), p[i])
		}
	}
	SUBQ(Imm(uint64(block)), left)
	JG(LabelRef(n + "_loop"))
	VZEROUPPER()
	RET()
	return n
}

// chromaRows returns U and V between two rows, from disp bytes on, as words.
func (g *gen) chromaRows(u, v [2]reg.GPVirtual, disp int) [2]reg.VecVirtual {
	weigh := func(pairs reg.VecVirtual) reg.VecVirtual {
		g.flip(pairs)
		VPMADDUBSW(pairs, g.held[kWeights], pairs)
		return pairs
	}
	// words weighs words about 0, of which 12 bits are left.
	words := func(p [2]reg.GPVirtual, disp int) reg.VecVirtual {
		var c [2]reg.VecVirtual
		for i := range c {
			c[i] = g.vec()
			g.load(Mem{Base: p[i], Disp: disp}, c[i])
			if g.layout.name == "I010" {
				VPSLLW(Imm(6), c[i], c[i])
			}
			g.flip(c[i])
			VPSRAW(Imm(4), c[i], c[i])
			VPMULLW(g.c([2]int{kWeights, kFar}[i]), c[i], c[i])
		}
		VPADDW(c[1], c[0], c[0])
		return c[0]
	}
	switch g.layout.name {
	case "Planar420":
		one := func(p [2]reg.GPVirtual) reg.VecVirtual {
			a, b := g.vec(), g.vec()
			if g.vbmi {
				VMOVDQU64(Mem{Base: p[0], Disp: disp}, a.AsY())
				VMOVDQU64(Mem{Base: p[1], Disp: disp}, b.AsY())
				VPERMT2B(b, g.held[kU], a)
				return weigh(a)
			}
			VBROADCASTI128(Mem{Base: p[0], Disp: disp}, a)
			VBROADCASTI128(Mem{Base: p[1], Disp: disp}, b)
			VPSHUFB(g.c(kU), a, a)
			VPSHUFB(g.c(kUFar), b, b)
			VPOR(b, a, a)
			return weigh(a)
		}
		return [2]reg.VecVirtual{one(u), one(v)}
	case "Semi":
		if g.vbmi {
			one := func(order int) reg.VecVirtual {
				a := g.vec()
				g.load(Mem{Base: u[0], Disp: disp}, a)
				VPERMT2B(Mem{Base: u[1], Disp: disp}, g.held[order], a)
				return weigh(a)
			}
			return [2]reg.VecVirtual{one(kU), one(kV)}
		}
		a, b := g.transposed(Mem{Base: u[0], Disp: disp}), g.transposed(Mem{Base: u[1], Disp: disp})
		one := func(near, far int) reg.VecVirtual {
			p := g.shuffle(near, a)
			VPOR(g.shuffle(far, b), p, p)
			return weigh(p)
		}
		return [2]reg.VecVirtual{one(kU, kUFar), one(kV, kVFar)}
	case "I010":
		one := func(p [2]reg.GPVirtual) reg.VecVirtual {
			c := words(p, disp)
			VPERMD(c, g.held[kPerm], c)
			return c
		}
		return [2]reg.VecVirtual{one(u), one(v)}
	case "P010":
		one := func(disp int) reg.VecVirtual {
			c := words(u, disp)
			VPERMQ(Imm(0xD8), c, c)
			return g.shuffle(kU, c)
		}
		a, b := one(disp), one(disp+32)
		uu := g.vec()
		VPUNPCKLQDQ(b, a, uu)
		VPUNPCKHQDQ(b, a, b)
		return [2]reg.VecVirtual{uu, b}
	}
	panic(g.layout.name)
}

// betweens generates all of them and returns Go that calls them by number. Calls by name
// keep what is passed from escaping to the heap.
func betweens() string {
	var names strings.Builder
	var calls []string
	fmt.Fprint(&names, "// betweenKernel returns the number of a kernel that interpolates chroma, and its block.\n"+
		"func betweenKernel(v Variant, k kind, midway bool, bpp int) (id, block int) {\n\tswitch {\n")
	for _, v := range []variant{{name: "AVX512VBMI", zmm: true, vbmi: true}, {name: "AVX2"}} {
		for _, l := range layouts {
			kinds := "k == kind" + l.name
			switch {
			case l.name == "Full" || l.name == "Planar422" || l.name == "SemiRow" || v.vbmi && l.name != "Semi" && l.name != "Planar420":
				continue
			case l.name == "Planar420": // a row at a time they are the same
				kinds = "(k == kindPlanar420 || k == kindPlanar422)"
			}
			for _, s := range []siting{onEven, midway} {
				for _, o := range []output{outputs[0], outputs[3]} {
					g := &gen{variant: v, layout: l, output: o}
					fmt.Fprintf(&names, "\tcase v >= %s && %s && %smidway && bpp == %d:\n\t\treturn %d, %d\n",
						v.name, kinds, map[bool]string{s == onEven: "!"}[true], o.bpp, len(calls), g.bytes())
					calls = append(calls, g.between(s))
				}
			}
		}
	}
	fmt.Fprint(&names, "\t}\n\treturn -1, 0\n}\n\n")
	fmt.Fprint(&names, "// runBetween calls a kernel by its number.\nfunc runBetween(id int, d, y, ua, ub, va, vb *byte, n int, k *byte) {\n\tswitch id {\n")
	for i, c := range calls {
		fmt.Fprintf(&names, "\tcase %d:\n\t\t%s(d, y, ua, ub, va, vb, n, k)\n", i, c)
	}
	fmt.Fprint(&names, "\t}\n}\n")
	return names.String()
}
