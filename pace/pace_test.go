package pace

import (
	"math/rand/v2"
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
	p.SetDisplay(media.Display{Refresh: refresh, Throttled: refresh > 0, Source: media.PresentSimulated})
	return p
}

// fakeDisplay is a screen in FIFO mode: a frame appears at the first refresh after it is
// drawn, each refresh takes one frame, and one may wait.
type fakeDisplay struct {
	period, gpu time.Duration
	start, last media.Instant
}

func (d *fakeDisplay) present(now media.Instant) media.Instant {
	done := now.Add(d.gpu)
	n := (done.Sub(d.start) + d.period - 1) / d.period
	v := d.start.Add(n * d.period)
	if d.last != 0 {
		v = max(v, d.last.Add(d.period))
	}
	d.last = v
	return v
}

// timeline is a made-up playback.
type timeline struct {
	before         []media.Presented // on their way already
	display        *fakeDisplay      // nil for a new one
	frames         int
	frame, refresh time.Duration
	gpu            time.Duration             // time to draw a frame
	jitter         func(i int) time.Duration // of the wake-up for frame i
	ready          func(i int) media.Instant // when frame i is decoded
	phase          time.Duration             // of the media against the refreshes
}

const start = media.Instant(1e9)

// play runs the timeline and returns what was presented.
func (l timeline) play(t *testing.T, p *Pacer) []media.Presented {
	t.Helper()
	d := l.display
	if d == nil {
		d = &fakeDisplay{period: l.refresh, gpu: l.gpu, start: start}
	}
	due := func(i int) media.Instant {
		return start.Add(100*time.Millisecond + l.phase + time.Duration(i)*l.frame)
	}
	now := start
	var out []media.Presented
	pending := l.before
	for i := 0; i < l.frames; {
		now = max(now, l.ready(i), d.last.Add(-l.refresh)) // Begin: one may wait
		for len(pending) > 0 && pending[0].Actual <= now {
			p.Observe(&pending[0])
			pending = pending[1:]
		}
		c := Candidate{Due: due(i), Duration: l.frame}
		if i+1 < l.frames && l.ready(i+1) <= now {
			c.HasNext, c.NextDue = true, due(i+1)
		}
		switch dec := p.Decide(now, c); dec.Action {
		case Wait:
			if dec.Until <= now {
				t.Fatalf("frame %d: wait until %d at %d does not move on", i, dec.Until, now)
			}
			now = dec.Until
			if l.jitter != nil {
				now = now.Add(l.jitter(i))
			}
		case Drop:
			i++
		case Show:
			p.Showing(now)
			f := media.Presented{Number: uint64(i), Target: dec.Target, Actual: d.present(now), Refresh: l.refresh}
			pending = append(pending, f)
			out = append(out, f)
			i++
		}
	}
	return out
}

func immediately(int) media.Instant { return 0 }

// TestSteadyRates plays at every phase against the refreshes, with wake-ups that jitter:
// every frame shows, and none further from its moment than a refresh allows.
func TestSteadyRates(t *testing.T) {
	for _, r := range []struct{ fps, hz float64 }{{24, 60}, {25, 50}, {30, 60}, {50, 50}, {60, 60}, {60, 120}, {120, 120}, {23.976, 59.94}, {30, 144}} {
		for phase := range 10 {
			frame, refresh := time.Duration(1e9/r.fps), time.Duration(1e9/r.hz)
			rnd := rand.New(rand.NewPCG(1, uint64(phase)))
			p := newPacer(t, Config{}, refresh)
			got := timeline{frames: 1000, frame: frame, refresh: refresh, ready: immediately, phase: refresh * time.Duration(phase) / 10,
				jitter: func(int) time.Duration { return time.Duration(rnd.IntN(int(refresh / 5))) }}.play(t, p)
			if s := p.Stats(); s.Dropped > 1 || s.Shown+s.Dropped != 1000 || s.Late > 1 { // before the phase is known
				t.Errorf("%v on %v Hz, phase %d: %+v", r.fps, r.hz, phase, s)
			}
			for i := 1; i < len(got); i++ {
				moment := start.Add(100*time.Millisecond + refresh*time.Duration(phase)/10 + time.Duration(i)*frame)
				if off := got[i].Actual.Sub(moment).Abs(); off > refresh*7/10 {
					t.Errorf("%v on %v Hz, phase %d: frame %d is %v from its moment, a refresh is %v", r.fps, r.hz, phase, i, off, refresh)
					break
				}
			}
			if r.fps == r.hz {
				for i := 2; i < len(got); i++ {
					if d := got[i].Actual.Sub(got[i-1].Actual); (d - refresh).Abs() > time.Microsecond {
						t.Errorf("%v on %v Hz, phase %d: frame %d stayed %v", r.fps, r.hz, phase, i, d)
						break
					}
				}
			}
		}
	}
}

