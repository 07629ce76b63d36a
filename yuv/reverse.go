package yuv

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Reverse turns RGB into YCbCr pictures.
// Concurrency: any number of goroutines at once; it is never written after NewReverse.
//
// A chroma sample is made from the mean of the pixels that share it (sited in their
// middle); at odd edges the last pixel counts twice. Alpha is ignored, so premultiplied
// pixels come out as over black.
type Reverse struct {
	cfg     Config
	variant Variant
	m       reverseModel
	uo, vo  int // bytes from the start of a chroma row to U and V
	steps   []reverseStep
}

// reverseModel holds coefficients at scale 2¹⁵. Luma is
//
//	Y = (R·yr + G·yg + B·yb + biasY) >> 15
//
// and chroma, from the sums of four pixels,
//
//	U = clamp((ΣR·ur + ΣG·ug + ΣB·ub + biasC) >> 17)
//
// Rows of coefficients sum to exactly full luma or to 0, so that grey stays grey.
type reverseModel struct {
	y, u, v [3]int16 // of R, G, B
	biasY   int32
}

const biasC = 128<<17 + 1<<16

func newReverseModel(m Matrix, r Range) reverseModel {
	kr, kb := m.krkb()
	sy, sc, black := 219.0/255, 224.0/255, int32(16)
	if r == Full {
		sy, sc, black = 1, 1, 0
	}
	q := func(c float64) int16 { return int16(math.Round(c * 32768)) }
	var x reverseModel
	x.y[0], x.y[2] = q(kr*sy), q(kb*sy)
	x.y[1] = int16(int32(math.Round(sy*32768)) - int32(x.y[0]) - int32(x.y[2]))
	// The largest coefficient is exactly ½ of the range, 2¹⁴ at most.
	x.u[0], x.u[2] = q(-kr/(2*(1-kb))*sc), q(sc/2)
	x.u[1] = -x.u[0] - x.u[2]
	x.v[0], x.v[2] = q(sc/2), q(-kb/(2*(1-kr))*sc)
	x.v[1] = -x.v[0] - x.v[2]
	x.biasY = black<<15 + 1<<14
	return x
}

func (m *reverseModel) luma(r, g, b byte) byte {
	return byte((int32(r)*int32(m.y[0]) + int32(g)*int32(m.y[1]) + int32(b)*int32(m.y[2]) + m.biasY) >> 15)
}

// chroma takes sums of four pixels.
func (m *reverseModel) chroma(r, g, b int32) (u, v byte) {
	c := func(k *[3]int16) byte {
		return byte(min(max((r*int32(k[0])+g*int32(k[1])+b*int32(k[2])+biasC)>>17, 0), 255))
	}
	return c(&m.u), c(&m.v)
}

// NewReverse returns a converter from cfg.To to cfg.From: RGBA or BGRA to I420, NV12 or
// NV21. NonTemporal is ignored, and chroma comes out as of ChromaCenter.
// Errors: ErrNotSupported for anything else.
func NewReverse(cfg Config) (*Reverse, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Chroma != ChromaNearest && cfg.Chroma != ChromaCenter {
		return nil, fmt.Errorf("yuv: %v to %v with %v chroma (center is possible): %w", cfg.To, cfg.From, cfg.Chroma, ErrNotSupported)
	}
	if cfg.To > BGRA || cfg.From != I420 && cfg.From != NV12 && cfg.From != NV21 {
		return nil, fmt.Errorf("yuv: %v to %v (RGBA and BGRA to I420, NV12 and NV21 are possible): %w", cfg.To, cfg.From, ErrNotSupported)
	}
	c := &Reverse{cfg: cfg, variant: cfg.Variant, m: newReverseModel(cfg.Matrix, cfg.Range)}
	if c.variant == Auto {
		c.variant = best()
	}
	if cfg.To == BGRA { // to the model, other coefficients
		for _, k := range []*[3]int16{&c.m.y, &c.m.u, &c.m.v} {
			k[0], k[2] = k[2], k[0]
		}
	}
	switch cfg.From {
	case NV12:
		c.vo = 1
	case NV21:
		c.uo = 1
	}
	c.steps = reverseSteps(c)
	return c, nil
}

// Config returns what the converter was made with.
func (c *Reverse) Config() Config { return c.cfg }

