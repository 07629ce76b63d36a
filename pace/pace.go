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
	// display and not our wake-up decides when it appears. 0: half a refresh interval,
	// raised when the GPU needs longer, or DefaultLead where the display has none.
	Lead time.Duration
	// LateTolerance is how far a frame may be behind its moment before it is dropped
	// although no newer frame is ready. 0: DefaultLateTolerance.
	LateTolerance time.Duration
	// MinRate is at most how long no picture is shown, however late all of them are. 0:
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
	target   media.Instant // refresh of the newest frame to show, 0 when not known
	inFlight int           // frames shown and not yet observed
	// up is which way moments midway between two refreshes go.
	up bool
	// extra is what the GPU's time adds to the lead; found from how late frames appear.
	extra   time.Duration
	minLate time.Duration // of the frames since count was 0
	count   int
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
	Late    int64 // shown, but visible more than half a refresh after the wanted one
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

// SetDisplay says where frames go. It may change while playing; frames on their way to the
// display before are forgotten, because one that was lost reports nothing.
func (p *Pacer) SetDisplay(d media.Display) {
	p.display, p.last, p.target, p.extra, p.count, p.inFlight = d, shownAt{}, 0, 0, 0, 0
}

// Lead returns how long before its moment a frame is handed to the renderer.
//
// In FIFO mode a frame appears at the first refresh after it is drawn: handed over half a
// refresh before the wanted one, it can be early or late by almost as much without
// missing it.
func (p *Pacer) Lead() time.Duration {
	switch r := p.display.Refresh; {
	case p.cfg.Lead > 0:
		return p.cfg.Lead
	case r > 0:
		return r/2 + p.extra
	default:
		return DefaultLead
	}
}

// Exact reports whether the display has refreshes and its stamps tell when they are,
// rather than estimate it.
func (p *Pacer) Exact() bool {
	switch p.display.Source {
	case media.PresentTiming, media.PresentGoogle, media.PresentWait, media.PresentWayland, media.PresentX11, media.PresentSimulated:
		return p.display.Refresh > 0 && !p.cfg.Unpaced
	}
	return false
}

// exact reports whether the phase of the refreshes is known.
func (p *Pacer) exact() bool { return p.Exact() && p.last.actual != 0 }

// NextRefresh returns the first refresh at or after t, t itself where refreshes are not
// known.
func (p *Pacer) NextRefresh(t media.Instant) media.Instant {
	if !p.exact() {
		return t
	}
	v, part := p.nearest(t)
	if part > 0 && v < t {
		v = v.Add(p.display.Refresh)
	}
	return v
}

// nearest returns the refresh nearest to due, and how far due lies behind the one before
// it, in refreshes.
func (p *Pacer) nearest(due media.Instant) (v media.Instant, part float64) {
	r := p.display.Refresh
	d := due.Sub(p.last.actual)
	n := d / r
	rest := d - n*r
	if rest < 0 {
		n, rest = n-1, rest+r
	}
	if rest > r/2 {
		n++
	}
	return p.last.actual.Add(n * r), float64(rest) / float64(r)
}

// refresh returns the refresh for a frame that is due at due. A moment about midway
// between two goes to the same side as the one before, or jitter would turn an even
// cadence into an uneven one.
func (p *Pacer) refresh(due media.Instant) media.Instant {
	if !p.exact() {
		return due
	}
	r := p.display.Refresh
	v, part := p.nearest(due)
	switch {
	case part < 0.4 || part > 0.6:
		p.up = part > 0.5
	case p.up && part <= 0.5:
		v = v.Add(r)
	case !p.up && part > 0.5:
		v = v.Add(-r)
	}
	return v
}

// free returns v, or the refresh after it when v has shown or will show a frame already.
func (p *Pacer) free(v media.Instant) media.Instant {
	if r := p.display.Refresh; p.exact() && p.target != 0 && v < p.target.Add(r*3/4) {
		p.up = true // midway moments had better go up
		return v.Add(r)
	}
	return v
}

