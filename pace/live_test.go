package pace

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

// liveRun is a live source on a display.
type liveRun struct {
	policy     Policy
	maxLatency time.Duration
	fps, hz    float64
	vrr        bool
	seconds    int
	ppm        float64                         // that the source's clock is fast
	network    func(i int) time.Duration       // from capture to reception
	decode     func(i int) time.Duration       // from reception to decoded; frames decode one after the other
	pts        func(i int) time.Duration       // the source's timestamps; nil: even
	oversleep  func(i int) time.Duration       //
	stall      func(at time.Duration) bool     // frames decoded then come when it is over
	each       func(f *Fate, at time.Duration) // at is since the start
}

type liveResult struct {
	shown, dropped   int
	queued           int
	lagStart, lagEnd time.Duration
	toSubmit         []time.Duration // from reception, sorted
	stats            Stats
}

// runLive plays it. Lag is from capture to visible.
func runLive(t *testing.T, r liveRun) liveResult {
	t.Helper()
	p, err := New(Config{Policy: r.policy, Live: true, MaxLatency: r.maxLatency, FrameInterval: hertz(r.fps)})
	if err != nil {
		t.Fatal(err)
	}
	d := &Simulated{Period: hertz(r.hz), Jitter: 100 * time.Microsecond, Seed: 5}
	if r.vrr {
		d = &Simulated{VRRMin: hertz(144), VRRMax: hertz(48)}
	}
	d.Start(start.Add(time.Millisecond))
	p.SetDisplay(d.Display(0))
	n := int(float64(r.seconds) * r.fps)
	interval := float64(hertz(r.fps)) / (1 + r.ppm*1e-6)
	received, ready := make([]media.Instant, n), make([]media.Instant, n)
	captured := func(i int) media.Instant { return start.Add(time.Duration(float64(i) * interval)) }
	var busy media.Instant
	for i := range n {
		at := captured(i)
		if r.network != nil {
			at = at.Add(r.network(i))
		}
		if i > 0 {
			at = max(at, received[i-1])
		}
		received[i] = at
		done := max(at, busy)
		if r.decode != nil {
			done = done.Add(r.decode(i))
		}
		if r.stall != nil {
			for r.stall(done.Sub(start)) {
				done = done.Add(time.Millisecond)
			}
		}
		busy = done
		ready[i] = done
	}
	pts := r.pts
	if pts == nil {
		pts = ptsAt(r.fps)
	}
	var res liveResult
	sim := Simulation{Display: d, Start: start, Frames: n, PTS: pts, Arrive: p.Arrive, Oversleep: r.oversleep, Queue: 8,
		Ready: func(i int) media.Instant { return ready[i] }, Received: func(i int) media.Instant { return received[i] },
		Each: func(f *Fate) {
			at := captured(f.Frame).Sub(start)
			if r.each != nil {
				r.each(f, at)
			}
			if f.Reason != media.DropNone {
				res.dropped++
				return
			}
			res.shown++
			if at > time.Second {
				res.queued = max(res.queued, f.Queued)
				res.toSubmit = append(res.toSubmit, f.Submitted.Sub(f.Received))
			}
			lag := f.Actual.Sub(captured(f.Frame))
			if at < 2*time.Second {
				res.lagStart = max(res.lagStart, lag)
			}
			if at > time.Duration(r.seconds-2)*time.Second {
				res.lagEnd = max(res.lagEnd, lag)
			}
		}}
	sim.Run(p)
	slices.Sort(res.toSubmit)
	res.stats = p.Stats()
	return res
}

func percentile(sorted []time.Duration, p float64) time.Duration {
	return sorted[min(int(float64(len(sorted))*p), len(sorted)-1)]
}

// TestFreshestIsFresh is the promise of PolicyFreshest: from reception to submission no more
// than a refresh and 2 ms, whatever the phase, on displays from 50 to 240 Hz.
func TestFreshestIsFresh(t *testing.T) {
	for _, hz := range []float64{50, 60, 60000.0 / 1001, 120, 144, 240} {
		for phase := range 10 {
			r := runLive(t, liveRun{policy: PolicyFreshest, fps: 60, hz: hz, seconds: 60,
				network:   func(int) time.Duration { return time.Duration(phase) * hertz(60) / 10 },
				oversleep: func(i int) time.Duration { return time.Duration(i*7919%1000) * time.Microsecond }})
			if p99 := percentile(r.toSubmit, 0.99); p99 > hertz(hz)+2*time.Millisecond {
				t.Errorf("%v Hz, phase %d: %v from reception to submission at p99", hz, phase, p99)
			}
			if r.queued != 0 {
				t.Errorf("%v Hz, phase %d: %d frames waited behind one that was shown", hz, phase, r.queued)
			}
		}
	}
}

