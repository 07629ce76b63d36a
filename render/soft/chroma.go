package soft

import (
	"encoding/binary"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/yuv"
)

// siting is where luma samples lie between chroma samples, along one axis.
type siting struct {
	half bool // chroma is halved
	back int  // how far the first chroma sample lies behind the first luma sample, in quarters of a chroma sample
}

// sitings returns both axes: luma sample x lies at (x − offset)/2 among chroma samples.
func sitings(d *media.FormatInfo, l media.ChromaLocation) (x, y siting) {
	ox, oy := l.Offset()
	return siting{d.ChromaX > 0, int(2 * ox)}, siting{d.ChromaY > 0, int(2 * oy)}
}

// at returns the chroma sample before luma sample i of n chroma samples, and the weight of
// the next one in quarters.
func (s siting) at(i, n int) (index, next, f int) {
	if !s.half {
		return i, i, 0
	}
	q := 2*i - s.back
	index, f = q>>2, q&3
	return min(max(index, 0), n-1), min(max(index+1, 0), n-1), f
}

// smooth makes 8-bit pictures with subsampled chroma into rows of 4:4:4, chroma
// interpolated between its samples at their siting, and rounded once.
type smooth struct {
	x, y  siting
	conv  *yuv.Converter
	pic   yuv.Picture
	luma  []byte // for packed formats
	out   [2][]byte
	lanes []uint16 // a row of chroma between two rows, times 4, with its edges twice
}

func (s *smooth) configure(format media.PixelFormat, w int, c media.Color, cfg yuv.Config) error {
	cfg.From = yuv.I444
	conv, err := yuv.New(cfg)
	if err != nil {
		return err
	}
	*s = smooth{conv: conv, luma: make([]byte, w), lanes: make([]uint16, (w+1)/2+2)}
	s.x, s.y = sitings(format.Info(), c.Chroma)
	s.pic = yuv.Picture{Width: w, Height: 1}
	for i := range s.out {
		s.out[i] = make([]byte, w+1)
		s.pic.Planes[i+1] = s.out[i]
	}
	s.pic.Stride = [3]int{w, w, w}
	return nil
}

// row converts row y of f; g says where its samples lie.
func (s *smooth) row(dst []byte, stride int, f *media.Frame, g *general, y int) error {
	w := f.Width
	n, rows := (w+1)/2, f.Height
	if s.y.half {
		rows = (f.Height + 1) / 2
	}
	r0, r1, fy := s.y.at(y, rows)
	for i, ch := range [2]channel{g.u, g.v} {
		p := &f.Planes[ch.plane]
		a, b, start := p.Data[r0*p.Stride+ch.first:], p.Data[r1*p.Stride+ch.first:], 0
		if ch.step == 1 && s.x.back == 0 {
			start = widenLeft(s.out[i], a[:n], b[:n], uint64(fy))
		}
		if start < n {
			s.between(a[start*ch.step:], b[start*ch.step:], ch.step, n-start, uint16(fy))
			s.widen(s.out[i][2*start:], n-start)
		}
	}
	p := &f.Planes[0]
	luma := p.Data[y*p.Stride+g.y.first:]
	if g.y.step == 1 {
		s.pic.Planes[0] = luma
	} else {
		for x := range s.luma {
			s.luma[x] = luma[x*g.y.step]
		}
		s.pic.Planes[0] = s.luma
	}
	return s.conv.Convert(dst, stride, &s.pic, 0, 1)
}

// widenLeft writes two samples of dst for each sample of the row that lies f quarters from
// a to b: one on it and one midway to the next. It returns how many samples it did; it
// stops before the last one. Eight samples go at a time, every second one in the 16-bit
// lanes of a word, times 4.
func widenLeft(dst, a, b []byte, f uint64) (done int) {
	const two, four, pairs = 0x0002000200020002, 0x0004000400040004, 0x0000ffff0000ffff
	n := len(a)
	g := 4 - f
	for len(a) >= 9 && len(b) >= 9 && len(dst) >= 16 {
		p, q := binary.LittleEndian.Uint64(a), binary.LittleEndian.Uint64(b)
		even := p&evenBytes*g + q&evenBytes*f
		odd := p>>8&evenBytes*g + q>>8&evenBytes*f
		next := even>>16 | (uint64(a[8])*g+uint64(b[8])*f)<<48
		x := (even+two)>>2&evenBytes | (even+odd+four)>>3&evenBytes<<8 // samples 0, 0½, 2, 2½…
		y := (odd+two)>>2&evenBytes | (odd+next+four)>>3&evenBytes<<8  // 1, 1½, 3, 3½…
		xl, yl, xh, yh := x&0xffffffff, y&0xffffffff, x>>32, y>>32
		binary.LittleEndian.PutUint64(dst, (xl|xl<<16)&pairs|(yl|yl<<16)&pairs<<16)
		binary.LittleEndian.PutUint64(dst[8:], (xh|xh<<16)&pairs|(yh|yh<<16)&pairs<<16)
		dst, a, b = dst[16:], a[8:], b[8:]
	}
	return n - len(a)
}

