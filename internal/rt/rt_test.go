package rt

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scanout-av/scanout/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNowNeverStepsBack(t *testing.T) {
	last := Now()
	if last <= 0 {
		t.Fatalf("Now() = %d", last)
	}
	for range 100000 {
		n := Now()
		if n < last {
			t.Fatalf("%d after %d", n, last)
		}
		last = n
	}
}

func TestSleepUntilIsNeverEarly(t *testing.T) {
	th := Lock(ThreadConfig{Spin: 50 * time.Microsecond})
	defer th.Unlock()
	for i := range 20 {
		d := Now().Add(time.Duration(i) * 100 * time.Microsecond)
		SleepUntil(d)
		if n := Now(); n < d {
			t.Errorf("SleepUntil: %v early", d.Sub(n))
		}
		d = Now().Add(time.Duration(i) * 30 * time.Microsecond)
		th.SleepUntil(d)
		if n := Now(); n < d {
			t.Errorf("Thread.SleepUntil: %v early", d.Sub(n))
		}
	}
	for _, past := range []media.Instant{-5, 0, 1, Now()} {
		SleepUntil(past)
		th.SleepUntil(past)
	}
}

func TestNapIsNeverEarly(t *testing.T) {
	var nap Napper
	for i := range 5 {
		d := Now().Add(time.Duration(4*i) * time.Millisecond) // in one piece and in two
		nap.SleepUntil(d)
		if n := Now(); n < d {
			t.Errorf("%v early", d.Sub(n))
		}
	}
	for _, past := range []media.Instant{-5, 0, 1, Now()} {
		nap.SleepUntil(past)
	}
	if nap.thread == 0 && runtime.GOOS == "linux" {
		t.Error("timers were not made exact")
	}
}

var sleeps = map[string]Sleep{"kernel": SleepKernel, "go": SleepGo, "nap": SleepNap}

func TestWaiterDeadline(t *testing.T) {
	for name, how := range sleeps {
		t.Run(name, func(t *testing.T) {
			w := NewWaiter(how)
			th := Lock(ThreadConfig{Spin: 100 * time.Microsecond})
			defer th.Unlock()
			for _, wait := range []func(media.Instant) bool{w.Wait, func(d media.Instant) bool { return th.Wait(w, d) }} {
				for _, ahead := range []time.Duration{-time.Second, 0, time.Millisecond} {
					d := Now().Add(ahead)
					if wait(d) {
						t.Error("woken by nobody")
					}
					if n := Now(); n < d {
						t.Errorf("%v early", d.Sub(n))
					}
				}
				// A wake-up that is there counts even when the deadline has passed.
				w.Wake()
				if !wait(1) {
					t.Error("the wake-up was lost")
				}
				if wait(1) {
					t.Error("one wake-up ended two waits")
				}
			}
		})
	}
}

func TestWaiterKeepsWakeups(t *testing.T) {
	for name, how := range sleeps {
		t.Run(name, func(t *testing.T) {
			w := NewWaiter(how)
			w.WakeWaiting() // nobody waits: nothing to keep
			if w.Wait(1) {
				t.Error("WakeWaiting was kept though nobody had announced a wait")
			}
			w.Prepare()
			w.WakeWaiting()
			if !w.Wait(1) {
				t.Error("WakeWaiting between Prepare and Wait was lost")
			}
			w.Prepare()
			w.Cancel()
			w.WakeWaiting()
			if w.Wait(1) {
				t.Error("woken after Cancel")
			}
			// Between the end of the sleep and the end of the wait.
			w.Prepare()
			w.Wake()
			if !w.expire() || w.Wait(1) {
				t.Error("a wake-up at the deadline was lost, or counted twice")
			}
			w.Prepare()
			w.Wake()
			w.Cancel()
			if !w.Wait(0) {
				t.Error("Cancel swallowed a Wake")
			}
		})
	}
}

// Two goroutines hand a turn to and fro: a lost wake-up would hang.
func TestWaiterPingPong(t *testing.T) {
	for name, how := range sleeps {
		t.Run(name, func(t *testing.T) {
			const rounds = 3000
			a, b := NewWaiter(how), NewWaiter(how)
			var turn atomic.Int64
			await := func(w *Waiter, n int64) {
				for turn.Load() != n {
					w.Prepare()
					if turn.Load() == n {
						w.Cancel()
						return
					}
					w.Wait(0)
				}
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				for i := int64(0); i < rounds; i += 2 {
					await(a, i)
					turn.Store(i + 1)
					b.WakeWaiting()
				}
			})
			wg.Go(func() {
				for i := int64(1); i < rounds; i += 2 {
					await(b, i)
					turn.Store(i + 1)
					a.WakeWaiting()
				}
			})
			wg.Wait()
			if turn.Load() != rounds {
				t.Errorf("stopped at %d", turn.Load())
			}
		})
	}
}

// Wakers of both kinds, deadlines that pass just then: every kept wake-up must end
// exactly one wait.
func TestWaiterRacesDeadline(t *testing.T) {
	for name, how := range sleeps {
		t.Run(name, func(t *testing.T) {
			w := NewWaiter(how)
			const n = 2000
			var sent, taken atomic.Int64
			var wg sync.WaitGroup
			wg.Go(func() {
				for i := range n {
					for sent.Load() != taken.Load() {
						runtime.Gosched()
					}
					spinUntil(Now().Add(time.Duration(i%50) * 100 * time.Nanosecond))
					sent.Add(1)
					w.Wake()
				}
			})
			for taken.Load() < n {
				if w.Wait(Now().Add(5 * time.Microsecond)) {
					taken.Add(1)
					if s := sent.Load(); s < taken.Load() {
						t.Fatalf("%d sent, %d taken", s, taken.Load())
					}
				}
			}
			wg.Wait()
		})
	}
}

func TestNoAllocations(t *testing.T) {
	th := Lock(ThreadConfig{})
	defer th.Unlock()
	for name, how := range sleeps {
		w := NewWaiter(how)
		if n := testing.AllocsPerRun(200, func() {
			d := Now().Add(time.Microsecond)
			SleepUntil(d)
			w.Wait(d.Add(time.Microsecond))
			w.Prepare()
			w.WakeWaiting()
			th.Wait(w, d.Add(time.Millisecond))
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestLockReportsRefusals(t *testing.T) {
	th := Lock(ThreadConfig{Priority: 1, CPUs: []int{1023}})
	notes := th.Notes()
	th.Unlock()
	if notes == "" {
		t.Error("binding to CPU 1023 was not reported as refused")
	}
	t.Log(notes)
}

func TestMeasureLateness(t *testing.T) {
	for _, m := range Methods() {
		r, err := MeasureLateness(LatenessConfig{Method: m, Period: 2 * time.Millisecond, Duration: 20 * time.Millisecond})
		if err != nil {
			t.Errorf("%v: %v", m, err)
			continue
		}
		if r.Wakeups == 0 || m != TimeSleep && r.Wakeups+r.Missed < 10 || r.Max < r.P99 || r.P99 < r.P50 || r.Wall <= 0 {
			t.Errorf("%v: %+v", m, r)
		}
	}
	if _, err := MeasureLateness(LatenessConfig{Period: time.Second}); err == nil {
		t.Error("no duration: no error")
	}
	if _, err := MeasureLateness(LatenessConfig{Method: 99, Period: 1, Duration: 1}); err == nil {
		t.Error("unknown method: no error")
	}
}
