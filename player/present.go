package player

import (
	"errors"
	"fmt"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
)

// presenter is the state of the presenting goroutine.
//
// One round: window events → commands (pause, seek) → the frame at the head of the queue
// → its moment on the local clock → pacer → wait, drop, or Begin and Present → feedback.
type presenter struct {
	p    *Player
	sink VideoSink

	head, next picture // taken from the ring; head is the candidate
	hasHead    bool
	hasNext    bool
	ended      bool // the picture of this serial has ended
	image      bool // the media is a single picture

	shown    *media.Frame // the picture on the screen, for repeats; nil before the first
	serial   uint32
	counts   bool          // origin is known
	origin   time.Duration // media time from which Config.Duration counts
	started  bool          // the clock of this serial runs
	soundOn  bool          // sound of this serial was let go
	paused   bool
	number   uint64
	count    int64         // frames shown in all
	began    media.Instant // when the first picture of this serial was shown
	firstAt  time.Duration // its media time
	endAt    media.Instant // when the last picture has had its time
	primed   bool          // enough frames were decoded to let time run
	held     bool          // the first picture was held for that
	seen     bool          // the first picture is known to have appeared
	first    uint64        // number of the first picture of this serial
	rebuilds int
	noGPU    bool // the sink does not show pictures in GPU memory

	filling      bool          // where this goroutine decodes: until the ring is full
	begun        bool          // the sink has said that it takes a picture
	blockedSince media.Instant // when it began to say that it does not, 0 while it does
	blocked      bool          // for so long that pictures are dropped
	retriedAt    media.Instant // when it was last asked meanwhile
	covered      bool          // the window system says that nobody can see the window
	speed        float64       // that was last asked for
	speedAt      media.Instant
	speedSound   bool // it was asked of the sound
	journeys     [64]journey
	lost         journey // of a frame whose own is gone: nothing is known
	strain       strain
	early        earliest
	due          media.Instant // the head's moment, as the pacer was told
	behind       int           // and how many waited behind it

	watch   *rt.Watch     // of the window's events; nil where they can only be looked at
	livened media.Instant // when something last happened in the window

	fullscreen bool
	shownOn    media.Display
	stamps     struct { // of the newest report
		source  media.PresentSource
		refresh time.Duration
	}
	sched media.Scheduled
	fb    media.Presented
	event media.Event
}

func (p *Player) present() error {
	sink, err := p.openSink()
	if err != nil {
		return err
	}
	s := &presenter{p: p, sink: sink, serial: p.serial.Load(), fullscreen: p.cfg.Fullscreen, speed: 1, speedSound: p.asink != nil}
	s.lookAtSink()
	if p.ownsThread() {
		// Exact timers: with the kernel's usual slack half of all lateness is its own choice.
		thread := rt.Lock(rt.ThreadConfig{Priority: p.cfg.priority(), KeepAwake: p.cfg.Realtime})
		p.thread = thread
		defer func() { p.thread = nil; thread.Unlock() }()
		p.stats.setThread(thread.Scheduling())
		if n := thread.Notes(); n != "" {
			p.log.Warn("the presenting thread", "refused", n)
		}
	} else {
		p.stats.setThread("ordinary priority, any thread")
	}
	defer s.close()
	s.watchEvents()
	s.display(true)
	p.presents.Store(true)
	for !p.stop.Load() {
		s.feedback()
		// Behind everything that may read the window system's connection: what comes from here
		// on is still there to be waited for.
		if !s.poll() {
			return nil
		}
		s.commands()
		done, err := s.round()
		if err != nil {
			if !errors.Is(err, media.ErrDeviceLost) || s.rebuilds == maxRebuilds {
				return err
			}
			if err := s.rebuild(err); err != nil {
				return err
			}
		}
		if done {
			return nil
		}
	}
	return nil
}

// close gives back what the presenter holds. The last frames' feedback is taken first.
func (s *presenter) close() {
	s.p.stats.end(s.p)
	s.feedback()
	if s.hasHead {
		s.head.frame.Release()
	}
	if s.hasNext && s.next.frame != nil {
		s.next.frame.Release()
	}
	s.hasHead, s.hasNext = false, false
	s.unwatchEvents()
	if name := s.sink.Name(); name != "" {
		s.p.stats.setSink(name, s.sink.Display()) // with what became of its depth
	}
	if err := s.sink.Close(); err != nil {
		s.p.fail(fmt.Errorf("player: close output: %w", err))
	}
	if s.shown != nil {
		s.shown.Release()
		s.shown = nil
	}
}

