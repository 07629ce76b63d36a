package soft

import "encoding/binary"

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
