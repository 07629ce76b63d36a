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
		{"wanted later", 91, 130, 130, 0},
		{"wanted between two refreshes", 131, 154, 150, 0},
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
	if r := s.Ready(at(145)); r != at(150) {
		t.Errorf("ready %v after the start, want when the last picture is visible", r.Sub(at(0)))
	}
	s.Depth = 2
	if r := s.Ready(at(141)); r != at(141) {
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

// TestSimulatedJitter asks for every refresh of a minute: none is further from its moment
// than said, they keep their order, and those before and behind are found.
func TestSimulatedJitter(t *testing.T) {
	const period, jitter = 10 * time.Millisecond, 3 * time.Millisecond
	s := Simulated{Period: period, Jitter: jitter, Seed: 7}
	s.Start(1e9)
	var least, most time.Duration
	for n := range int64(6000) {
		v := s.Refresh(n)
		off := v.Sub(media.Instant(1e9).Add(time.Duration(n) * period))
		least, most = min(least, off), max(most, off)
		if s.After(v) != v || s.After(v+1) != s.Refresh(n+1) {
			t.Fatalf("refresh %d at %v is not found", n, v)
		}
	}
	if least < -jitter || most > jitter || most-least < jitter {
		t.Errorf("jitter from %v to %v, want most of ±%v", least, most, jitter)
	}
}

// TestSimulatedMisses counts the refreshes that a display skips.
func TestSimulatedMisses(t *testing.T) {
	const period = 10 * time.Millisecond
	s := Simulated{Period: period, Miss: 0.1, Seed: 3}
	s.Start(1e9)
	total := 0
	now := media.Instant(1e9)
	for range 10000 {
		v, missed := s.Present(now, now.Add(period))
		total += missed
		now = v
	}
	if total < 900 || total > 1350 {
		t.Errorf("%d of 10000 refreshes missed, want about a tenth", total)
	}
}

func TestSimulatedVariable(t *testing.T) {
	at := func(ms float64) media.Instant { return media.Instant(1e9 + ms*1e6) }
	s := Simulated{VRRMin: 7 * time.Millisecond, VRRMax: 20 * time.Millisecond}
	s.Start(at(0))
	for _, c := range []struct {
		name                  string
		done, target, visible float64
		missed                int
	}{
		{"at its moment", 1, 3.3, 3.3, 0},
		{"faster than the display", 4, 5, 10.3, 0},
		{"ready late", 25, 20, 25, 0},
		{"during a repeat at 45", 46, 47, 52, 0},
	} {
		v, missed := s.Present(at(c.done), at(c.target))
		if v != at(c.visible) || missed != c.missed {
			t.Errorf("%s: visible %v after the start and %d missed, want %vms and %d", c.name, v.Sub(at(0)), missed, c.visible, c.missed)
		}
	}
	// At 25 fps the display repeats each picture, in the middle once it knows the rate.
	for i := range 40 {
		want := at(100 + 40*float64(i))
		if v, _ := s.Present(want.Add(-time.Millisecond), want); i > 15 && v != want {
			t.Errorf("picture %d at 25 fps is visible %v late", i, v.Sub(want))
		}
	}
	if d := s.Display(0); !d.Variable() || d.Refresh != s.VRRMin {
		t.Errorf("display %+v", d)
	}
}

// TestSimulatedRecorded plays refreshes back.
func TestSimulatedRecorded(t *testing.T) {
	s := Simulated{Period: 10, Recorded: []media.Instant{100, 109, 121, 140}}
	for _, c := range []struct{ at, want media.Instant }{{75, 80}, {100, 100}, {101, 109}, {109, 109}, {110, 121}, {122, 140}, {141, 150}, {150, 150}, {151, 160}} {
		if v := s.After(c.at); v != c.want {
			t.Errorf("after %d comes %d, want %d", c.at, v, c.want)
		}
	}
	if v, _ := s.Present(101, 0); v != 109 {
		t.Errorf("visible at %d", v)
	}
	if v, _ := s.Present(101, 0); v != 121 {
		t.Errorf("the next is visible at %d", v)
	}
}

func TestSimulatedAllocatesNothing(t *testing.T) {
	s := Simulated{Period: 1e7, Jitter: 1e6, Miss: 0.1}
	s.Start(1e9)
	now := media.Instant(1e9)
	if n := testing.AllocsPerRun(1000, func() { now, _ = s.Present(now, now.Add(s.Period)) }); n != 0 {
		t.Errorf("%v allocations a picture", n)
	}
}
