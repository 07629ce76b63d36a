package player

import (
	"time"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
)

// Which moment a picture belongs to: when time begins, how it follows the sound, and what
// the display says.

const (
	// audioGrace is how long the picture waits for sound that has been started to be
	// heard, before it goes on by the machine's clock.
	audioGrace = 500 * time.Millisecond
	// primeTime is how long the first picture is held at most while the decoder gets going,
	// and primeStep how often it is looked at.
	primeTime = 250 * time.Millisecond
	primeStep = 2 * time.Millisecond
)

// prime holds the first picture until a few frames are decoded, so that a decoder that
// starts slowly does not begin by dropping; false while it holds. Live sources never
// hold: what they send meanwhile would become lag.
func (s *presenter) prime(now media.Instant) bool {
	p := s.p
	waited := now.Sub(s.began)
	if p.live() {
		s.primed = true
		return true
	}
	if !p.live() && !p.cfg.MaxSpeed && !p.cfg.written() && !s.ended && waited < primeTime && p.fq.Len() < primeFrames {
		s.held = true
		p.clk.Seek(now, s.firstAt, s.serial)
		s.rest(now.Add(primeStep))
		return false
	}
	if !s.seen && p.pacer.Exact() && waited < primeTime {
		// When the first picture appears says where the refreshes lie.
		s.rest(now.Add(primeStep))
		return false
	}
	s.primed = true
	if s.held {
		p.clk.Seek(p.pacer.NextRefresh(now), s.firstAt, s.serial)
		s.began = now
	}
	return true
}

// candidate describes the head for the pacer; false while the clock stands still.
func (s *presenter) candidate(at time.Duration) (c pace.Candidate, ok bool) {
	p := s.p
	f := s.head.frame
	if c.Due, ok = s.moment(&s.head, at); !ok {
		return c, false
	}
	s.due, s.behind = c.Due, 0
	c.Media, c.Received, c.Ready = at, f.Received, f.Decoded
	c.Duration = f.Timebase.Duration(f.Duration)
	c.Free = p.asink == nil || p.free.Load() == s.serial
	if s.hasNext {
		n := s.next.frame
		c.NextDue, c.HasNext = s.moment(&s.next, p.mediaTime(n.PTS, n.Timebase))
		c.Behind = 1 + p.fq.Len()
		s.behind = c.Behind
	}
	return c, true
}

// listen lets the clock follow the sound; false while the picture is held at its first frame
// until it is heard. What is behind that frame has no moment before.
func (s *presenter) listen(now media.Instant) bool {
	p := s.p
	if p.asink == nil || p.free.Load() == s.serial {
		return true
	}
	if s.soundOn {
		if heard, at, ok := p.asink.Position(); ok {
			if !s.align(heard, at) {
				p.clk.Seek(now, s.firstAt, s.serial)
				return false
			}
			if s.silent() {
				p.clk.LoseAudio(now)
				p.free.Store(s.serial)
				return true
			}
			if m, ok := p.line.at(s.serial, heard); ok {
				p.clk.ObserveAudio(m, at)
			}
			return true
		}
	}
	switch {
	case s.paused || p.live(): // nothing waits for the sound
		return true
	case now.Sub(s.began) < audioGrace && p.audioDone.Load() != s.serial:
		// The picture would run ahead by the device's latency and stall when the sound sets in.
		p.clk.Seek(now, s.firstAt, s.serial)
		return false
	}
	p.free.Store(s.serial)
	return true
}

// align lets the sound begin on a refresh, as soon as the device has said where it is: then
// pictures that come as often as refreshes do are not half of one off for good. It returns
// false while that is to come.
func (s *presenter) align(heard time.Duration, at media.Instant) bool {
	p := s.p
	if _, done := p.line.alignment(s.serial); done || p.aligns.Load() != alignOn || !p.line.known(s.serial) {
		return true
	}
	if heard < minHeard {
		return false
	}
	if m, ok := p.line.at(s.serial, heard); ok {
		first := at.Add(s.firstAt - m)
		p.line.align(s.serial, p.pacer.NextRefresh(first).Sub(first))
	}
	return true
}

// minHeard is how much the device must have played before it is believed.
const minHeard = 5 * time.Millisecond

// silent reports whether the picture must go on without the sound: the sound has ended, or
// the device has run dry and no more sound can be read before pictures have been shown,
// because the video ring is full.
func (s *presenter) silent() bool {
	p := s.p
	if p.audioDone.Load() == s.serial {
		return p.asink.Buffered() <= 0 || p.clk.Audio().Stalled
	}
	return p.src != nil && p.aq.Len() == 0 && p.vq.Len() >= p.vq.Cap()-packetRefill && p.clk.Audio().Stalled
}

// feedback takes what the display knows about earlier frames.
func (s *presenter) feedback() {
	p := s.p
	for s.sink.Feedback(&s.fb) {
		if s.fb.Source != s.stamps.source || s.fb.Refresh != s.stamps.refresh {
			// A window on another display, another rate, or a compositor that never answers.
			s.stamps.source, s.stamps.refresh = s.fb.Source, s.fb.Refresh
			s.display(false)
		}
		if s.fb.Number == 0 {
			continue // a picture drawn again
		}
		p.pacer.Observe(&s.fb)
		if p.cfg.OnPresented != nil {
			p.cfg.OnPresented(&s.fb)
		}
		if s.fb.Number == s.first {
			s.seen = true
		}
		if p.asink == nil && !p.live() && !s.held && s.fb.Number == s.first && s.fb.Serial == s.serial && s.fb.Actual != 0 && !s.paused {
			// Nothing but the display keeps time: let time begin at the refresh at which
			// the first picture appeared, so that moments fall on refreshes.
			p.clk.Seek(s.fb.Actual, p.mediaTime(s.fb.PTS, s.fb.Timebase), s.serial)
		}
		var due media.Instant
		if s.fb.Serial == s.serial && s.started && !s.paused && (!p.live() || p.clk.Audio().Following) {
			due, _ = p.clk.Instant(p.mediaTime(s.fb.PTS, s.fb.Timebase))
		}
		j := &s.journeys[s.fb.Number%uint64(len(s.journeys))]
		if j.number != s.fb.Number {
			j = &s.lost // overwritten: the display reports more than a second late
		}
		p.stats.observe(&s.fb, due, j.received)
		p.traceShown(&s.fb, j)
	}
}
