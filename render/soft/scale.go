package soft

import "encoding/binary"

// The scaling loops. Every second byte of a word gets a lane of 16 bits, so that one
// multiplication weighs four bytes; weights are 0…256, and a lane never exceeds 65408.
const (
	evenBytes = 0x00ff00ff00ff00ff
	oddBytes  = 0xff00ff00ff00ff00
	halfEach  = 0x0080008000800080
	lowHalf   = 0x00000000ffffffff
	highHalf  = 0xffffffff00000000
)

// mix blends eight bytes.
func mix(p, q, f uint64) uint64 {
	even, odd := mixLanes(p, q, f)
	return even | odd<<8
}

func mixLanes(p, q, f uint64) (even, odd uint64) {
	g := 256 - f
	even = p&evenBytes*g + q&evenBytes*f + halfEach
	odd = p>>8&evenBytes*g + q>>8&evenBytes*f + halfEach
	return even >> 8 & evenBytes, odd >> 8 & evenBytes
}

// blend sets dst to a·(256−f)/256 + b·f/256, byte by byte. All have dst's length, a
// multiple of 4.
func blend(dst, a, b []byte, f uint32) {
	w := uint64(f)
	a, b = a[:len(dst)], b[:len(dst)]
	for len(dst) >= 32 && len(a) >= 32 && len(b) >= 32 {
		le, d, p, q := binary.LittleEndian, (*[32]byte)(dst), (*[32]byte)(a), (*[32]byte)(b)
		le.PutUint64(d[0:], mix(le.Uint64(p[0:]), le.Uint64(q[0:]), w))
		le.PutUint64(d[8:], mix(le.Uint64(p[8:]), le.Uint64(q[8:]), w))
		le.PutUint64(d[16:], mix(le.Uint64(p[16:]), le.Uint64(q[16:]), w))
		le.PutUint64(d[24:], mix(le.Uint64(p[24:]), le.Uint64(q[24:]), w))
		dst, a, b = dst[32:], a[32:], b[32:]
	}
	for len(dst) >= 4 && len(a) >= 4 && len(b) >= 4 {
		p, q := binary.LittleEndian.Uint32(a), binary.LittleEndian.Uint32(b)
		binary.LittleEndian.PutUint32(dst, uint32(mix(uint64(p), uint64(q), w)))
		dst, a, b = dst[4:], a[4:], b[4:]
	}
}

// spread sets each word of dst to the four bytes of a pixel of src, in lanes: first,
// third, second, fourth. Interpolation across then needs no unpacking.
func spread(dst []uint64, src []byte) {
	src = src[:4*len(dst)]
	for len(dst) >= 8 && len(src) >= 32 {
		d, s := (*[8]uint64)(dst), (*[32]byte)(src)
		d[0], d[1] = pair(binary.LittleEndian.Uint64(s[0:]))
		d[2], d[3] = pair(binary.LittleEndian.Uint64(s[8:]))
		d[4], d[5] = pair(binary.LittleEndian.Uint64(s[16:]))
		d[6], d[7] = pair(binary.LittleEndian.Uint64(s[24:]))
		dst, src = dst[8:], src[32:]
	}
	for len(dst) > 0 && len(src) >= 4 {
		dst[0], _ = pair(uint64(binary.LittleEndian.Uint32(src)))
		dst, src = dst[1:], src[4:]
	}
}

// pair spreads two pixels.
func pair(p uint64) (left, right uint64) { return lanes(p&evenBytes, p>>8&evenBytes) }

// lanes puts every second byte of two pixels together by pixel.
func lanes(even, odd uint64) (left, right uint64) {
	return even&lowHalf | odd<<32, even>>32 | odd&highHalf
}

// blendSpread is blend and spread in one.
func blendSpread(dst []uint64, a, b []byte, f uint32) {
	w := uint64(f)
	a, b = a[:4*len(dst)], b[:4*len(dst)]
	for len(dst) >= 8 && len(a) >= 32 && len(b) >= 32 {
		le, d, p, q := binary.LittleEndian, (*[8]uint64)(dst), (*[32]byte)(a), (*[32]byte)(b)
		d[0], d[1] = lanes(mixLanes(le.Uint64(p[0:]), le.Uint64(q[0:]), w))
		d[2], d[3] = lanes(mixLanes(le.Uint64(p[8:]), le.Uint64(q[8:]), w))
		d[4], d[5] = lanes(mixLanes(le.Uint64(p[16:]), le.Uint64(q[16:]), w))
		d[6], d[7] = lanes(mixLanes(le.Uint64(p[24:]), le.Uint64(q[24:]), w))
		dst, a, b = dst[8:], a[32:], b[32:]
	}
	for len(dst) > 0 && len(a) >= 4 && len(b) >= 4 {
		dst[0], _ = lanes(mixLanes(uint64(binary.LittleEndian.Uint32(a)), uint64(binary.LittleEndian.Uint32(b)), w))
		dst, a, b = dst[1:], a[4:], b[4:]
	}
}

// interp scales a spread row: pixel i of dst lies between two neighbours of src as a
// says. src has one pixel more than the indices of a.
func interp(dst []byte, src []uint64, a axis) {
	dst = dst[:4*len(a)]
	for len(a) >= 4 && len(dst) >= 16 {
		v := (*[4]uint32)(a)
		p := lerp(src[v[0]>>8+1], src[v[0]>>8], uint64(v[0]&0xff))
		q := lerp(src[v[1]>>8+1], src[v[1]>>8], uint64(v[1]&0xff))
		binary.LittleEndian.PutUint64(dst, p|q<<32)
		p = lerp(src[v[2]>>8+1], src[v[2]>>8], uint64(v[2]&0xff))
		q = lerp(src[v[3]>>8+1], src[v[3]>>8], uint64(v[3]&0xff))
		binary.LittleEndian.PutUint64(dst[8:], p|q<<32)
		a, dst = a[4:], dst[16:]
	}
	for len(a) > 0 && len(dst) >= 4 {
		v := a[0]
		binary.LittleEndian.PutUint32(dst, uint32(lerp(src[v>>8+1], src[v>>8], uint64(v&0xff))))
		a, dst = a[1:], dst[4:]
	}
}

// lerp blends two spread pixels. It takes l·(256−f) + r·f as l·256 + (r−l)·f on the whole
// word: borrows between lanes cancel out, because no lane of the sum is negative.
func lerp(r, l, f uint64) uint64 {
	s := (l<<8 + (r-l)*f + halfEach) >> 8 & evenBytes
	return (s | s>>24) & lowHalf
}

// pick fills dst with the samples that a names.
func pick(dst, src []byte, a axis) {
	dst = dst[:4*len(a)]
	for len(a) >= 2 && len(dst) >= 8 {
		i, j := int(a[0]>>8)*4, int(a[1]>>8)*4
		p, q := binary.LittleEndian.Uint32(src[i:i+4]), binary.LittleEndian.Uint32(src[j:j+4])
		binary.LittleEndian.PutUint64(dst, uint64(p)|uint64(q)<<32)
		a, dst = a[2:], dst[8:]
	}
	if len(a) > 0 {
		binary.LittleEndian.PutUint32(dst, binary.LittleEndian.Uint32(src[int(a[0]>>8)*4:]))
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
				binary.LittleEndian.PutUint32(dst[x*dstStride+at:], binary.LittleEndian.Uint32(src[i*srcStride+4*x:]))
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
