package impair

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

// Route is a way through a proxy: what arrives at Listen goes on to To, and what comes
// back from there goes to whoever sent to Listen last.
type Route struct {
	Listen, To string // host:port; port 0 of Listen is any free one
	// Ports is how many ports in a row are passed on, both from Listen and from To; 0 is
	// 1, and 2 is RTP with RTCP. The proxy sends from ports in a row as well, because
	// receivers answer RTP from port n at n+1.
	Ports int
}

// ProxyConfig describes a proxy.
type ProxyConfig struct {
	Routes []Route
	// Forward is for packets to To, Back for those the other way. Each port of each route
	// has a link of its own, whose seed is Config.Seed plus its number.
	Forward, Back Config
}

const (
	// maxHeld bounds the packets that are held back, and their memory.
	maxHeld      = 1 << 16
	maxHeldBytes = 64 << 20
	// slotBytes is what a packet is kept in; longer ones get memory of their own.
	slotBytes = 2048
	maxPacket = 65536
	// tries is how often ports in a row are looked for.
	tries = 100
)

// Proxy passes UDP packets on as its links say.
// Concurrency: every method from any goroutine.
type Proxy struct {
	routes []*lane // one for each port
	waiter *rt.Waiter
	done   sync.WaitGroup

	mu      sync.Mutex
	began   media.Instant // of the first packet
	held    heap
	bytes   int
	free    [][]byte
	order   uint64
	stopped bool
	past    [2]Stats // of links that Set has replaced
	plan    []Delivery
}

// lane is one port of a route.
type lane struct {
	p           *Proxy
	front, rear *net.UDPConn // where packets come in, and where they are sent on from
	to          netip.AddrPort
	peer        netip.AddrPort // whoever sent to front last
	links       [2]*Link       // forward, back
}

const (
	forward = 0
	back    = 1
)

// NewProxy opens the sockets of all routes and starts passing packets on.
// Ownership: the caller closes it.
func NewProxy(cfg ProxyConfig) (*Proxy, error) {
	if len(cfg.Routes) == 0 {
		return nil, errors.New("impair: no route: say where to listen and where to send")
	}
	p := &Proxy{waiter: rt.NewWaiter(rt.SleepKernel)}
	for _, r := range cfg.Routes {
		if err := p.open(r); err != nil {
			p.closeSockets()
			return nil, err
		}
	}
	if err := p.Set(cfg.Forward, cfg.Back); err != nil {
		p.closeSockets()
		return nil, err
	}
	p.done.Add(1 + 2*len(p.routes))
	for _, l := range p.routes {
		go l.read(forward, l.front)
		go l.read(back, l.rear)
	}
	go p.send()
	return p, nil
}

// open opens the sockets of r.
func (p *Proxy) open(r Route) error {
	n := max(r.Ports, 1)
	if n > 16 {
		return fmt.Errorf("impair: %d ports of %s: use 16 at most", n, r.Listen)
	}
	at, err := net.ResolveUDPAddr("udp", r.Listen)
	if err != nil {
		return fmt.Errorf("impair: listen at %s (write host:port): %w", r.Listen, err)
	}
	resolved, err := net.ResolveUDPAddr("udp", r.To)
	if err != nil {
		return fmt.Errorf("impair: send to %s (write host:port): %w", r.To, err)
	}
	to := resolved.AddrPort()
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if !to.Addr().IsValid() || to.Addr().IsUnspecified() {
		to = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), to.Port())
	}
	if int(to.Port())+n-1 > 65535 || to.Port() == 0 {
		return fmt.Errorf("impair: send to %s: no such port", r.To)
	}
	fronts, err := listenRow(at, n)
	if err != nil {
		return fmt.Errorf("impair: listen at %s: %w", r.Listen, err)
	}
	rears, err := listenRow(&net.UDPAddr{}, n)
	if err != nil {
		for _, c := range fronts {
			c.Close()
		}
		return fmt.Errorf("impair: send to %s: %w", r.To, err)
	}
	for i := range n {
		p.routes = append(p.routes, &lane{p: p, front: fronts[i], rear: rears[i],
			to: netip.AddrPortFrom(to.Addr(), to.Port()+uint16(i))})
	}
	return nil
}

// listenRow opens n ports in a row, the first of them even when there are several and any
// will do.
// Source: RFC 3550 section 11.
func listenRow(at *net.UDPAddr, n int) (row []*net.UDPConn, err error) {
	for range tries {
		row, err = listenOnce(at, n)
		if err == nil || at.Port != 0 {
			break
		}
	}
	return row, err
}

func listenOnce(at *net.UDPAddr, n int) (row []*net.UDPConn, err error) {
	a := *at
	for len(row) < n {
		var c *net.UDPConn
		if c, err = net.ListenUDP("udp", &a); err != nil {
			break
		}
		row = append(row, c)
		port := c.LocalAddr().(*net.UDPAddr).Port
		if len(row) == 1 && n > 1 && at.Port == 0 && port%2 != 0 {
			err = errors.New("no even port is free")
			break
		}
		a.Port = port + 1
		_ = c.SetReadBuffer(4 << 20) // as much as the system allows
		_ = c.SetWriteBuffer(4 << 20)
	}
	if err != nil {
		for _, c := range row {
			c.Close()
		}
		return nil, err
	}
	return row, nil
}

