package pace

import (
	"math"
	"time"

	"github.com/scanout-av/scanout/media"
)

// Vsync finds out when a display refreshes, period and phase, from the moments at which
// pictures appeared.
//
// Each stamp gets the number of the refresh it most likely belongs to, so that refreshes
// without a new picture and missed ones do not stretch the period, and a straight line is
// fitted through numbers and moments, older ones counting less. What fits nowhere is left
// out; when many in a row fit nowhere but with each other, the display has changed, and the
// estimate starts again from those.
//
// Units: stamps are instants; the period is kept in float64 ns, because 59.94 Hz is no
// whole number of them.
// Concurrency: one goroutine.
type Vsync struct {
	nominal float64

	// The line: moment = origin + meanT + slope·(number − meanN).
	origin media.Instant
	weight float64
	meanN  float64
	meanT  float64
	varN   float64
	covNT  float64
	prior  float64 // period that slope is held at, until samples say more
	slope  float64

	count   int // stamps that fitted since the last start
	number  int64
	last    media.Instant
	lastSeq uint64

	// recent are the newest stamps, n of them, that a new line would be drawn through.
	recent [vsyncStart]stampedAt
	n      int
	// bad weighs stamps that did not fit against those that did.
	bad int
	// candidate is a period that was found once and waits to be found again.
	candidate float64
	noise     float64 // mean square distance of those that fit, in periods
	// restarts counts new lines since the last good stretch.
	restarts  int
	irregular bool
	outliers  int64
	// jumps counts how often the phase was taken anew since the last good stretch, settled
	// is the count at the last of them.
	jumps, settled int
}

type stampedAt struct {
	at  media.Instant
	seq uint64
}

const (
	// vsyncStart is how many stamps a line is drawn through.
	vsyncStart = 9
	// maxBad is when the line is drawn anew. A stamp that does not fit counts 2, one that
	// does −1: one late stamp says nothing, and at 60 Hz a new rate is noticed within 150 ms.
	maxBad = 2 * (vsyncStart - 1)
	// vsyncMemory is after how many refreshes a stamp counts 1/e. mpv averages over 1000.
	vsyncMemory = 1000.0
	vsyncDecay  = 0.999000499833 // e^(−1/vsyncMemory)
	// vsyncPrior holds the slope as 10 stamps would (their Σ(n−mean)² is 10³/12), so that
	// the first few do not swing it; against 100 it counts a thousandth.
	vsyncPrior = 83.0
	// vsyncOutlier is how far off a refresh a stamp may be at most, in periods: mpv's
	// quarter. A display with less jitter is held to vsyncSigmas of its own, but not to
	// less than vsyncExact.
	vsyncOutlier = 0.25
	vsyncExact   = 0.08
	vsyncSigmas  = 5
	vsyncNoise   = 0.1 * 0.1 // before it is known
	// vsyncGap is how long a pause may be before the phase is taken from what comes after
	// it: the period's error, 10⁻⁴ after a second, times the gap must stay a small part of
	// a period.
	vsyncGap = 5 * time.Second
	// maxRestarts is how often the line may be drawn anew without a good stretch between
	// before the display is held to have no fixed refresh.
	maxRestarts = 3
	// goodStretch is how many stamps that fit make up for all that.
	goodStretch = 32
	// jumpBeyond is how far beyond what fits, in parts of that, stamps must lie to be held for
	// a jump of the phase: those of a rate that is a little different lie just beyond.
	jumpBeyond = 1.25
	// maxJumps is how often in a row that is believed, before the rate is looked at again.
	maxJumps = 3
)

// Reset forgets all and believes the display's own word for its period; 0 when it says
// nothing.
func (v *Vsync) Reset(nominal time.Duration) { *v = Vsync{nominal: float64(nominal)} }

// Period returns the best estimate, the nominal period until there is a better one, 0 when
// there is neither.
func (v *Vsync) Period() float64 {
	if v.count > 0 && !v.irregular {
		return v.slope
	}
	return v.nominal
}

// Known reports whether the phase is known, too.
func (v *Vsync) Known() bool { return v.last != 0 && v.nominal > 0 && !v.irregular }

// Stamps returns how many stamps the estimate rests on.
func (v *Vsync) Stamps() int { return v.count }

