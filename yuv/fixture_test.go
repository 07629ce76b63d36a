package yuv

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

// samples returns the chroma that pixel x, y belongs to, in 16 bits.
func samples(cfg Config, p *Picture, x, y int) [2]int {
	_, u, v, shift := codes(cfg, p, x, y)
	return [2]int{u << shift & 0xffff, v << shift & 0xffff}
}

// codes reads the samples of a pixel by their definition. Shifted left they have 16 bits.
func codes(cfg Config, p *Picture, x, y int) (yy, u, v, shift int) {
	g := cfg.From.geometry()
	cx, cy := x>>g.subX, y>>g.subY
	at := func(plane, row, i int) int {
		b := p.Planes[plane][row*p.Stride[plane]:]
		if g.bytes == 1 {
			return int(b[i])
		}
		return int(binary.LittleEndian.Uint16(b[2*i:]))
	}
	switch cfg.From {
	case NV12, P010:
		yy, u, v = at(0, y, x), at(1, cy, 2*cx), at(1, cy, 2*cx+1)
	case NV21:
		yy, u, v = at(0, y, x), at(1, cy, 2*cx+1), at(1, cy, 2*cx)
	case YUY2:
		yy, u, v = at(0, y, 2*x), at(0, y, 4*cx+1), at(0, y, 4*cx+3)
	case UYVY:
		yy, u, v = at(0, y, 2*x+1), at(0, y, 4*cx), at(0, y, 4*cx+2)
	default:
		yy, u, v = at(0, y, x), at(1, cy, cx), at(2, cy, cx)
	}
	shift = 8
	switch cfg.From {
	case I010:
		shift = 6
	case P010:
		shift = 0
	}
	return yy, u, v, shift
}

// reference converts pixel by pixel with the model.
func reference(cfg Config, p *Picture, x, y int) []byte {
	g := cfg.From.geometry()
	yy, u, v, shift := codes(cfg, p, x, y)
	if cfg.To == RGBA64 {
		m := newModel64(cfg.Matrix, cfg.Range)
		d := 6 - shift
		r, gg, b := m.rgb(int32(yy>>d&1023), int32(u>>d&1023), int32(v>>d&1023))
		return []byte{byte(r >> 8), byte(r), byte(gg >> 8), byte(gg), byte(b >> 8), byte(b), 255, 255}
	}
	m := newModel(cfg.Matrix, cfg.Range, g.bits)
	uu, vv := uint16(u<<shift), uint16(v<<shift)
	if cfg.Chroma != ChromaNearest {
		uu, vv = interpolated(cfg, p, x, y)
	}
	r, gg, b := m.rgb(uint16(yy<<shift), uu, vv)
	switch cfg.To {
	case BGRA:
		return []byte{b, gg, r, 255}
	case RGB24:
		return []byte{r, gg, b}
	case BGR24:
		return []byte{b, gg, r}
	}
	return []byte{r, gg, b, 255}
}

// interpolated returns the 16-bit chroma of pixel x, y: of all samples, weighed by how
// near they are.
func interpolated(cfg Config, p *Picture, x, y int) (u, v uint16) {
	g := cfg.From.geometry()
	along := func(i, size int, sub uint8, offset float64) (first int, weights [2]int) {
		if sub == 0 {
			return i, [2]int{4, 0}
		}
		pos := min(max((float64(i)-offset)/2, 0), float64((size+1)/2-1))
		f := pos - math.Floor(pos)
		return int(pos), [2]int{int(4 * (1 - f)), int(4 * f)}
	}
	ox := [chromas]float64{ChromaCenter: 0.5, ChromaTop: 0.5, ChromaBottom: 0.5}[cfg.Chroma]
	oy := [chromas]float64{ChromaLeft: 0.5, ChromaCenter: 0.5, ChromaBottomLeft: 1, ChromaBottom: 1}[cfg.Chroma]
	fx, wx := along(x, p.Width, g.subX, ox)
	fy, wy := along(y, p.Height, g.subY, oy)
	// Where a pixel's own samples are: nearest's business.
	nearest := cfg
	nearest.Chroma = ChromaNearest
	var sums [2]int
	for j, b := range wy {
		for i, a := range wx {
			if a*b == 0 {
				continue
			}
			for k, c := range samples(nearest, p, (fx+i)<<g.subX, (fy+j)<<g.subY) {
				sums[k] += a * b * ((c - 32768) >> 4)
			}
		}
	}
	return uint16(sums[0] + 32768), uint16(sums[1] + 32768)
}