// Set replaces both directions' impairments; packets that are held back keep their
// moments. Partitions go on counting from the first packet.
func (p *Proxy) Set(fwd, bck Config) error {
	links := make([][2]*Link, len(p.routes))
	for i := range links {
		for d, cfg := range []Config{fwd, bck} {
			cfg.Seed += uint64(i)
			var err error
			if links[i][d], err = NewLink(cfg); err != nil {
				return err
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, l := range p.routes {
		for d := range l.links {
			if old := l.links[d]; old != nil {
				p.past[d].add(old.stats)
				links[i][d].cut = old.cut
			}
		}
		l.links = links[i]
	}
	return nil
}

// Cut says, for each direction, whether nothing passes from now on.
func (p *Proxy) Cut(fwd, bck bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.routes {
		l.links[forward].Cut(fwd)
		l.links[back].Cut(bck)
	}
}

// Stats returns the counters of both directions, over all routes.
func (p *Proxy) Stats() (fwd, bck Stats) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.past
	for _, l := range p.routes {
		for d := range s {
			s[d].add(l.links[d].stats)
		}
	}
	return s[forward], s[back]
}

// Addr returns where the i-th port listens; ports of a route follow each other.
func (p *Proxy) Addr(i int) netip.AddrPort {
	a := p.routes[i].front.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Ports returns how many ports there are.
func (p *Proxy) Ports() int { return len(p.routes) }

// Close drops what is held back and closes the sockets. It returns when all goroutines
// have ended.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.closeSockets()
	p.waiter.Wake()
	p.done.Wait()
	return nil
}

func (p *Proxy) closeSockets() {
	for _, l := range p.routes {
		l.front.Close()
		l.rear.Close()
	}
}

// read takes packets of one direction in until its socket is closed.
func (l *lane) read(direction int, c *net.UDPConn) {
	p := l.p
	defer p.done.Done()
	buf := make([]byte, maxPacket)
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // what an earlier packet met: nobody listens there
		}
		p.take(l, direction, buf[:n], from)
	}
}

// take decides about a packet and sends it on, or keeps a copy for later.
func (p *Proxy) take(l *lane, direction int, b []byte, from netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	now := rt.Now()
	if p.began == 0 {
		p.began = now
	}
	if direction == forward {
		l.peer = from
	}
	link := l.links[direction]
	p.plan = link.Push(now.Sub(p.began), len(b), p.plan[:0])
	for _, d := range p.plan {
		at := p.began.Add(d.At)
		if at <= now && (len(p.held) == 0 || p.held[0].at > now) {
			turn(b, d.Flip)
			l.pass(direction, b)
			turn(b, d.Flip) // for the copy
			continue
		}
		if len(p.held) >= maxHeld || p.bytes+len(b) > maxHeldBytes {
			link.stats.Overflow++
			link.stats.Out--
			continue
		}
		first := len(p.held) == 0 || at < p.held[0].at
		c := append(p.slot(len(b)), b...)
		turn(c, d.Flip)
		p.bytes += len(c)
		p.order++
		p.held.push(packet{at, p.order, l, direction, c})
		if first {
			p.waiter.Wake()
		}
	}
}

// turn turns a bit over.
func turn(b []byte, bit int) {
	if bit >= 0 {
		b[bit/8] ^= 1 << (bit % 8)
	}
}

// pass sends b on.
func (l *lane) pass(direction int, b []byte) {
	c, to := l.rear, l.to
	if direction == back {
		c, to = l.front, l.peer
	}
	if !to.IsValid() {
		return // nobody has sent yet whom it could be for
	}
	// Sending to where nobody listens is what a network does.
	if _, err := c.WriteToUDPAddrPort(b, to); err != nil {
		l.links[direction].stats.Failed++
	}
}

// send sends what was held back, each packet at its moment.
func (p *Proxy) send() {
	defer p.done.Done()
	thread := rt.Lock(rt.ThreadConfig{}) // exact timers
	defer thread.Unlock()
	for {
		next, ok := p.sendDue()
		if !ok {
			return
		}
		p.waiter.Wait(next)
	}
}

// sendDue sends what is due and returns when the next packet is, 0 for none; false when
// the proxy is closed.
func (p *Proxy) sendDue() (next media.Instant, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := rt.Now()
	for len(p.held) > 0 && !p.stopped {
		if p.held[0].at > now {
			return p.held[0].at, true
		}
		k := p.held.pop()
		k.lane.pass(k.direction, k.data)
		p.bytes -= len(k.data)
		if cap(k.data) == slotBytes {
			p.free = append(p.free, k.data[:0])
		}
	}
	return 0, !p.stopped
}

// slot returns empty memory for n bytes.
func (p *Proxy) slot(n int) []byte {
	if n > slotBytes {
		return make([]byte, 0, n)
	}
	if k := len(p.free); k > 0 {
		s := p.free[k-1]
		p.free = p.free[:k-1]
		return s
	}
	return make([]byte, 0, slotBytes)
}

// packet waits for its moment.
type packet struct {
	at        media.Instant
	order     uint64
	lane      *lane
	direction int
	data      []byte
}

// heap has the packet that is due first at 0. (container/heap would allocate for each.)
type heap []packet

func (h heap) before(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].order < h[j].order
}

func (h *heap) push(k packet) {
	*h = append(*h, k)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s.before(i, parent) {
			return
		}
		s[i], s[parent] = s[parent], s[i]
		i = parent
	}
}

func (h *heap) pop() packet {
	s := *h
	top, n := s[0], len(s)-1
	s[0] = s[n]
	s[n] = packet{}
	s = s[:n]
	*h = s
	for i := 0; ; {
		child := 2*i + 1
		if child >= n {
			return top
		}
		if child+1 < n && s.before(child+1, child) {
			child++
		}
		if !s.before(child, i) {
			return top
		}
		s[i], s[child] = s[child], s[i]
		i = child
	}
}
