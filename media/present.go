package media

import "time"

// Scheduled is a frame with the moment at which it should be on the screen.
type Scheduled struct {
	Frame *Frame
	// Target is when the frame should become visible; 0 means as soon as possible.
	Target Instant
	// Duration is how long it should stay.
	Duration time.Duration
	// Repeat says that Frame is already on screen and only has to be drawn again (after
	// a resize or while paused).
	Repeat bool
	// Number counts scheduled frames of one playback, from 1.
	Number uint64
}

// PresentSource says where a presentation stamp comes from, best first. It travels with
// every figure that is computed from such stamps.
type PresentSource uint8

// Presentation sources.
const (
	PresentUnknown   PresentSource = iota
	PresentTiming                  // VK_EXT_present_timing
	PresentWait                    // VK_KHR_present_wait: an upper bound
	PresentGoogle                  // VK_GOOGLE_display_timing
	PresentWayland                 // Wayland presentation-time
	PresentX11                     // X11 Present extension
	PresentFence                   // GPU fence or acquire time: estimated
	PresentSimulated               // the offscreen output's simulated vblank
	PresentImmediate               // no display: the moment the frame was written
)

func (p PresentSource) String() string {
	if p > PresentImmediate {
		p = PresentUnknown
	}
	return [...]string{"unknown", "present_timing", "present_wait", "google_display_timing", "wayland",
		"x11", "fence (estimated)", "simulated vblank", "immediate"}[p]
}

// Presented is what became of a scheduled frame.
type Presented struct {
	Number    uint64
	PTS       Timestamp
	Timebase  Timebase
	Serial    uint32
	Target    Instant
	Submitted Instant // the GPU work was handed over
	Actual    Instant // became visible, as far as Source can tell
	Refresh   time.Duration
	Source    PresentSource
	// Missed counts display refreshes that passed between the intended and the actual
	// one.
	Missed int
	// Copies counts CPU copies of a plane made for this frame.
	Copies int
}
