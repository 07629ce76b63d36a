package udp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

// testPaths are the paths that this system has; one contract holds for all of them.
func eachPath(t *testing.T, f func(t *testing.T, p Path)) {
	for _, p := range []Path{PathURing, PathMMsg, PathNet} {
		t.Run(p.String(), func(t *testing.T) {
			c, err := Listen(Config{Address: "127.0.0.1:0", Receive: p, Packets: 1})
			if errors.Is(err, media.ErrNotSupported) {
				t.Skipf("needs the receive path %s: %v", p, err)
			}
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			f(t, p)
		})
	}
}

func listenOn(t testing.TB, cfg Config) *Conn {
	t.Helper()
	if cfg.Address == "" {
		cfg.Address = "127.0.0.1:0"
	}
	c, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func dial(t testing.TB, c *Conn) *net.UDPConn {
	t.Helper()
	u, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(c.LocalAddr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	return u
}

// soon is how long a test waits for what must come.
func soon() media.Instant { return rt.Now().Add(20 * time.Second) }

// receiveN takes n packets and releases nothing.
func receiveN(t testing.TB, c *Conn, n int) []Packet {
	t.Helper()
	var all []Packet
	pkts := make([]Packet, 7)
	for len(all) < n {
		k, err := c.Receive(pkts, soon())
		if err != nil {
			t.Fatalf("after %d of %d packets: %v", len(all), n, err)
		}
		all = append(all, pkts[:k]...)
	}
	return all
}

func numbered(i, size int) []byte {
	b := bytes.Repeat([]byte{byte(i)}, size)
	binary.BigEndian.PutUint32(b, uint32(i))
	return b
}

func TestReceive(t *testing.T) {
	eachPath(t, func(t *testing.T, p Path) {
		c := listenOn(t, Config{Receive: p, Packets: 300})
		if c.Path() != p {
			t.Fatalf("path %s", c.Path())
		}
		u := dial(t, c)
		before := rt.Now()
		const n = 200
		size := func(i int) int { return 4 + i*7 }
		for i := range n {
			if _, err := u.Write(numbered(i, size(i))); err != nil {
				t.Fatal(err)
			}
		}
		all := receiveN(t, c, n)
		var total uint64
		for i, p := range all {
			if !bytes.Equal(p.Data, numbered(i, size(i))) {
				t.Fatalf("packet %d: %d bytes, begins %x", i, len(p.Data), p.Data[:4])
			}
			if p.From != u.LocalAddr().(*net.UDPAddr).AddrPort() {
				t.Fatalf("packet %d is from %v", i, p.From)
			}
			if p.Received < before || p.Received > rt.Now() {
				t.Errorf("packet %d was received at %d, between %d and %d", i, p.Received, before, rt.Now())
			}
			total += uint64(len(p.Data))
			c.Release(&all[i])
			c.Release(&all[i]) // empty by now
		}
		s := c.Stats()
		if s.Received != n || s.Bytes != total || s.Drops != 0 || s.Truncated != 0 || s.Syscalls == 0 {
			t.Errorf("%+v", s)
		}
		if s.KernelStamps != (p != PathNet) {
			t.Errorf("kernel stamps: %v", s.KernelStamps)
		}
	})
}

func TestDeadline(t *testing.T) {
	eachPath(t, func(t *testing.T, p Path) {
		c := listenOn(t, Config{Receive: p})
		pkts := make([]Packet, 4)
		for range 3 {
			at := rt.Now().Add(3 * time.Millisecond)
			if n, err := c.Receive(pkts, at); n != 0 || err != media.ErrAgain {
				t.Fatal(n, err)
			}
			if rt.Now() < at {
				t.Error("returned before the deadline")
			}
		}
		if n, err := c.Receive(pkts, 1); n != 0 || err != media.ErrAgain {
			t.Fatal(n, err)
		}
		// A deadline in the past takes what is there.
		if _, err := dial(t, c).Write([]byte("here")); err != nil {
			t.Fatal(err)
		}
		for end := soon(); ; {
			n, err := c.Receive(pkts, 1)
			if err == media.ErrAgain && rt.Now() < end {
				continue
			}
			if n != 1 || err != nil || string(pkts[0].Data) != "here" {
				t.Fatal(n, err)
			}
			break
		}
		c.Release(&pkts[0])
	})
}

func TestInterruptAndClose(t *testing.T) {
	eachPath(t, func(t *testing.T, p Path) {
		for _, end := range []struct {
			name string
			f    func(*Conn)
		}{{"interrupt", (*Conn).Interrupt}, {"close", func(c *Conn) { c.Close() }}} {
			for _, when := range []string{"before", "during"} {
				t.Run(end.name+" "+when, func(t *testing.T) {
					c := listenOn(t, Config{Receive: p})
					if when == "before" {
						end.f(c)
					}
					done := make(chan error)
					go func() {
						_, err := c.Receive(make([]Packet, 4), 0)
						done <- err
					}()
					if when == "during" {
						end.f(c)
					}
					if err := <-done; err != os.ErrClosed {
						t.Fatal(err)
					}
					if _, err := c.Receive(make([]Packet, 4), 0); err != os.ErrClosed {
						t.Fatal(err)
					}
					sent := c.WriteTo([]byte("bye"), c.LocalAddr())
					if end.name == "interrupt" && sent != nil || end.name == "close" && sent != os.ErrClosed {
						t.Error(sent)
					}
					if err := c.Close(); err != nil {
						t.Error(err)
					}
					if err := c.Close(); err != nil {
						t.Error(err)
					}
					c.Stats()
				})
			}
		}
	})
}

// TestPacketsOutliveClose holds packets over Close, and more come back than were there.
func TestPacketsOutliveClose(t *testing.T) {
	eachPath(t, func(t *testing.T, p Path) {
		c := listenOn(t, Config{Receive: p})
		u := dial(t, c)
		for i := range 5 {
			u.Write(numbered(i, 1000))
		}
		all := receiveN(t, c, 5)
		c.Close()
		var wg sync.WaitGroup
		for i := range all {
			wg.Go(func() {
				if !bytes.Equal(all[i].Data, numbered(i, 1000)) {
					t.Errorf("packet %d changed", i)
				}
				c.Release(&all[i])
			})
		}
		wg.Wait()
		if n := c.memory.refs.Load(); n != 0 || c.memory.data != nil {
			t.Errorf("%d references to the mapping are left", n)
		}
	})
}

func TestDoubleReleasePanics(t *testing.T) {
	c := listenOn(t, Config{})
	dial(t, c).Write([]byte("x"))
	a := receiveN(t, c, 1)[0]
	b := a
	c.Release(&a)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	c.Release(&b)
}

// TestExhausted holds every packet: Receive says so, loses nothing, and goes on.
func TestExhausted(t *testing.T) {
	eachPath(t, func(t *testing.T, p Path) {
		const room = 64
		c := listenOn(t, Config{Receive: p, Packets: room})
		u := dial(t, c)
		for i := range 3 * room {
			u.Write(numbered(i, 500))
		}
		held := receiveN(t, c, room)
		pkts := make([]Packet, 10)
		for range 3 {
			if n, err := c.Receive(pkts, soon()); n != 0 || err != ErrExhausted {
				t.Fatal(n, err)
			}
		}
		seen := 0
		for len(held) > 0 {
			for i := range held {
				if got := int(binary.BigEndian.Uint32(held[i].Data)); got != seen {
					t.Fatalf("packet %d came as %d", seen, got)
				}
				seen++
				c.Release(&held[i])
			}
			if held = held[:0]; seen < 3*room {
				n, err := c.Receive(pkts, soon())
				if err != nil {
					t.Fatalf("after %d packets: %v", seen, err)
				}
				held = append(held, pkts[:n]...)
			}
		}
		if s := c.Stats(); s.Exhausted != 3 || s.Received != 3*room {
			t.Errorf("%+v", s)
		}
	})
}

func TestTruncatedAndEmpty(t *testing.T) {
	eachPath(t, func(t *testing.T, p Path) {
		c := listenOn(t, Config{Receive: p, PacketSize: 700})
		u := dial(t, c)
		for _, n := range []int{700, 701, 0, 9000, 60000, 1} {
			if _, err := u.Write(make([]byte, n)); err != nil {
				t.Fatal(err)
			}
		}
		got := receiveN(t, c, 3)
		for i, want := range []int{700, 0, 1} {
			if len(got[i].Data) != want {
				t.Errorf("packet %d has %d bytes instead of %d", i, len(got[i].Data), want)
			}
			c.Release(&got[i])
		}
		if s := c.Stats(); s.Truncated != 3 || s.Received != 3 {
			t.Errorf("%+v", s)
		}
	})
}

func TestIPv6AndBothFamilies(t *testing.T) {
	if l, err := net.ListenPacket("udp6", "[::1]:0"); err != nil {
		t.Skipf("needs IPv6: %v", err)
	} else {
		l.Close()
	}
	eachPath(t, func(t *testing.T, p Path) {
		for _, tt := range []struct{ listen, host string }{
			{"[::1]:0", "::1"}, {":0", "::1"}, {":0", "127.0.0.1"}, {"localhost:0", "localhost"}, {"0.0.0.0:0", "127.0.0.1"},
		} {
			c := listenOn(t, Config{Address: tt.listen, Receive: p})
			u, err := net.Dial("udp", net.JoinHostPort(tt.host, fmt.Sprint(c.LocalAddr().Port())))
			if err != nil {
				t.Fatal(err)
			}
			u.Write([]byte("hello"))
			got := receiveN(t, c, 1)[0]
			if want := u.LocalAddr().(*net.UDPAddr).AddrPort(); got.From != want {
				t.Errorf("%s: from %s, want %s", tt.listen, got.From, want)
			}
			// And back.
			if err := c.WriteTo([]byte("answer"), got.From); err != nil {
				t.Errorf("%s: %v", tt.listen, err)
			}
			b := make([]byte, 100)
			u.SetReadDeadline(time.Now().Add(20 * time.Second))
			if n, err := u.Read(b); err != nil || string(b[:n]) != "answer" {
				t.Errorf("%s: %q, %v", tt.listen, b[:n], err)
			}
			c.Release(&got)
			u.Close()
			c.Close()
		}
	})
}

func TestBadConfig(t *testing.T) {
	taken := listenOn(t, Config{})
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "not host:port"},
		{Config{Address: "127.0.0.1"}, "not host:port"},
		{Config{Address: "::1:5004"}, "brackets"},
		{Config{Address: "127.0.0.1:99999"}, "not a number from 0 to 65535"},
		{Config{Address: "127.0.0.1:-1"}, "not a number from 0 to 65535"},
		{Config{Address: "10.0.0.1@127.0.0.1:5004"}, "is not a multicast group"},
		{Config{Address: "10.0.0.1@:5004"}, "no multicast group"},
		{Config{Address: "10.0.0.1@name:5004"}, "not a multicast group"},
		{Config{Address: "name@232.1.1.1:5004"}, "is not an IP address"},
		{Config{Address: "[2001:db8::1]@232.1.1.1:5004"}, "cannot be the source"},
		{Config{Address: "0.0.0.0@232.1.1.1:5004"}, "cannot be the source"},
		{Config{Address: "127.0.0.1:0", Packets: -1}, "Packets -1 is out of range"},
		{Config{Address: "127.0.0.1:0", PacketSize: 70000}, "PacketSize 70000 is out of range"},
		{Config{Address: "127.0.0.1:0", Batch: 10000}, "Batch 10000 is out of range"},
		{Config{Address: "127.0.0.1:0", Gather: time.Hour}, "gathering for 1h0m0s is out of range"},
		{Config{Address: "127.0.0.1:0", Receive: 9}, "no receive path"},
		{Config{Address: "127.0.0.1:0", Interface: "nope0"}, `interface "nope0" does not exist: this machine has`},
		{Config{Address: "192.0.2.77:5004"}, "no interface of this machine has that address"},
		{Config{Address: taken.LocalAddr().String()}, "another program listens there"},
	} {
		c, err := Listen(tt.cfg)
		if err == nil {
			c.Close()
			t.Errorf("%+v: no error", tt.cfg)
		} else if !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "udp: listen on ") {
			t.Errorf("%+v: %q does not say %q", tt.cfg, err, tt.want)
		}
	}
}

