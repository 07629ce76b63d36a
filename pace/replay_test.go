package pace

import (
	"bufio"
	"cmp"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/trace"
)

var update = flag.Bool("update", false, "write the timelines of testdata again")

func readTrace(t *testing.T, name string) []trace.Event {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events, err := trace.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// TestReplayTraces plays recorded playback through the pacer again: frames are decoded when
// they were, and the display refreshes when it did. What the pacer of now does with it must
// be at least as good as what was recorded.
//
// The recordings are by scanout play --trace, cut to the marks: the pattern of 60 fps with
// sound on the offscreen output of 59.94 Hz, and on a headless Wayland compositor of 120 Hz
// that shared two busy CPUs with a dozen other programs.
func TestReplayTraces(t *testing.T) {
	for _, c := range []struct {
		name string
		hz   float64
		free bool // played without sound
	}{{"offscreen-60-on-59.94.json", 59.94, false}, {"wayland-60-on-120-loaded.json", 120, true}} {
		t.Run(c.name, func(t *testing.T) {
			events := readTrace(t, c.name)
			period := hertz(c.hz)
			// Refreshes between two pictures were not recorded: they came evenly.
			var refreshes []media.Instant
			recordedLate, recordedDrops := 0, 0
			var frames []trace.Event
			for _, e := range events {
				if e.Reason != media.DropNone {
					recordedDrops++
				} else {
					if e.Actual.Sub(e.Due) > period {
						recordedLate++
					}
					if n := len(refreshes); n > 0 && e.Actual > refreshes[n-1] {
						last := refreshes[n-1]
						gap := e.Actual.Sub(last)
						k := max(1, (gap+period/2)/period)
						for i := time.Duration(1); i < k; i++ {
							refreshes = append(refreshes, last.Add(i*gap/k))
						}
						refreshes = append(refreshes, e.Actual)
					} else if n == 0 {
						refreshes = append(refreshes, e.Actual)
					}
				}
				if n := len(frames); n == 0 || e.PTS > frames[n-1].PTS {
					frames = append(frames, e)
				}
			}
			p := newPacer(t, Config{Sound: !c.free}, period)
			d := &Simulated{Period: period, Recorded: refreshes}
			late, drops := 0, 0
			// The pictures' moments are those that the clock gave them, followed through sound.
			first := frames[1]
			sim := Simulation{Display: d, Start: first.Due, Free: c.free, Frames: len(frames) - 1, PTS: func(i int) time.Duration { return frames[i+1].PTS },
				Ready: func(i int) media.Instant { return frames[i+1].Decoded },
				Each: func(f *Fate) {
					if f.Reason != media.DropNone {
						drops++
					} else if f.Actual.Sub(f.Due) > period {
						late++
					}
				}}
			sim.Run(p)
			t.Logf("%d frames: recorded %d late, %d dropped; replayed %d late, %d dropped, %+v", len(frames), recordedLate, recordedDrops, late, drops, p.Stats())
			// Frame callbacks on a busy machine come late as they like: 1 % is not a collapse.
			if off := math.Abs(float64(p.Stats().Refresh)/float64(period) - 1); off > 1e-2 {
				t.Errorf("the refresh interval is held to be %v", p.Stats().Refresh)
			}
			if late > recordedLate+1 || drops > recordedDrops+1 {
				t.Errorf("%d frames late and %d dropped, the recording had %d and %d", late, drops, recordedLate, recordedDrops)
			}
		})
	}
}

// timelines are stamps of refreshes, in testdata as one instant a line. Those that cannot be
// made again were recorded (scanout play --trace): mutter 48 and Xvfb, neither with a display
// whose hardware would keep the rhythm, on two CPUs that were busy with other programs. The
// others are of the simulated display: what jitter, missed vblanks and a variable refresh
// look like to a player.
var timelines = []struct {
	name    string
	hz      float64 // what it is; 0: no fixed rate
	nominal float64
	make    func() []media.Instant
	within  float64 // 0: 0.1 %
}{
	{name: "mutter-120", hz: 120, nominal: 120},
	// Between two pictures this compositor sleeps, and begins anew with the next one: there are
	// no refreshes to find, and what is found must not be far from what it says.
	{name: "mutter-60-on-120", hz: 120, nominal: 120, within: 0.02},
	{name: "xvfb-60", hz: 60, nominal: 60},
	{name: "jitter-59.94", hz: 60000.0 / 1001, nominal: 60, make: func() []media.Instant {
		return timeline60(&Simulated{Period: hertz(60000.0 / 1001), Jitter: 2 * time.Millisecond, Seed: 1}, 60)
	}},
	{name: "missed-144", hz: 144, nominal: 143.98, make: func() []media.Instant {
		return timeline60(&Simulated{Period: hertz(144), Jitter: 300 * time.Microsecond, Miss: 0.25, Seed: 2}, 90)
	}},
	{name: "lies-75", hz: 75, nominal: 60, make: func() []media.Instant {
		return timeline60(&Simulated{Period: hertz(75), Jitter: 500 * time.Microsecond, Seed: 3}, 75)
	}},
	{name: "vrr-48-144", hz: 0, nominal: 144, make: func() []media.Instant {
		s := &Simulated{VRRMin: hertz(144), VRRMax: hertz(48)}
		s.Start(start)
		var all []media.Instant
		at := start
		for i := range 1200 {
			at = at.Add(9*time.Millisecond + time.Duration(i*i%11)*time.Millisecond)
			v, _ := s.Present(at, at)
			all = append(all, v)
		}
		return all
	}},
}

// timeline60 shows a picture at a rate for 20 s.
func timeline60(s *Simulated, fps float64) (all []media.Instant) {
	stamps(s, int(20*fps), hertz(fps), func(at media.Instant) { all = append(all, at) })
	return all
}

// TestReplayVsyncs estimates recorded refreshes: within 0.1 % after two seconds, to the end,
// and what has no rate is found to have none.
func TestReplayVsyncs(t *testing.T) {
	check := func(t *testing.T, at []media.Instant, hz, nominal, within float64) {
		t.Helper()
		var v Vsync
		v.Reset(hertz(nominal))
		worst := 0.0
		irregular := false
		for i, s := range at {
			v.Observe(s, 0)
			irregular = irregular || v.Irregular()
			if i > 120 && hz > 0 {
				worst = max(worst, math.Abs(v.Period()*hz/1e9-1))
			}
			if p := v.Period(); p < 1e9/nominal/2 || p > 1e9/nominal*2 {
				t.Fatalf("stamp %d: the estimate has collapsed to %.0f ns", i, p)
			}
		}
		if hz > 0 && (worst > within || irregular) {
			t.Errorf("off by %.4f %% at worst, irregular %v", worst*100, irregular)
		}
		if hz == 0 && !irregular {
			t.Error("a variable refresh was taken for a fixed one")
		}
	}
	for _, l := range timelines {
		t.Run(l.name, func(t *testing.T) {
			path := filepath.Join("testdata", "vsync-"+l.name+".txt")
			if *update && l.make != nil {
				var b strings.Builder
				for _, at := range l.make() {
					fmt.Fprintln(&b, int64(at))
				}
				if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var at []media.Instant
			for s := bufio.NewScanner(f); s.Scan(); {
				n, err := strconv.ParseInt(s.Text(), 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				at = append(at, media.Instant(n))
			}
			check(t, at, l.hz, l.nominal, cmp.Or(l.within, 1e-3))
		})
	}
	for _, c := range []struct {
		name string
		hz   float64
	}{{"offscreen-60-on-59.94.json", 60000.0 / 1001}} {
		t.Run(c.name, func(t *testing.T) {
			var at []media.Instant
			for _, e := range readTrace(t, c.name) {
				if e.Actual != 0 {
					at = append(at, e.Actual)
				}
			}
			check(t, at, c.hz, math.Round(c.hz), 1e-3)
		})
	}
}
