package pace

import (
	"slices"
	"time"

	"github.com/scanout-av/scanout/media"
)

// Playout finds the moments of a live source's frames: its timestamps on the local clock,
// delayed by as much as the arrival of frames is uneven, and no more.
//
// The delay follows what frames do: their projected time is the tenth percentile of how
// much later than their timestamp they were ready, and the reserve on top is the way from
// there to the ninetieth. So nothing of the source's clock has to be known, its drift is
// followed, and a lag cannot grow.
//
// Concurrency: one goroutine.
type Playout struct {
	ceiling     time.Duration // of the delay from reception
	least, most time.Duration // of the reserve
	offsets     [playoutFrames]time.Duration
	n           int // observed since the last start
	base        time.Duration
	reserve     time.Duration
	strange     int           // frames in a row that are nowhere near the others
	strangeAt   time.Duration // how late the first of them was
	over        int           // frames in a row whose delay is above the ceiling
	reanchored  int64
	sorted      [playoutFrames]time.Duration
}

const (
	// playoutFrames is how many frames the percentiles are over: a second of 60 fps.
	playoutFrames = 64
	// The reserve: 250 µs on top of what was seen, at least half a millisecond.
	reserveExtra = 250 * time.Microsecond
	leastReserve = 500 * time.Microsecond
	// smoothReserve is the least that PolicySmooth keeps: what a wireless link needs.
	smoothReserve = 50 * time.Millisecond
	// It grows by a quarter of what is missing and shrinks by an eighth of what is too much,
	// but moves by no more than reserveStep a frame: 30 ms a second at 60 fps, where WebRTC
	// allows 100. What a stall leaves in the percentiles is gone again in 2 s.
	reserveAttack, reserveRelease = 4, 8
	reserveStep                   = 500 * time.Microsecond
	// playoutJump is how far a frame may be from the others before its timestamp is held
	// to be of another timeline, and playoutRow how many must agree on it. Frames that are
	// only late may be the backlog of a stall: it takes more of them to say that the way
	// here has become longer.
	playoutJump    = time.Second
	playoutRow     = 3
	playoutLateRow = 16
)

func (l *Playout) configure(c *Config) {
	l.ceiling = c.MaxLatency
	l.least, l.most = leastReserve, max(c.MaxLatency/2, leastReserve)
	if c.Policy == PolicySmooth {
		l.least = min(smoothReserve, l.most)
	}
	l.reserve = l.least
}

// Reset forgets the source's timeline.
func (l *Playout) Reset() { l.n, l.strange, l.over, l.reserve = 0, 0, 0, l.least }

// Delay returns the reserve that frames wait for.
func (l *Playout) Delay() time.Duration { return l.reserve }

// Reanchored counts how often the timeline started anew.
func (l *Playout) Reanchored() int64 { return l.reanchored }

// restart begins anew with a frame that was ready offset after its timestamp.
func (l *Playout) restart(offset time.Duration) {
	if l.n > 0 {
		l.reanchored++
	}
	l.n, l.strange, l.over, l.base = 0, 0, 0, offset
}

// Observe takes a frame, in order: its timestamp, when it was received (0 when that is not
// known) and when it was ready to be shown. It returns when the frame is due.
func (l *Playout) Observe(src time.Duration, received, ready media.Instant) media.Instant {
	offset := time.Duration(ready) - src
	if received == 0 {
		received = ready
	}
	if l.n == 0 {
		l.base = offset
	}
	if d := offset - l.base; l.n > 0 && (d > l.most || d < -l.most) {
		// Later than can be evened out, or of another timeline: at once, as after a start.
		// Nothing is learned from it, unless others agree; those of a backlog, each less
		// late than the one before, do not.
		if l.strange == 0 || (offset-l.strangeAt).Abs() > l.most/4 {
			l.strange, l.strangeAt = 0, offset
		}
		row := playoutRow
		if d > 0 && d < playoutJump {
			row = playoutLateRow
		}
		if l.strange++; l.strange < row {
			return ready
		}
		l.restart(offset)
	}
	l.strange = 0
	l.offsets[l.n%playoutFrames] = offset
	l.n++
	k := min(l.n, playoutFrames)
	s := l.sorted[:k]
	copy(s, l.offsets[:k])
	slices.Sort(s)
	p10 := s[k/10]
	for s[k-1] > p10+l.most {
		k-- // of before the source became quicker
	}
	p90 := s[k-1-k/10]
	l.base = p10
	want := min(max(p90-p10+reserveExtra, l.least), l.most)
	switch d := want - l.reserve; {
	case d > 0:
		l.reserve += min(d/reserveAttack, reserveStep)
	case d < 0:
		l.reserve += max(d/reserveRelease, -reserveStep)
	}
	due := media.Instant(src + l.base + l.reserve)
	if due.Sub(received) > l.ceiling {
		// Three in a row: what was seen before does not hold any more.
		if l.over++; l.over >= playoutRow {
			l.restart(offset)
			l.offsets[0], l.n = offset, 1
			l.reserve = l.least
			due = media.Instant(src + l.base + l.reserve)
		}
		due = min(due, max(ready, received.Add(l.ceiling)))
	} else {
		l.over = 0
	}
	return due
}

