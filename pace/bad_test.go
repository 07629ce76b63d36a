package pace

import (
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

// What can go wrong around a file: each case plays a minute of 60 fps, is disturbed at ten
// seconds, and has a second to be as before.
func TestBadInput(t *testing.T) {
	even := ptsAt(60)
	from := func(n int, f func(i int) time.Duration) func(int) time.Duration {
		return func(i int) time.Duration {
			if i > n {
				return f(i)
			}
			return even(i)
		}
	}
	stalled := func(free bool) Simulation {
		return Simulation{Free: free, Ready: func(i int) media.Instant {
			// Decoded at twice the speed after 3 s of nothing.
			at := start.Add(even(i) - 100*time.Millisecond)
			if i >= 600 {
				at = max(at, start.Add(13*time.Second+even(i-600)/2))
			}
			return at
		}}
	}
	for _, c := range []struct {
		name     string
		sim      Simulation
		nominal  float64 // what the display says it is
		hz       float64
		end      time.Duration // when all must be as before; 0: 11 s
		reanchor bool
		drops    int // at most
	}{
		{name: "nothing", sim: Simulation{Free: true}},
		{name: "timestamps repeat", sim: Simulation{Free: true, PTS: from(600, func(i int) time.Duration { return even(i - i%2) })}, drops: 1600},
		{name: "timestamps go back by one", sim: Simulation{Free: true, PTS: from(600, func(i int) time.Duration {
			if i%10 == 0 {
				return even(i - 2)
			}
			return even(i)
		})}, drops: 400},
		{name: "timestamps go back by 5 s", sim: Simulation{Free: true, PTS: from(600, func(i int) time.Duration { return even(i) - 5*time.Second })}, reanchor: true},
		{name: "timestamps go back by 5 s, with sound", sim: Simulation{PTS: from(600, func(i int) time.Duration { return even(i) - 5*time.Second })},
			drops: 305, end: 12 * time.Second},
		{name: "decoder stalls for 3 s", sim: stalled(true), end: 14 * time.Second, reanchor: true},
		{name: "decoder stalls for 3 s, with sound", sim: stalled(false), end: 17 * time.Second, drops: 370}, // twice as fast catches up 3 s in 3 s
		{name: "we sleep for an hour", sim: Simulation{Free: true, Oversleep: func(i int) time.Duration {
			if i == 600 {
				return time.Hour
			}
			return 0
		}}, end: time.Hour + 11*time.Second, reanchor: true},
		{name: "display says 60 Hz and is 50", sim: Simulation{Free: true}, nominal: 60, hz: 50, drops: 620},
		{name: "display says 60 Hz and is 75", sim: Simulation{Free: true}, nominal: 60, hz: 75, drops: 5},
		{name: "display says 59 Hz and is 60", sim: Simulation{Free: true}, nominal: 59, hz: 60},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.hz == 0 {
				c.hz = 60
			}
			if c.end == 0 {
				c.end = 11 * time.Second
			}
			p, err := New(Config{})
			if err != nil {
				t.Fatal(err)
			}
			s := c.sim
			s.Display = &Simulated{Period: hertz(c.hz), Jitter: vsyncJitter, Seed: 11}
			s.Display.Start(start)
			nominal := time.Duration(0)
			if c.nominal > 0 {
				nominal = hertz(c.nominal)
			}
			p.SetDisplay(s.Display.Display(nominal))
			s.Start, s.Frames = start, 3600
			if s.PTS == nil {
				s.PTS = even
			}
			late, shown, dropped := 0, 0, 0
			longest := time.Duration(0)
			var last media.Instant
			s.Each = func(f *Fate) {
				if f.Reason != media.DropNone {
					dropped++
					return
				}
				if last != 0 && f.Frame > 60 {
					longest = max(longest, f.Actual.Sub(last))
				}
				last = f.Actual
				if f.Actual.Sub(start) < c.end {
					return
				}
				shown++
				if f.Actual.Sub(f.Due).Abs() > hertz(c.hz)*7/10+vsyncJitter {
					late++
				}
			}
			s.Run(p)
			if late > shown/5 || late > 0 && c.drops == 0 {
				t.Errorf("%d of %d frames late after the disturbance", late, shown)
			}
			if dropped > c.drops+1 {
				t.Errorf("%d dropped, want %d at most: %v", dropped, c.drops, p.Stats().Drops)
			}
			if got := p.Stats().Reanchored > 0; got != c.reanchor {
				t.Errorf("time started anew %d times", p.Stats().Reanchored)
			}
			if p.Stats().Reanchored > 3 {
				t.Errorf("time started anew %d times", p.Stats().Reanchored)
			}
			if longest > 4100*time.Millisecond && c.end < time.Hour {
				t.Errorf("a picture stood for %v", longest)
			}
			// Where two frames of three share a refresh by their timestamps, one of them shows.
			if shown < 400 {
				t.Errorf("only %d shown after it", shown)
			}
		})
	}
}

