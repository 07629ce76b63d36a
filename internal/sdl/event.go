package sdl

import (
	"encoding/binary"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/media"
)

// SDL_EventType and SDL_WindowEventID.
const (
	eventQuit    = 0x100
	eventWindow  = 0x200
	eventKeyDown = 0x300

	windowEventShown       = 1
	windowEventHidden      = 2
	windowEventExposed     = 3
	windowEventSizeChanged = 6
	windowEventMinimized   = 7
	windowEventRestored    = 9
)

// SDL_Keymod.
const (
	modShift = 0x0003
	modCtrl  = 0x00c0
)

// scancodeMask marks key codes that are scan codes rather than characters.
const scancodeMask = 1 << 30

// PollEvent pops the next event of the window into e; false when there is none. It
// allocates nothing.
func (w *Window) PollEvent(e *media.Event) bool {
	for int32(w.c.Call(w.s.fn.pollEvent, dl.Addr(&w.event[0]))) != 0 {
		if w.translate(e) {
			return true
		}
	}
	return false
}

// EventFD returns the file descriptor that has something to read when there may be events,
// -1 where the window system has none. What was read meanwhile by others than PollEvent (a
// driver waiting for an answer) is in memory, and the descriptor does not tell: who sleeps on
// it polls right before and again after a while.
// Ownership: the window system's; valid while the window is open.
func (w *Window) EventFD() int {
	n := w.Native()
	switch n.System {
	case SystemX11:
		if x, _ := w.xlib(); x != nil {
			return int(int32(dl.Call(x.connectionNumber, x.display)))
		}
	case SystemWayland:
		if so, err := dl.Open("libwayland-client.so.0"); err == nil {
			var getFD uintptr
			if so.Resolve(map[string]*uintptr{"wl_display_get_fd": &getFD}) == nil {
				return int(int32(dl.Call(getFD, n.Display)))
			}
		}
	}
	return -1
}

// translate turns the SDL_Event in w.event into e; false when media has no name for it.
func (w *Window) translate(e *media.Event) bool {
	le, b := binary.LittleEndian, &w.event
	*e = media.Event{}
	switch le.Uint32(b[0:]) {
	case eventQuit:
		e.Kind = media.EventQuit
	case eventWindow:
		if le.Uint32(b[8:]) != w.id {
			return false
		}
		switch b[12] {
		case windowEventSizeChanged:
			// The event carries screen units; what is drawn into is counted in pixels.
			e.Kind = media.EventResize
			e.Width, e.Height = w.DrawableSize()
		case windowEventExposed:
			e.Kind = media.EventExpose
		case windowEventShown, windowEventRestored:
			e.Kind = media.EventShown
		case windowEventHidden, windowEventMinimized:
			e.Kind = media.EventHidden
		default:
			// A close request is followed by eventQuit, as this is the only window.
			return false
		}
	case eventKeyDown:
		mod := le.Uint16(b[24:])
		e.Kind = media.EventKey
		e.Key = key(int32(le.Uint32(b[20:])))
		e.Shift, e.Ctrl = mod&modShift != 0, mod&modCtrl != 0
		return e.Key != 0
	default:
		return false
	}
	return true
}

// key translates an SDL_Keycode, 0 for keys that media does not know.
func key(sym int32) media.Key {
	switch sym {
	case 27:
		return media.KeyEscape
	case 13, scancodeMask | 88:
		return media.KeyEnter
	case 9:
		return media.KeyTab
	case 8:
		return media.KeyBackspace
	case scancodeMask | 80:
		return media.KeyLeft
	case scancodeMask | 79:
		return media.KeyRight
	case scancodeMask | 82:
		return media.KeyUp
	case scancodeMask | 81:
		return media.KeyDown
	case scancodeMask | 75:
		return media.KeyPageUp
	case scancodeMask | 78:
		return media.KeyPageDown
	case scancodeMask | 74:
		return media.KeyHome
	case scancodeMask | 77:
		return media.KeyEnd
	case scancodeMask | 84: // keypad
		return '/'
	case scancodeMask | 85:
		return '*'
	case scancodeMask | 86:
		return '-'
	case scancodeMask | 87:
		return '+'
	case scancodeMask | 98:
		return '0'
	case scancodeMask | 99:
		return '.'
	}
	if sym >= scancodeMask|89 && sym <= scancodeMask|97 { // keypad 1 to 9
		return media.Key('1' + sym - (scancodeMask | 89))
	}
	if sym >= ' ' && sym != 127 && sym&scancodeMask == 0 {
		return media.Key(sym)
	}
	return 0
}
