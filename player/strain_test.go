package player

import (
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

// TestStrain: a few late pictures are no reason to leave any out. Decoding that is behind
// recovers, goes back to all pictures when it has been ahead for a while, and waits longer
// each time that was too soon.
func TestStrain(t *testing.T) {
	var s strain
	now := media.Instant(time.Second)
	see := func(n int, late, ahead bool) {
		for range n {
			now = now.Add(10 * time.Millisecond)
			s.see(now, late, ahead)
		}
	}
	want := func(on bool, what string) {
		t.Helper()
		if s.on != on {
			t.Fatalf("%s: %v", what, s.on)
		}
	}
	see(strainLate-1, true, false)
	see(1, false, true)
	see(strainLate-1, true, false)
	want(false, "a few late pictures, twice")
	see(1, false, false)
	see(1, true, false)
	want(true, "never ahead between late pictures")
	for hold := strainHold; hold <= 4*strainMost; hold *= 2 {
		n := int(min(hold, strainMost) / (10 * time.Millisecond))
		see(n, false, true)
		see(1, true, false)
		see(n, false, true)
		want(true, "not yet ahead for long enough")
		see(2, false, true)
		want(false, "ahead for long enough")
		see(strainLate, true, false)
		want(true, "behind again")
	}
	see(int(strainMost/(10*time.Millisecond))+1, false, true)
	want(false, "ahead at last")
	see(int((strainMost+strainSoon)/(10*time.Millisecond)), false, true)
	see(strainLate, true, false)
	want(true, "behind after a long while")
	if s.hold != strainHold {
		t.Errorf("held for %v", s.hold)
	}
}
