package soft

import "encoding/binary"

// The scaling loops. A pixel's four bytes are spread over 16-bit lanes of a 64-bit word,
// so that one multiplication weighs all of them: a·(256−f) + b·f is computed as
// a·256 + (b−a)·f on the whole word. Borrows between lanes cancel out, because every
// lane of the sum lies in 0…65280.
const (
	evenBytes = 0x00ff00ff00ff00ff
	oddBytes  = 0xff00ff00ff00ff00
	halfEach  = 0x0080008000800080
)

// blend sets dst to a·(256−f)/256 + b·f/256, byte by byte. All have dst's length, a
// multiple of 4.
func blend(dst, a, b []byte, f uint32) {
	w := uint64(f)
	a, b = a[:len(dst)], b[:len(dst)]
	for len(dst) >= 16 && len(a) >= 16 && len(b) >= 16 {
		p, q := binary.LittleEndian.Uint64(a), binary.LittleEndian.Uint64(b)
		r, s := binary.LittleEndian.Uint64(a[8:]), binary.LittleEndian.Uint64(b[8:])
		binary.LittleEndian.PutUint64(dst, mix(p, q, w))
		binary.LittleEndian.PutUint64(dst[8:], mix(r, s, w))
		dst, a, b = dst[16:], a[16:], b[16:]
	}
	for len(dst) >= 4 && len(a) >= 4 && len(b) >= 4 {
		p, q := binary.LittleEndian.Uint32(a), binary.LittleEndian.Uint32(b)
		binary.LittleEndian.PutUint32(dst, uint32(mix(uint64(p), uint64(q), w)))
		dst, a, b = dst[4:], a[4:], b[4:]
	}
}

// mix blends eight bytes.
func mix(p, q, f uint64) uint64 {
	pe, qe := p&evenBytes, q&evenBytes
	po, qo := p>>8&evenBytes, q>>8&evenBytes
	e := pe<<8 + (qe-pe)*f + halfEach
	o := p&oddBytes + (qo-po)*f + halfEach
	return e>>8&evenBytes | o&oddBytes
}

// interp scales a row: pixel i of dst lies between two neighbours of src as a says. src
// has one pixel more than the indices of a.
func interp(dst, src []byte, a axis) {
	dst = dst[:4*len(a)]
	for i, v := range a {
		p := binary.LittleEndian.Uint64(src[v>>8*4:])
		e, o := p&evenBytes, p>>8&evenBytes
		l := e&0xffffffff | o<<32 // the left pixel's four bytes
		r := e>>32 | o>>32<<32    // the right one's
		s := (l<<8 + (r-l)*uint64(v&0xff) + halfEach) >> 8 & evenBytes
		binary.LittleEndian.PutUint32(dst[4*i:], uint32(s|s>>24))
	}
}

// pick fills dst with the samples that a names.
func pick(dst, src []byte, a axis) {
	dst = dst[:4*len(a)]
	for i, v := range a {
		binary.LittleEndian.PutUint32(dst[4*i:], binary.LittleEndian.Uint32(src[v>>8*4:]))
	}
}

// columns writes n rows of src, w pixels each, as columns of dst; flip writes them from
// right to left.
func columns(dst []byte, dstStride int, src []byte, srcStride, w, n int, flip bool) {
	for x := range w {
		d := dst[x*dstStride:][:4*n]
		s := src[4*x:]
		if flip {
			for i := n - 1; i >= 0; i-- {
				binary.LittleEndian.PutUint32(d[4*(n-1-i):], binary.LittleEndian.Uint32(s[i*srcStride:]))
			}
			continue
		}
		for i := range n {
			binary.LittleEndian.PutUint32(d[4*i:], binary.LittleEndian.Uint32(s[i*srcStride:]))
		}
	}
}

// fill paints a rectangle opaque black.
func fill(t *target, r rect) {
	if r.w <= 0 || r.h <= 0 {
		return
	}
	first := t.row(r.y)[4*r.x:][:4*r.w]
	for i := 0; i < len(first); i += 4 {
		first[i], first[i+1], first[i+2], first[i+3] = 0, 0, 0, 255
	}
	for y := r.y + 1; y < r.y+r.h; y++ {
		copy(t.row(y)[4*r.x:], first)
	}
}
