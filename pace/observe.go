package pace

import (
	"math"
	"time"

	"github.com/scanout-av/scanout/media"
)

// Stats counts what became of frames and refreshes.
type Stats struct {
	Shown   int64
	Dropped int64                       // before any GPU work
	Drops   [media.NumDropReasons]int64 // why
	Late    int64                       // shown, but visible more than half a refresh after the wanted one
	// Repeated counts refreshes on which a picture stayed although its time was over,
	// because the next one was not there.
	Repeated int64
	Missed   int64 // refreshes missed by a submitted frame, as the display reports them
	// Mistimed counts frames that stayed for fewer or more refreshes than the two whole
	// numbers around their duration: what no cadence explains.
	Mistimed   int64
	Discarded  int64 // shown, and replaced by the display before anyone saw it
	Reanchored int64 // times that time started anew
	// Refresh is the refresh interval as estimated from RefreshStamps stamps.
	Refresh       time.Duration
	RefreshStamps int
	Speed         float64       // media seconds a second
	Delay         time.Duration // that evens out the jitter of a live source
}

// shownAt is when the last observed frame was meant to appear and when it did.
type shownAt struct {
	due, target, actual media.Instant
	serial              uint32
}

// inFlight is a frame that the display has not reported yet.
type inFlight struct {
	due, target media.Instant
	media       time.Duration
	broken      bool // time does not go on from the frame before
	valid       bool
}

// flight is a queue of frames on their way, in order.
type flight struct {
	frames  [16]inFlight
	head, n int
	broken  bool
}

func (f *flight) push(a inFlight) {
	a.broken, f.broken = a.broken || f.broken, false
	if f.n == len(f.frames) { // a display that reports nothing
		f.head, f.n = (f.head+1)%len(f.frames), f.n-1
	}
	f.frames[(f.head+f.n)%len(f.frames)] = a
	f.n++
}

// take removes the oldest frame that was wanted at target, and those before it: their
// reports were lost. There is none when the frame was submitted before the queue began.
func (f *flight) take(target media.Instant) (a inFlight) {
	for i := range f.n {
		b := &f.frames[(f.head+i)%len(f.frames)]
		if a.broken = a.broken || b.broken; b.target == target {
			broken := a.broken
			a = *b
			a.broken = broken
			f.head, f.n = (f.head+i+1)%len(f.frames), f.n-i-1
			return a
		}
	}
	return inFlight{}
}

// Observe takes what the display reported about a frame: once for every frame shown, in
// order. A frame is known by its Target; one that nothing is reported of is forgotten with
// the report of a later one.
func (p *Pacer) Observe(f *media.Presented) {
	sent := p.inFlight.take(f.Target)
	if f.Discarded {
		p.stats.Discarded++
		return
	}
	half := f.Refresh / 2
	if f.Target != 0 && f.Actual != 0 && f.Actual.Sub(f.Target) > max(half, time.Millisecond) {
		p.stats.Late++
	}
	p.stats.Missed += int64(f.Missed)
	if f.Refresh <= 0 || f.Actual == 0 {
		return
	}
	if p.Exact() {
		p.vsync.Observe(f.Actual, f.Sequence)
	}
	if q := &p.last; q.actual != 0 && q.target != 0 && q.serial == f.Serial {
		over := f.Actual.Sub(q.actual) - f.Target.Sub(q.target)
		if n := (over + half) / f.Refresh; n > 0 {
			p.stats.Repeated += int64(n)
		}
		if q.due != 0 && sent.due != 0 && !sent.broken && p.mistimed(f.Actual.Sub(q.actual), sent.due.Sub(q.due)) {
			p.stats.Mistimed++
		}
	}
	if p.display.Variable() && f.Target != 0 {
		p.vrr.observe(f.Actual.Sub(f.Target))
	}
	p.last = shownAt{sent.due, f.Target, f.Actual, f.Serial}
	if f.Target != 0 {
		p.adapt(f)
	}
}

// mistimed reports whether a picture that should have stayed for a while did so as well as
// the display can.
func (p *Pacer) mistimed(stayed, should time.Duration) bool {
	switch {
	case p.display.Variable():
		// Anything goes, but not faster than the display does.
		return (stayed - max(should, p.display.Refresh)).Abs() > p.display.Refresh/2
	case p.exact():
		r := p.vsync.Period()
		n, want := math.Round(float64(stayed)/r), float64(should)/r
		return n < max(1, math.Floor(want-cadenceMargin)) || n > math.Ceil(want+cadenceMargin)
	}
	return false
}

// adaptFrames is how many frames in a row must be late, or one be early, before the lead
// changes: enough to tell the GPU's time from a hiccup.
const adaptFrames = 30

// maxExtra bounds the lead, in refreshes: beyond it the sink's own queue is full.
const maxExtra = 3

// adapt raises the lead when even the quickest of the last frames came a refresh late,
// because drawing takes longer than the lead, and lowers it when a frame comes early.
func (p *Pacer) adapt(f *media.Presented) {
	if p.cfg.Lead > 0 || !p.exact() {
		return
	}
	r := p.period()
	late := f.Actual.Sub(f.Target)
	if late < -r*3/4 && p.extra > 0 {
		p.extra = max(p.extra-r/2, 0)
		p.count = 0
		return
	}
	if p.count == 0 || late < p.minLate {
		p.minLate = late
	}
	if p.count++; p.count < adaptFrames {
		return
	}
	p.count = 0
	if p.minLate > r*3/4 {
		p.extra = min(p.extra+r/2, maxExtra*r)
	}
}
