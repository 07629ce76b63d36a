package yuv

import (
	"encoding/binary"
	"fmt"
)

// Chroma says how the pixels that share a chroma sample get their colour.
type Chroma uint8

// ChromaNearest gives all of them the sample's own colour. The others interpolate between
// the samples around a pixel, and differ in where samples lie among the two or four pixels
// that share one. At the edges the outermost samples count on.
// Source: ITU-T H.273, ChromaLocType 0 to 5 in this order.
const (
	ChromaNearest    Chroma = iota // wherever samples lie; the fastest, and what libyuv and image/draw do
	ChromaLeft                     // on the left pixels, midway between the rows: video that does not say otherwise
	ChromaCenter                   // in the middle: JPEG, MPEG-1, VP8
	ChromaTopLeft                  // on the top left pixel: UHD (BT.2020) video
	ChromaTop                      // midway between the upper pixels
	ChromaBottomLeft               // on the bottom left pixel
	ChromaBottom                   // midway between the lower pixels
	chromas
)

func (c Chroma) String() string {
	return name(int(c), "nearest", "left", "center", "topleft", "top", "bottomleft", "bottom")
}

// axis is where luma samples lie between chroma samples, along one direction.
type axis struct {
	half bool // chroma is halved
	back int  // how far the first chroma sample lies behind the first luma sample, in quarters of a chroma sample
}

// at returns the chroma samples before and after luma sample i, of n chroma samples, and
// the weight of the second in quarters.
func (a axis) at(i, n int) (before, after, f int) {
	if !a.half {
		return i, i, 0
	}
	q := 2*i - a.back
	before, f = q>>2, q&3
	return min(max(before, 0), n-1), min(max(before+1, 0), n-1), f
}

// between is how a Converter interpolates chroma.
//
// The model is that of pictures with a chroma sample for each pixel. It is fed with the
// sum of the four samples around the pixel, weighed in sixteenths and not rounded: 12 bits
// of a sample, with the middle subtracted, count.
type between struct {
	on   bool
	x, y axis
	step int // of betweenKernel, −1 for none
	pack int // pixels that it takes at a time
	k    [4]*consts
}

func newBetween(c *Converter) (between, error) {
	g, s := &c.g, c.cfg.Chroma
	if s == ChromaNearest || g.subX == 0 && g.subY == 0 {
		return between{}, nil
	}
	if c.cfg.To == RGBA64 {
		return between{}, fmt.Errorf("yuv: %v chroma to %v (8 bits are possible): %w", s, c.cfg.To, ErrNotSupported)
	}
	b := between{on: true, x: axis{g.subX == 1, 0}, y: axis{g.subY == 1, 1}, step: -1}
	switch s {
	case ChromaCenter, ChromaTop, ChromaBottom:
		b.x.back = 1
	}
	switch s {
	case ChromaTopLeft, ChromaTop:
		b.y.back = 0
	case ChromaBottomLeft, ChromaBottom:
		b.y.back = 2
	}
	b.vectors(c)
	return b, nil
}

// scratchSize holds the chroma of a kernel's block and a sample on either side, or a block
// of a packed layout.
const scratchSize = 32*4 + 2*4

// convertBetween is Convert with chroma between its samples. check has passed.
func (c *Converter) convertBetween(dst []byte, stride int, src *Picture, from, to int) {
	b, w := &c.between, src.Width
	us := c.g.us
	cw, ch := (w+int(c.g.subX))>>c.g.subX, (src.Height+int(c.g.subY))>>c.g.subY
	pu, pv := c.chromaPlanes()
	block, whole, done := b.pack, 0, 0 // columns in whole blocks, and columns that kernels convert
	if b.step >= 0 && w >= block {
		whole = w &^ (block - 1)
		done = max(whole, (w-block)&^1+block)
	}
	// Kernels read a sample after their last one, and where samples lie midway one before
	// their first. At the edges these are not the row's; pixels that they colour are
	// written again. Where nothing lies there, such blocks get theirs from a scratch.
	mid := b.x.back != 0
	head := 0
	if mid {
		head = block
	}
	inner := max(head, head+(2*(cw-1)-head)&^(block-1))
	var scratch [4][scratchSize]byte
	for y := from; y < to; y++ {
		r0, r1, f := b.y.at(y, ch)
		d, l := dst[(y-from)*stride:], src.Planes[0][y*src.Stride[0]:]
		rows := [4][]byte{src.Planes[pu][r0*src.Stride[pu]:], src.Planes[pu][r1*src.Stride[pu]:],
			src.Planes[pv][r0*src.Stride[pv]:], src.Planes[pv][r1*src.Stride[pv]:]}
		if done > 0 {
			k := &b.k[f][0][0]
			if end := (cw + 1) * us; len(rows[1]) >= end && len(rows[3]) >= end && (r0 > 0 || !mid) {
				c.runBetween(d, l, &rows, 0, whole, k)
				if done > whole {
					c.runBetween(d, l, &rows, done-block, block, k)
				}
				if mid {
					c.edgePixel(d, l, &rows, int32(f), 0)
				}
				if w&1 == 0 {
					c.edgePixel(d, l, &rows, int32(f), w-1)
				}
			} else {
				if inner > head {
					c.runBetween(d, l, &rows, head, inner-head, k)
				}
				if mid {
					c.edge(&scratch, d, l, &rows, 0, cw, k)
				}
				if done > inner {
					c.edge(&scratch, d, l, &rows, done-block, cw, k)
				}
			}
		}
		if done < w {
			c.scalarBetween(d, l, &rows, int32(f), done, w, cw)
		}
	}
}