func TestParsePath(t *testing.T) {
	for _, p := range []Path{PathAuto, PathURing, PathMMsg, PathNet} {
		if got, err := ParsePath(p.String()); got != p || err != nil {
			t.Error(p, got, err)
		}
	}
	if p, err := ParsePath(""); p != PathAuto || err != nil {
		t.Error(p, err)
	}
	if _, err := ParsePath("fast"); err == nil || !strings.Contains(err.Error(), "auto, uring, mmsg, net") {
		t.Error(err)
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"", ":5004", "127.0.0.1:5004", "[::1]:5004", "239.1.2.3:5004", "10.0.0.1@232.1.1.1:5004",
		"[2001:db8::1]@[ff3e::1]:5004", "2001:db8::1@[ff3e::1]:5004", "name:rtp", "@:", "[fe80::1%lo]:1", "a@b@[::1]:5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := parseAddress(s)
		if err != nil {
			return
		}
		if _, _, err := net.SplitHostPort(e.address); err != nil {
			t.Errorf("%q gave the address %q", s, e.address)
		}
		if e.source.IsValid() && !e.group.IsMulticast() {
			t.Errorf("%q gave a source without a group", s)
		}
		if e.group != (netip.Addr{}) && e.network == "udp" {
			t.Errorf("%q gave a group without a family", s)
		}
	})
}
