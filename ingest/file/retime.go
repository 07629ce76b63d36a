package file

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/ingest/rtp/jitter"
	"github.com/scanout-av/scanout/internal/libav"
	"github.com/scanout-av/scanout/media"
)

const (
	// staleAfter is how late a unit may be, beside what the player promises, before it is
	// cheaper to wait for a key frame than to decode what has been missed. Decoders catch
	// up with a second in a fraction of one.
	staleAfter = time.Second
	// giveIn is how long units may go on being late before the way is taken to have become
	// longer for good.
	giveIn = time.Second
	// stall is how long nothing must have come for what comes then to be held for late
	// rather than for a new timeline.
	stall = 300 * time.Millisecond
	// fresh is how long a read takes at least that had to wait for its packet.
	fresh = time.Millisecond
	// maxBurst is how much a live server sends at once to who has just come: a key frame
	// interval. One that sends more plays a recording.
	maxBurst = 20 * time.Second
	// watched is how much of what comes over HTTP is looked at to tell a live source from a
	// recording that is sent as fast as it is read.
	watched = 200 * time.Millisecond
	// maxBacklog and maxBacklogBytes bound what is read ahead at the beginning.
	maxBacklog      = 4096
	maxBacklogBytes = 32 << 20
	// maxOut bounds the packets that wait for decoders.
	maxOut = 64 << 20
)

// counts are what Stats reports.
type counts struct {
	reconnects, jumps, dropped atomic.Int64
	delay                      atomic.Int64 // ns
	drift                      atomic.Int64 // ppm × 1000
}

// Stats says how a live source is doing.
type Stats struct {
	Reconnects int64 // connections after the first one
	Jumps      int64 // times that what was too late was passed over, to a key frame
	Dropped    int64 // units passed over
	DriftPPM   float64
}

// Stats returns the counters; they stay 0 for a file.
func (s *Source) Stats() Stats {
	c := &s.counts
	return Stats{c.reconnects.Load(), c.jumps.Load(), c.dropped.Load(), float64(c.drift.Load()) / 1000}
}

// Delay is how much later than at its quickest the network delivers: a unit that is shown
// that long after its timestamp is nearly always there in time. It changes slowly. 0 when
// Info says no LocalTime.
func (s *Source) Delay() time.Duration { return time.Duration(s.counts.delay.Load()) }

// live puts the units of a live source on this machine's timeline, and passes over what
// is too late to be shown.
type live struct {
	s      *Source
	epoch  media.Instant
	clk    *jitter.Clock
	delay  jitter.Delay
	master int  // the stream that sets the clock
	begun  bool // begin was called

	pending   bool // a unit that the clock has yet to be told of
	pendingTS int64
	pendingAt media.Instant

	last     media.Instant // when the last unit of the master came
	lateFrom media.Instant // since when units have been late; 0: they are not
	dropping bool          // up to the next key frame
	jumped   bool          // and that one has been passed on
	gap      bool          // something is missing before the next unit
}

func newLive(s *Source, in *media.Info) *live {
	if s.now == nil {
		s.now = clock.Now
	}
	l := &live{s: s, epoch: s.now(), clk: jitter.NewClock(int(time.Second))}
	l.restart(in)
	l.gap = false
	return l
}

// restart forgets the connection before.
func (l *live) restart(in *media.Info) {
	l.master = -1
	if v := in.Best(media.KindVideo); v != nil {
		l.master = v.Index
	} else if a := in.Best(media.KindAudio); a != nil {
		l.master = a.Index
	}
	l.clk.Reset()
	l.delay.Reset()
	l.last, l.lateFrom, l.dropping, l.jumped, l.begun = 0, 0, false, false, false
	l.pending = false
	l.gap = true
}

// begin starts with a new connection: what was read to find the streams, and what the
// server sent at once, is old. Everything up to the first packet that had to be waited
// for is read, so that it can be told how old. False says that there is no such packet:
// the server sends as fast as it is read from, and its timestamps are what counts.
func (l *live) begin() bool {
	s := l.s
	l.begun = true
	bytes, n, waited := 0, 0, false
	var first, since int64 // of the sender's timeline
	var at media.Instant
	waiting := false
	for len(s.queue) < maxBacklog && bytes < maxBacklogBytes && s.stop.Load() == stopNot {
		before := s.now()
		p, err := s.fetch()
		if err != nil {
			if err == io.EOF && !s.net.live {
				return false
			}
			s.broken = err
			break
		}
		s.queue = append(s.queue, p)
		s.lib.PacketProps(p, &s.props)
		bytes += s.props.Size
		if !l.isMaster(&s.props) {
			continue
		}
		now, ts := s.now(), l.time(&s.props)
		if n++; n == 1 {
			first = ts
		}
		if wait := now.Sub(before); wait >= fresh && s.net.live {
			l.observe(ts, now)
			waited = true
			break
		} else if span := time.Duration(ts - since); wait >= fresh && !waiting {
			waiting, since, at = true, ts, now
		} else if waiting && span >= watched {
			// A busy server makes wait, too; a live one takes its time.
			if now.Sub(at) >= watched/2 {
				l.observe(ts, now)
				waited = true
				break
			}
			waiting = false
		}
		if !s.net.live && time.Duration(ts-first) > maxBurst {
			return false
		}
	}
	if !waited {
		// Bursts without an end, or a pause on this side: the newest is as good as any.
		for k := len(s.queue) - 1; k >= 0; k-- {
			if s.lib.PacketProps(s.queue[k], &s.props); l.isMaster(&s.props) {
				l.observe(l.time(&s.props), s.now())
				break
			}
		}
	}
	l.skipToNewest()
	return true
}