// TestFreshestIsNeverSlower plays the same arrivals by PolicyFreshest and PolicyBalanced, at all
// phases of the source against the display: the former is never the older picture in the
// mean, also where frames come now before a refresh and now behind it. One that comes behind
// it takes the refresh of the next, which takes that of the next but one.
func TestFreshestIsNeverSlower(t *testing.T) {
	for _, hz := range []float64{60, 75, 144} {
		for _, jitter := range []int{800, 5000, 9000, 14000} { // µs
			for phase := range 20 {
				var mean [2]time.Duration
				for k, policy := range []Policy{PolicyFreshest, PolicyBalanced} {
					sum, n := time.Duration(0), time.Duration(0)
					runLive(t, liveRun{policy: policy, fps: 60, hz: hz, seconds: 12,
						network: func(i int) time.Duration {
							return time.Duration(phase)*hertz(60)/20 + time.Duration(i*7907%jitter)*time.Microsecond
						},
						decode:    func(i int) time.Duration { return time.Millisecond + time.Duration(i*104729%500)*time.Microsecond },
						oversleep: func(i int) time.Duration { return time.Duration(i*7919%200) * time.Microsecond },
						each: func(f *Fate, at time.Duration) {
							if f.Reason == media.DropNone && at > 2*time.Second {
								sum, n = sum+f.Actual.Sub(f.Received), n+1
							}
						}})
					mean[k] = sum / max(n, 1)
				}
				if mean[0] > mean[1]+200*time.Microsecond || mean[0] > 22*time.Millisecond {
					t.Errorf("%v Hz, jitter %d µs, phase %d: pictures are %v old in the mean, %v when balanced", hz, jitter, phase, mean[0], mean[1])
				}
			}
		}
	}
}

// TestLiveDrift runs the source's clock 100 ppm and 1 % fast and slow for half an hour: lag
// does not grow.
func TestLiveDrift(t *testing.T) {
	for _, ppm := range []float64{100, -100, 10000, -10000} {
		for _, policy := range []Policy{PolicySmooth, PolicyBalanced, PolicyFreshest} {
			r := runLive(t, liveRun{policy: policy, fps: 60, hz: 60, seconds: 1800 / (1 + 9*min(int(ppm*ppm/1e7), 1)), ppm: ppm})
			if r.lagEnd > r.lagStart+hertz(60) {
				t.Errorf("%v ppm, %v: lag was %v and is %v", ppm, policy, r.lagStart, r.lagEnd)
			}
			want := 0
			if ppm > 0 {
				want = int(float64(r.shown+r.dropped) * ppm * 1e-6)
			}
			if r.dropped > want+want/4+5 {
				t.Errorf("%v ppm, %v: %d dropped, want %d; %v", ppm, policy, r.dropped, want, r.stats.Drops)
			}
		}
	}
}

// TestBalancedTakesJitter gives a source network jitter: after a while nearly every frame is
// in time, at a delay of about the jitter and no more.
func TestBalancedTakesJitter(t *testing.T) {
	for _, vrr := range []bool{false, true} {
		rnd := rand.New(rand.NewPCG(1, 2))
		late, shown, lag := 0, 0, time.Duration(0)
		r := runLive(t, liveRun{policy: PolicyBalanced, fps: 60, hz: 120, vrr: vrr, seconds: 60,
			network: func(int) time.Duration { return 5*time.Millisecond + time.Duration(rnd.IntN(15000))*time.Microsecond },
			each: func(f *Fate, at time.Duration) {
				if at < 5*time.Second || f.Reason != media.DropNone {
					return
				}
				shown++
				lag += f.Actual.Sub(start.Add(at))
				if f.Actual.Sub(f.Due) > hertz(120) {
					late++
				}
			}})
		if late > shown/20 || r.dropped > 20 {
			t.Errorf("vrr %v: %d of %d frames late, %d dropped", vrr, late, shown, r.dropped)
		}
		if m := lag / time.Duration(shown); m > 30*time.Millisecond {
			t.Errorf("vrr %v: %v of lag for jitter from 5 to 20 ms", vrr, m)
		}
	}
}

