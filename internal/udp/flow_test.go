package udp

import (
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

// TestFlow plays packet arrivals to the judge, with a receiver that takes 60 µs to wake up.
func TestFlow(t *testing.T) {
	const us = media.Instant(time.Microsecond)
	for _, tt := range []struct {
		name    string
		arrival func(i int) media.Instant
		n       int
		gather  time.Duration
		// Wake-ups are counted over all packets: the least and the most that are right.
		least, most int
	}{
		{"20,000 a second", func(i int) media.Instant { return media.Instant(i) * 50 * us }, 2000, time.Millisecond, 90, 130},
		{"5,000 a second", func(i int) media.Instant { return media.Instant(i) * 200 * us }, 1000, time.Millisecond, 180, 260},
		{"1,000 a second: no gain, no delay", func(i int) media.Instant { return media.Instant(i) * 1000 * us }, 500, time.Millisecond, 499, 501},
		// 60 frames of 16 packets, sent within 32 µs: one wake-up each is enough.
		{"frames of 16", func(i int) media.Instant { return media.Instant(i/16)*16667*us + media.Instant(i%16)*2*us }, 960, time.Millisecond, 60, 70},
		// Sent within 3 ms each: the first packet, then a few times a millisecond.
		{"frames of 300 in 3 ms", func(i int) media.Instant { return media.Instant(i/300)*16667*us + media.Instant(i%300)*10*us }, 3000, time.Millisecond, 30, 70},
		{"the same, gathering for 100 µs", func(i int) media.Instant { return media.Instant(i/300)*16667*us + media.Instant(i%300)*10*us }, 3000, 100 * time.Microsecond, 100, 320},
	} {
		var f flow
		wakes, next := 0, 0
		now := media.Instant(0)
		for next < tt.n {
			if f.last != 0 && f.gathers(now, tt.gather) {
				now = now.Add(tt.gather + 60*time.Microsecond)
				wakes++
			}
			if at := 1000*us + tt.arrival(next); at > now { // sleeps until it comes
				now = at + 60*us
				wakes++
			}
			n := 0
			for next < tt.n && 1000*us+tt.arrival(next) <= now && n < 64 {
				next++
				n++
			}
			f.took(n, 1000*us+tt.arrival(next-1))
			now += media.Instant(n) * us
		}
		if wakes < tt.least || wakes > tt.most {
			t.Errorf("%s: %d wake-ups for %d packets, want %d to %d", tt.name, wakes, tt.n, tt.least, tt.most)
		}
	}
}
