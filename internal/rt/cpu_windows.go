package rt

import (
	"time"

	"golang.org/x/sys/windows"
)

// ProcessCPU returns the processor time that this process has used so far, in its own code
// and in the kernel; 0 where the system does not say.
func ProcessCPU() CPU {
	var created, exited, kernel, own windows.Filetime
	if windows.GetProcessTimes(windows.CurrentProcess(), &created, &exited, &kernel, &own) != nil {
		return CPU{}
	}
	// A Filetime counts 100 ns.
	span := func(f windows.Filetime) time.Duration {
		return time.Duration(int64(f.HighDateTime)<<32|int64(f.LowDateTime)) * 100
	}
	return CPU{span(own), span(kernel)}
}
