// Package ring is a queue between two goroutines: one pushes, one pops, nobody locks and
// nobody allocates.
//
// Each side keeps its own index on its own cache line together with what it last saw of
// the other's, so that a queue that is neither full nor empty moves without the two
// touching each other's lines. A side that has to wait sleeps on its [rt.Waiter]; the
// other pays one load for each push or pop to see that nobody sleeps.
package ring

import (
	"fmt"
	"math/bits"
	"sync/atomic"

	"golang.org/x/sys/cpu"

	"github.com/scanout-av/scanout/internal/rt"
)

// Config describes a ring.
type Config struct {
	// Capacity is rounded up to a power of two.
	Capacity int
	// Consumer and Producer are where the two sides sleep; nil is a waiter of the ring's
	// own that parks the goroutine. A side on a locked thread brings one that sleeps in the
	// kernel. Several rings may share the waiter of a goroutine that serves them all; it
	// then waits on the waiter itself (Prepare, look at every ring, Wait), because a wait on
	// one ring would swallow the wake-ups of the others.
	Consumer, Producer *rt.Waiter
	// Refill is how many places must be free before a producer that found the ring full is
	// woken; 0 is one. With more, a consumer that takes elements one at a time wakes it
	// less often: once for Refill elements.
	Refill int
}

// Ring is a bounded queue with one producer and one consumer.
//
// Concurrency: the Push methods and WaitRoom on one goroutine at a time, the Pop methods
// and Wait on one; Len, Close and the Interrupt methods from any.
type Ring[T any] struct {
	_ cpu.CacheLinePad

	// Read only.
	slots    []T
	mask     uint64
	consumer *rt.Waiter
	producer *rt.Waiter
	low      uint64 // a producer that waits is woken at this length and below
	// Hardly ever written.
	closed     atomic.Bool
	stopPops   atomic.Bool
	stopPushes atomic.Bool

	_ cpu.CacheLinePad

	// The consumer's line. Indices run on and are masked at use.
	head     atomic.Uint64
	seenTail uint64

	_ cpu.CacheLinePad

	// The producer's line.
	tail     atomic.Uint64
	seenHead uint64

	_ cpu.CacheLinePad
}

const maxCapacity = 1 << 30

// New makes a ring.
func New[T any](cfg Config) (*Ring[T], error) {
	if cfg.Capacity < 1 || cfg.Capacity > maxCapacity {
		return nil, fmt.Errorf("ring: capacity %d: want 1 to %d", cfg.Capacity, maxCapacity)
	}
	n := uint64(1) << bits.Len64(uint64(cfg.Capacity-1))
	if cfg.Refill < 0 || cfg.Refill > int(n) {
		return nil, fmt.Errorf("ring: refill at %d free places of %d", cfg.Refill, n)
	}
	r := &Ring[T]{slots: make([]T, n), mask: n - 1, consumer: cfg.Consumer, producer: cfg.Producer,
		low: n - uint64(max(cfg.Refill, 1))}
	if r.consumer == nil {
		r.consumer = rt.NewWaiter(rt.SleepGo)
	}
	if r.producer == nil {
		r.producer = rt.NewWaiter(rt.SleepGo)
	}
	return r, nil
}

// Cap returns the capacity, a power of two.
func (r *Ring[T]) Cap() int { return len(r.slots) }

// Len returns the number of queued elements; on a third goroutine it is a snapshot.
func (r *Ring[T]) Len() int {
	// head first: it never overtakes a tail that is read later.
	h := r.head.Load()
	return min(int(r.tail.Load()-h), len(r.slots))
}

// Closed reports whether Close has been called.
func (r *Ring[T]) Closed() bool { return r.closed.Load() }

// TryPush appends v unless the ring is full or closed.
// Ownership: v stays the caller's when it returns false.
func (r *Ring[T]) TryPush(v T) bool {
	t := r.tail.Load()
	if t-r.seenHead == uint64(len(r.slots)) {
		if r.seenHead = r.head.Load(); t-r.seenHead == uint64(len(r.slots)) {
			return false
		}
	}
	if r.closed.Load() {
		return false
	}
	r.slots[t&r.mask] = v
	// The store publishes the element, and it is ordered before the look at the waiter:
	// either the consumer sees the element or this side sees the sleeper.
	r.tail.Store(t + 1)
	r.consumer.WakeWaiting()
	return true
}

// TryPop takes the oldest element; ok is false when there is none, also in a closed ring
// that still had some.
func (r *Ring[T]) TryPop() (v T, ok bool) {
	h := r.head.Load()
	if h == r.seenTail {
		if r.seenTail = r.tail.Load(); h == r.seenTail {
			return v, false
		}
	}
	s := &r.slots[h&r.mask]
	v = *s
	var zero T
	*s = zero // the ring must not keep alive what it has handed out
	r.head.Store(h + 1)
	r.wakeProducer(h + 1)
	return v, true
}

// PushBatch appends as many of vs as fit and returns how many; 0 when the ring is full or
// closed. One publication for all of them: a fraction of the cost of TryPush for each.
func (r *Ring[T]) PushBatch(vs []T) int {
	t := r.tail.Load()
	size := uint64(len(r.slots))
	if size-(t-r.seenHead) < uint64(len(vs)) {
		r.seenHead = r.head.Load()
	}
	n := int(min(size-(t-r.seenHead), uint64(len(vs))))
	if n == 0 || r.closed.Load() {
		return 0
	}
	k := copy(r.slots[t&r.mask:], vs[:n])
	copy(r.slots, vs[k:n])
	r.tail.Store(t + uint64(n))
	r.consumer.WakeWaiting()
	return n
}

// PopBatch fills vs with the oldest elements and returns how many there were.
func (r *Ring[T]) PopBatch(vs []T) int {
	h := r.head.Load()
	if r.seenTail-h < uint64(len(vs)) {
		r.seenTail = r.tail.Load()
	}
	n := int(min(r.seenTail-h, uint64(len(vs))))
	if n == 0 {
		return 0
	}
	from := r.slots[h&r.mask:]
	k := copy(vs[:n], from)
	clear(from[:k])
	copy(vs[k:n], r.slots)
	clear(r.slots[:n-k])
	r.head.Store(h + uint64(n))
	r.wakeProducer(h + uint64(n))
	return n
}

// wakeProducer wakes a waiting producer when there is room enough for it. What this side
// last saw of the tail is never ahead of it, so no wake-up is missed; but it may be far
// behind. The tail of one who waits stands still.
func (r *Ring[T]) wakeProducer(head uint64) {
	if r.seenTail-head > r.low || !r.producer.Waiting() {
		return
	}
	if r.seenTail = r.tail.Load(); r.seenTail-head <= r.low {
		r.producer.WakeWaiting()
	}
}
