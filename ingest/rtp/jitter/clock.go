package jitter

import (
	"math"
	"time"

	"github.com/scanout-av/scanout/media"
)

// Clock maps the timestamps of an RTP stream to local time: to when a packet would have
// come if the network had been at its quickest. It follows the drift between the sender's
// crystal and this machine's.
//
// Delays in a network only add, so what counts are the quickest packets: the least delay
// of each quarter of a second, and a straight line through those of the last sixteen
// seconds. The line moves slowly, so that pictures re-timed by it keep their rhythm; when
// the quickest packets of a second are all elsewhere, the path has changed, and the line
// steps after them.
//
// The zero value is not ready: see [NewClock].
type Clock struct {
	tick    float64 // ns
	started bool
	origin  int64 // timestamp of the first observation
	at      media.Instant
	last    media.Instant // of the last observation

	bucket    media.Instant // when the current quarter of a second began
	least     float64       // deviation of its quickest packet, ns
	leastAt   float64       // when that was, ns since at
	has       bool
	points    [clockPoints]clockPoint
	n, head   int
	spread    float64 // mean distance of the points from the line
	apart     int     // points in a row that are on the same side of the line
	slope     float64
	offset    float64 // of the line, at reference
	reference float64
	// What At adds: the line is followed slowly.
	shown   float64
	shownAt media.Instant

	jumpTS   int64 // a jump of the timestamps, if the next packet confirms it
	jumpAt   media.Instant
	jumped   bool
	steps    int64
	restarts int64
}

type clockPoint struct{ t, d float64 }

const (
	clockPoints  = 64
	clockBucket  = 250 * time.Millisecond
	clockPrior   = 4e9 * 4e9 // ns²: a slope counts once it has been seen for 4 s
	clockMaxRate = 1000e-6   // no crystal is further off
	// clockSlew is how fast At follows the line.
	clockSlew  = 0.02
	clockFrame = float64(20 * time.Millisecond)
	// clockApart is how many quarters of a second in a row must be off by clockOff before
	// the line steps.
	clockApart = 4
	clockOff   = float64(4 * time.Millisecond)
	clockStep  = float64(100 * time.Millisecond) // further is not slewed
	// clockJump is how far timestamps may be from local time before they are taken for
	// another timeline.
	clockJump    = float64(2 * time.Second)
	clockSilence = 10 * time.Second
)

// NewClock returns a clock for timestamps of the given rate in Hz.
func NewClock(rate int) *Clock {
	return &Clock{tick: 1e9 / float64(max(rate, 1))}
}

// Reset forgets everything, the drift too: another sender has another crystal.
func (c *Clock) Reset() {
	*c = Clock{tick: c.tick, steps: c.steps, restarts: c.restarts + 1}
}

// restart begins again at ts, keeping the drift.
func (c *Clock) restart(ts int64, at media.Instant) {
	slope := c.slope
	c.Reset()
	c.slope = slope
	c.begin(ts, at)
}

func (c *Clock) begin(ts int64, at media.Instant) {
	c.started, c.origin, c.at, c.bucket, c.shownAt = true, ts, at, at, at
}

// nominal is when ts would be due by the sender's clock alone, ns since the beginning.
func (c *Clock) nominal(ts int64) float64 { return float64(ts-c.origin) * c.tick }

// Far reports whether a packet of timestamp ts that came at an instant is of another timeline,
// if the next one confirms it.
func (c *Clock) Far(ts int64, at media.Instant) bool {
	if !c.started || at.Sub(c.last) > clockSilence {
		return false
	}
	t := float64(at - c.at)
	return math.Abs(t-c.nominal(ts)-c.line(t)) > clockJump
}

// Restart begins another timeline at ts, keeping the drift.
func (c *Clock) Restart(ts int64, at media.Instant) {
	c.restart(ts, at)
	c.last = at
}

