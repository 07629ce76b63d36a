// Package rt is what a thread with deadlines needs: the monotonic clock, sleeping until
// an absolute moment, a wait that another goroutine can end, and the priority, affinity
// and timer slack of the thread.
//
// Everything here works everywhere; on Linux it is exact to tens of microseconds, on
// other systems as exact as the Go runtime's timers.
package rt

import (
	"time"

	"github.com/scanout-av/scanout/media"
)

// Now reads the monotonic clock: CLOCK_MONOTONIC, which never steps and which GPU,
// audio and display stamps refer to.
// Concurrency: any goroutine; about 30 ns, no allocation.
func Now() media.Instant { return media.Instant(now()) }

// Pause burns a moment without disturbing the core's other thread: the body of a loop
// that spins. n counts PAUSE instructions, of a few to some forty nanoseconds each.
func Pause(n uint32) { procyield(n) }

// spinUntil burns the time up to deadline.
func spinUntil(deadline media.Instant) {
	for Now() < deadline {
		Pause(10)
	}
}

// left is the time until deadline, never negative.
func left(deadline media.Instant) time.Duration { return max(0, deadline.Sub(Now())) }
