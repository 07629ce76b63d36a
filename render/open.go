package render

import (
	"errors"
	"fmt"

	"github.com/scanout-av/scanout/internal/sdl"
	"github.com/scanout-av/scanout/media"
)

// OpenWindow opens a window with SDL 2 and draws to it; cfg.Width and cfg.Height are its
// size, 1280×720 when not given, and cfg.Fit makes it smaller.
// Ownership: Close closes the window, too.
// Concurrency: one goroutine, locked to its thread; on macOS the main thread.
// Errors: media.ErrNotSupported when SDL, a display or a usable Vulkan device is missing.
func OpenWindow(cfg Config, title string, fullscreen bool) (*Window, error) {
	lib, err := sdl.Load()
	if err != nil {
		return nil, err
	}
	native, err := lib.OpenWindow(sdl.WindowConfig{Title: title, Width: cfg.Width, Height: cfg.Height, Fit: cfg.Fit, Kind: sdl.Vulkan, Fullscreen: fullscreen})
	if err != nil {
		return nil, err
	}
	w, err := NewWindow(cfg, native)
	if err != nil {
		return nil, errors.Join(err, native.Close())
	}
	return w, nil
}

// SetFullscreen makes the window cover the screen, or not.
// Errors: media.ErrNotSupported when the native window cannot.
func (w *Window) SetFullscreen(on bool) error {
	f, ok := w.native.(interface{ SetFullscreen(bool) error })
	if !ok {
		return fmt.Errorf("render: this window has no fullscreen: %w", media.ErrNotSupported)
	}
	return f.SetFullscreen(on)
}
