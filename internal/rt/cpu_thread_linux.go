package rt

import (
	"time"

	"golang.org/x/sys/unix"
)

// ThreadCPU returns the processor time that the calling thread has used so far; 0 where
// the system does not say. What other threads and processes take is not in it.
func ThreadCPU() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
