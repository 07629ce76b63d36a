// Package resample scales rows of pixels of four bytes bilinearly: two rows into one, and
// pixels between their neighbours in a row. Vectors where the CPU has them, with the same
// bytes everywhere.
//
// A weight is one of 256 steps from the first sample to the second, and what comes out is
// rounded: (256·first + (second − first)·weight + 128) >> 8.
//
// Concurrency: functions of their arguments. Nothing allocates.
package resample

import "encoding/binary"

// Blend sets dst to what lies weight steps of 256 from a to b, byte by byte.
// Shape: a and b have dst's length at least, and dst shares no memory with them.
func Blend(dst, a, b []byte, weight uint8) {
	a, b = a[:len(dst)], b[:len(dst)]
	if weight == 0 {
		copy(dst, a)
		return
	}
	if n := len(dst); vectors && n >= 32 {
		w := 256 - uint(weight) | uint(weight)<<8
		blendVectors(dst, a, b, n&^31, w)
		if n &= 31; n > 0 { // the last 32 bytes once more
			from := len(dst) - 32
			blendVectors(dst[from:], a[from:], b[from:], 32, w)
		}
		return
	}
	blend(dst, a, b, uint64(weight))
}

// Position is where a pixel lies in a row: the index of the sample before it << 8, and the
// weight of the one after it.
type Position = uint32

// Map is a list of positions. It is never written.
type Map struct {
	at   []Position
	last int // the largest index
}

// NewMap returns a map of the pixels at those positions.
// Ownership: keeps at, which must not change any more.
func NewMap(at []Position) Map {
	last := Position(0)
	for _, p := range at {
		last = max(last, p)
	}
	return Map{at, int(last >> 8)}
}

// Across sets pixel i of dst to what lies at m's i-th position in src.
// Shape: dst has four bytes for each position at least, and shares no memory with src. src
// has samples up to one after every position's, even where that one's weight is 0.
// Errors: panics where src or dst is too short.
func Across(dst, src []byte, m *Map) {
	n := len(m.at)
	dst, src = dst[:4*n], src[:4*(m.last+2)]
	if vectors && n >= 8 && m.last < maxSamples {
		acrossVectors(dst, src, m.at, n&^7)
		if n&7 > 0 { // the last eight pixels once more
			acrossVectors(dst[4*(n-8):], src, m.at[n-8:], 8)
		}
		return
	}
	across(dst, src, m.at)
}

// maxSamples bounds the indices that the vector kernel reads.
const maxSamples = 1 << 16

// Every second byte of a word gets a lane of 16 bits, so that one multiplication weighs
// four bytes; a lane never exceeds 65408.
const (
	evenBytes = 0x00ff00ff00ff00ff
	oddBytes  = 0xff00ff00ff00ff00
	halfEach  = 0x0080008000800080
	lowHalf   = 0x00000000ffffffff
)

// mix blends eight bytes.
func mix(p, q, f uint64) uint64 {
	g := 256 - f
	even := p&evenBytes*g + q&evenBytes*f + halfEach
	odd := p>>8&evenBytes*g + q>>8&evenBytes*f + halfEach
	return even>>8&evenBytes | odd&oddBytes
}

func blend(dst, a, b []byte, f uint64) {
	le := binary.LittleEndian
	for len(dst) >= 32 && len(a) >= 32 && len(b) >= 32 {
		d, p, q := (*[32]byte)(dst), (*[32]byte)(a), (*[32]byte)(b)
		le.PutUint64(d[0:], mix(le.Uint64(p[0:]), le.Uint64(q[0:]), f))
		le.PutUint64(d[8:], mix(le.Uint64(p[8:]), le.Uint64(q[8:]), f))
		le.PutUint64(d[16:], mix(le.Uint64(p[16:]), le.Uint64(q[16:]), f))
		le.PutUint64(d[24:], mix(le.Uint64(p[24:]), le.Uint64(q[24:]), f))
		dst, a, b = dst[32:], a[32:], b[32:]
	}
	for i := range dst {
		dst[i] = byte((uint64(a[i])*(256-f) + uint64(b[i])*f + 128) >> 8)
	}
}

func across(dst, src []byte, at []Position) {
	for i, p := range at {
		s := binary.LittleEndian.Uint64(src[4*(p>>8):])
		binary.LittleEndian.PutUint32(dst[4*i:4*i+4], lerp(s&lowHalf, s>>32, uint64(p&0xff)))
	}
}

// lerp blends two pixels. It takes l·(256−f) + r·f as l·256 + (r−l)·f on the whole word:
// borrows between lanes cancel out, because no lane of the sum is negative.
func lerp(l, r, f uint64) uint32 {
	l, r = spread(l), spread(r)
	s := (l<<8 + (r-l)*f + halfEach) >> 8 & evenBytes
	return uint32(s | s>>24)
}

// spread puts the bytes of a pixel into lanes: first, third, second, fourth.
func spread(p uint64) uint64 { return p&evenBytes | p>>8&evenBytes<<32 }
