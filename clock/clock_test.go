package clock

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

const (
	ms = time.Millisecond
	us = time.Microsecond
)

// device is a simulated audio device: its own crystal, jitter in its reports, and things
// that happen to it.
type device struct {
	rng    *rand.Rand
	ppm    float64
	jitter time.Duration // RMS; at most 6.75 times that, as measured
	base   time.Duration // position at the instant 0
	// Between these two it plays nothing.
	dry, wet Instant
}

func newDevice(seed uint64, ppm float64) *device {
	return &device{rng: rand.New(rand.NewPCG(seed, 1)), ppm: ppm, jitter: 37 * us, dry: math.MaxInt64, wet: math.MaxInt64}
}

// truth is what has been heard.
func (d *device) truth(at Instant) time.Duration {
	t := at
	if at > d.dry {
		t = d.dry
		if at > d.wet {
			t += at - d.wet
		}
	}
	return d.base + time.Duration(float64(t)*(1+d.ppm*1e-6))
}

func (d *device) report(at Instant) time.Duration {
	j := d.rng.NormFloat64() * float64(d.jitter)
	most := float64(d.jitter) * 6.75
	return d.truth(at) + time.Duration(max(-most, min(most, j)))
}

// follow reports every period from one instant to the other and returns the largest
// distance of clock and truth, looked at between the reports.
func follow(m *Media, d *device, from, to Instant, period time.Duration) (worst time.Duration) {
	for at := from; at < to; at = at.Add(period) {
		m.ObserveAudio(d.report(at), at)
		for _, later := range []time.Duration{0, period / 3, period - 1} {
			now := at.Add(later)
			e := m.Position(now) - d.truth(now)
			worst = max(worst, e, -e)
		}
	}
	return worst
}

const second = Instant(time.Second)

func TestFollowsJitteryDevice(t *testing.T) {
	for _, ppm := range []float64{0, 200, -200, 35} {
		for _, period := range []time.Duration{5 * ms, 10 * ms, 50 * ms} {
			for seed := range uint64(2) {
				m := NewMedia(MediaConfig{Start: 3 * time.Second}, 0)
				d := newDevice(seed, ppm)
				d.base = 3*time.Second - 20*ms // it began to play later than the clock thought
				if w := follow(m, d, 0, 1*second, period); w > 400*us {
					t.Errorf("%v ppm every %v: %v off in the first second", ppm, period, w)
				}
				if w := follow(m, d, 1*second, 30*second, period); w > 100*us {
					t.Errorf("%v ppm every %v: %v off after the first second", ppm, period, w)
				}
				a := m.Audio()
				if math.Abs(a.DriftPPM-ppm) > 10 || a.Resets+a.Stalls+a.Outliers != 0 || a.Jitter < 15*us || a.Jitter > 60*us {
					t.Errorf("%v ppm every %v: %+v", ppm, period, a)
				}
			}
		}
	}
}

func TestPrecisionAfterHours(t *testing.T) {
	m := NewMedia(MediaConfig{}, 0)
	d := newDevice(1, 200)
	follow(m, d, 0, 5*second, 10*ms)
	start := 12 * 3600 * second
	// A gap without reports, in which the drift that is not quite known adds up.
	if e := m.Position(start) - d.truth(start); e > time.Second || e < -time.Second {
		t.Errorf("%v off after 12 hours without reports", e)
	}
	follow(m, d, start, start+2*second, 10*ms)
	if w := follow(m, d, start+2*second, start+10*second, 10*ms); w > 100*us {
		t.Errorf("%v off after 12 hours", w)
	}
}

func TestStepsAreFollowed(t *testing.T) {
	for _, step := range []time.Duration{5 * ms, -5 * ms, 50 * ms, -80 * ms, 3 * time.Second} {
		m := NewMedia(MediaConfig{}, 0)
		d := newDevice(2, 50)
		follow(m, d, 0, 5*second, 10*ms)
		d.base += step
		follow(m, d, 5*second, 5*second+Instant(40*ms), 10*ms) // four reports to be sure
		if w := follow(m, d, 5*second+Instant(40*ms), 6*second, 10*ms); w > 400*us {
			t.Errorf("step %v: %v off just after it", step, w)
		}
		if w := follow(m, d, 6*second, 10*second, 10*ms); w > 100*us {
			t.Errorf("step %v: %v off a second later", step, w)
		}
		if a := m.Audio(); a.Resets != 1 || math.Abs(a.DriftPPM-50) > 10 {
			t.Errorf("step %v: %+v", step, a)
		}
	}
}

