//go:build linux || freebsd || netbsd || openbsd || dragonfly

package wl

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/media"
)

// maxPending is how many commits may wait for an answer. A compositor that owes more is
// taken to have forgotten the oldest.
const maxPending = 32

// Feedback watches the commits of one surface.
type Feedback struct {
	l       *library
	c       dl.Caller
	now     func() media.Instant
	id      uintptr // of the registry's callback
	err     error
	display uintptr
	fd      int32

	queue, surface, registry, presentation uintptr
	version                                uint32        // of the surface
	clock                                  int32         // that the compositor stamps by
	reading                                unix.Timespec // of it
	refresh                                time.Duration // of the display that showed the last commit

	ring        [maxPending]commit
	first, size int
	queued      int // commits whose frame callback is outstanding
	answered    bool
	mute        bool // the compositor offers the protocol and never answers
	lastTaken   media.Instant

	// Memory that C writes, on the heap with this struct.
	in   inbox
	args [4]uint64
	poll [1]unix.PollFd
}

// commit is a commit that was asked about.
type commit struct {
	media.Presented
	feedback, callback uintptr       // 0 when answered
	taken              media.Instant // when the frame callback was seen
}

// muteAfter is how many commits in a row may be taken up without an answer before the
// compositor is believed never to give one (wlroots 0.15 on headless outputs).
const muteAfter = 4

// Request numbers.
const (
	displayGetRegistry   = 1
	registryBind         = 0
	surfaceFrame         = 3
	presentationDestroy  = 0
	presentationFeedback = 1
)

// Event numbers.
const (
	registryGlobal      = 0
	presentationClockID = 0
	feedbackPresented   = 1
	feedbackDiscarded   = 2
)

// The registry's events carry strings and are rare: they go through a callback of Go's,
// of which the process has one; it finds its object by the number handed to it.
var (
	watched  sync.Map // uintptr → *Feedback
	lastID   atomic.Uintptr
	registry = sync.OnceValue(func() uintptr {
		return dl.NewCallback(func(id, target, opcode, _, args uintptr) uintptr {
			if f, ok := watched.Load(id); ok {
				f.(*Feedback).global(uint32(opcode), args)
			}
			return 0
		})
	})
)

// Watch begins to watch surface, a wl_surface of the connection display, both in use by a
// toolkit. now reads CLOCK_MONOTONIC.
// Errors: media.ErrNotSupported when the compositor has no presentation-time, or stamps by
// a clock that cannot be read here.
func Watch(display, surface uintptr, now func() media.Instant) (*Feedback, error) {
	if display == 0 || surface == 0 {
		return nil, fmt.Errorf("wl: not a Wayland window: %w", media.ErrNotSupported)
	}
	if unsafe.Sizeof(uintptr(0)) != 8 {
		return nil, fmt.Errorf("wl: presentation times on 32-bit systems: %w", media.ErrNotSupported)
	}
	l, err := load()
	if err != nil {
		return nil, err
	}
	f := &Feedback{l: l, now: now, display: display, id: 1<<20 + lastID.Add(1), clock: unix.CLOCK_MONOTONIC}
	watched.Store(f.id, f)
	if err := f.open(surface); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *Feedback) open(surface uintptr) error {
	l, c := f.l, &f.c
	f.fd = int32(c.Call(l.displayGetFD, f.display))
	f.queue = c.Call(l.displayCreateQueue, f.display)
	if f.queue == 0 {
		return fmt.Errorf("wl: an event queue: out of memory")
	}
	// A wrapper is a proxy's double on another queue: what is made from it lives there, and
	// the toolkit's own proxy stays as it is.
	w := c.Call(l.createWrapper, f.display)
	if w == 0 {
		return fmt.Errorf("wl: the connection: out of memory")
	}
	c.Call(l.setQueue, w, f.queue)
	f.registry = f.construct(w, displayGetRegistry, l.registry, 1, 0)
	c.Call(l.wrapperDestroy, w)
	if f.surface = c.Call(l.createWrapper, surface); f.surface == 0 || f.registry == 0 {
		return fmt.Errorf("wl: the surface: out of memory")
	}
	c.Call(l.setQueue, f.surface, f.queue)
	f.version = uint32(c.Call(l.getVersion, surface))
	c.Call(l.addDispatcher, f.registry, registry(), f.id, 0)
	// What there is, then what that has to say.
	for range 2 {
		if int32(c.Call(l.displayRoundtripQueue, f.display, f.queue)) < 0 {
			return f.gone()
		}
		f.take()
	}
	if f.err != nil {
		return f.err
	}
	if f.presentation == 0 {
		return fmt.Errorf("wl: this compositor has no presentation-time protocol: %w", media.ErrNotSupported)
	}
	return nil
}