// TestHidden hides the window for ten seconds: frames are dropped for that reason, one a
// second finds out, and when it shows again nothing is behind.
func TestHidden(t *testing.T) {
	for _, cfg := range []Config{{}, {Live: true, Policy: PolicyBalanced}, {Live: true, Policy: PolicyFreshest}} {
		p := newPacer(t, cfg, hertz(60))
		now := start
		shown, dropped := 0, 0
		for i := range 1200 {
			due := start.Add(ptsAt(60)(i))
			switch i {
			case 300:
				p.SetHidden(true)
			case 900:
				p.SetHidden(false)
			}
			for done := false; !done; {
				d := p.Decide(now, Candidate{Due: due, Media: ptsAt(60)(i), Duration: hertz(60), Received: due, Ready: due})
				switch d.Action {
				case Wait:
					if d.Until <= now {
						t.Fatalf("waiting does not move on at %d", i)
					}
					now = d.Until
				case Drop:
					now, done = max(now, due), true
					if i >= 300 && i < 900 {
						dropped++
						if d.Reason != media.DropHidden {
							t.Fatalf("frame %d dropped for %v", i, d.Reason)
						}
					} else {
						t.Errorf("frame %d dropped for %v", i, d.Reason)
					}
				case Show:
					now, done = max(now, due), true
					p.Showing(now)
					if i >= 300 && i < 900 {
						shown++
					} else {
						p.Observe(&media.Presented{Actual: d.Target, Target: d.Target, Refresh: hertz(60)})
					}
				}
			}
		}
		if shown < 8 || shown > 12 || shown+dropped != 600 {
			t.Errorf("%+v: %d shown and %d dropped while hidden for 10 s", cfg, shown, dropped)
		}
		if n := p.Stats().Drops[media.DropHidden]; n != int64(dropped) {
			t.Errorf("%d counted as hidden, %d were", n, dropped)
		}
	}
}

// TestBlocked has a display that takes nothing: every frame is dropped when its time has come,
// never sooner, and the next one shows when it takes them again.
func TestBlocked(t *testing.T) {
	for _, cfg := range []Config{{}, {Live: true, Policy: PolicyBalanced}, {Live: true, Policy: PolicyFreshest}} {
		p := newPacer(t, cfg, hertz(60))
		p.SetBlocked(true)
		now := start
		for i := range 400 {
			due := start.Add(ptsAt(60)(i))
			if i == 300 {
				p.SetBlocked(false)
			}
			c := Candidate{Due: due, Media: ptsAt(60)(i), Duration: hertz(60), Received: due, Ready: due, Free: true}
			d := p.Decide(now, c)
			if d.Action == Wait {
				now = d.Until
				d = p.Decide(now, c)
			}
			if want := i >= 300; want != (d.Action == Show) || !want && d.Reason != media.DropHidden {
				t.Fatalf("%+v: frame %d: %v, %v", cfg, i, d.Action, d.Reason)
			}
			if d.Action == Show {
				p.Showing(now)
				p.Observe(&media.Presented{Actual: d.Target, Target: d.Target, Refresh: hertz(60)})
			}
			now = max(now, due)
		}
	}
}

