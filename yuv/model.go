package yuv

import "math"

// The model: the arithmetic that defines every output byte. All variants compute
// exactly this.
//
// A sample is widened to 16 bits, so that 8-bit code c is c·256 and 10-bit code c is
// c·64; chroma is taken relative to its middle. With everything at scale 64:
//
//	luma(y)     = y·cy >> 16                  truncated, unsigned
//	term(c, k)  = (c·k + 0x4000) >> 15        rounded, signed
//	R = clamp((luma + term(v, rv) + br) >> 6)
//	G = clamp((luma + term(u, gu) + term(v, gv) + bg) >> 6)
//	B = clamp((luma + term(u, bu) + bb) >> 6)
//
// The biases hold −black, the rounding of >> 6 and half a step for luma's truncation.
// Sums beyond 16 bits saturate in vector registers; they clamp to 255 in either case.
type model struct {
	cy             uint16
	rv, gu, gv, bu int16
	br, bg, bb     int16
}

func newModel(m Matrix, r Range, bits int) model {
	kr, kb := m.krkb()
	kg := 1 - kr - kb
	// Output levels per 1/256 of a 16-bit sample.
	sy, sc, black, trunc := 255.0/219, 255.0/224, 16.0, 0.5
	if r == Full {
		sy = 255 * float64(int(1)<<(bits-8)) / float64(int(1)<<bits-1)
		sc, black = sy, 0
		if bits == 8 {
			trunc = 0
		}
	}
	q := func(c float64) int16 { return int16(math.Round(c * sc * 8192)) }
	bias := int16(math.Round(32 - 64*sy*black + trunc))
	return model{
		cy: uint16(math.Round(sy * 16384)),
		rv: q(2 * (1 - kr)),
		gu: q(-2 * (1 - kb) * kb / kg),
		gv: q(-2 * (1 - kr) * kr / kg),
		bu: q(2 * (1 - kb)),
		br: bias, bg: bias, bb: bias,
	}
}

// swapped is m with red and blue exchanged: fed with exchanged chroma it gives B, G, R.
func (m model) swapped() model {
	m.rv, m.bu = m.bu, m.rv
	m.gu, m.gv = m.gv, m.gu
	m.br, m.bb = m.bb, m.br
	return m
}

func (m *model) luma(y uint16) int32 { return int32(uint32(y) * uint32(m.cy) >> 16) }

func term(c uint16, k int16) int32 { return product(int32(int16(c^0x8000)), k) }

// product is term with chroma about 0.
func product(c int32, k int16) int32 { return (c*int32(k) + 0x4000) >> 15 }

func clamp8(x int32) uint8 { return uint8(min(max(x>>6, 0), 255)) }

// rgb converts one pixel of 16-bit samples.
func (m *model) rgb(y, u, v uint16) (r, g, b uint8) {
	l := m.luma(y)
	return clamp8(l + term(v, m.rv) + int32(m.br)),
		clamp8(l + term(u, m.gu) + term(v, m.gv) + int32(m.bg)),
		clamp8(l + term(u, m.bu) + int32(m.bb))
}

// clipSize and clipZero: every sum that the model can reach, >> 6, lies in the table.
const (
	clipSize = 1024
	clipZero = 384
)

// tables are the model for 8-bit samples, value by value. An entry holds what the sample
// adds to all three sums, 21 bits apart, so that one addition serves three: negative
// parts borrow from their neighbours and the total gives it back.
type tables struct {
	y, u, v [256]uint64
	clip    [clipSize]uint8
	bias    uint64 // what u and v hold of it
	alpha   uint64 // of two pixels; as a constant the compiler would store it by itself
}

func newTables(m *model) *tables {
	t := &tables{alpha: 0xff000000ff000000}
	sums := func(a, b, c int32) uint64 { return uint64(int64(a) + int64(b)<<21 + int64(c)<<42) }
	t.bias = sums(int32(m.br), int32(m.bg), int32(m.bb))
	for i := range 256 {
		s := uint16(i) << 8
		l := m.luma(s) + clipZero<<6
		t.y[i] = sums(l, l, l)
		t.u[i] = sums(0, term(s, m.gu)+int32(m.bg), term(s, m.bu)+int32(m.bb))
		t.v[i] = sums(term(s, m.rv)+int32(m.br), term(s, m.gv), 0)
	}
	for i := range t.clip {
		t.clip[i] = uint8(min(max(i-clipZero, 0), 255))
	}
	return t
}

// model64 gives 16-bit RGB. It keeps 12 bits of fraction, in 32.
type model64 struct {
	cy             int32
	rv, gu, gv, bu int32
	bias           int32
}

// newModel64 is for samples whose 10 bits lie at the bottom.
func newModel64(m Matrix, r Range) model64 {
	kr, kb := m.krkb()
	kg := 1 - kr - kb
	sy, sc, black := 65535.0/876, 65535.0/896, 64.0
	if r == Full {
		sy, sc, black = 65535.0/1023, 65535.0/1023, 0
	}
	q := func(c float64) int32 { return int32(math.Round(c * 4096)) }
	return model64{
		cy: q(sy), rv: q(2 * (1 - kr) * sc), gu: q(-2 * (1 - kb) * kb / kg * sc),
		gv: q(-2 * (1 - kr) * kr / kg * sc), bu: q(2 * (1 - kb) * sc),
		bias: 2048 - q(sy*black),
	}
}

func clamp16(x int32) uint16 { return uint16(min(max(x>>12, 0), 65535)) }

func (m *model64) rgb(y, u, v int32) (r, g, b uint16) {
	l := y*m.cy + m.bias
	u -= 512
	v -= 512
	return clamp16(l + v*m.rv), clamp16(l + u*m.gu + v*m.gv), clamp16(l + u*m.bu)
}
