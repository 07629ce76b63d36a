package ring

import (
	"io"
	"os"

	"github.com/scanout-av/scanout/media"
)

// How a side sleeps. The same three steps in Wait, WaitRoom and TryPush/TryPop:
//
//  1. sleeper: announce (Waiter.Prepare)        1. other: change the index
//  2. sleeper: look again                       2. other: look for a sleeper
//  3. sleeper: sleep, or take it back           3. other: wake it
//
// Both orders are kept by sequentially consistent atomics, so at least one of the two
// looks finds something. TestSleepProtocol goes through every interleaving.

// Push appends v, waiting for room until deadline; 0 waits for ever.
// Ownership: v stays the caller's on error.
// Units: deadline is absolute, ns of CLOCK_MONOTONIC.
// Errors: [media.ErrAgain] at the deadline or after InterruptPush; [os.ErrClosed].
func (r *Ring[T]) Push(v T, deadline media.Instant) error {
	for {
		if r.TryPush(v) {
			return nil
		}
		if err := r.WaitRoom(deadline); err != nil {
			return err
		}
	}
}

// Pop takes the oldest element, waiting for one until deadline; 0 waits for ever.
// Errors: [media.ErrAgain] at the deadline or after InterruptPop; [io.EOF] when the ring
// is closed and empty.
func (r *Ring[T]) Pop(deadline media.Instant) (v T, err error) {
	for {
		if v, ok := r.TryPop(); ok {
			return v, nil
		}
		if err := r.Wait(deadline); err != nil {
			return v, err
		}
	}
}

// Wait waits until there is an element to pop, at most until deadline; 0 is for ever.
// Errors: those of Pop.
func (r *Ring[T]) Wait(deadline media.Instant) error {
	for {
		// closed is read before the indices: what was pushed before Close is found.
		closed := r.closed.Load()
		if r.Len() > 0 {
			return nil
		}
		if closed {
			return io.EOF
		}
		if r.stopPops.Load() {
			r.stopPops.Store(false)
			return media.ErrAgain
		}
		r.consumer.Prepare()
		if r.Len() > 0 || r.closed.Load() || r.stopPops.Load() {
			r.consumer.Cancel()
			continue
		}
		if !r.consumer.Wait(deadline) && r.Len() == 0 && !r.closed.Load() {
			return media.ErrAgain
		}
	}
}

// WaitRoom waits until there is room to push, at most until deadline; 0 is for ever. A
// producer that has to sleep sleeps until Config.Refill places are free.
// Errors: those of Push.
func (r *Ring[T]) WaitRoom(deadline media.Instant) error {
	for {
		switch {
		case r.closed.Load():
			return os.ErrClosed
		case r.Len() < len(r.slots):
			return nil
		case r.stopPushes.Load():
			r.stopPushes.Store(false)
			return media.ErrAgain
		}
		r.producer.Prepare()
		if uint64(r.Len()) <= r.low || r.closed.Load() || r.stopPushes.Load() {
			r.producer.Cancel()
			continue
		}
		if !r.producer.Wait(deadline) && r.Len() == len(r.slots) && !r.closed.Load() {
			return media.ErrAgain
		}
	}
}

// InterruptPop makes a wait for an element, this one or the next, return
// [media.ErrAgain]: something else wants the consumer's attention.
func (r *Ring[T]) InterruptPop() {
	r.stopPops.Store(true)
	r.consumer.WakeWaiting()
}

// InterruptPush is InterruptPop for a wait for room.
func (r *Ring[T]) InterruptPush() {
	r.stopPushes.Store(true)
	r.producer.WakeWaiting()
}

// Close ends the ring: pushes fail, pops take what is left and then fail with [io.EOF].
// Both sides wake up. Closing again does nothing.
//
// Ownership: a push that runs at the same moment may still succeed after the consumer has
// seen the end. When elements own something, whoever closes empties the ring with TryPop
// once both sides have stopped.
func (r *Ring[T]) Close() {
	r.closed.Store(true)
	r.consumer.WakeWaiting()
	r.producer.WakeWaiting()
}