// TestSlowGPU needs longer to draw than half a refresh: the lead grows until frames
// appear at their moment.
func TestSlowGPU(t *testing.T) {
	const frame, refresh = time.Second / 30, time.Second / 60
	p := newPacer(t, Config{}, refresh)
	got := timeline{frames: 600, frame: frame, refresh: refresh, gpu: 20 * time.Millisecond, ready: immediately}.play(t, p)
	for _, f := range got[300:] {
		if off := f.Actual.Sub(f.Target); off.Abs() > refresh/2 {
			t.Fatalf("frame %d appears %v from its refresh", f.Number, off)
		}
	}
}

// TestStallDropsAndRecovers stops the decoder for a second: what has had its time by
// then is dropped, one frame shows, and lag does not remain.
func TestStallDropsAndRecovers(t *testing.T) {
	const frame, refresh = time.Second / 60, time.Second / 60
	p := newPacer(t, Config{}, refresh)
	resume := start.Add(3 * time.Second)
	got := timeline{frames: 600, frame: frame, refresh: refresh, ready: func(i int) media.Instant {
		if i >= 100 {
			return resume
		}
		return 0
	}}.play(t, p)
	s := p.Stats()
	if s.Dropped < 55 || s.Dropped > 85 {
		t.Errorf("dropped %d frames for a stall of about 74", s.Dropped)
	}
	last := got[len(got)-1]
	if lag := last.Actual.Sub(last.Target); lag > refresh {
		t.Errorf("lag of %v stays after the stall", lag)
	}
	if s.Repeated < 55 {
		t.Errorf("repeated %d refreshes, the screen stood for about 74", s.Repeated)
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
	got := timeline{frames: 600, frame: frame, refresh: refresh, ready: func(i int) media.Instant {
		return start.Add(time.Duration(i) * 3 * frame)
	}}.play(t, p)
	for i := 1; i < len(got); i++ {
		if gap := got[i].Actual.Sub(got[i-1].Actual); gap > time.Second+3*frame+refresh {
			t.Errorf("nothing shown for %v", gap)
		}
	}
	if len(got) < 30 {
		t.Errorf("%d frames shown in 30 s", len(got))
	}
}

// TestStandingQueue starts with two frames at once, as a jump of the clock does: the frame
// that then waits behind another for ever is dropped, and the lag with it.
func TestStandingQueue(t *testing.T) {
	const refresh = time.Second / 120
	p := newPacer(t, Config{}, refresh)
	d := &fakeDisplay{period: refresh, start: start}
	now := start
	var before []media.Presented
	for range 2 {
		p.Showing(now)
		f := media.Presented{Actual: d.present(now), Refresh: refresh}
		before = append(before, f)
	}
	got := timeline{before: before, display: d, frames: 300, frame: refresh, refresh: refresh, ready: immediately, phase: -95 * time.Millisecond}.play(t, p)
	last := got[len(got)-1]
	if lag := last.Actual.Sub(last.Target); lag > refresh/2 {
		t.Errorf("lag of %v stays", lag)
	}
	if s := p.Stats(); s.Dropped > 3 {
		t.Errorf("dropped %d frames to work off a lag of one or two", s.Dropped)
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
