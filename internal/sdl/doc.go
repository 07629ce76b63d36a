// Package sdl opens SDL 2 at run time: a window, its events, a Vulkan surface or a
// software surface, and an audio device. It translates and decides nothing.
//
// Concurrency: every call on a [Window], opening and closing included, comes from one
// goroutine that has called runtime.LockOSThread; on macOS that must be the main thread.
// An [AudioDevice] may be used from any goroutine.
//
// Errors: carry SDL's own reason and say what to do. They wrap media.ErrNotSupported
// when SDL, a display or an audio device is missing.
//
// Source: SDL 2.26 headers (SDL_events.h, SDL_video.h, SDL_vulkan.h, SDL_audio.h); the
// layouts used here are fixed for all of SDL 2.
package sdl
