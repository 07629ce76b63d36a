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
	if s.paused {
		s.rest(now.Add(eventInterval))
		return false, nil
	}
	if p.video == nil && p.asink != nil {
		return s.soundOnly(now)
	}
	if !s.ended && p.here.Load() {
		s.rest(now.Add(eventInterval))
		return false, nil
	}
	if !s.ended {
		// The decoder is behind: its next push wakes us.
		if err := p.fq.Wait(now.Add(eventInterval)); errors.Is(err, io.EOF) {
			s.ended = true
		}
		return false, nil
	}
	return s.finish(now)
}

// soundOnly follows playback without a picture.
func (s *presenter) soundOnly(now media.Instant) (bool, error) {
	p := s.p
	if s.soundOn && p.stats.firstAt.Load() == 0 {
		p.stats.presented(0, now)
	}
	if heard, _, ok := p.asink.Position(); ok {
		if at, ok := p.line.at(s.serial, heard); ok {
			p.stats.position.Store(int64(at))
			if limit := p.cfg.Duration; limit > 0 && at >= p.cfg.Start+limit {
				return true, nil
			}
		}
	}
	if p.audioDone.Load() == s.serial && p.asink.Buffered() <= 0 && (s.soundOn || s.endOfAudio()) {
		return true, nil
	}
	s.rest(now.Add(5 * eventInterval))
	return false, nil
}

// endOfAudio reports that the sound ended without a single sample.
func (s *presenter) endOfAudio() bool { return s.p.line.empty() }

// finish lets the last picture and the rest of the sound have their time.
func (s *presenter) finish(now media.Instant) (bool, error) {
	p := s.p
	if p.cfg.MaxSpeed || p.cfg.written() || p.cfg.Frames > 0 {
		return true, nil
	}
	if now < s.endAt {
		s.rest(s.endAt)
		return false, nil
	}
	if p.cfg.Duration == 0 && p.asink != nil && s.soundOn && (p.audioDone.Load() != s.serial || p.asink.Buffered() > 0) {
		s.rest(now.Add(eventInterval))
		return false, nil
	}
	return true, nil
}

// rest waits until t or a command, looking at window events in between. It may decode
// instead and return early.
func (s *presenter) rest(t media.Instant) {
	if s.decode(t) {
		return
	}
	if s.p.stats.window() {
		t = min(t, clock.Now().Add(eventInterval))
	}
	s.p.waiter.Wait(t)
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
	if p.ownsThread() {
		return rt.SleepUntil
	}
	return new(rt.Napper).SleepUntil
}

// decodeTime is how long before a picture is due nothing is decoded any more.
const decodeTime = time.Millisecond

// decode decodes one packet, if that is this goroutine's, there is time for it until t, and
// pictures are wanted; else it reports false.
func (s *presenter) decode(t media.Instant) bool {
	p := s.p
	if !p.here.Load() || s.hasHead && t.Sub(clock.Now()) < decodeTime {
		return false
	}
	ahead := hereAhead
	if p.live() {
		ahead = p.fq.Cap()
	}
	return p.fq.Len() < ahead && p.stage.step()
}