// Arrive takes a frame of a live source, in order, and returns when it is due.
func (p *Pacer) Arrive(src time.Duration, received, ready media.Instant) media.Instant {
	n := p.live.reanchored
	due := p.live.Observe(src, received, ready)
	p.stats.Reanchored += p.live.reanchored - n
	return due
}

// depth watches how many frames wait.
type depth struct {
	since media.Instant
	least int
	set   bool
}

const (
	// depthHistory is over how long a queue must stand to be a standing one: moonlight's.
	depthHistory = 500 * time.Millisecond
	// standing is from how many frames on a queue stands: one is next and another one may be
	// early. What the delay holds back comes on top.
	standing = 2
)

// stands reports whether frames have been waiting behind each other for a while: then one of
// them is nothing but delay.
func (d *depth) stands(now media.Instant, behind, standing int) bool {
	if !d.set || behind < standing {
		*d = depth{now, behind, true}
		return false
	}
	d.least = min(d.least, behind)
	if now.Sub(d.since) < depthHistory {
		return false
	}
	stands := d.least >= standing
	*d = depth{now, behind, true}
	return stands
}

// contract reports why a frame of a live source is not to be shown, if that is so: it is
// older than allowed, or the queue stands.
func (p *Pacer) contract(now media.Instant, c *Candidate) media.DropReason {
	if !c.HasNext {
		p.depth.set = false
		return media.DropNone // there is nothing newer
	}
	visible := now
	if p.exact() && p.target != 0 {
		visible = max(now, p.target.Add(p.period()/2))
	}
	if c.Received != 0 && visible.Sub(c.Received) > p.cfg.MaxLatency {
		return media.DropLive
	}
	if p.cfg.Policy != PolicyFreshest && p.depth.stands(now, c.Behind, standing+p.held(c)) {
		return media.DropLive
	}
	return media.DropNone
}

// held is how many frames the delay of a live source holds back.
func (p *Pacer) held(c *Candidate) int {
	d := time.Duration(p.frames.value())
	if d == 0 {
		d = c.Duration
	}
	if d <= 0 {
		return 0
	}
	return int((p.live.reserve + d - 1) / d)
}

const (
	// A frame that waited for the display, when frames before it did as well, is replaced by
	// the next: that will find the display free and appear at the same refresh. After ten of
	// them, as Chromium does, and 2 ms, so that the next is sure to be in time.
	waitedFrames = 10
	waitedLeast  = 2 * time.Millisecond
)

// patience counts frames of a live source that wait for frames before them.
type patience struct {
	waited, inTime int // in a row
	most           int // how many may wait; 0: waitedFrames
}

// waitedMost is how many frames may wait at most when dropping one has not helped: half a
// minute of 60 fps.
const waitedMost = 1800

// waits reports whether a frame is to go because it and those before it wait for the
// display. A frame that missed its refresh has taken that of the one behind it, which takes
// the next one's: from a source as fast as the display all of them are late from then on.
// No newer frame need be here to see that, as there must be for a frame to be outpaced.
// Where the next ones are late again, by a renderer that takes longer than what is left
// until their refreshes, dropping does not help, and is tried less and less.
func (p *patience) waits(behind bool) bool {
	p.most = max(p.most, waitedFrames)
	if !behind {
		p.waited = 0
		if p.inTime++; p.inTime >= waitedMost {
			p.most = waitedFrames
		}
		return false
	}
	p.inTime = 0
	if p.waited++; p.waited <= p.most {
		return false
	}
	p.waited = 0
	p.most = min(4*p.most, waitedMost)
	return true
}

// freshest shows what is newest as soon as the display takes it.
func (p *Pacer) freshest(now media.Instant, c *Candidate) Decision {
	if c.HasNext {
		if c.Behind > 1 {
			return p.drop(c, now, media.DropLive)
		}
		return p.drop(c, now, media.DropOutpaced)
	}
	if p.unseen(now) {
		return p.drop(c, now, media.DropHidden)
	}
	target := p.NextRefresh(now)
	if p.exact() && p.target != 0 && target.Sub(p.target) < p.period()*3/4 {
		target = p.vsync.At(p.vsync.Index(target) + 1)
	}
	if p.exact() {
		// Ready for the refresh before, which the frame before it took: nothing is lost by
		// waiting for a newer one as long as that can be in time, and with it the lag ends.
		behind := c.Ready != 0 && c.Ready.Add(reserveExtra) <= p.vsync.At(p.vsync.Index(target)-1)
		if submit := target.Add(-p.period()/4 - p.extra); behind && now < submit {
			return Decision{Action: Wait, Until: submit}
		}
		if p.patience.waits(behind) {
			return p.drop(c, now, media.DropOutpaced)
		}
	} else if c.Ready == 0 || now.Sub(c.Ready) < waitedLeast {
		p.waited = 0
	} else if p.waited++; p.waited > waitedFrames {
		p.waited = 0
		return p.drop(c, now, media.DropOutpaced)
	}
	pl := place{target: target}
	return p.show(c, &pl, 0, false)
}
