package sdl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/media"
)

// Kind is what draws into a window.
type Kind uint8

// Window kinds.
const (
	Vulkan   Kind = iota // a Vulkan surface
	Software             // pixels in memory
)

// WindowConfig says what window to open.
type WindowConfig struct {
	Title string
	// Width and Height are the size in screen units; 0 means 1280×720.
	Width, Height int
	// Fit makes the window smaller where it would not fit on the display, beside panels and
	// within its title bar; its shape stays. A window that fits is left as it is.
	Fit        bool
	Kind       Kind
	Fullscreen bool
	// Driver is SDL's video driver ("x11", "wayland", "kmsdrm"); empty lets SDL choose.
	Driver string
}

// Window is a window on the display.
// Ownership: Close destroys it; a Vulkan surface of it must be destroyed before.
// Concurrency: one goroutine, locked to its thread.
type Window struct {
	s    *Library
	c    dl.Caller
	win  uintptr
	id   uint32
	kind Kind

	event [64]byte // an SDL_Event is 56 bytes
	size  [2]int32
	mode  displayMode
	rect  [4]int32

	// covering is whether the window was laid over the display where no window manager does
	// that, and before is where it was.
	covering bool
	before   rectangle
}

// displayMode is an SDL_DisplayMode.
type displayMode struct {
	_       [3]uint32 // format, w, h
	refresh int32
	_       uintptr
}

// SDL_WindowFlags.
const (
	windowFullscreenDesktop = 0x1001
	windowShown             = 0x4
	windowResizable         = 0x20
	windowHighDPI           = 0x2000
	windowVulkan            = 0x10000000
)

const noDisplay = "no display: set DISPLAY or WAYLAND_DISPLAY, or use --output offscreen"

// OpenWindow opens a resizable window and keeps the screen saver off while it is open.
// Errors: media.ErrNotSupported when there is no display.
func (s *Library) OpenWindow(cfg WindowConfig) (*Window, error) {
	if cfg.Width == 0 && cfg.Height == 0 {
		cfg.Width, cfg.Height = 1280, 720
	}
	if cfg.Width <= 0 || cfg.Height <= 0 || !cfg.Fit && max(cfg.Width, cfg.Height) > maxSize {
		return nil, fmt.Errorf("sdl: a window of %d×%d is not possible: choose 1×1 to 16384×16384", cfg.Width, cfg.Height)
	}
	f := &s.fn
	// The program handles the compositor's fullscreen state; a media player must not
	// minimize because another window got the keyboard.
	s.Hint("SDL_VIDEO_MINIMIZE_ON_FOCUS_LOSS", "0")
	s.Hint("SDL_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR", "0")
	s.Hint("SDL_QUIT_ON_LAST_WINDOW_CLOSE", "1")
	s.Hint("SDL_VIDEODRIVER", cfg.Driver)
	if int32(dl.Call(f.initSubSystem, initVideo)) != 0 {
		return nil, fmt.Errorf("sdl: open the display: %s: %w: %s", s.reason(), media.ErrNotSupported, noDisplay)
	}
	w := &Window{s: s, kind: cfg.Kind}
	if d := w.Driver(); cfg.Driver == "" && (d == "dummy" || d == "offscreen" || d == "evdev") {
		dl.Call(f.quitSubSystem, initVideo)
		return nil, fmt.Errorf("sdl: SDL offers only its %q driver: %w: %s", d, media.ErrNotSupported, noDisplay)
	}
	// On X11 SDL would otherwise recreate a software window for OpenGL and copy there;
	// elsewhere it may have no other way.
	accelerate := "1"
	if w.Driver() == "x11" {
		accelerate = "0"
	}
	s.Hint("SDL_FRAMEBUFFER_ACCELERATION", accelerate)
	flags := uintptr(windowShown | windowResizable | windowHighDPI)
	if cfg.Kind == Vulkan {
		flags |= windowVulkan
	}
	if cfg.Fullscreen {
		flags |= windowFullscreenDesktop
	}
	width, height := cfg.Width, cfg.Height
	if cfg.Fit {
		width, height = w.fit(width, height, rectangle{})
	}
	w.win = dl.Call(f.createWindow, uintptr(unsafe.Pointer(dl.CString(cfg.Title))), centered, centered,
		uintptr(width), uintptr(height), flags)
	if w.win == 0 {
		err := s.failed("create a window", "")
		if cfg.Kind == Vulkan {
			err = fmt.Errorf("%w: a Vulkan window needs the Vulkan loader (Debian: apt install libvulkan1 mesa-vulkan-drivers), or use --renderer cpu", err)
		}
		dl.Call(f.quitSubSystem, initVideo)
		return nil, err
	}
	w.id = uint32(dl.Call(f.getWindowID, w.win))
	dl.Call(f.disableScreenSaver)
	switch {
	case cfg.Fullscreen && !w.managed():
		dl.Call(f.setWindowFullscreen, w.win, 0) // SDL believes that it is
		w.cover(true)
		w.before = w.middle(width, height, rectangle{})
	case cfg.Fit && !cfg.Fullscreen:
		w.fitBorders(cfg.Width, cfg.Height)
	}
	return w, nil
}

