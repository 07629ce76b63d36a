package pace

import (
	"math"
	"time"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/metrics"
)

// Tally sums up what a viewer would have seen of a [Simulation], by the same rules for every
// [Decider]. Give its See to Simulation.Each.
type Tally struct {
	Display *Simulated
	// Skip leaves out the frames before this time, which everybody needs to find the display.
	Skip time.Duration

	Frames, Shown, Dropped int
	// Mistimed counts frames that stayed for another number of refreshes than the two whole
	// numbers around their duration, and those dropped although the display had a refresh
	// for them; Longest is the longest run of them.
	Mistimed, Longest int
	// Lag, if there is one, gets how long after its moment each frame appeared; 0 for early
	// ones.
	Lag      *metrics.Histogram
	lagSum   time.Duration
	square   float64 // of stayed − should, ns²
	stays    int
	MostLate time.Duration

	run     int
	last    Fate
	any     bool
	skipped int
}

// See takes a frame's fate.
func (y *Tally) See(f *Fate) {
	if f.PTS < y.Skip {
		return
	}
	y.Frames++
	if f.Reason != media.DropNone {
		y.Dropped++
		y.skipped++
		return
	}
	y.Shown++
	lag := f.Actual.Sub(f.Due)
	if y.Lag != nil {
		y.Lag.Record(max(lag, 0))
	}
	y.lagSum += lag
	y.MostLate = max(y.MostLate, lag)
	if y.any && y.mistimed(f) {
		y.Mistimed++
		y.run++
		y.Longest = max(y.Longest, y.run)
	} else {
		y.run = 0
	}
	y.last, y.any, y.skipped = *f, true, 0
}

func (y *Tally) mistimed(f *Fate) bool {
	stayed := float64(f.Actual.Sub(y.last.Actual))
	should := float64(f.PTS - y.last.PTS)
	y.square += (stayed - should) * (stayed - should)
	y.stays++
	interval := should / float64(1+y.skipped)
	if y.Display.variable() {
		least := float64(y.Display.VRRMin)
		return y.skipped > 0 && interval >= least || math.Abs(stayed-max(should, least)) > least/2
	}
	r := float64(y.Display.Period)
	// 1 % is what a display's rate may be matched by.
	if y.skipped > 0 && interval > r*1.01 {
		return true
	}
	n := math.Round(stayed / r)
	return n < max(1, math.Floor(should/r*0.99)) || n > max(1, math.Ceil(should/r*1.01))
}

// MeanLag is how far frames appeared from their moments on average.
func (y *Tally) MeanLag() time.Duration {
	if y.Shown == 0 {
		return 0
	}
	return y.lagSum / time.Duration(y.Shown)
}

// Judder is how far, in root mean square, the time that frames stayed was from the time
// between their timestamps.
func (y *Tally) Judder() time.Duration {
	if y.stays == 0 {
		return 0
	}
	return time.Duration(math.Sqrt(y.square / float64(y.stays)))
}
