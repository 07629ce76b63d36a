// Package jitter puts the packets of an RTP stream back in order and says how long that
// takes: a reordering [Buffer] with an adaptive wait for what is missing, a [Clock] that
// maps the sender's timestamps to local time, the [Delay] at which the network delivers,
// [Nacks] and receiver reports ([Reception]).
//
// It is pure: it never reads a clock and never sleeps. The time is an argument, so every
// rule can be tested on a made-up timeline.
//
// Ownership: the buffer holds the packets it took until Next or Flush gives them back.
// Concurrency: one goroutine.
// Units: sequence numbers and timestamps are unwrapped to int64; instants are ns,
// CLOCK_MONOTONIC.
package jitter

import (
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/media"
)

// Verdict is what a buffer did with a packet.
type Verdict uint8

// Verdicts. Only a packet that was taken belongs to the buffer.
const (
	Taken     Verdict = iota
	Duplicate         // there is one of that number, or was
	Late              // its place has been given up
	Strange           // far from every other one: of no use, unless the next one continues it
	Jumped            // it does: Flush, Restart, then insert the strange one and this one again
	Full              // nothing can wait any longer: Flush, then insert the packet again
)

func (v Verdict) String() string {
	return [...]string{"taken", "duplicate", "late", "strange", "jumped", "full"}[min(v, 5)]
}

// BufferConfig describes a buffer. The zero value is the documented default.
type BufferConfig struct {
	// Packets bounds what is held while something is missing; 0 is DefaultPackets. When it
	// is full, what is missing is given up.
	Packets int
	// MaxWait bounds how long the others wait for a missing packet; 0 does not wait at
	// all.
	MaxWait time.Duration
	// MinWait is how long they wait before anything is known about the network.
	MinWait time.Duration
}

const (
	// DefaultPackets holds half a second of 80 Mbit/s.
	DefaultPackets = 4096
	// maxDropout and maxMisorder tell a jump of the sequence from loss and reordering.
	// Source: RFC 3550, A.1, with a wider dropout: 3000 packets are 60 ms of 500 Mbit/s.
	maxDropout  = 1 << 14
	maxMisorder = 512
	// waitDecay is how fast the wait for missing packets forgets the slowest one.
	waitDecay = 8 * time.Second
	// scanLimit bounds the search for the packet that overtook another.
	scanLimit = 256
)

type slot[T any] struct {
	seq  int64
	at   media.Instant
	held bool
	v    T
}

// Buffer restores the order of packets. In order, packets pass straight through: they are
// held only while an earlier one is missing, and no longer than the network has been seen
// to need, or MaxWait.
type Buffer[T any] struct {
	cfg     BufferConfig
	slots   []slot[T]
	mask    int64
	started bool
	next    int64 // to be given out
	top     int64 // highest seen
	held    int
	gone    int           // packets before next that nothing waited for, to be reported
	since   media.Instant // when the gap at next was noticed
	strange int64         // sequence number that would continue a jump; −1
	wait    float64       // ns
	decayed media.Instant
}

// NewBuffer returns an empty buffer.
func NewBuffer[T any](cfg BufferConfig) *Buffer[T] {
	if cfg.Packets <= 0 {
		cfg.Packets = DefaultPackets
	}
	n := 1
	for n < cfg.Packets {
		n <<= 1
	}
	b := &Buffer[T]{cfg: cfg, slots: make([]slot[T], n), mask: int64(n - 1)}
	b.Reset()
	return b
}

// Reset forgets everything but what is known about the network. Flush first.
func (b *Buffer[T]) Reset() {
	clear(b.slots)
	for i := range b.slots {
		b.slots[i].seq = -1
	}
	b.started, b.held, b.gone, b.strange, b.since = false, 0, 0, -1, 0
}

// Restart begins a new sequence with packet seq. Flush first.
func (b *Buffer[T]) Restart(seq uint16) {
	b.next = clock.Unwrap(uint64(seq), 16, b.top+1<<16) // numbers never come again
	b.top, b.gone, b.strange = b.next-1, 0, -1
}

// SetMaxWait changes the bound of the wait.
func (b *Buffer[T]) SetMaxWait(d time.Duration) { b.cfg.MaxWait = d }

// SetMinWait changes how long the others wait at least, within MaxWait.
func (b *Buffer[T]) SetMinWait(d time.Duration) { b.cfg.MinWait = d }