// runBetween runs the kernel for n columns from x on.
func (c *Converter) runBetween(d, l []byte, rows *[4][]byte, x, n int, k *byte) {
	at := x / 2 * c.g.us
	runBetween(c.between.step, &d[x*c.cfg.To.bytesPerPixel()], &l[x*c.g.ys], &rows[0][at], &rows[1][at], &rows[2][at], &rows[3][at], n, k)
}

// edgePixel converts the first or the last pixel of a row, beyond which there is no sample.
func (c *Converter) edgePixel(d, y []byte, rows *[4][]byte, f int32, x int) {
	at := x / 2 * c.g.us
	u := c.sample(rows[0], at+c.uo)*(4-f) + c.sample(rows[1], at+c.uo)*f
	v := c.sample(rows[2], at+c.vo)*(4-f) + c.sample(rows[3], at+c.vo)*f
	c.putBetween(d, y[c.yo:], x, 4*u, 4*v)
}

// edge converts the block at column x, which is even, with a kernel that reads its chroma
// from a scratch. A packed layout's luma goes along.
func (c *Converter) edge(scratch *[4][scratchSize]byte, d, l []byte, rows *[4][]byte, x, cw int, k *byte) {
	b, us := &c.between, c.g.us
	n, first := b.pack/2, x/2-1
	var at [4]*byte
	planes := 1 << (c.g.planes - 1) // 1, 2 or 4 rows of samples
	for i := range planes {
		s, row := &scratch[i], rows[i]
		lo, hi := max(first, 0), min(first+n+2, cw)
		copy(s[(lo-first)*us:], row[lo*us:hi*us])
		if first < 0 {
			copy(s[:us], s[us:2*us])
		}
		if end := (hi - first) * us; hi < first+n+2 {
			copy(s[end:end+us], s[end-us:end])
		}
		at[i] = &s[us]
	}
	y := &l[x*c.g.ys]
	if planes == 1 {
		y = at[0]
	}
	runBetween(b.step, &d[x*c.cfg.To.bytesPerPixel()], y, at[0], at[1], at[2], at[3], b.pack, k)
}

// chunk is how many chroma samples the scalar code takes at a time.
const chunk = 64

// sums is chroma about 0 between two rows, in 14 bits, with a sample on either side.
type sums [chunk + 2]int32

// scalarBetween converts columns x0 ≤ x < x1 of one row, whose chroma lies f quarters from
// rows[0] to rows[1] (U), and from rows[2] to rows[3] (V).
func (c *Converter) scalarBetween(d, y []byte, rows *[4][]byte, f int32, x0, x1, cw int) {
	var u, v sums // of the chunk
	var cu, cv [2 * chunk]int32
	y = y[c.yo:]
	sub := c.g.subX
	for x := x0; x < x1; {
		first := x >> sub
		n := min(chunk, (x1-1)>>sub+1-first)
		c.sum(&u, rows[0], rows[1], c.uo, f, first, n, cw)
		c.sum(&v, rows[2], rows[3], c.vo, f, first, n, cw)
		c.widen(&cu, &u, n)
		c.widen(&cv, &v, n)
		skip := x - first<<sub
		end := min(x1, (first+n)<<sub)
		if c.g.bytes == 1 && c.g.ys == 1 && c.cfg.To.bytesPerPixel() == 4 {
			for ; x+16 <= end; x, skip = x+16, skip+16 {
				c.sixteen((*[64]byte)(d[4*x:]), (*[16]byte)(y[x:]), (*[16]int32)(cu[skip:]), (*[16]int32)(cv[skip:]))
			}
		}
		for ; x < end; x++ {
			c.putBetween(d, y, x, cu[x-first<<sub], cv[x-first<<sub])
		}
	}
}

