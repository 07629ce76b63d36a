package pace

import (
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

// shownFrame is a frame that was handed over half a refresh before its target.
func shownFrame(missed int) *media.Presented {
	const r = 10 * time.Millisecond
	t := media.Instant(time.Second)
	return &media.Presented{Target: t, Submitted: t.Add(-r / 2), Actual: t.Add(time.Duration(missed) * r), Refresh: r, Missed: missed}
}

func TestSwapDepth(t *testing.T) {
	var s SwapDepth
	feed := func(n int, p *media.Presented) (changes int) {
		for range n {
			if s.Observe(p) {
				changes++
			}
		}
		return changes
	}
	want := func(what string, depth, raised int) {
		t.Helper()
		if s.Depth() != depth || s.Raised() != raised {
			t.Fatalf("%s: depth %d, raised %d times; want %d and %d", what, s.Depth(), s.Raised(), depth, raised)
		}
	}
	want("in the beginning", 1, 0)
	feed(1000, shownFrame(0))
	feed(lateLimit-1, shownFrame(1))
	want("after a hiccup", 1, 0)
	feed(lateWindow, shownFrame(0))
	feed(lateLimit-1, shownFrame(2))
	want("after another much later", 1, 0)

	// Handed over too late, not shown at all, or without a target: nothing to learn.
	p := *shownFrame(1)
	p.Submitted = p.Target
	feed(100, &p)
	feed(100, &media.Presented{Discarded: true, Target: 1, Refresh: 1})
	feed(100, &media.Presented{Actual: 5, Missed: 1, Refresh: 1})
	want("after frames that say nothing", 1, 0)

	if n := feed(lateLimit, shownFrame(1)); n != 1 {
		t.Errorf("%d changes, want 1", n)
	}
	want("after late frames", 2, 1)
	feed(1000, shownFrame(1))
	want("however late they stay", 2, 1)
	feed(calmFrames-1, shownFrame(0))
	want("before it is calm for long", 2, 1)
	feed(1, shownFrame(0))
	want("calm", 1, 1)

	// Each return makes it more patient.
	for i, patience := range []int{2, 4, 8, 16, 16} {
		feed(lateLimit, shownFrame(1))
		want("late again", 2, 2+i)
		feed(patience*calmFrames-1, shownFrame(0))
		want("more patient", 2, 2+i)
		feed(1, shownFrame(0))
		want("calm again", 1, 2+i)
	}
}
