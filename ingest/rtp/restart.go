package rtp

import (
	"github.com/scanout-av/scanout/internal/udp"
	"github.com/scanout-av/scanout/media"
)

// Senders that start again with the same SSRC: how packets show that, and how a new sequence
// begins.

// stray is a packet whose number is far from the others, kept in case that a new sequence
// begins with it.
type stray struct {
	used bool
	pkt  udp.Packet
	h    header
	body []byte
}

const (
	// someLost is by how many numbers a sequence may be ahead without a look at what else
	// says that it is another one. Source: RFC 3550, A.1, MAX_MISORDER.
	someLost = 100
	// Seconds by which packets of lower numbers than the newest may be later by their
	// timestamps, for pictures that are not sent in the order in which they are shown, and
	// earlier: 512 numbers behind in a stream of 50 a second.
	mostReordered = 1
	mostBehind    = 15
)

// contradicts reports whether a packet cannot be of the sequence in which its number lies: its
// timestamp is not of a time at which the sender was there. Such are of a sender that has
// started again with the same SSRC, if there are two in a row (RFC 3550, A.1), and otherwise
// would pass for late ones until the numbers have caught up, or for the end of a long loss.
func (t *track) contradicts(seq uint16, ts int64, at media.Instant) bool {
	if !t.began {
		return false
	}
	rate := int64(max(t.format.Clock, 1))
	switch ahead := t.buf.Ahead(seq); {
	case ahead > someLost:
		return t.sender.bye || t.clk.Far(ts, at)
	case ahead <= 0:
		later := ts - t.lastTS
		return later > mostReordered*rate || later < -mostBehind*rate || t.sender.bye && ahead < -someLost
	}
	return false
}

// jump begins a new sequence: the sender has started again with the same SSRC. The packet
// before h, which was strange then, belongs to it: a key frame begins with the parameter sets.
func (t *track) jump(h *header, ts int64, at, now media.Instant) {
	t.drain(now)
	t.giveUp(now)
	t.finish(now)
	t.depack.Reset()
	t.nacks.Reset()
	if t.fec != nil {
		t.fec.Reset()
	}
	t.broken, t.gap = false, true
	t.hurt(now)
	if t.clk.Far(ts, at) {
		t.clk.Restart(ts, at)
		t.c.Restarts++
		t.delay.Reset()
	}
	t.lastTS = ts
	t.sender.top, t.sender.heard, t.sender.bye = h.seq, max(t.sender.heard, at), false
	first := t.stray
	t.stray = stray{}
	if !first.used || first.h.seq+1 != h.seq {
		first.drop(t)
		t.buf.Restart(h.seq)
		return
	}
	t.buf.Restart(first.h.seq)
	t.c.Strange--
	t.insert(&first.pkt, &first.h, first.body, now)
}

func (s *stray) drop(t *track) {
	if s.used {
		t.conn.Release(&s.pkt)
		*s = stray{}
	}
}