// sum fills s with n samples from first on, and the ones before and after them.
func (c *Converter) sum(s *sums, a, b []byte, offset int, f int32, first, n, cw int) {
	us := c.g.us
	at := func(i int) int32 {
		o := min(max(i, 0), cw-1)*us + offset
		return c.sample(a, o)*(4-f) + c.sample(b, o)*f
	}
	s[0], s[n+1] = at(first-1), at(first+n)
	to := s[1 : n+1]
	if c.g.bytes > 1 {
		for i := range to {
			to[i] = at(first + i)
		}
		return
	}
	a, b = a[first*us+offset:], b[first*us+offset:]
	if us == 1 {
		b = b[:n]
		for i, x := range a[:n] {
			to[i] = (int32(x)*(4-f) + int32(b[i])*f - 512) << 4
		}
		return
	}
	for i := range to {
		to[i] = (int32(a[i*us])*(4-f) + int32(b[i*us])*f - 512) << 4
	}
}

// widen gives each pixel of n samples its chroma.
func (c *Converter) widen(to *[2 * chunk]int32, s *sums, n int) {
	from := s[:n+2]
	if !c.between.x.half {
		for i, x := range from[1 : n+1] {
			to[i] = 4 * x
		}
		return
	}
	before, here := from[0], from[1]
	mid := c.between.x.back != 0
	for i, next := range from[2:] {
		d := (*[2]int32)(to[2*i:])
		if mid {
			d[0], d[1] = before+3*here, 3*here+next
		} else {
			d[0], d[1] = 4*here, 2*(here+next)
		}
		before, here = here, next
	}
}

// sixteen is the common case: planar luma of 8 bits to four bytes.
func (c *Converter) sixteen(d *[64]byte, y *[16]byte, u, v *[16]int32) {
	t, m := c.t, &c.m
	for i, s := range y {
		r, b := product(v[i], m.rv), product(u[i], m.bu)
		g := product(u[i], m.gu) + product(v[i], m.gv)
		p := t.pixel(t.y[s] + t.bias + uint64(int64(r)+int64(g)<<21+int64(b)<<42))
		binary.LittleEndian.PutUint32(d[4*i:4*i+4], p|uint32(t.alpha))
	}
}

// putBetween writes pixel x, with chroma about 0.
func (c *Converter) putBetween(d, y []byte, x int, u, v int32) {
	m := &c.m
	l := m.luma(c.luma16(y, x))
	r := clamp8(l + product(v, m.rv) + int32(m.br))
	g := clamp8(l + product(u, m.gu) + product(v, m.gv) + int32(m.bg))
	b := clamp8(l + product(u, m.bu) + int32(m.bb))
	if c.cfg.To.bytesPerPixel() == 4 {
		binary.LittleEndian.PutUint32(d[4*x:], uint32(r)|uint32(g)<<8|uint32(b)<<16|0xff<<24)
	} else {
		p := d[3*x : 3*x+3]
		p[0], p[1], p[2] = r, g, b
	}
}

// sample returns 12 bits of the chroma sample at byte i, with the middle subtracted.
func (c *Converter) sample(b []byte, i int) int32 {
	if c.g.bytes == 1 {
		return int32(int8(b[i]^0x80)) << 4
	}
	s := word(b, i)
	if c.g.kind == kindI010 {
		s <<= 6
	}
	return int32(int16(s^0x8000)) >> 4
}

// luma16 returns luma sample x widened to 16 bits.
func (c *Converter) luma16(y []byte, x int) uint16 {
	if c.g.bytes == 1 {
		return uint16(y[x*c.g.ys]) << 8
	}
	s := word(y, 2*x)
	if c.g.kind == kindI010 {
		s <<= 6
	}
	return s
}

// chromaPlanes returns the planes of what the model takes for U and V.
func (c *Converter) chromaPlanes() (u, v int) {
	switch {
	case c.g.planes == 1:
		return 0, 0
	case c.g.planes == 2:
		return 1, 1
	case c.swap:
		return 2, 1
	}
	return 1, 2
}