// TestDisplayChanges moves playback from 60 Hz to nothing at all, to a variable refresh, to
// 144 Hz and back: no decision hangs, and each display gets its due.
func TestDisplayChanges(t *testing.T) {
	p := newPacer(t, Config{}, hertz(60))
	displays := []*Simulated{
		{Period: hertz(60), Jitter: vsyncJitter}, {}, {VRRMin: hertz(144), VRRMax: hertz(48)},
		{Period: hertz(144), Jitter: vsyncJitter}, {Period: hertz(60), Jitter: vsyncJitter},
	}
	now := start
	for k, d := range displays {
		d.Start(now)
		p.SetDisplay(d.Display(0))
		late := 0
		sim := Simulation{Display: d, Start: now, Frames: 600, PTS: ptsAt(60), Free: true, Each: func(f *Fate) {
			if f.Frame > 30 && (f.Reason != media.DropNone || f.Actual.Sub(f.Due) > max(d.Period*7/10, time.Millisecond)+vsyncJitter) {
				late++
			}
			now = max(now, f.Actual)
		}}
		sim.Run(p)
		if late > 0 {
			t.Errorf("display %d: %d frames late", k, late)
		}
	}
}

// TestClockGoesBack gives decisions a clock that is wrong now and then: none may wait for
// the past.
func TestClockGoesBack(t *testing.T) {
	p := newPacer(t, Config{}, hertz(60))
	now := start
	for i := range 1000 {
		due := start.Add(ptsAt(60)(i))
		at := now
		if i%7 == 0 {
			at = now.Add(-time.Hour)
		}
		for steps := 0; ; steps++ {
			d := p.Decide(at, Candidate{Due: due, Media: ptsAt(60)(i), Duration: hertz(60)})
			if d.Action != Wait {
				break
			}
			if d.Until <= at || steps > 2 {
				t.Fatalf("frame %d: wait from %d to %d, step %d", i, at, d.Until, steps)
			}
			at = d.Until
			now = max(now, at)
		}
		p.Showing(now)
		p.Observe(&media.Presented{Actual: now, Target: now, Refresh: hertz(60)})
	}
}

// TestSilentDisplay reports nothing about any frame: playback goes on by the clock.
func TestSilentDisplay(t *testing.T) {
	p := newPacer(t, Config{}, hertz(60))
	now := start
	for i := range 1000 {
		d := p.Decide(now, Candidate{Due: start.Add(ptsAt(60)(i)), Duration: hertz(60)})
		if d.Action == Wait {
			now = d.Until
			d = p.Decide(now, Candidate{Due: start.Add(ptsAt(60)(i)), Duration: hertz(60)})
		}
		if d.Action != Show {
			t.Fatalf("frame %d: %v", i, d.Action)
		}
		p.Showing(now)
	}
}

// TestMatchedSpeedStays plays with sound for an hour of simulated time and lets the display
// change its mind: the speed is never off by more than is allowed.
func TestMatchedSpeedStays(t *testing.T) {
	p := newPacer(t, Config{Sound: true, FrameInterval: hertz(60)}, hertz(60))
	for _, hz := range []float64{60, 59.94, 60.06, 60.1, 50} {
		d := &Simulated{Period: hertz(hz), Jitter: vsyncJitter, Seed: 3}
		d.Start(start)
		sim := Simulation{Display: d, Start: start, Frames: 60 * 60, PTS: ptsAt(60), SpeedDelay: 300 * time.Millisecond, Each: func(*Fate) {
			if s := p.Speed(); s < 1-MaxSoundSpeed || s > 1+MaxSoundSpeed {
				t.Fatalf("%v Hz: speed %v", hz, s)
			}
		}}
		p.now, p.target, p.last = 0, 0, shownAt{}
		p.SetDisplay(d.Display(hertz(60)))
		sim.Run(p)
		want := hz / 60
		if want < 1-MaxSoundSpeed || want > 1+MaxSoundSpeed {
			want = 1
		}
		if s := p.Speed(); (s-want) > 50e-6 || (want-s) > 50e-6 {
			t.Errorf("%v Hz: speed %.6f, want %.6f", hz, s, want)
		}
	}
}
