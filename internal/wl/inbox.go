//go:build linux || freebsd || netbsd || openbsd || dragonfly

package wl

// inboxSize is how many events one dispatch can leave. A frame causes two, and one more
// for each of the toolkit's displays that it touches.
const inboxSize = 128

// inbox is where the dispatcher puts events. The assembly knows this layout.
type inbox struct {
	n      uint32
	lost   uint32 // events that found no place
	_      uint64
	events [inboxSize]event
}

// event is an event as it came. Strings and arrays in it are gone by the time that
// anybody looks; the events that go through here have none.
type event struct {
	target uintptr
	opcode uint64
	args   [7]uint64
}
