package udp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

// netReceiver is [PathNet]: one packet a call, through Go's network poller.
type netReceiver struct {
	c     *Conn
	uc    *net.UDPConn
	size  int
	until media.Instant // deadline that the socket has
}

func (c *Conn) openNet(cfg *Config, uc *net.UDPConn) error {
	// One byte more, so that a packet that is too long shows.
	m, err := newMemory(cfg.Packets, roundUp(cfg.PacketSize+1, 64), 0, 0)
	if err != nil {
		uc.Close()
		return err
	}
	c.path, c.memory = PathNet, m
	c.receiver = &netReceiver{c: c, uc: uc, size: cfg.PacketSize}
	return nil
}

func (r *netReceiver) receive(pkts []Packet, deadline media.Instant) (int, error) {
	m := r.c.memory
	if deadline != r.until || deadline != 0 && deadline <= rt.Now() {
		t := time.Time{}
		if deadline != 0 {
			// A deadline in the past would not even look.
			t = time.Now().Add(max(deadline.Sub(rt.Now()), 50*time.Microsecond))
		}
		if err := r.uc.SetReadDeadline(t); err != nil {
			return 0, closedOr(err)
		}
		r.until = deadline
		// Interrupt sets the flag, then a deadline; here it is the other way about, so one
		// of the two notices.
		if r.c.interrupted.Load() {
			return 0, os.ErrClosed
		}
	}
	for {
		i, ok := m.take(slotList)
		if !ok {
			return 0, ErrExhausted
		}
		b := m.bytes(i)[:r.size+1]
		n, from, err := r.uc.ReadFromUDPAddrPort(b)
		r.c.counts.syscalls.Add(1)
		switch {
		case err == nil && n <= r.size:
			m.lend(i, 1)
			pkts[0] = Packet{b[:n:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), rt.Now(), i + 1}
			return 1, nil
		case err == nil || tooLong(err):
			m.putOwn(i)
			r.c.counts.truncated.Add(1)
		case errors.Is(err, os.ErrDeadlineExceeded):
			m.putOwn(i)
			return 0, media.ErrAgain
		case unreachable(err):
			m.putOwn(i) // an earlier WriteTo was refused; nothing was received
		default:
			m.putOwn(i)
			return 0, closedOr(err)
		}
	}
}

func closedOr(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return os.ErrClosed
	}
	return err
}

func (r *netReceiver) send(b []byte, to netip.AddrPort) error {
	_, err := r.uc.WriteToUDPAddrPort(b, to)
	return closedOr(err)
}

func (r *netReceiver) interrupt() { _ = r.uc.SetReadDeadline(time.Unix(1, 0)) }

func (r *netReceiver) kernel() kernelCounters { return socketCounters(r.uc) }

func (r *netReceiver) reap() error { return r.uc.Close() }
