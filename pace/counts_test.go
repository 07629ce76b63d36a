package pace

import (
	"math"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

// presented reports a frame that was wanted at target and appeared late.
func presented(target media.Instant, late time.Duration) *media.Presented {
	return &media.Presented{Target: target, Actual: target.Add(late), Refresh: hertz(60), Source: media.PresentSimulated}
}

// TestLateIsCounted: a frame is late by more than half a refresh, and only one that was
// wanted at a time and has appeared.
func TestLateIsCounted(t *testing.T) {
	p := newPacer(t, Config{}, hertz(60))
	for i, late := range []time.Duration{0, hertz(60) * 2 / 5, hertz(60) * 3 / 5, 2 * hertz(60)} {
		p.Observe(presented(start.Add(time.Duration(i)*time.Second), late))
	}
	at := start.Add(time.Minute)
	p.Observe(&media.Presented{Actual: at, Refresh: hertz(60)})
	p.Observe(&media.Presented{Target: at, Refresh: hertz(60)})
	if s := p.Stats(); s.Late != 2 {
		t.Errorf("%d late, want 2", s.Late)
	}
}

// TestMistimedNotAcrossReset: between two frames with a pause or a seek between them a
// picture has stayed as long as it liked.
func TestMistimedNotAcrossReset(t *testing.T) {
	for _, reset := range []bool{false, true} {
		p := newPacer(t, Config{}, hertz(60))
		now := start
		var pending []*media.Presented
		report := func(keep int) {
			for ; len(pending) > keep; pending = pending[1:] {
				p.Observe(pending[0])
			}
		}
		show := func(due media.Instant) {
			for {
				d := p.Decide(now, Candidate{Due: due, Media: due.Sub(start), Duration: hertz(60)})
				if d.Action == Show {
					p.Showing(now)
					late := max(now.Sub(d.Target), 0)
					pending = append(pending, presented(d.Target, late))
					report(1) // one is on its way
					now = d.Target.Add(late)
					return
				}
				now = d.Until
			}
		}
		for i := range 30 {
			show(start.Add(time.Duration(i+1) * hertz(60)))
		}
		now = now.Add(time.Second) // longer than the next frame's moment says
		if reset {
			p.Reset()
		}
		show(start.Add(31 * hertz(60)))
		report(0)
		if s, want := p.Stats(), map[bool]int64{false: 1, true: 0}[reset]; s.Mistimed != want {
			t.Errorf("reset %v: %d frames mistimed, want %d", reset, s.Mistimed, want)
		}
	}
}

// TestLeadIsBounded: however long drawing takes, a frame is handed over three and a half
// refreshes ahead at most.
func TestLeadIsBounded(t *testing.T) {
	p := newPacer(t, Config{}, hertz(60))
	for i := range 20 * adaptFrames {
		p.Observe(presented(start.Add(time.Duration(i)*hertz(60)), 10*hertz(60)))
	}
	if l, want := p.Lead(), hertz(60)/2+maxExtra*hertz(60); (l - want).Abs() > time.Microsecond {
		t.Errorf("a lead of %v, want %v", l, want)
	}
}

// TestVariableGuard: frames that had to wait for the display widen the guard to its bound,
// others narrow it again.
func TestVariableGuard(t *testing.T) {
	p := newPacer(t, Config{}, 0)
	p.SetDisplay(media.Display{Refresh: hertz(144), Slowest: hertz(48), Source: media.PresentSimulated})
	at := start
	observe := func(n int, late time.Duration) time.Duration {
		for range n {
			at = at.Add(hertz(60))
			p.Observe(presented(at, late))
		}
		return p.vrr.guard
	}
	if g := observe(1, time.Millisecond); g != minGuard+guardStep {
		t.Errorf("%v after a frame that waited, want %v", g, minGuard+guardStep)
	}
	if g := observe(20, time.Millisecond); g != maxGuard {
		t.Errorf("%v after many, want %v", g, maxGuard)
	}
	if g := observe(16, 0); g != maxGuard-guardStep/16*16 {
		t.Errorf("%v after 16 in time", g)
	}
	if g := observe(200, 0); g != minGuard {
		t.Errorf("%v after many in time, want %v", g, minGuard)
	}
}

// TestReserveByPolicy: what each policy keeps at least, and what it allows when nothing is
// said.
func TestReserveByPolicy(t *testing.T) {
	for _, c := range []struct {
		policy         Policy
		reserve, limit time.Duration
	}{{PolicySmooth, smoothReserve, 2 * time.Second}, {PolicyBalanced, leastReserve, 250 * time.Millisecond}, {PolicyFreshest, leastReserve, 100 * time.Millisecond}} {
		p := newPacer(t, Config{Live: true, Policy: c.policy}, hertz(60))
		if d, m := p.Stats().Delay, p.Config().MaxLatency; d != c.reserve || m != c.limit {
			t.Errorf("%v: a reserve of %v and a limit of %v, want %v and %v", c.policy, d, m, c.reserve, c.limit)
		}
	}
}

// TestFreshestWithoutRefreshes: where refreshes are not known, one frame goes when ten in a
// row have waited for the display.
func TestFreshestWithoutRefreshes(t *testing.T) {
	for _, c := range []struct {
		name   string
		waited time.Duration
		drops  int
	}{{"at once", time.Millisecond, 0}, {"late", 3 * time.Millisecond, 5}} {
		p := newPacer(t, Config{Live: true, Policy: PolicyFreshest}, 0)
		drops := 0
		for i := range 5 * (waitedFrames + 1) {
			now := start.Add(time.Duration(i) * hertz(60))
			switch d := p.Decide(now, Candidate{Due: now, Received: now.Add(-c.waited), Ready: now.Add(-c.waited)}); {
			case d.Action == Show:
				p.Showing(now)
			case d.Action == Drop && d.Reason == media.DropOutpaced:
				drops++
			default:
				t.Fatalf("%s: %+v", c.name, d)
			}
		}
		if drops != c.drops {
			t.Errorf("%s: %d dropped, want %d", c.name, drops, c.drops)
		}
	}
}

// TestSpeedLimits: without sound the rate may be off by a percent, with sound by an eighth of
// a percent.
func TestSpeedLimits(t *testing.T) {
	for _, c := range []struct {
		fps, hz float64
		sound   bool
		want    float64
	}{
		{59.5, 60, false, 60 / 59.5}, {59.5, 60, true, 1}, {59, 60, false, 1},
		{60.5, 60, false, 60 / 60.5}, {24, 60.06, false, 60.06 / 60}, {24, 60.06, true, 60.06 / 60}, {24, 60.9, false, 1},
	} {
		_, p := pair(t, c.fps, c.hz, Config{Sound: c.sound}, &Simulated{Period: hertz(c.hz)})
		if s := p.Speed(); math.Abs(s-c.want) > 100e-6 {
			t.Errorf("%v on %v Hz, sound %v: speed %.6f, want %.6f", c.fps, c.hz, c.sound, s, c.want)
		}
	}
}

// TestSpeedOfHalves: frames that stay two and three refreshes in turns are a quarter of one
// before and behind their refreshes, whatever they began with.
func TestSpeedOfHalves(t *testing.T) {
	for phase := range 8 {
		p := newPacer(t, Config{}, hertz(60))
		d := &Simulated{Period: hertz(60)}
		d.Start(start.Add(time.Duration(phase) * hertz(60) / 8))
		worst := time.Duration(0)
		sim := Simulation{Display: d, Start: start, Frames: 24 * 60, PTS: ptsAt(24), Each: func(f *Fate) {
			if f.Frame > 24*30 {
				worst = max(worst, f.Actual.Sub(f.Due).Abs())
			}
		}}
		sim.Run(p)
		if limit := hertz(60) * 30 / 100; worst > limit {
			t.Errorf("phase %d/8: a frame is %v from its moment after half a minute, want %v at most", phase, worst, limit)
		}
	}
}
