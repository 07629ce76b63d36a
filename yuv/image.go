package yuv

import (
	"fmt"
	"image"
)

// ToRGBA converts src into dst, as draw.Draw(dst, dst.Rect, src, src.Rect.Min, draw.Src)
// does for pictures of the same size, some fifty times as fast. Go's JPEG decoder gives
// BT601 and Full.
// Errors: ErrGeometry when sizes differ or memory is too short, ErrOverlap,
// ErrNotSupported for 4:1:1, 4:1:0 and negative coordinates.
func ToRGBA(dst *image.RGBA, src *image.YCbCr, m Matrix, r Range) error {
	l, err := imageLayout(src.SubsampleRatio)
	if err != nil {
		return err
	}
	c, err := New(Config{Matrix: m, Range: r, From: l})
	if err != nil {
		return err
	}
	return c.ConvertImage(dst, src)
}

// ToYCbCr converts src into dst, which is 4:2:0 and of the same size. Alpha is ignored.
// Errors: as ToRGBA; ErrNotSupported for other ratios and for a dst that begins in the
// middle of a chroma sample.
func ToYCbCr(dst *image.YCbCr, src *image.RGBA, m Matrix, r Range) error {
	if dst.SubsampleRatio != image.YCbCrSubsampleRatio420 || (dst.Rect.Min.X|dst.Rect.Min.Y)&1 == 1 || dst.Rect.Min.X < 0 || dst.Rect.Min.Y < 0 {
		return fmt.Errorf("yuv: to %v at %v (4:2:0 at even, positive coordinates is possible): %w", dst.SubsampleRatio, dst.Rect.Min, ErrNotSupported)
	}
	c, err := NewReverse(Config{Matrix: m, Range: r})
	if err != nil {
		return err
	}
	w, h := src.Rect.Dx(), src.Rect.Dy()
	if err := sameSize(dst.Rect, src.Rect); err != nil || w == 0 || h == 0 {
		return err
	}
	p, err := subPicture(dst, I420, dst.Rect.Min.X, dst.Rect.Min.Y, w, h)
	if err != nil {
		return err
	}
	return c.Convert(&p, src.Pix, src.Stride, 0, h)
}

// ConvertImage converts src into dst, which has the same size; c converts from the
// layout of src's ratio (I420, I422, I440, I444) to RGBA. Interpolated chroma ends at
// src's edges, also where src is part of a larger image.
// Errors: ErrGeometry, ErrOverlap, ErrNotSupported.
func (c *Converter) ConvertImage(dst *image.RGBA, src *image.YCbCr) error {
	l, err := imageLayout(src.SubsampleRatio)
	if err != nil {
		return err
	}
	if l != c.cfg.From || c.cfg.To != RGBA {
		return fmt.Errorf("yuv: %v image with a converter from %v to %v: %w", src.SubsampleRatio, c.cfg.From, c.cfg.To, ErrNotSupported)
	}
	if err := sameSize(dst.Rect, src.Rect); err != nil || src.Rect.Empty() {
		return err
	}
	if (c.g.subX == 1 && src.Rect.Min.X < 0) || (c.g.subY == 1 && src.Rect.Min.Y < 0) {
		// Package image rounds towards 0 there: three pixels share the sample at 0.
		return fmt.Errorf("yuv: subsampled image at %v, negative coordinates: %w", src.Rect.Min, ErrNotSupported)
	}
	// A sub-image may begin in the middle of a chroma sample. Then its first column or
	// row is a picture of its own.
	w, h := src.Rect.Dx(), src.Rect.Dy()
	left, top := 0, 0
	if c.g.subX == 1 {
		left = src.Rect.Min.X & 1
	}
	if c.g.subY == 1 {
		top = src.Rect.Min.Y & 1
	}
	if c.between.on && left+top > 0 {
		return fmt.Errorf("yuv: interpolated chroma of an image that begins in the middle of a sample, at %v: %w", src.Rect.Min, ErrNotSupported)
	}
	var parts [4]image.Rectangle
	n := 0
	for _, p := range [4]image.Rectangle{
		image.Rect(0, 0, left, top), image.Rect(left, 0, w, top), image.Rect(0, top, left, h), image.Rect(left, top, w, h),
	} {
		if !p.Empty() {
			parts[n] = p
			n++
		}
	}
	// Two passes: every part is checked before one is written.
	for _, write := range [2]bool{false, true} {
		for _, part := range parts[:n] {
			p, err := subPicture(src, l, src.Rect.Min.X+part.Min.X, src.Rect.Min.Y+part.Min.Y, part.Dx(), part.Dy())
			if err != nil {
				return err
			}
			at := part.Min.Y*dst.Stride + part.Min.X*4
			if dst.Stride < 4*w || at > len(dst.Pix) {
				return fmt.Errorf("yuv: RGB: stride %d, %d bytes for %dx%d: %w", dst.Stride, len(dst.Pix), w, h, ErrGeometry)
			}
			if write {
				err = c.Convert(dst.Pix[at:], dst.Stride, &p, 0, p.Height)
			} else {
				err = check(l, RGBA, &p, dst.Pix[at:], dst.Stride, 0, p.Height)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func imageLayout(r image.YCbCrSubsampleRatio) (Layout, error) {
	switch r {
	case image.YCbCrSubsampleRatio420:
		return I420, nil
	case image.YCbCrSubsampleRatio422:
		return I422, nil
	case image.YCbCrSubsampleRatio440:
		return I440, nil
	case image.YCbCrSubsampleRatio444:
		return I444, nil
	}
	return 0, fmt.Errorf("yuv: image of %v: %w", r, ErrNotSupported)
}

func sameSize(dst, src image.Rectangle) error {
	if dst.Size() != src.Size() {
		return fmt.Errorf("yuv: %v into %v: sizes differ: %w", src, dst, ErrGeometry)
	}
	return nil
}

// subPicture is the w×h part of m at image coordinates x, y.
func subPicture(m *image.YCbCr, l Layout, x, y, w, h int) (Picture, error) {
	p := Picture{Width: w, Height: h, Stride: [3]int{m.YStride, m.CStride, m.CStride}}
	for i, pl := range [3][]byte{m.Y, m.Cb, m.Cr} {
		at := m.COffset(x, y)
		if i == 0 {
			at = m.YOffset(x, y)
		}
		if at < 0 || at > len(pl) {
			return p, fmt.Errorf("yuv: %s: %d bytes, %v begins at %d: %w", planeNames[i], len(pl), m.Rect, at, ErrGeometry)
		}
		p.Planes[i] = pl[at:]
	}
	return p, nil
}
