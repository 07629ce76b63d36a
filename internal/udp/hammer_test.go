package udp

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/scanout-av/scanout/media"
)

// TestHammer closes connections while everything else is going on: packets arrive, are
// handed to other goroutines and released there, counts are read, datagrams sent.
func TestHammer(t *testing.T) {
	eachPath(t, func(t *testing.T, p Path) {
		for round := range 15 {
			c := listenOn(t, Config{Receive: p, Packets: 100})
			s := sendTo(t, c, SendConfig{})
			datagrams := make([][]byte, 30)
			for i := range datagrams {
				datagrams[i] = make([]byte, 400)
			}
			var wg sync.WaitGroup
			packets := make(chan Packet, 80)
			enough := make(chan struct{})
			wg.Go(func() {
				defer close(packets)
				pkts := make([]Packet, 1+round)
				for got := 0; ; {
					n, err := c.Receive(pkts, soon())
					for _, pkt := range pkts[:n] {
						packets <- pkt
					}
					if got += n; n > 0 && got-n < 200 && got >= 200 {
						close(enough)
					}
					if err == nil || err == ErrExhausted {
						continue
					}
					if err != os.ErrClosed {
						t.Errorf("%v", err)
					}
					return
				}
			})
			for range 2 {
				wg.Go(func() {
					for pkt := range packets {
						if len(pkt.Data) != 400 {
							t.Errorf("%d bytes", len(pkt.Data))
						}
						c.Release(&pkt)
					}
				})
			}
			stop := make(chan struct{})
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if err := s.Send(datagrams...); err != nil {
						t.Errorf("%v", err)
					}
					c.Stats()
					if err := c.WriteTo([]byte("x"), s.LocalAddr()); err != nil && err != os.ErrClosed {
						t.Errorf("%v", err)
					}
				}
			})
			<-enough
			if round%2 == 0 {
				wg.Go(c.Interrupt)
			}
			wg.Go(func() { c.Close() })
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			close(stop)
			wg.Wait()
			if n := c.memory.refs.Load(); n != 0 {
				t.Fatalf("%d references are left", n)
			}
			s.Close()
		}
	})
}

// TestNothingLeaks opens and closes, received or not, and counts descriptors and mappings.
func TestNothingLeaks(t *testing.T) {
	count := func() (fds, maps int) {
		e, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skipf("needs /proc: %v", err)
		}
		m, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Skipf("needs /proc: %v", err)
		}
		// Memory of packets and rings; the heap's own mappings come and go.
		return len(e), strings.Count(string(m), "io_uring")
	}
	eachPath(t, func(t *testing.T, p Path) {
		var fds, maps int
		for i := range 20 {
			c := listenOn(t, Config{Receive: p})
			if i%2 == 0 {
				dial(t, c).Write([]byte("x"))
				got := receiveN(t, c, 1)[0]
				if i%4 == 0 {
					c.Interrupt()
					c.Receive(make([]Packet, 1), 0)
				}
				c.Release(&got)
			}
			c.Close()
			if c.memory.data != nil {
				t.Fatal("the mapping is still there")
			}
			if f, m := count(); i == 3 {
				fds, maps = f, m
			} else if i > 3 && (f > fds+i || m > maps) { // dial keeps a descriptor until the test ends
				t.Fatalf("%d descriptors and %d rings, %d and %d before", f, m, fds, maps)
			}
		}
	})
}

// TestAddressIsFreeAfterClose: who has seen os.ErrClosed and closes can listen again at
// once. io_uring would otherwise hold the socket a little longer.
func TestAddressIsFreeAfterClose(t *testing.T) {
	eachPath(t, func(t *testing.T, p Path) {
		address := ""
		for range 20 {
			c := listenOn(t, Config{Receive: p, Address: address})
			address = c.LocalAddr().String()
			done := make(chan error)
			go func() {
				_, err := c.Receive(make([]Packet, 1), 0)
				done <- err
			}()
			c.Interrupt()
			if err := <-done; err != os.ErrClosed {
				t.Fatal(err)
			}
			c.Close()
		}
	})
}

// TestFlood: what is not wanted is released at once, and the packets of interest arrive
// among a hundred times as many others.
func TestFlood(t *testing.T) {
	eachPath(t, func(t *testing.T, p Path) {
		c := listenOn(t, Config{Receive: p, Packets: 64})
		flood, wanted := sendTo(t, c, SendConfig{}), sendTo(t, c, SendConfig{})
		junk := make([][]byte, 100)
		for i := range junk {
			junk[i] = make([]byte, 3+i*17%1400)
		}
		pkts := make([]Packet, 16)
		for i := range 50 {
			if err := errors.Join(flood.Send(junk...), wanted.Send(numbered(i, 100))); err != nil {
				t.Fatal(err)
			}
			for found := false; !found; {
				n, err := c.Receive(pkts, soon())
				if err != nil {
					t.Fatalf("round %d: %v %+v", i, err, c.Stats())
				}
				for j := range pkts[:n] {
					if pkts[j].From == wanted.LocalAddr() {
						found = true
					}
					c.Release(&pkts[j])
				}
			}
		}
		if s := c.Stats(); s.Exhausted != 0 || s.Drops != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestForcedPathThatIsMissing(t *testing.T) {
	for _, p := range []Path{PathURing, PathMMsg} {
		c, err := Listen(Config{Address: "127.0.0.1:0", Receive: p})
		if err == nil {
			c.Close()
			continue
		}
		if !errors.Is(err, media.ErrNotSupported) || !strings.Contains(err.Error(), "use auto") {
			t.Errorf("%s: %v", p, err)
		}
	}
}
