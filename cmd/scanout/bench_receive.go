package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/internal/udp"
	"github.com/scanout-av/scanout/media"
)

// A way to receive opens a socket and returns how to take packets from it: take calls see
// for each packet, and returns after at least one, or when nothing has come for a while.
type receiveWay struct {
	name string
	open func() (*receiving, error)
}

type receiving struct {
	address string
	take    func(see func(b []byte)) error
	stats   func() udp.Stats
	close   func()
}

const (
	receivePatience = 3 * time.Second // without a packet, the sender has failed
	receiveSize     = 1200
	endOfPackets    = ^uint64(0)
)

func receiveWays() []receiveWay {
	ours := func(cfg udp.Config) func() (*receiving, error) {
		return func() (*receiving, error) { return receiveUDP(cfg) }
	}
	return []receiveWay{
		{"net.UDPConn, ReadFromUDPAddrPort", receiveNet},
		{"x/net, ReadBatch of 64", receiveBatch},
		{"scanout net", ours(udp.Config{Receive: udp.PathNet})},
		{"scanout mmsg, no gathering", ours(udp.Config{Receive: udp.PathMMsg, Batch: 1})},
		{"scanout uring, no gathering", ours(udp.Config{Receive: udp.PathURing, Batch: 1})},
		{"scanout mmsg", ours(udp.Config{Receive: udp.PathMMsg})},
		{"scanout uring", ours(udp.Config{Receive: udp.PathURing})},
	}
}

func listenLoopback() (*net.UDPConn, error) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err == nil {
		err = c.SetReadBuffer(udp.DefaultReceiveBuffer)
	}
	return c, err
}

func receiveNet() (*receiving, error) {
	c, err := listenLoopback()
	if err != nil {
		return nil, err
	}
	b := make([]byte, 2048)
	var s udp.Stats
	return &receiving{
		address: c.LocalAddr().String(),
		take: func(see func([]byte)) error {
			if s.Syscalls%1024 == 0 {
				if err := c.SetReadDeadline(time.Now().Add(receivePatience)); err != nil {
					return err
				}
			}
			s.Syscalls++
			n, _, err := c.ReadFromUDPAddrPort(b)
			if err == nil {
				see(b[:n])
			}
			return err
		},
		stats: func() udp.Stats { return s },
		close: func() { c.Close() },
	}, nil
}

func receiveBatch() (*receiving, error) {
	c, err := listenLoopback()
	if err != nil {
		return nil, err
	}
	p := ipv4.NewPacketConn(c)
	ms := make([]ipv4.Message, 64)
	for i := range ms {
		ms[i].Buffers = [][]byte{make([]byte, 2048)}
	}
	var s udp.Stats
	return &receiving{
		address: c.LocalAddr().String(),
		take: func(see func([]byte)) error {
			if s.Syscalls%1024 == 0 {
				if err := c.SetReadDeadline(time.Now().Add(receivePatience)); err != nil {
					return err
				}
			}
			s.Syscalls++
			n, err := p.ReadBatch(ms, 0)
			for i := range ms[:max(n, 0)] {
				see(ms[i].Buffers[0][:ms[i].N])
			}
			return err
		},
		stats: func() udp.Stats { return s },
		close: func() { c.Close() },
	}, nil
}

func receiveUDP(cfg udp.Config) (*receiving, error) {
	cfg.Address = "127.0.0.1:0"
	c, err := udp.Listen(cfg)
	if err != nil {
		return nil, err
	}
	pkts := make([]udp.Packet, 128)
	return &receiving{
		address: c.LocalAddr().String(),
		take: func(see func([]byte)) error {
			n, err := c.Receive(pkts, rt.Now().Add(receivePatience))
			for i := range pkts[:n] {
				see(pkts[i].Data)
				c.Release(&pkts[i])
			}
			return err
		},
		stats: c.Stats,
		close: func() { c.Close() },
	}, nil
}

// receivePattern is how packets leave the sender.
type receivePattern struct {
	name string
	args []string
}

