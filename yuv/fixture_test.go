package yuv

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// reference converts pixel by pixel with the model, reading samples by their definition.
func reference(cfg Config, p *Picture, x, y int) []byte {
	g := cfg.From.geometry()
	cx, cy := x>>g.subX, y>>g.subY
	var yy, u, v int
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
	shift := 8
	switch cfg.From {
	case I010:
		shift = 6
	case P010:
		shift = 0
	}
	if cfg.To == RGBA64 {
		m := newModel64(cfg.Matrix, cfg.Range)
		d := 6 - shift
		r, gg, b := m.rgb(int32(yy>>d&1023), int32(u>>d&1023), int32(v>>d&1023))
		return []byte{byte(r >> 8), byte(r), byte(gg >> 8), byte(gg), byte(b >> 8), byte(b), 255, 255}
	}
	m := newModel(cfg.Matrix, cfg.Range, g.bits)
	r, gg, b := m.rgb(uint16(yy<<shift), uint16(u<<shift), uint16(v<<shift))
	return map[Packing][]byte{RGBA: {r, gg, b, 255}, BGRA: {b, gg, r, 255}, RGB24: {r, gg, b}, BGR24: {b, gg, r}}[cfg.To]
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

// conversions calls f for every pair that New accepts, with every variant.
func conversions(t *testing.T, f func(t *testing.T, cfg Config)) {
	for _, v := range Variants() {
		for _, l := range Layouts() {
			for _, p := range Packings() {
				cfg := Config{From: l, To: p, Variant: v}
				if _, err := New(cfg); err != nil {
					if p != RGBA64 {
						t.Error(err)
					}
					continue
				}
				t.Run(v.String()+"/"+l.String()+"/"+p.String(), func(t *testing.T) { f(t, cfg) })
			}
		}
	}
}