// isMaster reports whether a packet is one of the stream that sets the clock.
func (l *live) isMaster(v *libav.PacketProps) bool {
	i := int(v.Stream)
	return i >= 0 && i < len(l.s.places) && l.s.places[i] == l.master && v.DTS != libav.NoTimestamp
}

// time is where a packet belongs on the sender's timeline, in ns.
func (l *live) time(v *libav.PacketProps) int64 {
	return int64(l.s.bases[v.Stream].Duration(media.Timestamp(v.DTS)))
}

// skipToNewest drops what was read ahead up to the newest key frame of the picture.
func (l *live) skipToNewest() {
	s := l.s
	from := -1
	for k := len(s.queue) - 1; k > s.head; k-- {
		s.lib.PacketProps(s.queue[k], &s.props)
		if l.isMaster(&s.props) && s.props.Flags&libav.PacketKey != 0 {
			from = k
			break
		}
	}
	if from < 0 || s.cfg.Network.Complete {
		return
	}
	for _, p := range s.queue[s.head:from] {
		s.packets.put(p)
	}
	s.head = from
}

// observe tells the clock when the unit of ts came. Demuxers may cut a picture into
// several units, the first of which come as soon as they are whole, and the last when the
// next picture begins, as undivided ones do: only the last one counts.
func (l *live) observe(ts int64, now media.Instant) {
	if l.pending && ts != l.pendingTS {
		if l.clk.Observe(l.pendingTS, l.pendingAt) {
			l.delay.Reset()
			l.gap = true
		}
		l.clk.Follow(l.pendingAt)
	}
	l.pending, l.pendingTS, l.pendingAt = true, ts, now
	if l.clk.At(ts) == 0 { // nothing is known yet
		l.clk.Observe(ts, now)
	}
}

// admit puts au on the local timeline; false when it comes too late to be of use.
func (l *live) admit(au *media.AccessUnit) bool {
	s := l.s
	now := au.Received
	t := au.DTS
	if !t.Valid() {
		t = au.PTS
	}
	if !t.Valid() {
		return !l.dropping // a part of the unit before
	}
	ts := int64(au.Timebase.Duration(t))
	isMaster := au.Stream == l.master
	late := time.Duration(0)
	if at := l.clk.At(ts); at != 0 {
		late = now.Sub(at)
	}
	switch {
	case s.ahead: // when it came is not known
		late = 0
	case isMaster:
		late = l.follow(ts, late, now)
	}
	if l.stale(au, isMaster, late) {
		s.counts.dropped.Add(1)
		return false
	}
	if !s.ahead && late < staleAfter {
		l.delay.Observe(late, now)
		s.counts.delay.Store(int64(l.delay.Target()))
	}
	place := func(t media.Timestamp) media.Timestamp {
		if !t.Valid() {
			return t
		}
		return media.Timestamp(l.clk.At(int64(au.Timebase.Duration(t))) - l.epoch)
	}
	if s.ahead {
		// It came when it should have, as far as anybody knows.
		au.Received = min(now, l.epoch.Add(time.Duration(place(t))))
		au.Assembled = au.Received
	}
	au.PTS, au.DTS = place(au.PTS), place(au.DTS)
	if au.Duration.Valid() {
		au.Duration = media.Timestamp(au.Timebase.Duration(au.Duration))
	}
	au.Timebase = media.Nanoseconds
	if l.gap {
		au.Discontinuity, l.gap = true, false
	}
	return true
}

// follow lets the clock follow a unit of the master that has just come. What comes after a
// pause in which nothing came is late and says nothing about the way, unless it goes on.
func (l *live) follow(ts int64, late time.Duration, now media.Instant) time.Duration {
	pause := now.Sub(l.last)
	backlog := l.last != 0 && late > stall && (l.lateFrom != 0 || pause > stall && late < pause+stall)
	l.last = now
	if !backlog {
		l.lateFrom = 0
		l.observe(ts, now)
		l.s.counts.drift.Store(int64(l.clk.PPM() * 1000))
		return now.Sub(l.clk.At(ts))
	}
	if l.lateFrom == 0 {
		l.lateFrom = now
	}
	if now.Sub(l.lateFrom) > giveIn {
		l.clk.Reset()
		l.delay.Reset()
		l.pending = false
		l.lateFrom, l.dropping, l.jumped = 0, false, false
		l.observe(ts, now)
		return 0
	}
	return late
}

// stale decides whether a unit is passed over: everything up to the next key frame, once
// something is later than can be caught up with, or when decoders leave too much behind.
func (l *live) stale(au *media.AccessUnit, isMaster bool, late time.Duration) bool {
	limit := max(staleAfter, l.s.cfg.Network.MaxLatency)
	full := l.s.packets.bytes.Load() > maxOut
	switch {
	case l.s.cfg.Network.Complete && !full && !l.dropping:
	case l.dropping && isMaster && au.Key && !full:
		l.dropping, l.jumped = false, true
	case l.dropping:
		l.gap = true
		return true
	case isMaster && (late > limit && !l.jumped || full) && !(au.Key && !full):
		l.dropping, l.gap = true, true
		l.s.counts.jumps.Add(1)
		return true
	case isMaster && late < limit/2:
		l.jumped = false
	}
	return false
}
