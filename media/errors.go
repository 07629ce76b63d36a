package media

import "errors"

var (
	// ErrAgain says that nothing is ready now: feed more input, or come back later.
	ErrAgain = errors.New("media: nothing ready")
	// ErrNotSupported says that this machine or this build cannot do what was asked.
	// The text around it says what is missing and how to get it.
	ErrNotSupported = errors.New("not supported")
	// ErrFormatChanged is returned by a sink that must be reconfigured for a frame of
	// another size or format.
	ErrFormatChanged = errors.New("media: format changed")
	// ErrStreamChanged is returned by a source once when it goes on with other parameters,
	// after a new connection: its Info has changed, and decoders must be opened again.
	ErrStreamChanged = errors.New("media: stream changed")
	// ErrDeviceLost says that the GPU or the audio device went away. Whoever owns the
	// sink rebuilds it.
	ErrDeviceLost = errors.New("device lost")
	// ErrOutOfDate says that the swapchain no longer fits the window: resize, retry.
	ErrOutOfDate = errors.New("swapchain out of date")
)
