package player

import (
	"errors"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
)

// How the player puts the pacer's policies into effect: what it is told, where moments of
// live pictures come from, when the display is asked, and how fast time runs.

// beginWait is how long the display is waited for before window events are looked at again.
const beginWait = 100 * time.Millisecond

// blockedAfter is how long the display may take no picture before the window is held to be
// out of sight: Wayland stops then without a word. A few refreshes come on top.
const blockedAfter = 250 * time.Millisecond

// retryInterval is how often it is asked then: the picture is back within that time.
const retryInterval = 50 * time.Millisecond

// live reports whether pictures come when they come, and are shown to somebody.
func (p *Player) live() bool {
	// HLS comes in pieces of some seconds and pipes come as fast as they are read: when their
	// units arrive says nothing, and their own timestamps are what counts.
	comes := p.info.Live && (p.raw != nil || p.info.LocalTime)
	return comes && !p.cfg.MaxSpeed && !p.cfg.written()
}

// policy is what Config.Latency means for this source.
func (p *Player) policy() pace.Policy {
	switch {
	case !p.live():
		return pace.PolicySmooth
	case p.cfg.Latency == LatencyFreshest:
		return pace.PolicyFreshest
	case p.cfg.Latency == LatencySmooth:
		return pace.PolicySmooth
	}
	return pace.PolicyBalanced
}

func (p *Player) openPacer() (err error) {
	c := pace.Config{Unpaced: p.cfg.MaxSpeed || p.cfg.written(), Policy: p.policy(), Live: p.live(),
		MaxLatency: p.cfg.MaxLatency, FrameInterval: p.frameInterval(), Sound: p.asink != nil}
	if p.pacer, err = pace.New(c); err != nil {
		return err
	}
	p.maxLatency = p.pacer.Config().MaxLatency
	return nil
}

// journey is a shown frame's way here, kept until the display reports it.
type journey struct {
	number                            uint64
	received, assembled, decoded, due media.Instant
	behind                            int
	anew                              bool
}

// arrive gives a picture of a live source its moment when it is taken from the ring.
func (s *presenter) arrive(pic *picture) {
	if p := s.p; p.live() {
		f, before := pic.frame, p.pacer.Reanchored()
		at := p.mediaTime(f.PTS, f.Timebase)
		pic.due = p.pacer.Arrive(at, f.Received, pic.ready)
		pic.anew = p.pacer.Reanchored() != before
		if pic.anew || pic.serial != s.early.serial {
			s.early = earliest{serial: pic.serial}
		}
		if f.Received != 0 {
			pic.limit = s.early.observe(f.Received, at).Add(p.maxLatency)
		}
	}
}

// moment returns when a picture is due; false while the clock stands still.
func (s *presenter) moment(pic *picture, at time.Duration) (due media.Instant, ok bool) {
	p := s.p
	if !p.live() {
		return p.clk.Instant(at)
	}
	due = pic.due
	if p.pacer.Config().Policy == pace.PolicyFreshest || p.asink == nil || p.free.Load() == s.serial || !p.clk.Audio().Following {
		return due, true
	}
	// Pictures keep to the sound, but for the contract: where the sound is further behind than
	// that, it follows.
	if at, ok := p.clk.Instant(at); ok {
		due = at
	}
	if pic.limit != 0 {
		due = min(due, max(pic.due, pic.limit.Add(-p.pacer.Lead()-s.shownOn.Refresh)))
	}
	return due, true
}

// earliest finds how old a live source's pictures become while they keep their rhythm: those
// that others refer to are sent before their turn, and each by its own age would be shown in
// the order in which they were sent.
type earliest struct {
	serial      uint32
	early, last media.Instant // when media time 0 was received, by the earliest of this stretch and of the one before
	until       media.Instant // which this stretch goes on
}

// earlyStretch is for how long an early picture counts, and twice that at most.
const earlyStretch = time.Second

// observe takes a picture's reception and media time and returns when it would have been
// received if it had been as early as the earliest.
func (e *earliest) observe(received media.Instant, at time.Duration) media.Instant {
	begin := received.Add(-at)
	switch {
	case e.until == 0:
		e.early, e.last, e.until = begin, begin, received.Add(earlyStretch)
	case received >= e.until:
		e.early, e.last, e.until = begin, e.early, received.Add(earlyStretch)
	default:
		e.early = min(e.early, begin)
	}
	return min(e.early, e.last).Add(at)
}

// begin waits until the display can take a picture; false when it does not yet.
func (s *presenter) begin() (ok bool, err error) {
	if s.begun {
		return true, nil
	}
	now := clock.Now()
	return s.beginBy(now, now.Add(beginWait))
}

func (s *presenter) beginBy(now, deadline media.Instant) (ok bool, err error) {
	err = s.sink.Begin(deadline)
	switch {
	case err == nil:
		s.begun = true
		s.unblock()
		return true, nil
	case !errors.Is(err, media.ErrAgain):
		return false, err
	}
	// Hidden, or the display stands still: look at events and try again.
	if s.blockedSince == 0 {
		s.blockedSince = now
	} else if !s.blocked && clock.Now().Sub(s.blockedSince) > blockedAfter+2*s.shownOn.Refresh {
		s.blocked = true
		s.p.pacer.SetBlocked(true)
	}
	return false, nil
}

// retry asks a display that takes nothing again, without waiting for it: pictures whose time
// comes meanwhile are dropped.
func (s *presenter) retry(now media.Instant) error {
	if s.begun || now.Sub(s.retriedAt) < retryInterval {
		return nil
	}
	s.retriedAt = now
	_, err := s.beginBy(now, now)
	return err
}

// unblock takes note that the display takes pictures.
func (s *presenter) unblock() {
	s.blockedSince = 0
	if s.blocked {
		s.blocked = false
		s.p.pacer.SetBlocked(false)
	}
}

// cover takes note of a window that nobody can see.
func (s *presenter) cover(covered bool) {
	s.covered = covered
	s.p.pacer.SetHidden(covered)
}

const (
	// speedInterval is how often the speed is looked at, and speedStep what is worth a change.
	speedInterval = 100 * time.Millisecond
	speedStep     = 5e-6
)

// setSpeed lets time run as fast as the pacer wants: by way of the sound where there is
// some, whose device keeps the time, else by the clock itself.
func (s *presenter) setSpeed(now media.Instant) {
	p := s.p
	if now.Sub(s.speedAt) < speedInterval || p.live() {
		return
	}
	s.speedAt = now
	sound := p.asink != nil && p.free.Load() != s.serial
	if sound != s.speedSound {
		s.speedSound = sound
		p.pacer.SetSound(sound)
		if sound {
			s.clockSpeed(now, 1)
		} else {
			p.setSoundSpeed(1)
		}
	}
	v := p.pacer.Speed()
	if d := v - s.speed; d < speedStep && d > -speedStep {
		return
	}
	s.speed = v
	if sound {
		p.setSoundSpeed(v)
	} else {
		s.clockSpeed(now, v)
	}
}

func (s *presenter) clockSpeed(now media.Instant, v float64) {
	s.p.clk.SetRate(now, media.Rational{Num: int32(v*1e9 + 0.5), Den: 1_000_000_000}.Reduce())
	s.speed = v
}

// dropped counts a picture that was decoded and is not shown.
func (p *Player) dropped(r media.DropReason, n int64) { p.stats.drops[r].Add(n) }