// Outliers returns how many stamps were left out.
func (v *Vsync) Outliers() int64 { return v.outliers }

// Irregular reports whether stamps come as they like: a variable refresh that the display
// has not owned up to, or stamps that say nothing about it.
func (v *Vsync) Irregular() bool { return v.irregular }

// Index returns t in refreshes since an arbitrary one, which changes when the display does;
// whole numbers are refreshes. Only for a Known display.
func (v *Vsync) Index(t media.Instant) float64 {
	if v.count == 0 {
		return float64(t-v.last) / v.nominal
	}
	return (float64(t-v.origin)-v.meanT)/v.slope + v.meanN
}

// At returns the moment of an index.
func (v *Vsync) At(index float64) media.Instant {
	if v.count == 0 {
		return v.last + media.Instant(math.Round(index*v.nominal))
	}
	return v.origin + media.Instant(math.Round(v.meanT+(index-v.meanN)*v.slope))
}

// Observe takes the moment at which a picture appeared; seq is the display's own number of
// that refresh, 0 when it does not count.
func (v *Vsync) Observe(at media.Instant, seq uint64) {
	if v.nominal <= 0 || at <= v.last {
		return // repeated, or back in time: it says nothing about the refreshes after it
	}
	if v.count > 0 && at.Sub(v.last) > vsyncGap {
		v.rephase(at, seq)
		return
	}
	v.keep(at, seq)
	if v.count == 0 {
		v.last, v.lastSeq = at, seq
		if v.n == vsyncStart {
			v.draw()
		}
		return
	}
	x := v.Index(at)
	n := int64(math.Round(x))
	if seq != 0 && v.lastSeq != 0 && seq > v.lastSeq {
		n = v.number + int64(seq-v.lastSeq) // it need not be guessed
	}
	off := x - float64(n)
	if n <= v.number || math.Abs(off) > v.limit() {
		v.outliers++
		if v.bad += 2; v.bad >= maxBad {
			v.draw()
		}
		return
	}
	v.bad = max(v.bad-1, 0)
	v.noise += (off*off - v.noise) / 64
	v.add(at, n)
	v.last, v.lastSeq = at, seq
	if v.count%goodStretch == 0 && v.bad == 0 {
		v.restarts, v.irregular, v.candidate = 0, false, 0
	}
}

// limit is how far off a refresh a stamp may be, in periods.
func (v *Vsync) limit() float64 {
	return min(vsyncOutlier, max(vsyncExact, vsyncSigmas*math.Sqrt(v.noise)))
}

// keep remembers a stamp for the next line.
func (v *Vsync) keep(at media.Instant, seq uint64) {
	if v.n > 0 && at.Sub(v.recent[v.n-1].at) > vsyncGap {
		v.n = 0
	}
	if v.n == vsyncStart {
		copy(v.recent[:], v.recent[1:])
		v.n--
	}
	v.recent[v.n] = stampedAt{at, seq}
	v.n++
}

// draw starts a line through the recent stamps.
func (v *Vsync) draw() {
	changed := v.count > 0
	v.bad = 0
	if v.n < vsyncStart {
		return // of a pause not long ago
	}
	period, ok := v.rhythm()
	if !ok {
		// The line stays until there is one that is better, and so does the display's word.
		v.n = 0
		if v.restarts++; v.restarts >= maxRestarts {
			v.irregular = true
		}
		return
	}
	if off := math.Abs(period/v.nominal - 1); off > 0.02 && math.Abs(period/v.candidate-1) > 0.01 {
		// A rate that the display does not admit to is believed the second time: nine stamps
		// of a machine that stutters can look like anything.
		v.candidate, v.n = period, 0
		return
	}
	if changed && v.jump(period) {
		return
	}
	if changed {
		v.restarts++
		v.irregular = v.irregular || v.restarts > maxRestarts
	}
	v.weight, v.meanN, v.meanT, v.varN, v.covNT, v.noise = 0, 0, 0, 0, 0, vsyncNoise
	v.origin, v.prior, v.slope, v.count, v.number = v.recent[0].at, period, period, 0, 0
	n := int64(0)
	for i, w := range v.recent {
		if i > 0 {
			n += v.steps(i, period)
		}
		v.add(w.at, n)
	}
	v.last, v.lastSeq = v.recent[vsyncStart-1].at, v.recent[vsyncStart-1].seq
	v.jumps, v.settled = 0, v.count
}

