package pace

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

var (
	sourceRates  = []float64{24000.0 / 1001, 24, 25, 30000.0 / 1001, 30, 48, 50, 60000.0 / 1001, 60, 90, 100, 120000.0 / 1001, 120, 144, 240}
	displayRates = []float64{50, 60000.0 / 1001, 60, 75, 90, 120, 144, 165, 240}
)

const vsyncJitter = 500 * time.Microsecond

// ptsAt is the timestamps of a source of a rate, to the nanosecond.
func ptsAt(fps float64) func(int) time.Duration {
	return func(i int) time.Duration { return time.Duration(math.Round(float64(i) * 1e9 / fps)) }
}

// watch collects what the matrix asserts.
type watch struct {
	t       *testing.T
	name    string
	refresh float64
	ratio   float64 // frame interval in refreshes
	bound   time.Duration
	matched bool // the display's rate is played: the cadence repeats for ever

	frames, shown, dropped int
	wrong                  int // frames off by more than the bound
	uneven                 int // frames that stayed another number of refreshes than the two around their duration
	longs                  int // that stayed the longer of the two
	run, longest           int // of frames in a row that were mistimed
	first, last            []time.Duration
	before                 *Fate
	kept                   Fate
	queued                 int
	worst                  time.Duration
}

// settle is how much of the beginning is left out: the phase and the rate have to be found
// first, and where the rate is matched, the phase is drawn in by 1 ms or so a second.
const settle = 20 * time.Second

func (w *watch) see(f *Fate) {
	w.frames++
	if f.PTS < settle {
		return
	}
	w.queued = max(w.queued, f.Queued)
	if f.Reason != media.DropNone {
		w.dropped++
		return
	}
	w.shown++
	lag := f.Actual.Sub(f.Due)
	if len(w.first) < 200 {
		w.first = append(w.first, lag)
	}
	w.last = append(w.last, lag)
	if len(w.last) > 400 {
		w.last = append(w.last[:0], w.last[200:]...)
	}
	w.worst = max(w.worst, lag.Abs())
	bad := lag.Abs() > w.bound
	if bad {
		w.wrong++
	}
	if w.before != nil && w.refresh > 0 {
		stay := math.Round(float64(f.Actual.Sub(w.before.Actual)) / w.refresh)
		// Between two shown frames lie as many intervals as frames, the dropped ones included.
		ratio := w.ratio * float64(f.Frame-w.before.Frame)
		lo, hi := math.Floor(ratio+1e-9), math.Ceil(ratio-1e-9)
		if w.matched {
			lo, hi = math.Floor(2*ratio+0.5)/2, math.Floor(2*ratio+0.5)/2
			lo, hi = math.Floor(lo), math.Ceil(hi)
		}
		if lo < 1 {
			lo = 1
		}
		hi = max(lo, hi)
		if stay < lo || stay > hi {
			w.uneven++
			bad = true
		}
		if stay > lo {
			w.longs++
		}
	}
	if bad {
		w.run++
		w.longest = max(w.longest, w.run)
	} else {
		w.run = 0
	}
	w.kept = *f
	w.before = &w.kept
}

func mean(a []time.Duration) time.Duration {
	if len(a) == 0 {
		return 0
	}
	var sum time.Duration
	for _, v := range a {
		sum += v
	}
	return sum / time.Duration(len(a))
}

// TestRateMatrix plays every source rate on every display rate for ten minutes, with half a
// millisecond of vsync jitter. What arithmetic forces, and no more, may be seen:
//
//   - a frame appears within 0.6 refreshes of its moment and the jitter (0.5 is what no
//     pacer can beat; 0.1 is the room in which the cadence keeps to one side);
//   - it stays for one of the two whole numbers of refreshes around its duration, so how
//     many stay for the longer one is forced by the sum; where the display's rate is
//     played, it is the same number for ever;
//   - no more frames are dropped than the display is short of refreshes;
//   - the lag at the end is the lag at the start, and no more frames wait.
func TestRateMatrix(t *testing.T) {
	for _, fps := range sourceRates {
		t.Run(fmt.Sprintf("%.5g fps", fps), func(t *testing.T) {
			t.Parallel()
			for _, hz := range displayRates {
				pair(t, fps, hz, Config{}, &Simulated{Period: hertz(hz), Jitter: vsyncJitter, Seed: 1})
			}
			pair(t, fps, 0, Config{}, &Simulated{VRRMin: hertz(144), VRRMax: hertz(48), Jitter: 0, Seed: 1})
		})
	}
}

