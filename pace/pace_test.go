package pace

import (
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

func newPacer(t *testing.T, cfg Config, refresh time.Duration) *Pacer {
	t.Helper()
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.SetDisplay(media.Display{Refresh: refresh, Throttled: refresh > 0})
	return p
}

// display is a fake screen: a frame becomes visible at the first refresh at or after
// both its submission and its target less half a refresh.
type display struct {
	period time.Duration
	next   media.Instant
}

func (d *display) present(now, target media.Instant) media.Instant {
	v := d.next
	for v < now || v < target.Add(-d.period/2) {
		v = v.Add(d.period)
	}
	d.next = v.Add(d.period)
	return v
}

// run plays n frames of the given period on a display, decoding frame i as soon as
// ready(i), and returns the pacer and what was presented.
func run(t *testing.T, p *Pacer, n int, frame, refresh time.Duration, ready func(i int) media.Instant) []media.Presented {
	t.Helper()
	const start = media.Instant(1e9)
	d := &display{refresh, start}
	due := func(i int) media.Instant { return start.Add(time.Duration(i) * frame).Add(50 * time.Millisecond) }
	now := start
	var out []media.Presented
	for i := 0; i < n; {
		now = max(now, ready(i))
		c := Candidate{Due: due(i), Duration: frame}
		if i+1 < n && ready(i+1) <= now {
			c.HasNext, c.NextDue = true, due(i+1)
		}
		switch dec := p.Decide(now, c); dec.Action {
		case Wait:
			if dec.Until <= now {
				t.Fatalf("frame %d: wait until %d at %d does not move on", i, dec.Until, now)
			}
			now = dec.Until
		case Drop:
			i++
		case Show:
			at := d.present(now, dec.Target)
			p.Showing(now)
			f := media.Presented{Number: uint64(i), Target: dec.Target, Actual: at, Refresh: refresh}
			p.Observe(&f)
			out = append(out, f)
			now = max(now, at.Add(-refresh))
			i++
		}
	}
	return out
}

func immediately(int) media.Instant { return 0 }

func TestSteadyRatesShowEveryFrame(t *testing.T) {
	for _, r := range []struct{ fps, hz float64 }{{24, 60}, {25, 50}, {30, 60}, {50, 50}, {60, 60}, {60, 120}, {120, 120}, {23.976, 59.94}, {30, 144}} {
		frame, refresh := time.Duration(1e9/r.fps), time.Duration(1e9/r.hz)
		p := newPacer(t, Config{}, refresh)
		got := run(t, p, 2000, frame, refresh, immediately)
		if len(got) != 2000 {
			t.Errorf("%v on %v Hz: %d of 2000 frames shown", r.fps, r.hz, len(got))
		}
		if s := p.Stats(); s.Dropped != 0 || s.Shown != 2000 {
			t.Errorf("%v on %v Hz: %+v", r.fps, r.hz, s)
		}
		for i := 1; i < len(got); i++ {
			if off := got[i].Actual.Sub(got[i].Target).Abs(); off > refresh/2+time.Microsecond {
				t.Errorf("%v on %v Hz: frame %d is %v from its moment", r.fps, r.hz, i, off)
				break
			}
		}
	}
}

// TestStallDropsAndRecovers stops the decoder for a second: what has had its time by
// then is dropped, one frame shows, and lag does not remain.
func TestStallDropsAndRecovers(t *testing.T) {
	const frame, refresh = time.Second / 60, time.Second / 60
	p := newPacer(t, Config{}, refresh)
	resume := media.Instant(1e9).Add(3 * time.Second)
	got := run(t, p, 600, frame, refresh, func(i int) media.Instant {
		if i >= 100 {
			return resume
		}
		return 0
	})
	s := p.Stats()
	if s.Dropped < 55 || s.Dropped > 85 {
		t.Errorf("dropped %d frames for a stall of about 66", s.Dropped)
	}
	last := got[len(got)-1]
	if lag := last.Actual.Sub(last.Target); lag > refresh {
		t.Errorf("lag of %v stays after the stall", lag)
	}
	if s.Repeated < 55 {
		t.Errorf("repeated %d refreshes, the screen stood for about 66", s.Repeated)
	}
	if s.Shown+s.Dropped != 600 {
		t.Errorf("%d shown + %d dropped, 600 decoded", s.Shown, s.Dropped)
	}
}

// TestSlowMachineStillShows decodes at a third of the rate: every frame is late, and yet
// at least one a second is seen.
func TestSlowMachineStillShows(t *testing.T) {
	const frame, refresh = time.Second / 60, time.Second / 60
	p := newPacer(t, Config{}, refresh)
	got := run(t, p, 600, frame, refresh, func(i int) media.Instant {
		return media.Instant(1e9).Add(time.Duration(i) * 3 * frame)
	})
	for i := 1; i < len(got); i++ {
		if gap := got[i].Actual.Sub(got[i-1].Actual); gap > time.Second+3*frame+refresh {
			t.Errorf("nothing shown for %v", gap)
		}
	}
	if len(got) < 30 {
		t.Errorf("%d frames shown in 30 s", len(got))
	}
}

func TestUnpacedShowsAll(t *testing.T) {
	p := newPacer(t, Config{Unpaced: true}, 0)
	for i := range 100 {
		if d := p.Decide(media.Instant(i), Candidate{Due: 1 << 60}); d.Action != Show {
			t.Fatalf("got %v", d.Action)
		}
	}
}

func TestBadConfig(t *testing.T) {
	if _, err := New(Config{Lead: -1}); err == nil {
		t.Error("negative lead was taken")
	}
}

func TestDecideAllocatesNothing(t *testing.T) {
	p := newPacer(t, Config{}, time.Second/120)
	var now media.Instant = 1e9
	f := media.Presented{Refresh: time.Second / 120}
	if n := testing.AllocsPerRun(1000, func() {
		p.Decide(now, Candidate{Due: now})
		p.Showing(now)
		f.Target, f.Actual = now, now
		p.Observe(&f)
		now += 8_333_333
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
