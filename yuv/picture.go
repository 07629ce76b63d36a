package yuv

import (
	"fmt"
	"math"
	"unsafe"
)

// Picture is where a YCbCr picture lies in memory.
// Shape: Planes[p] starts at its top left sample, and every row but the last has all of
// its Stride bytes. Odd sizes round chroma up. Any alignment is fine.
// Ownership: a Picture points to memory, it does not own it.
type Picture struct {
	Width, Height int
	Planes        [3][]byte
	Stride        [3]int // bytes from row to row
}

// maxSize bounds width and height so that no product below overflows an int of 32 bits.
const maxSize = 1 << 26

// geometry is how a layout's samples are reached.
type geometry struct {
	kind       kind
	planes     int
	subX, subY uint8 // chroma is halved: shift counts
	bytes      int   // of a sample
	ys, us     int   // bytes from one luma or chroma sample to the next
	bits       int
}

// kind is a family of layouts that share a kernel.
type kind uint8

const (
	kindPlanar420 kind = iota
	kindPlanar422
	kindFull
	kindSemi
	kindI010
	kindP010
	kindPacked
	kindSemiRow // no layout's: kernels for kindSemi that take one row
)

func (l Layout) geometry() geometry {
	switch l {
	case I422:
		return geometry{kindPlanar422, 3, 1, 0, 1, 1, 1, 8}
	case I440:
		return geometry{kindFull, 3, 0, 1, 1, 1, 1, 8}
	case I444:
		return geometry{kindFull, 3, 0, 0, 1, 1, 1, 8}
	case NV12, NV21:
		return geometry{kindSemi, 2, 1, 1, 1, 1, 2, 8}
	case I010:
		return geometry{kindI010, 3, 1, 1, 2, 2, 2, 10}
	case P010:
		return geometry{kindP010, 2, 1, 1, 2, 2, 4, 10}
	case YUY2, UYVY:
		return geometry{kindPacked, 1, 1, 0, 1, 2, 4, 8}
	}
	return geometry{kindPlanar420, 3, 1, 1, 1, 1, 1, 8}
}

// PlaneSize returns the bytes of a row without padding and the rows of plane p of a
// w×h picture; 0, 0 where there is no such plane.
func (l Layout) PlaneSize(p, w, h int) (rowBytes, rows int) {
	g := l.geometry()
	cw, ch := (w+int(g.subX))>>g.subX, (h+int(g.subY))>>g.subY
	switch {
	case p < 0 || p >= g.planes:
		return 0, 0
	case g.kind == kindPacked:
		return cw * 4, h
	case p == 0:
		return w * g.bytes, h
	default:
		return cw * g.us, ch
	}
}

// NewPicture lays a tightly packed w×h picture out in b and returns it with the number
// of bytes it takes; a nil b is allocated. Useful for raw video files.
// Errors: ErrGeometry when b is too short or a size is absurd.
func (l Layout) NewPicture(b []byte, w, h int) (Picture, int, error) {
	if err := checkSize(w, h); err != nil {
		return Picture{}, 0, err
	}
	if l >= layouts {
		return Picture{}, 0, fmt.Errorf("yuv: layout %d: %w", l, ErrNotSupported)
	}
	// In 64 bits nothing overflows: sizes are below 2²⁶.
	var need int64
	for i := range 3 {
		r, n := l.PlaneSize(i, w, h)
		need += int64(r) * int64(n)
	}
	if need > math.MaxInt {
		return Picture{}, 0, fmt.Errorf("yuv: %dx%d %v needs %d bytes: %w", w, h, l, need, ErrGeometry)
	}
	total := int(need)
	if b == nil {
		b = make([]byte, total)
	}
	if len(b) < total {
		return Picture{}, 0, fmt.Errorf("yuv: %d bytes, %dx%d %v needs %d: %w", len(b), w, h, l, total, ErrGeometry)
	}
	p := Picture{Width: w, Height: h}
	at := 0
	for i := range 3 {
		r, n := l.PlaneSize(i, w, h)
		p.Planes[i], p.Stride[i] = b[at:at+r*n:at+r*n], r
		at += r * n
	}
	return p, total, nil
}

// bytesPerPixel of each packing.
func (p Packing) bytesPerPixel() int {
	switch p {
	case RGB24, BGR24:
		return 3
	case RGBA64:
		return 8
	}
	return 4
}

// RowBytes returns the bytes of a row of w pixels without padding.
func (p Packing) RowBytes(w int) int { return w * p.bytesPerPixel() }

func checkSize(w, h int) error {
	if w <= 0 || h <= 0 || w > maxSize || h > maxSize {
		return fmt.Errorf("yuv: size %dx%d (1 to %d are possible): %w", w, h, maxSize, ErrGeometry)
	}
	return nil
}

// extent checks that rows of rowBytes at a stride fit in n bytes and returns how many
// bytes they span.
func extent(what string, n, stride, rowBytes, rows int) (int, error) {
	if stride < rowBytes {
		return 0, fmt.Errorf("yuv: %s: stride %d is smaller than a row, %d bytes: %w", what, stride, rowBytes, ErrGeometry)
	}
	// Divided rather than multiplied: the product may overflow.
	if n < rowBytes || (n-rowBytes)/stride < rows-1 {
		return 0, fmt.Errorf("yuv: %s: %d bytes, %d rows of %d with stride %d need more: %w", what, n, rows, rowBytes, stride, ErrGeometry)
	}
	return (rows-1)*stride + rowBytes, nil
}

var planeNames = [3]string{"plane 0", "plane 1", "plane 2"}

// check validates everything about one call before a byte is written.
func check(l Layout, p Packing, pic *Picture, rgb []byte, stride, from, to int) error {
	if err := checkSize(pic.Width, pic.Height); err != nil {
		return err
	}
	if from < 0 || to < from || to > pic.Height {
		return fmt.Errorf("yuv: rows %d to %d of %d: %w", from, to, pic.Height, ErrGeometry)
	}
	var span [3]int
	for i := range 3 {
		rowBytes, rows := l.PlaneSize(i, pic.Width, pic.Height)
		if rows == 0 {
			continue
		}
		var err error
		if span[i], err = extent(planeNames[i], len(pic.Planes[i]), pic.Stride[i], rowBytes, rows); err != nil {
			return err
		}
	}
	if from == to {
		return nil
	}
	n, err := extent("RGB", len(rgb), stride, p.RowBytes(pic.Width), to-from)
	if err != nil {
		return err
	}
	for i := range 3 {
		if span[i] > 0 && overlap(rgb[:n], pic.Planes[i][:span[i]]) {
			return fmt.Errorf("yuv: %s: %w", planeNames[i], ErrOverlap)
		}
	}
	return nil
}

// overlap reports whether two non-empty slices share a byte.
func overlap(a, b []byte) bool {
	x, y := uintptr(unsafe.Pointer(&a[0])), uintptr(unsafe.Pointer(&b[0]))
	return x < y+uintptr(len(b)) && y < x+uintptr(len(a))
}
