// Package pace decides which frame appears when.
//
// It is pure: it never reads a clock and never sleeps. The time is an argument, what the
// display did comes in through [Pacer.Observe], and what to do comes out as a
// [Decision]. That is what makes every policy testable on a made-up timeline.
package pace

import (
	"fmt"
	"time"

	"github.com/scanout-av/scanout/media"
)

// Config says how to pace. The zero value suits files.
type Config struct {
	// Lead is how long before its moment a frame is handed to the renderer, so that the
	// display and not our wake-up decides when it appears. 0: one refresh interval, or
	// DefaultLead where the display has none.
	Lead time.Duration
	// LateTolerance is how far a frame may be behind its moment before it is dropped
	// although no newer frame is ready. 0: DefaultLateTolerance.
	LateTolerance time.Duration
	// MinRate is how often a picture is shown however late all of them are. 0:
	// DefaultMinRate.
	MinRate time.Duration
	// Unpaced shows every frame as soon as the sink takes it and drops none.
	Unpaced bool
}

const (
	// DefaultLead covers the recording and submission of a frame and a late wake-up.
	DefaultLead = 4 * time.Millisecond
	// DefaultLateTolerance is the lower bound of ffplay's sync threshold: below it
	// lateness is not seen, and dropping would be.
	DefaultLateTolerance = 40 * time.Millisecond
	// DefaultMinRate follows GStreamer's QoS: at least one picture a second, so that a
	// machine that is too slow shows a slide show and not a black screen.
	DefaultMinRate = time.Second
)

func (c Config) validate() (Config, error) {
	if c.Lead < 0 || c.LateTolerance < 0 || c.MinRate < 0 {
		return c, fmt.Errorf("pace: negative duration in %+v", c)
	}
	if c.LateTolerance == 0 {
		c.LateTolerance = DefaultLateTolerance
	}
	if c.MinRate == 0 {
		c.MinRate = DefaultMinRate
	}
	return c, nil
}

// Action is what to do with the frame at the head of the queue.
type Action uint8

// Actions.
const (
	Wait Action = iota // nothing to do before Decision.Until
	Show
	Drop
)

func (a Action) String() string { return [...]string{"wait", "show", "drop"}[min(int(a), 2)] }

// Decision is an action and its moment.
type Decision struct {
	Action Action
	// Until is when to ask again (Wait).
	Until media.Instant
	// Target is when the frame should become visible (Show).
	Target media.Instant
	// Late is how far the frame is behind its moment; 0 when it is not.
	Late time.Duration
}

// Candidate is the frame at the head of the queue, with its moments on the local clock.
type Candidate struct {
	Due      media.Instant // when it should become visible
	Duration time.Duration // how long it should stay; 0 when not known
	// HasNext and NextDue describe the frame behind it, when it is decoded.
	HasNext bool
	NextDue media.Instant
}

// Pacer decides for one stream.
// Concurrency: one goroutine.
type Pacer struct {
	cfg      Config
	display  media.Display
	lastShow media.Instant
	shown    bool
	last     shownAt
	stats    Stats
}

// shownAt is when the last observed frame was meant to appear and when it did.
type shownAt struct {
	target, actual media.Instant
	serial         uint32
}

// Stats counts what became of frames and refreshes.
type Stats struct {
	Shown   int64
	Dropped int64 // late, dropped before any GPU work
	Late    int64 // shown, but visible later than half a refresh after their moment
	// Repeated counts refreshes on which a picture stayed although its time was over,
	// because the next one was not there.
	Repeated int64
	Missed   int64 // refreshes missed by a submitted frame, as the display reports them
}

// New returns a pacer.
func New(cfg Config) (*Pacer, error) {
	cfg, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	return &Pacer{cfg: cfg}, nil
}

// SetDisplay says where frames go. It may change while playing.
func (p *Pacer) SetDisplay(d media.Display) { p.display = d }

// Lead returns how long before its moment a frame is handed to the renderer.
func (p *Pacer) Lead() time.Duration {
	switch {
	case p.cfg.Lead > 0:
		return p.cfg.Lead
	case p.display.Refresh > 0:
		return max(p.display.Refresh, DefaultLead)
	default:
		return DefaultLead
	}
}

// Decide says what to do at now with the frame at the head of the queue.
func (p *Pacer) Decide(now media.Instant, c Candidate) Decision {
	if p.cfg.Unpaced {
		return Decision{Action: Show}
	}
	lead := p.Lead()
	if now < c.Due.Add(-lead) {
		return Decision{Action: Wait, Until: c.Due.Add(-lead)}
	}
	late := max(now.Sub(c.Due), 0)
	if p.shown && now.Sub(p.lastShow) < p.cfg.MinRate {
		// Before the refresh after the last frame's nothing can appear. When the next
		// frame is due by then, this one would only keep the lag alive. It counts only
		// when the next is at hand, because a late picture beats none.
		visible := now
		if p.last.actual != 0 {
			visible = max(visible, p.last.actual.Add(p.display.Refresh))
		}
		if c.HasNext && c.NextDue <= visible {
			return p.drop(late)
		}
		if late > max(p.cfg.LateTolerance, c.Duration) {
			return p.drop(late)
		}
	}
	return Decision{Action: Show, Target: c.Due, Late: late}
}

func (p *Pacer) drop(late time.Duration) Decision {
	p.stats.Dropped++
	return Decision{Action: Drop, Late: late}
}

// Showing records that the frame of the last Show decision was submitted at now.
func (p *Pacer) Showing(now media.Instant) {
	p.lastShow, p.shown = now, true
	p.stats.Shown++
}

// Observe takes what the display reported about a frame.
func (p *Pacer) Observe(f *media.Presented) {
	half := f.Refresh / 2
	if f.Target != 0 && f.Actual != 0 && f.Actual.Sub(f.Target) > max(half, time.Millisecond) {
		p.stats.Late++
	}
	p.stats.Missed += int64(f.Missed)
	if q := &p.last; f.Refresh > 0 && f.Actual != 0 && f.Target != 0 {
		if q.actual != 0 && q.serial == f.Serial {
			over := f.Actual.Sub(q.actual) - f.Target.Sub(q.target)
			if n := (over + half) / f.Refresh; n > 0 {
				p.stats.Repeated += int64(n)
			}
		}
		*q = shownAt{f.Target, f.Actual, f.Serial}
	}
}

// Reset forgets the past: after a seek, a pause or a new display.
func (p *Pacer) Reset() { p.shown, p.last = false, shownAt{} }

// Stats returns the counts so far.
func (p *Pacer) Stats() Stats { return p.stats }
