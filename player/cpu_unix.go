//go:build unix

package player

import (
	"syscall"
	"time"
)

// ProcessCPU returns the processor time that this process has used so far.
func ProcessCPU() CPU {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		return CPU{}
	}
	return CPU{time.Duration(ru.Utime.Nano()), time.Duration(ru.Stime.Nano())}
}
