package soft

import (
	"errors"
	"fmt"
	"image"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
	"github.com/scanout-av/scanout/yuv"
)

var errNoPicture = errors.New("soft: no picture has been drawn yet")

// Offscreen draws into an image.
// Concurrency: one goroutine.
type Offscreen struct {
	cfg     Config
	paint   painter
	target  target
	img     *image.RGBA
	display pace.Simulated
	last    media.Instant
	reports reports
	drawn   bool
}

// NewOffscreen returns a sink without a window.
func NewOffscreen(cfg Config) (*Offscreen, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Window != nil {
		return nil, errors.New("soft: an offscreen target has no window: leave Window nil")
	}
	if cfg.Width < 0 || cfg.Height < 0 || (cfg.Width == 0) != (cfg.Height == 0) || int64(cfg.Width)*int64(cfg.Height) > maxPixels {
		return nil, fmt.Errorf("soft: an offscreen target of %dx%d is not possible: use 1x1 to 16384x16384, or 0x0 for the picture's own size", cfg.Width, cfg.Height)
	}
	o := &Offscreen{cfg: cfg, paint: painter{filter: cfg.Filter, chroma: cfg.Chroma}, display: pace.Simulated{Period: period(cfg.Refresh)}}
	if cfg.Display != nil {
		o.display = *cfg.Display
		o.display.Start(cfg.Now())
	}
	if cfg.Width > 0 {
		o.resize(cfg.Width, cfg.Height)
	}
	return o, nil
}

func (o *Offscreen) resize(w, h int) {
	o.img = image.NewRGBA(image.Rect(0, 0, w, h))
	o.target = target{pix: o.img.Pix, width: w, height: h, stride: o.img.Stride, packing: yuv.RGBA}
	o.drawn = false
}

// Name says what renders where.
func (o *Offscreen) Name() string {
	if o.img == nil {
		return fmt.Sprintf("cpu: %s, offscreen", instructions())
	}
	return fmt.Sprintf("cpu: %s, offscreen %dx%d", instructions(), o.target.width, o.target.height)
}

// instructions names what package yuv runs on.
func instructions() string {
	switch v := yuv.Variants()[0]; v {
	case yuv.AVX512, yuv.AVX512VBMI:
		return "AVX-512 yuv"
	case yuv.AVX2:
		return "AVX2 yuv"
	default:
		return v.String() + " yuv"
	}
}

// Display describes the target; its size is 0×0 until it is known.
func (o *Offscreen) Display() media.Display {
	d := o.display.Display(0)
	d.Width, d.Height, d.Last = o.target.width, o.target.height, o.last
	return d
}

// Begin waits for the simulated display to take another picture.
// Errors: media.ErrAgain at the deadline.
func (o *Offscreen) Begin(deadline media.Instant) error {
	return waitReady(&o.display, &o.cfg, deadline)
}

// Present draws s into the image.
// Ownership: takes s.Frame, even on error; it has been released on return.
// Errors: media.ErrNotSupported for a frame without planes in memory or a size that is
// not possible.
func (o *Offscreen) Present(s *media.Scheduled) error {
	f := s.Frame
	err := o.draw(f)
	if err != nil || s.Repeat {
		f.Release()
		return err
	}
	now := o.cfg.Now()
	r := o.reports.push()
	*r = media.Presented{Number: s.Number, PTS: f.PTS, Timebase: f.Timebase, Serial: f.Serial, Target: s.Target,
		Submitted: now, Refresh: o.display.Interval(), Source: media.PresentImmediate}
	if r.Refresh > 0 {
		r.Source = media.PresentSimulated
	}
	f.Release()
	r.Actual, r.Missed = o.display.Present(now, s.Target)
	o.last = r.Actual
	return nil
}

// checkSize reports a displayed size that no image can have.
func checkSize(w, h int) error {
	if w <= 0 || h <= 0 || int64(w)*int64(h) > maxPixels {
		return fmt.Errorf("soft: a picture of %dx%d pixels: %w: give the output a size", w, h, media.ErrNotSupported)
	}
	return nil
}

func (o *Offscreen) draw(f *media.Frame) error {
	if o.cfg.Width == 0 {
		w, h := f.DisplaySize()
		if o.cfg.Filter == FilterNone {
			w, h = media.DisplaySize(f.Width, f.Height, media.Rational{}, f.Orientation)
		}
		if err := checkSize(w, h); err != nil {
			return err
		}
		if o.img == nil || w != o.target.width || h != o.target.height {
			o.resize(w, h)
		}
	}
	_, err := o.paint.draw(&o.target, f, !o.drawn)
	if err == nil {
		o.drawn = true
	}
	return err
}

// Feedback pops what is known about the oldest presented frame.
func (o *Offscreen) Feedback(p *media.Presented) bool { return o.reports.pop(p) }

// Poll returns false: there is no window.
func (o *Offscreen) Poll(*media.Event) bool { return false }

// Image returns the target.
// Ownership: borrowed; the next Present draws into it, or replaces it when the picture's
// size changed and no size was configured.
// Errors: before the first picture.
func (o *Offscreen) Image() (*image.RGBA, error) {
	if !o.drawn {
		return nil, errNoPicture
	}
	return o.img, nil
}

// Screenshot returns a copy of the target.
func (o *Offscreen) Screenshot() (*image.RGBA, error) {
	if !o.drawn {
		return nil, errNoPicture
	}
	return o.target.copyImage(), nil
}

// copyImage copies t into an image.
func (t *target) copyImage() *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, t.width, t.height))
	for y := range t.height {
		s, d := t.row(y)[:4*t.width], m.Pix[y*m.Stride:]
		if t.packing == yuv.RGBA {
			copy(d, s)
		} else {
			for i := 0; i < len(s); i += 4 {
				d[i], d[i+1], d[i+2] = s[i+2], s[i+1], s[i]
			}
		}
		for i := 3; i < len(s); i += 4 {
			d[i] = 255
		}
	}
	return m
}

// Close gives nothing back but memory. Closing twice does nothing.
func (o *Offscreen) Close() error {
	o.img, o.target, o.drawn = nil, target{}, false
	return nil
}