// TestLiveAtEveryPhase plays a source as fast as the display, whatever the phase of one
// against the other, where now and then two frames come out of the decoder together, as with
// B pictures: none is dropped, and none waits longer for its refresh than there is to wait.
// Frames that are ready just behind a refresh cannot be shown at it, near as it is to their
// moment: going for it they all were late, and of those that had the next one with them one
// went, 2.4 a second.
func TestLiveAtEveryPhase(t *testing.T) {
	const phases = 24
	for _, hz := range []float64{60, 120} {
		for _, jitter := range []int{100, 1000, 3000} { // µs
			lag, shown := time.Duration(0), 0
			for phase := range phases {
				rnd := rand.New(rand.NewPCG(1, uint64(phase)))
				dropped := 0
				runLive(t, liveRun{policy: PolicyBalanced, fps: hz, hz: hz, seconds: 30,
					network: func(i int) time.Duration {
						d := 20*time.Millisecond + hertz(hz)*time.Duration(phase)/phases + time.Duration(rnd.IntN(jitter))*time.Microsecond
						if i%50 == 0 {
							d -= hertz(hz)
						}
						return d
					},
					decode:    func(int) time.Duration { return 50 * time.Microsecond },
					oversleep: func(int) time.Duration { return time.Duration(rnd.IntN(100)) * time.Microsecond },
					each: func(f *Fate, at time.Duration) {
						switch {
						case at < 2*time.Second:
						case f.Reason != media.DropNone:
							dropped++
						default:
							lag += f.Actual.Sub(f.Ready)
							shown++
						}
					}})
				if dropped > 0 {
					t.Errorf("%v Hz, jitter %d µs, phase %d of %d: %d of %v frames were dropped", hz, jitter, phase, phases, dropped, 28*hz)
				}
			}
			// Half a refresh in the mean, the jitter, and what keeps frames from changing sides.
			most := hertz(hz)/2 + time.Duration(jitter)*time.Microsecond*3/4 + hertz(hz)/8
			if mean := lag / time.Duration(shown); mean > most {
				t.Errorf("%v Hz, jitter %d µs: %v from ready to visible in the mean, want at most %v", hz, jitter, mean, most)
			}
		}
	}
}

// disturbances of a live source, at ten seconds.
var disturbances = []struct {
	name string
	run  liveRun
}{
	{"nothing", liveRun{}},
	{"decoder stalls for 3 s", liveRun{stall: func(at time.Duration) bool { return at > 10*time.Second && at < 13*time.Second },
		decode: func(int) time.Duration { return 4 * time.Millisecond }}},
	{"network stalls for 3 s and delivers all", liveRun{network: func(i int) time.Duration {
		if at := time.Duration(i) * hertz(60); at > 10*time.Second && at < 13*time.Second {
			return 13*time.Second - at
		}
		return 5 * time.Millisecond
	}}},
	{"network becomes 500 ms slower", liveRun{network: func(i int) time.Duration {
		if time.Duration(i)*hertz(60) > 10*time.Second {
			return 500 * time.Millisecond
		}
		return 5 * time.Millisecond
	}}},
	{"network becomes 500 ms faster", liveRun{network: func(i int) time.Duration {
		if time.Duration(i)*hertz(60) < 10*time.Second {
			return 500 * time.Millisecond
		}
		return 5 * time.Millisecond
	}}},
	{"timestamps jump ahead by 5 s", liveRun{pts: func(i int) time.Duration {
		if i > 600 {
			return ptsAt(60)(i) + 5*time.Second
		}
		return ptsAt(60)(i)
	}}},
	{"timestamps jump back by 5 s", liveRun{pts: func(i int) time.Duration {
		if i > 600 {
			return ptsAt(60)(i) - 5*time.Second
		}
		return ptsAt(60)(i)
	}}},
	{"timestamps stand still", liveRun{pts: func(i int) time.Duration {
		if i > 600 && i < 720 {
			return ptsAt(60)(600)
		}
		return ptsAt(60)(i)
	}}},
	{"timestamps go back by one, now and then", liveRun{pts: func(i int) time.Duration {
		if i > 600 && i%7 == 0 {
			return ptsAt(60)(i - 2)
		}
		return ptsAt(60)(i)
	}}},
	{"timestamps wrap at 2^32 of 90 kHz", liveRun{pts: func(i int) time.Duration {
		at := ptsAt(60)(i) + (1<<32)*time.Second/90000 - 10*time.Second
		if at >= (1<<32)*time.Second/90000 {
			at -= (1 << 32) * time.Second / 90000
		}
		return at
	}}},
	{"timestamps are noise", liveRun{pts: func(i int) time.Duration { return time.Duration(i*i*7919%100000) * time.Millisecond }}},
	{"we sleep for 3 s", liveRun{oversleep: func(i int) time.Duration {
		if i == 600 {
			return 3 * time.Second
		}
		return 0
	}}},
	{"the decoder is slow for 5 s", liveRun{decode: func(i int) time.Duration {
		if i > 600 && i < 900 {
			return 25 * time.Millisecond
		}
		return 4 * time.Millisecond
	}}},
}

