package sdl

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/media"
)

// Library is SDL, opened. It stays open for the life of the process.
type Library struct {
	lib *dl.Library
	fn  functions
}

// functions are the addresses of what is called.
type functions struct {
	getError, clearError, setHint, setenv, getVersion,
	initSubSystem, quitSubSystem,
	getCurrentVideoDriver, disableScreenSaver, enableScreenSaver,
	createWindow, destroyWindow, setWindowTitle, setWindowFullscreen, getWindowFlags,
	setWindowSize, setWindowPosition, getWindowPosition, getWindowBordersSize,
	getDisplayBounds, getDisplayUsableBounds,
	getWindowSize, getWindowWMInfo, getWindowID, getWindowDisplayIndex, getCurrentDisplayMode,
	showCursor, pollEvent, pumpEvents,
	vulkanGetInstanceExtensions, vulkanCreateSurface, vulkanGetDrawableSize,
	getWindowSurface, updateWindowSurface, updateWindowSurfaceRects, getPixelFormatName,
	openAudioDevice, closeAudioDevice, pauseAudioDevice, queueAudio,
	getQueuedAudioSize, clearQueuedAudio, getAudioDeviceStatus, getCurrentAudioDriver uintptr
}

// Load opens SDL 2.
// Errors: media.ErrNotSupported when it is not installed.
func Load() (*Library, error) {
	var names []string
	switch runtime.GOOS {
	case "windows":
		names = []string{"SDL2.dll"}
	case "darwin":
		names = []string{"libSDL2-2.0.0.dylib", "/opt/homebrew/lib/libSDL2-2.0.0.dylib", "/usr/local/lib/libSDL2-2.0.0.dylib"}
	default:
		names = []string{"libSDL2-2.0.so.0"}
	}
	l, err := dl.Open(names...)
	if err != nil {
		return nil, fmt.Errorf("sdl: SDL 2 is %w here: install it (Debian: apt install libsdl2-2.0-0): %w", media.ErrNotSupported, err)
	}
	s := &Library{lib: l}
	f := &s.fn
	err = l.Resolve(map[string]*uintptr{
		"SDL_GetError":                     &f.getError,
		"SDL_ClearError":                   &f.clearError,
		"SDL_SetHint":                      &f.setHint,
		"SDL_setenv":                       &f.setenv,
		"SDL_GetVersion":                   &f.getVersion,
		"SDL_InitSubSystem":                &f.initSubSystem,
		"SDL_QuitSubSystem":                &f.quitSubSystem,
		"SDL_GetCurrentVideoDriver":        &f.getCurrentVideoDriver,
		"SDL_DisableScreenSaver":           &f.disableScreenSaver,
		"SDL_EnableScreenSaver":            &f.enableScreenSaver,
		"SDL_CreateWindow":                 &f.createWindow,
		"SDL_DestroyWindow":                &f.destroyWindow,
		"SDL_SetWindowTitle":               &f.setWindowTitle,
		"SDL_SetWindowFullscreen":          &f.setWindowFullscreen,
		"SDL_GetWindowFlags":               &f.getWindowFlags,
		"SDL_GetWindowSize":                &f.getWindowSize,
		"SDL_SetWindowSize":                &f.setWindowSize,
		"SDL_SetWindowPosition":            &f.setWindowPosition,
		"SDL_GetWindowPosition":            &f.getWindowPosition,
		"SDL_GetWindowBordersSize":         &f.getWindowBordersSize,
		"SDL_GetDisplayBounds":             &f.getDisplayBounds,
		"SDL_GetDisplayUsableBounds":       &f.getDisplayUsableBounds,
		"SDL_GetWindowWMInfo":              &f.getWindowWMInfo,
		"SDL_GetWindowID":                  &f.getWindowID,
		"SDL_GetWindowDisplayIndex":        &f.getWindowDisplayIndex,
		"SDL_GetCurrentDisplayMode":        &f.getCurrentDisplayMode,
		"SDL_ShowCursor":                   &f.showCursor,
		"SDL_PollEvent":                    &f.pollEvent,
		"SDL_PumpEvents":                   &f.pumpEvents,
		"SDL_Vulkan_GetInstanceExtensions": &f.vulkanGetInstanceExtensions,
		"SDL_Vulkan_CreateSurface":         &f.vulkanCreateSurface,
		"SDL_Vulkan_GetDrawableSize":       &f.vulkanGetDrawableSize,
		"SDL_GetWindowSurface":             &f.getWindowSurface,
		"SDL_UpdateWindowSurface":          &f.updateWindowSurface,
		"SDL_UpdateWindowSurfaceRects":     &f.updateWindowSurfaceRects,
		"SDL_GetPixelFormatName":           &f.getPixelFormatName,
		"SDL_OpenAudioDevice":              &f.openAudioDevice,
		"SDL_CloseAudioDevice":             &f.closeAudioDevice,
		"SDL_PauseAudioDevice":             &f.pauseAudioDevice,
		"SDL_QueueAudio":                   &f.queueAudio,
		"SDL_GetQueuedAudioSize":           &f.getQueuedAudioSize,
		"SDL_ClearQueuedAudio":             &f.clearQueuedAudio,
		"SDL_GetAudioDeviceStatus":         &f.getAudioDeviceStatus,
		"SDL_GetCurrentAudioDriver":        &f.getCurrentAudioDriver,
	})
	if err != nil {
		return nil, fmt.Errorf("sdl: this SDL is too old, 2.0.14 or newer is needed: %w", err)
	}
	// Ctrl-C and termination belong to the program, not to SDL.
	s.Hint("SDL_NO_SIGNAL_HANDLERS", "1")
	return s, nil
}

// Version returns SDL's version, such as "2.26.5".
func (s *Library) Version() string {
	v := new([3]byte)
	dl.Call(s.fn.getVersion, uintptr(unsafe.Pointer(v)))
	return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2])
}

// Name returns the name under which the library was found.
func (s *Library) Name() string { return s.lib.Name }

// Hint sets one of SDL's hints.
func (s *Library) Hint(name, value string) {
	dl.Call(s.fn.setHint, uintptr(unsafe.Pointer(dl.CString(name))), uintptr(unsafe.Pointer(dl.CString(value))))
}

// Setenv sets a variable of the C library's environment, which SDL reads and os.Setenv
// does not reach without cgo. Tests use it to choose a display or an audio server.
// Concurrency: with no SDL window or device open.
func (s *Library) Setenv(name, value string) {
	dl.Call(s.fn.setenv, uintptr(unsafe.Pointer(dl.CString(name))), uintptr(unsafe.Pointer(dl.CString(value))), 1)
}

// Subsystems of SDL_Init.
const (
	initAudio = 0x10
	initVideo = 0x20
)

// reason returns SDL's last error of this thread.
func (s *Library) reason() string { return dl.GoString(dl.Call(s.fn.getError)) }

// failed turns SDL's last error of this thread into an error; advice may be empty.
func (s *Library) failed(what, advice string) error {
	if advice != "" {
		advice = ": " + advice
	}
	return fmt.Errorf("sdl: %s: %s%s", what, s.reason(), advice)
}
