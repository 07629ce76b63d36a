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
	// Priority is the SCHED_FIFO priority, 1…99; 0 leaves the ordinary scheduler.
	Priority int
	// CPUs restricts the thread to these processors; empty leaves it alone.
	CPUs []int
	// Spin is how much of the end of each sleep is spent spinning. It buys lateness below
	// 10 µs for Spin × rate of a core: 200 µs at 120 Hz is 2.4 %.
	Spin time.Duration
}

// Thread is a goroutine's own operating-system thread.
// Concurrency: the goroutine that called Lock.
type Thread struct {
	spin  time.Duration
	notes []string
	saved threadState
}

// Lock ties the calling goroutine to its thread and sets that up as far as the system
// allows; what was refused is in [Thread.Notes] and is not an error.
func Lock(cfg ThreadConfig) *Thread {
	runtime.LockOSThread()
	t := &Thread{spin: max(0, cfg.Spin)}
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

// SleepUntil sleeps, then spins, until deadline.
// Units: deadline is absolute, ns of CLOCK_MONOTONIC.
func (t *Thread) SleepUntil(deadline media.Instant) {
	SleepUntil(deadline.Add(-t.spin))
	if t.spin > 0 {
		spinUntil(deadline)
	}
}

// Wait is [Waiter.Wait] with this thread's spinning: it reports whether w was woken
// before deadline; 0 is for ever.
func (t *Thread) Wait(w *Waiter, deadline media.Instant) (woken bool) {
	if t.spin == 0 || deadline == 0 {
		return w.Wait(deadline)
	}
	// A deadline of 1 has passed, like any before the clock's start; 0 would be for ever.
	if w.Wait(max(1, deadline.Add(-t.spin))) {
		return true
	}
	for Now() < deadline {
		if w.state.CompareAndSwap(signalled, idle) {
			return true
		}
		Pause(10)
	}
	return w.state.CompareAndSwap(signalled, idle)
}
