package dump

import (
	"os"
	"time"

	"github.com/scanout-av/scanout/media"
)

// NullConfig describes a sink that drops every frame.
type NullConfig struct {
	// Refresh simulates a display of that refresh interval: one frame is shown each
	// refresh, and Begin waits for the one before. 0: no display, no waiting.
	// Refresh needs Now and Sleep.
	Refresh time.Duration
	Now     func() media.Instant
	Sleep   func(until media.Instant)
}

// Null drops every frame and reports when it would have been seen.
//
// Concurrency: one goroutine.
type Null struct {
	cfg      NullConfig
	w, h     int
	epoch    media.Instant // of refresh 0
	last     int64         // refresh of the newest frame
	closed   bool
	feedback queue
}

// NewNull makes a null sink.
func NewNull(cfg NullConfig) *Null {
	n := &Null{cfg: cfg}
	if cfg.Now == nil || cfg.Sleep == nil || cfg.Refresh < 0 {
		n.cfg.Refresh = 0
	}
	if n.cfg.Refresh > 0 {
		n.epoch = cfg.Now()
	}
	return n
}

// Name says that nothing is shown.
func (n *Null) Name() string { return "null" }

// TakesGPU reports that frames in GPU memory are as good as any: nobody looks at them.
func (n *Null) TakesGPU() bool { return true }

// Display describes the simulated display, if there is one.
func (n *Null) Display() media.Display {
	d := media.Display{Width: n.w, Height: n.h, Source: media.PresentImmediate}
	if n.cfg.Refresh > 0 {
		d.Refresh, d.Source, d.Throttled = n.cfg.Refresh, media.PresentSimulated, true
		d.Last = n.at(int64(n.cfg.Now().Sub(n.epoch) / n.cfg.Refresh))
	}
	return d
}

func (n *Null) at(refresh int64) media.Instant {
	return n.epoch + media.Instant(refresh*int64(n.cfg.Refresh))
}

// Begin waits until the frame before has been shown.
// Errors: media.ErrAgain at the deadline.
func (n *Null) Begin(deadline media.Instant) error {
	if n.closed {
		return os.ErrClosed
	}
	if n.cfg.Refresh == 0 || n.last == 0 {
		return nil
	}
	free := n.at(n.last)
	if n.cfg.Now() >= free {
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
	if r := n.cfg.Refresh; r > 0 {
		k := max(n.last, int64(p.Submitted.Sub(n.epoch)/r)) + 1
		n.last = k
		p.Actual, p.Refresh, p.Source = n.at(k), r, media.PresentSimulated
		if s.Target != 0 {
			// The refresh nearest to the target was the intended one.
			intended := (int64(s.Target.Sub(n.epoch)) + int64(r)/2) / int64(r)
			p.Missed = int(max(0, k-intended))
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
