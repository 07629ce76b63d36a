package rtp

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/ingest/rtp/jitter"
	"github.com/scanout-av/scanout/ingest/rtp/payload"
	"github.com/scanout-av/scanout/internal/udp"
	"github.com/scanout-av/scanout/media"
)

// track receives one stream.
//
// The way of a packet: is it RTP, of a known payload type, from the one sender? → into
// the jitter buffer → in order out of it → its payload into the unit → the unit, once
// whole, into the queue. In a network that loses and reorders nothing a packet goes all
// the way at once.
//
// Concurrency: run and what it calls on one goroutine, under mu except while it waits
// for packets.
type track struct {
	s     *Source
	index int
	media *Media
	conn  *udp.Conn
	rtcp  *udp.Conn // nil when RTCP comes to conn, or not at all
	types [128]int8 // index of the payload type in media.Formats, + 1

	pkts     [64]udp.Packet
	rtcpPkts [8]udp.Packet

	mu     sync.Mutex
	format *Format // nil until a packet has said which it is
	sender sender
	buf    *jitter.Buffer[packet]
	clk    *jitter.Clock
	delay  jitter.Delay
	recv   *jitter.Reception
	nacks  jitter.Nacks
	fec    *correction // nil while none comes
	back   backChannel
	sr     reported
	lastTS int64 // unwrapped, of the newest packet
	began  bool  // lastTS is known
	// sent are the timestamps of the newest packets, by their numbers.
	sent [bufferPackets]uint32
	c    Counters

	depack   payload.Depacketizer
	unit     unitInWork
	out      media.AccessUnit // being handed on; here, because its address goes away
	broken   bool             // packets were lost just before the next one
	missing  int              // so many; 0 when that is not known
	marks    bool             // the sender marks the last packets of its units
	gap      bool             // the next unit does not follow the last one that was handed on
	waitKey  bool
	shown    bool          // a picture of this sender was handed on
	waiting  media.Instant // for a key frame since
	largest  int           // unit of late
	picture  payload.Picture
	sized    bool
	stamps   [6]int64 // timestamps of the first units
	nstamps  int
	shift    float64 // ns that lip-sync moves units by
	shiftAt  media.Instant
	lastAt   media.Instant // moment of the last unit of sound
	pictures bool          // it is video
	unknown  uint8         // the payload type of c.Unknown that came last
	told     told          // while opening
	silent   media.Instant // what was heard last of the sender that was said to be silent
	silences int           // that were said
	stray    stray

	selected atomic.Bool
	target   atomic.Int64 // of delay
	ended    atomic.Bool
}

// packet is a packet in the jitter buffer.
type packet struct {
	udp     udp.Packet
	payload []byte
	ts      int64
	marker  bool
	// restored says that it was lost and its memory is the error correction's, occupied that
	// its number is one of these.
	restored, occupied bool
}

// unitInWork is the access unit that packets go to.
type unitInWork struct {
	payload.Unit
	open     bool
	block    int32
	ts       int64
	received media.Instant // its first packet
	lost     bool          // packets before it are missing
}

func newTrack(s *Source, index int, m *Media) *track {
	t := &track{s: s, index: index, media: m, pictures: m.Kind == media.KindVideo}
	for i := range m.Formats {
		if pt := m.Formats[i].PayloadType; pt != anyType {
			t.types[pt] = int8(i + 1)
		}
	}
	t.buf = jitter.NewBuffer[packet](jitter.BufferConfig{Packets: bufferPackets, MaxWait: s.cfg.maxWait(), MinWait: t.leastWait()})
	t.back.init()
	t.selected.Store(true)
	if f := m.main(); f != nil && f.PayloadType != anyType {
		media := 0
		for i := range m.Formats {
			if m.Formats[i].role == roleMedia {
				media++
			}
		}
		if media == 1 {
			t.choose(f)
		}
	}
	return t
}

const (
	// bufferPackets is how many may be held while something is missing; a power of two.
	bufferPackets = 2048
	// minWait is how long a missing packet is waited for while nothing is known of the
	// network; minWaitNACK is long enough for a second request on a quick one.
	minWait     = 5 * time.Millisecond
	minWaitNACK = 15 * time.Millisecond
)

func (t *track) leastWait() time.Duration {
	if t.media.NACK {
		return minWaitNACK
	}
	return minWait
}

// choose settles the format of the stream.
func (t *track) choose(f *Format) {
	t.format = f
	t.depack, _ = f.depacketizer(t.damage() == DamageShow) // it was tried when it was described
	t.clk, t.recv = jitter.NewClock(f.Clock), jitter.NewReception(f.Clock)
	t.waitKey = t.pictures
	if p, ok := payload.FindPicture(f.Codec, f.extra); ok {
		t.picture, t.sized = p, true
	}
}

