package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/metrics"
	"github.com/scanout-av/scanout/pace"
)

// Rates of the matrix, in Hz; a display of 0 has a variable refresh from 48 to 144.
var (
	pacingSources  = []float64{24000.0 / 1001, 24, 25, 30000.0 / 1001, 30, 48, 50, 60000.0 / 1001, 60, 90, 100, 120000.0 / 1001, 120, 144, 240}
	pacingDisplays = []float64{50, 60000.0 / 1001, 60, 75, 90, 120, 144, 165, 240, 0}
)

// pacerWay is a way to pace, for one pair of rates.
type pacerWay struct {
	name string
	make func(d *pace.Simulated, interval time.Duration) (pace.Decider, error)
}

var pacerWays = []pacerWay{
	{"scanout", func(d *pace.Simulated, interval time.Duration) (pace.Decider, error) {
		p, err := pace.New(pace.Config{FrameInterval: interval})
		if err == nil {
			p.SetDisplay(d.Display(0))
		}
		return p, err
	}},
	{"scanout, sound", func(d *pace.Simulated, interval time.Duration) (pace.Decider, error) {
		p, err := pace.New(pace.Config{FrameInterval: interval, Sound: true})
		if err == nil {
			p.SetDisplay(d.Display(0))
		}
		return p, err
	}},
	{"sleep until PTS", func(*pace.Simulated, time.Duration) (pace.Decider, error) { return sleepUntilPTS{}, nil }},
	{"latest at each vblank", func(d *pace.Simulated, _ time.Duration) (pace.Decider, error) { return latestAtVblank{d}, nil }},
}

// sleepUntilPTS shows each frame when its time has come, as the first loop that everybody
// writes does.
type sleepUntilPTS struct{}

func (sleepUntilPTS) Decide(now media.Instant, c pace.Candidate) pace.Decision {
	switch {
	case now < c.Due:
		return pace.Decision{Action: pace.Wait, Until: c.Due}
	case c.HasNext && c.NextDue <= now:
		return pace.Decision{Action: pace.Drop, Reason: media.DropLate}
	}
	return pace.Decision{Action: pace.Show}
}
func (sleepUntilPTS) Showing(media.Instant)    {}
func (sleepUntilPTS) Observe(*media.Presented) {}
func (sleepUntilPTS) Speed() float64           { return 1 }

// latestAtVblank looks at every refresh for the newest frame whose time has come, as a
// program does that draws in the display's callback.
type latestAtVblank struct{ d *pace.Simulated }

func (l latestAtVblank) Decide(now media.Instant, c pace.Candidate) pace.Decision {
	switch {
	case now < c.Due:
		until := l.d.After(now + 1)
		if until <= now+1 { // no refreshes of its own: the callback comes as fast as it can
			until = now.Add(l.d.VRRMin)
		}
		return pace.Decision{Action: pace.Wait, Until: until}
	case c.HasNext && c.NextDue <= now:
		return pace.Decision{Action: pace.Drop, Reason: media.DropLate}
	}
	return pace.Decision{Action: pace.Show}
}
func (latestAtVblank) Showing(media.Instant)    {}
func (latestAtVblank) Observe(*media.Presented) {}
func (latestAtVblank) Speed() float64           { return 1 }

// pacingPhases is at how many phases of the frames against the refreshes each pair is
// played.
const pacingPhases = 3

// pacingSums adds pairs up.
type pacingSums struct {
	pairs, clean, shown, mistimed, longest, dropped int
	lag                                             metrics.Histogram
	lagSum                                          float64 // ms times frames
	square                                          float64 // ms² times frames
}

