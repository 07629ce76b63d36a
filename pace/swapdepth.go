package pace

import "github.com/scanout-av/scanout/media"

// SwapDepth decides how many frames may wait for the display: one, so that a frame is
// chosen as late as it can be and shows after one refresh, and one more after frames that
// were handed over in time came late, because drawing takes longer than a refresh leaves.
// When none has come late for a while, it is one again; each time that this turns out to
// have been too early, the while gets longer.
//
// It counts frames and knows no time. The zero value is a depth of one.
// Concurrency: one goroutine.
type SwapDepth struct {
	extra    int // above one
	late     int // of the last window
	window   int // frames looked at in this window
	calm     int // frames in a row that were not late
	patience int
	raised   int
	lowered  bool // the last change was down
}

const (
	// lateLimit of lateWindow frames must be late before the depth is raised: a hiccup of the
	// machine makes one or two.
	lateLimit, lateWindow = 3, 60
	// calmFrames in a row without a late one lower it: 10 s at 60 Hz. Coming back up soon
	// doubles that, to maxCalmFrames at most.
	calmFrames, maxCalmFrames = 600, 9600
	// maxDepth: beyond two the GPU is too slow for the rate, and more only adds latency.
	maxDepth = 2
)

// Depth is how many frames may wait, 1 or 2.
func (s *SwapDepth) Depth() int { return 1 + s.extra }

// Raised counts how often the depth had to be raised.
func (s *SwapDepth) Raised() int { return s.raised }

// Observe takes what became of a frame and reports whether the depth has changed.
func (s *SwapDepth) Observe(p *media.Presented) (changed bool) {
	if p.Actual == 0 || p.Target == 0 || p.Refresh <= 0 {
		return false
	}
	// A frame that was handed over too late would have been late at any depth.
	late := p.Missed > 0 && p.Submitted <= p.Target.Add(-p.Refresh/4)
	if s.window++; s.window > lateWindow {
		s.window, s.late = 1, 0
	}
	if !late {
		s.calm++
		if s.extra > 0 && s.calm >= max(s.patience, calmFrames) {
			s.extra--
			s.lowered, s.calm, s.window, s.late = true, 0, 0, 0
			return true
		}
		return false
	}
	s.late++
	calm := s.calm
	s.calm = 0
	if s.late < lateLimit || 1+s.extra >= maxDepth {
		return false
	}
	s.patience = max(s.patience, calmFrames)
	if s.lowered && calm < s.patience {
		s.patience = min(2*s.patience, maxCalmFrames)
	}
	s.extra++
	s.raised++
	s.lowered, s.window, s.late = false, 0, 0
	return true
}
