package av1

import "github.com/scanout-av/scanout/decode/bitstream"

// Sizes of global motion parameters (3).
const (
	gmAbsAlphaBits      = 12
	gmAlphaPrecBits     = 15
	gmAbsTransOnlyBits  = 9
	gmTransOnlyPrecBits = 3
	gmAbsTransBits      = 12
	gmTransPrecBits     = 6
)

var gmDefaults = [6]int32{2: 1 << warpedModelPrec, 5: 1 << warpedModelPrec}

// parseGlobalMotion is 5.9.24.
func (f *Frame) parseGlobalMotion(r *headerParser) {
	for i := range f.GlobalMotion {
		f.GlobalMotion[i] = gmDefaults
	}
	if f.Intra() {
		return
	}
	prev := &f.GlobalMotion // setup_past_independence
	if p := f.previous(r); p != nil {
		prev = &p.gm
	}
	for ref := LastFrame; ref <= AltrefFrame; ref++ {
		kind := GmIdentity
		if r.Flag() {
			switch {
			case r.Flag():
				kind = GmRotZoom
			case r.Flag():
				kind = GmTranslation
			default:
				kind = GmAffine
			}
		}
		f.GmType[ref] = uint8(kind)
		g, p := &f.GlobalMotion[ref], prev[ref]
		if kind >= GmRotZoom {
			f.globalParam(r, kind, g, &p, 2)
			f.globalParam(r, kind, g, &p, 3)
			if kind == GmAffine {
				f.globalParam(r, kind, g, &p, 4)
				f.globalParam(r, kind, g, &p, 5)
			} else {
				g[4], g[5] = -g[3], g[2]
			}
		}
		if kind >= GmTranslation {
			f.globalParam(r, kind, g, &p, 0)
			f.globalParam(r, kind, g, &p, 1)
		}
	}
}

// globalParam is 5.9.25.
func (f *Frame) globalParam(r *headerParser, kind int, g, prev *[6]int32, idx int) {
	abs, prec := gmAbsAlphaBits, gmAlphaPrecBits
	if idx < 2 {
		abs, prec = gmAbsTransBits, gmTransPrecBits
		if kind == GmTranslation {
			abs, prec = gmAbsTransOnlyBits, gmTransOnlyPrecBits
			if !f.AllowHighPrecisionMv {
				abs, prec = abs-1, prec-1
			}
		}
	}
	diff := warpedModelPrec - prec
	round, sub := 0, 0
	if idx%3 == 2 {
		round, sub = 1<<warpedModelPrec, 1<<prec
	}
	mx := 1 << abs
	ref := int(prev[idx])>>diff - sub
	g[idx] = int32(signedSubexp(&r.Reader, -mx, mx+1, ref)<<diff + round)
}

// signedSubexp is decode_signed_subexp_with_ref (5.9.26).
func signedSubexp(r *bitstream.Reader, low, high, ref int) int {
	mx, ref := high-low, ref-low
	v := subexp(r, mx)
	if ref<<1 <= mx {
		v = inverseRecenter(ref, v)
	} else {
		v = mx - 1 - inverseRecenter(mx-1-ref, v)
	}
	return v + low
}

// subexp is decode_subexp (5.9.28).
func subexp(r *bitstream.Reader, symbols int) int {
	const k = 3
	mk := 0
	for i := 0; ; i++ {
		b := k
		if i > 0 {
			b = k + i - 1
		}
		if a := 1 << b; symbols <= mk+3*a {
			return ns(r, symbols-mk) + mk
		} else if !r.Flag() {
			return int(r.U(b)) + mk
		} else {
			mk += a
		}
	}
}

// inverseRecenter is 5.9.29.
func inverseRecenter(r, v int) int {
	switch {
	case v > 2*r:
		return v
	case v&1 != 0:
		return r - (v+1)>>1
	}
	return r + v>>1
}
