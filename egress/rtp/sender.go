package rtp

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/scanout-av/scanout/internal/udp"
	"github.com/scanout-av/scanout/media"
)

// Defaults and limits of [Config].
const (
	DefaultPayloadSize = 1200
	minPayloadSize     = 64
	maxPayloadSize     = 65000
	// Step is how often a burst that is being spread goes on.
	Step = time.Millisecond
	// maxSpread is the longest that a picture is spread over.
	maxSpread = 20 * time.Millisecond
	// reportInterval is how often a sender report is sent.
	reportInterval = time.Second
	// headStart is the time from the first access unit to its first packet.
	headStart = 20 * time.Millisecond
)

// Config says what to send where. The zero value of every field but To, Streams, Now and
// Wall is the documented default.
type Config struct {
	// To is host:port of the first stream; each further one uses the port two above.
	// RTCP goes to the port one above its stream's.
	To      string
	Streams []media.Stream
	// Now is the monotonic clock, Wall the time of day, which sender reports tell. Now is
	// called from other goroutines, too.
	Now  func() media.Instant
	Wall func() time.Time

	Name string // of the session
	// PayloadSize is the longest RTP payload in bytes; 0 is DefaultPayloadSize.
	PayloadSize int
	// Burst sends each access unit at once, instead of spreading it over half the time
	// until the next one.
	Burst bool
	// FEC sends, beside pictures, so many packets in a hundred of forward error correction, at
	// least one for each picture, with an SSRC and a payload type of their own; 0 sends none.
	FEC int
	// Speed sends faster or slower than real time, and RTP timestamps with it; 0 is 1.
	Speed float64

	Local, Interface string // as in udp.SendConfig
	TTL              int
	NoGSO            bool
}

// Sender sends streams.
type Sender struct {
	cfg     Config
	session uint64
	cname   string
	streams []*stream
	byIndex map[int]*stream

	begun bool
	start media.Instant // when origin is sent
	// origin is the media time of the first access unit.
	origin time.Duration
	free   []*unit

	answering sync.WaitGroup
}

// stream is one RTP stream.
type stream struct {
	kind        media.Kind
	rate        media.Rational
	format      format
	media, rtcp *udp.Sender
	payloadType uint8
	ssrc        uint32
	seq         uint16
	base        uint32 // RTP timestamp of origin
	queue       []*unit
	last        time.Duration // decoding time of the unit before
	begun       bool
	packets     uint32
	octets      uint32
	corrections uint64
	nextReport  media.Instant
	again       *Retransmitter
	correct     *corrector // nil: there is none
}

// answers reports whether what the receiver asks for is heard. A multicast group has many
// members, whose requests would have to be weighed.
func (st *stream) answers() bool { return !st.media.To().Addr().IsMulticast() }

// New opens the sockets.
// Ownership: the caller closes the sender.
// Errors: media.ErrNotSupported for a stream that cannot be sent as RTP.
func New(cfg Config) (*Sender, error) {
	s, err := newSender(cfg)
	if err != nil {
		return nil, fmt.Errorf("rtp: send to %s: %w", cfg.To, err)
	}
	return s, nil
}

func newSender(cfg Config) (*Sender, error) {
	if cfg.PayloadSize == 0 {
		cfg.PayloadSize = DefaultPayloadSize
	}
	if cfg.Speed == 0 {
		cfg.Speed = 1
	}
	switch {
	case cfg.Now == nil || cfg.Wall == nil:
		return nil, errors.New("Config.Now or Config.Wall is missing")
	case cfg.PayloadSize < minPayloadSize || cfg.PayloadSize > maxPayloadSize:
		return nil, fmt.Errorf("payloads of %d bytes: use %d to %d", cfg.PayloadSize, minPayloadSize, maxPayloadSize)
	case !(cfg.Speed >= 0.1 && cfg.Speed <= 16):
		return nil, fmt.Errorf("speed %v is out of range: use 0.1 to 16", cfg.Speed)
	case cfg.FEC < 0 || cfg.FEC > 100:
		return nil, fmt.Errorf("%d packets of error correction in a hundred: use 0 to 100", cfg.FEC)
	case len(cfg.Streams) == 0:
		return nil, errors.New("there is no stream to send")
	}
	host, p, err := net.SplitHostPort(cfg.To)
	if err != nil {
		return nil, fmt.Errorf("%q is not host:port (an IPv6 address goes in brackets)", cfg.To)
	}
	port, err := strconv.ParseUint(p, 10, 16)
	if err != nil || port == 0 || int(port)+2*len(cfg.Streams)-1 > 65535 {
		return nil, fmt.Errorf("port %q: it takes a number from 1 to %d", p, 65536-2*len(cfg.Streams))
	}
	s := &Sender{cfg: cfg, session: rand.Uint64() >> 1, byIndex: map[int]*stream{}}
	s.cname = strconv.FormatUint(rand.Uint64(), 36)
	for i := range cfg.Streams {
		src := &cfg.Streams[i]
		f, err := formatOf(src)
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("stream %d: %w", src.Index, err)
		}
		st := &stream{kind: src.Kind, rate: src.FrameRate, format: f, payloadType: uint8(96 + i),
			ssrc: rand.Uint32(), seq: uint16(rand.Uint32()), base: rand.Uint32()}
		if cfg.FEC > 0 && src.Kind == media.KindVideo {
			st.correct = &corrector{percent: cfg.FEC, ssrc: st.ssrc ^ 1<<(1+rand.Uint32N(31)), seq: uint16(rand.Uint32())}
		}
		s.streams = append(s.streams, st)
		s.byIndex[src.Index] = st
		to := func(port int) udp.SendConfig {
			return udp.SendConfig{To: net.JoinHostPort(host, strconv.Itoa(port)), Local: cfg.Local, Interface: cfg.Interface, TTL: cfg.TTL, NoGSO: cfg.NoGSO}
		}
		if st.media, err = udp.NewSender(to(int(port) + 2*i)); err == nil {
			st.rtcp, err = beside(st.media, to(int(port)+2*i+1))
		}
		if err != nil {
			s.Close()
			return nil, err
		}
		st.again = NewRetransmitter(st.ssrc, headerSize+cfg.PayloadSize)
		if st.answers() {
			// Receivers that multiplex RTCP send it to where the packets come from.
			s.answering.Add(2)
			go s.answer(st, st.rtcp)
			go s.answer(st, st.media)
		}
	}
	return s, nil
}

