// Package pace decides which frame appears when.
//
// It is pure: it never reads a clock and never sleeps. The time is an argument, what the
// display did comes in through [Pacer.Observe], and what to do comes out as a
// [Decision]. That is what makes every policy testable on a made-up timeline, and a
// recorded one replayable ([Simulation]).
//
// The files follow a frame: its moment (live.go for live sources), the refresh for it
// (vsync.go, cadence.go, vrr.go), whether it is shown (drop.go), what became of it
// (observe.go), and how fast time runs meanwhile (speed.go).
package pace

import (
	"time"

	"github.com/scanout-av/scanout/media"
)

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
	// Reason says why (Drop).
	Reason media.DropReason
	// Reanchor asks the caller, who keeps the clock, to let time go on from this frame's
	// moment at Target: what lies between is lost time, and not to be caught up with (Show).
	Reanchor bool
}

// Candidate is the frame at the head of the queue, with its moments on the local clock.
type Candidate struct {
	Due      media.Instant // when it should become visible
	Media    time.Duration // its time in the media
	Duration time.Duration // how long it should stay; 0 when not known
	// Received is when it arrived here, of a live source, and Ready when it was decoded; 0
	// when not known.
	Received, Ready media.Instant
	// HasNext and NextDue describe the frame behind it, when it is decoded.
	HasNext bool
	NextDue media.Instant
	// Behind is how many decoded frames wait behind it; at least 1 with HasNext.
	Behind int
	// Free says that nothing but the machine's clock gives the moments: no sound is
	// playing that pictures must keep to.
	Free bool
}

// Pacer decides for one stream.
// Concurrency: one goroutine.
type Pacer struct {
	cfg      Config
	display  media.Display
	vsync    Vsync
	now      media.Instant // the latest that was heard of
	lastShow media.Instant
	shown    bool
	last     shownAt
	stats    Stats
	target   media.Instant // refresh of the newest frame to show, 0 when not known
	inFlight flight        // frames shown and not yet observed
	chosen   inFlight      // of the last Show decision
	hidden   bool
	blocked  bool

	cadence cadence
	frames  interval
	speed   speed
	vrr     variable
	live    Playout
	depth   depth
	waited  int // frames of a live source in a row that waited for the display

	patience patience

	// extra is what the GPU's time adds to the lead; found from how late frames appear.
	extra   time.Duration
	minLate time.Duration // of the frames since count was 0
	count   int
}

// New returns a pacer.
func New(cfg Config) (*Pacer, error) {
	cfg, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	p := &Pacer{cfg: cfg}
	p.frames.nominal = float64(cfg.FrameInterval)
	p.live.configure(&cfg)
	p.SetDisplay(media.Display{})
	return p, nil
}

// SetDisplay says where frames go. It may change while playing; frames on their way to the
// display before are forgotten, because one that was lost reports nothing.
func (p *Pacer) SetDisplay(d media.Display) {
	p.display, p.last, p.target, p.extra, p.count, p.inFlight = d, shownAt{}, 0, 0, 0, flight{}
	p.vsync.Reset(d.Refresh)
	p.cadence, p.speed, p.vrr = newCadence(p.cfg.Live), speed{}, variable{}
}

// SetHidden says whether anything of the window is visible. While nothing is, frames are
// dropped when their time has come, but for one a second that finds out.
func (p *Pacer) SetHidden(hidden bool) { p.hidden = hidden }

// SetBlocked says whether the display takes no frame at all. While it does not, each is
// dropped when its time has come: the caller finds out when that changes.
func (p *Pacer) SetBlocked(blocked bool) { p.blocked = blocked }

// unseen reports whether a frame whose time has come goes unseen.
func (p *Pacer) unseen(now media.Instant) bool { return p.blocked || p.hidden && p.recently(now) }

// SetSound says whether sound has to follow changes of speed.
func (p *Pacer) SetSound(on bool) { p.cfg.Sound = on }

// Config returns the configuration with its defaults filled in.
func (p *Pacer) Config() Config { return p.cfg }

// Lead returns how long before its moment a frame is handed to the renderer.
//
// In FIFO mode a frame appears at the first refresh after it is drawn: handed over half a
// refresh before the wanted one, it can be early or late by almost as much without
// missing it.
func (p *Pacer) Lead() time.Duration {
	switch r := p.period(); {
	case p.cfg.Lead > 0:
		return p.cfg.Lead
	case r > 0 && !p.display.Variable():
		return r/2 + p.extra
	default:
		return DefaultLead
	}
}

// period is the refresh interval as far as it is known.
func (p *Pacer) period() time.Duration { return time.Duration(p.vsync.Period()) }

// Exact reports whether the display has refreshes and its stamps tell when they are,
// rather than estimate it.
func (p *Pacer) Exact() bool {
	switch p.display.Source {
	case media.PresentTiming, media.PresentGoogle, media.PresentWait, media.PresentWayland, media.PresentX11, media.PresentSimulated:
		return p.display.Refresh > 0 && !p.display.Variable() && !p.cfg.Unpaced
	}
	return false
}

