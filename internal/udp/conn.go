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
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/scanout-av/scanout/media"
)

// Packet is one received datagram.
//
// Ownership: the receiver of Receive holds it until Release. It may be copied as a value
// and handed on; whoever holds it last releases it, once. Packets of one train share
// memory, which is free again when the last of them is.
type Packet struct {
	Data []byte
	From netip.AddrPort
	// Received is when the kernel took the packet from the network, or, where
	// [Stats].KernelStamps says that it does not tell, when Receive read it.
	Received media.Instant

	slot uint32 // element of the memory + 1; 0 for none
}

// receiver is one of the paths. Receive, and reap, which runs when no Receive does any
// more, are called under Conn.mu.
type receiver interface {
	receive(pkts []Packet, deadline media.Instant) (int, error)
	send(b []byte, to netip.AddrPort) error
	interrupt() // from any goroutine
	kernel() kernelCounters
	reap() error
}

// kernelCounters are what the kernel knows of a socket.
type kernelCounters struct {
	drops  uint64
	buffer int
}

// Conn is a socket that receives.
type Conn struct {
	path     Path
	local    netip.AddrPort
	receiver receiver
	memory   *memory
	warnings []string
	counts   counters

	interrupted atomic.Bool
	mu          sync.Mutex // held by Receive and Close

	alive sync.RWMutex    // written by Close: the socket is not closed under those who use it
	final *kernelCounters // the kernel's last word, when the socket is closed
}

// counters are written by the receiver, read by anyone.
type counters struct {
	received, bytes, syscalls, truncated, exhausted, copied, trains atomic.Uint64
	stamps                                                          atomic.Bool
}

// Stats are counts since Listen.
type Stats struct {
	Received  uint64 // packets handed out
	Bytes     uint64 // of their payload
	Syscalls  uint64 // made by Receive
	Drops     uint64 // packets that the kernel dropped because its buffer was full
	Truncated uint64 // packets longer than [Config].PacketSize, which are dropped
	Exhausted uint64 // times that Receive found all packet memory lent out
	Trains    uint64 // runs of packets that the kernel handed over as one (UDP_GRO)
	Copied    uint64 // packets of which a part was copied after the kernel's own copy
	// ReceiveBuffer is what the kernel granted, in bytes of its own accounting, which
	// charges some 2.3 kB for a packet of 1200 bytes.
	ReceiveBuffer int
	// KernelStamps says whether Packet.Received comes from the kernel.
	KernelStamps bool
}

// Listen opens a socket.
// Ownership: the caller closes it.
// Errors: one line that says what is wrong and what to do.
func Listen(cfg Config) (*Conn, error) {
	c, err := listen(cfg)
	if err != nil {
		return nil, fmt.Errorf("udp: listen on %s: %w", cfg.Address, err)
	}
	return c, nil
}

func listen(cfg Config) (*Conn, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	e, err := parseAddress(cfg.Address)
	if err != nil {
		return nil, err
	}
	var ifi *net.Interface
	if cfg.Interface != "" {
		if ifi, err = net.InterfaceByName(cfg.Interface); err != nil {
			return nil, fmt.Errorf("interface %q does not exist: %s", cfg.Interface, interfaces())
		}
	}
	pc, err := (&net.ListenConfig{}).ListenPacket(context.Background(), e.network, e.address)
	if err != nil {
		return nil, explain(err, e)
	}
	uc := pc.(*net.UDPConn)
	c := &Conn{local: uc.LocalAddr().(*net.UDPAddr).AddrPort()}
	c.local = netip.AddrPortFrom(c.local.Addr().Unmap(), c.local.Port())
	if e.group.IsValid() {
		onlyJoined(uc)
		if err := join(uc, ifi, e); err != nil {
			uc.Close()
			return nil, err
		}
	}
	c.setReceiveBuffer(uc, cfg.ReceiveBuffer)
	// open takes the socket, also when it fails.
	if err := c.open(&cfg, uc); err != nil {
		return nil, err
	}
	return c, nil
}

func join(uc *net.UDPConn, ifi *net.Interface, e endpoint) error {
	group := &net.UDPAddr{IP: e.group.AsSlice()}
	source := &net.UDPAddr{IP: e.source.AsSlice()}
	var err error
	p4, p6 := ipv4.NewPacketConn(uc), ipv6.NewPacketConn(uc)
	switch {
	case e.group.Is4() && e.source.IsValid():
		err = p4.JoinSourceSpecificGroup(ifi, group, source)
	case e.group.Is4():
		err = p4.JoinGroup(ifi, group)
	case e.source.IsValid():
		err = p6.JoinSourceSpecificGroup(ifi, group, source)
	default:
		err = p6.JoinGroup(ifi, group)
	}
	if err != nil {
		on := "the default interface: name one with a route for multicast"
		if ifi != nil {
			on = "interface " + ifi.Name
		}
		return fmt.Errorf("join group %s on %s: %w", e.group, on, err)
	}
	return nil
}