var receivePatterns = []receivePattern{
	{"even", nil},
	{"frames", []string{"--frames", "60"}},
	{"trains", []string{"--frames", "60", "--gso"}},
}

// received is one measurement.
type received struct {
	cpu, wakeups, syscalls, copies, allocs float64 // a packet
	late                                   []time.Duration
	lost                                   uint64
}

// benchReceive measures every way in turns, at every rate and in every pattern, and keeps
// the medians.
func benchReceive(ctx context.Context, o *benchOptions) (*benchTable, error) {
	t := &benchTable{Columns: []string{"packets/s", "sent", "way", "µs CPU a packet", "of net.UDPConn's", "wake-ups", "calls", "copies", "allocations", "p50 µs", "p99 µs", "lost"}}
	ways := receiveWays()
	usable := ways[:0:0]
	for _, w := range ways {
		r, err := w.open()
		if errors.Is(err, media.ErrNotSupported) {
			t.note("%s: %v", w.name, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		r.close()
		usable = append(usable, w)
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	const rounds = 3
	for _, rate := range []int{1_000, 20_000, 100_000} {
		for _, p := range receivePatterns {
			runs := make([][]received, len(usable))
			for range rounds {
				for i := range usable {
					fmt.Fprintf(o.Verbose, "\r\x1b[K%d/s %s: %s", rate, p.name, usable[i].name)
					m, err := receiveOnce(ctx, exe, &usable[i], rate, o.Duration/rounds, p.args)
					if err != nil {
						return nil, fmt.Errorf("%s: %w", usable[i].name, err)
					}
					runs[i] = append(runs[i], m)
				}
			}
			base := 0.0
			for i, w := range usable {
				mid := func(f func(*received) float64) float64 {
					v := make([]float64, 0, rounds)
					for j := range runs[i] {
						v = append(v, f(&runs[i][j]))
					}
					return median(v)
				}
				quantile := func(q float64) float64 {
					return mid(func(r *received) float64 { return float64(r.late[int(q*float64(len(r.late)-1))]) / 1e3 })
				}
				lost := uint64(0)
				for _, r := range runs[i] {
					lost += r.lost
				}
				cpu := mid(func(r *received) float64 { return r.cpu })
				if i == 0 {
					base = cpu
				}
				t.add(rate, p.name, w.name, cpu, cpu/base,
					mid(func(r *received) float64 { return r.wakeups }), mid(func(r *received) float64 { return r.syscalls }),
					mid(func(r *received) float64 { return r.copies }), round(mid(func(r *received) float64 { return r.allocs })),
					quantile(0.5), quantile(0.99), lost)
			}
		}
	}
	fmt.Fprint(o.Verbose, "\r\x1b[K")
	t.note("Packets of %d bytes on loopback from a process of its own, whose CPU is not counted: evenly spaced, or in 60 bursts a second (frames; trains: the same with UDP_SEGMENT). CPU is this whole process's.", receiveSize)
	t.note("Wake-ups: voluntary context switches. Calls: what the way itself makes; Go's poller adds two for each wait of net.UDPConn and ReadBatch. Copies and allocations: after the kernel's copy. p50, p99: from before sending to the packet in hand. Medians of %d rounds in turns.", rounds)
	return t, nil
}

// receiveOnce runs exe, this program, as the sender against one way. The first tenth warms
// up.
func receiveOnce(ctx context.Context, exe string, w *receiveWay, rate int, d time.Duration, args []string) (m received, err error) {
	r, err := w.open()
	if err != nil {
		return m, err
	}
	defer r.close()
	n := uint64(max(float64(rate)*d.Seconds(), 20))
	cmd := exec.CommandContext(ctx, exe, append([]string{"bench-send", r.address, "--rate", strconv.Itoa(rate), "--packets", strconv.FormatUint(n, 10),
		"--size", strconv.Itoa(receiveSize)}, args...)...)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return m, err
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	first := n / 10
	var next, got uint64
	var warm bool
	var end bool
	var from, to resources
	late := make([]time.Duration, 0, n)
	see := func(b []byte) {
		seq := binary.LittleEndian.Uint64(b)
		if seq == endOfPackets {
			end = true
			return
		}
		if seq > next {
			m.lost += seq - next
		}
		next = seq + 1
		if warm {
			got++
			late = append(late, rt.Now().Sub(media.Instant(binary.LittleEndian.Uint64(b[8:]))))
		}
	}
	// On a goroutine of its own, which a way may lock to its thread.
	done := make(chan error, 1)
	go func() {
		for !end {
			if err := r.take(see); err != nil {
				done <- err
				return
			}
			if !warm && next >= first {
				from, warm = use(r), true
			}
			if warm && next == n {
				to = use(r)
			}
		}
		done <- nil
	}()
	if err := <-done; err != nil {
		return m, fmt.Errorf("after %d of %d packets: %w %s", next, n, err, said.String())
	}
	if to == (resources{}) {
		to = use(r) // the last packet was lost
	}
	k := float64(max(got, 1))
	m.cpu = float64(to.cpu-from.cpu) / 1e3 / k
	m.wakeups = float64(to.switches-from.switches) / k
	m.syscalls = float64(to.calls-from.calls) / k
	m.copies = float64(to.copies-from.copies) / k
	m.allocs = float64(to.mallocs-from.mallocs) / k
	slices.Sort(late)
	m.late = append(late, 0)[:max(len(late), 1)]
	return m, nil
}

// resources is what a process has used so far.
type resources struct {
	cpu      time.Duration
	switches int64
	mallocs  uint64
	calls    uint64
	copies   uint64
}

func use(r *receiving) resources {
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	s := r.stats()
	return resources{rt.ProcessCPU().Total(), voluntarySwitches(), ms.Mallocs, s.Syscalls, s.Copied}
}

// benchSendCommand is the sender of [benchReceive], a process of its own.
type benchSendCommand struct {
	To      string `arg:""`
	Rate    int    `default:"20000"`
	Packets uint64 `default:"20000"`
	Size    int    `default:"1200"`
	Frames  int    `help:"Bursts a second; 0 spaces packets evenly."`
	GSO     bool   `name:"gso"`
}

func (c *benchSendCommand) Run(env *environment) error {
	if c.Rate < 1 || c.Size < 16 || c.Size > 1472 || c.Frames < 0 {
		return usageError{errors.New("bench-send: rate, size or frames out of range")}
	}
	s, err := udp.NewSender(udp.SendConfig{To: c.To, NoGSO: !c.GSO, SendBuffer: 4 << 20})
	if err != nil {
		return err
	}
	defer s.Close()
	// The last processor: the receiver's threads find the others free.
	cfg := rt.ThreadConfig{}
	if n := runtime.NumCPU(); n > 1 {
		cfg.CPUs = []int{n - 1}
	}
	th := rt.Lock(cfg)
	defer th.Unlock()
	burst := 1
	if c.Frames > 0 {
		burst = max(c.Rate/c.Frames, 1)
	}
	datagrams := make([][]byte, burst)
	for i := range datagrams {
		datagrams[i] = make([]byte, c.Size)
	}
	begin := clock.Now().Add(20 * time.Millisecond)
	for i := uint64(0); i < c.Packets && env.ctx.Err() == nil; {
		at := begin.Add(time.Duration(float64(i) * 1e9 / float64(c.Rate)))
		rt.SleepUntil(at.Add(-200 * time.Microsecond))
		for clock.Now() < at {
			rt.Pause(10)
		}
		k := int(min(uint64(burst), c.Packets-i))
		now := uint64(clock.Now())
		for j := range k {
			binary.LittleEndian.PutUint64(datagrams[j], i+uint64(j))
			binary.LittleEndian.PutUint64(datagrams[j][8:], now)
		}
		if err := s.Send(datagrams[:k]...); err != nil {
			return err
		}
		i += uint64(k)
	}
	binary.LittleEndian.PutUint64(datagrams[0], endOfPackets)
	for range 5 { // one may be lost
		time.Sleep(20 * time.Millisecond)
		if err := s.Send(datagrams[0]); err != nil {
			return err
		}
	}
	return nil
}
