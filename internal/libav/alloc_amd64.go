//go:build (linux || darwin) && !scanout_purego

package libav

// fastGetBuffer is the address of get_buffer2 in assembly, 0 where there is none.
var fastGetBuffer uintptr
