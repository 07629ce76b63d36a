package rt

import _ "unsafe" // for linkname

// All are exported by the runtime for linking. nanotime reads the clock through the
// vDSO: a quarter of what clock_gettime costs as a system call.

//go:linkname nanotime runtime.nanotime
func nanotime() int64

//go:linkname procyield runtime.procyield
func procyield(n uint32)

// goyield is runtime.Gosched without waking another thread to look for work.
//
//go:linkname goyield runtime.goyield
func goyield()
