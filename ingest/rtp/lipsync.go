package rtp

import (
	"sync"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/media"
)

// Lip-sync: each stream's own clock says when its packets come, which differs from when
// they were taken by what encoder and network need. Sender reports tie the timestamps of
// all streams to the one clock of their sender. Pictures are moved so that they keep their
// place to the sound as it was at the sender; sound is never moved, because a jump is heard.

const (
	// lipSlew is how fast pictures are moved, in relation to time: not to be seen.
	lipSlew = 0.05
	// lipJump is from where on they are moved at once.
	lipJump = 500 * time.Millisecond
	// lipMax is more than streams of one sender can be apart: then its reports are wrong.
	lipMax = 10 * time.Second
)

// reported takes a sender report that came at an instant.
func (t *track) reported(r *senderReport, at media.Instant) {
	if !t.began {
		return
	}
	ts := clock.Unwrap(uint64(r.ts), clock.BitsRTP, t.lastTS)
	t.sr.add(r.nanos()-t.nanos(ts), at)
	t.s.lip.set(t)
}

// nanos is the length of ts ticks, in integers.
func (t *track) nanos(ts int64) int64 {
	rate := int64(t.format.Clock)
	return ts/rate*1e9 + ts%rate*1e9/rate
}

// ownMoment is when the sender's clock showed zero, by this stream's own way of telling
// local time.
func (t *track) ownMoment() int64 {
	// At timestamp ts the sender's clock shows ts + mean, and here it is At(ts).
	return int64(t.clk.At(t.lastTS)) - (t.nanos(t.lastTS) + t.sr.mean())
}

// followReports moves shift towards where sender reports want it.
func (t *track) followReports(now media.Instant) {
	dt := now.Sub(t.shiftAt)
	if t.shiftAt == 0 {
		dt = 0
	}
	t.shiftAt = now
	if !t.sr.known() {
		return
	}
	t.s.lip.set(t)
	want, ok := t.s.lip.want(t)
	if !ok {
		return
	}
	off := float64(want) - t.shift
	limit := lipSlew * float64(max(dt, 0))
	switch {
	case off > float64(lipMax) || off < -float64(lipMax):
		return
	case off > float64(lipJump) || off < -float64(lipJump):
		limit = max(off, -off)
	}
	t.shift += max(-limit, min(limit, off))
	t.c.LipSync = time.Duration(t.shift)
}

// lip holds what streams know of the sender's clock.
// Concurrency: any goroutine.
type lip struct {
	mu      sync.Mutex
	moments [maxMedia]int64
	known   [maxMedia]bool
	sound   int // stream that pictures follow, + 1
}

// set notes a track's own idea of when the sender's clock showed zero.
func (l *lip) set(t *track) {
	m := t.ownMoment()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moments[t.index], l.known[t.index] = m, true
	if !t.pictures && l.sound == 0 {
		l.sound = t.index + 1
	}
}

// want is by how much the units of a track should be moved.
func (l *lip) want(t *track) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !t.pictures || l.sound == 0 || !l.known[l.sound-1] || !l.known[t.index] {
		return 0, false
	}
	return time.Duration(l.moments[l.sound-1] - l.moments[t.index]), true
}

// forget drops what is known of a track's sender.
func (l *lip) forget(t *track) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[t.index] = false
	if l.sound == t.index+1 {
		l.sound = 0
	}
}
