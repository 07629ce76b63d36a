package pace

import (
	"math"
	"time"

	"github.com/scanout-av/scanout/media"
)

// Simulated is a display that exists on paper: a FIFO of refreshes. It stands in for a
// screen where there is none, with the rules of a real one: a picture appears on the first
// refresh at which it is ready and wanted, each refresh shows one, and at most Depth
// pictures wait.
//
// Its faults are functions of Seed and the refresh's number, so that a run can be
// repeated.
//
// With VRRMin and VRRMax it waits for pictures: one appears when it is ready and wanted,
// VRRMin after the refresh before at the soonest. When none comes for VRRMax, the display
// repeats what it shows, and is busy for VRRMin; for a source slower than its range it
// spreads these repeats evenly over the interval that it expects from those before, as
// graphics drivers do ("low framerate compensation").
//
// The zero value has no refresh: every picture is visible at once.
// Concurrency: one goroutine.
type Simulated struct {
	Period time.Duration
	// Depth is how many pictures may wait to become visible; 0 means 1.
	Depth int

	// Jitter is how far a refresh comes before or after its moment at most, evenly
	// distributed. It must be less than half a period.
	Jitter time.Duration
	// Miss is the share of refreshes, 0 to 1, at which the display takes no picture although
	// there is one.
	Miss float64
	Seed uint64

	// VRRMin and VRRMax are the bounds of a variable refresh interval. Period is VRRMin
	// then, whatever it says.
	VRRMin, VRRMax time.Duration

	// Recorded is a timeline of refreshes, in order, in place of all of the above; beyond
	// its end refreshes come at Period, which must be set.
	Recorded []media.Instant

	start    media.Instant // a refresh
	last     media.Instant // refresh of the newest picture
	wanted   media.Instant // when it was ready and wanted
	interval time.Duration // between such moments, averaged
	expected media.Instant // the next such moment
	started  bool
}

// Start sets the phase: a refresh happens at t, but for its jitter.
func (s *Simulated) Start(t media.Instant) {
	s.start, s.last, s.wanted, s.interval, s.started = t, 0, 0, 0, true
}

// Display describes the display: nominal says what it claims to be, 0 for the truth.
func (s *Simulated) Display(nominal time.Duration) media.Display {
	d := media.Display{Source: media.PresentImmediate}
	switch {
	case s.variable():
		d.Refresh, d.Slowest = s.VRRMin, s.VRRMax
	case s.Period > 0:
		d.Refresh = s.Period
	default:
		return d
	}
	if nominal > 0 {
		d.Refresh = nominal
	}
	d.Source, d.Throttled, d.Last = media.PresentSimulated, true, s.last
	return d
}

func (s *Simulated) variable() bool { return s.VRRMin > 0 && s.VRRMax > s.VRRMin }

// chance returns a number from 0 to 1 that depends on Seed, n and what it is for.
func (s *Simulated) chance(n int64, salt uint64) float64 {
	// SplitMix64: one multiplication-xorshift round over a counter is an even distribution.
	// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
	z := (s.Seed+salt)*0x9e3779b97f4a7c15 + uint64(n)*0xbf58476d1ce4e5b9 + 0x94d049bb133111eb
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return float64(z>>11) / (1 << 53)
}

// Refresh returns the moment of refresh n; number 0 is the one that Start named.
func (s *Simulated) Refresh(n int64) media.Instant {
	if r := s.Recorded; len(r) > 0 {
		if n < 0 {
			return r[0].Add(time.Duration(n) * s.Period)
		}
		if k := int64(len(r)) - 1; n > k {
			return r[k].Add(time.Duration(n-k) * s.Period)
		}
		return r[n]
	}
	t := s.start.Add(time.Duration(n) * s.Period)
	if s.Jitter > 0 {
		t = t.Add(time.Duration((2*s.chance(n, 1) - 1) * float64(s.Jitter)))
	}
	return t
}

// takes reports whether the display takes a picture at refresh n.
func (s *Simulated) takes(n int64) bool { return s.Miss <= 0 || s.chance(n, 2) >= s.Miss }

