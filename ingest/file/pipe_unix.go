//go:build unix

package file

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openPipe opens a named pipe, a terminal or standard input so that reading it never
// blocks in the kernel, where nothing could interrupt it: FFmpeg then polls, and asks
// the interrupt callback between. It waits for the writer to come.
func (s *Source) openPipe(path string) (string, error) {
	f, err := os.OpenFile(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	s.pipe = f
	// Fd would switch the descriptor back to blocking.
	raw, err := f.SyscallConn()
	if err != nil {
		return "", err
	}
	fd := -1
	if err := raw.Control(func(d uintptr) { fd = int(d) }); err != nil {
		return "", err
	}
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		if s.stop.Load() == stopUser {
			return "", os.ErrClosed
		}
		n, err := unix.Poll(poll, 50)
		if n > 0 {
			return fmt.Sprintf("pipe:%d", fd), nil
		}
		if err != nil && err != unix.EINTR {
			return "", err
		}
	}
}
