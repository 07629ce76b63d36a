package rt

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/scanout-av/scanout/media"
)

// Poller waits for a descriptor, and for exact moments, in Go's network poller: the
// goroutine is parked and its thread waits for all of Go's descriptors, with nothing else to
// wake up for. All system calls are raw: an ordinary one tells Go's monitor thread, which
// sleeps while all of Go's processors are idle, to look after it, and then it looks around
// for a millisecond. So waiting costs one wake-up, which is less than any wait in the kernel
// does, as long as the program has nothing else to do; where something keeps the monitor
// thread awake (C calls do), it costs what a nap does (see [Napper]).
//
// What Go's poller knows is an epoll descriptor with the descriptor and a timerfd in it. A
// datagram socket by itself would wake a thread for each packet, also while nobody waits for
// packets; in the inner epoll it is armed for one event at a time. Go's own timers have the
// resolution of epoll_wait, a millisecond.
//
// Concurrency: one goroutine; Close when it has returned.
type Poller struct {
	outer *os.File // the epoll descriptor, in Go's poller
	conn  syscall.RawConn
	step  func(uintptr) bool
	epoll int
	timer int
	fd    int

	until media.Instant // 0 is for ever
	timed bool          // the timer is set
	watch bool          // fd is waited for
	armed bool          // its next event is asked for and has not come
	ready bool          // it has
	begun bool
	calls int

	spec   unix.ItimerSpec
	event  unix.EpollEvent
	events [2]unix.EpollEvent
}

// NewPoller returns a poller for fd.
// Ownership: fd stays the caller's, and open until after Close.
func NewPoller(fd int) (*Poller, error) {
	p := &Poller{epoll: -1, timer: -1, fd: fd}
	p.step = p.try
	if err := p.open(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Poller) open() (err error) {
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if p.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return os.NewSyscallError("timerfd_create", err)
	}
	add := func(fd int, events uint32) {
		if err == nil {
			err = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
		}
	}
	add(p.timer, unix.EPOLLIN)
	add(p.fd, unix.EPOLLONESHOT)
	if err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	// os takes what does not block into Go's poller; only there may it have deadlines.
	if err := unix.SetNonblock(p.epoll, true); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	p.outer = os.NewFile(uintptr(p.epoll), "epoll")
	if err := p.outer.SetDeadline(time.Time{}); err != nil {
		return err
	}
	p.conn, err = p.outer.SyscallConn()
	return err
}

// Close lets go of everything but the descriptor.
func (p *Poller) Close() {
	switch {
	case p.outer != nil:
		_ = p.outer.Close()
	case p.epoll >= 0:
		_ = unix.Close(p.epoll)
	}
	if p.timer >= 0 {
		_ = unix.Close(p.timer)
	}
}

// WaitRead waits until there is something to read, at most until deadline, and reports
// whether there is.
// Units: deadline is absolute, ns of CLOCK_MONOTONIC; 0 is for ever.
func (p *Poller) WaitRead(deadline media.Instant) bool {
	p.watch, p.until = true, deadline
	if deadline < 0 {
		p.until = 1 // has passed, too, and is a time that a timer takes
	}
	return p.park()
}

// SleepUntil sleeps until deadline, whatever there is to read.
// Units: as of WaitRead; one that is 0 has passed.
func (p *Poller) SleepUntil(deadline media.Instant) {
	if deadline > 0 {
		p.watch, p.until = false, deadline
		p.park()
	}
}

// Calls is how many system calls the last wait made, without those of Go's poller.
func (p *Poller) Calls() int { return p.calls }

func (p *Poller) park() bool {
	p.begun, p.ready, p.calls = false, false, 0
	_ = p.conn.Read(p.step) // fails when it has been closed
	return p.ready
}

// try reports whether waiting is over. It is called once when Go's poller has forgotten all
// earlier events, and again after each event.
func (p *Poller) try(uintptr) bool {
	if p.begun {
		return p.look()
	}
	p.begun = true
	if p.until != 0 || p.timed {
		p.setTimer()
	}
	switch {
	case !p.watch:
		return false
	case p.armed:
		// By a wait that ended without it. If it is there by now, that was an event that
		// Go's poller has forgotten.
		return p.look()
	}
	p.arm()
	return false
}

// look takes what has happened.
func (p *Poller) look() (over bool) {
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll), uintptr(unsafe.Pointer(&p.events)), uintptr(len(p.events)), 0, 0, 0)
	p.calls++
	if e != 0 {
		n = 0
	}
	for i := range p.events[:n] {
		if p.events[i].Fd == int32(p.fd) {
			p.armed = false
			p.ready = p.watch
		} else {
			over = p.until != 0
		}
	}
	return over || p.ready
}

// arm asks for the next event of fd. Something to read that is there already is one.
func (p *Poller) arm() {
	p.calls++
	p.armed = true
	p.event = unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(p.fd)}
	_, _, _ = unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.epoll), unix.EPOLL_CTL_MOD, uintptr(p.fd), uintptr(unsafe.Pointer(&p.event)), 0, 0)
}

// setTimer sets the timer, which then forgets that it has expired; an until of 0 stops it.
func (p *Poller) setTimer() {
	p.calls++
	p.timed = p.until != 0
	p.spec.Value = unix.NsecToTimespec(int64(p.until))
	_, _, _ = unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(p.timer), unix.TFD_TIMER_ABSTIME, uintptr(unsafe.Pointer(&p.spec)), 0, 0, 0)
}
