package player

import (
	"time"

	"github.com/scanout-av/scanout/media"
)

// strain decides when a decoder that is too slow leaves out the pictures that no other
// refers to. Decoding goes on with all of them when it has been ahead for a while, which is
// longer each time that turned out to be too soon: a picture rate that changes to and fro
// looks worse than half of it.
//
// It is pure: now is an argument.
// Concurrency: one goroutine.
type strain struct {
	on    bool
	late  int           // pictures since decoding was ahead
	since media.Instant // when on or off began
	ahead media.Instant // since when decoding has been ahead; 0: it is not
	hold  time.Duration
}

const (
	// strainLate is how many pictures must be late before decoding has been ahead again.
	strainLate = 8
	// strainHold is how long decoding must be ahead at first, strainMost at most. It was too
	// soon when decoding falls behind again within strainSoon and as much on top.
	strainHold, strainMost = 2 * time.Second, 16 * time.Second
	strainSoon             = 5 * time.Second
)

// see takes note of a picture: whether it was late, and whether others wait behind it.
func (s *strain) see(now media.Instant, late, ahead bool) {
	switch {
	case late:
		s.late++
	case ahead:
		s.late = 0
	}
	switch {
	case !s.on && s.late >= strainLate:
		if s.since != 0 && now.Sub(s.since) < s.hold+strainSoon {
			s.hold = min(2*s.hold, strainMost)
		} else {
			s.hold = strainHold
		}
		s.on, s.since, s.ahead = true, now, 0
	case !s.on:
	case late || !ahead:
		s.ahead = 0
	case s.ahead == 0:
		s.ahead = now
	case now.Sub(s.ahead) >= s.hold:
		s.on, s.since = false, now
	}
}
