package rt

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// System calls that are going to block, and say so to the Go runtime: the processor is
// handed on at once. An ordinary system call keeps it until the runtime's monitor thread
// takes it away, for which that looks every 20 µs, and begins anew with every call that
// takes longer: on a virtual machine, where a wake-up costs 25 µs, a sixth of what live
// playback used. Calls that return at once are better made with RawSyscall.
//
// The addresses are taken behind entersyscallblock: from there on no stack is moved.

// Both are exported by the runtime for linking.

//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()

// blockFutex waits on addr while it holds v; ts is absolute and may be nil.
//
//go:nosplit
func blockFutex(addr unsafe.Pointer, v uintptr, ts *unix.Timespec) syscall.Errno {
	entersyscallblock()
	_, _, e := syscall.RawSyscall6(unix.SYS_FUTEX, uintptr(addr), futexWaitBitsetPrivate, v, uintptr(unsafe.Pointer(ts)), 0, futexMatchAny)
	exitsyscall()
	return e
}

// blockSleep sleeps until ts, an absolute time of CLOCK_MONOTONIC.
//
//go:nosplit
func blockSleep(ts *unix.Timespec) syscall.Errno {
	entersyscallblock()
	_, _, e := syscall.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, uintptr(unsafe.Pointer(ts)), 0, 0, 0)
	exitsyscall()
	return e
}

// Recvmmsg is recvmmsg for a call that waits: vec are n struct mmsghdr. It returns how
// many were filled.
//
//go:nosplit
func Recvmmsg(fd int, vec unsafe.Pointer, n, flags int) (int, syscall.Errno) {
	entersyscallblock()
	r, _, e := syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(vec), uintptr(n), uintptr(flags), 0, 0)
	exitsyscall()
	return int(r), e
}

// Poll waits for fd, at most for ts.
//
//go:nosplit
func Poll(fd *unix.PollFd, ts *unix.Timespec) syscall.Errno {
	entersyscallblock()
	_, _, e := syscall.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(fd)), 1, uintptr(unsafe.Pointer(ts)), 0, 0, 0)
	exitsyscall()
	return e
}