// outpaced reports whether the next frame's refresh will have come before this one's can be:
// showing it would only keep a lag alive.
func (p *Pacer) outpaced(now, target media.Instant, c Candidate) bool {
	if !c.HasNext {
		return false // a late picture beats none
	}
	if !p.exact() {
		return c.NextDue <= now
	}
	// Each frame on its way takes a refresh of its own, and this one comes after them.
	r := p.display.Refresh
	visible := max(now, p.last.actual.Add(time.Duration(1+p.inFlight)*r))
	return target.Add(c.NextDue.Sub(c.Due)) <= visible.Add(r/4)
}

// Decide says what to do at now with the frame at the head of the queue.
func (p *Pacer) Decide(now media.Instant, c Candidate) Decision {
	if p.cfg.Unpaced {
		return Decision{Action: Show}
	}
	wanted := p.refresh(c.Due)
	lead, target := p.Lead(), p.free(wanted)
	if now < target.Add(-lead) {
		return Decision{Action: Wait, Until: target.Add(-lead)}
	}
	late := max(now.Sub(c.Due), 0)
	if p.shown && now.Sub(p.lastShow) < p.cfg.MinRate && (p.outpaced(now, wanted, c) || late > max(p.cfg.LateTolerance, c.Duration)) {
		return p.drop(late)
	}
	p.target = target
	return Decision{Action: Show, Target: target, Late: late}
}

func (p *Pacer) drop(late time.Duration) Decision {
	p.stats.Dropped++
	return Decision{Action: Drop, Late: late}
}

// Showing records that the frame of the last Show decision was submitted at now.
func (p *Pacer) Showing(now media.Instant) {
	p.lastShow, p.shown = now, true
	p.inFlight++
	p.stats.Shown++
}

// Observe takes what the display reported about a frame: once for every frame shown, in
// order.
func (p *Pacer) Observe(f *media.Presented) {
	p.inFlight = max(p.inFlight-1, 0)
	half := f.Refresh / 2
	if f.Target != 0 && f.Actual != 0 && f.Actual.Sub(f.Target) > max(half, time.Millisecond) {
		p.stats.Late++
	}
	p.stats.Missed += int64(f.Missed)
	if q := &p.last; f.Refresh > 0 && f.Actual != 0 {
		if q.actual != 0 && q.target != 0 && q.serial == f.Serial {
			over := f.Actual.Sub(q.actual) - f.Target.Sub(q.target)
			if n := (over + half) / f.Refresh; n > 0 {
				p.stats.Repeated += int64(n)
			}
		}
		*q = shownAt{f.Target, f.Actual, f.Serial}
		if f.Target != 0 {
			p.adapt(f)
		}
	}
}

// adaptFrames is how many frames in a row must be late, or one be early, before the lead
// changes: enough to tell the GPU's time from a hiccup.
const adaptFrames = 30

// maxExtra bounds the lead, in refreshes: beyond it the sink's own queue is full.
const maxExtra = 3

// adapt raises the lead when even the quickest of the last frames came a refresh late,
// because drawing takes longer than the lead, and lowers it when a frame comes early.
func (p *Pacer) adapt(f *media.Presented) {
	if p.cfg.Lead > 0 || !p.exact() {
		return
	}
	r := f.Refresh
	late := f.Actual.Sub(f.Target)
	if late < -r*3/4 && p.extra > 0 {
		p.extra = max(p.extra-r/2, 0)
		p.count = 0
		return
	}
	if p.count == 0 || late < p.minLate {
		p.minLate = late
	}
	if p.count++; p.count < adaptFrames {
		return
	}
	p.count = 0
	if p.minLate > r*3/4 {
		p.extra = min(p.extra+r/2, maxExtra*r)
	}
}

// Reset forgets what was shown: after a seek or a pause. The display's phase stays.
func (p *Pacer) Reset() { p.shown, p.last.target, p.target = false, 0, 0 }

// Stats returns the counts so far.
func (p *Pacer) Stats() Stats { return p.stats }
