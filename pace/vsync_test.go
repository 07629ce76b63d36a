package pace

import (
	"math"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

// hertz is the interval of a rate.
func hertz(hz float64) time.Duration { return time.Duration(math.Round(1e9 / hz)) }

// stamps shows a picture on every nth refresh for a while.
func stamps(s *Simulated, count int, every time.Duration, see func(media.Instant)) {
	s.Start(start)
	for i := range count {
		v, _ := s.Present(start.Add(time.Duration(i)*every), start.Add(time.Duration(i)*every+s.Period))
		see(v)
	}
}

// TestVsyncEstimate estimates displays that jitter by half a millisecond, miss vblanks, and
// claim another rate than they have: the period is right to 0.1 %, and right to 0.001 %
// when all is done.
func TestVsyncEstimate(t *testing.T) {
	for _, c := range []struct {
		name             string
		hz, nominal, fps float64
		jitter           time.Duration
		miss             float64
	}{
		{"as it says", 60, 60, 60, 500 * time.Microsecond, 0},
		{"59.94 that says 60", 59.94, 60, 60, 500 * time.Microsecond, 0},
		{"60 that says 59", 60, 59, 24, 500 * time.Microsecond, 0},
		{"50 that says 60", 50, 60, 50, 500 * time.Microsecond, 0},
		{"75 that says 60", 75, 60, 60, 500 * time.Microsecond, 0},
		{"24 fps on 120 Hz", 120, 120, 24, 500 * time.Microsecond, 0},
		{"misses a tenth", 60, 60, 60, 500 * time.Microsecond, 0.1},
		{"misses a third", 60, 59.94, 60, 500 * time.Microsecond, 0.33},
		{"240 Hz", 240, 240, 240, 500 * time.Microsecond, 0.02},
		{"144 Hz with 2 ms of jitter", 144, 143.9, 60, time.Millisecond, 0.05},
	} {
		t.Run(c.name, func(t *testing.T) {
			var v Vsync
			v.Reset(hertz(c.nominal))
			s := Simulated{Period: hertz(c.hz), Jitter: c.jitter, Miss: c.miss, Seed: 1}
			n := 0
			worst := 0.0
			stamps(&s, 20000, hertz(c.fps), func(at media.Instant) {
				v.Observe(at, 0)
				if n++; n > 150 {
					worst = max(worst, math.Abs(v.Period()/float64(s.Period)-1))
				}
			})
			if worst > 1e-3 {
				t.Errorf("off by %.4f %% at worst, want 0.1 %%", worst*100)
			}
			if off := math.Abs(v.Period()/float64(s.Period) - 1); off > 1e-5 {
				t.Errorf("off by %.5f %% at the end", off*100)
			}
			if v.Irregular() || !v.Known() {
				t.Error("held to have no fixed refresh")
			}
			// The phase: refreshes are where the line says.
			at := s.Refresh(s.number(start.Add(20000 * hertz(c.fps))))
			if off := v.Index(at) - math.Round(v.Index(at)); math.Abs(off)*v.Period() > float64(c.jitter)+50e3 {
				t.Errorf("phase is off by %.0f µs", off*v.Period()/1e3)
			}
		})
	}
}

// TestVsyncCounts counts refreshes with the display, so that the number of a stamp need not
// be guessed from a lie.
func TestVsyncCounts(t *testing.T) {
	var v Vsync
	v.Reset(hertz(60))
	for i := range 100 {
		n := i * 7 // 23.976 fps on 165 Hz, or so
		v.Observe(start.Add(time.Duration(n)*hertz(100)), uint64(1+n))
	}
	if off := math.Abs(v.Period()/1e7 - 1); off > 1e-3 {
		t.Errorf("period %.0f ns, want 10 ms", v.Period())
	}
}

// TestVsyncRateChange switches the display from one rate to another, and to none.
func TestVsyncRateChange(t *testing.T) {
	var v Vsync
	v.Reset(hertz(60))
	now := start
	show := func(count int, gap func(i int) time.Duration) {
		for i := range count {
			now = now.Add(gap(i))
			v.Observe(now, 0)
		}
	}
	show(300, func(int) time.Duration { return hertz(60) })
	show(60, func(int) time.Duration { return hertz(50) })
	if off := math.Abs(v.Period()/float64(hertz(50)) - 1); off > 1e-3 {
		t.Fatalf("1.2 s after the change to 50 Hz the period is %.0f ns", v.Period())
	}
	// A pause, and on with the old phase lost.
	now = now.Add(time.Hour + 3*time.Millisecond)
	show(2, func(int) time.Duration { return hertz(50) })
	if x := v.Index(now); math.Abs(x-math.Round(x)) > 0.02 {
		t.Errorf("after a pause the phase is off by %.3f", x-math.Round(x))
	}
	// A variable refresh that was not declared.
	show(400, func(i int) time.Duration { return 7*time.Millisecond + time.Duration(i*i%13)*time.Millisecond })
	if !v.Irregular() || v.Known() {
		t.Error("a variable refresh is held to be fixed")
	}
	if v.Period() != float64(hertz(60)) {
		t.Errorf("without an estimate the period is %.0f ns, want what the display says", v.Period())
	}
	show(200, func(int) time.Duration { return hertz(60) })
	if off := math.Abs(v.Period()/float64(hertz(60)) - 1); v.Irregular() || off > 1e-3 {
		t.Errorf("back at 60 Hz: irregular %v, off by %.3f %%", v.Irregular(), off*100)
	}
}

// TestVsyncJump holds the display up for a part of a refresh now and then, as a virtual one
// on a busy machine is: the phase is found again, and the rate is not lost meanwhile. A rate
// that is really another, if only by a percent, is not taken for that.
func TestVsyncJump(t *testing.T) {
	var v Vsync
	v.Reset(hertz(60))
	s := Simulated{Period: hertz(59.94), Jitter: 300 * time.Microsecond, Seed: 4}
	at, late := int64(0), time.Duration(0)
	show := func(count int) (worst float64) {
		for range count {
			at++
			v.Observe(s.Refresh(at).Add(late), 0)
			worst = max(worst, math.Abs(v.Period()/float64(s.Period)-1))
		}
		return worst
	}
	show(600)
	for i, by := range []time.Duration{6, 5, -4, 7} {
		late += by * time.Millisecond
		if worst := show(100); worst > 2e-4 {
			t.Errorf("jump %d: the rate is off by %.4f %%", i, worst*100)
		}
		if x := v.Index(s.Refresh(at).Add(late)); math.Abs(x-math.Round(x)) > 0.05 || !v.Known() {
			t.Errorf("jump %d: the phase is off by %.2f of a refresh", i, x-math.Round(x))
		}
	}
	s.start, at, late, s.Period = s.Refresh(at), 0, 0, hertz(60.5)
	show(250)
	if worst := show(200); worst > 1e-3 {
		t.Errorf("another rate: off by %.4f %%", worst*100)
	}
}

// TestVsyncBadStamps feeds it stamps that repeat and go back.
func TestVsyncBadStamps(t *testing.T) {
	var v Vsync
	v.Reset(hertz(60))
	for i := range 500 {
		at := start.Add(time.Duration(i) * hertz(60))
		v.Observe(at, 0)
		v.Observe(at, 0)
		v.Observe(at.Add(-time.Second), 0)
		if i%50 == 49 { // a stamp that came late
			v.Observe(at.Add(hertz(60)/2), 0)
		}
	}
	if off := math.Abs(v.Period()/float64(hertz(60)) - 1); off > 1e-3 || !v.Known() {
		t.Errorf("off by %.3f %%, known %v", off*100, v.Known())
	}
	if v.Outliers() == 0 {
		t.Error("late stamps were not noticed")
	}
}

func TestVsyncWithoutDisplay(t *testing.T) {
	var v Vsync
	v.Reset(0)
	for i := range 100 {
		v.Observe(start.Add(time.Duration(i)*hertz(60)), 0)
	}
	if v.Known() || v.Period() != 0 {
		t.Error("a display without refreshes has some")
	}
}

func TestVsyncAllocatesNothing(t *testing.T) {
	var v Vsync
	v.Reset(hertz(60))
	now := start
	if n := testing.AllocsPerRun(1000, func() { now = now.Add(hertz(60)); v.Observe(now, 0) }); n != 0 {
		t.Errorf("%v allocations a stamp", n)
	}
}