func TestAnotherTimelineIsTakenAtOnce(t *testing.T) {
	m := NewMedia(MediaConfig{}, 0)
	d := newDevice(2, 0)
	follow(m, d, 0, 1*second, 10*ms)
	m.ObserveAudio(time.Hour, second)
	if p := m.Position(second); p != time.Hour {
		t.Errorf("position %v", p)
	}
}

func TestOutliersAreIgnored(t *testing.T) {
	m := NewMedia(MediaConfig{}, 0)
	d := newDevice(3, -20)
	follow(m, d, 0, 2*second, 10*ms)
	for i := range 100 {
		from := 2*second + Instant(i)*Instant(100*ms)
		off := 20 * ms
		if i%2 == 0 {
			off = -time.Second
		}
		if m.ObserveAudio(d.truth(from)+off, from) {
			t.Fatal("an outlier was used")
		}
		if w := follow(m, d, from+Instant(10*ms), from+Instant(100*ms), 10*ms); w > 100*us {
			t.Fatalf("%v off after an outlier", w)
		}
	}
	if a := m.Audio(); a.Outliers != 100 || a.Resets != 0 {
		t.Errorf("%+v", a)
	}
}

// A device that reports in steps of its period must not drag the clock to and fro.
func TestCoarseDevice(t *testing.T) {
	for _, c := range []struct{ step, period time.Duration }{{20 * ms, 7 * ms}, {40 * ms, 5 * ms}, {85 * ms, 5 * ms}} {
		m := NewMedia(MediaConfig{}, 0)
		at := Instant(0)
		coarse := func(until Instant) (lo, hi time.Duration) {
			lo, hi = time.Hour, -time.Hour
			for ; at < until; at = at.Add(c.period) {
				m.ObserveAudio(time.Duration(at)/c.step*c.step, at)
				e := m.Position(at) - time.Duration(at)
				lo, hi = min(lo, e), max(hi, e)
			}
			return lo, hi
		}
		coarse(20 * second)
		resets := m.Audio().Resets
		lo, hi := coarse(60 * second)
		if a := m.Audio(); a.Resets != resets || resets > 10 || a.Stalls != 0 {
			t.Errorf("%v: still resetting: %d before, %+v", c, resets, a)
		}
		if hi-lo > 2*ms || lo < -c.step || hi > c.step {
			t.Errorf("%v: wanders between %v and %v", c, lo, hi)
		}
	}
}

// The first few reports say where the device is, and nothing yet about its speed.
func TestFewReportsDoNotSwingTheSlope(t *testing.T) {
	for seed := range uint64(20) {
		m := NewMedia(MediaConfig{}, 0)
		d := newDevice(seed, 0)
		follow(m, d, 0, Instant(40*ms), 10*ms)
		if e := m.Position(second) - d.truth(second); e > 200*us || e < -200*us {
			t.Errorf("seed %d: %v off a second after four reports", seed, e)
		}
	}
}

func TestUnderrun(t *testing.T) {
	for _, gap := range []time.Duration{30 * ms, 300 * ms, 5 * time.Second} {
		m := NewMedia(MediaConfig{}, 0)
		d := newDevice(4, 100)
		follow(m, d, 0, 5*second, 10*ms)
		d.dry = 5 * second
		d.wet = d.dry.Add(gap)
		if w := follow(m, d, d.dry, d.wet, 10*ms); w > 50*ms {
			t.Errorf("gap %v: ran %v ahead of what was heard", gap, w)
		}
		if a := m.Audio(); a.Stalled != (gap > stallAfter) {
			t.Errorf("gap %v: %+v", gap, a)
		}
		if _, ok := m.Instant(time.Hour); ok != (gap <= stallAfter) {
			t.Errorf("gap %v: a due time exists: %v", gap, ok)
		}
		follow(m, d, d.wet, d.wet+second/2, 10*ms)
		if w := follow(m, d, d.wet+second/2, d.wet+5*second, 10*ms); w > 150*us {
			t.Errorf("gap %v: %v off after it", gap, w)
		}
		a := m.Audio()
		want := int64(0)
		if gap > stallAfter {
			want = 1
		}
		if a.Stalls != want || a.Stalled || math.Abs(a.DriftPPM-100) > 20 {
			t.Errorf("gap %v: %+v", gap, a)
		}
	}
}

