package pace

import (
	"math"
	"time"

	"github.com/scanout-av/scanout/media"
)

func ceil(x float64) float64 { return math.Ceil(x) }

// cadence chooses between the two refreshes around a frame's moment.
//
// Rounding each moment to the nearest refresh is error diffusion: what one frame stays too
// long, the next is shorter. It gives the best cadence of every pair of rates, as long as
// it rounds the same way each time; but moments are known with some noise, and one that
// falls midway would go now up, now down. So the threshold keeps away from the moments
// that occur: a fraction that comes near it pushes it aside, as far as to the bounds, and
// only one that drifts across a bound changes sides, once.
type cadence struct {
	threshold float64 // fractions above it round up
	bound     float64 // how far it may be from the middle
}

const (
	// The threshold stays near the middle: a frame is at most 0.6 of a refresh from its
	// moment. Of a live source it is latency, and moments are known to the jitter.
	cadenceBound     = 0.1
	cadenceBoundLive = 0.05
	// cadenceMargin is the distance it keeps: ten times the noise of an estimate through a
	// hundred stamps with 0.5 ms of jitter.
	cadenceMargin = 0.03
)

func newCadence(live bool) cadence {
	if live {
		return cadence{0.5, cadenceBoundLive}
	}
	return cadence{0.5, cadenceBound}
}

// round returns the refresh for a moment, in refreshes.
func (c *cadence) round(x float64) float64 {
	whole := math.Floor(x)
	part := x - whole
	if part <= c.threshold {
		if part > c.threshold-cadenceMargin {
			c.threshold = min(part+cadenceMargin, 0.5+c.bound)
		}
		return whole
	}
	if part < c.threshold+cadenceMargin {
		c.threshold = max(part-cadenceMargin, 0.5-c.bound)
	}
	return whole + 1
}

// peek is round for a frame whose turn has not come.
func (c cadence) peek(x float64) float64 { return c.round(x) }

// placeFixed finds the refresh for c.
func (p *Pacer) placeFixed(now media.Instant, c *Candidate) place {
	v := &p.vsync
	own := p.cadence.peek(p.aim(c.Due))
	n := own
	if p.target != 0 {
		// Each refresh shows one frame.
		n = max(n, math.Round(v.Index(p.target))+1)
	}
	if p.cfg.Live {
		// What a live source sends may be here only when the refresh nearest to its moment
		// has passed.
		n = max(n, ceil(v.Index(now)))
	}
	// Each frame on its way takes a refresh of its own, and this one comes after them. A
	// quarter of a refresh is what it may be late and still be quicker than it seems.
	visible := v.Index(now) + 0.25
	if p.last.actual != 0 {
		visible = max(visible, v.Index(p.last.actual)+float64(1+p.inFlight.n)+0.25)
	}
	pl := place{target: v.At(n)}
	// Its own lies behind its moment (or so little before that the noise of the two may hide
	// it), for which it waits as long as the source's jitter asks for: the next one will be in
	// time as well.
	pl.behind = p.cfg.Live && max(n, visible) >= own+1 &&
		v.At(own) >= max(c.Due.Add(-p.live.Delay()/2), c.Ready.Add(reserveExtra))
	pl.submit = pl.target.Add(-p.Lead())
	if c.HasNext {
		pl.outpaced = p.cadence.peek(p.aim(c.NextDue)) <= max(n, visible)
	}
	return pl
}

// aim returns, in refreshes, of what the nearest one is a frame's. A live frame's moment is
// the one from which on it is sure to be ready, and half a refresh later: the nearest before
// it may be one that no frame can reach, and all would count as late for ever.
func (p *Pacer) aim(due media.Instant) float64 {
	x := p.vsync.Index(due)
	if p.cfg.Live {
		x += 0.5 + float64(p.extra)/p.vsync.Period()
	}
	return x
}

// seen takes note of a frame whose turn is over, shown or not.
func (p *Pacer) seen(due media.Instant, at time.Duration) {
	if p.exact() {
		x := p.aim(due)
		p.cadence.round(x)
		p.speed.observe(x)
	}
	p.frames.observe(at)
}

// interval finds a source's frame interval from its timestamps. Containers round those, to
// a millisecond in Matroska; the interval is the way from the first to the newest stamp
// over the number of frames, as long as each step is about as long as the others.
type interval struct {
	nominal     float64 // what the source says, ns; 0 for nothing
	first, last time.Duration
	n           int // steps
}

const (
	// intervalRounding is how far steps may be apart and be held to be rounded: mpv's 3.1 ms,
	// which covers the 3 ms of a container that stores 1/300 s.
	intervalRounding = 3100 * time.Microsecond
	// intervalKnown is after how many steps an average is trusted: rounding to a
	// millisecond then makes 0.03 % at 60 fps.
	intervalKnown = 240
	// intervalConfirms is after how many steps the source's own word is, when they do not
	// disagree.
	intervalConfirms = 8
)

func (v *interval) reset() { v.n, v.first, v.last = -1, 0, 0 }

func (v *interval) observe(at time.Duration) {
	if v.n > 0 {
		mean := float64(v.last-v.first) / float64(v.n)
		if math.Abs(float64(at-v.last)-mean) > float64(intervalRounding) {
			v.n = -1
		}
	}
	if v.n <= 0 && v.last == 0 && v.first == 0 || v.n < 0 {
		v.first, v.last, v.n = at, at, 0
		return
	}
	v.last = at
	v.n++
}

// value returns the interval in ns, 0 when it is not known or frames come unevenly.
func (v *interval) value() float64 {
	if v.n < intervalConfirms {
		return 0
	}
	mean := float64(v.last-v.first) / float64(v.n)
	if v.nominal > 0 && math.Abs(mean-v.nominal) <= float64(intervalRounding)/float64(v.n) {
		return v.nominal
	}
	if v.n < intervalKnown {
		return 0
	}
	return mean
}