// benchPacing plays every source rate on every display rate, on a simulated display.
func benchPacing(ctx context.Context, o *benchOptions) (*benchTable, error) {
	minutes := min(max(o.Duration.Round(time.Second)/time.Second, 1), 10)
	t := &benchTable{Columns: []string{"display Hz", "way", "pairs", "without judder", "mistimed", "longest run", "judder ms", "dropped", "forced", "mean lag ms", "p99 lag ms", "worst pair"}}
	displays := make([]pace.Simulated, 0, len(pacingDisplays))
	for _, hz := range pacingDisplays {
		displays = append(displays, pacingDisplay(hz))
	}
	if o.Display != nil {
		displays = []pace.Simulated{*o.Display}
	}
	for _, display := range displays {
		for _, way := range pacerWays {
			var sum pacingSums
			forced, worst, worstShare := 0, "–", 0.0
			for _, fps := range pacingSources {
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				uneven, frames := 0, 0
				for phase := range pacingPhases {
					y, err := playPair(way, fps, display, float64(phase)/pacingPhases, minutes*time.Minute/pacingPhases, &sum.lag)
					if err != nil {
						return nil, err
					}
					sum.add(y)
					uneven += y.Mistimed
					frames += y.Frames
				}
				sum.pairs++
				if uneven == 0 {
					sum.clean++
				}
				limit := float64(time.Second) / float64(display.Interval())
				if fps > limit*1.01 {
					forced += int(float64(frames) * (1 - limit/fps))
				}
				if share := float64(uneven) / float64(frames); share > worstShare {
					worstShare, worst = share, fmt.Sprintf("%.5g: %.1f %%", fps, 100*share)
				}
			}
			t.add(display.String(), way.name, sum.pairs, sum.clean, sum.mistimed, sum.longest, math.Sqrt(sum.square/float64(max(sum.shown, 1))), sum.dropped, forced,
				sum.lagSum/float64(max(sum.shown, 1)), float64(sum.lag.Quantile(0.99))/1e6, worst)
		}
	}
	t.note("%d sources from 23.976 to 240 fps on each display, %d simulated minutes a pair in three phases, wake-ups up to 0.2 ms late.", len(pacingSources), minutes)
	t.note("Mistimed frames stayed for another number of refreshes than the two around their duration, or were dropped although there was a refresh for them.")
	t.note("Judder is the root mean square of how long frames stayed, less the time between their timestamps.")
	t.note("Lag is from a frame's moment to its appearance. Forced is how many frames the display has no refresh for.")
	return t, nil
}

func (s *pacingSums) add(y *pace.Tally) {
	s.shown += y.Shown
	s.mistimed += y.Mistimed
	s.longest = max(s.longest, y.Longest)
	s.dropped += y.Dropped
	s.square += float64(y.Judder()) / 1e6 * float64(y.Judder()) / 1e6 * float64(y.Shown)
	s.lagSum += float64(y.MeanLag()) / 1e6 * float64(y.Shown)
}

// pacingDisplay is a display of the matrix: half a millisecond of jitter.
func pacingDisplay(hz float64) pace.Simulated {
	if hz == 0 {
		return pace.Simulated{Period: time.Second / 144, VRRMin: time.Second / 144, VRRMax: time.Second / 48, Seed: 1}
	}
	return pace.Simulated{Period: time.Duration(math.Round(1e9 / hz)), Jitter: 500 * time.Microsecond, Seed: 1}
}

func playPair(way pacerWay, fps float64, display pace.Simulated, phase float64, length time.Duration, lag *metrics.Histogram) (*pace.Tally, error) {
	const begin = media.Instant(1e9)
	d := &display
	d.Start(begin.Add(time.Duration(phase * float64(d.Interval()))))
	p, err := way.make(d, time.Duration(math.Round(1e9/fps)))
	if err != nil {
		return nil, err
	}
	y := &pace.Tally{Display: d, Skip: 10 * time.Second, Lag: lag}
	s := pace.Simulation{Display: d, Start: begin, Frames: int(length.Seconds() * fps), Free: true, Each: y.See,
		PTS:       func(i int) time.Duration { return time.Duration(math.Round(float64(i) * 1e9 / fps)) },
		Oversleep: func(i int) time.Duration { return time.Duration(i*7919%200) * time.Microsecond }}
	if way.name == "scanout, sound" {
		s.Free, s.SpeedDelay = false, 300*time.Millisecond
	}
	s.Run(p)
	return y, nil
}
