package media

import (
	"fmt"
	"strings"
	"time"
)

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
	PresentCallback                // Wayland frame callback: when the compositor took it up, estimated
	PresentFence                   // GPU fence or acquire time: estimated
	PresentSimulated               // the offscreen output's simulated vblank
	PresentImmediate               // no display: the moment the frame was written
)

// Estimated reports whether stamps of this source are guesses: when the screen was due to
// change and not when it did.
func (p PresentSource) Estimated() bool {
	return p == PresentUnknown || p == PresentCallback || p == PresentFence
}

func (p PresentSource) String() string {
	if p > PresentImmediate {
		p = PresentUnknown
	}
	return [...]string{"unknown", "present_timing", "present_wait", "google_display_timing", "wayland",
		"x11", "frame callback (estimated)", "fence (estimated)", "simulated vblank", "immediate"}[p]
}

// DropReason says why a frame was decoded and not shown. Each frame that goes unseen has
// one, so that what the pacer did is not blamed on the network, or the other way round.
type DropReason uint8

// Reasons.
const (
	DropNone     DropReason = iota
	DropLate                // its time had passed, and the one behind it was due
	DropOutpaced            // the display is slower than the source: the next frame has its refresh
	DropLive                // jump to live: frames behind it were too old, or fresher ones were there
	DropStale               // of before a seek
	DropHidden              // nothing of the window is visible
	DropOverflow            // no room for it
	DropSkipped             // on the way to an exact seek target
	DropLost                // its units were lost or damaged on the way here: not the pacer's doing
	DropUnneeded            // not decoded, because decoding was behind and no picture refers to it
	NumDropReasons
)

func (r DropReason) String() string {
	if r >= NumDropReasons {
		r = DropNone
	}
	return [...]string{"none", "late", "outpaced", "jump-to-live", "stale", "hidden", "overflow", "skipped", "lost", "unneeded"}[r]
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
	// Discarded says that the display never showed the frame: a newer one replaced it, or
	// the window was hidden. Actual is 0 then.
	Discarded bool
	// Sequence is the display's own count of its refreshes at Actual, 0 when it does not
	// count: a gap is a refresh that it made without us.
	Sequence uint64
	Flags    PresentFlags
}

// PresentFlags says how good a stamp is, where the source tells.
type PresentFlags uint8

// Flags of presentation-time, which other sources set where they mean the same.
const (
	PresentVsync              PresentFlags = 1 << iota // shown at a refresh, without tearing
	PresentHardwareClock                               // stamped by the display's hardware
	PresentHardwareCompletion                          // the hardware said that it was shown
	PresentZeroCopy                                    // the display reads our image itself
)

func (f PresentFlags) String() string {
	if f == 0 {
		return "none"
	}
	s := ""
	for i, n := range [...]string{"vsync", "hardware clock", "hardware completion", "zero copy"} {
		if f&(1<<i) == 0 {
			continue
		}
		if s != "" {
			s += ", "
		}
		s += n
	}
	return s
}

// PresentMode says how frames take turns on a display.
type PresentMode uint8

// Presentation modes.
const (
	// PresentModeAuto is PresentModeFIFO, and PresentModeLatest where that is offered and frames come
	// faster than the display shows them.
	PresentModeAuto PresentMode = iota
	// PresentModeFIFO shows every frame, each at a refresh, in turn.
	PresentModeFIFO
	// PresentModeLatest shows the newest frame that is ready at a refresh and drops older ones:
	// it never tears and never queues up.
	PresentModeLatest
	// PresentModeMailbox has one place for a frame that waits, and a newer one takes it.
	PresentModeMailbox
	// PresentModeImmediate shows a frame at once, in the middle of a refresh.
	PresentModeImmediate
	numPresentModes
)

var presentModeNames = [numPresentModes]string{"auto", "fifo", "latest", "mailbox", "immediate"}

func (m PresentMode) String() string { return presentModeNames[min(m, numPresentModes-1)] }

// ParsePresentMode finds a mode by its name; "" is PresentModeAuto.
func ParsePresentMode(name string) (PresentMode, error) {
	if name == "" {
		return PresentModeAuto, nil
	}
	for i, n := range presentModeNames {
		if n == name {
			return PresentMode(i), nil
		}
	}
	return 0, fmt.Errorf("%q is not a present mode: choose from %s", name, strings.Join(presentModeNames[:], ", "))
}

// MissedRefreshes counts the refreshes between the one nearest to target and actual; 0 when one of
// the three is not known.
func MissedRefreshes(target, actual Instant, refresh time.Duration) int {
	if target == 0 || actual == 0 || refresh <= 0 {
		return 0
	}
	return max(0, int((actual.Sub(target)+refresh/2)/refresh))
}