// fills are contents that find other errors than random ones do.
var fills = map[string]func(r *rand.Rand, b []byte){
	"random": func(r *rand.Rand, b []byte) {
		for i := range b {
			b[i] = byte(r.Uint32())
		}
	},
	"black": func(_ *rand.Rand, b []byte) { clear(b) },
	"white": func(_ *rand.Rand, b []byte) {
		for i := range b {
			b[i] = 255
		}
	},
	"extremes": func(r *rand.Rand, b []byte) {
		for i := range b {
			b[i] = byte(r.Uint32()&1) * 255
		}
	},
	"stripes": func(_ *rand.Rand, b []byte) {
		for i := range b {
			b[i] = byte(i%3) * 127
		}
	},
}

// layOut makes a picture whose planes come from mem, with extra bytes in every stride.
func layOut(l Layout, w, h, extra int, mem func(plane, n int) []byte) *Picture {
	p := &Picture{Width: w, Height: h}
	for i := range 3 {
		rb, rows := l.PlaneSize(i, w, h)
		if rows == 0 {
			continue
		}
		p.Stride[i] = rb + extra
		p.Planes[i] = mem(i, (rows-1)*p.Stride[i]+rb)
	}
	return p
}

const canary = 0xA5

// verify compares dst with the reference, and what lies between its rows with canaries.
func verify(t *testing.T, cfg Config, p *Picture, dst []byte, stride, from, to int) bool {
	t.Helper()
	bpp := cfg.To.bytesPerPixel()
	for y := from; y < to; y++ {
		row := dst[(y-from)*stride:]
		for x := range p.Width {
			if got, want := row[x*bpp:][:bpp], reference(cfg, p, x, y); !bytes.Equal(got, want) {
				t.Errorf("%+v %dx%d: pixel %d,%d is %d, want %d", cfg, p.Width, p.Height, x, y, got, want)
				return false
			}
		}
		for i := p.Width * bpp; i < min(stride, len(row)); i++ {
			if row[i] != canary {
				t.Errorf("%+v %dx%d: byte %d after row %d was written", cfg, p.Width, p.Height, i-p.Width*bpp, y)
				return false
			}
		}
	}
	return true
}

func paint(b []byte) {
	for i := range b {
		b[i] = canary
	}
}

// conversions calls f for every pair that New accepts, with every variant, and with chroma
// on the samples, between them with every second one on a pixel, and midway.
func conversions(t *testing.T, f func(t *testing.T, cfg Config)) {
	for _, v := range Variants() {
		for _, l := range Layouts() {
			for _, p := range Packings() {
				for _, s := range []Chroma{ChromaNearest, ChromaLeft, ChromaCenter} {
					cfg := Config{From: l, To: p, Variant: v, Chroma: s}
					if g := l.geometry(); s != ChromaNearest && (g.subX+g.subY == 0 || v == AVX512) {
						continue // nothing to interpolate, or AVX2's kernels
					}
					if _, err := New(cfg); err != nil {
						if p != RGBA64 {
							t.Error(err)
						}
						continue
					}
					t.Run(v.String()+"/"+l.String()+"/"+p.String()+"/"+s.String(), func(t *testing.T) { f(t, cfg) })
				}
			}
		}
	}
}
