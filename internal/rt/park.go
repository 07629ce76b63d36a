package rt

import (
	"time"

	"github.com/scanout-av/scanout/media"
)

// goPark parks a goroutine. The token is only a hint: the waiter's state decides.
type goPark struct {
	token chan struct{}
	timer *time.Timer
}

func (p *goPark) init() {
	p.token = make(chan struct{}, 1)
	p.timer = time.NewTimer(time.Hour)
	p.timer.Stop()
}

// sleep returns false at the deadline, true when it may have been woken.
func (p *goPark) sleep(deadline media.Instant) bool {
	if deadline == 0 {
		<-p.token
		return true
	}
	select {
	case <-p.token:
		return true
	default:
	}
	d := left(deadline)
	if d == 0 {
		return false
	}
	p.timer.Reset(d)
	select {
	case <-p.token:
		p.timer.Stop()
		return true
	case <-p.timer.C:
		return Now() < deadline // the two clocks may round differently
	}
}

func (p *goPark) rouse() {
	select {
	case p.token <- struct{}{}:
	default:
	}
}