// gone remembers that the connection is broken.
func (f *Feedback) gone() error {
	if f.err == nil {
		f.err = fmt.Errorf("wl: the compositor went away: %w", media.ErrDeviceLost)
	}
	return f.err
}

// construct sends a request that makes an object; args are those of the request, with 0
// for the new object.
func (f *Feedback) construct(target, opcode, iface, version uintptr, args ...uint64) uintptr {
	copy(f.args[:], args)
	return f.c.Call(f.l.construct, target, opcode, dl.Addr(&f.args[0]), iface, version)
}

// listen has the events of a proxy put into the inbox.
func (f *Feedback) listen(proxy uintptr) {
	if proxy != 0 {
		f.c.Call(f.l.addDispatcher, proxy, dispatcher(), dl.Addr(&f.in), 0)
	}
}

// global takes an event of the registry; it runs inside a dispatch.
func (f *Feedback) global(opcode uint32, args uintptr) {
	if opcode != registryGlobal || f.presentation != 0 || dl.GoString(dl.Load[uintptr](args, 8)) != "wp_presentation" {
		return
	}
	// Displays are not bound: the toolkit would be told that its surface is on objects that
	// are not its own, and gets none at all for one that we have destroyed.
	name, version := dl.Load[uint32](args, 0), min(dl.Load[uint32](args, 16), maxVersion)
	f.presentation = f.bind(name, uintptr(unsafe.Pointer(f.l.presentation)), uint64(version))
}

func (f *Feedback) bind(name uint32, iface uintptr, version uint64) uintptr {
	// A call of its own: this runs inside one of f.c.
	args := [...]uint64{uint64(name), uint64(dl.Load[uintptr](iface, 0)), version, 0}
	p := dl.Call(f.l.construct, f.registry, registryBind, dl.Addr(&args[0]), iface, uintptr(version))
	if p != 0 {
		dl.Call(f.l.addDispatcher, p, dispatcher(), dl.Addr(&f.in), 0)
	}
	return p
}

// Request asks about the next commit of the surface: call it right before whatever
// commits. p is what is known of the frame and comes back from Next.
func (f *Feedback) Request(p *media.Presented) {
	if f.err != nil {
		return
	}
	if f.size == maxPending {
		// Overdue: whoever asks learns that it was never shown.
		f.drop(&f.ring[f.first])
		f.first, f.size = (f.first+1)%maxPending, f.size-1
	}
	m := &f.ring[(f.first+f.size)%maxPending]
	f.size++
	*m = commit{Presented: *p}
	m.Source = media.PresentUnknown
	if !f.mute {
		m.feedback = f.construct(f.presentation, presentationFeedback, uintptr(unsafe.Pointer(f.l.feedback)), 1, uint64(f.surface), 0)
		f.listen(m.feedback)
	}
	m.callback = f.construct(f.surface, surfaceFrame, f.l.callback, uintptr(f.version), 0)
	f.listen(m.callback)
	if m.callback != 0 {
		f.queued++
	}
}

// Withdraw takes back the newest Request, whose commit did not come about.
func (f *Feedback) Withdraw() {
	if f.size > 0 {
		f.size--
		f.drop(&f.ring[(f.first+f.size)%maxPending])
	}
}

// Committed does nothing: the commit carries what was asked.
func (f *Feedback) Committed() {}

// drop destroys what is outstanding of a commit.
func (f *Feedback) drop(m *commit) {
	if m.feedback != 0 {
		f.c.Call(f.l.destroy, m.feedback)
	}
	if m.callback != 0 {
		f.c.Call(f.l.destroy, m.callback)
		f.queued--
	}
	m.feedback, m.callback = 0, 0
}

