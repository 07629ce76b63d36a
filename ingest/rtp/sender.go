package rtp

import (
	"net/netip"
	"time"

	"github.com/scanout-av/scanout/internal/udp"
	"github.com/scanout-av/scanout/media"
)

// sender is who the stream is taken from.
//
// Source: RFC 3550, 8.2 and A.1.
type sender struct {
	live  bool
	from  netip.AddrPort
	ssrc  uint32
	heard media.Instant
	bye   bool
	top   uint16 // the highest number that it has sent
	past  past
	cands [8]candidate
	turn  int
	early early
}

// past is the sender before: packets of it that were long on their way do not make it the
// sender again, while the new one pauses between two pictures.
type past struct {
	known bool
	from  netip.AddrPort
	ssrc  uint32
	top   uint16
}

// late reports whether a packet was sent before the sender was another.
func (p *past) late(from netip.AddrPort, h *header) bool {
	return p.known && p.ssrc == h.ssrc && p.from == from && behind(h.seq, p.top)
}

// behind reports whether a packet was overtaken by that of number top, or is that one again.
// One that is far behind is of a new sequence, or top was a stray.
func behind(seq, top uint16) bool { return top-seq < lateBy }

// lateBy is by how many packets one may be late: RFC 3550, A.1, has 100.
const lateBy = 512

// candidate is somebody who might become the sender: two packets in sequence decide.
type candidate struct {
	used bool
	from netip.AddrPort
	ssrc uint32
	seq  uint16
	pkt  udp.Packet // the first one, not to lose it
}

// early are the packets of somebody who speaks before the sender has been silent for long
// enough: if it turns out to have gone, they are the key frame that the next one begins with.
type early struct {
	from    netip.AddrPort
	ssrc    uint32
	packets []stray
}

// maxEarly is what 100 ms of 50 Mbit/s come to.
const maxEarly = 512

// keep takes a packet, unless there is another one's or no room.
// Ownership: takes p when it returns true.
func (e *early) keep(t *track, p *udp.Packet, h *header, body []byte) bool {
	switch {
	case len(e.packets) == 0:
		e.from, e.ssrc = p.From, h.ssrc
	case e.from != p.From || e.ssrc != h.ssrc:
		return false
	case len(e.packets) == maxEarly: // it speaks beside the sender, or for too long
		e.drop(t)
		return false
	}
	if e.packets == nil {
		e.packets = make([]stray, 0, maxEarly)
	}
	e.packets = append(e.packets, stray{true, *p, *h, body})
	return true
}

func (e *early) drop(t *track) {
	for i := range e.packets {
		e.packets[i].drop(t)
	}
	e.packets = e.packets[:0]
}

// before reports whether h continues what is kept.
func (e *early) before(from netip.AddrPort, h *header) bool {
	n := len(e.packets)
	return n > 0 && e.from == from && e.ssrc == h.ssrc && e.packets[n-1].h.seq+1 == h.seq
}

// insert gives the packets to the jitter buffer if they are the sender's.
func (e *early) insert(t *track, now media.Instant) {
	if e.from != t.sender.from || e.ssrc != t.sender.ssrc {
		e.drop(t)
		return
	}
	t.c.Foreign -= int64(len(e.packets))
	for i := range e.packets {
		s := &e.packets[i]
		t.insert(&s.pkt, &s.h, s.body, now)
		*s = stray{}
	}
	e.packets = e.packets[:0]
}

// How long the sender must have been silent before another takes its place.
const (
	takeSameAddress = 100 * time.Millisecond // the same socket under another SSRC
	takeSameHost    = 300 * time.Millisecond // a program that was started again
	takeOther       = 2 * time.Second
)

// admit reports whether a packet is of the sender.
// Ownership: takes p when it is not.
func (t *track) admit(p *udp.Packet, h *header, body []byte, now media.Instant) bool {
	s := &t.sender
	at := arrival(p, now)
	if s.live && h.ssrc == s.ssrc && p.From == s.from {
		// Behind a goodbye it is the sender's tail, not another sender (RFC 3550, 6.2.1).
		if !behind(h.seq, s.top) { // such were long on their way, and do not say that it goes on
			s.heard, s.top = max(s.heard, at), h.seq
			if len(s.early.packets) > 0 {
				s.early.drop(t)
			}
		}
		return true
	}
	if f := t.media.From; f.IsValid() && p.From.Addr().WithZone("") != f || s.past.late(p.From, h) {
		t.c.Foreign++
		t.conn.Release(p)
		return false
	}
	if s.live && !s.bye && !t.s.cfg.AnySource {
		need := takeOther
		switch {
		case p.From == s.from:
			need = takeSameAddress
		case p.From.Addr() == s.from.Addr():
			need = takeSameHost
		}
		if at.Sub(s.heard) < need {
			t.c.Foreign++
			if !s.early.keep(t, p, h, body) {
				t.conn.Release(p)
			}
			return false
		}
	}
	if s.early.before(p.From, h) {
		t.take(p.From, h, at, now)
		s.early.insert(t, now)
		return true
	}
	for i := range s.cands {
		c := &s.cands[i]
		if !c.used || c.ssrc != h.ssrc || c.from != p.From {
			continue
		}
		if h.seq != c.seq+1 {
			t.c.Foreign++
			t.conn.Release(&c.pkt)
			c.pkt, c.seq = *p, h.seq
			return false
		}
		first := c.pkt
		c.pkt, c.used = udp.Packet{}, false
		t.take(p.From, h, at, now)
		s.early.insert(t, now)
		if fh, fbody, ok := parseHeader(first.Data); ok {
			t.insert(&first, &fh, fbody, now)
		} else {
			t.conn.Release(&first)
		}
		return true
	}
	c := &s.cands[s.turn]
	s.turn = (s.turn + 1) % len(s.cands)
	if c.used {
		t.c.Foreign++
		t.conn.Release(&c.pkt)
	}
	*c = candidate{true, p.From, h.ssrc, h.seq, *p}
	return false
}

// take makes somebody the sender, who was heard at an instant by a packet of header h.
func (t *track) take(from netip.AddrPort, h *header, heard, now media.Instant) {
	s := &t.sender
	again := s.live
	if again {
		t.giveUp(now)
		t.finish(now)
		t.stray.drop(t)
		t.buf.Reset()
		t.depack.Reset()
		t.clk.Reset()
		t.recv.Reset()
		t.nacks.Reset()
		t.delay.Reset()
		t.endCorrection()
		t.sr = reported{}
		t.s.lip.forget(t)
		t.shift = 0
		t.began = false
		t.s.cfg.Log.Info("another sender", "stream", t.index, "address", from)
		if t.pictures {
			t.wantKey(now)
		}
		t.broken, t.gap, t.shown, t.marks = false, true, false, false
		s.past = past{true, s.from, s.ssrc, s.top}
	}
	t.c.Sources++
	s.live, s.bye, s.from, s.ssrc, s.heard, s.top = true, false, from, h.ssrc, heard, h.seq
	t.back.newSender(h.ssrc)
}

// drop releases what candidates hold.
func (s *sender) drop(t *track) {
	s.early.drop(t)
	for i := range s.cands {
		if c := &s.cands[i]; c.used {
			t.conn.Release(&c.pkt)
			c.used = false
		}
	}
}
