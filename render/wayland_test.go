package render

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/internal/sdl"
	"github.com/scanout-av/scanout/media"
)

// TestWindowWayland plays through a compositor at 120 Hz, which throttles, tiles the
// window to the whole output and gives it back its size after fullscreen.
func TestWindowWayland(t *testing.T) {
	s, err := sdl.Load()
	if err != nil {
		t.Skip(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := avtest.Sway(t, 480, 270, 120)
	for _, n := range []string{"DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "SDL_VIDEODRIVER"} {
		s.Setenv(n, c.Variables()[n])
	}
	native, err := s.OpenWindow(sdl.WindowConfig{Title: "render", Width: 160, Height: 120})
	if err != nil {
		t.Skipf("needs a Vulkan window on Wayland: %v", err)
	}
	p := newPool(t, 8, 256*1024)
	start := time.Now()
	now := func() media.Instant { return media.Instant(time.Since(start) + 1) }
	w, err := NewWindow(Config{Device: "llvmpipe", Validation: true, Pool: p, Now: now}, native)
	if err != nil {
		native.Close()
		t.Skipf("needs lavapipe and the validation layer: %v", err)
	}
	f := newFrame(t, p, media.I420, 320, 180, 1)
	bars(f)
	present := func() {
		t.Helper()
		if err := w.Begin(now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if err := w.Present(&media.Scheduled{Frame: f.Retain(), Number: 1}); err != nil {
			t.Fatal(err)
		}
		var e media.Event
		for w.Poll(&e) {
		}
		var got media.Presented
		for w.Feedback(&got) {
		}
	}
	if err := avtest.Eventually(func() bool { present(); return w.Display().Width == 480 }); err != nil {
		t.Errorf("not tiled: %+v: %v", w.Display(), err)
	}
	c.Msg(t, "floating enable, resize set 300 200")
	if err := avtest.Eventually(func() bool { present(); return w.Display().Width != 480 }); err != nil {
		t.Errorf("not resized: %+v: %v", w.Display(), err)
	}
	if err := native.SetFullscreen(true); err != nil {
		t.Fatal(err)
	}
	if err := avtest.Eventually(func() bool { present(); return w.Display().Width == 480 && w.Display().Height == 270 }); err != nil {
		t.Errorf("not fullscreen: %+v: %v", w.Display(), err)
	}
	for range 2 * throttleAfter {
		present()
	}
	if d := w.Display(); !d.Throttled || d.Refresh != time.Second/120 {
		t.Errorf("display %+v, want 120 Hz, throttled", d)
	}
	if dir := os.Getenv("SCANOUT_TEST_OUT"); dir != "" {
		save(t, filepath.Join(dir, "wayland.png"), c.Screenshot(t))
	}
	f.Release()
	for _, m := range w.Messages() {
		t.Errorf("validation: %.400s", m)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if n := p.Stats().InUse; n != 0 {
		t.Errorf("%d slots in use after Close", n)
	}
}