func TestPauseAndSeek(t *testing.T) {
	m := NewMedia(MediaConfig{Serial: 7}, 0)
	d := newDevice(5, 150)
	follow(m, d, 0, 10*second, 10*ms)
	m.Pause(10 * second)
	p := m.Position(10 * second)
	if m.ObserveAudio(time.Minute, 11*second) || m.Position(20*second) != p || !m.Paused() {
		t.Errorf("position %v while paused at %v", m.Position(20*second), p)
	}
	if _, ok := m.Instant(p); ok {
		t.Error("a paused clock says when")
	}
	m.Resume(20 * second)
	m.Resume(21 * second) // no effect
	if e := m.Position(21*second) - p - time.Second; e > 200*us || e < 100*us {
		t.Errorf("runs %v beside real time in a second, at 150 ppm", e)
	}
	if m.ObserveAudio(time.Minute, 19*second) {
		t.Error("used a position measured before the pause ended")
	}
	m.Seek(30*second, time.Minute, 8)
	if m.Position(30*second) != time.Minute || m.Serial() != 8 {
		t.Errorf("after seek: %v, serial %d", m.Position(30*second), m.Serial())
	}
	if m.ObserveAudio(time.Second, 29*second) {
		t.Error("used a position measured before the seek")
	}
	if !m.ObserveAudio(time.Minute-15*ms, 30*second+Instant(20*ms)) {
		t.Error("the first position after a seek was not used")
	}
	if got := m.Position(30*second + Instant(20*ms)); got != time.Minute-15*ms {
		t.Errorf("position %v", got)
	}
	m.Pause(31 * second)
	m.Seek(32*second, 0, 9)
	if m.Position(40*second) != 0 {
		t.Error("a seek while paused started the clock")
	}
}

func TestWithoutAudio(t *testing.T) {
	m := NewMedia(MediaConfig{Start: time.Second}, 5*second)
	if p := m.Position(8 * second); p != 4*time.Second {
		t.Errorf("position %v", p)
	}
	d := newDevice(6, 200)
	follow(m, d, 8*second, 18*second, 10*ms)
	p := m.Position(18 * second)
	m.LoseAudio(18 * second)
	if a := m.Audio(); a.Following || a.DriftPPM != 0 {
		t.Errorf("%+v", a)
	}
	if got := m.Position(28 * second); got != p+10*time.Second {
		t.Errorf("position %v, want %v", got, p+10*time.Second)
	}
}

func TestRates(t *testing.T) {
	for _, r := range []media.Rational{{Num: 1, Den: 1}, {Num: 2, Den: 1}, {Num: 1, Den: 3}, {Num: 1001, Den: 1000}} {
		m := NewMedia(MediaConfig{Rate: r}, 0)
		want := time.Duration(math.Round(3600e9 * r.Float()))
		if p := m.Position(3600 * second); p-want > 1 || want-p > 1 {
			t.Errorf("rate %v: %v after an hour", r, p)
		}
		m.SetRate(3600*second, media.Rational{Num: 1, Den: 1})
		m.SetRate(3600*second, media.Rational{Num: -1, Den: 1})
		if p := m.Position(3601 * second); p-want-time.Second > 1 || want+time.Second-p > 1 {
			t.Errorf("rate %v, then 1: %v", r, p)
		}
	}
}

// Instant and Position are each other's inverse, with and without correction.
func TestInstantInverts(t *testing.T) {
	for _, r := range []media.Rational{{Num: 1, Den: 1}, {Num: 3, Den: 2}} {
		m := NewMedia(MediaConfig{Rate: r, Start: time.Hour}, 100*second)
		for range 2 {
			for _, at := range []Instant{50 * second, 100 * second, 101*second + 12345, 4000 * second} {
				got, ok := m.Instant(m.Position(at))
				if d := got.Sub(at); !ok || d > us || d < -us {
					t.Errorf("rate %v: Instant(Position(%d)) is %v off", r, at, d)
				}
			}
			for i := range Instant(100) {
				at := 100*second + i*Instant(10*ms)
				m.ObserveAudio(time.Hour+time.Duration(float64(at-100*second)*r.Float()*1.0001), at)
			}
		}
	}
	m := NewMedia(MediaConfig{}, second)
	if at, ok := m.At(90_000, media.RTPVideo); !ok || at != 2*second {
		t.Errorf("At = %d, %v", at, ok)
	}
	if _, ok := m.At(media.NoTimestamp, media.RTPVideo); ok {
		t.Error("a due time for no timestamp")
	}
}

