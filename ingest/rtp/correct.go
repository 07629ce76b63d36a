package rtp

import (
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/ingest/rtp/fec"
	"github.com/scanout-av/scanout/ingest/rtp/jitter"
	"github.com/scanout-av/scanout/internal/udp"
	"github.com/scanout-av/scanout/media"
)

// correction is forward error correction of the sender; a stream without has none of it.
type correction struct {
	fec.Decoder
	heard media.Instant
	spare [][]byte // memory of packets that have gone their way
	lent  int      // packets that have not
}

// maxLent bounds the packets in the jitter buffer that were given back, and with them their
// memory, to 2.4 MB.
const maxLent = 256

// correctionEnds is how long after its last packet error correction is no longer counted on.
const correctionEnds = 2 * time.Second

// correct takes a packet of error correction. It counts among the packets of the stream when
// it has their SSRC (ULPFEC as GStreamer sends it), and has numbers of its own when not.
// Ownership: takes p.
func (t *track) correct(p *udp.Packet, h *header, body []byte, scheme fec.Scheme, now media.Instant) {
	s := &t.sender
	inBand := h.ssrc == s.ssrc
	switch {
	case !s.live || t.format == nil:
		t.conn.Release(p) // it protects what nobody knows yet
		return
	case p.From != s.from, !inBand && s.ssrc == t.media.protectedSSRC && h.ssrc != t.media.repairSSRC:
		t.c.Foreign++
		t.conn.Release(p)
		return
	}
	at := arrival(p, now)
	t.c.Corrections++
	if t.fec == nil {
		t.fec = &correction{}
	}
	if t.fec.Add(scheme, body, s.ssrc, at) {
		t.fec.heard = at
		t.awaitCorrection()
	} else {
		t.c.Malformed++
	}
	t.conn.Release(p)
	t.giveBack(now)
	if inBand {
		t.occupy(h, at, now)
	}
}

// occupy takes the place of a packet of error correction among those of the stream.
func (t *track) occupy(h *header, at, now media.Instant) {
	s := &t.sender
	if !behind(h.seq, s.top) {
		s.heard, s.top = max(s.heard, at), h.seq
	}
	if d := t.buf.Ahead(h.seq); !t.began || d > someLost || d < -lateBy {
		t.c.Strange++
		return
	}
	v, seq := t.buf.Insert(h.seq, at, packet{occupied: true})
	if v != jitter.Taken && v != jitter.Late {
		return
	}
	t.sent[int(h.seq)%len(t.sent)] = h.ts
	t.nacks.Receive(seq, at)
	t.recv.Receive(seq, h.ts, at)
	t.drain(now)
}

// giveBack puts what error correction gives back into the jitter buffer.
func (t *track) giveBack(now media.Instant) {
	for t.fec != nil {
		var b []byte
		if n := len(t.fec.spare); n > 0 {
			b, t.fec.spare = t.fec.spare[n-1], t.fec.spare[:n-1]
		}
		b, ok := t.fec.Next(b[:0], t.sender.ssrc, now)
		if !ok || !t.restore(b, now) {
			t.fec.spare = append(t.fec.spare, b)
		}
		if !ok {
			return
		}
	}
}

// restore inserts one packet that was lost; false when it is of no use. It has not come, so
// that neither reports nor clocks count it; and since it is what somebody says has been sent,
// it begins no sequence.
// Ownership: takes b when it returns true.
func (t *track) restore(b []byte, now media.Instant) bool {
	h, body, ok := parseHeader(b)
	if !ok || !t.began || t.formatOf(h.pt) != t.format {
		t.c.Malformed++
		return false
	}
	if t.fec.lent == maxLent {
		return false
	}
	ts := clock.Unwrap(uint64(h.ts), clock.BitsRTP, t.lastTS)
	if d := t.buf.Ahead(h.seq); d > fec.Span || d < -lateBy || t.contradicts(h.seq, ts, now) {
		t.c.Strange++
		return false
	}
	v, seq := t.buf.Insert(h.seq, now, packet{
		udp:     udp.Packet{Data: b, From: t.sender.from, Received: now},
		payload: body, ts: ts, marker: h.marker, restored: true,
	})
	switch v {
	case jitter.Taken:
	case jitter.Late:
		t.c.Late++
		fallthrough
	default:
		return false
	}
	t.c.Corrected++
	t.fec.lent++
	t.nacks.Forget(seq)
	t.sent[int(h.seq)%len(t.sent)] = h.ts
	if t.buf.Ahead(h.seq) == 0 {
		t.lastTS = ts
	}
	t.drain(now)
	return true
}

// awaitCorrection has what is missing waited for until what protects it is there, and only then
// asked for.
func (t *track) awaitCorrection() {
	lag := t.fec.Lag()
	lag += lag/4 + time.Millisecond
	t.buf.SetMinWait(t.leastWait() + lag)
	t.nacks.Grace = min(lag, t.s.cfg.maxWait()/2)
}

// endCorrection goes on without, when there has been none for long or the sender is another.
func (t *track) endCorrection() {
	t.fec = nil
	t.buf.SetMinWait(t.leastWait())
	t.nacks.Grace = 0
}

// release gives the memory of a packet of the jitter buffer back.
func (t *track) release(in *packet) {
	if !in.restored {
		t.conn.Release(&in.udp)
	} else if t.fec != nil && t.fec.lent > 0 {
		t.fec.lent--
		t.fec.spare = append(t.fec.spare, in.udp.Data)
	}
}

// retransmission turns a packet of RFC 4588 into the one that it repeats.
func (t *track) retransmission(p *udp.Packet, h *header, body *[]byte) bool {
	s := &t.sender
	b := *body
	if !s.live || p.From != s.from {
		t.c.Foreign++
		return false
	}
	if len(b) < 2 {
		return false // padding that probes for bandwidth
	}
	h.seq, h.ssrc = uint16(b[0])<<8|uint16(b[1]), s.ssrc
	*body = b[2:]
	s.heard = max(s.heard, p.Received)
	t.c.Recovered++
	return true
}
