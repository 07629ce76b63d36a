package soft

import "encoding/binary"

// The scaling loops. Every second byte of a word gets a lane of 16 bits, so that one
// multiplication weighs four bytes; weights are 0…256, and a lane never exceeds 65408.
//
// Loads are written byte by byte, with one bounds check in front: the compiler makes one
// load of them, and no slice.
const (
	evenBytes = 0x00ff00ff00ff00ff
	oddBytes  = 0xff00ff00ff00ff00
	halfEach  = 0x0080008000800080
)

func load32(b []byte, i int) uint32 {
	_ = b[i+3]
	return uint32(b[i]) | uint32(b[i+1])<<8 | uint32(b[i+2])<<16 | uint32(b[i+3])<<24
}

func load64(b []byte, i int) uint64 {
	_ = b[i+7]
	return uint64(b[i]) | uint64(b[i+1])<<8 | uint64(b[i+2])<<16 | uint64(b[i+3])<<24 |
		uint64(b[i+4])<<32 | uint64(b[i+5])<<40 | uint64(b[i+6])<<48 | uint64(b[i+7])<<56
}

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
	g := 256 - f
	e := p&evenBytes*g + q&evenBytes*f + halfEach
	o := p>>8&evenBytes*g + q>>8&evenBytes*f + halfEach
	return e>>8&evenBytes | o&oddBytes
}

// lerp blends the two pixels of p. It takes a·(256−f) + b·f as a·256 + (b−a)·f on the
// whole word: borrows between lanes cancel out, because no lane of the sum is negative.
func lerp(p, f uint64) uint64 {
	e, o := p&evenBytes, p>>8&evenBytes
	l := e&0xffffffff | o<<32 // the left pixel's four bytes
	r := e>>32 | o>>32<<32    // the right one's
	s := (l<<8 + (r-l)*f + halfEach) >> 8 & evenBytes
	return (s | s>>24) & 0xffffffff
}

// interp scales a row: pixel i of dst lies between two neighbours of src as a says. src
// has one pixel more than the indices of a.
func interp(dst, src []byte, a axis) {
	dst = dst[:4*len(a)]
	for len(a) >= 2 && len(dst) >= 8 {
		p := lerp(load64(src, int(a[0]>>8)*4), uint64(a[0]&0xff))
		q := lerp(load64(src, int(a[1]>>8)*4), uint64(a[1]&0xff))
		binary.LittleEndian.PutUint64(dst, p|q<<32)
		a, dst = a[2:], dst[8:]
	}
	if len(a) > 0 {
		binary.LittleEndian.PutUint32(dst, uint32(lerp(load64(src, int(a[0]>>8)*4), uint64(a[0]&0xff))))
	}
}

// pick fills dst with the samples that a names.
func pick(dst, src []byte, a axis) {
	dst = dst[:4*len(a)]
	for len(a) >= 2 && len(dst) >= 8 {
		p, q := load32(src, int(a[0]>>8)*4), load32(src, int(a[1]>>8)*4)
		binary.LittleEndian.PutUint64(dst, uint64(p)|uint64(q)<<32)
		a, dst = a[2:], dst[8:]
	}
	if len(a) > 0 {
		binary.LittleEndian.PutUint32(dst, load32(src, int(a[0]>>8)*4))
	}
}

// columns writes n rows of src, w pixels each, as columns of dst; flip writes them from
// right to left. It goes in blocks whose lines of dst stay in the first-level cache.
func columns(dst []byte, dstStride int, src []byte, srcStride, w, n int, flip bool) {
	const block = 16
	for x0 := 0; x0 < w; x0 += block {
		x1 := min(x0+block, w)
		i := 0
		for ; i+2 <= n; i += 2 {
			first, second, at := i*srcStride, (i+1)*srcStride, 4*i
			if flip {
				first, second, at = second, first, 4*(n-2-i)
			}
			a, b := src[first+4*x0:first+4*x1], src[second+4*x0:second+4*x1]
			at += x0 * dstStride
			for len(a) >= 4 && len(b) >= 4 {
				p, q := binary.LittleEndian.Uint32(a), binary.LittleEndian.Uint32(b)
				binary.LittleEndian.PutUint64(dst[at:at+8], uint64(p)|uint64(q)<<32)
				at += dstStride
				a, b = a[4:], b[4:]
			}
		}
		if i < n { // one is left
			at := 4 * i
			if flip {
				at = 0
			}
			for x := x0; x < x1; x++ {
				binary.LittleEndian.PutUint32(dst[x*dstStride+at:], load32(src, i*srcStride+4*x))
			}
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
