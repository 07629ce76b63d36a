package render

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/internal/sdl"
	"github.com/scanout-av/scanout/media"
)

func TestWindow(t *testing.T) {
	s, err := sdl.Load()
	if err != nil {
		t.Skip(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	x := avtest.Xvfb(t, 400, 300)
	for _, n := range []string{"WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "SDL_VIDEODRIVER"} {
		s.Setenv(n, "")
	}
	s.Setenv("DISPLAY", x.Name)
	native, err := s.OpenWindow(sdl.WindowConfig{Title: "render", Width: 160, Height: 120})
	if err != nil {
		t.Skipf("needs a Vulkan window: %v", err)
	}
	p := newPool(t, 8, 256*1024)
	c := &fakeClock{now: 1}
	w, err := NewWindow(Config{Device: "llvmpipe", Validation: true, Pool: p, Now: c.Now}, native)
	if err != nil {
		native.Close()
		t.Skipf("needs lavapipe and the validation layer: %v", err)
	}
	closed := false
	defer func() {
		if !closed {
			w.Close()
		}
	}()
	present := func(f *media.Frame, repeat bool) {
		t.Helper()
		c.now += 1_000_000
		if err := w.Begin(0); err != nil {
			t.Fatal(err)
		}
		f.Retain()
		if err := w.Present(&media.Scheduled{Frame: f, Repeat: repeat, Number: 1}); err != nil {
			t.Fatal(err)
		}
	}
	f := newFrame(t, p, media.I420, 160, 120, 1)
	for i := range 20 {
		present(f, i%5 == 4)
	}
	d := w.Display()
	if d.Width != 160 || d.Height != 120 {
		t.Errorf("display %+v", d)
	}
	var got media.Presented
	n := 0
	if err := avtest.Eventually(func() bool {
		for w.Feedback(&got) {
			n++
		}
		return n == 20
	}); err != nil {
		t.Errorf("%d of 20 frames reported: %v", n, err)
	}
	if got.Source != media.PresentFence && got.Source != media.PresentWait {
		t.Errorf("source %v", got.Source)
	}
	// The window grows; the swapchain follows without being told.
	grow := func(want int, do func()) {
		t.Helper()
		do()
		if err := avtest.Eventually(func() bool {
			var e media.Event
			for w.Poll(&e) {
			}
			present(f, true)
			return w.Display().Width == want
		}); err != nil {
			t.Errorf("still %+v: %v", w.Display(), err)
		}
	}
	window := x.Xdotool(t, "search", "--onlyvisible", "--name", "^render$")
	grow(300, func() { x.Xdotool(t, "windowsize", window, "300", "200") })
	grow(400, func() { x.Xdotool(t, "windowsize", window, "400", "300") })
	present(f, true)
	shot, err := w.Screenshot()
	if err != nil {
		t.Fatal(err)
	}
	if worst, _, _ := compare(f, shot, false); worst > 0.51 {
		t.Errorf("screenshot is off by %.3f", worst)
	}
	if dir := os.Getenv("SCANOUT_TEST_OUT"); dir != "" {
		save(t, filepath.Join(dir, "window.png"), x.Screenshot(t))
		save(t, filepath.Join(dir, "screenshot.png"), shot)
	}
	a := testing.AllocsPerRun(50, func() { present(f, false) })
	for _, m := range w.Messages() {
		t.Errorf("validation: %.400s", m)
	}
	if a > 1 { // the closure's Scheduled
		t.Errorf("%v allocations a frame", a)
	}
	f.Release()
	closed = true
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if n := p.Stats().InUse; n != 0 {
		t.Errorf("%d slots in use after Close", n)
	}
}

func save(t *testing.T, path string, m image.Image) {
	t.Helper()
	o, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if err := png.Encode(o, m); err != nil {
		t.Fatal(err)
	}
}
