//go:build !amd64 || !(linux || darwin) || scanout_purego

package libav

// FastAllocation says that a picture gets its slot without entering Go and without a heap
// allocation; elsewhere a callback costs some for each picture.
const FastAllocation = false

// fastGetBuffer is the address of get_buffer2 in assembly, 0 where there is none.
const fastGetBuffer = uintptr(0)
