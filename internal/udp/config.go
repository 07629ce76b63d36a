package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Path is a way to receive.
type Path uint8

// Receive paths.
const (
	// PathAuto is the best that works here; see the package comment.
	PathAuto  Path = iota
	PathURing      // io_uring: Linux 6.1, gathering with Linux 6.12
	PathMMsg       // recvmmsg, with UDP_GRO: Linux
	PathNet        // net.UDPConn: everywhere
)

var pathNames = [...]string{"auto", "uring", "mmsg", "net"}

func (p Path) String() string {
	if int(p) >= len(pathNames) {
		return fmt.Sprintf("Path(%d)", p)
	}
	return pathNames[p]
}

// ParsePath reads what [Path.String] writes; "" is auto.
func ParsePath(s string) (Path, error) {
	if s == "" {
		return PathAuto, nil
	}
	for i, n := range pathNames {
		if s == n {
			return Path(i), nil
		}
	}
	return 0, fmt.Errorf("no receive path is called %q: use %s", s, strings.Join(pathNames[:], ", "))
}

// Defaults of [Config].
const (
	DefaultPackets       = 4096
	DefaultPacketSize    = 2048 - headroom
	DefaultReceiveBuffer = 4 << 20
	DefaultBatch         = 64
	DefaultGather        = time.Millisecond
)

const (
	// headroom is what a slot holds beside the payload: io_uring writes its own header,
	// the sender's address and the control messages in front of it.
	headroom   = 128
	maxPackets = 1 << 16
	maxPayload = 65535 // the length field of a UDP header
	maxBatch   = 256
)

// Config says where to listen and how. The zero value of every field but Address is the
// documented default.
type Config struct {
	// Address is host:port. The host may be an IPv4 or IPv6 address, a name, empty (all
	// addresses of this machine) or a multicast group to join; source@group:port joins
	// for packets of one source only. Port 0 picks a free one.
	Address string
	// Interface joins multicast groups on this network interface; "" lets the system
	// choose.
	Interface string
	// Receive insists on a path.
	Receive Path
	// Packets bounds how many packets may be held at once; 0 is [DefaultPackets].
	Packets int
	// PacketSize is the longest payload that is taken; longer ones are dropped and
	// counted as truncated. 0 is [DefaultPacketSize], more than an Ethernet frame holds.
	PacketSize int
	// ReceiveBuffer is how many bytes the kernel is asked to hold for this socket; 0 is
	// [DefaultReceiveBuffer]. What it grants is in [Stats] and, if less, in Warnings.
	ReceiveBuffer int
	// Batch is how many packets are worth a wake-up before Gather has passed; 0 is
	// [DefaultBatch]. 1 gathers nothing and wakes for every packet: the least latency, at
	// several times the processor time for streams that are evenly spaced.
	Batch int
	// Gather is how long a packet may wait for others while packets flow; 0 is
	// [DefaultGather]. Streams with gaps of more than a quarter of it are not delayed.
	Gather time.Duration
	// NoGRO takes no trains of packets from the kernel on [PathMMsg].
	NoGRO bool
}

// ErrExhausted says that every packet of [Config].Packets is lent out: release some. What
// arrives meanwhile waits in the kernel's buffer and is dropped there when that is full.
var ErrExhausted = errors.New("udp: all packet memory is in use")

func (c *Config) complete() error {
	for _, f := range []struct {
		name     string
		v        *int
		def, top int
	}{
		{"Packets", &c.Packets, DefaultPackets, maxPackets},
		{"PacketSize", &c.PacketSize, DefaultPacketSize, maxPayload},
		{"ReceiveBuffer", &c.ReceiveBuffer, DefaultReceiveBuffer, 1 << 30},
		{"Batch", &c.Batch, DefaultBatch, maxBatch},
	} {
		if *f.v == 0 {
			*f.v = f.def
		}
		if *f.v < 1 || *f.v > f.top {
			return fmt.Errorf("%s %d is out of range: use 1 to %d", f.name, *f.v, f.top)
		}
	}
	if c.Gather == 0 {
		c.Gather = DefaultGather
	}
	if c.Gather < 0 || c.Gather > time.Second {
		return fmt.Errorf("gathering for %v is out of range: use up to 1s", c.Gather)
	}
	if c.Receive > PathNet {
		return fmt.Errorf("no receive path has the number %d", c.Receive)
	}
	return nil
}

// endpoint is a parsed [Config].Address.
type endpoint struct {
	network string // "udp4", "udp6", or "udp" for both
	address string // for package net
	group   netip.Addr
	source  netip.Addr
}

// parseAddress reads host:port, group:port and source@group:port, with IPv6 addresses in
// brackets.
func parseAddress(s string) (e endpoint, err error) {
	e.address = s
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		from := s[:i]
		if strings.HasPrefix(from, "[") && strings.HasSuffix(from, "]") {
			from = from[1 : len(from)-1]
		}
		e.address = s[i+1:]
		if e.source, err = netip.ParseAddr(from); err != nil {
			return e, fmt.Errorf("the source %q is not an IP address: write source@group:port", from)
		}
		e.source = e.source.Unmap()
	}
	host, port, err := net.SplitHostPort(e.address)
	if err != nil {
		return e, fmt.Errorf("address %q is not host:port (an IPv6 address goes in brackets, like [::1]:5004)", s)
	}
	if _, err := net.LookupPort("udp", port); err != nil {
		return e, fmt.Errorf("address %q: port %q is not a number from 0 to 65535", s, port)
	}
	e.network = "udp"
	if host == "" {
		if e.source.IsValid() {
			return e, fmt.Errorf("address %q names a source but no multicast group", s)
		}
		return e, nil
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		if e.source.IsValid() {
			return e, fmt.Errorf("address %q: %q is not a multicast group", s, host)
		}
		return e, nil // a name
	}
	a = a.Unmap()
	e.network = "udp6"
	if a.Is4() {
		e.network = "udp4"
	}
	e.address = net.JoinHostPort(a.String(), port)
	switch {
	case a.IsMulticast():
		e.group = a
	case e.source.IsValid():
		return e, fmt.Errorf("address %q: %s is not a multicast group", s, a)
	}
	if e.source.IsValid() && (e.source.Is4() != a.Is4() || e.source.IsMulticast() || e.source.IsUnspecified()) {
		return e, fmt.Errorf("address %q: %s cannot be the source of group %s", s, e.source, a)
	}
	return e, nil
}
