package pace

import (
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

// TestLateOnceIsNotLateForever: a live source as fast as the display has one picture a
// refresh late. It takes the refresh of the one behind it, which would take the next one's,
// and so on; one of them is dropped and the others are in time again.
func TestLateOnceIsNotLateForever(t *testing.T) {
	for _, hz := range []float64{30, 60, 120} {
		for i := range 20 {
			policy, phase := []Policy{PolicyBalanced, PolicySmooth}[i%2], time.Duration(i/2)*hertz(hz)/10
			late, dropped := 0, 0
			var before, after time.Duration
			runLive(t, liveRun{policy: policy, fps: hz, hz: hz, seconds: 20, network: func(int) time.Duration { return phase },
				decode: func(i int) time.Duration {
					if i == int(hz*10) {
						return hertz(hz) * 3 / 2
					}
					return time.Millisecond / 2
				},
				each: func(f *Fate, at time.Duration) {
					switch {
					case at < 5*time.Second:
					case f.Reason != media.DropNone:
						dropped++
					case at < 9*time.Second:
						before = max(before, f.Actual.Sub(f.Received))
					case at > 11*time.Second:
						after = max(after, f.Actual.Sub(f.Received))
						if f.Actual.Sub(f.Target) > hertz(hz)/2 {
							late++
						}
					}
				}})
			if late > 0 || dropped > 2 {
				t.Errorf("%v Hz, %v, phase %v: %d pictures a refresh late a second after one was, %d dropped", hz, policy, phase, late, dropped)
			}
			if after > before+time.Millisecond {
				t.Errorf("%v Hz, %v, phase %v: pictures were %v old when shown, and are %v a second after one was late", hz, policy, phase, before, after)
			}
		}
	}
}
