package sdl

import (
	"errors"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

// load opens SDL and skips the test when it is not installed. The test keeps its thread.
func load(t testing.TB) *Library {
	t.Helper()
	s, err := Load()
	if err != nil {
		t.Skip(err)
	}
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	return s
}

// pointAt makes SDL look for its display where vars say, and nowhere else.
func pointAt(s *Library, vars map[string]string) {
	for _, n := range []string{"DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "SDL_VIDEODRIVER"} {
		s.Setenv(n, vars[n])
	}
}

// until polls events until one of the kind comes and stop, if any, agrees.
func until(t *testing.T, w *Window, kind media.EventKind, stop func(*media.Event) bool) media.Event {
	t.Helper()
	var got media.Event
	err := avtest.Eventually(func() bool {
		var e media.Event
		for w.PollEvent(&e) {
			if e.Kind == kind && (stop == nil || stop(&e)) {
				got = e
				return true
			}
		}
		return false
	})
	if err != nil {
		t.Fatalf("event %d: %v", kind, err)
	}
	return got
}

// waits checks that the window's descriptor tells of the next event, which cause brings.
func waits(t *testing.T, w *Window, cause func()) {
	t.Helper()
	var e media.Event
	for w.PollEvent(&e) {
	}
	fd := w.EventFD()
	if fd < 0 {
		t.Fatal("no descriptor tells of events")
	}
	watch, err := rt.NewWaiter(rt.SleepKernel).Watch(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	cause()
	if _, readable := watch.Wait(rt.Now().Add(time.Minute)); !readable {
		t.Error("the descriptor tells of no event")
	}
}

func size(width, height int) func(*media.Event) bool {
	return func(e *media.Event) bool { return e.Width == width && e.Height == height }
}

func open(t *testing.T, s *Library, cfg WindowConfig) *Window {
	t.Helper()
	w, err := s.OpenWindow(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func TestNoDisplay(t *testing.T) {
	s := load(t)
	if _, err := os.Stat("/dev/dri/card0"); err == nil {
		t.Skip("needs a machine without a display: SDL would take /dev/dri/card0")
	}
	pointAt(s, map[string]string{"XDG_RUNTIME_DIR": t.TempDir()})
	w, err := s.OpenWindow(WindowConfig{})
	if err == nil {
		w.Close()
		t.Fatal("a window without a display")
	}
	if !errors.Is(err, media.ErrNotSupported) || !strings.Contains(err.Error(), "--output offscreen") {
		t.Errorf("the error must say what to do: %v", err)
	}
}

func TestWindowSize(t *testing.T) {
	s := load(t)
	for _, c := range [][2]int{{-1, 10}, {10, 0}, {1 << 20, 10}} {
		if w, err := s.OpenWindow(WindowConfig{Width: c[0], Height: c[1]}); err == nil {
			w.Close()
			t.Errorf("%v: no error", c)
		}
	}
}

func TestX11(t *testing.T) {
	s := load(t)
	x := avtest.Xvfb(t, 800, 600)
	pointAt(s, map[string]string{"DISPLAY": x.Name})
	w := open(t, s, WindowConfig{Title: "scanout test", Width: 320, Height: 180, Kind: Software})
	if w.Driver() != "x11" {
		t.Fatalf("driver %q", w.Driver())
	}
	until(t, w, media.EventExpose, nil)
	if width, height := w.DrawableSize(); width != 320 || height != 180 {
		t.Errorf("drawable %d×%d", width, height)
	}
	win := x.Xdotool(t, "search", "--onlyvisible", "--name", "^scanout test$")

	x.Xdotool(t, "windowsize", win, "400", "300")
	until(t, w, media.EventResize, size(400, 300))
	if width, height := w.DrawableSize(); width != 400 || height != 300 {
		t.Errorf("after the resize: drawable %d×%d", width, height)
	}

	v, err := w.Surface()
	if err != nil {
		t.Fatal(err)
	}
	if v.Width != 400 || v.Height != 300 || v.Stride < 1600 || len(v.Pixels) != v.Stride*300 || v.Format != media.BGRA {
		t.Fatalf("surface %d×%d stride %d, %d bytes, %v %s", v.Width, v.Height, v.Stride, len(v.Pixels), v.Format, v.FormatName)
	}
	for i := 0; i+3 < len(v.Pixels); i += 4 {
		v.Pixels[i], v.Pixels[i+1], v.Pixels[i+2] = 10, 200, 30
	}
	if err := w.UpdateSurface(0, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 16; i++ { // a red square of 4×4 at 8, 8
		copy(v.Pixels[(8+i/4)*v.Stride+(8+i%4)*4:], []byte{0, 0, 255})
	}
	if err := w.UpdateSurface(8, 8, 4, 4); err != nil {
		t.Fatal(err)
	}
	left, top := geometry(t, x.Xdotool(t, "getwindowgeometry", "--shell", win))
	err = avtest.Eventually(func() bool {
		m := x.Screenshot(t)
		r, g, b, _ := m.At(left+9, top+9).RGBA()
		r2, g2, b2, _ := m.At(left+200, top+200).RGBA()
		return r>>8 == 255 && g == 0 && b == 0 && r2>>8 == 30 && g2>>8 == 200 && b2>>8 == 10
	})
	if err != nil {
		t.Errorf("the picture on the screen: %v", err)
	}

	x.Xdotool(t, "windowfocus", "--sync", win)
	for _, c := range []struct {
		xdotool string
		want    media.Event
	}{
		{"f", media.Event{Key: 'f'}},
		{"space", media.Event{Key: ' '}},
		{"shift+s", media.Event{Key: 's', Shift: true}},
		{"ctrl+c", media.Event{Key: 'c', Ctrl: true}},
		{"Left", media.Event{Key: media.KeyLeft}},
		{"Right", media.Event{Key: media.KeyRight}},
		{"Up", media.Event{Key: media.KeyUp}},
		{"Down", media.Event{Key: media.KeyDown}},
		{"Escape", media.Event{Key: media.KeyEscape}},
		{"Return", media.Event{Key: media.KeyEnter}},
		{"KP_Enter", media.Event{Key: media.KeyEnter}},
		{"Tab", media.Event{Key: media.KeyTab}},
		{"BackSpace", media.Event{Key: media.KeyBackspace}},
		{"Prior", media.Event{Key: media.KeyPageUp}},
		{"Next", media.Event{Key: media.KeyPageDown}},
		{"Home", media.Event{Key: media.KeyHome}},
		{"End", media.Event{Key: media.KeyEnd}},
		{"9", media.Event{Key: '9'}},
		{"0", media.Event{Key: '0'}},
		{"period", media.Event{Key: '.'}},
	} {
		c.want.Kind = media.EventKey
		waits(t, w, func() { x.Xdotool(t, "key", c.xdotool) })
		if got := until(t, w, media.EventKey, nil); got != c.want {
			t.Errorf("key %s: got %+v, want %+v", c.xdotool, got, c.want)
		}
	}

	if err := w.SetFullscreen(true); err != nil {
		t.Fatal(err)
	}
	until(t, w, media.EventResize, size(800, 600))
	if !w.Fullscreen() {
		t.Error("not fullscreen")
	}
	// SDL would leave both to the window manager, and there is none.
	if got := frame(t, x, win); got != (rectangle{0, 0, 800, 600}) {
		t.Errorf("fullscreen: the window is at %v", got)
	}
	if err := w.SetFullscreen(false); err != nil {
		t.Fatal(err)
	}
	until(t, w, media.EventResize, size(400, 300))
	if w.Fullscreen() {
		t.Error("still fullscreen")
	}
	if got := frame(t, x, win); got != (rectangle{int32(left), int32(top), 400, 300}) {
		t.Errorf("no longer fullscreen: the window is at %v, want what it was, %d, %d", got, left, top)
	}

	w.SetTitle("scanout: another title")
	err = avtest.Eventually(func() bool {
		var e media.Event
		for w.PollEvent(&e) {
		}
		return x.Xdotool(t, "getwindowname", win) == "scanout: another title"
	})
	if err != nil {
		t.Errorf("title: %v", err)
	}

	x.Xdotool(t, "windowunmap", win)
	until(t, w, media.EventHidden, nil)
	x.Xdotool(t, "windowmap", win)
	until(t, w, media.EventShown, nil)
}

// TestSignals checks that Ctrl-C still reaches the program: SDL would turn it into an
// event.
func TestSignals(t *testing.T) {
	s := load(t)
	x := avtest.Xvfb(t, 640, 480)
	pointAt(s, map[string]string{"DISPLAY": x.Name})
	open(t, s, WindowConfig{Kind: Software})
	got := make(chan os.Signal, 1)
	signal.Notify(got, os.Interrupt)
	defer signal.Stop(got)
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(os.Interrupt); err != nil {
		t.Skip(err) // Windows
	}
	select {
	case <-got:
	case <-time.After(20 * time.Second):
		t.Error("SDL took SIGINT")
	}
}

func geometry(t *testing.T, shell string) (x, y int) {
	t.Helper()
	r := parseFrame(shell)
	return int(r.x), int(r.y)
}

// frame is where the X server has the window.
func frame(t *testing.T, x *avtest.Display, win string) rectangle {
	t.Helper()
	return parseFrame(x.Xdotool(t, "getwindowgeometry", "--shell", win))
}

func parseFrame(shell string) (r rectangle) {
	for _, l := range strings.Fields(shell) {
		k, v, _ := strings.Cut(l, "=")
		n, _ := strconv.Atoi(v)
		switch k {
		case "X":
			r.x = int32(n)
		case "Y":
			r.y = int32(n)
		case "WIDTH":
			r.w = int32(n)
		case "HEIGHT":
			r.h = int32(n)
		}
	}
	return r
}

func TestShrink(t *testing.T) {
	for _, c := range []struct{ w, h, limitW, limitH, wantW, wantH int }{
		{640, 360, 1920, 1080, 640, 360}, // never larger
		{1920, 1080, 1920, 1080, 1920, 1080},
		{3840, 2160, 1920, 1080, 1920, 1080},
		{1920, 1080, 1920, 1040, 1849, 1040},
		{1080, 1920, 1920, 1080, 608, 1080},
		{1921, 10, 1920, 1080, 1920, 10},
		{30000, 2, 1920, 1080, 1920, 1},
		{2, 30000, 1920, 1080, 1, 1080},
		{20000, 20000, maxSize, maxSize, maxSize, maxSize},
	} {
		if w, h := shrink(c.w, c.h, c.limitW, c.limitH); w != c.wantW || h != c.wantH {
			t.Errorf("%d×%d within %d×%d: %d×%d, want %d×%d", c.w, c.h, c.limitW, c.limitH, w, h, c.wantW, c.wantH)
		}
	}
}

// TestFit opens windows that are larger than the display.
func TestFit(t *testing.T) {
	s := load(t)
	x := avtest.Xvfb(t, 640, 480)
	pointAt(s, map[string]string{"DISPLAY": x.Name})
	for _, c := range []struct {
		name string
		cfg  WindowConfig
		want rectangle
	}{
		{"wide", WindowConfig{Width: 1280, Height: 720, Fit: true}, rectangle{0, 60, 640, 360}},
		{"high", WindowConfig{Width: 720, Height: 960, Fit: true}, rectangle{140, 0, 360, 480}},
		{"huge", WindowConfig{Width: 64000, Height: 48000, Fit: true}, rectangle{0, 0, 640, 480}},
		{"small", WindowConfig{Width: 320, Height: 180, Fit: true}, rectangle{160, 150, 320, 180}},
		{"as it is", WindowConfig{Width: 800, Height: 600}, rectangle{-80, -60, 800, 600}},
		{"fullscreen", WindowConfig{Width: 1280, Height: 720, Fit: true, Fullscreen: true}, rectangle{0, 0, 640, 480}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Title, c.cfg.Kind = c.name, Software
			w := open(t, s, c.cfg)
			win := x.Xdotool(t, "search", "--onlyvisible", "--name", "^"+c.name+"$")
			if got := frame(t, x, win); got != c.want {
				t.Errorf("the window is at %v, want %v", got, c.want)
			}
			if width, height := w.DrawableSize(); width != int(c.want.w) || height != int(c.want.h) {
				t.Errorf("drawable %d×%d", width, height)
			}
			if !c.cfg.Fullscreen {
				return
			}
			if err := w.SetFullscreen(false); err != nil {
				t.Fatal(err)
			}
			if got, want := frame(t, x, win), (rectangle{0, 60, 640, 360}); got != want || w.Fullscreen() {
				t.Errorf("no longer fullscreen: the window is at %v, want %v", got, want)
			}
		})
	}
}

func TestVulkanWindow(t *testing.T) {
	s := load(t)
	x := avtest.Xvfb(t, 640, 480)
	pointAt(s, map[string]string{"DISPLAY": x.Name})
	w, err := s.OpenWindow(WindowConfig{Title: "vulkan", Width: 320, Height: 180})
	if err != nil {
		t.Skipf("needs the Vulkan loader (Debian: apt install libvulkan1): %v", err)
	}
	defer w.Close()
	ext, err := w.VulkanInstanceExtensions()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(ext, " "); !strings.Contains(got, "VK_KHR_surface") || !strings.Contains(got, "VK_KHR_x") {
		t.Errorf("extensions %q", got)
	}
	if _, err := w.Surface(); !errors.Is(err, ErrNotSoftware) {
		t.Errorf("software surface of a Vulkan window: %v", err)
	}
	instance, destroy := vulkanInstance(t, ext)
	surface, err := w.CreateSurface(instance)
	if err != nil || surface == 0 {
		t.Fatalf("surface %x: %v", surface, err)
	}
	destroy(surface)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

// vulkanInstance creates a VkInstance with the extensions; destroy ends it and a surface.
func vulkanInstance(t *testing.T, extensions []string) (instance uintptr, destroy func(surface uint64)) {
	t.Helper()
	vk, err := dl.Open("libvulkan.so.1")
	if err != nil {
		t.Skip(err)
	}
	var create, destroyInstance, destroySurface uintptr
	if err := vk.Resolve(map[string]*uintptr{
		"vkCreateInstance": &create, "vkDestroyInstance": &destroyInstance, "vkDestroySurfaceKHR": &destroySurface,
	}); err != nil {
		t.Fatal(err)
	}
	var names []*byte
	for _, e := range extensions {
		names = append(names, dl.CString(e))
	}
	info := &struct { // VkInstanceCreateInfo
		sType      uint64
		next       uintptr
		flags      uint64
		app        uintptr
		layers     uint64
		layerNames uintptr
		count      uint64
		names      **byte
	}{sType: 1, count: uint64(len(names)), names: &names[0]}
	out := new(uintptr)
	if r := int32(dl.Call(create, uintptr(unsafe.Pointer(info)), 0, uintptr(unsafe.Pointer(out)))); r != 0 {
		t.Skipf("needs a Vulkan driver (Debian: apt install mesa-vulkan-drivers): vkCreateInstance gave %d", r)
	}
	return *out, func(surface uint64) {
		dl.Call(destroySurface, *out, uintptr(surface), 0)
		dl.Call(destroyInstance, *out, 0)
	}
}

func TestPollAllocatesNothing(t *testing.T) {
	s := load(t)
	x := avtest.Xvfb(t, 640, 480)
	pointAt(s, map[string]string{"DISPLAY": x.Name})
	w := open(t, s, WindowConfig{Title: "allocations", Width: 320, Height: 180, Kind: Software})
	until(t, w, media.EventExpose, nil)
	if _, err := w.Surface(); err != nil {
		t.Fatal(err)
	}
	e := new(media.Event)
	if n := testing.AllocsPerRun(200, func() {
		for w.PollEvent(e) {
		}
		w.DrawableSize()
		w.RefreshRate()
		if _, err := w.Surface(); err != nil {
			t.Fatal(err)
		}
		if err := w.UpdateSurface(0, 0, 16, 16); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestWayland(t *testing.T) {
	s := load(t)
	c := avtest.Sway(t, 1280, 720, 120)
	pointAt(s, c.Variables())
	w := open(t, s, WindowConfig{Title: "scanout on sway", Width: 320, Height: 180, Kind: Software})
	if w.Driver() != "wayland" {
		t.Fatalf("driver %q", w.Driver())
	}
	show := func() {
		t.Helper()
		v, err := w.Surface()
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+3 < len(v.Pixels); i += 4 {
			v.Pixels[i], v.Pixels[i+1], v.Pixels[i+2] = 10, 200, 30
		}
		if err := w.UpdateSurface(0, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	// sway tiles: the window gets the whole output.
	show()
	until(t, w, media.EventResize, size(1280, 720))
	show()
	if hz := w.RefreshRate(); hz != 120 {
		t.Errorf("refresh rate %d, want 120", hz)
	}
	err := avtest.Eventually(func() bool {
		var e media.Event
		for w.PollEvent(&e) {
		}
		show()
		r, g, b, _ := c.Screenshot(t).At(640, 360).RGBA()
		return r>>8 == 30 && g>>8 == 200 && b>>8 == 10
	})
	if err != nil {
		t.Errorf("the picture on the screen: %v", err)
	}
	c.Msg(t, "floating enable, resize set 500 400")
	until(t, w, media.EventResize, size(500, 400))
	show()
	if err := w.SetFullscreen(true); err != nil {
		t.Fatal(err)
	}
	until(t, w, media.EventResize, size(1280, 720))
	show()
	if err := w.SetFullscreen(false); err != nil {
		t.Fatal(err)
	}
	until(t, w, media.EventResize, size(500, 400))
	waits(t, w, func() { c.Msg(t, "kill") })
	until(t, w, media.EventQuit, nil)
}

func TestLayouts(t *testing.T) {
	if n := unsafe.Sizeof(audioSpec{}); n != 32 {
		t.Errorf("SDL_AudioSpec is 32 bytes, ours %d", n)
	}
	if n := unsafe.Sizeof(displayMode{}); n != 24 {
		t.Errorf("SDL_DisplayMode is 24 bytes, ours %d", n)
	}
}