// Insert takes packet v, which came at the given instant.
// Ownership: v is the buffer's if it was taken, and only then.
func (b *Buffer[T]) Insert(seq uint16, at media.Instant, v T) (Verdict, int64) {
	if !b.started {
		// A turn ahead, so that packets which the first one overtook are not negative.
		b.started, b.next = true, 1<<16+int64(seq)
		b.top = b.next - 1
	}
	n := clock.Unwrap(uint64(seq), 16, b.top)
	switch {
	case n > b.top+maxDropout || n < b.next-maxMisorder && n < b.top-maxMisorder:
		return b.Doubt(seq), n
	case n < b.next:
		s := &b.slots[n&b.mask]
		if s.seq == n {
			return Duplicate, n
		}
		b.learn(n, at)
		if !s.held { // by a packet a turn of the ring ahead
			s.seq, s.at = n, at // a second copy is a duplicate
		}
		return Late, n
	case n >= b.next+int64(len(b.slots)):
		if b.held > 0 {
			return Full, n
		}
		b.gone += int(n - b.next)
		b.next = n
	}
	s := &b.slots[n&b.mask]
	if s.seq == n {
		return Duplicate, n
	}
	if n < b.top {
		b.learn(n, at)
	}
	*s = slot[T]{seq: n, at: at, held: true, v: v}
	if b.held == 0 && n > b.next {
		b.since = at
	}
	b.held++
	b.top = max(b.top, n)
	return Taken, n
}

// Doubt takes a packet instead of Insert whose number is near, and which is of another
// sequence all the same, as something else says: it is strange, or the sequence has jumped.
// Source: RFC 3550, A.1: two in a row make a new sequence.
func (b *Buffer[T]) Doubt(seq uint16) Verdict {
	if int64(seq) != b.strange {
		b.strange = int64(seq+1) & 0xffff
		return Strange
	}
	return Jumped
}

// Ahead is how far a number is ahead of the highest one; 0 before the first packet.
func (b *Buffer[T]) Ahead(seq uint16) int64 {
	if !b.started {
		return 0
	}
	return clock.Unwrap(uint64(seq), 16, b.top) - b.top
}

// learn notes how long after it was overtaken packet n came.
func (b *Buffer[T]) learn(n int64, at media.Instant) {
	for i := n + 1; i <= b.top && i < n+scanLimit; i++ {
		s := &b.slots[i&b.mask]
		if s.seq != i {
			continue
		}
		lag := float64(at.Sub(s.at))
		if lag > float64(b.cfg.MaxWait) {
			return // it could not have been waited for
		}
		b.decay(at)
		b.wait = max(b.wait, lag*1.25+float64(time.Millisecond))
		return
	}
}

func (b *Buffer[T]) decay(now media.Instant) {
	if b.decayed != 0 && now > b.decayed {
		b.wait -= b.wait * min(float64(now.Sub(b.decayed))/float64(waitDecay), 1)
	}
	b.decayed = now
}

// Wait returns how long the others wait for a missing packet.
func (b *Buffer[T]) Wait() time.Duration {
	return min(max(time.Duration(b.wait), b.cfg.MinWait), b.cfg.MaxWait)
}

// Next gives out the next packet in order. When what comes before it has been missing
// for too long, lost says how many packets were given up.
// Ownership: the packet is the caller's.
func (b *Buffer[T]) Next(now media.Instant) (v T, seq int64, lost int, ok bool) {
	if b.held == 0 {
		return v, 0, 0, false
	}
	s := &b.slots[b.next&b.mask]
	if !s.held || s.seq != b.next {
		if now < b.since.Add(b.Wait()) {
			return v, 0, 0, false
		}
		b.decay(now)
		lost = b.skip()
		s = &b.slots[b.next&b.mask]
	}
	v, seq = s.v, s.seq
	lost += b.gone
	b.gone = 0
	var zero T
	s.v, s.held = zero, false
	b.held--
	b.next++
	if b.held > 0 {
		if n := &b.slots[b.next&b.mask]; !n.held || n.seq != b.next {
			b.since = b.firstHeld().at
		}
	}
	return v, seq, lost, true
}

// skip moves to the first packet that is held.
func (b *Buffer[T]) skip() (lost int) {
	if b.held == 0 {
		return 0
	}
	n := b.firstHeld().seq
	lost = int(n - b.next)
	b.next = n
	return lost
}

func (b *Buffer[T]) firstHeld() *slot[T] {
	for n := b.next; ; n++ {
		if s := &b.slots[n&b.mask]; s.held && s.seq == n {
			return s
		}
	}
}

// Deadline is when Next will have something to give although nothing new comes; 0 is
// never.
func (b *Buffer[T]) Deadline() media.Instant {
	if b.held == 0 {
		return 0
	}
	if s := &b.slots[b.next&b.mask]; s.held && s.seq == b.next {
		return b.since
	}
	return b.since.Add(b.Wait())
}

// Held is how many packets wait.
func (b *Buffer[T]) Held() int { return b.held }

// Missing calls f with each number that is missing before the highest one, until f
// returns false.
func (b *Buffer[T]) Missing(f func(seq int64) bool) {
	if b.held == 0 {
		return
	}
	for n := b.next; n < b.top; n++ {
		if s := &b.slots[n&b.mask]; (!s.held || s.seq != n) && !f(n) {
			return
		}
	}
}

// Flush gives out what is held, in order, whatever is missing; ok is false at the end.
func (b *Buffer[T]) Flush() (v T, ok bool) {
	if b.held == 0 {
		return v, false
	}
	b.skip()
	s := &b.slots[b.next&b.mask]
	v = s.v
	var zero T
	s.v, s.held = zero, false
	b.held--
	b.next++
	return v, true
}
