// Package clock relates the timelines of playback: the machine's monotonic clock, the
// timestamps of streams, and the sound card's idea of a second.
//
// Who is master: [Media] runs on the monotonic clock and is corrected by what the audio
// device says has been heard, as long as it says something. Everything but [Now] is pure:
// the present is an argument, so that tests need no waiting.
package clock

import (
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

// Instant is a point of the monotonic clock.
type Instant = media.Instant

// Now reads the monotonic clock.
func Now() Instant { return rt.Now() }