// pair plays one pair and asserts the above. hz of 0 is a variable refresh.
func pair(t *testing.T, fps, hz float64, cfg Config, display *Simulated) (*watch, *Pacer) {
	t.Helper()
	cfg.FrameInterval = hertz(fps)
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	display.Start(start.Add(3 * time.Millisecond))
	p.SetDisplay(display.Display(0))
	w := &watch{t: t, name: fmt.Sprintf("%.5g fps on %.5g Hz", fps, hz)}
	if hz > 0 {
		w.refresh = 1e9 / hz
		w.ratio = hz / fps
		w.bound = time.Duration(0.6*w.refresh) + vsyncJitter + 100*time.Microsecond
		n := max(1, math.Round(2*w.ratio))
		limit := maxSpeed
		if cfg.Sound {
			limit = MaxSoundSpeed
		}
		w.matched = n <= 2*maxPerFrame && math.Abs(2*w.ratio/n-1) <= limit
		if w.matched {
			w.ratio = n / 2
		}
	} else {
		w.name = fmt.Sprintf("%.5g fps on VRR", fps)
		w.bound = max(100*time.Microsecond, display.VRRMin-hertz(fps)) + maxGuard
		if hertz(fps) > display.VRRMax {
			w.bound += display.VRRMin // while the display repeats the picture
		}
		if hertz(fps) < display.VRRMin {
			w.bound = display.VRRMin + maxGuard
		}
	}
	sim := Simulation{Display: display, Start: start, Frames: int(minutes * 60 * fps), PTS: ptsAt(fps), Free: !cfg.Sound, Each: w.see,
		Oversleep: func(i int) time.Duration { return time.Duration(i*7919%200) * time.Microsecond }}
	if cfg.Sound {
		sim.SpeedDelay = 300 * time.Millisecond
	}
	sim.Run(p)
	s := p.Stats()
	forced := 0.0
	slots := math.Inf(1)
	if hz > 0 && w.ratio < 1 {
		slots = w.ratio
	} else if hz == 0 && hertz(fps) < display.VRRMin {
		slots = float64(hertz(fps)) / float64(display.VRRMin)
	}
	n := float64(w.shown + w.dropped)
	if slots < 1 {
		forced = n * (1 - slots)
	}
	if math.Abs(float64(w.dropped)-forced) > 2 {
		t.Errorf("%s: %d of %.0f frames dropped, want %.0f; %v", w.name, w.dropped, n, forced, s.Drops)
	}
	if w.wrong > 0 {
		t.Errorf("%s: %d frames are further than %v from their moment, the worst %v", w.name, w.wrong, w.bound, w.worst)
	}
	if w.uneven > 0 || s.Mistimed > 3 {
		t.Errorf("%s: %d frames stayed for a number of refreshes that arithmetic does not force (by the pacer's count %d)", w.name, w.uneven, s.Mistimed)
	}
	if hz > 0 && w.ratio >= 1 {
		lo := math.Floor(w.ratio + 1e-9)
		if want := float64(w.shown) * (w.ratio - lo); math.Abs(float64(w.longs)-want) > 2 {
			t.Errorf("%s: %d frames stayed for more than %.0f refreshes, the sum forces %.0f", w.name, w.longs, lo, want)
		}
	}
	if a, b := mean(w.first), mean(w.last); (a - b).Abs() > time.Duration(w.refresh/2)+200*time.Microsecond {
		t.Errorf("%s: lag was %v and is %v", w.name, a, b)
	}
	if s.Reanchored > 0 || s.Drops[media.DropLate] > 0 {
		t.Errorf("%s: time started anew %d times, %v", w.name, s.Reanchored, s.Drops)
	}
	return w, p
}
