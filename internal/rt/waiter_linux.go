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

type parking struct{ goPark }

// sleep returns false at the deadline, true when it may have been woken.
func (w *Waiter) sleep(deadline media.Instant) bool {
	switch w.how {
	case SleepGo:
		return w.park.sleep(deadline)
	case SleepNap:
		w.nap.yield()
		if now := Now(); deadline != 0 && deadline <= now {
			return false
		} else if p := piece(now, deadline); p != deadline {
			w.block(p)
			return true // to look again
		}
	}
	return w.block(deadline)
}

// block blocks the thread in the kernel; see sleep.
func (w *Waiter) block(deadline media.Instant) bool {
	// FUTEX_WAIT_BITSET takes an absolute time of CLOCK_MONOTONIC. A blocking system call,
	// so that the runtime can give the processor to others.
	var ts unix.Timespec
	var tsp unsafe.Pointer
	if deadline != 0 {
		ts = unix.NsecToTimespec(int64(deadline))
		tsp = unsafe.Pointer(&ts)
	}
	_, _, e := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&w.state)), futexWaitBitsetPrivate,
		uintptr(waiting), uintptr(tsp), 0, futexMatchAny)
	// EAGAIN: the state has changed; EINTR: look again.
	return e != unix.ETIMEDOUT
}

func (w *Waiter) rouse() {
	if w.how == SleepGo {
		w.park.rouse()
		return
	}
	// RawSyscall: waking never blocks.
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&w.state)), futexWakePrivate, 1, 0, 0, 0)
}