// Variant returns the implementation in use.
func (c *Reverse) Variant() Variant { return c.variant }

// Convert fills rows from ≤ y < to of dst. Row from is read at src[0:], the next one at
// src[stride:] and so on. Two rows share a row of chroma: from must be even, and to must
// be even or dst.Height.
// Errors: ErrGeometry, ErrOverlap; nothing is written then.
// Shape: any alignment; stride ≥ 4·dst.Width.
func (c *Reverse) Convert(dst *Picture, src []byte, stride, from, to int) error {
	if err := check(c.cfg.From, c.cfg.To, dst, src, stride, from, to); err != nil || from == to {
		return err
	}
	if from&1 == 1 || to&1 == 1 && to != dst.Height {
		return fmt.Errorf("yuv: rows %d to %d share chroma with others: %w", from, to, ErrGeometry)
	}
	g := c.cfg.From.geometry()
	w := dst.Width
	pv := g.planes - 1
	used := func(p int) []byte {
		rowBytes, rows := c.cfg.From.PlaneSize(p, w, dst.Height)
		return dst.Planes[p][:(rows-1)*dst.Stride[p]+rowBytes]
	}
	for a := range g.planes {
		for b := range a {
			if overlap(used(a), used(b)) {
				return fmt.Errorf("yuv: %s and %s: %w", planeNames[b], planeNames[a], ErrOverlap)
			}
		}
	}
	for y := from; y < to; y += 2 {
		s0 := src[(y-from)*stride:][:4*w]
		y0 := dst.Planes[0][y*dst.Stride[0]:][:w]
		s1, y1 := s0, y0
		if y+1 < to {
			s1 = src[(y+1-from)*stride:][:4*w]
			y1 = dst.Planes[0][(y+1)*dst.Stride[0]:][:w]
		}
		u := dst.Planes[1][y/2*dst.Stride[1]:]
		v := dst.Planes[pv][y/2*dst.Stride[pv]:]
		if x := c.vector(s0, s1, y0, y1, u, v, w); x < w {
			c.scalar(s0, s1, y0, y1, u, v, x, w, g.us)
		}
	}
	return nil
}

// reverseKernel converts n pixels, a multiple of its block, of two rows.
type reverseKernel func(s0, s1, y0, y1, u, v *byte, n int, k *byte)

type reverseStep struct {
	run   reverseKernel
	block int
	us    int // bytes of a chroma plane for two pixels
	k     *consts
}

func (c *Reverse) vector(s0, s1, y0, y1, u, v []byte, w int) int {
	for i := range c.steps {
		s := &c.steps[i]
		if w < s.block {
			continue
		}
		x := w &^ (s.block - 1)
		s.run(&s0[0], &s1[0], &y0[0], &y1[0], &u[0], &v[0], x, &s.k[0][0])
		if at := (w - s.block) &^ 1; at+s.block > x {
			uv := at / 2 * s.us
			s.run(&s0[4*at], &s1[4*at], &y0[at], &y1[at], &u[uv], &v[uv], s.block, &s.k[0][0])
			x = at + s.block
		}
		return x
	}
	return 0
}

// scalar converts columns x0 ≤ x < x1 of two rows; x0 is even.
func (c *Reverse) scalar(s0, s1, y0, y1, u, v []byte, x0, x1, us int) {
	u, v = u[c.uo:], v[c.vo:]
	m := c.m
	for x := x0; x < x1; x += 2 {
		next := 4 // at an odd right edge the pixel stands for its neighbour
		if x+1 == x1 {
			next = 0
		}
		var r, g, b int32
		for _, row := range [2]struct{ s, y []byte }{{s0, y0}, {s1, y1}} {
			p := binary.LittleEndian.Uint32(row.s[4*x:])
			q := binary.LittleEndian.Uint32(row.s[4*x+next:])
			row.y[x+next/4] = m.luma(byte(q), byte(q>>8), byte(q>>16))
			row.y[x] = m.luma(byte(p), byte(p>>8), byte(p>>16))
			r += int32(p&0xff + q&0xff)
			g += int32(p>>8&0xff + q>>8&0xff)
			b += int32(p>>16&0xff + q>>16&0xff)
		}
		u[x/2*us], v[x/2*us] = m.chroma(r, g, b)
	}
}
