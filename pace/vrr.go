package pace

import (
	"time"

	"github.com/scanout-av/scanout/media"
)

// variable spaces frames on a display that waits for them.
type variable struct {
	latched bool // the display spaces them, we do not
	guard   time.Duration
}

const (
	// The guard is what our own spacing adds to the display's shortest interval, so that a
	// frame is not ready just before the display is: 100 µs, more after frames that had to
	// wait all the same.
	minGuard  = 100 * time.Microsecond
	maxGuard  = 250 * time.Microsecond
	guardStep = 25 * time.Microsecond
	// With less than headroomLow between the source's interval and the display's shortest,
	// spacing of our own has no room: the display's queue does it better, until there is
	// headroomHigh again.
	headroomLow  = 1500 * time.Microsecond
	headroomHigh = 2 * time.Millisecond
)

// observe takes how much later than wanted a frame appeared.
func (v *variable) observe(late time.Duration) {
	if late > guardStep {
		v.guard = min(max(v.guard, minGuard)+guardStep, maxGuard)
	} else {
		v.guard = max(v.guard-guardStep/16, minGuard)
	}
}

// placeVariable finds the moment for c on a display with variable refresh: its own, unless
// the display is still busy with the frame before.
func (p *Pacer) placeVariable(now media.Instant, c *Candidate) place {
	v := &p.vrr
	shortest := p.display.Refresh
	source := time.Duration(p.frames.value())
	if source == 0 {
		source = c.Duration
	}
	switch headroom := source - shortest; {
	case source == 0 || headroom >= headroomHigh:
		v.latched = false
	case headroom < headroomLow:
		v.latched = true
	}
	floor := shortest
	if !v.latched {
		floor += max(v.guard, minGuard)
	}
	if source > 0 && source > shortest {
		// A floor above the source's interval builds a queue: 115.4 fps under 116 fps.
		floor = min(floor, source)
	}
	target := c.Due
	if last := max(p.target, p.last.actual); last != 0 {
		target = max(target, last.Add(floor))
	}
	// By then the frame behind it would be as late as this one.
	outpaced := c.HasNext && target > c.Due && c.NextDue <= target && now >= target.Add(-p.Lead()-floor)
	if c.HasNext && c.NextDue <= now {
		outpaced = true
	}
	return place{target: target, submit: target.Add(-p.Lead()), outpaced: outpaced}
}