// number returns the number of the first refresh at or after t.
func (s *Simulated) number(t media.Instant) int64 {
	var n int64
	if r := s.Recorded; len(r) > 0 && t > r[0] && t <= r[len(r)-1] {
		lo, hi := int64(0), int64(len(r))-1 // r[lo] < t <= r[hi]
		for lo+1 < hi {
			if m := (lo + hi) / 2; r[m] < t {
				lo = m
			} else {
				hi = m
			}
		}
		return hi
	} else if len(r) > 0 {
		if t <= r[0] {
			return -int64(r[0].Sub(t) / s.Period)
		}
		k := len(r) - 1
		return int64(k) + int64((t.Sub(r[k])+s.Period-1)/s.Period)
	}
	n = int64(math.Floor(float64(t.Sub(s.start)-s.Jitter) / float64(s.Period)))
	for s.Refresh(n) < t {
		n++
	}
	for s.Refresh(n-1) >= t {
		n--
	}
	return n
}

// After returns the first refresh at or after t.
func (s *Simulated) After(t media.Instant) media.Instant {
	if s.Period <= 0 || s.variable() {
		return t
	}
	return s.Refresh(s.number(t))
}

// Ready returns when the display can take another picture: now, or when enough of those
// that wait have become visible.
func (s *Simulated) Ready(now media.Instant) media.Instant {
	switch {
	case s.last == 0:
		return now
	case s.variable():
		return max(now, s.last)
	case s.Period <= 0:
		return now
	}
	return max(now, s.last.Add(-time.Duration(max(s.Depth, 1)-1)*s.Period))
}

// Present puts a picture that is ready at done and wanted at target (0: at once) in the
// queue, and returns when it becomes visible and how many refreshes later than wanted
// that is. Half a refresh early counts as on time, because a display cannot do better.
func (s *Simulated) Present(done, target media.Instant) (visible media.Instant, missed int) {
	if s.variable() {
		return s.presentVariable(done, target)
	}
	if s.Period <= 0 {
		return done, 0
	}
	if !s.started {
		s.Start(done)
	}
	n := s.number(done)
	wanted := n
	if target != 0 {
		wanted = s.number(target.Add(-s.Period / 2))
	}
	n = max(n, wanted)
	if s.last != 0 {
		n = max(n, s.number(s.last)+1)
	}
	for !s.takes(n) {
		n++
	}
	v := s.Refresh(n)
	s.last = v
	if target != 0 && n > wanted {
		missed = int(n - wanted)
	}
	return v, missed
}

// presentVariable shows a picture when it is ready and wanted and the display has the time.
func (s *Simulated) presentVariable(done, target media.Instant) (visible media.Instant, missed int) {
	v := max(done, target)
	if s.last != 0 {
		d := v.Sub(s.wanted)
		s.wanted = v
		v = max(v, s.lastScan(v).Add(s.VRRMin))
		if s.interval == 0 {
			s.interval = d
		}
		s.interval += (d - s.interval) / 4
	} else {
		s.wanted = v
	}
	s.expected = s.wanted.Add(s.interval)
	if s.Jitter > 0 {
		v = v.Add(time.Duration(s.chance(int64(v), 1) * float64(s.Jitter)))
	}
	s.last = v
	if target != 0 {
		missed = int(v.Sub(target) / s.VRRMin)
	}
	return v, missed
}

// repeatMargin is how near to VRRMax pictures may come before the display is to repeat them
// in between: just at it, a repeat and the next picture would collide.
const repeatMargin = time.Millisecond

// lastScan returns when the display began its last scan before t: of the newest picture,
// or of a repeat since.
func (s *Simulated) lastScan(t media.Instant) media.Instant {
	scan := s.last
	span := s.expected.Sub(s.last)
	if n := (span + repeatMargin + s.VRRMax - 1) / s.VRRMax; n > 1 && span/n >= s.VRRMin {
		for i := time.Duration(1); i < n && s.last.Add(i*span/n) < t; i++ {
			scan = s.last.Add(i * span / n)
		}
	}
	for t.Sub(scan) > s.VRRMax {
		scan = scan.Add(s.VRRMax)
	}
	return scan
}
