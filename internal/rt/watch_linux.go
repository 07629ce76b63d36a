package rt

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/scanout-av/scanout/media"
)

// bell is what a waker rings when the sleeper is in poll, where no futex reaches it.
type bell struct {
	polls atomic.Bool // the sleeper is in poll, or about to
	mu    sync.Mutex
	open  bool // there is a Watch; with mu held, as is
	fd    int  // its eventfd
}

// ring wakes a sleeper in poll; false when it is not there.
func (b *bell) ring() bool {
	if !b.polls.Load() {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open {
		one := uint64(1)
		// It is full after 2⁶⁴ − 2 rings, and nothing else fails.
		_, _ = unix.Write(b.fd, unsafe.Slice((*byte)(unsafe.Pointer(&one)), 8))
	}
	return true
}

// Watch is another way for the goroutine of a [Waiter] to sleep: until somebody wakes it, or
// a file has something to read.
// Ownership: Close gives back its descriptor; the file stays the caller's.
// Concurrency: the waiter's goroutine.
type Watch struct {
	w    *Waiter
	fds  [2]unix.PollFd // the file, the bell
	ts   unix.Timespec
	rung [8]byte
}

// Watch watches a file. A waiter has one at a time.
func (w *Waiter) Watch(fd int) (*Watch, error) {
	b, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("rt: watch a file: %w", os.NewSyscallError("eventfd", err))
	}
	w.park.bell.mu.Lock()
	w.park.bell.fd, w.park.bell.open = b, true
	w.park.bell.mu.Unlock()
	return &Watch{w: w, fds: [2]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(b), Events: unix.POLLIN}}}, nil
}

// Close ends the watch; what the waiter was woken for meanwhile is kept.
func (x *Watch) Close() {
	b := &x.w.park.bell
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open {
		unix.Close(b.fd)
		b.open = false
	}
}

// Wait is [Waiter.Wait] that ends, too, when the file has something to read, or its other
// side is gone; readable says so.
// Units: deadline is absolute, ns of CLOCK_MONOTONIC.
func (x *Watch) Wait(deadline media.Instant) (woken, readable bool) {
	w := x.w
	// Before the state says that somebody sleeps: who finds that rings.
	w.park.bell.polls.Store(true)
	defer w.park.bell.polls.Store(false)
	for {
		switch {
		case w.state.CompareAndSwap(signalled, idle):
			return true, false
		case w.state.CompareAndSwap(idle, waiting), w.state.Load() == waiting:
			switch n := x.poll(deadline); {
			case x.fds[0].Revents != 0:
				return w.expire(), true
			case n == 0:
				return w.expire(), false
			}
		}
	}
}

// poll waits for file and bell; 0 at the deadline.
func (x *Watch) poll(deadline media.Instant) int {
	x.fds[0].Revents, x.fds[1].Revents = 0, 0
	var ts *unix.Timespec
	if deadline != 0 {
		x.ts = unix.NsecToTimespec(int64(max(0, deadline.Sub(Now()))))
		ts = &x.ts
	}
	n, e := blockWatch(&x.fds, ts)
	if e != 0 {
		return -1 // interrupted: look again
	}
	if x.fds[1].Revents != 0 {
		_, _ = unix.Read(int(x.fds[1].Fd), x.rung[:])
	}
	return n
}

// blockWatch waits for one of the files; a nil ts waits for ever. See blockFutex.
//
//go:nosplit
func blockWatch(fds *[2]unix.PollFd, ts *unix.Timespec) (int, syscall.Errno) {
	entersyscallblock()
	n, _, e := syscall.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(fds)), 2, uintptr(unsafe.Pointer(ts)), 0, 0, 0)
	exitsyscall()
	return int(n), e
}
