//go:build linux || darwin

package raw

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// takeOver makes reads from r interruptible. A pipe on standard input is in blocking mode
// and unknown to Go's poller: a second descriptor of it is made non-blocking. That mode is
// shared with the first, so restore undoes it.
func takeOver(r io.Reader) (_ io.Reader, restore func() error, err error) {
	f, ok := r.(*os.File)
	if !ok {
		return r, nil, nil
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	var second *os.File
	ctlErr := conn.Control(func(fd uintptr) {
		flags, _ := unix.FcntlInt(fd, unix.F_GETFL, 0)
		switch mode := fi.Mode(); {
		case flags&unix.O_NONBLOCK != 0 && f.SetReadDeadline(time.Time{}) == nil:
			// Go's own: interruptible as it is.
		case mode&os.ModeCharDevice != 0:
			if _, e := unix.IoctlGetTermios(int(fd), getTermios); e == nil {
				err = errors.New("it is a terminal; send video, as in: ffmpeg … -f yuv4mpegpipe - | scanout play -")
			}
		case mode&(os.ModeNamedPipe|os.ModeSocket) != 0:
			var dup int
			if dup, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err != nil {
				return
			}
			if err = unix.SetNonblock(dup, true); err != nil {
				unix.Close(dup)
				return
			}
			second = os.NewFile(uintptr(dup), f.Name())
		}
	})
	if err = errors.Join(ctlErr, err); err != nil {
		return nil, nil, fmt.Errorf("prepare for reading: %w", err)
	}
	if second == nil {
		return r, nil, nil
	}
	restore = func() error {
		var e error
		if ctl := conn.Control(func(fd uintptr) { e = unix.SetNonblock(int(fd), false) }); ctl != nil {
			return nil // closed by its owner meanwhile
		}
		if f != os.Stdin {
			e = errors.Join(e, f.Close())
		}
		return e
	}
	return second, restore, nil
}
