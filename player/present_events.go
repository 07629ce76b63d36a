package player

import (
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/media"
)

// The window's events: what they cause, and how they are waited for.

const (
	// eventInterval is how often a window's events are looked at while nothing is due:
	// a key press is answered within a frame of a 100 Hz display.
	eventInterval = 10 * time.Millisecond
	// calmAfter is how long nothing must have happened in a window for its events to be
	// waited for, and watchInterval how often they are looked at then all the same. Where they
	// cannot be waited for they are looked at every calmInterval.
	calmAfter     = time.Second
	watchInterval = time.Second
	calmInterval  = 40 * time.Millisecond
)

// poll handles window events; false when the user quits.
func (s *presenter) poll() bool {
	for s.sink.Poll(&s.event) {
		e := s.event
		s.livened = clock.Now()
		if s.p.cfg.OnEvent != nil && s.p.cfg.OnEvent(e) {
			continue
		}
		switch e.Kind {
		case media.EventQuit:
			return false
		case media.EventResize:
			s.display(false)
			s.p.redraw.Store(true)
		case media.EventExpose:
			s.p.redraw.Store(true)
		case media.EventHidden:
			s.cover(true)
		case media.EventShown:
			s.cover(false)
			s.p.redraw.Store(true)
		case media.EventKey:
			if !s.key(e) {
				return false
			}
		}
	}
	return true
}

// rest waits until t or a command, looking at window events in between. It may decode
// instead and return early.
func (s *presenter) rest(t media.Instant) {
	if s.decode(t) {
		return
	}
	p := s.p
	if !p.stats.window() {
		p.waiter.Wait(t)
		return
	}
	switch now := clock.Now(); {
	case now.Sub(s.livened) < calmAfter:
		// Keys that are held are repeated by whoever looks at events, and what a driver's
		// thread reads beside its own answers cannot be waited for.
		p.waiter.Wait(min(t, now.Add(eventInterval)))
	case s.watch == nil:
		p.waiter.Wait(min(t, now.Add(calmInterval)))
	default:
		if _, readable := s.watch.Wait(min(t, now.Add(watchInterval))); readable {
			s.livened = clock.Now()
		}
	}
}

// watchEvents has the window's events waited for, where the window system can be.
func (s *presenter) watchEvents() {
	s.livened = clock.Now()
	w, ok := s.sink.(interface{ EventFD() int })
	if !ok {
		return
	}
	if fd := w.EventFD(); fd >= 0 {
		// Where it is refused, events are looked at instead.
		s.watch, _ = s.p.waiter.Watch(fd)
	}
}

// unwatchEvents ends that, before the window goes.
func (s *presenter) unwatchEvents() {
	if s.watch != nil {
		s.watch.Close()
		s.watch = nil
	}
}
