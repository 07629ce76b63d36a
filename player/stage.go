package player

import (
	"time"

	"github.com/scanout-av/scanout/media"
)

// The stages that a player wires together. They never import each other; what they
// exchange are values of package media.

// Source yields coded data.
// Concurrency: one goroutine, but Interrupt may be called from any.
type Source interface {
	// Info describes the source as it is now; what it points to does not change.
	Info() *media.Info
	// Select says which streams Read shall return; the others are discarded early.
	Select(streams ...int)
	// Read fills au with the next access unit. It blocks until there is one.
	// Ownership: au belongs to the caller, who releases it.
	// Errors: io.EOF at the end, os.ErrClosed after Interrupt, media.ErrStreamChanged once
	// when it goes on with what Info says by then.
	Read(au *media.AccessUnit) error
	// Seek moves to the last keyframe at or before t. The caller bumps its serial.
	Seek(t time.Duration) error
	// Interrupt makes a blocked or later Read or Seek return os.ErrClosed soon.
	Interrupt()
	Close() error
}

// deliverer is a live source that hands units on itself, as an rtp.Source does; Read
// then waits for its end.
type deliverer interface {
	Deliver(f func(*media.AccessUnit) bool)
}

// RawSource yields pictures and sound that need no decoder.
// Concurrency: ReadFrame on one goroutine, ReadAudio on another; Seek with both at rest.
type RawSource interface {
	Info() *media.Info
	// ReadFrame returns the next picture, which the caller owns. It blocks for a free
	// slot of the pool.
	// Errors: io.EOF at the end, os.ErrClosed after Interrupt.
	ReadFrame() (*media.Frame, error)
	// ReadAudio fills b with the next block, borrowed until the next call.
	ReadAudio(b *media.AudioBlock) error
	Seek(t time.Duration) error
	Interrupt()
	Close() error
}

// VideoDecoder turns access units into frames.
// Concurrency: one goroutine; frames may be released from any, also after Close.
type VideoDecoder interface {
	// Send decodes au; nil drains the decoder.
	// Ownership: takes au, except when it returns media.ErrAgain: then Receive first and
	// send the same unit again.
	// Errors: media.ErrAgain; anything else is one damaged unit, and decoding goes on.
	Send(au *media.AccessUnit) error
	// Receive returns the next frame in output order.
	// Errors: media.ErrAgain when more input is needed, io.EOF when drained.
	Receive() (*media.Frame, error)
	// Flush forgets everything, after a seek. Frames carry serial from now on.
	Flush(serial uint32)
	Close() error
}

// AudioDecoder turns access units into float samples of the sink's rate and channels.
// Concurrency: one goroutine.
type AudioDecoder interface {
	Send(au *media.AccessUnit) error
	// Receive fills b; the samples are borrowed until the next call.
	Receive(b *media.AudioBlock) error
	Flush(serial uint32)
	Close() error
}

// VideoSink shows frames.
// Concurrency: one goroutine, locked to its thread where there is a window; Close may come
// from there only.
type VideoSink interface {
	// Name says what renders where, for reports.
	Name() string
	Display() media.Display
	// Begin waits until the sink can take a frame, at most until deadline (0: for ever).
	// Choosing the frame after Begin is what keeps latency low.
	// Errors: media.ErrAgain at the deadline; media.ErrDeviceLost.
	Begin(deadline media.Instant) error
	// Present queues s for display and returns once the GPU work is submitted.
	// Ownership: takes s.Frame, even on error.
	// Errors: media.ErrDeviceLost; media.ErrOutOfDate (call again).
	Present(s *media.Scheduled) error
	// Feedback pops what is known about the oldest presented frame; false when nothing
	// new is known.
	Feedback(p *media.Presented) bool
	// Poll pops a window event; false when there is none.
	Poll(e *media.Event) bool
	Close() error
}

// AudioSink plays float samples.
// Concurrency: Write and Flush on one goroutine; everything else from any.
type AudioSink interface {
	Name() string
	Rate() int
	Channels() int
	// Write queues interleaved samples and returns how many it took, a multiple of
	// Channels; it never blocks.
	Write(samples []float32) (int, error)
	// Room is how many samples (not per channel) Write would take now.
	Room() int
	// Position says how much of what was written since the last Flush had been heard at
	// an instant. ok is false until sound is known to come out.
	Position() (heard time.Duration, at media.Instant, ok bool)
	// Buffered is how much has been written and not been heard.
	Buffered() time.Duration
	Pause(paused bool)
	SetVolume(v float64)
	// Flush drops what has not been heard.
	Flush()
	// Underruns counts the times that the device ran dry.
	Underruns() int64
	// Err returns why sound stopped although the clock goes on: its device was lost. Nil
	// while there is sound.
	Err() error
	Close() error
}
