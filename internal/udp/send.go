package udp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// SendConfig says where to send. The zero value of every field but To is the documented
// default.
type SendConfig struct {
	To string // host:port; a multicast group, too
	// Local is the address to send from, host:port; "" lets the system choose.
	Local string
	// Interface sends to a multicast group through this network interface; "" lets the
	// system choose.
	Interface string
	// TTL is how many routers a packet to a multicast group may pass; 0 is 1: none.
	TTL int
	// SendBuffer is how many bytes the kernel is asked to hold; 0 leaves its default.
	SendBuffer int
	// NoGSO sends no trains (UDP_SEGMENT).
	NoGSO bool
}

// Sender sends datagrams to one address, many with one system call where the system can:
// datagrams of one length in a row leave as a train that the network card, or the
// receiver, cuts (UDP_SEGMENT), several trains with one sendmmsg.
// Concurrency: any goroutine; calls wait for each other.
type Sender struct {
	uc  *net.UDPConn
	to  netip.AddrPort
	raw rawSender

	mu     sync.Mutex
	counts struct{ sent, bytes, syscalls, refused atomic.Uint64 }
}

// SendStats are counts since NewSender.
type SendStats struct {
	Sent     uint64
	Bytes    uint64
	Syscalls uint64
	Refused  uint64 // datagrams that nobody listened for, as far as the peer's system says so
}

// NewSender opens a socket that sends to cfg.To.
// Ownership: the caller closes it.
func NewSender(cfg SendConfig) (*Sender, error) {
	s, err := newSender(cfg)
	if err != nil {
		return nil, fmt.Errorf("udp: send to %s: %w", cfg.To, err)
	}
	return s, nil
}

func newSender(cfg SendConfig) (*Sender, error) {
	e, err := parseAddress(cfg.To)
	if err != nil {
		return nil, err
	}
	if e.source.IsValid() {
		return nil, errors.New("a source cannot be chosen by an address; use the local address")
	}
	ua, err := net.ResolveUDPAddr(e.network, e.address)
	if err != nil {
		return nil, err
	}
	to := ua.AddrPort()
	if !to.Addr().IsValid() || to.Addr().IsUnspecified() || to.Port() == 0 {
		return nil, errors.New("name a host and a port to send to")
	}
	var ifi *net.Interface
	if cfg.Interface != "" {
		if ifi, err = net.InterfaceByName(cfg.Interface); err != nil {
			return nil, fmt.Errorf("interface %q does not exist: %s", cfg.Interface, interfaces())
		}
		if a := to.Addr(); a.Is6() && !a.Is4In6() && a.IsMulticast() && a.Zone() == "" {
			to = netip.AddrPortFrom(a.WithZone(ifi.Name), to.Port()) // a group of a link exists on each one
		}
	}
	if cfg.TTL < 0 || cfg.TTL > 255 {
		return nil, fmt.Errorf("TTL %d is out of range: use 1 to 255", cfg.TTL)
	}
	d := net.Dialer{}
	if cfg.Local != "" {
		local, err := net.ResolveUDPAddr("udp", cfg.Local)
		if err != nil {
			return nil, err
		}
		d.LocalAddr = local
	}
	c, err := d.DialContext(context.Background(), "udp", to.String())
	if err != nil {
		return nil, explain(err, e)
	}
	s := &Sender{uc: c.(*net.UDPConn), to: to}
	if to.Addr().IsMulticast() {
		if err := multicast(s.uc, to.Addr().Unmap().Is4(), ifi, max(cfg.TTL, 1)); err != nil {
			s.uc.Close()
			return nil, err
		}
	}
	if cfg.SendBuffer > 0 {
		_ = s.uc.SetWriteBuffer(cfg.SendBuffer) // a wish
	}
	s.raw.init(s.uc, !cfg.NoGSO)
	return s, nil
}

// multicast sets up a socket that sends to a group; this machine hears it as well.
func multicast(uc *net.UDPConn, four bool, ifi *net.Interface, ttl int) (err error) {
	var steps []error
	if four {
		p := ipv4.NewPacketConn(uc)
		steps = append(steps, p.SetMulticastTTL(ttl), p.SetMulticastLoopback(true))
		if ifi != nil {
			steps = append(steps, p.SetMulticastInterface(ifi))
		}
	} else {
		p := ipv6.NewPacketConn(uc)
		steps = append(steps, p.SetMulticastHopLimit(ttl), p.SetMulticastLoopback(true))
		if ifi != nil {
			steps = append(steps, p.SetMulticastInterface(ifi))
		}
	}
	return errors.Join(steps...)
}

// LocalAddr is the address that datagrams come from.
func (s *Sender) LocalAddr() netip.AddrPort {
	a := s.uc.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// To is the address that datagrams go to.
func (s *Sender) To() netip.AddrPort { return netip.AddrPortFrom(s.to.Addr().Unmap(), s.to.Port()) }

// Send sends datagrams in order. It waits while the kernel's buffer is full.
// Errors: os.ErrClosed after Close. That nobody listens is counted and no error: live
// senders do not depend on who does.
func (s *Sender) Send(datagrams ...[]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.raw.send(s, datagrams); err != nil {
		if errors.Is(err, net.ErrClosed) {
			return os.ErrClosed
		}
		return fmt.Errorf("udp: send to %s: %w", s.To(), err)
	}
	return nil
}

// Receive fills b with the next datagram that comes back from where this one sends to;
// none of anybody else's is passed on by the system. It waits until there is one.
// Errors: os.ErrClosed after Close.
// Concurrency: one goroutine, beside those that send.
func (s *Sender) Receive(b []byte) (n int, err error) {
	for {
		n, err = s.uc.Read(b)
		switch {
		case err == nil:
			return n, nil
		case unreachable(err): // about one that was sent
			s.counts.refused.Add(1)
		case tooLong(err):
		case errors.Is(err, net.ErrClosed):
			return 0, os.ErrClosed
		default:
			return 0, fmt.Errorf("udp: receive from %s: %w", s.To(), err)
		}
	}
}

// sendEach is what works everywhere.
func (s *Sender) sendEach(datagrams [][]byte) error {
	for _, b := range datagrams {
		for again := true; ; again = false {
			_, err := s.uc.Write(b)
			s.counts.syscalls.Add(1)
			if err != nil && unreachable(err) {
				s.counts.refused.Add(1)
				if again { // it was about an earlier one
					continue
				}
			} else if err != nil {
				return err
			}
			break
		}
		s.counts.sent.Add(1)
		s.counts.bytes.Add(uint64(len(b)))
	}
	return nil
}

// Stats returns the counts so far.
// Concurrency: any goroutine.
func (s *Sender) Stats() SendStats {
	return SendStats{s.counts.sent.Load(), s.counts.bytes.Load(), s.counts.syscalls.Load(), s.counts.refused.Load()}
}

// Close closes the socket; what was sent is on its way.
func (s *Sender) Close() error { return s.uc.Close() }