// beside opens the socket for reports, on the port above that of the packets if that is
// free: whoever has not heard a report yet sends requests there.
// Source: RFC 3550, 11.
func beside(packets *udp.Sender, cfg udp.SendConfig) (*udp.Sender, error) {
	if at := packets.LocalAddr(); at.Port() < math.MaxUint16 {
		near := cfg
		near.Local = netip.AddrPortFrom(at.Addr(), at.Port()+1).String()
		if c, err := udp.NewSender(near); err == nil {
			return c, nil
		}
	}
	return udp.NewSender(cfg)
}

// answer answers what comes back to a socket of a stream until that is closed. The sockets
// are connected: the kernel passes on what comes from the receiver, and nothing else.
func (s *Sender) answer(st *stream, c *udp.Sender) {
	defer s.answering.Done()
	b := make([]byte, math.MaxUint16)
	for {
		n, err := c.Receive(b)
		if err != nil {
			return
		}
		if st.again.Answer(s.cfg.Now(), b[:n], func(packet []byte) error { return st.media.Send(packet) }) != nil {
			return // Send meets it, too
		}
	}
}

// Queue cuts an access unit into packets, which are sent when they are due. offset is
// added to its timestamps: a file that is sent again goes on where it ended. It returns
// when the first packet is due; who queues far ahead of that holds memory for it.
// Errors: a damaged access unit is not sent and says so; sending can go on.
func (s *Sender) Queue(au *media.AccessUnit, offset time.Duration) (due media.Instant, err error) {
	st := s.byIndex[au.Stream]
	if st == nil {
		return 0, fmt.Errorf("rtp: there is no stream %d", au.Stream)
	}
	dts, pts := au.DTS, au.PTS
	if !dts.Valid() {
		dts = pts
	}
	if !pts.Valid() {
		pts = dts
	}
	decode, present := au.Timebase.Duration(dts)+offset, au.Timebase.Duration(pts)+offset
	if !dts.Valid() {
		decode, present = st.last, st.last
	}
	if !s.begun {
		s.begun, s.origin, s.start = true, decode, s.cfg.Now().Add(headStart)
	}
	if !st.begun {
		st.begun, st.last = true, decode
		if st.format.complete != nil {
			st.format.complete(&st.format, au)
		}
	}
	u := s.unit()
	if err := st.format.packetize(u, au, s.cfg.PayloadSize); err != nil {
		s.free = append(s.free, u)
		return 0, fmt.Errorf("rtp: stream %d: %w", au.Stream, err)
	}
	u.cut()
	u.from = s.start.Add(s.wall(decode - s.origin))
	u.until = u.from
	if span := s.wall(decode - st.last); !s.cfg.Burst && st.kind == media.KindVideo {
		u.until = u.from.Add(min(max(span, 0)/2, maxSpread))
	}
	st.last = decode
	header := rtp.Header{Version: 2, PayloadType: st.payloadType, SSRC: st.ssrc,
		Timestamp: st.base + st.ticks(s.wall(present-s.origin))}
	for i, p := range u.packets {
		header.SequenceNumber = st.seq
		header.Marker = i == len(u.packets)-1 && st.marks()
		st.seq++
		if _, err := header.MarshalTo(p); err != nil {
			return 0, fmt.Errorf("rtp: header: %w", err)
		}
	}
	if st.correct != nil {
		st.correct.protect(u)
	}
	st.queue = append(st.queue, u)
	return u.from, nil
}

// marks reports whether the last packet of an access unit has the marker: for Opus it
// means something else. Source: RFC 7587, 4.1.
func (st *stream) marks() bool { return st.format.name != "opus/48000/2" }

