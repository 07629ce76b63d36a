package dump

import (
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"

	"github.com/scanout-av/scanout/media"
)

// Rasterizer turns a frame into upright pixels that fill dst: colour, orientation and
// scaling to dst's size.
type Rasterizer interface {
	RGBA(f *media.Frame, dst *image.RGBA) error
}

// PNG writes each frame as frame-000001.png and so on, upright and with square samples.
//
// Concurrency: one goroutine.
type PNG struct {
	sink
	dir    string
	raster Rasterizer
	img    *image.RGBA
	enc    png.Encoder
	bufs   encoderBuffer
	count  int
}

// encoderBuffer lets the encoder reuse its memory.
type encoderBuffer struct{ b *png.EncoderBuffer }

func (e *encoderBuffer) Get() *png.EncoderBuffer  { return e.b }
func (e *encoderBuffer) Put(b *png.EncoderBuffer) { e.b = b }

// NewPNG creates the folder cfg.Path. A nil raster is [Reference].
func NewPNG(cfg Config, raster Rasterizer) (*PNG, error) {
	if cfg.Path == "" || cfg.Path == "-" {
		return nil, fmt.Errorf("dump: png: no folder to write to: give one, as png:frames")
	}
	if err := os.MkdirAll(cfg.Path, 0o777); err != nil {
		return nil, fmt.Errorf("dump: cannot write png (choose another folder): %w", err)
	}
	// Found out now rather than after the first picture.
	probe, err := os.CreateTemp(cfg.Path, ".scanout-*")
	if err != nil {
		return nil, fmt.Errorf("dump: cannot write png (choose another folder): %w", err)
	}
	probe.Close()
	os.Remove(probe.Name())
	if raster == nil {
		raster = &Reference{}
	}
	s := &PNG{dir: cfg.Path, raster: raster}
	s.cfg, s.name = cfg, "png "+cfg.Path
	s.enc = png.Encoder{CompressionLevel: png.BestSpeed, BufferPool: &s.bufs}
	return s, nil
}

// Present writes sc.Frame. A repeated frame is written once.
// Ownership: takes sc.Frame, even on error.
func (s *PNG) Present(sc *media.Scheduled) error {
	err := s.present(sc)
	sc.Frame.Release()
	return err
}

func (s *PNG) present(sc *media.Scheduled) error {
	f := sc.Frame
	if err := s.begin(f); err != nil || sc.Repeat {
		return err
	}
	w, h := f.DisplaySize()
	if w > 1<<15 || h > 1<<15 {
		return fmt.Errorf("dump: %s: a picture of %dx%d is too large", s.name, w, h)
	}
	if s.img == nil || s.img.Rect.Dx() != w || s.img.Rect.Dy() != h {
		s.img = image.NewRGBA(image.Rect(0, 0, w, h))
	}
	if err := s.raster.RGBA(f, s.img); err != nil {
		return fmt.Errorf("dump: %s: %w", s.name, err)
	}
	s.count++
	out, err := os.Create(filepath.Join(s.dir, fmt.Sprintf("frame-%06d.png", s.count)))
	if err != nil {
		return s.failed(err)
	}
	err = s.enc.Encode(out, s.img)
	if e := out.Close(); err == nil {
		err = e
	}
	if s.failed(err) != nil {
		return s.err
	}
	s.report(sc, 1)
	return nil
}
