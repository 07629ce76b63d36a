package udp

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

// cmsg builds a control message.
func cmsg(level, kind int32, data []byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = level, kind
	h.SetLen(unix.CmsgLen(len(data)))
	copy(b[unix.CmsgLen(0):], data)
	return b
}

func stampOf(sec, nsec int64) []byte {
	ts := unix.NsecToTimespec(sec*1e9 + nsec)
	return unsafe.Slice((*byte)(unsafe.Pointer(&ts)), unsafe.Sizeof(ts))
}

func TestParseControl(t *testing.T) {
	stamp := cmsg(unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, stampOf(1700000000, 5))
	gro := cmsg(unix.SOL_UDP, unix.UDP_GRO, binary.NativeEndian.AppendUint32(nil, 1200))
	other := cmsg(unix.SOL_IP, unix.IP_TTL, []byte{64, 0, 0, 0})
	both := noted{wall: 1700000000_000000005, segment: 1200}
	for _, tt := range []struct {
		name string
		b    []byte
		want noted
	}{
		{"nothing", nil, noted{}},
		{"both", append(append([]byte(nil), stamp...), gro...), both},
		{"both, with another between", append(append(append([]byte(nil), gro...), other...), stamp...), both},
		{"without padding at the end", append(append([]byte(nil), stamp...), gro[:unix.CmsgLen(4)]...), both},
		{"cut", append(append([]byte(nil), stamp...), gro[:len(gro)-9]...), noted{wall: both.wall}},
		{"length 0", make([]byte, 64), noted{}},
		{"length beyond the end", append([]byte{255}, make([]byte, 40)...), noted{}},
		{"short stamp", cmsg(unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, make([]byte, 7)), noted{}},
	} {
		if got := parseControl(tt.b); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func FuzzParseControl(f *testing.F) {
	f.Add(append(cmsg(unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, stampOf(1, 2)), cmsg(unix.SOL_UDP, unix.UDP_GRO, []byte{0xb0, 4, 0, 0})...))
	f.Add([]byte{})
	f.Add(make([]byte, 200))
	f.Fuzz(func(t *testing.T, b []byte) {
		if o := parseControl(b); o.segment < 0 || o.segment > 65535 {
			t.Errorf("segments of %d bytes", o.segment)
		}
	})
}

func TestSockaddr(t *testing.T) {
	var s senders
	for _, a := range []string{"127.0.0.1:1", "10.1.2.3:65535", "[::1]:5004", "[2001:db8::7]:9", "[fe80::1%lo]:7", "[fe80::2%lo]:7", "[fe80::1%4000000]:7"} {
		want := netip.MustParseAddrPort(a)
		for _, v6 := range []bool{true, false} {
			var raw sockaddr
			n, err := raw.set(want, v6)
			if !v6 && want.Addr().Is6() {
				if err != errFamily {
					t.Errorf("%s on an IPv4 socket: %v", a, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", a, err)
			}
			for range 2 {
				if got := s.address(raw[:n]); got != want {
					t.Errorf("%s (v6 socket %v): %s", a, v6, got)
				}
			}
		}
	}
	var raw sockaddr
	if _, err := raw.set(netip.MustParseAddrPort("[fe80::1%nope0]:7"), true); err == nil {
		t.Error("a zone that does not exist was accepted")
	}
}

func FuzzSockaddr(f *testing.F) {
	var raw sockaddr
	for _, a := range []string{"127.0.0.1:1", "[::1]:2", "[fe80::1%lo]:3"} {
		n, _ := raw.set(netip.MustParseAddrPort(a), true)
		f.Add(append([]byte(nil), raw[:n]...))
	}
	f.Add([]byte{2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14})
	var s senders
	f.Fuzz(func(t *testing.T, b []byte) {
		if first, again := s.address(b), s.address(b); first != again {
			t.Errorf("%s, then %s", first, again)
		}
	})
}

func TestStamper(t *testing.T) {
	s := stamper{now: 100e9, wall: 1700000000e9}
	for _, tt := range []struct {
		wall int64
		want media.Instant
	}{
		{0, s.now}, {s.wall, s.now}, {s.wall - 3e6, s.now - 3e6},
		{s.wall + 1, s.now}, {s.wall - 11e9, s.now}, // the wall clock was set
	} {
		if got := s.instant(tt.wall); got != tt.want {
			t.Errorf("%d: %d, want %d", tt.wall, got, tt.want)
		}
	}
}

// TestReceiveBufferThatIsCut: an unprivileged process gets what the system allows, and is
// told what to do.
func TestReceiveBufferThatIsCut(t *testing.T) {
	var c Conn
	if c.warnCut(2*4096, 4096); c.warnings != nil {
		t.Errorf("%q", c.warnings)
	}
	c.warnCut(425984, 4<<20)
	if w := strings.Join(c.warnings, "\n"); !strings.Contains(w, "208 KiB of receive buffer instead of 4096") || !strings.Contains(w, "184 packets") ||
		!strings.Contains(w, "sysctl -w net.core.rmem_max=4194304") {
		t.Errorf("%q", w)
	}
	l := listenOn(t, Config{ReceiveBuffer: 1 << 20})
	if s := l.Stats(); s.ReceiveBuffer < 2<<20 && len(l.Warnings()) == 0 {
		t.Errorf("%d bytes and no warning", s.ReceiveBuffer)
	}
}

// TestKernelDrops overruns a small buffer; the kernel's count is seen on every path.
func TestKernelDrops(t *testing.T) {
	eachPath(t, func(t *testing.T, p Path) {
		c := listenOn(t, Config{Receive: p, ReceiveBuffer: 8192})
		s := sendTo(t, c, SendConfig{NoGSO: true})
		const sent = 200
		for i := range sent {
			s.Send(numbered(i, 1000))
		}
		got := 0
		pkts := make([]Packet, 16)
		for {
			n, err := c.Receive(pkts, rt.Now().Add(200*time.Millisecond)) // a passed deadline leaves package net 50 µs to look
			if err != nil {
				break
			}
			got += n
			for i := range pkts[:n] {
				c.Release(&pkts[i])
			}
		}
		st := c.Stats()
		if st.Drops == 0 || int(st.Drops)+got != sent {
			t.Errorf("%d received, %d sent: %+v", got, sent, st)
		}
		c.Close()
		if after := c.Stats(); after.Drops != st.Drops {
			t.Errorf("%d drops after Close, %d before", after.Drops, st.Drops)
		}
	})
}

// TestFarDeadline goes through the socket's own timeout, which is coarse, and still ends
// at the deadline.
func TestFarDeadline(t *testing.T) {
	c := listenOn(t, Config{Receive: PathMMsg})
	pkts := make([]Packet, 1)
	for _, d := range []time.Duration{90 * time.Millisecond, 45 * time.Millisecond, 150 * time.Millisecond} {
		at := newStamper().now.Add(d)
		if n, err := c.Receive(pkts, at); n != 0 || err != media.ErrAgain {
			t.Fatal(n, err)
		}
		if now := newStamper().now; now < at {
			t.Errorf("%v before the deadline", at.Sub(now))
		}
	}
	dial(t, c).Write([]byte("x"))
	if n, err := c.Receive(pkts, 0); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	c.Release(&pkts[0])
}
