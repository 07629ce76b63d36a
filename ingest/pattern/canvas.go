package pattern

import (
	"math"

	"github.com/scanout-av/scanout/media"
)

// ycc is a colour in sample words: codes at the bit depth, shifted to where the format
// keeps them.
type ycc struct{ y, u, v uint16 }

// palette turns R'G'B' into sample words.
type palette struct {
	color      media.Color
	bits       int
	shift      int
	kr, kb     float64
	scale, off [2]float64 // of luma and chroma
}

func newPalette(c media.Color, d *media.FormatInfo) palette {
	p := palette{color: c, bits: d.BitDepth, shift: d.Shift}
	p.kr, p.kb = c.Matrix.KrKb()
	one, top := math.Exp2(float64(p.bits-8)), math.Exp2(float64(p.bits))-1
	p.scale, p.off = [2]float64{219 * one, 224 * one}, [2]float64{16 * one, 128 * one}
	if c.Range == media.RangeFull {
		p.scale, p.off[0] = [2]float64{top, top}, 0
	}
	if c.Matrix == media.MatrixYCgCo {
		p.scale[1] = p.scale[0]
	}
	return p
}

// rgb encodes one colour.
// Source: ITU-T H.273 section 8.3.
func (p *palette) rgb(r, g, b float64) ycc {
	var y, u, v float64
	if p.color.Matrix == media.MatrixYCgCo {
		y, u, v = 0.5*g+0.25*(r+b), 0.5*g-0.25*(r+b), 0.5*(r-b)
	} else {
		y = p.kr*r + (1-p.kr-p.kb)*g + p.kb*b
		u, v = 0.5*(b-y)/(1-p.kb), 0.5*(r-y)/(1-p.kr)
	}
	return ycc{p.word(p.scale[0]*y + p.off[0]), p.word(p.scale[1]*u + p.off[1]), p.word(p.scale[1]*v + p.off[1])}
}

func (p *palette) gray(v float64) ycc { return p.rgb(v, v, v) }

func (p *palette) word(code float64) uint16 {
	code = min(max(math.Round(code), 0), math.Exp2(float64(p.bits))-1)
	return uint16(code) << p.shift
}

// canvas paints rectangles into a frame. Rectangles lie inside the picture; those that
// have a colour begin at even coordinates, so that they own their chroma samples.
type canvas struct {
	f *media.Frame
	d *media.FormatInfo
}

// rect is a part of the picture, in luma samples.
type rect struct{ x, y, w, h int }

func (r rect) empty() bool { return r.w <= 0 || r.h <= 0 }

// repeat fills b with copies of its first n bytes.
func repeat(b []byte, n int) {
	for n < len(b) {
		n += copy(b[n:], b[:n])
	}
}

// fillPlane fills rows of n bytes from (xb, y) of a plane with the unit bytes of w.
func fillPlane(p *media.Plane, xb, y, n, rows int, w [4]byte, unit int) {
	if n <= 0 || rows <= 0 {
		return
	}
	first := p.Data[y*p.Stride+xb:][:n]
	copy(first, w[:unit])
	repeat(first, unit)
	for i := y + 1; i < y+rows; i++ {
		copy(p.Data[i*p.Stride+xb:][:n], first)
	}
}

func (c *canvas) luma(r rect, v uint16) {
	fillPlane(&c.f.Planes[0], r.x*c.d.SampleBytes, r.y, r.w*c.d.SampleBytes, r.h,
		[4]byte{byte(v), byte(v >> 8)}, c.d.SampleBytes)
}

// chromaRect is r in chroma samples.
func (c *canvas) chromaRect(r rect) rect {
	x, y := r.x>>c.d.ChromaX, r.y>>c.d.ChromaY
	return rect{x, y,
		(r.x+r.w+1<<c.d.ChromaX-1)>>c.d.ChromaX - x, (r.y+r.h+1<<c.d.ChromaY-1)>>c.d.ChromaY - y}
}

func (c *canvas) chroma(r rect, u, v uint16) {
	r = c.chromaRect(r)
	s := c.d.SampleBytes
	switch c.d.Planes {
	case 2:
		if c.f.Format == media.NV21 {
			u, v = v, u
		}
		w := [4]byte{byte(u), byte(v)}
		if s == 2 {
			w = [4]byte{byte(u), byte(u >> 8), byte(v), byte(v >> 8)}
		}
		fillPlane(&c.f.Planes[1], r.x*2*s, r.y, r.w*2*s, r.h, w, 2*s)
	case 3:
		fillPlane(&c.f.Planes[1], r.x*s, r.y, r.w*s, r.h, [4]byte{byte(u), byte(u >> 8)}, s)
		fillPlane(&c.f.Planes[2], r.x*s, r.y, r.w*s, r.h, [4]byte{byte(v), byte(v >> 8)}, s)
	}
}

func (c *canvas) fill(r rect, v ycc) {
	c.luma(r, v.y)
	c.chroma(r, v.u, v.v)
}

// put writes one luma sample.
func (c *canvas) put(x, y int, v uint16) {
	p := &c.f.Planes[0]
	i := y*p.Stride + x*c.d.SampleBytes
	p.Data[i] = byte(v)
	if c.d.SampleBytes == 2 {
		p.Data[i+1] = byte(v >> 8)
	}
}

// at reads one luma sample.
func (c *canvas) at(x, y int) uint16 {
	p := &c.f.Planes[0]
	i := y*p.Stride + x*c.d.SampleBytes
	v := uint16(p.Data[i])
	if c.d.SampleBytes == 2 {
		v |= uint16(p.Data[i+1]) << 8
	}
	return v
}

// columns paints r so that column x (from 0) has the colour at(x).
func (c *canvas) columns(r rect, at func(x int) ycc) {
	if r.empty() {
		return
	}
	for x := range r.w {
		col := at(x)
		c.put(r.x+x, r.y, col.y)
		if (r.x+x)&(1<<c.d.ChromaX-1) == 0 {
			c.chroma(rect{r.x + x, r.y, 1, 1}, col.u, col.v)
		}
	}
	copyRows := func(p *media.Plane, xb, y, n, rows int) {
		for i := 1; i < rows; i++ {
			copy(p.Data[(y+i)*p.Stride+xb:][:n], p.Data[y*p.Stride+xb:][:n])
		}
	}
	s := c.d.SampleBytes
	copyRows(&c.f.Planes[0], r.x*s, r.y, r.w*s, r.h)
	cr := c.chromaRect(r)
	for p := 1; p < c.d.Planes; p++ {
		n := s * c.d.Components[1]
		copyRows(&c.f.Planes[p], cr.x*n, cr.y, cr.w*n, cr.h)
	}
}
