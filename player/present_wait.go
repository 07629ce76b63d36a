package player

import (
	"errors"
	"io"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

// What the presenting goroutine does while no picture is due, and how it ends.

// idle waits while there is nothing to show, and notices the end.
func (s *presenter) idle() (bool, error) {
	p := s.p
	now := clock.Now()
	switch {
	case s.paused:
		s.rest(now.Add(eventInterval))
		return false, nil
	case p.asink != nil && s.follow(now):
		return true, nil
	case p.video == nil && p.asink != nil:
		return s.soundOnly(now)
	case !s.ended && p.here.Load():
		s.rest(now.Add(eventInterval))
		return false, nil
	case !s.ended:
		// The decoder is behind: its next push wakes us.
		if err := p.fq.Wait(now.Add(eventInterval)); errors.Is(err, io.EOF) {
			s.ended = true
		}
		return false, nil
	case s.sounds():
		s.rest(now.Add(5 * eventInterval)) // there is sound behind the last picture
		return false, nil
	case s.lingers(now):
		s.rest(s.lingersUntil(now))
		return false, nil
	}
	return s.finish(now)
}

// soundOnly waits while there is sound without a picture.
func (s *presenter) soundOnly(now media.Instant) (bool, error) {
	if s.soundOn && s.p.stats.firstAt.Load() == 0 {
		s.p.stats.presented(0, now)
	}
	if !s.sounds() {
		return true, nil
	}
	s.rest(now.Add(5 * eventInterval))
	return false, nil
}

// follow takes the position from the sound once the last picture has had its time, and
// reports whether it is at the end of what shall be played.
func (s *presenter) follow(now media.Instant) bool {
	p := s.p
	if !s.soundOn || now < s.endAt {
		return false
	}
	heard, _, ok := p.asink.Position()
	if !ok {
		return false
	}
	at, ok := p.line.at(s.serial, heard)
	if !ok || at < 0 { // silence comes first
		return false
	}
	p.setPosition(s.serial, at)
	return s.over(at)
}

// sounds reports whether there is more sound to hear.
func (s *presenter) sounds() bool {
	p := s.p
	switch {
	case p.asink == nil:
		return false
	case p.audioDone.Load() != s.serial:
		return true
	case !s.soundOn:
		return p.line.known(s.serial) // else it has ended without a single sample
	}
	return p.asink.Buffered() > 0
}

// stopAt ends playback at a place that lies before the next picture: not before its time has
// come, which the last picture's own time may leave open.
func (s *presenter) stopAt(at time.Duration, now media.Instant) (bool, error) {
	p := s.p
	if s.started && !p.live() && !p.cfg.MaxSpeed && !p.cfg.written() {
		if !s.primed && !s.prime(now) {
			return false, nil
		}
		if !s.listen(now) {
			s.rest(now.Add(primeStep))
			return false, nil
		}
		if due, ok := p.clk.Instant(at); ok && now < due {
			s.rest(min(due, now.Add(eventInterval)))
			return false, nil
		}
	}
	return s.finish(now)
}

// finish lets the last picture have its time.
func (s *presenter) finish(now media.Instant) (bool, error) {
	p := s.p
	if p.cfg.MaxSpeed || p.cfg.written() || p.cfg.Frames > 0 && s.count >= p.cfg.Frames {
		return true, nil
	}
	if now < s.endAt {
		s.rest(s.endAt)
		return false, nil
	}
	return true, nil
}

// ownsThread reports whether the presenting goroutine is locked to its thread: windows
// insist, and priority is a thread's. Everywhere else sleeping costs less without.
func (p *Player) ownsThread() bool {
	kind, _ := p.cfg.Output.split()
	return kind == OutputWindow || kind == OutputAuto && HasDisplay() || p.cfg.Realtime
}

// sleep is how the presenting goroutine sleeps.
func (p *Player) sleep() rt.Sleep {
	if p.ownsThread() {
		return rt.SleepKernel
	}
	return rt.SleepNap
}

// sleepUntil is how it sleeps until a moment.
func (p *Player) sleepUntil() func(media.Instant) {
	if !p.ownsThread() {
		return new(rt.Napper).SleepUntil
	}
	return func(t media.Instant) {
		if p.thread == nil { // the output is still being opened
			rt.SleepUntil(t)
			return
		}
		p.thread.SleepUntil(t)
	}
}

// decodeTime is how long before a picture is due nothing is decoded any more.
const decodeTime = time.Millisecond

// decode decodes what is wanted, if that is this goroutine's and there is time for it until
// t; false when there was nothing to do. Several pictures in a row cost less than one at a
// time: what the driver needs of the processor's caches is there for all but the first.
func (s *presenter) decode(t media.Instant) (did bool) {
	p := s.p
	for p.here.Load() && s.wants() && (!s.hasHead || t.Sub(clock.Now()) >= decodeTime) && p.stage.step() {
		if did = true; !s.hasHead && p.fq.Len() > 0 {
			break // it is waited for
		}
	}
	if did && p.here.Load() {
		p.stage.submit()
	}
	return did
}

// wants reports whether more pictures should be decoded: live ones at once, others once few
// are left, until the ring is full.
func (s *presenter) wants() bool {
	switch n := s.p.fq.Len(); {
	case n == s.p.fq.Cap():
		s.filling = false
		s.p.stage.room.full(clock.Now())
	case n <= hereLeft || s.p.live():
		s.filling = true
	}
	return s.filling
}
