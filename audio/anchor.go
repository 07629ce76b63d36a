package audio

import (
	"time"

	"github.com/scanout-av/scanout/media"
)

// anchor turns measurements of a position into a line that can be read at any instant.
//
// A measurement can be stale (a server that counts in periods has moved on since its last
// one), but is never early. So the truth is the highest of the recent ones, each moved to
// now; the window is short enough that the two clocks drift apart by a fraction of a
// sample in it.
type anchor struct {
	offset [8]time.Duration // position − instant
	n      int              // how many are valid
	next   int
}

// slip is how far a measurement must lie below the line to say that sound stood still
// (an underrun, a suspended device) rather than that it is stale.
const slip = 60 * time.Millisecond

// reset forgets every measurement.
func (a *anchor) reset() { a.n, a.next = 0, 0 }

// add records that position had been reached at an instant.
func (a *anchor) add(position time.Duration, at media.Instant) {
	o := position - time.Duration(at)
	if a.n > 0 && o < a.best()-slip {
		a.reset()
	}
	a.offset[a.next] = o
	a.next = (a.next + 1) % len(a.offset)
	a.n = min(a.n+1, len(a.offset))
}

func (a *anchor) best() time.Duration {
	best := a.offset[0]
	for _, o := range a.offset[1:max(a.n, 1)] {
		best = max(best, o)
	}
	return best
}

// at returns the position at an instant; false without a measurement.
func (a *anchor) at(now media.Instant) (time.Duration, bool) {
	if a.n == 0 {
		return 0, false
	}
	return a.best() + time.Duration(now), true
}
