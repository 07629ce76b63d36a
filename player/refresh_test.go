package player

import (
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

// TestSimulatedRefresh checks that a simulated display has a rate that a display may have, on
// which each picture stays for a whole number of refreshes.
func TestSimulatedRefresh(t *testing.T) {
	for _, c := range []struct {
		rate media.Rational
		want float64 // Hz
	}{
		{media.Rational{Num: 1, Den: 10}, 24}, {media.Rational{Num: 1, Den: 1}, 24}, {media.Rational{Num: 5, Den: 1}, 25},
		{media.Rational{Num: 7, Den: 1}, 28}, {media.Rational{Num: 10, Den: 1}, 30}, {media.Rational{Num: 12000, Den: 1001}, 24 / 1.001},
		{media.Rational{Num: 25, Den: 2}, 25}, {media.Rational{Num: 15, Den: 1}, 30}, {media.Rational{Num: 23, Den: 1}, 46},
		{media.Rational{Num: 24000, Den: 1001}, 24 / 1.001}, {media.Rational{Num: 24, Den: 1}, 24}, {media.Rational{Num: 25, Den: 1}, 25},
		{media.Rational{Num: 60, Den: 1}, 60}, {media.Rational{Num: 240, Den: 1}, 240}, {media.Rational{Num: 90000, Den: 1}, 60}, {media.Rational{}, 60},
	} {
		p := &Player{video: &media.Stream{FrameRate: c.rate}}
		got := float64(time.Second) / float64(p.refresh())
		if d := got/c.want - 1; d > 1e-6 || d < -1e-6 {
			t.Errorf("%d/%d fps: %v Hz, want %v", c.rate.Num, c.rate.Den, got, c.want)
		}
	}
	p := &Player{video: &media.Stream{FrameRate: media.Rational{Num: 1, Den: 1}}, cfg: Config{Refresh: 1}}
	if got := p.refresh(); got != time.Second {
		t.Errorf("1 Hz was asked for: %v", got)
	}
}
