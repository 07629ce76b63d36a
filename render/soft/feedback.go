package soft

import (
	"time"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
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
	// Next pops what became of the oldest commit.
	Next(*media.Presented) bool
	// Refresh is the display's interval, 0 when not known.
	Refresh() time.Duration
	Source() media.PresentSource
	Close()
}

// maxFeedback is how many frames may wait to be asked about; older ones are forgotten.
const maxFeedback = 32

// reports is a queue of what became of frames.
type reports struct {
	ring [maxFeedback]media.Presented
	head uint32 // next to pop
	tail uint32 // next to push
}

func (r *reports) push() *media.Presented {
	if r.tail-r.head == maxFeedback {
		r.head++
	}
	p := &r.ring[r.tail%maxFeedback]
	r.tail++
	return p
}

func (r *reports) pop(p *media.Presented) bool {
	if r.head == r.tail {
		return false
	}
	*p = r.ring[r.head%maxFeedback]
	r.head++
	return true
}

// waitReady waits until the display can take a picture, at most until deadline.
func waitReady(d *pace.Simulated, cfg *Config, deadline media.Instant) error {
	now := cfg.Now()
	ready := d.Ready(now)
	if ready <= now {
		return nil
	}
	if deadline != 0 && ready > deadline {
		if deadline > now {
			cfg.Sleep(deadline)
		}
		return media.ErrAgain
	}
	cfg.Sleep(ready)
	return nil
}
