//go:build unix

package main

import "golang.org/x/sys/unix"

// voluntarySwitches is how often a thread of this process has gone to sleep.
func voluntarySwitches() int64 {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return int64(r.Nvcsw)
}
