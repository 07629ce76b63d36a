package soft

import (
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/internal/sdl"
	"github.com/scanout-av/scanout/media"
)

// openWindow opens a software window on the display that vars point at. The test keeps
// its thread.
func openWindow(t *testing.T, vars map[string]string, title string, width, height int) *Window {
	t.Helper()
	lib, err := sdl.Load()
	if err != nil {
		t.Skip(err)
	}
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	for _, n := range []string{"DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "SDL_VIDEODRIVER"} {
		lib.Setenv(n, vars[n])
	}
	win, err := lib.OpenWindow(sdl.WindowConfig{Title: title, Width: width, Height: height, Kind: sdl.Software})
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWindow(Config{Window: win, X11Present: true, Now: rt.Now, Sleep: rt.SleepUntil})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// testPicture is 160×90 I420: four quarters of colour, a white corner top left and a
// grey ramp across the middle.
func testPicture() *media.Frame {
	f := newFrame(media.I420, 160, 90)
	set := func(x, y int, c [3]byte) {
		f.Planes[0].Data[y*f.Planes[0].Stride+x] = c[0]
		for p := 1; p < 3; p++ {
			f.Planes[p].Data[y/2*f.Planes[p].Stride+x/2] = c[p]
		}
	}
	for y := range 90 {
		for x := range 160 {
			c := [4][3]byte{{81, 90, 240}, {145, 54, 34}, {41, 240, 110}, {210, 16, 146}}[y/45*2+x/80]
			switch {
			case x < 16 && y < 8:
				c = [3]byte{235, 128, 128}
			case y >= 30 && y < 60:
				c = [3]byte{byte(16 + x), 128, 128}
			}
			set(x, y, c)
		}
	}
	f.Arm(forever{})
	return f
}

// distance returns the largest difference between m at r and want.
func distance(m image.Image, r image.Rectangle, want *image.RGBA) (worst int) {
	for y := range r.Dy() {
		for x := range r.Dx() {
			a, b, c, _ := m.At(r.Min.X+x, r.Min.Y+y).RGBA()
			w := want.RGBAAt(x, y)
			for _, d := range [3]int{int(a>>8) - int(w.R), int(b>>8) - int(w.G), int(c>>8) - int(w.B)} {
				worst = max(worst, d, -d)
			}
		}
	}
	return worst
}

// onScreen presents f until the screen shows it at r as an offscreen target of that size
// does, drawing after every event, and keeps the last screenshot in $SCANOUT_SHOTS.
func onScreen(t *testing.T, w *Window, f *media.Frame, shot func() (image.Image, image.Rectangle)) {
	t.Helper()
	var last image.Image
	at, worst := image.Rectangle{}, 0
	err := avtest.Eventually(func() bool {
		var e media.Event
		for w.Poll(&e) {
		}
		if err := w.Begin(0); err != nil {
			t.Fatal(err)
		}
		f.Retain()
		if err := w.Present(&media.Scheduled{Frame: f}); err != nil && err != media.ErrOutOfDate {
			t.Fatal(err)
		}
		last, at = shot()
		d := w.Display()
		if at.Dx() != d.Width || at.Dy() != d.Height {
			return false
		}
		worst = distance(last, at, drawn(t, Config{Width: at.Dx(), Height: at.Dy()}, copyOf(f)))
		return worst <= 2
	})
	if dir := os.Getenv("SCANOUT_SHOTS"); dir != "" && last != nil {
		name := strings.ReplaceAll(fmt.Sprintf("%s-%dx%d.png", t.Name(), at.Dx(), at.Dy()), "/", "-")
		if out, err := os.Create(filepath.Join(dir, name)); err == nil {
			_ = png.Encode(out, last)
			out.Close()
		}
	}
	if err != nil {
		t.Fatalf("the screen at %v, %s: %d levels apart: %v", at, w.Name(), worst, err)
	}
	m, err := w.Screenshot()
	if err != nil {
		t.Fatal(err)
	}
	if d := distance(last, at, m); d != 0 {
		t.Errorf("Screenshot is %d levels from the screen", d)
	}
}

func copyOf(f *media.Frame) *media.Frame {
	return &media.Frame{Format: f.Format, Width: f.Width, Height: f.Height, Planes: f.Planes, Color: f.Color, SAR: f.SAR, Orientation: f.Orientation, Timebase: f.Timebase}
}

func TestX11(t *testing.T) {
	x := avtest.Xvfb(t, 800, 600)
	w := openWindow(t, map[string]string{"DISPLAY": x.Name}, "soft test", 160, 90)
	if n := w.Name(); !strings.HasPrefix(n, "cpu: ") || !strings.HasSuffix(n, "yuv, window 160x90 (x11)") {
		t.Errorf("name %q", n)
	}
	id := x.Xdotool(t, "search", "--onlyvisible", "--name", "^soft test$")
	shot := func() (image.Image, image.Rectangle) {
		var left, top, width, height int
		for _, l := range strings.Fields(x.Xdotool(t, "getwindowgeometry", "--shell", id)) {
			k, v, _ := strings.Cut(l, "=")
			for name, p := range map[string]*int{"X": &left, "Y": &top, "WIDTH": &width, "HEIGHT": &height} {
				if k == name {
					_, _ = fmt.Sscan(v, p)
				}
			}
		}
		return x.Screenshot(t), image.Rect(left, top, left+width, top+height)
	}
	f := testPicture()
	onScreen(t, w, f, shot) // straight
	x.Xdotool(t, "windowsize", id, "400", "300")
	onScreen(t, w, f, shot) // scaled, letterbox
	f.Orientation = media.Orientation{Rotation: 90}
	onScreen(t, w, f, shot) // turned, pillarbox
	x.Xdotool(t, "windowsize", id, "90", "160")
	onScreen(t, w, f, shot) // turned, not scaled
	// What covers the window and goes away leaves a hole until all of it is shown again.
	x.Xdotool(t, "windowunmap", id)
	x.Xdotool(t, "windowmap", id)
	onScreen(t, w, f, shot)
	// Fullscreen needs a window manager, and there is none: that is tested on Wayland.
	var p media.Presented
	if err := avtest.Eventually(func() bool { return w.Feedback(&p) }); err != nil || p.Actual == 0 || p.Source != media.PresentX11 {
		t.Errorf("feedback %+v", p)
	}
}

func TestWayland(t *testing.T) {
	c := avtest.Sway(t, 640, 400, 120)
	w := openWindow(t, c.Variables(), "soft on sway", 320, 180)
	if !strings.HasSuffix(w.Name(), "(wayland)") {
		t.Errorf("name %q", w.Name())
	}
	if d := w.Display(); d.Refresh != period(120) || !d.Throttled {
		t.Errorf("display %+v", d)
	}
	f := testPicture()
	onScreen(t, w, f, func() (image.Image, image.Rectangle) { return c.Screenshot(t), image.Rect(0, 0, 640, 400) })
	if err := w.SetFullscreen(true); err != nil {
		t.Fatal(err)
	}
	f.Orientation = media.Orientation{Rotation: 180}
	onScreen(t, w, f, func() (image.Image, image.Rectangle) { return c.Screenshot(t), image.Rect(0, 0, 640, 400) })
}
