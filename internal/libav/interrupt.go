//go:build (amd64 || arm64) && (linux || darwin || windows)

package libav

// interruptPC is the address of the interrupt callback in assembly: it returns Stop of the
// [Interrupt] that its argument points to, or over. libavformat asks before each read; assembly makes that
// cost nothing and allocate nothing.
var interruptPC uintptr

func interruptCallback() uintptr { return interruptPC }
