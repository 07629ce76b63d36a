package soft

import (
	"fmt"
	"math"
	"time"

	"github.com/scanout-av/scanout/internal/sdl"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
)

// Filter says how a picture is scaled.
type Filter uint8

// Filters.
const (
	FilterBilinear Filter = iota
	FilterNearest
	// FilterNone shows decoded pixels one to one in the middle, cropped when they are too
	// many. Sample aspect ratio is not applied.
	FilterNone
	numFilters
)

func (f Filter) String() string {
	return [...]string{"bilinear", "nearest", "none", "unknown"}[min(f, numFilters)]
}

// Chroma says how subsampled chroma is brought to the size of luma.
type Chroma uint8

// Chroma modes.
const (
	// ChromaBilinear interpolates between chroma samples at their siting, as the Vulkan
	// renderer does.
	ChromaBilinear Chroma = iota
	// ChromaNearest colours all pixels that a chroma sample belongs to, in half the time or
	// less; edges of colours have steps, and are off by up to half a sample.
	ChromaNearest
	numChromas
)

func (c Chroma) String() string {
	return [...]string{"bilinear", "nearest", "unknown"}[min(c, numChromas)]
}

// Canvas is a window whose picture lies in memory; a software *sdl.Window is one.
type Canvas interface {
	// Surface returns the picture's memory, valid until the next resize.
	Surface() (sdl.Surface, error)
	// UpdateSurface shows a rectangle of it.
	// Errors: media.ErrOutOfDate after a resize.
	UpdateSurface(x, y, w, h int) error
	DrawableSize() (int, int)
	// RefreshRate is in Hz, 0 when not known.
	RefreshRate() int
	PollEvent(*media.Event) bool
	SetFullscreen(bool) error
	Close() error
}

// maxPixels bounds a target: 16384×16384.
const maxPixels = 1 << 28

// Config describes a sink.
type Config struct {
	Filter Filter
	Chroma Chroma
	// Window is what NewWindow draws into.
	// Ownership: the sink's from then on, also when NewWindow fails.
	Window Canvas
	// Width and Height are the size of an offscreen target; 0, 0 takes the display size of
	// each picture.
	Width, Height int
	// Fit makes the window that OpenWindow opens smaller where it would not fit on the
	// display; its shape stays.
	Fit bool
	// Refresh is the rate of an offscreen target's simulated vblank, in Hz; 0 for none:
	// pictures are drawn as fast as they come. For a window it replaces what the display
	// says.
	Refresh float64
	// Display is an offscreen target's display when it is more than a rate: jitter, missed
	// refreshes, a variable rate. Refresh is not looked at then.
	Display *pace.Simulated
	// X11Present asks an X server which refresh followed each picture's copy into the
	// window. It is off by default, because pictures paced by that lost: on Xvfb, which makes
	// its refreshes up, 24 to 59 of 300 were dropped, and none by plain fence times.
	X11Present bool
	// Now reads the monotonic clock, Sleep sleeps until an instant. A window and a refresh
	// rate need both; without Now, stamps are 0.
	Now   func() media.Instant
	Sleep func(media.Instant)
}

func (c *Config) check() error {
	if c.Filter >= numFilters {
		return fmt.Errorf("soft: filter %d: %w: use bilinear, nearest or none", c.Filter, media.ErrNotSupported)
	}
	if c.Chroma >= numChromas {
		return fmt.Errorf("soft: chroma mode %d: %w: use bilinear or nearest", c.Chroma, media.ErrNotSupported)
	}
	if c.Refresh < 0 || c.Refresh > 10_000 || math.IsNaN(c.Refresh) {
		return fmt.Errorf("soft: a refresh rate of %v Hz is not possible: use 0 to 10000", c.Refresh)
	}
	if c.Display != nil {
		if err := c.Display.Check(); err != nil {
			return fmt.Errorf("soft: %w", err)
		}
		if d := c.Display.Interval(); d > 0 {
			c.Refresh = float64(time.Second) / float64(d)
		}
	}
	if c.Refresh > 0 && (c.Now == nil || c.Sleep == nil) {
		return fmt.Errorf("soft: a refresh rate of %v Hz needs a clock: set Now and Sleep", c.Refresh)
	}
	if c.Now == nil {
		c.Now = func() media.Instant { return 0 }
		c.Sleep = nil
	}
	if c.Sleep == nil {
		c.Sleep = func(media.Instant) {}
	}
	return nil
}

// period is the length of a refresh at hz.
func period(hz float64) time.Duration {
	if hz <= 0 {
		return 0
	}
	return time.Duration(float64(time.Second)/hz + 0.5)
}
