package rt

import (
	"os"

	"golang.org/x/sys/unix"
)

const haveTimerfd = true

func (s *sleeper) openTimerfd() error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("timerfd_create", err)
	}
	s.fd = fd
	spec := unix.ItimerSpec{
		Value:    unix.NsecToTimespec(int64(s.origin.Add(s.cfg.Period))),
		Interval: unix.NsecToTimespec(int64(s.cfg.Period)),
	}
	if err := unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		return os.NewSyscallError("timerfd_settime", err)
	}
	return nil
}

func (s *sleeper) readTimerfd() error {
	var b [8]byte
	for {
		if _, err := unix.Read(s.fd, b[:]); err != unix.EINTR {
			return os.NewSyscallError("read", err)
		}
	}
}

func (s *sleeper) closeTimerfd() {
	if s.fd > 0 {
		unix.Close(s.fd)
	}
}
