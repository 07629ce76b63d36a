package udp

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/scanout-av/scanout/internal/rt"
)

func sendTo(t testing.TB, c *Conn, cfg SendConfig) *Sender {
	t.Helper()
	cfg.To = c.LocalAddr().String()
	s, err := NewSender(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestSend sends datagrams of all kinds of lengths, so that trains of every shape form,
// and receives them on every path while some are held back.
func TestSend(t *testing.T) {
	eachPath(t, func(t *testing.T, p Path) {
		for _, gso := range []bool{true, false} {
			c := listenOn(t, Config{Receive: p, Packets: 700})
			s := sendTo(t, c, SendConfig{NoGSO: !gso})
			rng := rand.New(rand.NewPCG(1, 2))
			const n = 3000
			var sent [][]byte
			size := 100
			var bytesSent uint64
			for i := range n {
				if rng.IntN(6) == 0 { // lengths come in runs
					size = []int{0, 4, 100, 188, 1200, 1201, DefaultPacketSize, 700, 1400}[rng.IntN(9)]
				}
				b := make([]byte, size)
				for j := range b {
					b[j] = byte(i + j)
				}
				if size >= 4 {
					binary.BigEndian.PutUint32(b, uint32(i))
				}
				sent = append(sent, b)
				bytesSent += uint64(size)
			}
			got, calls := 0, 0
			var held []Packet
			pkts := make([]Packet, 17)
			release := func(k int) {
				for i := range k {
					c.Release(&held[i])
				}
				held = held[k:]
			}
			for at := 0; at < n || got < n; {
				if at < n {
					k := min(1+rng.IntN(200), n-at)
					if err := s.Send(sent[at : at+k]...); err != nil {
						t.Fatal(err)
					}
					at += k
					calls++
				}
				for got < at {
					k, err := c.Receive(pkts, soon())
					if err == ErrExhausted {
						release(1 + rng.IntN(len(held)))
						continue
					}
					if err != nil {
						t.Fatalf("after %d of %d: %v; %+v", got, at, err, c.Stats())
					}
					held = append(held, pkts[:k]...)
					got += k
				}
				// Whatever is held must still be what was sent.
				for i := range held {
					if want := sent[got-len(held)+i]; !bytes.Equal(held[i].Data, want) {
						t.Fatalf("packet %d of %d bytes came with %d", got-len(held)+i, len(want), len(held[i].Data))
					}
				}
				release(rng.IntN(len(held) + 1))
			}
			release(len(held))
			cs, ss := c.Stats(), s.Stats()
			if cs.Received != n || cs.Bytes != bytesSent || ss.Sent != n || ss.Bytes != bytesSent || cs.Drops != 0 {
				t.Errorf("gso %v: %+v %+v", gso, cs, ss)
			}
			if gso && ss.Syscalls > uint64(2*calls+n/100) {
				t.Errorf("%d system calls for %d calls of Send", ss.Syscalls, calls)
			}
			if p == PathMMsg && gso && (cs.Trains == 0 || cs.Copied > n/2) {
				t.Errorf("trains %d, copied %d", cs.Trains, cs.Copied)
			}
			c.Close()
			if refs := c.memory.refs.Load(); refs != 0 {
				t.Errorf("%s: %d references are left", p, refs)
			}
		}
	})
}

// TestTrainsAreNotCopied: once the length of the stream's packets is known, trains are cut
// where they lie.
func TestTrainsAreNotCopied(t *testing.T) {
	c := listenOn(t, Config{Receive: PathMMsg})
	s := sendTo(t, c, SendConfig{})
	datagrams := make([][]byte, 40)
	for i := range datagrams {
		datagrams[i] = numbered(i, 1200)
	}
	datagrams[39] = datagrams[39][:77]
	for range 50 {
		if err := s.Send(datagrams...); err != nil {
			t.Fatal(err)
		}
		for i, p := range receiveN(t, c, 40) {
			if !bytes.Equal(p.Data, datagrams[i]) {
				t.Fatalf("packet %d has %d bytes", i, len(p.Data))
			}
			c.Release(&p)
		}
	}
	st := c.Stats()
	if st.Trains == 0 {
		t.Skipf("needs UDP_GRO: %+v", st)
	}
	if st.Copied > 1 {
		t.Errorf("%d packets copied of %d", st.Copied, st.Received)
	}
}

// TestCloseWithinTrain closes while packets of a train wait to be received.
func TestCloseWithinTrain(t *testing.T) {
	c := listenOn(t, Config{Receive: PathMMsg})
	s := sendTo(t, c, SendConfig{})
	datagrams := make([][]byte, 20)
	for i := range datagrams {
		datagrams[i] = numbered(i, 300)
	}
	s.Send(datagrams...)
	one := make([]Packet, 1)
	var held []Packet
	for range 9 {
		if n, err := c.Receive(one, soon()); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		held = append(held, one[0])
	}
	c.Close()
	for i := range held {
		if !bytes.Equal(held[i].Data, datagrams[i]) {
			t.Errorf("packet %d", i)
		}
		c.Release(&held[i])
	}
	if n := c.memory.refs.Load(); n != 0 {
		t.Errorf("%d references are left", n)
	}
}

// TestNoListener: an ICMP message about a datagram that nobody took does not end sending.
func TestNoListener(t *testing.T) {
	c := listenOn(t, Config{})
	s := sendTo(t, c, SendConfig{})
	c.Close()
	for range 20 {
		if err := s.Send([]byte("a"), []byte("bb"), []byte("c")); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats(); st.Sent+st.Refused < 60 {
		t.Errorf("%+v", st)
	}
	s.Close()
	if err := s.Send([]byte("late")); err != os.ErrClosed {
		t.Error(err)
	}
}

// TestSenderReceives: what the receiver sends back is heard, and nobody else; that nobody
// listens any more does not end it, and Close does.
func TestSenderReceives(t *testing.T) {
	c := listenOn(t, Config{})
	s := sendTo(t, c, SendConfig{})
	stranger := listenOn(t, Config{})
	if err := stranger.WriteTo([]byte("not mine"), s.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteTo([]byte("mine"), s.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if n, err := s.Receive(b); err != nil || string(b[:n]) != "mine" {
		t.Fatalf("%q, %v", b[:n], err)
	}
	c.Close()
	ended := make(chan error)
	go func() {
		_, err := s.Receive(b)
		ended <- err
	}()
	for range 20 {
		if err := s.Send([]byte("a")); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	if err := <-ended; err != os.ErrClosed {
		t.Error(err)
	}
}

func TestBadSendConfig(t *testing.T) {
	for _, tt := range []struct {
		cfg  SendConfig
		want string
	}{
		{SendConfig{}, "not host:port"},
		{SendConfig{To: ":5004"}, "name a host"},
		{SendConfig{To: "127.0.0.1:0"}, "name a host and a port"},
		{SendConfig{To: "10.0.0.1@232.1.1.1:5004"}, "source"},
		{SendConfig{To: "127.0.0.1:5004", Interface: "nope0"}, `interface "nope0" does not exist`},
		{SendConfig{To: "127.0.0.1:5004", TTL: 256}, "TTL 256 is out of range"},
		{SendConfig{To: "127.0.0.1:5004", Local: "192.0.2.77:0"}, "no interface of this machine has that address"},
	} {
		s, err := NewSender(tt.cfg)
		if err == nil {
			s.Close()
			t.Errorf("%+v: no error", tt.cfg)
		} else if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %q does not say %q", tt.cfg, err, tt.want)
		}
	}
	if s, err := NewSender(SendConfig{To: "127.0.0.1:9"}); err != nil {
		t.Error(err)
	} else if err := s.Send(make([]byte, 70000)); err == nil || !strings.Contains(err.Error(), "message too long") {
		t.Error(err)
	}
}

// TestNoAllocations receives and sends in steady state.
func TestNoAllocations(t *testing.T) {
	eachPath(t, func(t *testing.T, p Path) {
		c := listenOn(t, Config{Receive: p, Packets: 256})
		s := sendTo(t, c, SendConfig{})
		datagrams := make([][]byte, 10)
		for i := range datagrams {
			datagrams[i] = make([]byte, 1000)
		}
		pkts := make([]Packet, 32)
		if n := testing.AllocsPerRun(200, func() {
			if s.Send(datagrams...) != nil {
				panic("send")
			}
			for got := 0; got < len(datagrams); {
				n, err := c.Receive(pkts, rt.Now()+1e9)
				if err != nil {
					panic(err)
				}
				got += n
				for i := range pkts[:n] {
					c.Release(&pkts[i])
				}
			}
		}); n != 0 {
			t.Errorf("%v allocations for %d packets", n, len(datagrams))
		}
	})
}
