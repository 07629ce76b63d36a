//go:build !amd64 || !(linux || darwin) || scanout_purego

package libav

// fastGetBuffer is the address of get_buffer2 in assembly, 0 where there is none.
const fastGetBuffer = uintptr(0)
