//go:build !linux && !freebsd && !netbsd && !openbsd && !dragonfly

package x11

import (
	"fmt"
	"runtime"
	"time"

	"github.com/scanout-av/scanout/media"
)

// Feedback watches what one window shows.
type Feedback struct{}

// DisplayName reports that there is no X server here.
func DisplayName(uintptr) (string, error) {
	return "", fmt.Errorf("x11: %w on %s", media.ErrNotSupported, runtime.GOOS)
}

// Watch reports that there is no X server here.
func Watch(string, uintptr, bool, func() media.Instant) (*Feedback, error) {
	return nil, fmt.Errorf("x11: %w on %s", media.ErrNotSupported, runtime.GOOS)
}

// Request asks about the picture that is about to be handed over.
func (f *Feedback) Request(*media.Presented) {}

// Committed says that the picture of the newest Request was copied into the window.
func (f *Feedback) Committed() {}

// Withdraw takes back the newest Request.
func (f *Feedback) Withdraw() {}

// Queued returns how many pictures the display has not shown.
func (f *Feedback) Queued() int { return 0 }

// Wait waits until the display has yet to show at most n pictures.
func (f *Feedback) Wait(int, media.Instant) error { return nil }

// Next pops what became of the oldest picture.
func (f *Feedback) Next(*media.Presented) bool { return false }

// Refresh returns the display's interval.
func (f *Feedback) Refresh() time.Duration { return 0 }

// Source says where stamps come from.
func (f *Feedback) Source() media.PresentSource { return media.PresentUnknown }

// Close ends it.
func (f *Feedback) Close() {}
