package pace

import (
	"math"
	"time"

	"github.com/scanout-av/scanout/media"
)

// Decider is what a [Simulation] drives: a [Pacer], or another way to pace that it is
// compared with.
type Decider interface {
	Decide(now media.Instant, c Candidate) Decision
	Showing(now media.Instant)
	Observe(f *media.Presented)
	Speed() float64
}

// Simulation plays a made-up or recorded timeline against a simulated display, as a player
// would: one thread, which waits for frames, for its decisions and for the display. Nothing
// but arithmetic happens; ten minutes take a few milliseconds.
type Simulation struct {
	Display *Simulated
	Start   media.Instant

	Frames int
	// PTS is the timestamp of frame i.
	PTS func(i int) time.Duration
	// Ready is when frame i has been decoded; nil for a file that is always decoded ahead.
	Ready func(i int) media.Instant
	// Received is when a live source's frame i arrived; nil for a file.
	Received func(i int) media.Instant
	// Queue is how many decoded frames may wait; 0 is 4. What arrives beyond stays with the
	// decoder.
	Queue int
	// Draw is how long a frame takes on the GPU.
	Draw time.Duration
	// Oversleep is how late wake-up i is; nil is never.
	Oversleep func(i int) time.Duration
	// Free lets the decider choose where time starts anew, as without sound.
	Free bool
	// SpeedDelay is how long a change of speed takes to be heard; 0 without sound.
	SpeedDelay time.Duration
	// Arrive asks a live source's moments from the decider; nil leaves them to the clock.
	Arrive func(src time.Duration, received, ready media.Instant) media.Instant

	// Each gets every frame, in order, when it is known what became of it.
	Each func(f *Fate)

	// The media clock: position pos at the instant at, running at rate.
	at   media.Instant
	pos  time.Duration
	rate float64
	next float64 // rate from changeAt on
	when media.Instant
	part float64 // of a nanosecond that pos is off
}

// Fate is what became of a frame.
type Fate struct {
	Frame    int
	PTS      time.Duration
	Received media.Instant
	Ready    media.Instant
	Due      media.Instant
	Reason   media.DropReason // DropNone when it was shown
	Queued   int              // frames that waited behind it
	media.Presented
}

// due returns when position is played.
func (s *Simulation) due(position time.Duration) media.Instant {
	return s.at + media.Instant(math.Round((float64(position-s.pos)-s.part)/s.rate))
}

// setSpeed lets time run at rate from now on.
func (s *Simulation) setSpeed(now media.Instant, rate float64) {
	if s.SpeedDelay > 0 {
		// One change at a time is on its way, as with the blocks of an audio device.
		if s.when != 0 && now < s.when {
			return
		}
		if s.when != 0 {
			rate, s.next = s.next, rate
			s.anchor(s.when, rate)
			s.when = 0
		}
		if s.next != s.rate && s.next != 0 {
			s.when = now.Add(s.SpeedDelay)
		} else {
			s.next = rate
		}
		return
	}
	if rate != s.rate {
		s.anchor(now, rate)
	}
}

func (s *Simulation) anchor(now media.Instant, rate float64) {
	x := float64(now-s.at)*s.rate + s.part
	whole := math.Floor(x)
	s.pos += time.Duration(whole)
	s.part = x - whole
	s.at, s.rate = now, rate
}

// Run plays all frames.
func (s *Simulation) Run(d Decider) {
	queue := s.Queue
	if queue == 0 {
		queue = 4
	}
	ready := func(i int) media.Instant {
		if s.Ready == nil {
			return 0
		}
		return s.Ready(i)
	}
	s.at, s.pos, s.rate, s.next, s.when, s.part = s.Start, s.PTS(0), 1, 1, 0, 0
	var flying [64]Fate
	head, n := 0, 0
	report := func(now media.Instant) {
		for n > 0 && flying[head].Actual <= now {
			f := &flying[head]
			d.Observe(&f.Presented)
			if s.Each != nil {
				s.Each(f)
			}
			head, n = (head+1)%len(flying), n-1
		}
	}
	// Moments of a live source's frames, as the decider gave them when they were decoded.
	var dues [64]media.Instant
	arrived := 0
	now := s.Start
	dueOf := func(i int) media.Instant {
		if s.Arrive != nil {
			return dues[i%len(dues)]
		}
		return s.due(s.PTS(i))
	}
	wakes := 0
	for i := 0; i < s.Frames; {
		now = max(now, ready(i), s.Display.Ready(now))
		report(now)
		behind := 0
		for behind < queue && i+behind+1 < s.Frames && ready(i+behind+1) <= now {
			behind++
		}
		if s.Arrive != nil {
			for ; arrived <= i+behind; arrived++ {
				dues[arrived%len(dues)] = s.Arrive(s.PTS(arrived), s.received(arrived), ready(arrived))
			}
		}
		c := Candidate{Due: dueOf(i), Media: s.PTS(i), Received: s.received(i), Ready: ready(i), Free: s.Free, Behind: behind}
		if i+1 < s.Frames {
			c.Duration = max(s.PTS(i+1)-c.Media, 0)
		}
		if behind > 0 {
			c.HasNext, c.NextDue = true, dueOf(i+1)
		}
		f := Fate{Frame: i, PTS: c.Media, Received: c.Received, Ready: ready(i), Due: c.Due, Queued: behind}
		switch dec := d.Decide(now, c); dec.Action {
		case Wait:
			until := dec.Until
			if i+behind+1 < s.Frames && behind < queue {
				// A frame that arrives wakes a player, too.
				if r := ready(i + behind + 1); r > now {
					until = min(until, r)
				}
			}
			if until <= now {
				panic("pace: a decision to wait that does not move on")
			}
			now = until
			if s.Oversleep != nil {
				now = now.Add(s.Oversleep(wakes))
			}
			wakes++
		case Drop:
			f.Reason = dec.Reason
			if s.Each != nil {
				s.Each(&f)
			}
			i++
		case Show:
			if dec.Reanchor {
				s.at, s.pos, s.part = dec.Target, c.Media, 0
			}
			d.Showing(now)
			f.Presented = media.Presented{Number: uint64(i + 1), Target: dec.Target, Submitted: now, Refresh: s.Display.Interval(), Source: media.PresentSimulated}
			f.Actual, f.Missed = s.Display.Present(now.Add(s.Draw), dec.Target)
			flying[(head+n)%len(flying)] = f
			n++
			s.setSpeed(now, d.Speed())
			i++
		}
	}
	report(math.MaxInt64)
}

func (s *Simulation) received(i int) media.Instant {
	if s.Received == nil {
		return 0
	}
	return s.Received(i)
}
