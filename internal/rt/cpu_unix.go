//go:build unix

package rt

import (
	"time"

	"golang.org/x/sys/unix"
)

// processCPU is the processor time that the process has used.
func processCPU() time.Duration {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
