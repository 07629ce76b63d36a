package x11

import (
	"time"

	"github.com/scanout-av/scanout/media"
)

// maxPending is how many pictures may wait for an answer. A server that owes more is taken
// to have forgotten the oldest.
const maxPending = 32

const (
	// muteAfter is how many pictures in a row may go without a word before the driver is held
	// not to present by this extension (lavapipe copies, NVIDIA's has a way of its own).
	muteAfter = 12
	// rateSpan is over how many refreshes the rate is measured where nobody knows it.
	rateSpan = 60
)

// asked is a picture that was asked about.
type asked struct {
	media.Presented
	serial   uint32 // of the refresh that was asked for
	answered bool
}

// pending are the pictures asked about and what the server said of them. It does no input
// or output.
type pending struct {
	copies bool // pictures are copied, and a refresh is asked for each

	ring        [maxPending]asked
	first, size int
	waiting     int    // of ring, not answered
	serial      uint32 // of the newest refresh asked for
	heard       bool   // the server has answered before
	mute        bool   // it never does
	last        uint32 // serial of the newest pixmap shown
	lastAt      media.Instant

	// The rate, from the display's own count: known once rateSpan refreshes have passed.
	rate     time.Duration
	rateFrom complete
}

func (q *pending) at(i int) *asked { return &q.ring[(q.first+i)%maxPending] }

// push adds a picture. What is overdue goes as never shown.
func (q *pending) push(p *media.Presented) *asked {
	if q.size == maxPending {
		if a := q.at(0); !a.answered {
			q.waiting--
		}
		q.first, q.size = (q.first+1)%maxPending, q.size-1
	}
	a := q.at(q.size)
	*a = asked{Presented: *p}
	a.Source = media.PresentX11
	q.size++
	if q.mute {
		a.estimate()
		return a
	}
	q.waiting++
	if !q.heard && q.waiting > muteAfter {
		q.fallSilent()
	}
	return a
}

// fallSilent gives up on the server: what is outstanding stays an estimate.
func (q *pending) fallSilent() {
	q.mute = true
	for i := range q.size {
		if a := q.at(i); !a.answered {
			a.estimate()
		}
	}
	q.waiting = 0
}

// estimate answers for a server that does not.
func (a *asked) estimate() {
	a.answered, a.Source, a.Actual = true, media.PresentFence, a.Submitted
}

// drop takes the newest picture back.
func (q *pending) drop() {
	if q.size == 0 {
		return
	}
	q.size--
	if !q.at(q.size).answered {
		q.waiting--
	}
}

// see takes what the server said.
func (q *pending) see(c complete) {
	if c.at == 0 && c.mode != modeSkip {
		return
	}
	switch {
	case q.copies && c.kind == completeMSC:
		for i := range q.size {
			if a := q.at(i); !a.answered && int32(c.serial-a.serial) >= 0 {
				q.answer(a, c)
			}
		}
		q.measure(c)
	case !q.copies && c.kind == completePixmap:
		lost := uint32(0)
		if q.heard && c.serial > q.last+1 && c.serial-q.last <= maxPending {
			lost = c.serial - q.last - 1 // a swapchain counts its pictures
		}
		q.last = c.serial
		for i := range q.size {
			a := q.at(i)
			switch {
			case a.answered:
			case c.mode != modeSkip && c.at.Add(time.Millisecond) < a.Submitted:
				return // of a picture before this one
			case lost > 0:
				lost--
				q.answer(a, complete{mode: modeSkip})
			default:
				q.answer(a, c)
				if c.mode != modeSkip {
					q.measure(c)
				}
				return
			}
		}
	}
}

// answer notes what became of a.
func (q *pending) answer(a *asked, c complete) {
	a.answered, q.heard = true, true
	q.waiting--
	if c.mode == modeSkip {
		a.Discarded = true
		return
	}
	// A picture that is shown again before the next refresh shares its moment.
	a.Actual, a.Sequence, a.Flags = c.at, c.msc, media.PresentVsync
	if c.kind == completePixmap && c.mode == modeFlip {
		a.Flags |= media.PresentZeroCopy
	}
	q.lastAt = c.at
}

// measure finds the rate by the display's own count.
func (q *pending) measure(c complete) {
	f := &q.rateFrom
	if c.msc == 0 || f.msc == 0 || c.msc < f.msc || c.at <= f.at {
		*f = c
		return
	}
	n := c.msc - f.msc
	if n < rateSpan {
		return
	}
	rate := c.at.Sub(f.at) / time.Duration(n)
	// The same rate stays the same number: who is told of another one starts anew.
	if off := (rate - q.rate).Abs(); off > q.rate/50 && rate > 0 {
		q.rate = rate
	}
	*f = c
}

// pop takes the oldest picture when it is known what became of it.
func (q *pending) pop(p *media.Presented) bool {
	if q.size == 0 || !q.at(0).answered {
		return false
	}
	*p = q.at(0).Presented
	q.first, q.size = (q.first+1)%maxPending, q.size-1
	return true
}

// queued is how many pictures the display has not shown. Until the server has answered once
// nobody has to wait for it.
func (q *pending) queued() int {
	if !q.heard || q.mute {
		return 0
	}
	return q.waiting
}
