//go:build !linux

package rt

import (
	"time"

	"github.com/scanout-av/scanout/media"
)

// SleepUntil sleeps until deadline; one in the past returns at once.
// Units: deadline is absolute, ns of the clock that [Now] reads.
func SleepUntil(deadline media.Instant) {
	for d := left(deadline); d > 0; d = left(deadline) {
		time.Sleep(d)
	}
}

func holdUntil(deadline media.Instant) { SleepUntil(deadline) }
