// Package uring speaks io_uring as far as receiving datagrams needs it: a ring, buffers
// provided to the kernel through shared memory, multishot receives, and waits for so many
// completions or so much time. It binds and decides nothing.
//
// A multishot receive is armed once and completes for every datagram, each in a buffer of
// its own that the kernel takes from the [Buffers]. Files are not registered: that saves
// a look-up a request, and there is one request.
//
// Concurrency: the thread that calls [Ring.Enable] is the only one that may call anything
// but Close afterwards (IORING_SETUP_SINGLE_ISSUER): its goroutine must be locked to it.
// In return the kernel does the work of completions when that thread asks for them and
// interrupts nobody (IORING_SETUP_DEFER_TASKRUN).
//
// Units: all times are spans; the kernel counts them on CLOCK_MONOTONIC.
//
// Errors: [Errno], which errors.Is finds as media.ErrNotSupported, media.ErrAgain,
// os.ErrClosed or the system's own error.
//
// Source: linux/io_uring.h.
package uring
