package media

import "time"

// EventKind is what happened to a window.
type EventKind uint8

// Window events.
const (
	EventNone   EventKind = iota
	EventQuit             // the window was closed
	EventKey              // Key was pressed
	EventResize           // Width×Height is the new drawable size, in pixels
	EventExpose           // the picture must be drawn again
	EventHidden           // nothing of the window is visible
	EventShown
)

// Event is something that happened to a window.
type Event struct {
	Kind EventKind
	// Key is a printable character in lower case, or one of the Key constants.
	Key           Key
	Shift, Ctrl   bool
	Width, Height int
}

// Key is a key of the keyboard: a printable character or one of the constants.
type Key rune

// Keys without a character.
const (
	KeyLeft Key = -1 - iota
	KeyRight
	KeyUp
	KeyDown
	KeyEscape
	KeyEnter
	KeyTab
	KeyBackspace
	KeyPageUp
	KeyPageDown
	KeyHome
	KeyEnd
)

// Display describes where a sink's pictures appear.
type Display struct {
	Width, Height int           // drawable size in pixels
	Refresh       time.Duration // nominal refresh interval, 0 when there is none or it is not known
	Source        PresentSource // where its presentation stamps come from
	// Throttled says that Begin waits for the display; otherwise the caller paces.
	Throttled bool
	// Last is a recent refresh, 0 when not known.
	Last Instant
	// Mode is how frames take turns, PresentModeAuto where there is nothing to choose.
	Mode PresentMode
	// Depth is how many frames may wait for the display, and Raised how often it had to be
	// raised because frames came late.
	Depth, Raised int
	// Slowest is the longest refresh interval of a display whose rate varies (VRR), 0 for a
	// fixed rate. Refresh is the shortest then.
	Slowest time.Duration
}

// Variable reports whether the display's refresh follows the pictures.
func (d *Display) Variable() bool { return d.Refresh > 0 && d.Slowest > d.Refresh }
