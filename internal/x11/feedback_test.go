package x11_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/internal/sdl"
	"github.com/scanout-av/scanout/internal/x11"
	"github.com/scanout-av/scanout/media"
)

func open(t *testing.T, x *avtest.Display, copies bool) (*sdl.Window, *x11.Feedback) {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	s, err := sdl.Load()
	if err != nil {
		t.Skip(err)
	}
	for _, n := range []string{"WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "SDL_VIDEODRIVER"} {
		s.Setenv(n, "")
	}
	s.Setenv("DISPLAY", x.Name)
	w, err := s.OpenWindow(sdl.WindowConfig{Title: "x11", Width: 64, Height: 48, Kind: sdl.Software})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	if _, err := w.Surface(); err != nil {
		t.Fatal(err)
	}
	n := w.Native()
	if n.System != sdl.SystemX11 {
		t.Fatalf("native window %+v", n)
	}
	name, err := x11.DisplayName(n.Display)
	if err != nil || name != x.Name {
		t.Fatalf("display %q: %v", name, err)
	}
	f, err := x11.Watch(name, n.Window, copies, rt.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close(); f.Close() })
	return w, f
}

// TestEveryCopyIsAnswered copies 70 pictures into a window: each gets a refresh's moment, in
// order, with the display's count, and the rate of the virtual display is found.
func TestEveryCopyIsAnswered(t *testing.T) {
	x := avtest.Xvfb(t, 320, 240)
	w, f := open(t, x, true)
	var p media.Presented
	last, count := media.Instant(0), uint64(0)
	show := func(i int) {
		before := rt.Now()
		f.Request(&media.Presented{Number: uint64(i), Target: 7})
		if err := w.UpdateSurface(0, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
		f.Committed()
		for {
			if err := f.Wait(0, rt.Now().Add(20*time.Second)); err != nil {
				t.Fatal(err)
			}
			if f.Next(&p) {
				break
			}
			_ = f.Wait(-1, rt.Now().Add(time.Millisecond)) // the first one may not be waited for
		}
		// The server counts µs.
		if p.Number != uint64(i) || p.Target != 7 || p.Source != media.PresentX11 || p.Actual < before.Add(-time.Microsecond) || p.Actual > rt.Now() {
			t.Fatalf("picture %d of %d: %+v", i, before, p)
		}
		if p.Actual <= last || p.Sequence <= count {
			t.Fatalf("picture %d at %d, refresh %d; the one before at %d, refresh %d", i, p.Actual, p.Sequence, last, count)
		}
		last, count = p.Actual, p.Sequence
	}
	for i := range 70 {
		show(i)
	}
	if r := f.Refresh(); r < 10*time.Millisecond || r > 25*time.Millisecond {
		t.Errorf("refresh %v; Xvfb pretends to be of 60 Hz", r)
	}
	if n := testing.AllocsPerRun(20, func() { show(100) }); n > 0 {
		t.Errorf("%v allocations a picture", n)
	}
	f.Request(&media.Presented{})
	f.Withdraw()
	if f.Queued() != 0 || f.Source() != media.PresentX11 {
		t.Errorf("%d queued, %v", f.Queued(), f.Source())
	}
}

// TestNothingIsPresented watches for pixmaps where none are: nobody waits, and it is found
// out.
func TestNothingIsPresented(t *testing.T) {
	_, f := open(t, avtest.Xvfb(t, 320, 240), false)
	var p media.Presented
	n := 0
	for i := range 20 {
		f.Request(&media.Presented{Number: uint64(i), Submitted: media.Instant(i + 1)})
		f.Committed()
		if err := f.Wait(0, rt.Now().Add(20*time.Second)); err != nil {
			t.Fatal(err)
		}
		for f.Next(&p) {
			if n++; p.Source != media.PresentFence || p.Actual == 0 {
				t.Errorf("%+v", p)
			}
		}
	}
	if n == 0 || f.Source() != media.PresentFence {
		t.Errorf("%d answers, %v", n, f.Source())
	}
}

// TestServerGoes ends the server under a connection without a toolkit: Xlib would end the
// program.
func TestServerGoes(t *testing.T) {
	x := avtest.Xvfb(t, 64, 48)
	f, err := x11.Watch(x.Name, 1, true, rt.Now) // no window at all, which the server minds
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := avtest.Eventually(func() bool {
		_ = f.Wait(-1, rt.Now().Add(time.Millisecond))
		return f.Source() == media.PresentFence
	}); err != nil {
		t.Errorf("a window that is not: %v", err)
	}
	x.Kill()
	if err := avtest.Eventually(func() bool { return errors.Is(f.Wait(0, rt.Now().Add(time.Millisecond)), media.ErrDeviceLost) }); err != nil {
		t.Errorf("the server went: %v", err)
	}
}

func TestWatchRefuses(t *testing.T) {
	for _, name := range []string{"", ":65000", "nowhere:0"} {
		if f, err := x11.Watch(name, 1, true, rt.Now); !errors.Is(err, media.ErrNotSupported) {
			t.Errorf("%q: %v", name, err)
			f.Close()
		}
	}
}
