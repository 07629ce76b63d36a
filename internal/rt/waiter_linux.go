package rt

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/scanout-av/scanout/media"
)

// Source: linux/futex.h.
const (
	futexWakePrivate       = 1 | 128
	futexWaitBitsetPrivate = 9 | 128
	futexMatchAny          = 0xffffffff
)

type parking struct {
	goPark
	bell bell
}

// sleep returns false at the deadline, true when it may have been woken.
func (w *Waiter) sleep(deadline media.Instant) bool {
	hold := false
	switch w.how {
	case SleepGo:
		return w.park.sleep(deadline)
	case SleepNap:
		w.nap.yield()
		now := Now()
		if deadline != 0 && deadline <= now {
			return false
		}
		p := piece(now, deadline)
		if p != deadline {
			w.block(p, true)
			return true // to look again
		}
		hold = holds(now, p)
	}
	return w.block(deadline, hold)
}

// block blocks the thread in the kernel; see sleep. Hold keeps the processor of Go's if there
// are enough.
func (w *Waiter) block(deadline media.Instant, hold bool) bool {
	// FUTEX_WAIT_BITSET takes an absolute time of CLOCK_MONOTONIC.
	var ts unix.Timespec
	var tsp *unix.Timespec
	if deadline != 0 {
		ts = unix.NsecToTimespec(int64(deadline))
		tsp = &ts
	}
	var e unix.Errno
	if hold && napping.enter() {
		_, _, e = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&w.state)), futexWaitBitsetPrivate,
			uintptr(waiting), uintptr(unsafe.Pointer(tsp)), 0, futexMatchAny)
		napping.leave()
	} else {
		e = blockFutex(unsafe.Pointer(&w.state), uintptr(waiting), tsp)
	}
	// EAGAIN: the state has changed; EINTR: look again.
	return e != unix.ETIMEDOUT
}

func (w *Waiter) rouse() {
	if w.park.bell.ring() {
		return
	}
	if w.how == SleepGo {
		w.park.rouse()
		return
	}
	// RawSyscall: waking never blocks.
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&w.state)), futexWakePrivate, 1, 0, 0, 0)
}