// Queued returns how many commits the compositor has not taken up, as of the last call of
// Next or Wait.
func (f *Feedback) Queued() int { return f.queued }

// Wait waits until at most n commits have not been taken up.
// Units: deadline is ns, CLOCK_MONOTONIC; 0 waits for ever.
// Errors: media.ErrAgain at the deadline: the window is hidden, or the display is off;
// media.ErrDeviceLost.
func (f *Feedback) Wait(n int, deadline media.Instant) error {
	for {
		if f.queued <= n {
			return nil
		}
		timeout := time.Duration(-1)
		if deadline != 0 {
			timeout = max(0, deadline.Sub(f.now()))
		}
		if err := f.read(timeout); err != nil {
			return err
		}
		if f.queued > n && timeout == 0 {
			return media.ErrAgain
		}
	}
}

// read takes in what the compositor has sent, waiting up to timeout for something when
// there is nothing; below 0 for ever.
func (f *Feedback) read(timeout time.Duration) error {
	l, c := f.l, &f.c
	for f.err == nil && int32(c.Call(l.displayPrepareReadQueue, f.display, f.queue)) != 0 {
		// Somebody else has read events of ours.
		if int32(c.Call(l.displayDispatchQueuePending, f.display, f.queue)) < 0 {
			return f.gone()
		}
		if f.take() {
			timeout = 0
		}
	}
	if f.err != nil {
		return f.err
	}
	c.Call(l.displayFlush, f.display)
	f.poll[0] = unix.PollFd{Fd: f.fd, Events: unix.POLLIN}
	var ts unix.Timespec
	tsp := &ts
	if timeout < 0 {
		tsp = nil
	} else {
		ts = unix.NsecToTimespec(int64(timeout))
	}
	if n, err := unix.Ppoll(f.poll[:], tsp, nil); err != nil || n == 0 {
		c.Call(l.displayCancelRead, f.display)
	} else if int32(c.Call(l.displayReadEvents, f.display)) < 0 {
		return f.gone()
	}
	if int32(c.Call(l.displayDispatchQueuePending, f.display, f.queue)) < 0 {
		return f.gone()
	}
	f.take()
	return f.err
}

// take acts on the events in the inbox and reports whether there were any.
func (f *Feedback) take() bool {
	n := f.in.n
	f.in.n = 0
	for i := range n {
		f.handle(&f.in.events[i])
	}
	if f.in.lost > 0 {
		// Answers are missing, and nobody knows whose: what is outstanding stays unknown.
		f.in.lost = 0
		for i := range f.size {
			f.drop(&f.ring[(f.first+i)%maxPending])
		}
	}
	return n > 0
}

func (f *Feedback) handle(e *event) {
	if e.target == f.presentation {
		if e.opcode == presentationClockID {
			f.clock = int32(e.args[0])
			if err := unix.ClockGettime(f.clock, &f.reading); err != nil {
				f.err = fmt.Errorf("wl: the compositor stamps by clock %d: %w: %w", f.clock, err, media.ErrNotSupported)
			}
		}
		return
	}
	for i := range f.size {
		m := &f.ring[(f.first+i)%maxPending]
		switch e.target {
		case m.callback:
			f.c.Call(f.l.destroy, m.callback)
			// Two that come at once may have the same stamp, or one that is too old to count.
			f.lastTaken = max(f.stamp(uint32(e.args[0])), f.lastTaken+1)
			m.callback, m.taken = 0, f.lastTaken
			f.queued--
			return
		case m.feedback:
			f.answer(m, e)
			return
		}
	}
}

// stamp is when a frame callback came: by its own stamp, in ms, where that is of this
// clock, as compositors have it though the protocol leaves it open.
func (f *Feedback) stamp(ms uint32) media.Instant {
	now := f.now()
	if ago := uint32(uint64(now)/1e6) - ms; ago < 1000 {
		return now.Add(-time.Duration(ago) * time.Millisecond)
	}
	return now
}

