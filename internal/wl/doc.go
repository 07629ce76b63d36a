// Package wl asks a Wayland compositor when what a window commits is shown: the
// presentation-time protocol, and the frame callback that says that a commit has been
// taken up. It works beside whatever toolkit owns the connection, on an event queue of
// its own, and for every way to draw: what it asks for belongs to the next commit of the
// surface, whoever makes it. It decides nothing.
//
// Ownership: the connection and the surface are the toolkit's; Close before they go.
// Concurrency: the goroutine that draws, locked to its thread.
// Units: stamps are ns of CLOCK_MONOTONIC, to which those of another clock are brought.
// Errors: media.ErrNotSupported where there is no libwayland or no presentation-time;
// media.ErrDeviceLost when the compositor went away.
//
// Nothing is allocated for a frame on amd64 and arm64: a dispatcher in assembly writes
// events into memory that is looked at afterwards. Elsewhere they come through a callback
// of Go's.
//
// Source: wayland.xml (core), presentation-time.xml (stable), wayland-client-core.h 1.20.
package wl