// TestMaxLatency disturbs live sources with a contract of 50 ms: within a second of the end
// of a disturbance every shown frame is younger than that when it is submitted and a
// refresh, and the picture moves. Decoded frames only: what waits before the decoder is the
// player's to skip.
func TestMaxLatency(t *testing.T) {
	for _, d := range disturbances {
		for _, policy := range []Policy{PolicyBalanced, PolicyFreshest, PolicySmooth} {
			for _, hz := range []float64{60, 144} {
				r := d.run
				r.policy, r.maxLatency, r.fps, r.hz, r.seconds = policy, 50*time.Millisecond, 60, hz, 30
				end := 14 * time.Second
				if d.name == "the decoder is slow for 5 s" {
					end = 22 * time.Second // 15 s of frames that take 25 ms for every 16.7, and their backlog
				}
				shown, over, worst := 0, 0, time.Duration(0)
				r.each = func(f *Fate, at time.Duration) {
					if f.Reason != media.DropNone {
						return
					}
					visible := f.Actual.Sub(start)
					if visible > 5*time.Second && visible < 10*time.Second || visible > end {
						shown++
						age := f.Submitted.Sub(f.Received)
						worst = max(worst, age)
						if age > 50*time.Millisecond {
							over++
						}
					}
				}
				res := runLive(t, r)
				if over > 0 {
					t.Errorf("%s, %v, %v Hz: %d of %d frames older than 50 ms, the oldest %v", d.name, policy, hz, over, shown, worst)
				}
				least := int((30*time.Second-end+5*time.Second)/hertz(60)) * 8 / 10
				if d.name == "timestamps are noise" {
					least /= 2
				}
				if shown < least {
					t.Errorf("%s, %v, %v Hz: only %d frames shown, want %d; %v", d.name, policy, hz, shown, least, res.stats.Drops)
				}
				sum := int64(0)
				for _, n := range res.stats.Drops {
					sum += n
				}
				if sum != res.stats.Dropped || res.stats.Drops[media.DropNone] != 0 {
					t.Errorf("%s: %d dropped, and reasons %v", d.name, res.stats.Dropped, res.stats.Drops)
				}
			}
		}
	}
}

// TestDisturbancesEnd plays the same with the policies' own limits: a second after it, what is
// left of it is no more than the delay that it taught the pacer, and after 4 s nothing is.
func TestDisturbancesEnd(t *testing.T) {
	for _, d := range disturbances {
		switch d.name {
		case "the decoder is slow for 5 s", "network becomes 500 ms slower", "timestamps are noise", "timestamps go back by one, now and then":
			continue // they do not end
		}
		for _, policy := range []Policy{PolicyBalanced, PolicyFreshest} {
			r := d.run
			r.policy, r.fps, r.hz, r.seconds = policy, 60, 60, 30
			var before, soon, after time.Duration
			r.each = func(f *Fate, at time.Duration) {
				if f.Reason != media.DropNone {
					return
				}
				age := f.Actual.Sub(f.Received)
				switch visible := f.Actual.Sub(start); {
				case visible > 5*time.Second && visible < 10*time.Second:
					before = max(before, age)
				case visible > 14*time.Second && visible < 15*time.Second:
					soon = max(soon, age)
				case visible > 17*time.Second:
					after = max(after, age)
				}
			}
			runLive(t, r)
			if soon > before+hertz(60)+40*time.Millisecond {
				t.Errorf("%s, %v: lag was %v and is %v a second after it", d.name, policy, before, soon)
			}
			if after > before+hertz(60)+time.Millisecond {
				t.Errorf("%s, %v: lag was %v and is %v 4 s after it", d.name, policy, before, after)
			}
		}
	}
}

func TestParsePolicy(t *testing.T) {
	for p := range numPolicies {
		if got, err := ParsePolicy(p.String()); got != p || err != nil {
			t.Errorf("%v: %v, %v", p, got, err)
		}
	}
	if _, err := ParsePolicy("quick"); err == nil {
		t.Error("an unknown policy was taken")
	}
}

func TestArriveAllocatesNothing(t *testing.T) {
	p, err := New(Config{Live: true, Policy: PolicyBalanced})
	if err != nil {
		t.Fatal(err)
	}
	var src time.Duration
	if n := testing.AllocsPerRun(1000, func() {
		src += hertz(60)
		p.Arrive(src, start.Add(src), start.Add(src))
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
