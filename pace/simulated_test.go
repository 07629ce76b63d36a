package pace

import (
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

func TestSimulatedRefreshes(t *testing.T) {
	const period = 10 * time.Millisecond
	at := func(ms float64) media.Instant { return media.Instant(1e9 + ms*1e6) }
	s := Simulated{Period: period}
	s.Start(at(0))
	for _, c := range []struct {
		name                  string
		done, target, visible float64
		missed                int
	}{
		{"on time", 5, 10, 10, 0},
		{"a little early counts as on time", 12, 19, 20, 0},
		{"a little late for its target's refresh", 22, 33, 30, 0},
		{"one refresh per picture", 23, 30, 40, 1},
		{"ready too late", 71, 50, 80, 3},
		{"no target: next refresh", 81, 0, 90, 0},
	} {
		v, missed := s.Present(at(c.done), func() media.Instant {
			if c.target == 0 {
				return 0
			}
			return at(c.target)
		}())
		if v != at(c.visible) || missed != c.missed {
			t.Errorf("%s: visible %v after the start and %d missed, want %vms and %d", c.name, v.Sub(at(0)), missed, c.visible, c.missed)
		}
	}
	if r := s.Ready(at(85)); r != at(90) {
		t.Errorf("ready %v after the start, want when the last picture is visible", r.Sub(at(0)))
	}
	s.Depth = 2
	if r := s.Ready(at(81)); r != at(81) {
		t.Errorf("with a depth of 2 it is ready %v after the start, want at once", r.Sub(at(0)))
	}
}

func TestSimulatedWithoutRefresh(t *testing.T) {
	var s Simulated
	if v, m := s.Present(7, 99); v != 7 || m != 0 {
		t.Errorf("visible at %d, missed %d; want at once", v, m)
	}
	if s.Ready(5) != 5 {
		t.Error("not ready at once")
	}
}
