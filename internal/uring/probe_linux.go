package uring

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scanout-av/scanout/media"
)

// Support says what this kernel can do for this process.
type Support struct {
	MinWait bool // waits can gather completions
}

// Probe receives one datagram through a ring, once for the process.
// Errors: media.ErrNotSupported with the reason.
func Probe() (Support, error) { return probed() }

var probed = sync.OnceValues(func() (Support, error) {
	s, err := probe()
	if err == nil {
		return s, nil
	}
	why := "it does not work as it should"
	switch {
	case errors.Is(err, unix.ENOSYS):
		why = "this kernel has none (Linux 6.1 or newer has) or a sandbox hides it"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		why = "not allowed here, by a sandbox or by sysctl kernel.io_uring_disabled"
	case errors.Is(err, unix.EINVAL):
		why = "this kernel's is too old; Linux 6.1 or newer is needed"
	case errors.Is(err, unix.ENOMEM):
		why = "no memory may be locked for it: raise ulimit -l"
	}
	return Support{}, fmt.Errorf("io_uring: %w: %s (%w)", media.ErrNotSupported, why, err)
})

func probe() (s Support, err error) {
	// The ring belongs to a thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return s, err
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	r, err := New(Config{})
	if err != nil {
		return s, err
	}
	const room = 64
	memory, err := unix.Mmap(-1, 0, room, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		r.Close()
		return s, err
	}
	defer unix.Munmap(memory)
	b, err := r.NewBuffers(0, 1)
	if err != nil {
		r.Close()
		return s, err
	}
	defer b.Close()
	defer r.Close()
	if err := r.Enable(); err != nil {
		return s, err
	}
	b.Add(memory, 0)
	b.Publish()
	r.RecvmsgMultishot(pair[0], new(unix.Msghdr), 0, 1)
	if err := unix.Send(pair[1], []byte("probe"), 0); err != nil {
		return s, err
	}
	if err := r.Wait(1, time.Microsecond, time.Second); err != nil {
		return s, err
	}
	c, ok := r.Peek()
	if !ok {
		return s, Errno(unix.ETIME)
	}
	if err := c.Err(); err != nil {
		return s, err
	}
	if m, ok := ParseRecvmsg(memory[:min(int(c.Result), room)], 0, 0); !ok || string(m.Payload) != "probe" {
		return s, errors.New("it returned another message than was sent")
	}
	return Support{MinWait: r.MinWait()}, nil
}
