package pace

import (
	"time"

	"github.com/scanout-av/scanout/media"
)

// Simulated is a display that exists on paper: a FIFO of refreshes at an exact rate. It
// stands in for a screen where there is none, with the rules of a real one: a picture
// appears on the first refresh at which it is ready and wanted, each refresh shows one,
// and at most Depth pictures wait.
//
// The zero value has no refresh: every picture is visible at once.
// Concurrency: one goroutine.
type Simulated struct {
	Period time.Duration
	// Depth is how many pictures may wait to become visible; 0 means 1.
	Depth int

	start   media.Instant // a refresh
	last    media.Instant // refresh of the newest picture
	started bool
}

// Start sets the phase: a refresh happens at t.
func (s *Simulated) Start(t media.Instant) { s.start, s.last, s.started = t, 0, true }

// After returns the first refresh at or after t.
func (s *Simulated) After(t media.Instant) media.Instant {
	if s.Period <= 0 {
		return t
	}
	d := t.Sub(s.start)
	n := d / s.Period
	if d%s.Period > 0 {
		n++
	}
	return s.start.Add(n * s.Period)
}

// Ready returns when the display can take another picture: now, or when enough of those
// that wait have become visible.
func (s *Simulated) Ready(now media.Instant) media.Instant {
	if s.Period <= 0 || s.last == 0 {
		return now
	}
	return max(now, s.last.Add(-time.Duration(max(s.Depth, 1)-1)*s.Period))
}

// Present puts a picture that is ready at done and wanted at target (0: at once) in the
// queue, and returns when it becomes visible and how many refreshes later than wanted
// that is. Half a refresh early counts as on time, because a display cannot do better.
func (s *Simulated) Present(done, target media.Instant) (visible media.Instant, missed int) {
	if s.Period <= 0 {
		return done, 0
	}
	if !s.started {
		s.Start(done)
	}
	wanted := done
	if target != 0 {
		wanted = s.After(target.Add(-s.Period / 2))
	}
	v := max(s.After(done), wanted)
	if s.last != 0 {
		v = max(v, s.last.Add(s.Period))
	}
	s.last = v
	if target != 0 && v > wanted {
		missed = int((v.Sub(wanted) + s.Period/2) / s.Period)
	}
	return v, missed
}
