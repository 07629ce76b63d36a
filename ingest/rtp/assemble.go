package rtp

import (
	"time"

	"github.com/scanout-av/scanout/ingest/rtp/payload"
	"github.com/scanout-av/scanout/media"
)

// assemble adds a packet to the unit in work, and hands on what is whole.
func (t *track) assemble(in *packet, now media.Instant) {
	u := &t.unit
	if u.open && in.ts != u.ts {
		// The packet with the marker is missing, or the sender sets none (RFC 6184, 5.1: another
		// timestamp is another picture).
		if t.broken && t.missing == 1 && t.marks {
			t.broken = false // it is the one that was lost
		}
		t.finish(now)
	} else if u.open {
		t.broken = false // what was lost is of this unit, which knows
	}
	if len(in.payload) == 0 {
		return // it keeps a path open, or probes for bandwidth
	}
	t.marks = t.marks || in.marker
	for {
		if !u.open && !t.begin(in) {
			return
		}
		if !t.reserve(len(in.payload)) {
			return
		}
		more, err := t.depack.Add(&u.Unit, in.payload, in.marker)
		if err != nil {
			if err == payload.ErrTooLarge {
				t.c.Oversized++
			} else {
				t.c.Malformed++
			}
		}
		if u.Complete || more {
			t.finish(now)
		}
		if !more {
			return
		}
	}
}

// begin starts a unit with its first packet; false when there is no memory for it.
func (t *track) begin(in *packet) bool {
	b, n, ok := t.s.units.get(max(minBlock, t.largest))
	if !ok {
		t.c.Skipped++
		t.overrun()
		return false
	}
	t.unit = unitInWork{Unit: payload.Unit{Data: b}, open: true, block: n, ts: in.ts, received: in.udp.Received, lost: t.broken}
	if t.broken {
		t.broken = false
		t.gap = true
		if !t.depack.Begins(in.payload) {
			t.depack.Lose(&t.unit.Unit)
		}
	}
	return true
}

// reserve makes room for what a payload of n bytes may become; false when the unit has
// become too large and is dropped.
func (t *track) reserve(n int) bool {
	u := &t.unit
	need := len(u.Data) + 4*n + 64 // small NAL units and OBUs get more header than they had
	if need <= cap(u.Data) {
		return true
	}
	if need <= t.s.cfg.MaxUnit {
		if b, block, ok := t.s.units.get(min(max(2*cap(u.Data), need), t.s.cfg.MaxUnit)); ok {
			b = append(b, u.Data...)
			t.s.units.ReclaimAccessUnit(uintptr(u.block))
			u.Data, u.block = b, block
			return true
		}
	}
	if len(u.Data)+n+64 <= cap(u.Data) {
		return true // it may still fit; the depacketizer knows
	}
	t.c.Oversized++
	t.dropUnit()
	t.gap = true
	return false
}

func (t *track) dropUnit() {
	if t.unit.open {
		t.s.units.ReclaimAccessUnit(uintptr(t.unit.block))
		t.depack.Reset()
		t.unit = unitInWork{}
	}
}

// overrun begins anew with the next key frame.
func (t *track) overrun() {
	t.gap = true
	if t.pictures {
		t.waitKey = true
	}
}

// keyPatience is how long pictures are held back for a key frame after damage, and
// firstPatience at the beginning of each sender, for those that never send one (intra
// refresh): what the decoder still has is another sender's, perhaps of another size.
const (
	keyPatience   = time.Second
	firstPatience = 10 * time.Second
)

// finish hands the unit in work on, if it is worth it.
func (t *track) finish(now media.Instant) {
	u := &t.unit
	if !u.open {
		return
	}
	t.depack.Finish(&u.Unit)
	if len(u.Data) == 0 {
		if u.Damaged {
			t.c.Damaged++
			t.c.Discarded++
			t.gap = true
			t.hurt(now)
		}
		t.dropUnit()
		return
	}
	t.largest = max(t.largest-t.largest/64, cap(u.Data)*3/4, len(u.Data)+len(u.Data)/4)
	if t.largest > cap(u.Data) && len(u.Data) < cap(u.Data)/2 {
		t.largest = cap(u.Data)
	}
	ts := u.ts + int64(u.Offset)
	t.clk.Follow(now)
	t.followReports(now)
	at := t.clk.At(ts).Add(time.Duration(t.shift))
	if !t.pictures {
		at = max(at, t.lastAt+1) // while the quickest way is being found, moments may move back
		t.lastAt = at
	}
	t.delay.Observe(now.Sub(at), now)
	t.target.Store(int64(t.delay.Target()))
	if t.nstamps < len(t.stamps) {
		t.stamps[t.nstamps] = ts
		t.nstamps++
	}
	if u.Damaged {
		t.c.Damaged++
	}
	if t.pictures && !t.fit(now) {
		t.c.Discarded++
		t.gap = true
		t.dropUnit()
		t.s.progress()
		return
	}
	t.out = media.AccessUnit{
		Data: u.Data, Stream: t.index,
		PTS: media.Timestamp(at.Sub(t.s.epoch)), DTS: media.NoTimestamp, Duration: media.NoTimestamp,
		Timebase: media.Nanoseconds, Key: u.Key, Discontinuity: t.gap || u.Damaged,
		Received: u.received, Assembled: now,
		Native: uintptr(u.block), Owner: t.s.units,
	}
	*u, t.gap = unitInWork{}, false
	if !t.selected.Load() {
		t.out.Release()
		return
	}
	t.deliver(&t.out, now)
}

// fit reports whether the picture in work should be handed on, and looks for what it
// says about the stream.
func (t *track) fit(now media.Instant) bool {
	u := &t.unit
	if u.Key && (!t.sized || t.c.Units == 0) {
		if p, ok := payload.FindPicture(t.format.Codec, u.Data); ok {
			t.picture, t.sized = p, true
		}
	}
	tolerant := payload.Tolerant(t.format.Codec)
	whole := !u.Damaged || tolerant
	if (u.lost || u.Damaged) && !t.waitKey && (!tolerant || t.damage() == DamageWait) && (!u.Key || u.Damaged) {
		t.hurt(now)
	}
	if t.waitKey {
		patience := keyPatience
		if !t.shown {
			patience = firstPatience
		}
		if t.waiting == 0 {
			t.waiting = now
		}
		switch {
		case u.Key && whole && (!u.Damaged || t.damage() == DamageShow):
		case now.Sub(t.waiting) > patience && whole:
		default:
			t.askKey()
			return false
		}
		t.waitKey, t.waiting = false, 0
	}
	t.shown = t.shown || whole
	return whole
}

// hurt does what the policy is about pictures whose references are missing.
func (t *track) hurt(now media.Instant) {
	switch {
	case !t.pictures || t.waitKey:
	case t.damage() == DamageWait:
		t.wantKey(now)
	default:
		t.askKey()
	}
}

// wantKey holds pictures back until the next key frame.
func (t *track) wantKey(now media.Instant) {
	t.waitKey, t.waiting = true, now
	t.askKey()
}

// deliver puts a unit into the queue.
func (t *track) deliver(au *media.AccessUnit, now media.Instant) {
	q := t.s.queue
	if old := q.oldest(); old != 0 && now.Sub(old) > t.s.stale && au.Key {
		// Nobody has read for a while: what is before this key frame will not be missed.
		t.c.Skipped += int64(q.dropBefore(t.index))
		au.Discontinuity = true
	}
	if q.push(au) {
		t.c.Units++
		t.s.progress()
		return
	}
	au.Release()
	t.c.Skipped++
	t.overrun()
}