// explain says what to do about a socket that does not open.
func explain(err error, e endpoint) error {
	cause := err
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		cause = op.Err
	}
	if sc := (*os.SyscallError)(nil); errors.As(err, &sc) {
		cause = sc.Err
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: another program listens there; end it or use another port", cause)
	case errors.Is(err, syscall.EADDRNOTAVAIL) && e.network == "udp6":
		return fmt.Errorf("%w: no interface of this machine has that IPv6 address (ip -6 addr lists them), or IPv6 is off", cause)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w: no interface of this machine has that address", cause)
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return fmt.Errorf("%w: IPv6 is off on this machine; use an IPv4 address", cause)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w: ports below 1024 need more rights; use another port", cause)
	}
	return cause
}

// interfaces lists what Config.Interface may be.
func interfaces() string {
	all, err := net.Interfaces()
	if err != nil || len(all) == 0 {
		return "this machine has none"
	}
	s := "this machine has"
	for _, i := range all {
		s += " " + i.Name
	}
	return s
}

// Path is the path that is in use.
func (c *Conn) Path() Path { return c.path }

// Warnings are what Listen found that the user should know, a line each: a receive buffer
// that the kernel cut, a faster path that this system has not.
func (c *Conn) Warnings() []string { return c.warnings }

// LocalAddr is the address that the socket is bound to.
func (c *Conn) LocalAddr() netip.AddrPort { return c.local }

// Receive fills pkts with what has arrived; it blocks until there is at least one packet.
// Each packet that it returns is the caller's to release.
// Units: deadline is absolute, ns of CLOCK_MONOTONIC; 0 waits for ever, one in the past
// takes only what is there.
// Errors: media.ErrAgain at the deadline, os.ErrClosed after Interrupt or Close,
// ErrExhausted.
// Concurrency: one goroutine. [PathURing] locks it to its thread at the first call, and
// an io_uring serves that thread only.
func (c *Conn) Receive(pkts []Packet, deadline media.Instant) (int, error) {
	if len(pkts) == 0 {
		return 0, errors.New("udp: Receive without room for a packet")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.interrupted.Load() {
		return 0, os.ErrClosed
	}
	n, err := c.receiver.receive(pkts, deadline)
	if n > 0 {
		var bytes uint64
		for i := range pkts[:n] {
			bytes += uint64(len(pkts[i].Data))
		}
		c.counts.received.Add(uint64(n))
		c.counts.bytes.Add(bytes)
		return n, nil
	}
	switch {
	case c.interrupted.Load():
		return 0, os.ErrClosed
	case err == ErrExhausted:
		c.counts.exhausted.Add(1)
	}
	return 0, err
}

// Release gives a packet's memory back; an empty packet is nothing to release. Releasing
// one twice panics.
// Concurrency: any goroutine, also after Close.
func (c *Conn) Release(p *Packet) {
	if p.slot == 0 {
		return
	}
	i := p.slot - 1
	p.slot, p.Data = 0, nil
	c.memory.release(i)
}

// WriteTo sends one datagram from this socket, without waiting: one that does not fit the
// kernel's buffer is lost, as datagrams are.
// Concurrency: any goroutine.
func (c *Conn) WriteTo(b []byte, to netip.AddrPort) error {
	c.alive.RLock()
	defer c.alive.RUnlock()
	if c.final != nil {
		return os.ErrClosed
	}
	if err := c.receiver.send(b, to); err != nil {
		return fmt.Errorf("udp: send to %s: %w", to, err)
	}
	return nil
}

// Interrupt makes Receive, now and later, return os.ErrClosed. Sending still works.
// Concurrency: any goroutine.
func (c *Conn) Interrupt() {
	c.alive.RLock()
	defer c.alive.RUnlock()
	c.interrupted.Store(true)
	if c.final == nil {
		c.receiver.interrupt()
	}
}

// Close interrupts, waits for Receive to return and closes the socket. Packets that are
// still out stay valid until they are released.
func (c *Conn) Close() error {
	c.Interrupt()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive.Lock()
	defer c.alive.Unlock()
	if c.final != nil {
		return nil
	}
	k := c.receiver.kernel()
	c.final = &k
	err := c.receiver.reap()
	c.memory.unref()
	return err
}

// Stats returns the counts so far.
// Concurrency: any goroutine, also after Close.
func (c *Conn) Stats() Stats {
	s := Stats{
		Received:     c.counts.received.Load(),
		Bytes:        c.counts.bytes.Load(),
		Syscalls:     c.counts.syscalls.Load(),
		Truncated:    c.counts.truncated.Load(),
		Exhausted:    c.counts.exhausted.Load(),
		Trains:       c.counts.trains.Load(),
		Copied:       c.counts.copied.Load(),
		KernelStamps: c.counts.stamps.Load(),
	}
	c.alive.RLock()
	defer c.alive.RUnlock()
	k := c.final
	if k == nil {
		now := c.receiver.kernel()
		k = &now
	}
	s.Drops, s.ReceiveBuffer = k.drops, k.buffer
	return s
}
