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

// pauses judges from how long nothing came how to wait for what comes next. Waiting in naps
// (see [rt.PollIn]) wakes up every 9 ms; a longer wait hands the processor on and at its
// end wakes Go's monitor thread, which then is up for a millisecond or more. Naps cost less
// where pauses are short: half at 1,000 packets/s, two thirds with 120 pictures a second,
// the same or less with 60, half as much again with 30.
type pauses struct {
	votes int // for naps: each short pause is one, each longer one is one against
	naps  int // since the last packet
}

const (
	shortPause = 18 * time.Millisecond // more than between 60 pictures a second, less than 50
	mostVotes  = 8
	mostNaps   = 3                     // they last longer than a short pause
	napping    = 24 * time.Millisecond // asks for a nap, which ends after 9 ms
)

// ended notes that packets came after span, behind the ones before; a part of that may have
// been spent gathering, which takes as long as gather.
func (p *pauses) ended(span, gather time.Duration, gathered bool) {
	p.naps = 0
	least := gather / 2
	if gathered {
		least = 2 * gather
	}
	switch {
	case span <= least: // no pause: packets flow
	case span <= shortPause:
		p.votes = min(p.votes+1, mostVotes)
	default:
		p.votes = max(p.votes-1, -mostVotes)
	}
}

// limit is how long to wait now instead of left, where 0 is for ever: a nap, or all of it.
func (p *pauses) limit(left time.Duration) time.Duration {
	if p.votes <= 0 || p.naps == mostNaps || left != 0 && left <= napping {
		return left
	}
	p.naps++
	return napping
}
