package uring

import (
	"os"
	"syscall"

	"github.com/scanout-av/scanout/media"
)

// Errno is an error of the kernel, from a system call or from a completion.
type Errno syscall.Errno

func (e Errno) Error() string { return syscall.Errno(e).Error() }

// Is lets errors.Is find the Go error of the same meaning.
func (e Errno) Is(target error) bool {
	switch target {
	case media.ErrNotSupported:
		return e == Errno(syscall.ENOSYS) || e == Errno(syscall.EOPNOTSUPP)
	case media.ErrAgain:
		return e == Errno(syscall.EAGAIN) || e == Errno(syscall.ETIMEDOUT) || e == errTime
	case os.ErrClosed:
		return e == Errno(syscall.ECANCELED) || e == Errno(syscall.EBADF)
	case error(syscall.Errno(e)):
		return true
	}
	return syscall.Errno(e).Is(target)
}
