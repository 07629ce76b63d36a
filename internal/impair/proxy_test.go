package impair

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a socket on loopback that gives up after a while: a test that would hang
// fails instead.
func open(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadBuffer(4 << 20)
	c.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { c.Close() })
	return c
}

func proxy(t *testing.T, cfg ProxyConfig) *Proxy {
	t.Helper()
	p, err := NewProxy(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func address(c *net.UDPConn) string { return c.LocalAddr().String() }

// number reads a packet and returns what it carries.
func number(t *testing.T, c *net.UDPConn) (uint32, *net.UDPAddr) {
	t.Helper()
	var b [maxPacket]byte
	n, from, err := c.ReadFromUDP(b[:])
	if err != nil {
		t.Fatal(err)
	}
	if n < 4 {
		t.Fatalf("a packet of %d bytes", n)
	}
	return binary.BigEndian.Uint32(b[:]), from
}

func send(t *testing.T, c *net.UDPConn, to string, n uint32, size int) {
	t.Helper()
	a, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	binary.BigEndian.PutUint32(b, n)
	if _, err := c.WriteToUDP(b, a); err != nil {
		t.Fatal(err)
	}
}

// What leaves the proxy is what a link of the same seed says, in both directions.
func TestProxyDoesWhatTheLinkSays(t *testing.T) {
	fwd, bck := Config{Seed: 11, Loss: 0.2, Duplicate: 0.1}, Config{Seed: 12, Loss: 0.5, Burst: 3}
	a, b := open(t), open(t)
	p := proxy(t, ProxyConfig{Routes: []Route{{Listen: "127.0.0.1:0", To: address(b)}}, Forward: fwd, Back: bck})
	const n = 500
	expect := func(cfg Config) (list []uint32) {
		out, _ := through(t, cfg, n, 100, 0)
		for i, d := range out {
			for range d {
				list = append(list, uint32(i))
			}
		}
		return list
	}
	exchange := func(from, to *net.UDPConn, at string, want []uint32) (seen *net.UDPAddr) {
		t.Helper()
		for i := range uint32(n) {
			send(t, from, at, i, 100)
		}
		var got []uint32
		for range want {
			var v uint32
			v, seen = number(t, to)
			got = append(got, v)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v\nwant %v", got, want)
		}
		return seen
	}
	rear := exchange(a, b, p.Addr(0).String(), expect(fwd))
	front := exchange(b, a, rear.String(), expect(bck))
	if front.String() != p.Addr(0).String() {
		t.Errorf("answers come from %v, packets went to %v", front, p.Addr(0))
	}
	f, k := p.Stats()
	if f.In != n || k.In != n || f.Duplicated == 0 || f.Lost+f.Out-f.Duplicated != n || k.Lost+k.Out != n {
		t.Errorf("%+v\n%+v", f, k)
	}
}

// Packets that are held back keep their order, reordered ones are overtaken, and all
// arrive.
func TestProxyHoldsBack(t *testing.T) {
	for _, tt := range []struct {
		cfg       Config
		overtaken bool
	}{
		{Config{Delay: 20 * ms}, false},
		{Config{Seed: 1, Jitter: 30 * ms, JitterPeriod: 2 * ms}, false},
		{Config{Rate: 20_000_000, Queue: time.Minute}, false},
		{Config{Seed: 2, Reorder: 0.2, ReorderBy: 5 * ms, Delay: 5 * ms}, true},
	} {
		a, b := open(t), open(t)
		p := proxy(t, ProxyConfig{Routes: []Route{{Listen: "127.0.0.1:0", To: address(b)}}, Forward: tt.cfg})
		const n = 300
		for i := range uint32(n) {
			send(t, a, p.Addr(0).String(), i, 1000+int(i)*9) // beyond a slot, too
		}
		var got []uint32
		for range n {
			v, _ := number(t, b)
			got = append(got, v)
		}
		if sorted := slices.IsSorted(got); sorted == tt.overtaken {
			t.Errorf("%+v: in order: %v", tt.cfg, sorted)
		}
		slices.Sort(got)
		if len(slices.Compact(got)) != n {
			t.Errorf("%+v: some packets came twice", tt.cfg)
		}
	}
}

func TestProxyCorrupts(t *testing.T) {
	a, b := open(t), open(t)
	for _, cfg := range []Config{{Corrupt: 1}, {Corrupt: 1, Delay: ms, Duplicate: 1}} {
		p := proxy(t, ProxyConfig{Routes: []Route{{Listen: "127.0.0.1:0", To: address(b)}}, Forward: cfg})
		send(t, a, p.Addr(0).String(), 0, 50)
		for range 1 + int(cfg.Duplicate) {
			buf := make([]byte, 100)
			n, _, err := b.ReadFromUDP(buf)
			if err != nil {
				t.Fatal(err)
			}
			ones := 0
			for _, c := range buf[:n] {
				for ; c != 0; c &= c - 1 {
					ones++
				}
			}
			if n != 50 || ones != 1 {
				t.Errorf("%d bytes with %d bits turned over", n, ones)
			}
		}
	}
}

// Cut, Set and the counters, while packets flow.
func TestProxyChanges(t *testing.T) {
	a, b := open(t), open(t)
	p := proxy(t, ProxyConfig{Routes: []Route{{Listen: "127.0.0.1:0", To: address(b)}}})
	at := p.Addr(0).String()
	taken := func(n int64) {
		t.Helper()
		for f, _ := p.Stats(); f.In < n; f, _ = p.Stats() {
			time.Sleep(100 * time.Microsecond)
		}
	}
	p.Cut(true, false)
	send(t, a, at, 1, 4)
	taken(1)
	p.Cut(false, false)
	send(t, a, at, 2, 4)
	if v, _ := number(t, b); v != 2 {
		t.Errorf("%d came through a cut", v)
	}
	if err := p.Set(Config{Loss: 1}, Config{}); err != nil {
		t.Fatal(err)
	}
	send(t, a, at, 3, 4)
	taken(3)
	if err := p.Set(Config{Loss: 2}, Config{}); err == nil {
		t.Error("a share of 2 was taken")
	}
	if err := p.Set(Config{}, Config{}); err != nil {
		t.Fatal(err)
	}
	send(t, a, at, 4, 4)
	if v, _ := number(t, b); v != 4 {
		t.Errorf("%d came instead of 4", v)
	}
	if f, k := p.Stats(); f != (Stats{In: 4, Out: 2, Lost: 1, Cut: 1}) || k != (Stats{}) {
		t.Errorf("%+v, %+v", f, k)
	}
}

// RTP and RTCP: ports in a row on all sides.
func TestProxyPortsInARow(t *testing.T) {
	row, err := listenRow(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer row[0].Close()
	defer row[1].Close()
	p := proxy(t, ProxyConfig{Routes: []Route{{Listen: "127.0.0.1:0", To: address(row[0]), Ports: 2}, {Listen: "127.0.0.1:0", To: address(row[0])}}})
	if p.Ports() != 3 || p.Addr(0).Port()%2 != 0 || p.Addr(1).Port() != p.Addr(0).Port()+1 {
		t.Fatalf("%v %v", p.Addr(0), p.Addr(1))
	}
	a := open(t)
	var from [2]*net.UDPAddr
	for i := range row {
		send(t, a, p.Addr(i).String(), uint32(i), 4)
		row[i].SetDeadline(time.Now().Add(time.Minute))
		var v uint32
		if v, from[i] = number(t, row[i]); v != uint32(i) {
			t.Errorf("port %d got %d", i, v)
		}
	}
	if from[1].Port != from[0].Port+1 {
		t.Errorf("sent from %v and %v", from[0], from[1])
	}
}

func TestProxyIPv6(t *testing.T) {
	b, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		t.Skipf("needs IPv6 on loopback: %v", err)
	}
	defer b.Close()
	b.SetDeadline(time.Now().Add(time.Minute))
	p := proxy(t, ProxyConfig{Routes: []Route{{Listen: "[::1]:0", To: address(b)}}})
	send(t, b, p.Addr(0).String(), 9, 4)
	if v, _ := number(t, b); v != 9 {
		t.Errorf("got %d", v)
	}
}

func TestProxyRefusesWhatItCannotDo(t *testing.T) {
	busy := open(t)
	for _, cfg := range []ProxyConfig{
		{},
		{Routes: []Route{{Listen: "nowhere", To: "127.0.0.1:9"}}},
		{Routes: []Route{{Listen: "127.0.0.1:0", To: "127.0.0.1"}}},
		{Routes: []Route{{Listen: "127.0.0.1:0", To: "127.0.0.1:65535", Ports: 2}}},
		{Routes: []Route{{Listen: "127.0.0.1:0", To: "127.0.0.1:9", Ports: 99}}},
		{Routes: []Route{{Listen: address(busy), To: "127.0.0.1:9"}}},
		{Routes: []Route{{Listen: "127.0.0.1:0", To: "127.0.0.1:9"}}, Forward: Config{Loss: 7}},
	} {
		if p, err := NewProxy(cfg); err == nil {
			p.Close()
			t.Errorf("%+v was taken", cfg)
		}
	}
}

// A closed proxy leaves no socket, and no goroutine (TestMain).
func TestProxyCloses(t *testing.T) {
	count := func() int {
		d, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("needs /proc/self/fd")
		}
		return len(d)
	}
	b := open(t)
	cfg := ProxyConfig{Routes: []Route{{Listen: "127.0.0.1:0", To: address(b), Ports: 4}}, Forward: Config{Delay: time.Minute}}
	proxy(t, cfg).Close()
	before := count()
	for range 5 {
		p := proxy(t, cfg)
		for i := range 10 {
			send(t, b, p.Addr(0).String(), uint32(i), 100)
		}
		p.Close()
	}
	if n := count(); n > before {
		t.Errorf("%d open files, %d before", n, before)
	}
}

func TestProxyAllocatesNothing(t *testing.T) {
	a, b := open(t), open(t)
	p := proxy(t, ProxyConfig{Routes: []Route{{Listen: "127.0.0.1:0", To: address(b)}}, Forward: Config{Seed: 1, Jitter: ms, JitterPeriod: ms}})
	to := p.Addr(0)
	msg, buf := make([]byte, 1200), make([]byte, 2000)
	step := func() {
		for range 20 {
			if _, err := a.WriteToUDPAddrPort(msg, to); err != nil {
				t.Fatal(err)
			}
		}
		for range 20 {
			if _, _, err := b.ReadFromUDPAddrPort(buf); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 50 {
		step()
	}
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Errorf("%v allocations for 20 packets", n)
	}
}

func ExampleLink() {
	l, err := NewLink(Config{Seed: 1, Loss: 0.3, Delay: 5 * time.Millisecond})
	if err != nil {
		panic(err)
	}
	for i := range 5 {
		now := time.Duration(i) * 10 * time.Millisecond
		fmt.Println(now, l.Push(now, 1200, nil))
	}
	// Output:
	// 0s []
	// 10ms [{15ms -1}]
	// 20ms []
	// 30ms [{35ms -1}]
	// 40ms [{45ms -1}]
}