func TestNoAllocations(t *testing.T) {
	m := NewMedia(MediaConfig{}, 0)
	u := NewUnwrapper(BitsRTP)
	at := Instant(0)
	if n := testing.AllocsPerRun(1000, func() {
		at += Instant(10 * ms)
		m.ObserveAudio(time.Duration(at), at)
		m.Position(at)
		m.At(media.Timestamp(at), media.Nanoseconds)
		u.Unwrap(uint64(at))
		Now()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPosition(b *testing.B) {
	m := NewMedia(MediaConfig{}, 0)
	m.ObserveAudio(0, 0)
	at := Instant(0)
	for b.Loop() {
		at += 1000
		m.Position(at)
	}
}

func BenchmarkObserveAudio(b *testing.B) {
	m := NewMedia(MediaConfig{}, 0)
	at := Instant(0)
	for b.Loop() {
		at += Instant(10 * ms)
		m.ObserveAudio(time.Duration(at), at)
	}
}

// One goroutine observes, one asks, one pauses: for the race detector.
func TestConcurrentUse(t *testing.T) {
	m := NewMedia(MediaConfig{}, 0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for at := Instant(0); at < second; at = at.Add(ms) {
			m.ObserveAudio(time.Duration(at), at)
			if at%Instant(100*ms) == 0 {
				m.Pause(at)
				m.Resume(at)
			}
		}
	}()
	for at := Instant(0); at < second; at = at.Add(ms) {
		m.Position(at)
		m.Instant(time.Duration(at))
		m.Audio()
	}
	<-done
	if p := m.Position(2 * second); p < 1999*ms || p > 2001*ms {
		t.Errorf("position %v", p)
	}
}

// TestPauseKeepsPosition: the position does not move with Pause, with a correction or
// without.
func TestPauseKeepsPosition(t *testing.T) {
	for _, sound := range []bool{false, true} {
		m := NewMedia(MediaConfig{Start: time.Second}, 0)
		if sound {
			d := newDevice(7, 150)
			d.base = time.Second
			follow(m, d, 0, 10*second, 10*ms)
		}
		before := m.Position(10 * second)
		if before < 10*time.Second {
			t.Fatalf("sound %v: %v after 10 s", sound, before)
		}
		m.Pause(10 * second)
		m.Pause(12 * second) // no effect
		if p := m.Position(20 * second); p != before {
			t.Errorf("sound %v: %v, was %v before the pause", sound, p, before)
		}
		m.Resume(20 * second)
		if p := m.Position(20 * second); p != before {
			t.Errorf("sound %v: %v, was %v before the pause, when it ends", sound, p, before)
		}
	}
}

// TestSeekEndsStall: a clock that stood because the device had run dry runs on from where a
// seek puts it, without waiting for the device; and the device's drift stays known.
func TestSeekEndsStall(t *testing.T) {
	m := NewMedia(MediaConfig{}, 0)
	d := newDevice(8, 180)
	follow(m, d, 0, 10*second, 10*ms)
	d.dry = 10 * second
	follow(m, d, 10*second, 11*second, 10*ms)
	if !m.Audio().Stalled {
		t.Fatal("the device has run dry, and the clock does not know")
	}
	m.Seek(11*second, time.Minute, 1)
	if p := m.Position(12 * second); p < time.Minute+999*ms || p > time.Minute+1001*ms {
		t.Errorf("%v a second after a seek to a minute", p)
	}
	if _, ok := m.Instant(2 * time.Minute); !ok {
		t.Error("the clock does not say when")
	}
	at := 12 * second
	m.ObserveAudio(m.Position(at), at)
	m.ObserveAudio(m.Position(at+Instant(10*ms)), at+Instant(10*ms))
	if a := m.Audio(); math.Abs(a.DriftPPM-180) > 20 {
		t.Errorf("a drift of %v ppm after two reports of the same device, was 180", a.DriftPPM)
	}
}
