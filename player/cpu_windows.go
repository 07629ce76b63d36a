package player

import (
	"time"

	"golang.org/x/sys/windows"
)

// ProcessCPU returns the processor time that this process has used so far.
func ProcessCPU() CPU {
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(windows.CurrentProcess(), &created, &exited, &kernel, &user); err != nil {
		return CPU{}
	}
	span := func(f windows.Filetime) time.Duration {
		return time.Duration(int64(f.HighDateTime)<<32|int64(f.LowDateTime)) * 100
	}
	return CPU{span(user), span(kernel)}
}
