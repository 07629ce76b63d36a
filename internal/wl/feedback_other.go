//go:build !linux && !freebsd && !netbsd && !openbsd && !dragonfly

package wl

import (
	"fmt"
	"runtime"
	"time"

	"github.com/scanout-av/scanout/media"
)

// Feedback watches the commits of one surface.
type Feedback struct{}

// Watch reports that there is no Wayland here.
func Watch(display, surface uintptr, now func() media.Instant) (*Feedback, error) {
	return nil, fmt.Errorf("wl: Wayland: %w on %s", media.ErrNotSupported, runtime.GOOS)
}

// Request asks about the next commit of the surface.
func (f *Feedback) Request(*media.Presented) {}

// Withdraw takes back the newest Request.
func (f *Feedback) Withdraw() {}

// Committed does nothing.
func (f *Feedback) Committed() {}

// Queued returns how many commits the compositor has not taken up.
func (f *Feedback) Queued() int { return 0 }

// Wait waits until at most n commits have not been taken up.
func (f *Feedback) Wait(int, media.Instant) error { return nil }

// Refresh returns the interval of the display that shows the window.
func (f *Feedback) Refresh() time.Duration { return 0 }

// Source says where stamps come from.
func (f *Feedback) Source() media.PresentSource { return media.PresentUnknown }

// Next pops what became of the oldest commit.
func (f *Feedback) Next(*media.Presented) bool { return false }

// Close ends it.
func (f *Feedback) Close() {}