// between fills lanes with n samples of the row that lies f quarters from a to b.
func (s *smooth) between(a, b []byte, step, n int, f uint16) {
	lanes := s.lanes[1 : n+1]
	if step == 1 {
		a, b = a[:n], b[:n]
		for i := range lanes {
			lanes[i] = uint16(a[i])*(4-f) + uint16(b[i])*f
		}
	} else {
		for i := range lanes {
			lanes[i] = uint16(a[i*step])*(4-f) + uint16(b[i*step])*f
		}
	}
	s.lanes[0], s.lanes[n+1] = s.lanes[1], s.lanes[n]
}

// widen writes two samples of dst for each of the n lanes.
func (s *smooth) widen(dst []byte, n int) {
	l := s.lanes[:n+2]
	dst = dst[:2*n] // a byte more than a row of odd width
	switch s.x.back {
	case 0: // on the even luma samples
		for i := range n {
			d := dst[2*i : 2*i+2]
			d[0], d[1] = byte((l[i+1]+2)>>2), byte((l[i+1]+l[i+2]+4)>>3)
		}
	default: // midway
		for i := range n {
			d := dst[2*i : 2*i+2]
			d[0], d[1] = byte((l[i]+3*l[i+1]+8)>>4), byte((3*l[i+1]+l[i+2]+8)>>4)
		}
	}
}

// chromaRow is row of general with chroma between its samples: for more than 8 bits and
// for matrices that package yuv lacks.
func (g *general) chromaRow(dst []byte, f *media.Frame, y int) {
	w := f.Width
	dst = dst[:4*w]
	ys := f.Planes[0].Data[y*f.Planes[0].Stride+g.y.first:]
	cw, ch := (w+1<<g.subX-1)>>g.subX, (f.Height+1<<g.subY-1)>>g.subY
	r0, r1, fy := g.sy.at(y, ch)
	pu, pv := &f.Planes[g.u.plane], &f.Planes[g.v.plane]
	u0, u1 := pu.Data[r0*pu.Stride+g.u.first:], pu.Data[r1*pu.Stride+g.u.first:]
	v0, v1 := pv.Data[r0*pv.Stride+g.v.first:], pv.Data[r1*pv.Stride+g.v.first:]
	for x := range w {
		c0, c1, fx := g.sx.at(x, cw)
		i, j := c0*g.u.step, c1*g.u.step
		u := (g.sample(u0, i)*(4-fx)+g.sample(u0, j)*fx)*(4-fy) + (g.sample(u1, i)*(4-fx)+g.sample(u1, j)*fx)*fy
		v := (g.sample(v0, i)*(4-fx)+g.sample(v0, j)*fx)*(4-fy) + (g.sample(v1, i)*(4-fx)+g.sample(v1, j)*fx)*fy
		g.putSixteenths(dst[4*x:], g.sample(ys, x*g.y.step), u, v)
	}
}

// putSixteenths is put with chroma times 16.
func (g *general) putSixteenths(d []byte, y, u, v int) {
	_ = d[3]
	a := (16*(g.m[0][0]*y+g.off[0]) + g.m[0][1]*u + g.m[0][2]*v) >> (fraction + 4)
	b := (16*(g.m[1][0]*y+g.off[1]) + g.m[1][1]*u + g.m[1][2]*v) >> (fraction + 4)
	c := (16*(g.m[2][0]*y+g.off[2]) + g.m[2][1]*u + g.m[2][2]*v) >> (fraction + 4)
	d[0], d[1], d[2], d[3] = byte(min(max(a, 0), 255)), byte(min(max(b, 0), 255)), byte(min(max(c, 0), 255)), 255
}