// exact reports whether the phase of the refreshes is known.
func (p *Pacer) exact() bool { return p.Exact() && p.vsync.Known() }

// NextRefresh returns the first refresh at or after t, t itself where refreshes are not
// known.
func (p *Pacer) NextRefresh(t media.Instant) media.Instant {
	if !p.exact() {
		return t
	}
	return p.vsync.At(ceil(p.vsync.Index(t) - 1e-6))
}

// Decide says what to do at now with the frame at the head of the queue.
//
// The path of a frame: 1. Too old for its contract: away with it. 2. The refresh nearest to
// its moment that is still free. 3. Not yet its lead before that refresh: wait. 4. Nobody
// can see it: away with it. 5. So late that it cannot be caught up with, and no sound
// plays: time starts anew with it. 6. The frame behind it is due by then, too, or it is later than is
// worth the work: away with it. 7. Show.
func (p *Pacer) Decide(now media.Instant, c Candidate) Decision {
	if p.cfg.Unpaced {
		return Decision{Action: Show}
	}
	now = max(now, p.now) // a clock that goes back must not make anybody wait for it
	p.now = now
	if p.cfg.Live {
		if reason := p.contract(now, &c); reason != media.DropNone {
			return p.drop(&c, now, reason)
		}
		if p.cfg.Policy == PolicyFreshest {
			return p.freshest(now, &c)
		}
	}
	pl := p.place(now, &c)
	if now < pl.submit && !pl.outpaced {
		return Decision{Action: Wait, Until: pl.submit}
	}
	if p.unseen(now) {
		return p.drop(&c, now, media.DropHidden)
	}
	late := max(now.Sub(c.Due), 0)
	if p.reanchors(&c, late) {
		pl.target = max(pl.target, p.NextRefresh(now))
		return p.show(&c, &pl, late, true)
	}
	if p.recently(now) {
		switch {
		case pl.outpaced && c.NextDue.Add(p.period()) <= now:
			return p.drop(&c, now, media.DropLate) // there were refreshes for it, and it was not here
		case pl.outpaced:
			return p.drop(&c, now, media.DropOutpaced)
		case late > max(p.cfg.LateTolerance, c.Duration) && !p.cfg.Live:
			return p.drop(&c, now, media.DropLate)
		case p.patience.waits(pl.behind):
			return p.drop(&c, now, media.DropOutpaced)
		}
	}
	return p.show(&c, &pl, late, false)
}

// place is where a frame goes.
type place struct {
	target media.Instant // when it becomes visible
	submit media.Instant // when to hand it over
	// outpaced says that the frame behind it belongs there as well.
	outpaced bool
	// behind says that the refresh it was ready for is taken by frames before it.
	behind bool
}

// place finds the moment at which c can be shown.
func (p *Pacer) place(now media.Instant, c *Candidate) place {
	switch {
	case p.display.Variable():
		return p.placeVariable(now, c)
	case p.exact():
		return p.placeFixed(now, c)
	}
	// A late picture beats none, so a frame with nothing behind it is never outpaced.
	return place{target: c.Due, submit: c.Due.Add(-p.Lead()), outpaced: c.HasNext && c.NextDue <= now}
}

func (p *Pacer) show(c *Candidate, pl *place, late time.Duration, reanchor bool) Decision {
	p.chosen = inFlight{due: c.Due, target: pl.target, media: c.Media, broken: reanchor, valid: true}
	return Decision{Action: Show, Target: pl.target, Late: late, Reanchor: reanchor}
}

// Showing records that the frame of the last Show decision was submitted at now. Until then
// nothing has been decided: who had to wait for the display asks again.
func (p *Pacer) Showing(now media.Instant) {
	p.lastShow, p.shown = now, true
	if c := &p.chosen; c.valid {
		p.seen(c.due, c.media)
		p.target = c.target
		if c.broken {
			p.stats.Reanchored++
		}
	}
	p.inFlight.push(p.chosen)
	p.chosen = inFlight{}
	p.stats.Shown++
}

// Reset forgets what was shown: after a seek or a pause. The display's phase stays.
func (p *Pacer) Reset() {
	p.shown, p.last.target, p.last.due, p.target = false, 0, 0, 0
	p.inFlight.broken = true
	p.frames.reset()
	p.waited, p.patience = 0, patience{}
	p.live.Reset()
	p.depth = depth{}
}

// Reanchored counts how often time started anew.
func (p *Pacer) Reanchored() int64 { return p.stats.Reanchored }

// Stats returns the counts so far.
func (p *Pacer) Stats() Stats {
	s := p.stats
	s.Refresh = p.period()
	if p.exact() {
		s.RefreshStamps = p.vsync.Stamps()
	}
	s.Speed = p.Speed()
	s.Delay = p.live.Delay()
	return s
}
