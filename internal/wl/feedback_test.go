package wl_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/internal/sdl"
	"github.com/scanout-av/scanout/internal/wl"
	"github.com/scanout-av/scanout/media"
)

// window is a software window on a compositor, watched.
type window struct {
	t *testing.T
	*sdl.Window
	*wl.Feedback
	shade byte
}

func open(t *testing.T, c *avtest.Compositor) *window {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	s, err := sdl.Load()
	if err != nil {
		t.Skip(err)
	}
	for k, v := range c.Variables() {
		s.Setenv(k, v)
	}
	w, err := s.OpenWindow(sdl.WindowConfig{Title: "wl", Width: 64, Height: 48, Kind: sdl.Software})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Surface(); err != nil {
		t.Fatal(err)
	}
	n := w.Native()
	if n.System != sdl.SystemWayland || n.Display == 0 || n.Window == 0 {
		t.Fatalf("native window %+v", n)
	}
	f, err := wl.Watch(n.Display, n.Window, rt.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Close()
		f.Close()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return &window{t: t, Window: w, Feedback: f}
}

func (w *window) events() {
	var e media.Event
	for w.PollEvent(&e) {
	}
}

// commit shows another shade of grey.
func (w *window) commit(p *media.Presented) {
	w.t.Helper()
	v, err := w.Surface()
	if err != nil {
		w.t.Fatal(err)
	}
	w.shade++
	for i := range v.Pixels {
		v.Pixels[i] = w.shade
	}
	w.Request(p)
	if err := w.UpdateSurface(0, 0, 0, 0); err != nil {
		w.t.Fatal(err)
	}
}

// next waits for what became of the oldest commit.
func (w *window) next(p *media.Presented) {
	w.t.Helper()
	if err := avtest.Eventually(func() bool { w.events(); return w.Next(p) }); err != nil {
		w.t.Fatalf("no answer: %v", err)
	}
}

// settle commits until it is known whether the compositor answers: those of wlroots before
// 0.16 offer presentation-time and never do on headless outputs.
func (w *window) settle() {
	w.t.Helper()
	var p media.Presented
	if err := avtest.Eventually(func() bool {
		w.events()
		if w.Queued() == 0 {
			w.commit(&media.Presented{})
		}
		_ = w.Wait(0, rt.Now().Add(10*time.Millisecond))
		return w.Next(&p) && !p.Discarded
	}); err != nil {
		w.t.Fatalf("no commit was answered: %v", err)
	}
	w.drain()
}

// drain waits for the answers to all commits.
func (w *window) drain() {
	w.t.Helper()
	var p media.Presented
	if err := avtest.Eventually(func() bool {
		w.events()
		for w.Next(&p) {
		}
		return w.Queued() == 0
	}); err != nil {
		w.t.Fatalf("%d commits are not answered: %v", w.Queued(), err)
	}
}

// TestEveryCommitIsAnswered shows 60 pictures one after the other, each when the one
// before was taken up: each gets a stamp, in order, later than it was asked.
func TestEveryCommitIsAnswered(t *testing.T) {
	w := open(t, avtest.Sway(t, 320, 240, 120))
	w.settle()
	last := rt.Now()
	for i := range 60 {
		before := rt.Now()
		w.commit(&media.Presented{Number: uint64(i + 1), Target: 7, Refresh: 9})
		if n := w.Queued(); n != 1 {
			t.Fatalf("%d commits queued", n)
		}
		if err := w.Wait(0, rt.Now().Add(20*time.Second)); err != nil {
			t.Fatal(err)
		}
		var p media.Presented
		w.next(&p)
		if p.Number != uint64(i+1) || p.Target != 7 || p.Source != w.Source() || p.Discarded {
			t.Fatalf("answer %+v to commit %d", p, i+1)
		}
		if p.Actual < before || p.Actual > rt.Now() || p.Actual <= last {
			t.Fatalf("commit %d of %d was shown at %d, the one before at %d", i+1, before, p.Actual, last)
		}
		if r := w.Refresh(); r != 0 && p.Refresh != r || r == 0 && p.Refresh != 9 {
			t.Errorf("refresh %v, the display's is %v", p.Refresh, r)
		}
		last = p.Actual
	}
	t.Logf("stamps: %v", w.Source())
}

// TestHiddenWindow moves the window out of sight: nothing is taken up, waiting ends at its
// deadline, and all goes on when it comes back.
func TestHiddenWindow(t *testing.T) {
	c := avtest.Sway(t, 320, 240, 120)
	w := open(t, c)
	w.settle()
	for range 3 {
		c.Msg(t, "workspace", "2")
		w.commit(&media.Presented{Number: 2})
		if err := w.Wait(0, rt.Now().Add(20*time.Millisecond)); err != media.ErrAgain || w.Queued() == 0 {
			t.Errorf("hidden: %d queued, %v", w.Queued(), err)
		}
		c.Msg(t, "workspace", "1")
		w.events()
		if err := w.Wait(0, rt.Now().Add(20*time.Second)); err != nil {
			t.Errorf("back again: %v", err)
		}
		var p media.Presented
		w.next(&p)
		if p.Number != 2 || p.Discarded || p.Actual == 0 {
			t.Errorf("back again: %+v", p)
		}
	}
}

// TestDisplayChanges follows the compositor's mode, and a display that is switched off and
// on again.
func TestDisplayChanges(t *testing.T) {
	c := avtest.Sway(t, 320, 240, 120)
	w := open(t, c)
	w.settle()
	shown := func(what string, want time.Duration) {
		t.Helper()
		var p media.Presented
		if err := avtest.Eventually(func() bool {
			w.events()
			if w.Queued() == 0 {
				w.commit(&media.Presented{Number: 1})
			}
			_ = w.Wait(0, rt.Now().Add(10*time.Millisecond))
			// Headless outputs of wlroots do not say what their interval is.
			r := w.Refresh()
			return w.Next(&p) && !p.Discarded && (r == 0 || r.Round(time.Microsecond) == want && p.Refresh == r)
		}); err != nil {
			t.Errorf("%s: refresh %v, want %v: %v", what, w.Refresh(), want, err)
		}
	}
	c.Msg(t, "output HEADLESS-1 mode --custom 320x240@60Hz")
	shown("60 Hz", 16667*time.Microsecond)
	c.Msg(t, "output HEADLESS-1 mode --custom 320x240@75Hz")
	shown("75 Hz", 13333*time.Microsecond)
	for range 3 {
		c.Msg(t, "output HEADLESS-1 disable")
		w.events()
		if w.Queued() == 0 {
			w.commit(&media.Presented{Number: 1})
		}
		// What waits may be taken up or not while there is no display: waiting ends.
		if err := w.Wait(0, rt.Now().Add(20*time.Millisecond)); err != nil && err != media.ErrAgain {
			t.Errorf("switched off: %v", err)
		}
		c.Msg(t, "output HEADLESS-1 enable")
		shown("on again", 13333*time.Microsecond)
	}
}

// TestNothingIsAllocated counts over many frames.
func TestNothingIsAllocated(t *testing.T) {
	w := open(t, avtest.Sway(t, 320, 240, 120))
	w.settle()
	var p, q media.Presented
	n := testing.AllocsPerRun(100, func() {
		w.commit(&p)
		for !w.Next(&q) {
			_ = w.Wait(0, rt.Now().Add(time.Millisecond))
			w.events()
		}
	})
	if limit := 0.0; n > limit && (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64") {
		t.Errorf("%v allocations a frame", n)
	}
}

// TestCompositorGoes ends the compositor under an open window.
func TestCompositorGoes(t *testing.T) {
	c := avtest.Sway(t, 320, 240, 120)
	w := open(t, c)
	w.settle()
	w.commit(&media.Presented{Number: 1})
	c.Kill()
	var err error
	if e := avtest.Eventually(func() bool {
		w.Request(&media.Presented{Number: 2})
		err = w.Wait(0, rt.Now().Add(10*time.Millisecond))
		return err != nil && err != media.ErrAgain
	}); e != nil || !strings.Contains(err.Error(), "went away") {
		t.Errorf("waiting says %v: %v", err, e)
	}
	var p media.Presented
	for w.Next(&p) {
	}
}

func TestWatchRefusesWhatIsNotWayland(t *testing.T) {
	if f, err := wl.Watch(0, 0, rt.Now); err == nil {
		f.Close()
		t.Error("no error")
	}
}