// answer takes an event of a commit's feedback object, which the last of them ends.
func (f *Feedback) answer(m *commit, e *event) {
	a := &e.args
	switch e.opcode {
	case feedbackPresented:
		f.answered = true
		m.Source = media.PresentWayland
		m.Actual = f.monotonic(instant(a[0], a[1], a[2]))
		m.Sequence = uint64(uint32(a[4]))<<32 | uint64(uint32(a[5]))
		m.Flags = media.PresentFlags(a[6] & 0xf) // the protocol's order
		if f.refresh = time.Duration(uint32(a[3])); f.refresh > 0 {
			m.Refresh = f.refresh
		}
	case feedbackDiscarded:
		m.Source, m.Discarded = media.PresentWayland, true
	default:
		return
	}
	f.c.Call(f.l.destroy, m.feedback)
	m.feedback = 0
}

// monotonic brings a stamp of the compositor's clock to CLOCK_MONOTONIC. Some stamp by
// CLOCK_MONOTONIC_RAW, which is not slewed: by how much the two differ is read for each
// stamp, because it changes by up to 0.5 ms a second.
func (f *Feedback) monotonic(t media.Instant) media.Instant {
	if f.clock == unix.CLOCK_MONOTONIC || unix.ClockGettime(f.clock, &f.reading) != nil {
		return t
	}
	return t.Add(f.now().Sub(media.Instant(f.reading.Nano())))
}

// instant puts a stamp together: seconds in two halves, and nanoseconds.
func instant(high, low, nanoseconds uint64) media.Instant {
	s := uint64(uint32(high))<<32 | uint64(uint32(low))
	return media.Instant(s*1e9 + uint64(uint32(nanoseconds)))
}

// Refresh returns the interval of the display that showed the last commit, 0 while that is
// not known and when it has none of its own (VRR).
func (f *Feedback) Refresh() time.Duration { return f.refresh }

// Source says where stamps come from: media.PresentWayland, or media.PresentCallback once
// it is known that this compositor does not answer.
func (f *Feedback) Source() media.PresentSource {
	if f.mute {
		return media.PresentCallback
	}
	return media.PresentWayland
}

// listenForAnswers notices a compositor that takes commits up and never answers.
func (f *Feedback) listenForAnswers() {
	n := 0
	for i := range f.size {
		if m := &f.ring[(f.first+i)%maxPending]; m.feedback != 0 && m.callback == 0 {
			n++
		}
	}
	if f.answered || n < muteAfter {
		return
	}
	f.mute = true
	for i := range f.size {
		if m := &f.ring[(f.first+i)%maxPending]; m.feedback != 0 {
			f.c.Call(f.l.destroy, m.feedback)
			m.feedback = 0
		}
	}
}

// known reports whether it is known what became of m.
func (f *Feedback) known(m *commit) bool { return m.feedback == 0 && (m.callback == 0 || !f.mute) }

// Next pops what became of the oldest commit; false when that is not known yet.
func (f *Feedback) Next(p *media.Presented) bool {
	if f.size == 0 {
		return false
	}
	m := &f.ring[f.first]
	if !f.known(m) {
		if f.read(0) != nil {
			return false
		}
		if !f.mute {
			f.listenForAnswers()
		}
		if !f.known(m) {
			return false
		}
	}
	if m.Source != media.PresentWayland {
		m.Source, m.Actual = media.PresentCallback, m.taken
	}
	if m.callback != 0 {
		f.drop(m) // answered without a frame callback: a newer commit has taken its place
	}
	*p = m.Presented
	f.first, f.size = (f.first+1)%maxPending, f.size-1
	return true
}

// Close ends it. Closing twice does nothing.
func (f *Feedback) Close() {
	l, c := f.l, &f.c
	watched.Delete(f.id)
	for f.size > 0 {
		f.Withdraw()
	}
	if f.presentation != 0 {
		c.Call(l.marshal, f.presentation, presentationDestroy, dl.Addr(&f.args[0]))
		c.Call(l.destroy, f.presentation)
	}
	if f.registry != 0 {
		c.Call(l.destroy, f.registry)
	}
	if f.surface != 0 {
		c.Call(l.wrapperDestroy, f.surface)
	}
	if f.queue != 0 {
		c.Call(l.eventQueueDestroy, f.queue)
	}
	f.presentation, f.registry, f.surface, f.queue = 0, 0, 0, 0
}