// commands acts on pause and seek requests.
func (s *presenter) commands() {
	p := s.p
	now := clock.Now()
	if serial := p.serial.Load(); serial != s.serial {
		s.serial = serial
		s.dropStale()
		s.started, s.soundOn, s.ended, s.endAt = false, false, false, 0
		p.pacer.Reset()
		if p.asink != nil {
			p.asink.Pause(true)
		}
	}
	if paused := p.paused.Load(); paused != s.paused {
		s.paused = paused
		p.stats.pauses.Add(1)
		if paused {
			p.clk.Pause(now)
		} else {
			p.clk.Resume(now)
			p.pacer.Reset()
		}
		if p.asink != nil && s.soundOn {
			p.asink.Pause(paused)
		}
	}
	if p.asink != nil && !s.soundOn && (s.started && s.primed || p.video == nil || p.aq.Len() == p.aq.Cap() || s.ended && !s.hasHead) {
		// The first picture is there, is the only one, or comes so late that it cannot be read
		// before sound has been heard; let go of the sound as soon as it is of this serial.
		if p.line.known(s.serial) && (!p.live() || p.asink.Buffered() >= p.soundDepth() || p.audioDone.Load() == s.serial) {
			s.soundOn = true
			p.asink.Pause(s.paused)
		}
	}
}

// dropStale releases the pictures of an older serial that are at hand.
func (s *presenter) dropStale() {
	if s.hasHead && s.head.serial != s.serial {
		s.p.traceDrop(&s.head, media.DropStale, 0, clock.Now(), 0)
		s.head.frame.Release()
		s.hasHead = false
		s.p.dropped(media.DropStale, 1)
	}
	if s.hasNext && s.next.serial != s.serial {
		if s.next.frame != nil {
			s.p.traceDrop(&s.next, media.DropStale, 0, clock.Now(), 0)
			s.next.frame.Release()
			s.p.dropped(media.DropStale, 1)
		}
		s.hasNext = false
	}
	if !s.hasHead && s.hasNext && s.next.frame != nil {
		s.head, s.hasHead, s.hasNext = s.next, true, false
	}
}

// fill takes pictures from the ring until head and next are known.
func (s *presenter) fill() {
	for !s.hasNext {
		pic, ok := s.p.fq.TryPop()
		if !ok {
			return
		}
		if pic.serial != s.serial && pic.serial == s.p.serial.Load() {
			s.commands() // a seek since they were looked at, and its first picture is here already
		}
		if pic.serial != s.serial {
			if pic.frame != nil {
				s.p.traceDrop(&pic, media.DropStale, 0, clock.Now(), 0)
				pic.frame.Release()
				s.p.dropped(media.DropStale, 1)
			}
			continue
		}
		if pic.frame != nil {
			s.arrive(&pic)
		}
		switch {
		case pic.frame == nil:
			s.ended = true
			return
		case s.unfit(pic.frame):
			pic.frame.Release()
		case !s.hasHead:
			s.head, s.hasHead = pic, true
		default:
			s.next, s.hasNext = pic, true
		}
	}
}

// round does one step of playback; done at the end of the media.
func (s *presenter) round() (done bool, err error) {
	p := s.p
	s.fill()
	if p.redraw.Swap(false) && s.shown != nil && !s.hasWork() {
		return false, s.repeat()
	}
	switch {
	case s.paused && !p.step.Load() && s.shownSerial():
		s.rest(clock.Now().Add(watchInterval)) // every command wakes it
		return false, nil
	case !s.hasHead:
		return s.idle()
	}
	now := clock.Now()
	at := p.mediaTime(s.head.frame.PTS, s.head.frame.Timebase)
	if s.over(at) {
		return s.stopAt(s.origin+p.cfg.Duration, now)
	}
	if !s.started {
		// The first picture shows at once; time begins with it.
		p.clk.Seek(now, at, s.serial)
		if s.paused {
			p.clk.Pause(now)
		}
		s.started, s.began, s.firstAt, s.first = true, now, at, s.number+1
		s.primed, s.held, s.seen = false, false, false
		s.due, s.behind = now, 0
		return s.show(0)
	}
	if p.step.Load() {
		p.clk.Seek(now, at, s.serial)
		p.clk.Pause(now)
		s.due, s.behind = now, 0
		return s.show(now)
	}
	if !s.primed && !s.prime(now) {
		return false, nil
	}
	if !s.listen(now) {
		s.rest(now.Add(primeStep))
		return false, nil
	}
	s.setSpeed(now)
	if s.blocked {
		if err := s.retry(now); err != nil {
			return false, err
		}
	}
	if p.pacer.Config().Policy == pace.PolicyFreshest && !s.begun && !s.blocked {
		// What is freshest is known when the display can take it.
		if ok, err := s.begin(); !ok || err != nil {
			return false, err
		}
		return false, nil
	}
	c, ok := s.candidate(at)
	if !ok {
		s.rest(now.Add(eventInterval)) // time stands still: the audio device has run dry
		return false, nil
	}
	d := p.pacer.Decide(now, c)
	if d.Action != pace.Wait && !p.live() {
		s.strain.see(now, d.Late > pace.DefaultLateTolerance, c.Behind >= frameRefill-1)
		p.strained.Store(s.strain.on)
	}
	switch d.Action {
	case pace.Wait:
		s.rest(d.Until)
		return false, nil
	case pace.Drop:
		p.traceDrop(&s.head, d.Reason, c.Due, now, c.Behind)
		s.advance()
		return false, nil
	}
	if !s.begun {
		// Where the display has to be waited for, another frame may be the right one by then.
		ok, err := s.begin()
		if after := clock.Now(); !ok || err != nil || after.Sub(now) > retake {
			return false, err
		}
	}
	if d.Reanchor {
		p.clk.Seek(d.Target, at, s.serial)
		s.head.anew = true
	}
	return s.show(d.Target)
}

