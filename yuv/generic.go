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
	bpp := c.cfg.To.bytesPerPixel()
	t, ys, us := c.t, c.g.ys, c.g.us
	d, y, u, v = d[x0*bpp:], y[x0*ys:], u[x0/2*us:], v[x0/2*us:]
	n := (x1 - x0) / 2
	if bpp == 4 && ys == 1 {
		t.pairs(d[:8*n], y[:2*n], u, v, us)
	} else {
		for i := range n {
			uv := t.u[u[i*us]] + t.v[v[i*us]]
			t.put(d[2*i*bpp:], bpp, t.y[y[2*i*ys]]+uv)
			t.put(d[(2*i+1)*bpp:], bpp, t.y[y[(2*i+1)*ys]]+uv)
		}
	}
	if (x1-x0)&1 == 1 {
		t.put(d[2*n*bpp:], bpp, t.y[y[2*n*ys]]+t.u[u[n*us]]+t.v[v[n*us]])
	}
}

// pairs is the common case: planar luma to four bytes. Blocks of fixed size spare checks
// of bounds, and a function of its own keeps everything in registers.
func (t *tables) pairs(d, y, u, v []byte, us int) {
	for len(y) >= 32 && len(d) >= 128 {
		if us == 1 && len(u) >= 16 && len(v) >= 16 {
			t.planar((*[128]byte)(d), (*[32]byte)(y), (*[16]byte)(u), (*[16]byte)(v))
		} else if us == 2 && len(u) >= 31 && len(v) >= 31 {
			t.semi((*[128]byte)(d), (*[32]byte)(y), (*[31]byte)(u), (*[31]byte)(v))
		} else {
			break
		}
		d, y, u, v = d[128:], y[32:], u[min(16*us, len(u)):], v[min(16*us, len(v)):]
	}
	for i := 0; 8*i+8 <= len(d); i++ {
		uv := t.u[u[i*us]] + t.v[v[i*us]]
		p, q := t.pixel(t.y[y[2*i]]+uv), t.pixel(t.y[y[2*i+1]]+uv)
		binary.LittleEndian.PutUint64(d[8*i:], uint64(p)|uint64(q)<<32|t.alpha)
	}
}

func (t *tables) planar(d *[128]byte, y *[32]byte, u, v *[16]byte) {
	for i := range 16 {
		uv := t.u[u[i]] + t.v[v[i]]
		p, q := t.pixel(t.y[y[2*i]]+uv), t.pixel(t.y[y[2*i+1]]+uv)
		binary.LittleEndian.PutUint64(d[8*i:8*i+8], uint64(p)|uint64(q)<<32|t.alpha)
	}
}

func (t *tables) semi(d *[128]byte, y *[32]byte, u, v *[31]byte) {
	for i := range 16 {
		uv := t.u[u[2*i]] + t.v[v[2*i]]
		p, q := t.pixel(t.y[y[2*i]]+uv), t.pixel(t.y[y[2*i+1]]+uv)
		binary.LittleEndian.PutUint64(d[8*i:8*i+8], uint64(p)|uint64(q)<<32|t.alpha)
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
		t.put(d[i*bpp:], bpp, t.y[s]+t.u[u[i]]+t.v[v[i]])
	}
}

// pixel clamps three sums into little-endian R G B 0.
func (t *tables) pixel(s uint64) uint32 {
	return uint32(t.clip[s>>6&(clipSize-1)]) | uint32(t.clip[s>>27&(clipSize-1)])<<8 | uint32(t.clip[s>>48&(clipSize-1)])<<16
}

func (t *tables) put(d []byte, bpp int, s uint64) {
	p := t.pixel(s)
	if bpp == 4 {
		binary.LittleEndian.PutUint32(d, p|0xff<<24)
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
	m := c.m
	var r, g, b int32
	for x := x0; x < x1; x++ {
		if x&1 == 0 {
			cu, cv := word(u, x/2*us)<<up, word(v, x/2*us)<<up
			r = term(cv, m.rv) + int32(m.br)
			g = term(cu, m.gu) + term(cv, m.gv) + int32(m.bg)
			b = term(cu, m.bu) + int32(m.bb)
		}
		l := m.luma(word(y, 2*x) << up)
		p, q, e := clamp8(l+r), clamp8(l+g), clamp8(l+b)
		if bpp == 4 {
			binary.LittleEndian.PutUint32(d[4*x:], uint32(p)|uint32(q)<<8|uint32(e)<<16|0xff<<24)
		} else {
			s := d[3*x : 3*x+3]
			s[0], s[1], s[2] = p, q, e
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
