package soft

import "github.com/scanout-av/scanout/internal/sdl"

// OpenWindow opens a window with SDL 2 and draws into its memory; cfg.Width and
// cfg.Height are its size, 1280×720 when not given, and cfg.Fit makes it smaller.
// Ownership: Close closes the window, too.
// Concurrency: one goroutine, locked to its thread; on macOS the main thread.
// Errors: media.ErrNotSupported when SDL or a display is missing.
func OpenWindow(cfg Config, title string, fullscreen bool) (*Window, error) {
	lib, err := sdl.Load()
	if err != nil {
		return nil, err
	}
	cfg.Window, err = lib.OpenWindow(sdl.WindowConfig{Title: title, Width: cfg.Width, Height: cfg.Height, Fit: cfg.Fit, Kind: sdl.Software, Fullscreen: fullscreen})
	if err != nil {
		return nil, err
	}
	return NewWindow(cfg)
}