// retake is from how long a wait for the display on the choice of a frame is made again.
const retake = time.Millisecond

// redrawAhead is from how long before the next picture on it is worth drawing the one on the
// screen again.
const redrawAhead = 100 * time.Millisecond

// hasWork reports whether a frame may be shown soon anyway.
func (s *presenter) hasWork() bool {
	if !s.hasHead || s.paused {
		return false
	}
	if !s.started {
		return true
	}
	f := s.head.frame
	due, ok := s.moment(&s.head, s.p.mediaTime(f.PTS, f.Timebase))
	return ok && due.Sub(clock.Now()) < redrawAhead
}

// shownSerial reports whether a picture of this serial is on the screen: a seek while
// paused shows where it led.
func (s *presenter) shownSerial() bool { return s.started }

// show gives the head to the sink.
func (s *presenter) show(target media.Instant) (bool, error) {
	p := s.p
	if ok, err := s.begin(); !ok {
		return false, err
	}
	s.begun = false
	p.step.Store(false) // one that is asked for from now on is for the next picture
	f := s.head.frame
	s.number++
	s.sched = media.Scheduled{Frame: f, Target: target, Duration: f.Timebase.Duration(f.Duration), Number: s.number}
	s.position(f)
	if p.cfg.OnPresent != nil {
		p.cfg.OnPresent(&s.sched)
	}
	s.journeys[s.number%uint64(len(s.journeys))] = journey{s.number, f.Received, f.Assembled, f.Decoded, s.due, s.behind, s.head.anew}
	f.Retain() // one for the sink, one to draw it again
	s.hasHead = false
	prev := s.shown
	s.shown = f
	err := s.sink.Present(&s.sched)
	if prev != nil {
		prev.Release()
	}
	s.promote()
	if err != nil && !errors.Is(err, media.ErrOutOfDate) {
		return false, err
	}
	now := clock.Now()
	s.livened = now
	s.count++
	p.stats.presented(s.count, now)
	if err != nil {
		p.redraw.Store(true) // what was drawn went with the window's old size: it is not reported
	} else {
		p.pacer.Showing(now)
	}
	s.endAt = max(target, now).Add(s.lasts(f))
	if p.cfg.Frames > 0 && s.count >= p.cfg.Frames {
		return s.finish(now)
	}
	return false, nil
}

// lasts is how long f has its time.
func (s *presenter) lasts(f *media.Frame) time.Duration {
	d := f.Timebase.Duration(f.Duration)
	if limit := s.p.cfg.Duration; limit > 0 {
		d = min(d, limit-(s.p.mediaTime(f.PTS, f.Timebase)-s.origin))
	}
	return d
}

// over reports whether Config.Duration has been played at a media time. It counts from
// Config.Start on, and of a live source, whose time passes while it is opened and its sender is
// waited for, from what is played first.
func (s *presenter) over(at time.Duration) bool {
	if !s.counts {
		s.counts, s.origin = true, s.p.cfg.Start
		if s.p.info.LocalTime {
			s.origin = at
		}
	}
	limit := s.p.cfg.Duration
	return limit > 0 && at-s.origin >= limit
}

// position records where playback is with f. A picture that a seek led into the middle of
// has its beginning behind it: whoever seeks on from there must get on.
func (s *presenter) position(f *media.Frame) {
	at := s.p.mediaTime(f.PTS, f.Timebase)
	if s.number == s.first {
		if to, serial := s.p.target(); serial == s.serial && at < to && at+f.Timebase.Duration(f.Duration) > to {
			at = to
		}
	}
	s.p.setPosition(s.serial, at)
}

// advance drops the head.
func (s *presenter) advance() {
	s.head.frame.Release()
	s.hasHead = false
	s.promote()
}

func (s *presenter) promote() {
	if s.hasNext {
		s.head, s.hasHead, s.hasNext = s.next, true, false
		s.next.frame = nil
	}
}

// repeat draws the picture on the screen again.
func (s *presenter) repeat() error {
	if ok, err := s.begin(); !ok {
		s.p.redraw.Store(true)
		return err
	}
	s.begun = false
	s.livened = clock.Now()
	s.sched = media.Scheduled{Frame: s.shown.Retain(), Repeat: true}
	err := s.sink.Present(&s.sched)
	if errors.Is(err, media.ErrOutOfDate) {
		s.p.redraw.Store(true) // the window has changed once more
		return nil
	}
	return err
}
