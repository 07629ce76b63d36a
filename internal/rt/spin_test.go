package rt

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

func TestSpinFollowsTheMachine(t *testing.T) {
	const most = 200 * time.Microsecond
	for _, c := range []struct {
		name      string
		late      func(i int) time.Duration
		from, to  time.Duration // where it settles
		wantLater int           // of the last 5000 wake-ups, how many may come after the spinning
	}{
		{"always at once", func(int) time.Duration { return 0 }, leastSpin, leastSpin, 0},
		{"always 40 µs late", func(int) time.Duration { return 40 * time.Microsecond }, 20 * time.Microsecond, 61 * time.Microsecond, 150},
		{"one in a hundred later", func(i int) time.Duration {
			if i%100 == 0 {
				return 150 * time.Microsecond
			}
			return time.Duration(20+i%20) * time.Microsecond
		}, 20 * time.Microsecond, 80 * time.Microsecond, 200},
		{"always later than allowed", func(int) time.Duration { return time.Millisecond }, most, most, 5000},
	} {
		s := newSpinLimit(most)
		later := 0
		for i := range 10000 {
			l := c.late(i)
			if i >= 5000 && l > s.length() {
				later++
			}
			s.observe(l)
			if s.length() < leastSpin || s.length() > most {
				t.Fatalf("%s: %v is out of bounds", c.name, s.length())
			}
		}
		if n := s.length(); n < c.from || n > c.to {
			t.Errorf("%s: settles at %v, want %v to %v", c.name, n, c.from, c.to)
		}
		if later > c.wantLater {
			t.Errorf("%s: %d of 5000 wake-ups came after the spinning, want %d at most", c.name, later, c.wantLater)
		}
	}
}

func TestAdaptiveSleepIsNeverEarly(t *testing.T) {
	th := Lock(ThreadConfig{Spin: 200 * time.Microsecond, Adaptive: true})
	defer th.Unlock()
	w := NewWaiter(SleepKernel)
	for range 20 {
		d := Now().Add(time.Millisecond)
		th.SleepUntil(d)
		if n := Now(); n < d {
			t.Fatalf("woke %v early", d.Sub(n))
		}
		d = Now().Add(time.Millisecond)
		if th.Wait(w, d) {
			t.Fatal("nobody woke it")
		}
		if n := Now(); n < d {
			t.Fatalf("waited %v too short", d.Sub(n))
		}
	}
	if s := th.Spin(); s < leastSpin || s > 200*time.Microsecond {
		t.Errorf("spins %v", s)
	}
}

// TestWakesWhoSpins: a thread that spins for the last stretch of its wait is one that waits,
// also for those who wake only who waits.
func TestWakesWhoSpins(t *testing.T) {
	th := Lock(ThreadConfig{Spin: time.Hour})
	defer th.Unlock()
	w := NewWaiter(SleepKernel)
	var awake atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for !awake.Load() {
			w.WakeWaiting()
			runtime.Gosched()
		}
	}()
	if !th.Wait(w, Now().Add(2*time.Second)) {
		t.Error("not woken")
	}
	awake.Store(true)
	<-ended
}
