package pattern

import (
	"errors"
	"fmt"
	"image"

	"github.com/scanout-av/scanout/media"
)

// The block code: 16×3 cells, white for 1. Row by row, most significant bit first: the
// sync 1010, 32 bits of frame number, 12 bits of checksum. A picture that is torn inside
// the code, or that is none of ours, fails the checksum.
const (
	codeCols = 16
	codeRows = 3
	codeSync = 0b1010
)

// ErrNoCode says that a picture has no readable frame number.
var ErrNoCode = errors.New("pattern: no readable frame number")

// encode returns the 48 cells for frame number n.
func encode(n uint32) uint64 {
	return codeSync<<44 | uint64(n)<<12 | uint64(checksum(n))
}

// checksum is a CRC with the polynomial x¹²+x¹¹+x³+x²+x+1 and a start value that gives
// an all-black picture no valid code.
func checksum(n uint32) uint16 {
	crc := uint32(0xa5a)
	for i := 31; i >= 0; i-- {
		crc <<= 1
		if (crc>>12^n>>i)&1 != 0 {
			crc ^= 0x80f
		}
		crc &= 0xfff
	}
	return uint16(crc)
}

// decode turns 48 brightnesses into a frame number; the sync's cells set the threshold.
func decode(v *[codeCols * codeRows]int) (uint32, error) {
	threshold := (v[0] + v[1] + v[2] + v[3]) / 4
	var bits uint64
	for _, s := range v {
		bits <<= 1
		if s > threshold {
			bits |= 1
		}
	}
	n := uint32(bits >> 12)
	if bits != encode(n) {
		return 0, ErrNoCode
	}
	return n, nil
}

// ReadFrameNumber returns the number that a pattern's frame carries.
// Errors: [ErrNoCode].
func ReadFrameNumber(f *media.Frame) (uint32, error) {
	if !paintable(f.Format) {
		return 0, fmt.Errorf("pattern: frame number in %v: %w", f.Format, media.ErrNotSupported)
	}
	if err := f.Check(); err != nil {
		return 0, fmt.Errorf("pattern: %w", err)
	}
	if f.Width < MinSize || f.Height < MinSize {
		return 0, ErrNoCode
	}
	l := newLayout(f.Width, f.Height)
	return readCanvas(&canvas{f, f.Format.Info()}, &l)
}

func readCanvas(c *canvas, l *layout) (uint32, error) {
	var v [codeCols * codeRows]int
	for i := range v {
		r := l.cell(i)
		v[i] = int(c.at(r.x+r.w/2, r.y+r.h/2))
	}
	return decode(&v)
}

// ReadFrameNumberRGBA returns the number of the pattern's picture that fills img, which may
// have been scaled from its original size w×h. Cut borders off with img.SubImage first.
// Errors: [ErrNoCode].
func ReadFrameNumberRGBA(img *image.RGBA, w, h int) (uint32, error) {
	if w < MinSize || h < MinSize || w > MaxSize || h > MaxSize {
		return 0, ErrNoCode
	}
	l := newLayout(w, h)
	var v [codeCols * codeRows]int
	for i := range v {
		v[i] = brightness(img, l.cell(i), w, h)
	}
	return decode(&v)
}

// Flash reports whether the white square is lit in the pattern's picture that fills img,
// which may have been scaled from its original size w×h.
func Flash(img *image.RGBA, w, h int) bool {
	if w < MinSize || h < MinSize || w > MaxSize || h > MaxSize {
		return false
	}
	l := newLayout(w, h)
	return brightness(img, l.flash, w, h) > 128
}

// brightness averages img around the centre of r, a part of a w×h picture.
func brightness(img *image.RGBA, r rect, w, h int) int {
	b := img.Bounds()
	if b.Empty() {
		return 0
	}
	// Doubled coordinates keep the centre of odd cells exact.
	x := b.Min.X + (2*r.x+r.w)*b.Dx()/(2*w)
	y := b.Min.Y + (2*r.y+r.h)*b.Dy()/(2*h)
	rx, ry := r.w*b.Dx()/w/4, r.h*b.Dy()/h/4
	sum, n := 0, 0
	for j := max(y-ry, b.Min.Y); j <= min(y+ry, b.Max.Y-1); j++ {
		for i := max(x-rx, b.Min.X); i <= min(x+rx, b.Max.X-1); i++ {
			p := img.Pix[img.PixOffset(i, j):][:3]
			sum += int(p[0]) + 2*int(p[1]) + int(p[2])
			n += 4
		}
	}
	return sum / max(n, 1)
}
