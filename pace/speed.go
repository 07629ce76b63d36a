package pace

import (
	"math"
	"time"
)

// speed makes a source whose rate is close to the display's, or to a simple part of it, run
// at exactly that: 59.94 fps on 60 Hz then has no repeat every 17 s, and frames stay in the
// middle of their refreshes instead of drifting to an edge. Sound follows, resampled.
type speed struct {
	// offset is how far moments lie behind the refreshes they should fall on, in
	// refreshes, averaged; of a pattern that needs halves, behind their quarters.
	offset  float64
	known   int
	halves  bool
	matched bool
}

const (
	// MaxSoundSpeed is how far sound may be off its speed: 0.125 % is a fiftieth of a
	// semitone, which nobody hears. mpv's limit.
	MaxSoundSpeed = 0.00125
	// maxSpeed is the limit without sound: mpv's 1 %.
	maxSpeed = 0.01
	// speedStamps is how many stamps the display's rate must rest on.
	speedStamps = 60
	// phaseTime is how fast an offset is worked off, where the limit allows: slow against
	// the 0.3 s that sound takes from the resampler to the loudspeaker, or it would swing.
	phaseTime = 2 * time.Second
	// phaseAverage is over how many frames offsets are averaged: jitter of single frames is
	// no reason to change the pitch.
	phaseAverage = 16.0
	// maxPerFrame is how many refreshes a frame may stay for its rate to be matched: 24 fps
	// on 240 Hz.
	maxPerFrame = 10
)

// observe takes a frame's moment, in refreshes.
func (s *speed) observe(x float64) {
	off := x - math.Round(x)
	if s.halves {
		// A frame every 2.5 refreshes: moments a quarter before and behind a refresh, in
		// turns, are as even as it gets. Averaged as they are, they come to the same place, but
		// each frame moves the average by 1/64 refresh: 24 fps on 60 Hz would be played 65 ppm
		// faster and slower in turns, and 4.2 ms instead of 4.17 from its moments.
		y := 2*x - 0.5
		off = (y - math.Round(y)) / 2
	}
	if s.known == 0 {
		s.offset = off
	}
	s.known++
	d := off - s.offset
	width := 1.0
	if s.halves {
		width = 0.5
	}
	d -= width * math.Round(d/width)
	s.offset += d / min(phaseAverage, float64(s.known))
	s.offset -= width * math.Round(s.offset/width)
}

// Speed returns how fast media time should run, in media seconds a second: 1 unless the
// source's rate is near the display's.
func (p *Pacer) Speed() float64 {
	s := &p.speed
	t := p.frames.value()
	if p.cfg.Live || p.cfg.Policy != PolicySmooth || t == 0 || !p.exact() || p.vsync.Stamps() < speedStamps {
		s.matched = false
		return 1
	}
	limit := maxSpeed
	if p.cfg.Sound {
		limit = MaxSoundSpeed
	}
	ratio := t / p.vsync.Period()
	// One frame every n/2 refreshes; n = 1 shows every other frame of a source twice as fast.
	n := max(1, math.Round(2*ratio))
	if n > 2*maxPerFrame {
		s.matched = false
		return 1
	}
	match := 2 * ratio / n
	hold := limit
	if s.matched {
		hold *= 1.1 // the estimate's last digits must not switch it on and off
	}
	if math.Abs(match-1) > hold {
		s.matched = false
		return 1
	}
	if halves := math.Mod(n, 2) == 1 && n > 1; halves != s.halves {
		s.halves, s.known = halves, 0
		return max(1-limit, min(1+limit, match))
	}
	s.matched = true
	want := match
	if s.known > 0 {
		want *= 1 + s.offset*p.vsync.Period()/float64(phaseTime)
	}
	return max(1-limit, min(1+limit, want))
}
