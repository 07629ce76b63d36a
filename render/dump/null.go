package dump

import (
	"os"
	"time"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
)

// NullConfig describes a sink that drops every frame.
type NullConfig struct {
	// Refresh simulates a display of that refresh interval: one frame is shown each
	// refresh, and Begin waits for the one before. 0: no display, no waiting.
	// Refresh needs Now and Sleep.
	Refresh time.Duration
	// Display is that display when it is more than a rate: jitter, missed refreshes, a variable
	// rate. Refresh is not looked at then.
	Display *pace.Simulated
	Now     func() media.Instant
	Sleep   func(until media.Instant)
}

// Null drops every frame and reports when it would have been seen.
//
// Concurrency: one goroutine.
type Null struct {
	cfg      NullConfig
	w, h     int
	display  pace.Simulated
	shown    media.Instant // when the newest frame becomes visible; 0 before the first
	closed   bool
	feedback queue
}

// NewNull makes a null sink.
func NewNull(cfg NullConfig) *Null {
	n := &Null{cfg: cfg, display: pace.Simulated{Period: max(cfg.Refresh, 0)}}
	if cfg.Display != nil {
		n.display = *cfg.Display
	}
	if cfg.Now == nil || cfg.Sleep == nil || n.display.Check() != nil {
		n.display = pace.Simulated{}
	}
	if n.display.Interval() > 0 {
		n.display.Start(cfg.Now())
	}
	return n
}

// Name says that nothing is shown.
func (n *Null) Name() string { return "null" }

// TakesGPU reports that frames in GPU memory are as good as any: nobody looks at them.
func (n *Null) TakesGPU() bool { return true }

// Display describes the simulated display, if there is one.
func (n *Null) Display() media.Display {
	d := n.display.Display(0)
	d.Width, d.Height = n.w, n.h
	if d.Throttled {
		d.Last = n.display.Before(n.cfg.Now())
	}
	return d
}

// Begin waits until the frame before has been shown.
// Errors: media.ErrAgain at the deadline.
func (n *Null) Begin(deadline media.Instant) error {
	if n.closed {
		return os.ErrClosed
	}
	free := n.shown
	if free == 0 || n.cfg.Now() >= free {
		return nil
	}
	if deadline != 0 && deadline < free {
		n.cfg.Sleep(deadline)
		return media.ErrAgain
	}
	n.cfg.Sleep(free)
	return nil
}

// Present drops s.Frame.
// Ownership: takes s.Frame, even on error.
func (n *Null) Present(s *media.Scheduled) error {
	f := s.Frame
	if n.closed {
		f.Release()
		return os.ErrClosed
	}
	n.w, n.h = f.Width, f.Height
	p := media.Presented{
		Number: s.Number, PTS: f.PTS, Timebase: f.Timebase, Serial: f.Serial, Target: s.Target, Source: media.PresentImmediate,
	}
	if n.cfg.Now != nil {
		p.Submitted = n.cfg.Now()
		p.Actual = p.Submitted
	}
	if r := n.display.Interval(); r > 0 {
		n.shown = n.display.Show(p.Submitted, s.Target)
		p.Actual, p.Refresh, p.Source = n.shown, r, media.PresentSimulated
		if s.Target != 0 {
			// The refresh nearest to the target was the intended one.
			p.Missed = int(max(0, (p.Actual.Sub(s.Target)+r/2)/r))
		}
	}
	f.Release()
	n.feedback.push(&p)
	return nil
}

// Feedback pops the oldest report.
func (n *Null) Feedback(p *media.Presented) bool { return n.feedback.pop(p) }

// Poll has no events.
func (n *Null) Poll(*media.Event) bool { return false }

// Close ends the sink.
func (n *Null) Close() error {
	n.closed = true
	return nil
}
