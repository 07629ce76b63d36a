// Package x11 asks an X server when what a window shows is on the screen, by the Present
// extension. It works beside whatever toolkit and driver draw, on a connection of its own:
// the server tells everybody who asks about a window. It decides nothing.
//
// Two ways to draw are watched. A Vulkan driver presents pixmaps, and the server says of
// each when it was shown, or that a newer one took its place. A program that copies into
// the window shows its picture at the next refresh: that refresh is asked for after each
// copy. Both come with the display's own count of its refreshes.
//
// Ownership: the connection is this package's own, the window is the toolkit's.
// Concurrency: the goroutine that draws.
// Units: stamps are ns of CLOCK_MONOTONIC, which the server gives in µs.
// Errors: media.ErrNotSupported where there is no X server on this machine, or one without
// Present; media.ErrDeviceLost when the server went away.
//
// Nothing is allocated for a frame.
//
// Source: X11 protocol (X.V11R6), presentproto.txt 1.2, Xsecurity(7), Xau's auth.5.
package x11