// Observe says that a packet of timestamp ts came at an instant. Restarted says that the
// timestamps are of another timeline from here on.
func (c *Clock) Observe(ts int64, at media.Instant) (restarted bool) {
	if !c.started {
		c.begin(ts, at)
	}
	if at.Sub(c.last) > clockSilence && c.last != 0 {
		c.restart(ts, at)
	}
	c.last = at
	t := float64(at - c.at)
	d := t - c.nominal(ts)
	if math.Abs(d-c.line(t)) > clockJump {
		if c.jumped && math.Abs(float64(at-c.jumpAt)-float64(ts-c.jumpTS)*c.tick) < clockJump/8 && ts != c.jumpTS {
			c.restart(ts, at)
			return true
		}
		if !c.jumped || ts != c.jumpTS {
			c.jumped, c.jumpTS, c.jumpAt = true, ts, at
		}
		return false
	}
	c.jumped = false
	if !c.has || d < c.least {
		c.least, c.leastAt, c.has = d, t, true
	}
	if c.n == 0 && d < c.offset {
		// In the first quarter of a second there is nothing to smooth.
		c.offset, c.shown = d, d
	}
	if at.Sub(c.bucket) >= clockBucket {
		c.point(clockPoint{c.leastAt, c.least})
		c.bucket, c.has = at, false
	}
	return false
}

// line is the deviation that is expected at t.
func (c *Clock) line(t float64) float64 { return c.offset + c.slope*(t-c.reference) }

func (c *Clock) point(p clockPoint) {
	if c.n > 0 {
		limit := max(clockOff, 4*c.spread)
		switch off := p.d - c.line(p.t); {
		case off > limit:
			c.apart = max(c.apart, 0) + 1
		case off < -limit:
			c.apart = min(c.apart, 0) - 1
		default:
			c.apart = 0
		}
		// Quicker than ever is a fact; slower may be a queue that will drain.
		if c.apart >= clockApart || c.apart <= -2 {
			k := c.apart
			if k < 0 {
				k = -k
			}
			// Only what was seen since the path changed counts.
			c.n = min(c.n, k-1)
			c.apart = 0
			c.steps++
		}
	}
	c.points[c.head] = p
	c.head = (c.head + 1) % clockPoints
	c.n = min(c.n+1, clockPoints)
	c.fit()
}

// fit lays the line through the points, its slope held near what is known.
func (c *Clock) fit() {
	var mt, md float64
	for i := range c.n {
		p := &c.points[(c.head-1-i+clockPoints)%clockPoints]
		mt += p.t
		md += p.d
	}
	mt /= float64(c.n)
	md /= float64(c.n)
	var vt, cov float64
	for i := range c.n {
		p := &c.points[(c.head-1-i+clockPoints)%clockPoints]
		vt += (p.t - mt) * (p.t - mt)
		cov += (p.t - mt) * (p.d - md)
	}
	prior := clockPrior * 4 // as if by that many points
	c.slope = max(-clockMaxRate, min(clockMaxRate, (cov+prior*c.slope)/(vt+prior)))
	c.offset, c.reference = md, mt
	c.spread = 0
	for i := range c.n {
		p := &c.points[(c.head-1-i+clockPoints)%clockPoints]
		c.spread += math.Abs(p.d-c.line(p.t)) / float64(c.n)
	}
}

// At returns when a packet of timestamp ts would come at its quickest. Moments of later
// calls follow the line slowly. Before the first observation it returns 0.
func (c *Clock) At(ts int64) media.Instant {
	if !c.started {
		return 0
	}
	n := c.nominal(ts)
	return c.at + media.Instant(math.Round(n+c.shown+c.slope*(n-float64(c.shownAt-c.at))))
}

// Follow lets At follow the line up to now. Call it once for each unit.
func (c *Clock) Follow(now media.Instant) {
	if !c.started || now <= c.shownAt {
		return
	}
	t := float64(now - c.at)
	dt := float64(now - c.shownAt)
	// Arrivals are uneven and pictures are not: no picture is moved by more than that.
	step := clockSlew * min(dt, clockFrame)
	c.shown += c.slope * dt
	c.shownAt = now
	off := c.line(t) - c.shown
	if math.Abs(off) > clockStep {
		step = math.Abs(off)
	}
	c.shown += max(-step, min(step, off))
}

// PPM is how much faster than this machine's clock the sender's runs, in millionths.
func (c *Clock) PPM() float64 { return -c.slope * 1e6 }

// Steps counts changes of the path that the line stepped after; Restarts other timelines.
func (c *Clock) Steps() int64    { return c.steps }
func (c *Clock) Restarts() int64 { return c.restarts }