func (t *track) damage() Damage {
	switch d := t.s.cfg.Damage; {
	case d != DamageAuto:
		return d
	case t.media.PLI || t.media.FIR:
		return DamageWait
	}
	return DamageShow
}

// housekeeping is how often there is a look at what is due without a packet.
const housekeeping = 50 * time.Millisecond

// run receives until the socket is closed or the stream has ended.
func (t *track) run() {
	defer t.s.running.Done()
	for {
		now := t.s.cfg.Now()
		n, err := t.conn.Receive(t.pkts[:], t.deadline(now))
		switch {
		case err == nil:
		case errors.Is(err, media.ErrAgain):
		case errors.Is(err, udp.ErrExhausted):
			t.mu.Lock()
			t.sender.early.drop(t)
			t.giveUp(t.s.cfg.Now()) // nothing can wait any longer for what is missing
			t.mu.Unlock()
		case errors.Is(err, os.ErrClosed):
			t.end(err)
			return
		default:
			t.s.cfg.Log.Warn("receiving failed", "port", t.media.Port, "error", err)
			t.end(err)
			return
		}
		now = t.s.cfg.Now()
		t.mu.Lock()
		for i := range n {
			t.receive(&t.pkts[i], now)
		}
		t.advance(now)
		over := t.over(now)
		t.mu.Unlock()
		t.control(now)
		if over {
			t.end(nil)
			return
		}
	}
}

// deadline is when there is something to do without a packet.
func (t *track) deadline(now media.Instant) media.Instant {
	d := now.Add(housekeeping)
	if b := t.buf.Deadline(); b != 0 && b < d {
		d = max(b, now)
	}
	if t.media.NACK {
		if k := t.nacks.Next(); k != 0 && k < d {
			d = max(k, now)
		}
	}
	return d
}

// receive takes one packet.
// Ownership: takes p.
func (t *track) receive(p *udp.Packet, now media.Instant) {
	if t.rtcp == nil && isRTCP(p.Data) {
		t.readControl(p)
		t.conn.Release(p)
		return
	}
	h, body, ok := parseHeader(p.Data)
	if !ok {
		t.c.Malformed++
		t.conn.Release(p)
		return
	}
	f := t.formatOf(h.pt)
	if f == nil || f.role == roleIgnored {
		if f == nil {
			t.c.Unknown++
			t.unknown = h.pt
		}
		t.conn.Release(p)
		return
	}
	switch {
	case f.role == roleFEC:
		t.correct(p, &h, body, f.scheme, now)
		return
	case f.role == roleRTX:
		if !t.retransmission(p, &h, &body) {
			t.conn.Release(p)
			return
		}
	case !t.admit(p, &h, body, now):
		return
	case t.fec != nil:
		t.fec.Keep(p.Data, arrival(p, now))
	}
	t.insert(p, &h, body, now)
	if t.fec != nil {
		t.giveBack(now)
	}
}

// formatOf returns the format of a payload type, nil when it is not expected.
func (t *track) formatOf(pt uint8) *Format {
	i := t.types[pt]
	if i == 0 {
		if f := &t.media.Formats[0]; f.PayloadType == anyType {
			return f // the first sender decides
		}
		return nil
	}
	f := &t.media.Formats[i-1]
	if f.role == roleMedia && t.format != nil && f != t.format {
		return nil // there is one decoder
	}
	return f
}

