package framepool

import (
	"fmt"

	"github.com/scanout-av/scanout/media"
)

// DefaultAlign is the alignment of rows and planes when none is asked for: a cache line,
// and the widest vector register.
const DefaultAlign = 64

// FrameBytes returns what a w×h picture takes in a slot when every row and every plane
// starts at a multiple of align.
// Units: align in bytes, a power of two; 0 is [DefaultAlign].
func FrameBytes(format media.PixelFormat, w, h, align int) int {
	if align == 0 {
		align = DefaultAlign
	}
	n := 0
	for p := range format.Info().Planes {
		row, rows := format.PlaneSize(p, w, h)
		n += roundUp(row, align) * rows
	}
	return n
}

// Layout describes f, which is in this pool, as a w×h picture: planes one after another,
// every row and every plane at a multiple of align.
// Units: align in bytes, a power of two up to [PageBytes]; 0 is [DefaultAlign].
// Shape: Planes[i].Data holds Stride × rows bytes, padding included.
// Errors: media.ErrNotSupported for an unknown format; a picture that does not fit says
// how much it needs.
func (p *Pool) Layout(f *media.Frame, format media.PixelFormat, w, h, align int) error {
	if align == 0 {
		align = DefaultAlign
	}
	if align < 1 || align > PageBytes || align&(align-1) != 0 {
		return fmt.Errorf("framepool: alignment %d: want a power of two up to %d", align, PageBytes)
	}
	planes := format.Info().Planes
	if planes == 0 {
		return fmt.Errorf("framepool: lay out %v: %w", format, media.ErrNotSupported)
	}
	// A side beyond 2^16 is no picture, and keeps the products below far from overflow.
	if w < 1 || h < 1 || w > 1<<16 || h > 1<<16 {
		return fmt.Errorf("framepool: picture of %dx%d: want sides of 1 to %d", w, h, 1<<16)
	}
	if f.Slot < 0 || int(f.Slot) >= len(p.frames) {
		return fmt.Errorf("framepool: frame has slot %d, the pool has %d", f.Slot, len(p.frames))
	}
	if need := FrameBytes(format, w, h, align); need > p.slotBytes {
		return fmt.Errorf("framepool: %dx%d %v needs %d bytes, a slot has %d: make the pool's slots larger", w, h, format, need, p.slotBytes)
	}
	f.Format, f.Width, f.Height = format, w, h
	at := int(f.Slot) * p.slotBytes
	for i := range f.Planes {
		if i >= planes {
			f.Planes[i] = media.Plane{Offset: -1}
			continue
		}
		row, rows := format.PlaneSize(i, w, h)
		stride := roundUp(row, align)
		n := stride * rows
		f.Planes[i] = media.Plane{Data: p.mem.data[at : at+n : at+n], Stride: stride, Offset: int64(at)}
		at += n
	}
	return nil
}
