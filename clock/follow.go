package clock

import (
	"math"
	"time"
)

// follower decides which of the audio device's positions to believe.
//
// Devices report with 0.04 ms of jitter (PulseAudio) up to the length of a period (SDL).
// A report further off than limit is an outlier, unless several in a row agree on the
// side: then the device has stepped. Each step widens the limit, so that a device whose
// reports are coarse is soon averaged instead of followed to and fro. A position that
// stands still for a while is a device that has run dry: the clock stands still with it.
type follower struct {
	fit    Fit
	since  Instant // observations before are stale
	limit  float64 // ns, 0 is minLimit
	jitter float64 // ns, mean distance of accepted observations
	row    int     // outliers in a row; negative when they are behind
	last   Instant

	// When the position last moved, and where to.
	movedAt  Instant
	movedTo  time.Duration
	stalled  bool
	outliers int64
	resets   int64
	stalls   int64
}

const (
	minLimit     = float64(2 * time.Millisecond)
	maxLimit     = float64(40 * time.Millisecond)
	limitDecay   = float64(30 * time.Second)
	rowLimit     = 4
	jumpLimit    = 10 * time.Second // another timeline, not jitter
	stallAfter   = 100 * time.Millisecond
	stallMinMove = time.Millisecond
)

type verdict uint8

const (
	ignore verdict = iota
	accept
	reset // take this observation as the new anchor
)

// judge says what to do with an observation that deviates from the uncorrected clock.
func (a *follower) judge(position time.Duration, at Instant, deviation time.Duration) verdict {
	if at < a.last || at < a.since {
		return ignore
	}
	elapsed := float64(at - a.last)
	first := a.fit.Observations() == 0
	a.last = at

	if d := position - a.movedTo; first || d > stallMinMove || d < -stallMinMove {
		a.movedAt, a.movedTo = at, position
	}
	if at.Sub(a.movedAt) >= stallAfter {
		if !a.stalled {
			a.stalls++
		}
		a.stalled, a.row = true, 0
		return reset
	}
	if a.stalled { // it plays again
		a.stalled = false
		return reset
	}
	if first {
		return reset
	}

	off := float64(deviation) - a.fit.at(at)
	if math.Abs(off) > float64(jumpLimit) {
		a.row = 0
		a.resets++
		return reset
	}
	a.limit = max(minLimit, a.limit*math.Exp(-elapsed/limitDecay), 4*a.jitter)
	if math.Abs(off) <= a.limit {
		a.row = 0
		a.jitter += (math.Abs(off) - a.jitter) / 32
		return accept
	}
	if off > 0 {
		a.row = max(a.row, 0) + 1
	} else {
		a.row = min(a.row, 0) - 1
	}
	if a.row >= rowLimit || a.row <= -rowLimit {
		a.row = 0
		a.limit = min(maxLimit, 2*a.limit)
		a.resets++
		return reset
	}
	a.outliers++
	return ignore
}

// restart drops what depends on the position and keeps what is known of the device.
func (a *follower) restart(now Instant) {
	a.fit.Restart(now)
	a.since, a.stalled, a.row = now, false, 0
}
