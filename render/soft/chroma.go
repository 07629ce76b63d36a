package soft

import "github.com/scanout-av/scanout/media"

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
