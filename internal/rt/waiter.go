package rt

import (
	"sync/atomic"

	"golang.org/x/sys/cpu"

	"github.com/scanout-av/scanout/media"
)

// Sleep says how a [Waiter] sleeps.
type Sleep uint8

// Sleeping places.
const (
	// SleepGo parks the goroutine: the processor runs other goroutines at once. Systems
	// other than Linux always sleep this way.
	SleepGo Sleep = iota
	// SleepKernel blocks the thread in the kernel (a futex on Linux): for goroutines that
	// are locked to their thread, where it wakes a little earlier and its deadlines are
	// exact. An ordinary goroutine would keep its processor from others until the runtime
	// notices, for 0.2 ms and more.
	SleepKernel
	// SleepNap blocks the thread as well, for goroutines that are not locked to it and sleep
	// again and again for some milliseconds; see [Napper].
	SleepNap
)

// Waiter is a sleeping place for one goroutine that any other can wake. A wake-up that
// comes before the wait is kept: the next Wait returns at once.
//
// To sleep until a condition holds, announce, look, sleep; whoever makes the condition
// true calls WakeWaiting afterwards, which costs one load while nobody sleeps:
//
//	w.Prepare()                       ready.Store(true)
//	if ready.Load() { w.Cancel() }    w.WakeWaiting()
//	else { w.Wait(deadline) }
//
// Concurrency: Prepare, Cancel and Wait on one goroutine; Wake, WakeWaiting from any.
type Waiter struct {
	_     cpu.CacheLinePad
	state atomic.Uint32
	how   Sleep
	park  parking
	nap   Napper
	_     cpu.CacheLinePad
}

// Waiter states. Wakers write only waiting → signalled (WakeWaiting) or * → signalled
// (Wake); the sleeper does the rest.
const (
	idle uint32 = iota
	waiting
	signalled
)

// NewWaiter returns a waiter.
func NewWaiter(how Sleep) *Waiter {
	w := &Waiter{how: how}
	w.park.init()
	return w
}

// Prepare announces that Wait is about to be called.
func (w *Waiter) Prepare() { w.state.CompareAndSwap(idle, waiting) }

// Waiting reports whether WakeWaiting would find a sleeper, or one who has called Prepare.
func (w *Waiter) Waiting() bool { return w.state.Load() == waiting }

// Cancel takes Prepare back. A wake-up that came in between is kept.
func (w *Waiter) Cancel() { w.state.CompareAndSwap(waiting, idle) }

// Wait sleeps until it is woken, at most until deadline; 0 is for ever. It reports
// whether it was woken; a deadline in the past still takes a wake-up that is there.
// Units: deadline is absolute, ns of CLOCK_MONOTONIC.
func (w *Waiter) Wait(deadline media.Instant) (woken bool) {
	for {
		switch {
		case w.state.CompareAndSwap(signalled, idle):
			return true
		case w.state.CompareAndSwap(idle, waiting), w.state.Load() == waiting:
			if w.sleep(deadline) {
				continue
			}
			return w.expire()
		}
	}
}

// expire ends a wait at its deadline; a wake-up that comes until then counts.
func (w *Waiter) expire() (woken bool) { return w.state.Swap(idle) == signalled }

// Wake wakes the sleeper, or the next one to sleep.
func (w *Waiter) Wake() {
	if w.state.Swap(signalled) == waiting {
		w.rouse()
	}
}

// WakeWaiting wakes the sleeper if there is one (or one who has called Prepare).
func (w *Waiter) WakeWaiting() {
	if w.state.Load() == waiting && w.state.CompareAndSwap(waiting, signalled) {
		w.rouse()
	}
}
