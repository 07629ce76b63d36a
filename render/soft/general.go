package soft

import (
	"encoding/binary"
	"math"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/yuv"
)

// general converts every format and matrix, with media.Conversion in fixed point. It is
// exact to the rounding and takes about 5 ns a pixel.
type general struct {
	format media.PixelFormat
	// m and off give 8-bit levels << 20 from codes; row 0 is the target's first byte.
	m   [3][3]int
	off [3]int
	// Where samples lie: plane, first byte and bytes to the next one.
	y, u, v   channel
	chroma    bool
	subX      uint
	sx, sy    siting // with chroma between its samples
	subY      uint
	shift     uint // of a 16-bit word
	wide      bool // 16-bit samples
	identity  bool // RGB as it is
	swap      bool // RGB bytes change places
	blueFirst bool // in the target
}

type channel struct{ plane, first, step int }

const fraction = 20

func (g *general) configure(format media.PixelFormat, c media.Color, to yuv.Packing) {
	d := format.Info()
	*g = general{format: format, subX: uint(d.ChromaX), subY: uint(d.ChromaY), shift: uint(d.Shift),
		wide: d.SampleBytes == 2, chroma: d.Planes > 1 || d.Components[0] == 2}
	g.sx, g.sy = sitings(d, c.Chroma)
	cv := c.Conversion(d.BitDepth)
	codes := float64(int(1)<<d.BitDepth - 1)
	for i := range 3 {
		row := i
		if to == yuv.BGRA {
			row = 2 - i
		}
		for k := range 3 {
			g.m[i][k] = int(math.Round(cv.M[row][k] * 255 / codes * (1 << fraction)))
		}
		g.off[i] = int(math.Round((cv.Offset[row]*255 + 0.5) * (1 << fraction)))
	}
	switch {
	case format == media.YUYV:
		g.y, g.u, g.v = channel{0, 0, 2}, channel{0, 1, 4}, channel{0, 3, 4}
	case format == media.UYVY:
		g.y, g.u, g.v = channel{0, 1, 2}, channel{0, 0, 4}, channel{0, 2, 4}
	case d.Planes == 2:
		b := d.SampleBytes
		g.y, g.u, g.v = channel{0, 0, b}, channel{1, 0, 2 * b}, channel{1, b, 2 * b}
		if format == media.NV21 {
			g.u.first, g.v.first = b, 0
		}
	default:
		b := d.SampleBytes
		g.y, g.u, g.v = channel{0, 0, b}, channel{1, 0, b}, channel{2, 0, b}
	}
	g.blueFirst = to == yuv.BGRA
	g.identity = d.RGB && c.Range != media.RangeLimited
	g.swap = (format == media.BGRA) != (to == yuv.BGRA)
}

// row converts row y of a YCbCr frame.
func (g *general) row(dst []byte, f *media.Frame, y int) {
	w := f.Width
	dst = dst[:4*w]
	ys := f.Planes[0].Data[y*f.Planes[0].Stride+g.y.first:]
	if !g.chroma {
		us := 1 << (g.format.Info().BitDepth - 1)
		for x := range w {
			g.put(dst[4*x:], g.sample(ys, x*g.y.step), us, us)
		}
		return
	}
	cy := y >> g.subY
	us := f.Planes[g.u.plane].Data[cy*f.Planes[g.u.plane].Stride+g.u.first:]
	vs := f.Planes[g.v.plane].Data[cy*f.Planes[g.v.plane].Stride+g.v.first:]
	for x := range w {
		cx := x >> g.subX
		g.put(dst[4*x:], g.sample(ys, x*g.y.step), g.sample(us, cx*g.u.step), g.sample(vs, cx*g.v.step))
	}
}

func (g *general) sample(b []byte, i int) int {
	if g.wide {
		return int(binary.LittleEndian.Uint16(b[i:]) >> g.shift)
	}
	return int(b[i])
}

func (g *general) put(d []byte, y, u, v int) {
	_ = d[3]
	a := (g.m[0][0]*y + g.m[0][1]*u + g.m[0][2]*v + g.off[0]) >> fraction
	b := (g.m[1][0]*y + g.m[1][1]*u + g.m[1][2]*v + g.off[1]) >> fraction
	c := (g.m[2][0]*y + g.m[2][1]*u + g.m[2][2]*v + g.off[2]) >> fraction
	d[0], d[1], d[2], d[3] = byte(min(max(a, 0), 255)), byte(min(max(b, 0), 255)), byte(min(max(c, 0), 255)), 255
}

// rgbRow converts a row of an RGB format.
func (g *general) rgbRow(dst, src []byte, w int) {
	dst = dst[:4*w]
	switch {
	case g.format == media.RGBA64:
		src = src[:8*w]
		for x := range w {
			p := binary.LittleEndian.Uint64(src[8*x:])
			g.put(dst[4*x:], int(p&0xffff), int(p>>16&0xffff), int(p>>32&0xffff))
		}
	case g.format == media.RGB24 && !g.identity:
		src = src[:3*w]
		for x := range w {
			g.put(dst[4*x:], int(src[3*x]), int(src[3*x+1]), int(src[3*x+2]))
		}
	case g.format == media.RGB24:
		src = src[:3*w]
		r, b := 0, 2
		if g.blueFirst {
			r, b = 2, 0
		}
		for x := range w {
			s, d := src[3*x:3*x+3], dst[4*x:4*x+4]
			d[0], d[1], d[2], d[3] = s[r], s[1], s[b], 255
		}
	case !g.identity:
		src = src[:4*w]
		r, b := 0, 2
		if g.format == media.BGRA {
			r, b = 2, 0
		}
		for x := range w {
			s := src[4*x : 4*x+4]
			g.put(dst[4*x:], int(s[r]), int(s[1]), int(s[b]))
		}
	case g.swap:
		src = src[:4*w]
		for i := 0; i+4 <= len(src); i += 4 {
			p := binary.LittleEndian.Uint32(src[i:])
			binary.LittleEndian.PutUint32(dst[i:], p&0xff00|p>>16&0xff|p&0xff<<16|0xff<<24)
		}
	default:
		src = src[:4*w]
		for i := 0; i+4 <= len(src); i += 4 {
			binary.LittleEndian.PutUint32(dst[i:], binary.LittleEndian.Uint32(src[i:])|0xff<<24)
		}
	}
}
