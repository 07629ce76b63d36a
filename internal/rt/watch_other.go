//go:build !linux

package rt

import (
	"fmt"

	"github.com/scanout-av/scanout/media"
)

// Watch is another way for the goroutine of a [Waiter] to sleep: until somebody wakes it, or
// a file has something to read.
type Watch struct{}

// Watch watches a file.
// Errors: media.ErrNotSupported.
func (w *Waiter) Watch(int) (*Watch, error) {
	return nil, fmt.Errorf("rt: watch a file: %w", media.ErrNotSupported)
}

// Close ends the watch.
func (x *Watch) Close() {}

// Wait is not called: there is no Watch.
func (x *Watch) Wait(media.Instant) (woken, readable bool) { return false, false }
