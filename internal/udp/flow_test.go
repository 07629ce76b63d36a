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

// TestPauses: streams are waited for in naps where their pauses are short, and what differs
// once changes nothing.
func TestPauses(t *testing.T) {
	const gather, ms = time.Millisecond, time.Millisecond
	for _, c := range []struct {
		name     string
		span     time.Duration
		gathered bool
		naps     bool
	}{
		{"1,000 packets/s", ms, false, true},
		{"200 packets/s", 5 * ms, false, true},
		{"60 pictures/s", 16 * ms, false, true},
		{"60 pictures/s, found empty after gathering", 15 * ms, true, true},
		{"50 packets/s", 20 * ms, false, false},
		{"25 pictures/s", 40 * ms, true, false},
		{"10 packets/s", 100 * ms, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p pauses
			p.ended(time.Hour, gather, false) // the first packet
			for range 20 {
				p.ended(c.span, gather, c.gathered)
			}
			for _, odd := range []time.Duration{ms / 10, ms, 16 * ms, time.Second} {
				p.ended(odd, gather, false)
				if got := p.limit(0) == napping; got != c.naps {
					t.Fatalf("after a pause of %v: naps %v, want %v", odd, got, c.naps)
				}
				p.ended(c.span, gather, c.gathered)
			}
		})
	}
}

// TestFlowIsNoPause: how packets come within a burst says nothing about the pause behind it.
func TestFlowIsNoPause(t *testing.T) {
	for _, votes := range []int{-3, 3} {
		p := pauses{votes: votes}
		for range 20 {
			p.ended(100*time.Microsecond, time.Millisecond, false)
			p.ended(1100*time.Microsecond, time.Millisecond, true)
		}
		if p.votes != votes {
			t.Errorf("%d votes became %d", votes, p.votes)
		}
	}
}

// TestNapsEnd: when nothing comes any more, the processor is handed on, and no wait is made
// longer.
func TestNapsEnd(t *testing.T) {
	p := pauses{votes: 1}
	for _, left := range []time.Duration{1, 3 * time.Millisecond, napping} {
		if got := p.limit(left); got != left {
			t.Errorf("to wait for %v became %v", left, got)
		}
	}
	naps := 0
	for p.limit(time.Second) == napping {
		if naps++; naps > mostNaps {
			t.Fatal("naps do not end")
		}
	}
	if naps != mostNaps {
		t.Errorf("%d naps, want %d", naps, mostNaps)
	}
	if p.ended(time.Millisecond, time.Millisecond, false); p.limit(time.Second) != napping {
		t.Error("a packet came, and no nap since")
	}
}