// insert puts a packet of the sender into the jitter buffer.
// Ownership: takes p.
func (t *track) insert(p *udp.Packet, h *header, body []byte, now media.Instant) {
	if t.format == nil || t.format.PayloadType == anyType {
		t.settle(h.pt)
	}
	at := arrival(p, now)
	ts := int64(h.ts)
	if t.began {
		ts = clock.Unwrap(uint64(h.ts), clock.BitsRTP, t.lastTS)
	}
	in := packet{udp: *p, payload: body, ts: ts, marker: h.marker}
	var v jitter.Verdict
	var seq int64
	if t.contradicts(h.seq, ts, at) {
		v = t.buf.Doubt(h.seq)
	} else if v, seq = t.buf.Insert(h.seq, at, in); v == jitter.Duplicate && t.sent[int(h.seq)%len(t.sent)] != h.ts {
		v = t.buf.Doubt(h.seq) // the same number, and not the same packet
	}
	switch v {
	case jitter.Full:
		t.drain(now)
		t.giveUp(now)
		v, seq = t.buf.Insert(h.seq, at, in)
	case jitter.Jumped:
		t.jump(h, ts, at, now)
		v, seq = t.buf.Insert(h.seq, at, in)
	}
	switch v {
	case jitter.Strange, jitter.Jumped, jitter.Full:
		t.c.Strange++
		t.stray.drop(t)
		t.stray = stray{true, *p, *h, body}
		return
	case jitter.Duplicate:
		t.c.Duplicate++
	case jitter.Late:
		t.c.Late++
		t.sent[int(h.seq)%len(t.sent)] = h.ts // it may come again
	}
	t.c.Packets++
	t.recv.Receive(seq, h.ts, at)
	t.nacks.Receive(seq, at)
	if v != jitter.Taken {
		t.conn.Release(p)
		return
	}
	if t.buf.Ahead(h.seq) == 0 { // it is the newest
		t.lastTS, t.began = ts, true
	}
	t.sent[int(h.seq)%len(t.sent)] = h.ts
	if t.clk.Observe(ts, at) {
		t.c.Restarts++
		t.delay.Reset()
	}
	t.drain(now)
}

// arrival is when a packet came: a receiver that was held up takes many at once, and how long
// somebody has been silent does not depend on that.
func arrival(p *udp.Packet, now media.Instant) media.Instant {
	if p.Received == 0 || p.Received > now {
		return now
	}
	return p.Received
}

// settle fixes the payload type by the first packet of the first sender.
func (t *track) settle(pt uint8) {
	if f := &t.media.Formats[0]; f.PayloadType == anyType {
		f.PayloadType = pt
		t.types[pt] = 1
	}
	if i := t.types[pt]; i > 0 {
		t.choose(&t.media.Formats[i-1])
	}
	t.s.progress()
}

// drain moves what is in order from the jitter buffer to the unit.
func (t *track) drain(now media.Instant) {
	for {
		in, _, lost, ok := t.buf.Next(now)
		if !ok {
			return
		}
		if lost > 0 {
			t.lose(lost)
		}
		if !in.occupied {
			t.assemble(&in, now)
		}
		t.release(&in)
	}
}

// giveUp moves everything that is held to the unit, whatever is missing.
func (t *track) giveUp(now media.Instant) {
	for t.buf.Held() > 0 {
		in, ok := t.buf.Flush()
		if !ok {
			return
		}
		t.lose(0)
		if !in.occupied {
			t.assemble(&in, now)
		}
		t.release(&in)
	}
	t.lose(0)
}

// lose notes that n packets are missing at this place; 0 is some.
func (t *track) lose(n int) {
	t.c.Lost += int64(n)
	switch {
	case !t.broken:
		t.missing = n
	case n == 0 || t.missing == 0:
		t.missing = 0
	default:
		t.missing += n
	}
	t.broken = true
	if t.unit.open {
		t.depack.Lose(&t.unit.Unit)
	} else if t.depack != nil {
		t.depack.Reset()
	}
}

// advance does what time alone makes due.
func (t *track) advance(now media.Instant) {
	if t.format == nil {
		return
	}
	t.drain(now)
	if t.fec != nil && now.Sub(t.fec.heard) > correctionEnds {
		t.endCorrection()
	}
	if t.media.NACK && t.sender.live {
		t.buf.Missing(func(seq int64) bool {
			t.nacks.Miss(seq, now)
			return true
		})
		if t.buf.Held() == 0 {
			t.nacks.Reset()
		}
	}
}

// end says that no more units come; nil is a normal end.
func (t *track) end(err error) {
	t.mu.Lock()
	t.dropUnit()
	for {
		in, ok := t.buf.Flush()
		if !ok {
			break
		}
		t.release(&in)
	}
	t.sender.drop(t)
	t.stray.drop(t)
	t.mu.Unlock()
	t.ended.Store(true)
	t.s.trackEnded(err)
}

// over reports whether the stream has ended: the sender said goodbye or has been silent
// for too long, and nobody has taken its place.
func (t *track) over(now media.Instant) bool {
	if !t.sender.live {
		return false
	}
	silent, patience := now.Sub(t.sender.heard), t.s.cfg.Reconnect
	if t.sender.bye && patience <= DefaultReconnect {
		patience = min(patience, t.s.cfg.Linger)
	}
	if silent <= patience {
		t.silence(silent, patience)
		return false
	}
	if !t.sender.bye {
		t.s.cfg.Log.Warn(fmt.Sprintf("%s: the sender, %v, has been silent for %v: the stream ends (--reconnect says how long to wait)",
			t.name(), t.sender.from, silent.Round(time.Second)))
	}
	return true
}
