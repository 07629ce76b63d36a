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
		x.Xdotool(t, "key", c.xdotool)
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
	// Giving the former size back is the window manager's task, and there is none: that is
	// tested on Wayland.
	if err := w.SetFullscreen(false); err != nil {
		t.Fatal(err)
	}
	if w.Fullscreen() {
		t.Error("still fullscreen")
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
	for _, l := range strings.Fields(shell) {
		k, v, _ := strings.Cut(l, "=")
		n, _ := strconv.Atoi(v)
		switch k {
		case "X":
			x = n
		case "Y":
			y = n
		}
	}
	return x, y
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
	c.Msg(t, "kill")
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
