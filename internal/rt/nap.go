package rt

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/scanout-av/scanout/media"
)

// Naps are for goroutines that sleep for every frame and are not locked to their thread.
//
// Go's monitor thread looks every 10 ms at what holds a processor. One on which nothing was
// scheduled since it looked last counts as hogged, also when its goroutine has slept nearly
// all of that time: the processor is taken away, is to be found again after each sleep, and
// the monitor, which has had something to do, looks every 20 µs for a while. A goroutine that
// is locked to its thread cannot help that: yielding takes it two switches of threads. One
// that is not yields before each sleep, which costs 0.2 µs while nobody else is ready and
// counts as scheduling, and sleeps no longer in one piece than the monitor takes.
const (
	// longestPiece is less than the 10 ms after which a processor is taken from a goroutine
	// in a system call, and more than a refresh at 120 Hz.
	longestPiece = 9 * time.Millisecond
	// longestNap is from where on the pieces cost more than the monitor.
	longestNap = 200 * time.Millisecond
)

// keepers counts the goroutines that keep a processor of Go's while they sleep, of the whole
// process, as processors are.
//
// There must not be as many as processors. Who then comes out of a system call waits in the
// scheduler's common queue, and a processor looks there when its own queue is empty, which
// it never is where somebody yields before each nap, or every 61st time: half a second of
// naps. The monitor, which would take a processor away sooner, is what naps hide from. So a
// program with two processors that received and presented stood still for 0.3 to 0.9 s, again
// and again.
type keepers struct{ n atomic.Int32 }

// freeProcessors are left to goroutines with something to do: to one that decodes, say, and
// to everybody else.
const freeProcessors = 2

var napping keepers

// enter reports whether one more may keep its processor; if so, leave is to be called.
func (k *keepers) enter() bool {
	if int(k.n.Add(1)) <= runtime.GOMAXPROCS(0)-freeProcessors {
		return true
	}
	k.n.Add(-1)
	return false
}

func (k *keepers) leave() { k.n.Add(-1) }

// Napper sleeps for a goroutine that is not locked to its thread; for one that is, every
// sleep costs two switches of threads. The zero value is ready for use.
// Concurrency: one goroutine.
type Napper struct {
	thread int // whose timer slack has been set
}

// SleepUntil sleeps until deadline; one in the past returns at once. Other goroutines that
// wait for the processor come first.
// Units: deadline is absolute, ns of CLOCK_MONOTONIC.
func (n *Napper) SleepUntil(deadline media.Instant) {
	for {
		now := Now()
		if deadline <= now {
			return
		}
		n.yield()
		if p := piece(now, deadline); holds(now, p) && napping.enter() {
			holdUntil(p)
			napping.leave()
		} else {
			SleepUntil(p)
		}
	}
}

// holds reports whether the processor is kept for a sleep from now to deadline: otherwise
// it is handed on at once, as other sleeps do.
func holds(now, deadline media.Instant) bool {
	return deadline != 0 && deadline.Sub(now) <= longestPiece
}

// piece is where a sleep from now to deadline, 0 for ever, is interrupted: so that its
// pieces are equal, and as few as can be.
func piece(now, deadline media.Instant) media.Instant {
	d := deadline.Sub(now)
	if deadline == 0 || d > longestNap || d <= longestPiece {
		return deadline
	}
	return now.Add(d / ((d + longestPiece - 1) / longestPiece))
}

// yield lets others go first and sees to it that the thread on which this one goes on has
// exact timers: the kernel's usual slack is half of all lateness.
func (n *Napper) yield() {
	goyield()
	if id := ThreadID(); id != n.thread {
		n.thread = id
		exactTimers()
	}
}
