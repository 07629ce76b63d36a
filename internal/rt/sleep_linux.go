package rt

import (
	"golang.org/x/sys/unix"

	"github.com/scanout-av/scanout/media"
)

// SleepUntil sleeps until deadline; one in the past returns at once. On a locked thread
// with [Thread]'s timer slack it is late by 40 µs in the mean on an idle machine.
// Units: deadline is absolute, ns of CLOCK_MONOTONIC.
func SleepUntil(deadline media.Instant) {
	if deadline <= 0 {
		return
	}
	ts := unix.NsecToTimespec(int64(deadline))
	// A blocking system call: a raw one would keep the processor and hold up the garbage
	// collector for the length of the sleep.
	for blockSleep(&ts) == unix.EINTR {
	}
}

// holdUntil is SleepUntil for a nap, which keeps the processor of Go's.
func holdUntil(deadline media.Instant) {
	ts := unix.NsecToTimespec(int64(deadline))
	for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &ts, nil) == unix.EINTR {
	}
}
