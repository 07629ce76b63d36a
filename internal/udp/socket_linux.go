package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/scanout-av/scanout/internal/uring"
)

// open chooses the path and takes uc for it.
func (c *Conn) open(cfg *Config, uc *net.UDPConn) error {
	switch cfg.Receive {
	case PathNet:
		return c.openNet(cfg, uc)
	case PathAuto:
		cfg.Receive = PathMMsg
	case PathURing:
		if _, err := uring.Probe(); err != nil {
			uc.Close()
			return fmt.Errorf("receive path uring: %w; use auto, mmsg or net", err)
		}
	}
	s, err := newSocket(c, uc)
	if err != nil {
		return err
	}
	if cfg.Receive == PathURing {
		return c.openURing(cfg, s)
	}
	return c.openMMsg(cfg, s)
}

// socket is what both Linux paths receive from: a descriptor that Go's network poller
// does not know by itself: it would be woken for every packet, see [rt.Poller].
type socket struct {
	fd      int
	v6      bool
	senders senders
}

// newSocket takes the descriptor out of uc, which is closed.
func newSocket(c *Conn, uc *net.UDPConn) (*socket, error) {
	s := &socket{fd: -1}
	var err error
	control(uc, func(fd int) { s.fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) })
	uc.Close()
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	domain, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		s.close()
		return nil, os.NewSyscallError("getsockopt", err)
	}
	s.v6 = domain == unix.AF_INET6
	c.counts.stamps.Store(unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) == nil)
	return s, nil
}

func (s *socket) send(b []byte, to netip.AddrPort) error {
	var name sockaddr
	n, err := name.set(to, s.v6)
	if err != nil {
		return err
	}
	// On a raw call's stack: nothing escapes, nothing blocks.
	for {
		_, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, uintptr(unsafe.Pointer(&name)), uintptr(n))
		switch e {
		case 0, unix.EAGAIN:
			return nil
		case unix.EINTR:
			continue
		}
		return e
	}
}

func (s *socket) kernel() kernelCounters { return countersOf(s.fd) }

func (s *socket) close() { _ = unix.Close(s.fd) }

// control runs f with the descriptor of uc.
func control(uc *net.UDPConn, f func(fd int)) {
	if rc, err := uc.SyscallConn(); err == nil {
		_ = rc.Control(func(fd uintptr) { f(int(fd)) }) // fails after Close only
	}
}

// setReceiveBuffer asks for n bytes, beyond the system's limit where this process may.
func (c *Conn) setReceiveBuffer(uc *net.UDPConn, n int) {
	control(uc, func(fd int) {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, n) != nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, n) // cut, never refused
		}
		// The kernel doubles what it was asked for, for its own bookkeeping.
		if got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF); err == nil {
			c.warnCut(got, n)
		}
	})
}

// warnCut says what it means that the kernel granted less than was asked for.
func (c *Conn) warnCut(got, asked int) {
	if got/2 < asked {
		c.warnings = append(c.warnings, fmt.Sprintf(
			"the kernel granted %d KiB of receive buffer instead of %d, room for about %d packets: bursts may be lost; allow more with sysctl -w net.core.rmem_max=%d",
			got/2>>10, asked>>10, got/chargedPacket, asked))
	}
}

// chargedPacket is what the kernel charges for a packet of an Ethernet frame's size.
const chargedPacket = 2304

func socketCounters(uc *net.UDPConn) (k kernelCounters) {
	control(uc, func(fd int) { k = countersOf(fd) })
	return k
}

// countersOf asks for the counter that SO_RXQ_OVFL would attach to packets. Asked this
// way it costs nothing a packet, and losses after the last packet are in it, too.
// Source: linux/sock_diag.h, SK_MEMINFO_*.
func countersOf(fd int) kernelCounters {
	var info [9]uint32
	n := uint32(unsafe.Sizeof(info))
	_, _, e := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&n)), 0)
	if e != 0 { // before Linux 4.12
		return kernelCounters{}
	}
	return kernelCounters{drops: uint64(info[unix.SK_MEMINFO_DROPS]), buffer: int(info[unix.SK_MEMINFO_RCVBUF])}
}

// onlyJoined keeps out what other sockets of this machine have joined on the same port:
// Linux delivers it to every socket there, unless told otherwise.
func onlyJoined(uc *net.UDPConn) {
	control(uc, func(fd int) {
		// One of the two fits the socket.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0)
	})
}

var errFamily = errors.New("an IPv6 address cannot be reached from an IPv4 socket")