// Driver returns SDL's name of the window system: "x11", "wayland", "KMSDRM"….
func (w *Window) Driver() string { return dl.GoString(dl.Call(w.s.fn.getCurrentVideoDriver)) }

// System is a window system.
type System uint8

// Window systems whose objects a window gives access to.
const (
	SystemOther System = iota
	SystemX11
	SystemWayland
)

// Native is a window in its window system's own terms.
// Ownership: SDL's; valid while the window is open. A software window on Wayland may be
// made anew by the first call of Surface.
type Native struct {
	System  System
	Display uintptr // Display * or struct wl_display *
	Window  uintptr // X window, or struct wl_surface *
}

// Offsets in SDL_SysWMinfo, 64-bit, and SDL_SYSWM_TYPE.
const (
	wmSubsystem, wmDisplay, wmWindow = 4, 8, 16
	wmX11, wmWayland                 = 2, 6
)

// Native returns the window's own objects, SystemOther where there are none to have.
func (w *Window) Native() Native {
	info := new([96]byte) // an SDL_SysWMinfo is 72 bytes
	dl.Call(w.s.fn.getVersion, uintptr(unsafe.Pointer(info)))
	if unsafe.Sizeof(uintptr(0)) != 8 || dl.Call(w.s.fn.getWindowWMInfo, w.win, uintptr(unsafe.Pointer(info)))&0xff == 0 {
		return Native{}
	}
	le := binary.LittleEndian
	n := Native{Display: uintptr(le.Uint64(info[wmDisplay:])), Window: uintptr(le.Uint64(info[wmWindow:]))}
	switch le.Uint32(info[wmSubsystem:]) {
	case wmX11:
		n.System = SystemX11
	case wmWayland:
		n.System = SystemWayland
	default:
		return Native{}
	}
	return n
}

// Close destroys the window and gives the screen saver back. Closing twice does nothing.
func (w *Window) Close() error {
	if w.win == 0 {
		return nil
	}
	f := &w.s.fn
	dl.Call(f.enableScreenSaver)
	dl.Call(f.destroyWindow, w.win)
	w.win = 0
	dl.Call(f.quitSubSystem, initVideo)
	return nil
}

// VulkanInstanceExtensions returns the instance extensions that CreateSurface needs.
func (w *Window) VulkanInstanceExtensions() ([]string, error) {
	f := &w.s.fn
	n := new(uint32)
	if dl.Call(f.vulkanGetInstanceExtensions, w.win, uintptr(unsafe.Pointer(n)), 0)&0xff == 0 {
		return nil, w.s.failed("list the Vulkan extensions of the window", "")
	}
	if *n == 0 {
		return nil, nil
	}
	p := make([]uintptr, *n)
	if dl.Call(f.vulkanGetInstanceExtensions, w.win, uintptr(unsafe.Pointer(n)), uintptr(unsafe.Pointer(&p[0])))&0xff == 0 {
		return nil, w.s.failed("list the Vulkan extensions of the window", "")
	}
	names := make([]string, 0, *n)
	for _, a := range p[:*n] {
		names = append(names, dl.GoString(a))
	}
	return names, nil
}

// CreateSurface creates the window's VkSurfaceKHR for a VkInstance that was created with
// VulkanInstanceExtensions.
// Ownership: the caller destroys the surface with vkDestroySurfaceKHR, before Close.
func (w *Window) CreateSurface(instance uintptr) (uint64, error) {
	surface := new(uint64)
	if dl.Call(w.s.fn.vulkanCreateSurface, w.win, instance, uintptr(unsafe.Pointer(surface)))&0xff == 0 {
		return 0, w.s.failed("create a Vulkan surface", "")
	}
	return *surface, nil
}

// DrawableSize returns the size of what is drawn into, in pixels.
func (w *Window) DrawableSize() (width, height int) {
	if w.kind == Software {
		// SDL 2 keeps no high-DPI software surfaces: its size is the window's.
		w.c.Call(w.s.fn.getWindowSize, w.win, dl.Addr(&w.size[0]), dl.Addr(&w.size[1]))
	} else {
		w.c.Call(w.s.fn.vulkanGetDrawableSize, w.win, dl.Addr(&w.size[0]), dl.Addr(&w.size[1]))
	}
	return int(w.size[0]), int(w.size[1])
}

