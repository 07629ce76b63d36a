//go:build linux

package wl

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

// fakeCompositor speaks the wire's side of what presentation times take: it says what real
// compositors say on real displays only. libwayland is at the other end.
type fakeCompositor struct {
	t     *testing.T
	conn  *os.File
	fd    int
	clock uint32
	done  chan struct{}

	mu    sync.Mutex
	kinds map[uint32]string // interfaces of objects
	asked []uint32          // presentation feedback objects, in order
	taken []uint32          // frame callbacks, in order
}

var le = binary.LittleEndian

func (c *fakeCompositor) send(object uint32, opcode uint16, args ...any) {
	b := make([]byte, 8)
	le.PutUint32(b, object)
	for _, a := range args {
		switch a := a.(type) {
		case uint32:
			b = le.AppendUint32(b, a)
		case string:
			b = le.AppendUint32(b, uint32(len(a)+1))
			b = append(b, a...)
			b = append(b, make([]byte, 4-len(a)%4)...)
		}
	}
	le.PutUint32(b[4:], uint32(len(b))<<16|uint32(opcode))
	_, _ = c.conn.Write(b) // a client that has gone is no error
}

// serve answers requests until the client goes.
func (c *fakeCompositor) serve() {
	defer close(c.done)
	head := make([]byte, 8)
	for {
		if _, err := io.ReadFull(c.conn, head); err != nil {
			return
		}
		object, word := le.Uint32(head), le.Uint32(head[4:])
		body := make([]byte, word>>16-8)
		if _, err := io.ReadFull(c.conn, body); err != nil {
			return
		}
		arg := func(i int) uint32 { return le.Uint32(body[4*i:]) }
		last := func() uint32 { return le.Uint32(body[len(body)-4:]) }
		c.mu.Lock()
		switch kind, opcode := c.kinds[object], word&0xffff; {
		case kind == "wl_display" && opcode == 0: // sync
			c.send(arg(0), 0, uint32(0))
			c.send(1, 1, arg(0)) // its number may be used again
		case kind == "wl_display" && opcode == displayGetRegistry:
			c.kinds[arg(0)] = "wl_registry"
			c.send(arg(0), registryGlobal, uint32(1), "wl_compositor", uint32(4))
			c.send(arg(0), registryGlobal, uint32(2), "wp_presentation", uint32(1))
		case kind == "wl_registry":
			if arg(0) == 2 {
				c.kinds[last()] = "wp_presentation"
				c.send(last(), presentationClockID, c.clock)
			} else {
				c.kinds[last()] = "wl_compositor"
			}
		case kind == "wl_compositor":
			c.kinds[last()] = "wl_surface"
		case kind == "wl_surface" && opcode == surfaceFrame:
			c.taken = append(c.taken, arg(0))
		case kind == "wp_presentation" && opcode == presentationFeedback:
			c.asked = append(c.asked, arg(1))
		}
		c.mu.Unlock()
	}
}

// number waits until the list has more than i numbers and returns number i.
func (c *fakeCompositor) number(list *[]uint32, i int) uint32 {
	c.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		c.mu.Lock()
		if i < len(*list) {
			defer c.mu.Unlock()
			return (*list)[i]
		}
		c.mu.Unlock()
		rt.SleepUntil(rt.Now().Add(100 * time.Microsecond))
	}
	c.t.Fatalf("request %d never came", i)
	return 0
}

// takes says that commit i was taken up.
func (c *fakeCompositor) takes(i int) { c.took(i, 0) }

// took says that it was, some time ago.
func (c *fakeCompositor) took(i int, ago time.Duration) {
	c.send(c.number(&c.taken, i), 0, uint32(uint64(rt.Now().Add(-ago))/1e6))
}

func (c *fakeCompositor) presents(i int, at media.Instant, refresh uint32, seq uint64, flags uint32) {
	s := uint64(at) / 1e9
	c.send(c.number(&c.asked, i), feedbackPresented, uint32(s>>32), uint32(s), uint32(uint64(at)%1e9), refresh, uint32(seq>>32), uint32(seq), flags)
}

