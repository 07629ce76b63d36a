package soft

import (
	"errors"
	"image"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/yuv"
)

// Raster draws frames into images that the caller brings: for files and screenshots.
// Concurrency: one goroutine.
type Raster struct{ paint painter }

// NewRaster returns a raster. Of cfg, only Filter and Chroma count.
func NewRaster(cfg Config) (*Raster, error) {
	if err := (&Config{Filter: cfg.Filter, Chroma: cfg.Chroma}).check(); err != nil {
		return nil, err
	}
	return &Raster{painter{filter: cfg.Filter, chroma: cfg.Chroma}}, nil
}

// RGBA draws f into dst, upright, in the right shape and with black borders where that
// leaves some; none are left where dst has the size that f.DisplaySize says. It allocates
// when the geometry changes.
// Ownership: borrows f.
// Errors: media.ErrNotSupported for a frame without planes in memory.
func (r *Raster) RGBA(f *media.Frame, dst *image.RGBA) error {
	b := dst.Rect
	if b.Empty() {
		return errors.New("soft: an image without pixels: give it the size that DisplaySize says")
	}
	t := target{pix: dst.Pix[dst.PixOffset(b.Min.X, b.Min.Y):], width: b.Dx(), height: b.Dy(), stride: dst.Stride, packing: yuv.RGBA}
	if err := t.check(); err != nil {
		return err
	}
	_, err := r.paint.draw(&t, f, true)
	return err
}

// Picture draws one frame into a new image of its displayed size: a screenshot.
// Ownership: borrows f.
func Picture(f *media.Frame) (*image.RGBA, error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	w, h := f.DisplaySize()
	if err := checkSize(w, h); err != nil {
		return nil, err
	}
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	var r Raster
	return m, r.RGBA(f, m)
}