// wall converts a span of the media to one of the clock.
func (s *Sender) wall(d time.Duration) time.Duration {
	if s.cfg.Speed == 1 {
		return d
	}
	return time.Duration(float64(d) / s.cfg.Speed)
}

func (st *stream) ticks(d time.Duration) uint32 {
	return uint32(media.Timebase{Num: 1, Den: int32(st.format.clock)}.Ticks(d))
}

func (s *Sender) unit() *unit {
	if n := len(s.free); n > 0 {
		u := s.free[n-1]
		s.free = s.free[:n-1]
		u.reset()
		return u
	}
	return new(unit)
}

// due is when packet i may leave.
func (u *unit) due(i int) media.Instant {
	n := len(u.packets)
	span := u.until.Sub(u.from)
	if i == 0 || span <= 0 {
		return u.from
	}
	// A few at a time, so that each step is one system call.
	steps := min(int(span/Step), n)
	if steps < 1 {
		return u.from
	}
	return u.from.Add(span * time.Duration(i*steps/n) / time.Duration(steps))
}

// Next is when [Sender.Send] has something to do; false when nothing is queued.
func (s *Sender) Next() (at media.Instant, ok bool) {
	for _, st := range s.streams {
		if len(st.queue) > 0 {
			if due := st.queue[0].due(st.queue[0].sent); !ok || due < at {
				at, ok = due, true
			}
		}
	}
	return at, ok
}

// Send sends everything that is due, and the reports.
func (s *Sender) Send(now media.Instant) error {
	for _, st := range s.streams {
		for len(st.queue) > 0 {
			u := st.queue[0]
			k := u.sent
			for k < len(u.packets) && u.due(k) <= now {
				k++
			}
			if k > u.sent {
				if st.nextReport <= now {
					st.nextReport = now.Add(reportInterval)
					if err := s.report(st, now, false); err != nil {
						return err
					}
				}
				st.again.Keep(now, u.packets[u.sent:k]...)
				if err := st.media.Send(u.packets[u.sent:k]...); err != nil {
					return err
				}
				for _, p := range u.packets[u.sent:k] {
					if !st.own(p) {
						st.corrections++
						continue
					}
					st.packets++
					st.octets += uint32(len(p) - headerSize)
				}
				u.sent = k
			}
			if k < len(u.packets) {
				break
			}
			st.queue = append(st.queue[:0], st.queue[1:]...)
			s.free = append(s.free, u)
		}
	}
	return nil
}

// report sends a sender report, and a goodbye at the end.
// Source: RFC 3550, 6.4.1, 6.5, 6.6.
func (s *Sender) report(st *stream, now media.Instant, bye bool) error {
	wall := s.cfg.Wall()
	const toNTP = 2208988800 // seconds from 1900 to 1970
	ntp := uint64(wall.Unix()+toNTP)<<32 | uint64(wall.Nanosecond())<<32/1e9
	packets := []rtcp.Packet{
		&rtcp.SenderReport{SSRC: st.ssrc, NTPTime: ntp, RTPTime: st.base + st.ticks(now.Sub(s.start)), PacketCount: st.packets, OctetCount: st.octets},
		&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{Source: st.ssrc, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: s.cname}}}}},
	}
	if bye {
		packets = append(packets, &rtcp.Goodbye{Sources: []uint32{st.ssrc}})
	}
	b, err := rtcp.Marshal(packets)
	if err != nil {
		return fmt.Errorf("rtp: report: %w", err)
	}
	st.again.Reported(now, ntp)
	return st.rtcp.Send(b)
}

// Stats are counts since New.
type Stats struct {
	Packets, Bytes, Syscalls uint64 // what was sent again included
	Refused                  uint64 // nobody listened, as far as the other side says
	Corrections              uint64 // of the packets, those of error correction
	// Feedback is what receivers asked for, and got.
	Feedback RetransmitStats
}

// Stats returns the counts so far.
func (s *Sender) Stats() (sum Stats) {
	for _, st := range s.streams {
		m := st.media.Stats()
		sum.Packets += m.Sent
		sum.Bytes += m.Bytes
		sum.Syscalls += m.Syscalls
		sum.Refused += m.Refused
		sum.Corrections += st.corrections
		sum.Feedback.add(st.again.Stats())
	}
	return sum
}

// To is where the streams go.
func (s *Sender) To() (all []netip.AddrPort) {
	for _, st := range s.streams {
		all = append(all, st.media.To())
	}
	return all
}

// Close says goodbye and closes the sockets. What is queued is not sent.
func (s *Sender) Close() error {
	var errs []error
	for _, st := range s.streams {
		if st.rtcp != nil && st.begun {
			errs = append(errs, s.report(st, s.cfg.Now(), true))
		}
		if st.rtcp != nil {
			errs = append(errs, st.rtcp.Close())
		}
		if st.media != nil {
			errs = append(errs, st.media.Close())
		}
	}
	s.answering.Wait()
	s.streams = nil
	return errors.Join(errs...)
}