func (c *fakeCompositor) discards(i int) { c.send(c.number(&c.asked, i), feedbackDiscarded) }

// connect starts a compositor that stamps by a clock, and a client with a surface.
func connect(t *testing.T, clock uint32) (c *fakeCompositor, display, surface uintptr) {
	t.Helper()
	l, err := load()
	if err != nil {
		t.Skip(err)
	}
	so, err := dl.Open("libwayland-client.so.0")
	if err != nil {
		t.Skip(err)
	}
	var connectTo, disconnect, compositor uintptr
	if err := so.Resolve(map[string]*uintptr{"wl_display_connect_to_fd": &connectTo, "wl_display_disconnect": &disconnect,
		"wl_compositor_interface": &compositor}); err != nil {
		t.Skip(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c = &fakeCompositor{t: t, conn: os.NewFile(uintptr(pair[0]), "compositor"), fd: pair[0], clock: clock, done: make(chan struct{}), kinds: map[uint32]string{1: "wl_display"}}
	display = dl.Call(connectTo, uintptr(pair[1]))
	if display == 0 {
		t.Fatal("no connection")
	}
	go c.serve()
	t.Cleanup(func() {
		dl.Call(disconnect, display)
		<-c.done
		c.conn.Close()
	})
	make := func(target, opcode, iface, version uintptr, args ...uint64) uintptr {
		p := dl.Call(l.construct, target, opcode, dl.Addr(&args[0]), iface, version)
		if p == 0 {
			t.Fatal("no object")
		}
		return p
	}
	registry := make(display, displayGetRegistry, l.registry, 1, 0)
	global := make(registry, registryBind, compositor, 4, 1, uint64(dl.Load[uintptr](compositor, 0)), 4, 0)
	return c, display, make(global, 0, l.surface, 4, 0)
}

func watch(t *testing.T, clock uint32) (*fakeCompositor, *Feedback) {
	t.Helper()
	c, display, surface := connect(t, clock)
	f, err := Watch(display, surface, rt.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return c, f
}

// ask asks about a commit, which sends it, too: here, there is no toolkit that would.
func (f *Feedback) ask(p media.Presented) {
	f.Request(&p)
	_ = f.read(0)
}

// next waits for what became of the oldest commit.
func (f *Feedback) next(t *testing.T) (p media.Presented) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f.Next(&p); {
		if time.Now().After(end) {
			t.Fatal("no answer")
		}
		_ = f.read(time.Millisecond)
	}
	return p
}

// TestAnswers takes every part of the compositor's answers, in and out of order.
func TestAnswers(t *testing.T) {
	c, f := watch(t, unix.CLOCK_MONOTONIC)
	for i := range 5 {
		f.ask(media.Presented{Number: uint64(i), Refresh: 9})
	}
	const at = media.Instant((1<<32+5)*1_000_000_000 + 123_456_789) // more than 32 bits of seconds
	c.presents(4, at+4, 0, 9, 0)                                    // the last one first
	c.discards(2)
	c.presents(0, at, 8_333_333, 7<<32|3, 0xf)
	c.presents(1, at+1, 8_333_334, 7<<32|4, 0xfffffff1)
	c.presents(3, at+3, 0, 0, 2)
	all := media.PresentVsync | media.PresentHardwareClock | media.PresentHardwareCompletion | media.PresentZeroCopy
	for i, want := range []media.Presented{
		{Actual: at, Refresh: 8_333_333, Sequence: 7<<32 | 3, Flags: all},
		{Actual: at + 1, Refresh: 8_333_334, Sequence: 7<<32 | 4, Flags: media.PresentVsync},
		{Refresh: 9, Discarded: true},
		{Actual: at + 3, Refresh: 9, Flags: media.PresentHardwareClock}, // no interval: a variable rate
		{Actual: at + 4, Refresh: 9, Sequence: 9},
	} {
		want.Number, want.Source = uint64(i), media.PresentWayland
		if got := f.next(t); got != want {
			t.Errorf("commit %d: %+v, want %+v", i, got, want)
		}
	}
	if f.Queued() != 0 || f.Refresh() != 0 || f.Source() != media.PresentWayland {
		t.Errorf("%d queued, refresh %v, %v", f.Queued(), f.Refresh(), f.Source())
	}
}

// TestCallbacksInOrder: commits that were taken up are stamped in order, however late that is
// seen, and whatever their callbacks say.
func TestCallbacksInOrder(t *testing.T) {
	c, f := watch(t, unix.CLOCK_MONOTONIC)
	ago := []time.Duration{2 * time.Second, 900 * time.Millisecond, 900 * time.Millisecond, 0, time.Millisecond, time.Hour}
	for i := range ago {
		f.ask(media.Presented{Number: uint64(i)})
	}
	for i, d := range ago {
		c.took(i, d)
	}
	last := media.Instant(0)
	for i := range ago {
		p := f.next(t)
		if p.Number != uint64(i) || p.Source != media.PresentCallback || p.Actual <= last || p.Actual > rt.Now() {
			t.Errorf("commit %d, after one at %d: %+v", i, last, p)
		}
		last = p.Actual
	}
}

// TestOtherClocks brings stamps of another clock to this one, and refuses a clock that
// nobody has.
func TestOtherClocks(t *testing.T) {
	for _, clock := range []uint32{unix.CLOCK_MONOTONIC_RAW, unix.CLOCK_REALTIME, unix.CLOCK_BOOTTIME} {
		c, f := watch(t, clock)
		f.ask(media.Presented{})
		before := rt.Now()
		var ts unix.Timespec
		if err := unix.ClockGettime(int32(clock), &ts); err != nil {
			t.Fatal(err)
		}
		after := rt.Now()
		c.presents(0, media.Instant(ts.Nano()), 0, 0, 0)
		p := f.next(t)
		// The two may drift apart while the answer is on its way, by 0.5 ms a second.
		margin := time.Millisecond + rt.Now().Sub(before)/1000
		if p.Actual < before.Add(-margin) || p.Actual > after.Add(margin) {
			t.Errorf("clock %d: stamped at %d, between %d and %d", clock, p.Actual, before, after)
		}
	}
	c, display, surface := connect(t, 99)
	if f, err := Watch(display, surface, rt.Now); !errors.Is(err, media.ErrNotSupported) {
		t.Errorf("clock %d: %v", c.clock, err)
		f.Close()
	}
}

// TestMuteCompositor takes commits up and never answers.
func TestMuteCompositor(t *testing.T) {
	c, f := watch(t, unix.CLOCK_MONOTONIC)
	for i := range muteAfter {
		f.ask(media.Presented{Number: uint64(i)})
		c.takes(i)
		if err := f.Wait(0, rt.Now().Add(20*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range muteAfter {
		if p := f.next(t); p.Number != uint64(i) || p.Source != media.PresentCallback || p.Actual == 0 {
			t.Errorf("%+v", p)
		}
	}
	if f.Source() != media.PresentCallback {
		t.Errorf("source %v", f.Source())
	}
}

// TestForgetfulCompositor owes more answers than are waited for: the oldest are given up.
func TestForgetfulCompositor(t *testing.T) {
	c, f := watch(t, unix.CLOCK_MONOTONIC)
	for i := range maxPending + 3 {
		f.ask(media.Presented{Number: uint64(i)})
	}
	if f.Queued() != maxPending {
		t.Errorf("%d queued", f.Queued())
	}
	f.Withdraw()
	c.presents(3, 77, 0, 0, 0)
	if p := f.next(t); p.Number != 3 || p.Actual != 77 {
		t.Errorf("%+v", p)
	}
	if err := f.Wait(0, rt.Now().Add(time.Millisecond)); err != media.ErrAgain {
		t.Errorf("nothing is taken up: %v", err)
	}
	if err := unix.Shutdown(c.fd, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	if err := f.Wait(0, rt.Now().Add(20*time.Second)); !errors.Is(err, media.ErrDeviceLost) {
		t.Errorf("the compositor went: %v", err)
	}
}
