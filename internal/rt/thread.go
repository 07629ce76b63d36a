package rt

import (
	"runtime"
	"strings"
	"time"

	"github.com/scanout-av/scanout/media"
)

// ThreadConfig says what a thread with deadlines wants. The zero value asks for exact
// timers only.
type ThreadConfig struct {
	// Priority is the SCHED_FIFO priority, 1…99; 0 leaves the ordinary scheduler. Where the
	// kernel refuses it, RealtimeKit is asked, which desktops have for this.
	Priority int
	// KeepAwake keeps the processors from idling deeply while the thread is locked, as audio
	// servers do: one that sleeps takes 10 to 100 µs to wake. It costs power and takes root
	// (a latency of 0 in /dev/cpu_dma_latency); [Thread.Scheduling] says whether it was got.
	KeepAwake bool
	// CPUs restricts the thread to these processors; empty leaves it alone.
	CPUs []int
	// Spin is how much of the end of each sleep is spent spinning. It buys lateness below
	// 10 µs for Spin × rate of a core: 200 µs at 120 Hz is 2.4 %.
	Spin time.Duration
	// Adaptive makes Spin the upper limit: what is spent follows how late this machine wakes
	// the thread, so that 98 of 100 wake-ups come before the spinning ends.
	Adaptive bool
}

// Thread is a goroutine's own operating-system thread.
// Concurrency: the goroutine that called Lock.
type Thread struct {
	spin  time.Duration
	adapt *spinLimit // nil for a fixed length
	how   string     // the scheduling that was got
	notes []string
	saved threadState
}

// Lock ties the calling goroutine to its thread and sets that up as far as the system
// allows; what was refused is in [Thread.Notes] and is not an error.
func Lock(cfg ThreadConfig) *Thread {
	runtime.LockOSThread()
	t := &Thread{spin: max(0, cfg.Spin), how: "ordinary priority"}
	if cfg.Adaptive && t.spin > 0 {
		t.adapt = newSpinLimit(t.spin)
		t.spin = t.adapt.length()
	}
	t.setUp(cfg)
	return t
}

// Unlock gives the thread back as it was found.
func (t *Thread) Unlock() {
	t.restore()
	runtime.UnlockOSThread()
}

// Notes says in words what was refused and how to allow it; "" when nothing was.
func (t *Thread) Notes() string { return strings.Join(t.notes, "; ") }

// Scheduling says how the thread is scheduled: "ordinary priority", "SCHED_FIFO 10" or
// "SCHED_RR 10 by RealtimeKit", and ", processors kept awake" if they are.
func (t *Thread) Scheduling() string { return t.how }

// Spin returns how much of the end of a sleep is spent spinning at present.
func (t *Thread) Spin() time.Duration { return t.spin }

// approach is how long before its deadline a thread takes back its processor of Go's. That
// may wake Go's monitor thread, which costs 50 µs and more on a virtual machine: better
// before the deadline than after it.
const approach = 250 * time.Microsecond

// SleepUntil sleeps, then spins, until deadline.
// Units: deadline is absolute, ns of CLOCK_MONOTONIC.
func (t *Thread) SleepUntil(deadline media.Instant) {
	at := deadline.Add(-t.spin)
	now := Now()
	if early := at.Add(-approach); now < early {
		SleepUntil(early)
	}
	if now < at {
		holdUntil(at)
		if t.adapt != nil {
			t.learn(at, true)
		}
	}
	if t.spin > 0 {
		spinUntil(deadline)
	}
}

// learn takes note of how late the kernel was for at, if there was anything to sleep.
func (t *Thread) learn(at media.Instant, asleep bool) {
	if asleep {
		t.spin = t.adapt.observe(Now().Sub(at))
	}
}

// spinLimit follows the 98th percentile of how late the kernel wakes the thread.
type spinLimit struct {
	at, most time.Duration
}

const (
	// The quantile moves up by spinUp at a wake-up that came later, and down by spinDown at
	// one that did not: in balance when one in 50 is later.
	spinUp, spinDown = 49 * spinDown, 400 * time.Nanosecond
	// leastSpin covers the way from the kernel to here.
	leastSpin = 5 * time.Microsecond
)

func newSpinLimit(most time.Duration) *spinLimit {
	return &spinLimit{at: max(leastSpin, most/2), most: max(leastSpin, most)}
}

func (s *spinLimit) length() time.Duration { return s.at }

// observe takes how late a wake-up was and returns how long to spin from now on.
func (s *spinLimit) observe(late time.Duration) time.Duration {
	if late > s.at {
		s.at = min(s.at+spinUp, s.most)
	} else {
		s.at = max(s.at-spinDown, leastSpin)
	}
	return s.at
}

// Wait is [Waiter.Wait] with this thread's spinning: it reports whether w was woken
// before deadline; 0 is for ever.
func (t *Thread) Wait(w *Waiter, deadline media.Instant) (woken bool) {
	if t.spin == 0 || deadline == 0 {
		return w.Wait(deadline)
	}
	// A deadline of 1 has passed, like any before the clock's start; 0 would be for ever.
	at := max(1, deadline.Add(-t.spin))
	asleep := t.adapt != nil && Now() < at
	if w.Wait(at) {
		return true
	}
	t.learn(at, asleep)
	w.Prepare() // who spins waits, for WakeWaiting as well
	for Now() < deadline && w.state.Load() != signalled {
		Pause(10)
	}
	return w.expire()
}
