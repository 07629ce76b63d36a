//go:build unix

package ffmpeg

import "syscall"

// cpuTime returns the CPU time of the process in ns.
func cpuTime() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}
