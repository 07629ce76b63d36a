package pace

import (
	"math"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

// TestRates5994On60 and its like are what players are known to get wrong: a repeat every 17 s
// or a drop, a cadence that falls apart around it, or a lag that grows. With the display's
// rate played, there is nothing to see.
func TestRates5994On60(t *testing.T) {
	for _, sound := range []bool{false, true} {
		w, p := pair(t, 60000.0/1001, 60, Config{Sound: sound}, &Simulated{Period: hertz(60), Jitter: vsyncJitter, Seed: 2})
		if w.dropped > 0 || w.longs > 0 {
			t.Errorf("sound %v: %d dropped, %d stayed twice as long", sound, w.dropped, w.longs)
		}
		if s := p.Speed(); math.Abs(s-1.001) > 20e-6 {
			t.Errorf("sound %v: speed %v, want 1.001", sound, s)
		}
	}
}

func TestRates60On5994(t *testing.T) {
	for _, sound := range []bool{false, true} {
		hz := 60000.0 / 1001
		w, p := pair(t, 60, hz, Config{Sound: sound}, &Simulated{Period: hertz(hz), Jitter: vsyncJitter, Seed: 3})
		if w.dropped > 0 || w.longs > 0 {
			t.Errorf("sound %v: %d dropped, %d stayed twice as long", sound, w.dropped, w.longs)
		}
		if s := p.Speed(); math.Abs(s-1/1.001) > 20e-6 {
			t.Errorf("sound %v: speed %v, want 0.999", sound, s)
		}
	}
}

// TestRatesHalves plays a frame every 1.5 and 2.5 refreshes with sound: what stays for one refresh
// more in turns is no reason to change the speed, and the pitch, in turns.
func TestRatesHalves(t *testing.T) {
	for _, c := range []struct{ fps, hz float64 }{{24, 60}, {24000.0 / 1001, 60}, {50, 75}, {60, 150.05}} {
		p := newPacer(t, Config{Sound: true}, hertz(c.hz))
		d := &Simulated{Period: hertz(c.hz)}
		d.Start(start)
		low, high := math.Inf(1), 0.0
		sim := Simulation{Display: d, Start: start, Frames: int(60 * c.fps), PTS: ptsAt(c.fps), Each: func(f *Fate) {
			if f.PTS > 2*settle {
				low, high = min(low, p.Speed()), max(high, p.Speed())
			}
		}}
		sim.Run(p)
		if ppm := (high - low) * 1e6; ppm > 5 || !p.speed.matched {
			t.Errorf("%.5g on %.5g: speeds from %.6f to %.6f, %.1f ppm apart", c.fps, c.hz, low, high, ppm)
		}
	}
}

// TestRatesUnmatched plays 59.94 on 60 and the other way round with sound that must not
// change: what the sum forces is repeated or dropped, one frame at a time and no more.
func TestRatesUnmatched(t *testing.T) {
	for _, c := range []struct{ fps, hz float64 }{{60000.0 / 1001, 60}, {60, 60000.0 / 1001}} {
		p := newPacer(t, Config{}, hertz(c.hz))
		d := &Simulated{Period: hertz(c.hz), Jitter: vsyncJitter, Seed: 4}
		d.Start(start)
		frames := int(600 * c.fps)
		dropped, repeated, worst := 0, 0, time.Duration(0)
		var last Fate
		gap := math.MaxInt
		sim := Simulation{Display: d, Start: start, Frames: frames, PTS: ptsAt(c.fps), Each: func(f *Fate) {
			if f.Frame < 60 {
				return
			}
			if f.Reason != media.DropNone {
				dropped++
				return
			}
			worst = max(worst, f.Actual.Sub(f.Due).Abs())
			if stay := math.Round(float64(f.Actual.Sub(last.Actual)) / float64(hertz(c.hz))); last.Actual != 0 && stay > 1 {
				repeated += int(stay) - 1
				if last.Missed != 0 {
					gap = min(gap, f.Frame-last.Missed)
				}
				f.Missed = f.Frame
			} else {
				f.Missed = last.Missed
			}
			last = *f
		}}
		sim.Run(unmatched{p})
		want := int(math.Round(600 * math.Abs(c.fps-c.hz)))
		if got := dropped + repeated; got < want-2 || got > want+2 || dropped > 0 && repeated > 0 {
			t.Errorf("%.5g on %.5g: %d dropped, %d repeated, want %d of one", c.fps, c.hz, dropped, repeated, want)
		}
		if limit := time.Duration(0.6*float64(hertz(c.hz))) + vsyncJitter + 100*time.Microsecond; worst > limit {
			t.Errorf("%.5g on %.5g: a frame was %v from its moment, want %v", c.fps, c.hz, worst, limit)
		}
		if repeated > 1 && gap < 900 {
			t.Errorf("%.5g on %.5g: two repeats %d frames apart, want a thousand", c.fps, c.hz, gap)
		}
	}
}

// unmatched keeps time at its own speed.
type unmatched struct{ *Pacer }

func (unmatched) Speed() float64 { return 1 }

// TestRates116On115 plays 116 fps on a display whose shortest interval together with a guard
// would allow 115.4: spacing frames by more than they come builds a queue.
func TestRates116On115(t *testing.T) {
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	// 116.9 Hz: 8.554 ms, and 8.667 ms or 115.4 Hz with a guard.
	d := &Simulated{VRRMin: 8554 * time.Microsecond, VRRMax: hertz(48)}
	d.Start(start)
	p.SetDisplay(d.Display(0))
	queued, dropped, worst := 0, 0, time.Duration(0)
	sim := Simulation{Display: d, Start: start, Frames: 116 * 600, PTS: ptsAt(116),
		Ready: func(i int) media.Instant { return start.Add(ptsAt(116)(i) - 4*time.Millisecond) },
		Each: func(f *Fate) {
			if f.Frame < 116 {
				return
			}
			queued = max(queued, f.Queued)
			if f.Reason != media.DropNone {
				dropped++
				return
			}
			worst = max(worst, f.Actual.Sub(f.Due))
		}}
	sim.Run(p)
	if queued > 1 || dropped > 0 || worst > time.Millisecond {
		t.Errorf("%d frames waited, %d were dropped, the last was %v late", queued, dropped, worst)
	}
}

// TestRatesSourceFasterThanDisplay: see also the matrix, for all pairs. Here the frames of a
// live source come at twice and at 1.2 times the rate, and none of it becomes a queue.
func TestRatesSourceFasterThanDisplay(t *testing.T) {
	for _, fps := range []float64{72, 120} {
		for _, policy := range []Policy{PolicySmooth, PolicyBalanced, PolicyFreshest} {
			r := runLive(t, liveRun{policy: policy, fps: fps, hz: 60, seconds: 60})
			held := int(r.stats.Delay/hertz(fps)) + 1
			if policy == PolicyFreshest {
				held = 0
			}
			if r.queued > held+1 {
				t.Errorf("%v fps, %v: %d frames waited", fps, policy, r.queued)
			}
			if want := 60 * 60; r.shown < want-90 || r.shown > want+2 {
				t.Errorf("%v fps, %v: %d shown in a minute of 60 Hz", fps, policy, r.shown)
			}
			if r.lagEnd > r.lagStart+hertz(60)/2 {
				t.Errorf("%v fps, %v: lag grew from %v to %v", fps, policy, r.lagStart, r.lagEnd)
			}
		}
	}
}

// TestRatesVariableFrameRate plays frames that come unevenly: each appears at the refresh
// nearest to its moment, and nothing is played faster.
func TestRatesVariableFrameRate(t *testing.T) {
	for _, c := range []struct {
		name string
		pts  func(i int) time.Duration
	}{
		{"from 5 to 90 ms", func(i int) time.Duration {
			return time.Duration(i)*40*time.Millisecond + time.Duration(i*7919%35)*time.Millisecond
		}},
		{"a slide show", func(i int) time.Duration { return time.Duration(i) * 3 * time.Second }},
		{"24 and 60 fps in turns", func(i int) time.Duration {
			second := time.Duration(i / 84)
			if k := i % 84; k < 24 {
				return second*2*time.Second + time.Duration(k)*time.Second/24
			} else {
				return second*2*time.Second + time.Second + time.Duration(k-24)*time.Second/60
			}
		}},
		{"rounded to milliseconds", func(i int) time.Duration { return (time.Duration(i) * time.Second / 60).Round(time.Millisecond) }},
	} {
		for _, hz := range []float64{60, 120, 165, 0} {
			p := newPacer(t, Config{}, hertz(max(hz, 60)))
			d := &Simulated{Period: hertz(hz), Jitter: vsyncJitter, Seed: 9}
			bound := time.Duration(0.6*float64(hertz(max(hz, 1)))) + vsyncJitter + 600*time.Microsecond
			if hz == 0 {
				d = &Simulated{VRRMin: hertz(144), VRRMax: hertz(48)}
				p.SetDisplay(d.Display(0))
				bound = 2*hertz(144) + time.Millisecond
			}
			d.Start(start)
			shown, dropped, late := 0, 0, 0
			sim := Simulation{Display: d, Start: start, Frames: 5000, PTS: c.pts, Free: true, Each: func(f *Fate) {
				switch {
				case f.Frame < 60:
				case f.Reason != media.DropNone:
					dropped++
				case f.Actual.Sub(f.Due).Abs() > bound:
					late++
				default:
					shown++
				}
			}}
			sim.Run(p)
			// Two frames 5 ms apart cannot both be seen on 60 Hz.
			few := 0
			if hz == 60 || hz == 120 || hz == 165 || hz == 0 {
				for i := 60; i+1 < 5000; i++ {
					if c.pts(i+1)-c.pts(i) < hertz(max(hz, 60)) {
						few++
					}
				}
			}
			if late > 0 || dropped > few {
				t.Errorf("%s on %v Hz: %d of %d frames off by more than %v, %d dropped of %d that are too close", c.name, hz, late, shown+late, bound, dropped, few)
			}
			if s := p.Stats(); s.Reanchored > 0 {
				t.Errorf("%s on %v Hz: time started anew %d times", c.name, hz, s.Reanchored)
			}
		}
	}
}

// TestCadence24On60 wants 3:2 and nothing else, at every phase, with jitter: a threshold in
// the wrong place gives 3:3:2:2.
func TestCadence24On60(t *testing.T) {
	for phase := range 20 {
		p := newPacer(t, Config{}, hertz(60))
		d := &Simulated{Period: hertz(60), Jitter: vsyncJitter, Seed: uint64(phase)}
		d.Start(start.Add(time.Duration(phase) * hertz(60) / 20))
		var stays []int
		var last media.Instant
		sim := Simulation{Display: d, Start: start, Frames: 24 * 60, PTS: ptsAt(24), Each: func(f *Fate) {
			if f.Frame > 24 {
				stays = append(stays, int(math.Round(float64(f.Actual.Sub(last))/float64(hertz(60)))))
			}
			last = f.Actual
		}}
		sim.Run(unmatched{p})
		odd := 0
		for i := 1; i < len(stays); i++ {
			if stays[i]+stays[i-1] != 5 {
				odd++
			}
		}
		if odd > 2 { // where the phase drifts over a bound
			t.Errorf("phase %d: the pattern breaks %d times in a minute", phase, odd)
		}
	}
}
