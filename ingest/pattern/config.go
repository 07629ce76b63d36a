package pattern

import (
	"fmt"
	"time"

	"github.com/scanout-av/scanout/media"
)

// Pool lends memory for frames; *framepool.Pool is one.
type Pool = interface {
	// Wait returns a free frame, and os.ErrClosed once cancel is closed.
	Wait(cancel <-chan struct{}) (*media.Frame, error)
	// Layout describes f as a w×h picture.
	Layout(f *media.Frame, format media.PixelFormat, w, h, align int) error
}

// Size limits of the picture.
const (
	MinSize = 16
	MaxSize = 16384
)

// Config says what the pattern looks and sounds like. The zero value of each field but
// Pool is its default.
type Config struct {
	Width, Height int               // 1920×1080
	Rate          media.Rational    // frames a second; 60
	Format        media.PixelFormat // I420; every planar and semi-planar format
	// Color: what is left open is resolved as for a stream that doesn't say; the zero
	// value leaves all open.
	Color    media.Color
	Duration time.Duration // 0: for ever
	// Beep adds sound: a 1 kHz beep whose first sample has the time of the first frame of
	// every second.
	Beep       bool
	SampleRate int // 48000
	Channels   int // 2
	// Live makes the pattern a camera: each picture is painted at its moment and is missed
	// when nobody has room for it then, sound comes as it is made, and nothing can be
	// sought. The zero of its time is when it was opened.
	Live bool
	// Pool may be given later: see [Source.UsePool].
	Pool Pool
}

// Resolve fills in the defaults and says what is wrong: how large a pool must be is known
// only then.
func (c Config) Resolve() (Config, error) {
	if c.Width == 0 && c.Height == 0 {
		c.Width, c.Height = 1920, 1080
	}
	if c.Rate == (media.Rational{}) {
		c.Rate = media.Rational{Num: 60, Den: 1}
	}
	if c.Format == media.FormatUnknown {
		c.Format = media.I420
	}
	if c.SampleRate == 0 {
		c.SampleRate = 48000
	}
	if c.Channels == 0 {
		c.Channels = 2
	}
	if c.Color == (media.Color{}) {
		c.Color = media.ColorUnspecified
	}
	c.Color = c.Color.Resolve(c.Format, c.Width, c.Height)
	c.Rate = c.Rate.Reduce()
	switch {
	case c.Width < MinSize || c.Height < MinSize || c.Width > MaxSize || c.Height > MaxSize:
		return c, fmt.Errorf("size %dx%d: want %dx%d to %dx%d", c.Width, c.Height, MinSize, MinSize, MaxSize, MaxSize)
	case !c.Rate.Valid() || c.Rate.Float() > 10000 || c.Rate.Float() < 1e-3:
		return c, fmt.Errorf("rate %v: want 1/1000 to 10000 frames a second", c.Rate)
	case !paintable(c.Format):
		return c, fmt.Errorf("format %v is not planar or semi-planar (take one of %s): %w", c.Format, formatNames(), media.ErrNotSupported)
	case c.Color.Range > media.RangeFull || c.Color.Chroma > media.ChromaBottom:
		return c, fmt.Errorf("unknown colour range or chroma location: %v", c.Color)
	case c.Duration < 0:
		return c, fmt.Errorf("duration %v is negative", c.Duration)
	case c.SampleRate < 8000 || c.SampleRate > 384000:
		return c, fmt.Errorf("sample rate %d: want 8000 to 384000", c.SampleRate)
	case c.Channels < 1 || c.Channels > 16:
		return c, fmt.Errorf("%d channels: want 1 to 16", c.Channels)
	}
	return c, nil
}

func paintable(f media.PixelFormat) bool {
	d := f.Info()
	return d.Planes > 0 && !d.RGB && d.Components[0] == 1
}
