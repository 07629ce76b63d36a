package udp

import (
	"fmt"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/scanout-av/scanout/media"
)

func (c *Conn) open(cfg *Config, uc *net.UDPConn) error {
	if cfg.Receive == PathURing || cfg.Receive == PathMMsg {
		uc.Close()
		return fmt.Errorf("receive path %s: %w in this version", cfg.Receive, media.ErrNotSupported)
	}
	return c.openNet(cfg, uc)
}

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
		if got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF); err == nil && got/2 < n {
			c.warnings = append(c.warnings, fmt.Sprintf(
				"the kernel granted %d KiB of receive buffer instead of %d, about %d packets: bursts may be lost; allow more with sysctl -w net.core.rmem_max=%d",
				got/2>>10, n>>10, got/chargedPacket, n))
		}
	})
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
