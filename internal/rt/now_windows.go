package rt

import (
	"math/bits"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The runtime's clock ticks every 0.5 to 15.6 ms on Windows, so the performance counter
// is the monotonic clock there.
var (
	kernel32           = windows.NewLazySystemDLL("kernel32.dll")
	procCounter        = kernel32.NewProc("QueryPerformanceCounter")
	procFrequency      = kernel32.NewProc("QueryPerformanceFrequency")
	counterTicksPerSec = queryCounter(procFrequency)
)

func queryCounter(p *windows.LazyProc) (v uint64) {
	// Both cannot fail since Windows XP.
	syscall.SyscallN(p.Addr(), uintptr(unsafe.Pointer(&v)))
	return v
}

func now() int64 {
	hi, lo := bits.Mul64(queryCounter(procCounter), 1e9)
	ns, _ := bits.Div64(hi, lo, counterTicksPerSec)
	return int64(ns)
}