// jump moves the line to where the recent stamps lie, and keeps its slope, when they have
// the same period and nothing but their phase is another: a virtual display that was held up
// goes on from where it is. False when that is not so, or was so too often lately.
func (v *Vsync) jump(period float64) bool {
	if v.count-v.settled >= 2*goodStretch {
		v.jumps = 0
	}
	if math.Abs(period/v.slope-1) > 0.02 || v.count < 2*goodStretch || v.jumps == maxJumps {
		return false
	}
	end := v.recent[vsyncStart-1]
	n := max(int64(math.Round(v.Index(end.at))), v.number+1)
	off, k := 0.0, n
	for i := vsyncStart - 1; ; i-- {
		off += (v.Index(v.recent[i].at) - float64(k)) / vsyncStart
		if i == 0 {
			break
		}
		k -= v.steps(i, v.slope)
	}
	if math.Abs(off) < jumpBeyond*v.limit() {
		return false
	}
	v.meanT += off * v.slope
	v.number, v.last, v.lastSeq, v.settled, v.n = n, end.at, end.seq, v.count, 0
	v.jumps++
	v.candidate = 0
	return true
}

// steps returns how many refreshes there are between recent stamps i−1 and i.
func (v *Vsync) steps(i int, period float64) int64 {
	a, b := v.recent[i-1], v.recent[i]
	if a.seq != 0 && b.seq > a.seq {
		return int64(b.seq - a.seq)
	}
	return int64(max(1, math.Round(float64(b.at-a.at)/period)))
}

// rhythm finds the period of the recent stamps; false when they have none.
func (v *Vsync) rhythm() (period float64, ok bool) {
	// Each gap is a whole number of periods, and by the display's own word about how many:
	// the gap by which the others come nearest to whole numbers, too, tells. The word itself
	// counts first: true to a few percent it is better than nine stamps with jitter.
	best := math.Inf(1)
	for i := range vsyncStart {
		p := v.nominal
		if i > 0 {
			p = float64(v.recent[i].at-v.recent[i-1].at) / float64(v.steps(i, v.nominal))
		}
		sum := 0.0
		for j := 1; j < vsyncStart; j++ {
			d := float64(v.recent[j].at-v.recent[j-1].at)/p - float64(v.steps(j, p))
			sum += d * d
		}
		if i == 0 && sum < (vsyncStart-1)*0.02*0.02 {
			return p, true
		}
		if sum < best*0.99 {
			best, period = sum, p
		}
	}
	n := int64(0)
	for i := 1; i < vsyncStart; i++ {
		n += v.steps(i, period)
	}
	period = float64(v.recent[vsyncStart-1].at-v.recent[0].at) / float64(n)
	if math.Abs(period/v.nominal-1) < 0.02 {
		period = v.nominal
	}
	// Evenly distributed gaps are 0.29 off on average; 1 ms of jitter at 144 Hz makes 0.12.
	ok = best < (vsyncStart-1)*0.15*0.15 && period > v.nominal/2 && period < v.nominal*2
	return period, ok
}

// add takes a stamp of refresh n into the line.
func (v *Vsync) add(at media.Instant, n int64) {
	decay := 1.0
	if d := n - v.number; d < 64 {
		for range d {
			decay *= vsyncDecay
		}
	} else {
		decay = math.Exp(-float64(d) / vsyncMemory)
	}
	v.weight = v.weight*decay + 1
	v.varN *= decay
	v.covNT *= decay
	x, t := float64(n), float64(at-v.origin)
	dx, dt := x-v.meanN, t-v.meanT
	v.meanN += dx / v.weight
	v.meanT += dt / v.weight
	v.varN += dx * (x - v.meanN)
	v.covNT += dx * (t - v.meanT)
	v.slope = (v.covNT + vsyncPrior*v.prior) / (v.varN + vsyncPrior)
	v.number = n
	v.count++
}

// rephase takes the phase from at and keeps the period: after a pause.
func (v *Vsync) rephase(at media.Instant, seq uint64) {
	n := int64(math.Round(v.Index(at)))
	n = max(n, v.number+1)
	v.meanT += float64(at - v.At(float64(n)))
	v.number, v.last, v.lastSeq, v.n, v.bad = n, at, seq, 0, 0
}
