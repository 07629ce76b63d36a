package player

import (
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

// TestEarliest: pictures that are sent before their turn keep the rhythm of their timestamps and
// are never older than each may be by itself; a way that becomes longer is followed within two
// stretches.
func TestEarliest(t *testing.T) {
	const frame = 40 * time.Millisecond
	for name, order := range map[string][]int{"in order": {0}, "one B picture": {1, 0}, "a pyramid": {2, 1, 3, 0}} {
		t.Run(name, func(t *testing.T) {
			// Of a group, the picture that is shown last is sent first.
			n := len(order)
			received := func(i int) media.Instant {
				return media.Instant(time.Hour).Add(time.Duration(i/n*n+order[i%n]) * frame)
			}
			var e earliest
			var before media.Instant
			for i := range 200 {
				got := e.observe(received(i), time.Duration(i)*frame)
				if got > received(i) {
					t.Fatalf("picture %d: as if received %v later than it was", i, got.Sub(received(i)))
				}
				if i >= n && got.Sub(before) != frame {
					t.Fatalf("picture %d: %v behind the one before", i, got.Sub(before))
				}
				before = got
			}
			const longer = 30 * time.Millisecond
			last := 200 + int(2*earlyStretch/frame) + 2*n
			var got media.Instant
			for i := 200; i < last; i++ {
				got = e.observe(received(i).Add(longer), time.Duration(i)*frame)
			}
			if d := got.Sub(before) - time.Duration(last-200)*frame; d != longer {
				t.Errorf("a way that is %v longer: %v", longer, d)
			}
		})
	}
}
