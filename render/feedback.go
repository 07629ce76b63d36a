package render

import (
	"time"

	"github.com/scanout-av/scanout/media"
)

// commits is a window system that says what became of what was committed to a window;
// *wl.Feedback and
// *x11.Feedback are.
type commits interface {
	// Request asks about the next commit, Withdraw takes that back.
	Request(*media.Presented)
	Withdraw()
	// Committed says that what the newest Request was about was handed over.
	Committed()
	// Wait waits until at most n commits have not been taken up.
	// Errors: media.ErrAgain at the deadline; media.ErrDeviceLost.
	Wait(n int, deadline media.Instant) error
	// Queued is how many have not been taken up.
	Queued() int
	// Next pops what became of the oldest commit.
	Next(*media.Presented) bool
	// Refresh is the display's interval, 0 when not known.
	Refresh() time.Duration
	Source() media.PresentSource
	Close()
}

// pendingRing holds what has been presented and not been reported. When nobody asks,
// the oldest are lost.
type pendingRing struct {
	buf         [64]pending
	first, size int
}

type pending struct {
	media.Presented
	drawValue uint64
	visible   media.Instant // on the simulated display
	presentID uint64        // of VK_KHR_present_id
	// notBefore is when it was last seen that the frame was not shown yet.
	notBefore media.Instant
}

// shownBy estimates when the frame became visible, knowing that it was by now. Nobody
// may have looked for a while; a display that is not behind showed it within a refresh
// of the last moment at which it had not been shown.
func (p *pending) shownBy(now media.Instant, refresh time.Duration) media.Instant {
	if refresh <= 0 {
		return now
	}
	return min(now, max(p.Submitted, p.notBefore).Add(refresh))
}

func (q *pendingRing) push(p *pending) {
	if q.size == len(q.buf) {
		q.pop()
	}
	q.buf[(q.first+q.size)%len(q.buf)] = *p
	q.size++
}

func (q *pendingRing) oldest() *pending {
	if q.size == 0 {
		return nil
	}
	return &q.buf[q.first]
}

func (q *pendingRing) newest() *pending {
	if q.size == 0 {
		return nil
	}
	return &q.buf[(q.first+q.size-1)%len(q.buf)]
}

func (q *pendingRing) pop() {
	q.first = (q.first + 1) % len(q.buf)
	q.size--
}

// stamped starts the record of s.
func stamped(s *media.Scheduled, f *media.Frame, copies int, refresh time.Duration) pending {
	p := pending{Presented: media.Presented{Number: s.Number, Target: s.Target, Refresh: refresh, Copies: copies}}
	if f != nil {
		p.PTS, p.Timebase, p.Serial = f.PTS, f.Timebase, f.Serial
	}
	return p
}