// RefreshRate returns the refresh rate of the display that shows the window, 0 when SDL
// does not know it (Xvfb).
// Units: Hz; SDL 2 rounds 59.94 to 60 or 59.
func (w *Window) RefreshRate() int {
	i := int32(w.c.Call(w.s.fn.getWindowDisplayIndex, w.win))
	if i < 0 {
		return 0
	}
	w.mode = displayMode{}
	if int32(w.c.Call(w.s.fn.getCurrentDisplayMode, uintptr(i), dl.Addr(&w.mode))) != 0 {
		return 0
	}
	return int(w.mode.refresh)
}

// SetTitle sets the window's title.
func (w *Window) SetTitle(title string) {
	dl.Call(w.s.fn.setWindowTitle, w.win, uintptr(unsafe.Pointer(dl.CString(title))))
}

// ShowCursor shows or hides the mouse pointer.
func (w *Window) ShowCursor(on bool) {
	var v uintptr
	if on {
		v = 1
	}
	dl.Call(w.s.fn.showCursor, v)
}

// ErrNotSoftware is returned when a software surface is asked of a Vulkan window.
var ErrNotSoftware = errors.New("sdl: not a software window: open it with Kind Software")

// Surface is the picture of a software window.
// Shape: Height rows of Stride bytes, 4 bytes a pixel in the order of Format.
// Ownership: borrowed; valid until the next resize event is polled, or Close.
type Surface struct {
	Pixels        []byte
	Width, Height int
	Stride        int
	// Format is BGRA or RGBA (the fourth byte is ignored), FormatUnknown for what media
	// has no name for; then FormatName says SDL's.
	Format     media.PixelFormat
	FormatName string
}

// Offsets in SDL_Surface and SDL_PixelFormat, 64-bit.
const (
	surfaceFormat, surfaceW, surfaceH, surfacePitch, surfacePixels = 8, 16, 20, 24, 32
)

// SDL_PixelFormatEnum values of packed 32-bit formats, little endian.
const (
	pixelXRGB8888 = 0x16161804
	pixelARGB8888 = 0x16362004
	pixelXBGR8888 = 0x16561804
	pixelABGR8888 = 0x16762004
)

// Surface returns the window's picture. Ask again after every resize.
func (w *Window) Surface() (Surface, error) {
	if w.kind != Software {
		return Surface{}, ErrNotSoftware
	}
	if unsafe.Sizeof(uintptr(0)) != 8 {
		return Surface{}, fmt.Errorf("sdl: software windows on 32-bit systems: %w", media.ErrNotSupported)
	}
	p := w.c.Call(w.s.fn.getWindowSurface, w.win)
	if p == 0 {
		return Surface{}, w.s.failed("get the window's surface", "")
	}
	v := Surface{
		Width:  int(dl.Load[int32](p, surfaceW)),
		Height: int(dl.Load[int32](p, surfaceH)),
		Stride: int(dl.Load[int32](p, surfacePitch)),
	}
	switch f := dl.Load[uint32](dl.Load[uintptr](p, surfaceFormat), 0); f {
	case pixelXRGB8888, pixelARGB8888:
		v.Format = media.BGRA
	case pixelXBGR8888, pixelABGR8888:
		v.Format = media.RGBA
	default:
		v.FormatName = dl.GoString(dl.Call(w.s.fn.getPixelFormatName, uintptr(f)))
	}
	if px := dl.Load[uintptr](p, surfacePixels); px != 0 {
		v.Pixels = unsafe.Slice((*byte)(dl.Pointer(px)), v.Stride*v.Height)
	}
	return v, nil
}

// UpdateSurface shows what was written into the rectangle of the surface; a rectangle
// without a size means all of it.
// Errors: media.ErrOutOfDate when the window was resized since Surface was called.
func (w *Window) UpdateSurface(x, y, width, height int) error {
	if w.kind != Software {
		return ErrNotSoftware
	}
	var r uintptr
	if width <= 0 || height <= 0 {
		r = w.c.Call(w.s.fn.updateWindowSurface, w.win)
	} else {
		w.rect = [4]int32{int32(x), int32(y), int32(width), int32(height)}
		r = w.c.Call(w.s.fn.updateWindowSurfaceRects, w.win, dl.Addr(&w.rect[0]), 1)
	}
	if int32(r) != 0 {
		// SDL's only failure with a living window is a surface that a resize made invalid.
		return media.ErrOutOfDate
	}
	return nil
}
