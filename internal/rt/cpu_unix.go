//go:build unix

package rt

import (
	"time"

	"golang.org/x/sys/unix"
)

// ProcessCPU returns the processor time that this process has used so far, in its own code
// and in the kernel; 0 where the system does not say.
func ProcessCPU() CPU {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) != nil {
		return CPU{}
	}
	return CPU{time.Duration(r.Utime.Nano()), time.Duration(r.Stime.Nano())}
}
