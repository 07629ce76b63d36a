package udp

import (
	"time"

	"github.com/scanout-av/scanout/media"
)

// flow judges from the kernel's stamps whether waiting will gather packets. A stream of
// one packet a millisecond gains nothing by it, and neither does a frame whose last
// packet is here.
type flow struct {
	last media.Instant // stamp of the newest packet
	gap  time.Duration // between packets, over the last batch
}

// lull is how long a burst may pause and still be going on: what a sender's system call
// takes.
const lull = 30 * time.Microsecond

// took notes a batch of n packets, the newest stamped last.
func (f *flow) took(n int, last media.Instant) {
	f.gap = last.Sub(f.last) / time.Duration(max(n, 1))
	f.last = last
}

// gathers reports whether several packets are to be expected within span from now.
func (f *flow) gathers(now media.Instant, span time.Duration) bool {
	return 4*f.gap <= span && now.Sub(f.last) <= max(4*f.gap, lull)
}
