package soft

import (
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
)

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
