package yuv

import "encoding/binary"

// scalar converts columns x0 ≤ x < x1 of one row; x0 is even. d, y, u and v start at the
// row's first byte.
func (c *Converter) scalar(d, y, u, v []byte, x0, x1 int) {
	y, u, v = y[c.yo:], u[c.uo:], v[c.vo:]
	switch {
	case c.cfg.To == RGBA64:
		c.scalar64(d, y, u, v, x0, x1)
	case c.g.bits > 8:
		c.scalar16(d, y, u, v, x0, x1)
	case c.g.subX == 0:
		c.scalarFull(d, y, u, v, x0, x1)
	default:
		c.scalarHalf(d, y, u, v, x0, x1)
	}
}

// scalarHalf is for 8 bits and a chroma sample for two pixels.
func (c *Converter) scalarHalf(d, y, u, v []byte, x0, x1 int) {
	t := c.t
	bpp, ys, us := c.cfg.To.bytesPerPixel(), c.g.ys, c.g.us
	d, y, u, v = d[x0*bpp:], y[x0*ys:], u[x0/2*us:], v[x0/2*us:]
	i, iy, iu := 0, 0, 0
	for n := (x1 - x0) / 2; n > 0; n-- {
		a, b, e := t.rv[v[iu]], t.gu[u[iu]]+t.gv[v[iu]], t.bu[u[iu]]
		l, m := t.y[y[iy]], t.y[y[iy+ys]]
		p := t.pixel(l+a, l+b, l+e)
		q := t.pixel(m+a, m+b, m+e)
		if bpp == 4 {
			binary.LittleEndian.PutUint64(d[i:], uint64(p)|uint64(q)<<32)
		} else {
			s := d[i : i+6]
			s[0], s[1], s[2] = byte(p), byte(p>>8), byte(p>>16)
			s[3], s[4], s[5] = byte(q), byte(q>>8), byte(q>>16)
		}
		i += 2 * bpp
		iy += 2 * ys
		iu += us
	}
	if (x1-x0)&1 == 1 {
		l := t.y[y[iy]]
		t.put(d[i:], bpp, l+t.rv[v[iu]], l+t.gu[u[iu]]+t.gv[v[iu]], l+t.bu[u[iu]])
	}
}

// scalarFull is for 8 bits and a chroma sample for each pixel.
func (c *Converter) scalarFull(d, y, u, v []byte, x0, x1 int) {
	t := c.t
	bpp := c.cfg.To.bytesPerPixel()
	y = y[x0:x1]
	u, v = u[x0:][:len(y)], v[x0:][:len(y)]
	d = d[x0*bpp:]
	for i, s := range y {
		l := t.y[s]
		t.put(d[i*bpp:], bpp, l+t.rv[v[i]], l+t.gu[u[i]]+t.gv[v[i]], l+t.bu[u[i]])
	}
}

// pixel clamps three sums into a little-endian R G B A.
func (t *tables) pixel(a, b, e int32) uint32 {
	return uint32(t.clip[uint32(a>>6)%clipSize]) | uint32(t.clip[uint32(b>>6)%clipSize])<<8 |
		uint32(t.clip[uint32(e>>6)%clipSize])<<16 | 0xff<<24
}

func (t *tables) put(d []byte, bpp int, a, b, e int32) {
	p := t.pixel(a, b, e)
	if bpp == 4 {
		binary.LittleEndian.PutUint32(d, p)
	} else {
		_ = d[2]
		d[0], d[1], d[2] = byte(p), byte(p>>8), byte(p>>16)
	}
}

// scalar16 is for 16-bit samples, chroma halved across.
func (c *Converter) scalar16(d, y, u, v []byte, x0, x1 int) {
	bpp, us := c.cfg.To.bytesPerPixel(), c.g.us
	var up uint // brings 10 bits to the top
	if c.g.kind == kindI010 {
		up = 6
	}
	for x := x0; x < x1; x++ {
		i := x / 2 * us
		a, b, e := c.m.rgb(word(y, 2*x)<<up, word(u, i)<<up, word(v, i)<<up)
		if bpp == 4 {
			binary.LittleEndian.PutUint32(d[4*x:], uint32(a)|uint32(b)<<8|uint32(e)<<16|0xff<<24)
		} else {
			s := d[3*x : 3*x+3]
			s[0], s[1], s[2] = a, b, e
		}
	}
}

// scalar64 gives 16-bit RGB from 10-bit samples.
func (c *Converter) scalar64(d, y, u, v []byte, x0, x1 int) {
	us := c.g.us
	var down uint // brings 10 bits to the bottom
	if c.g.kind == kindP010 {
		down = 6
	}
	for x := x0; x < x1; x++ {
		i := x / 2 * us
		r, g, b := c.m64.rgb(int32(word(y, 2*x)>>down&1023), int32(word(u, i)>>down&1023), int32(word(v, i)>>down&1023))
		binary.BigEndian.PutUint64(d[8*x:], uint64(r)<<48|uint64(g)<<32|uint64(b)<<16|0xffff)
	}
}

func word(b []byte, i int) uint16 { return binary.LittleEndian.Uint16(b[i:]) }
