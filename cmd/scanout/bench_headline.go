package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

// headlineRun is one way of playing.
type headlineRun struct {
	name     string
	output   player.Output
	decoder  player.Decoder
	renderer player.Renderer
}

// benchHeadline plays each clip in real time, in several ways whose differences say what
// the parts cost.
func benchHeadline(ctx context.Context, o *benchOptions) (*benchTable, error) {
	if len(o.Media) == 0 {
		return nil, errNoMedia
	}
	t := &benchTable{Columns: []string{"clip", "streams", "what", "% of a core", "presenting", "rest of Go", "driver", "frames/s", "missed vsyncs", "late", "dropped",
		"latency p50 ms", "p99 ms", "max ms", "allocations a frame", "GC cycles"}}
	streams := o.Streams
	if len(streams) == 0 {
		streams = []int{1}
	}
	runs := []headlineRun{
		{"play: decode on the GPU, draw", player.OutputOffscreen, player.DecoderVulkan, player.RendererAuto},
		{"decode on the GPU, draw nothing", player.OutputNull, player.DecoderVulkan, player.RendererAuto},
		{"decode in software, draw", player.OutputOffscreen, player.DecoderFFmpeg, player.RendererAuto},
	}
	for _, path := range o.Media {
		info, err := player.Probe(ctx, player.Config{Media: path, Audio: player.AudioNone})
		if err != nil {
			return nil, err
		}
		v := info.Best(media.KindVideo)
		if v == nil || !v.FrameRate.Valid() {
			return nil, fmt.Errorf("%s: its frame rate is not known: %w", path, media.ErrNotSupported)
		}
		for _, n := range streams {
			for _, r := range runs {
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				fmt.Fprintf(o.Verbose, "%s, %d streams, %s\n", path, n, r.name)
				if err := t.headline(ctx, o, path, n, r); err != nil {
					t.note("%s, %s: %s", filepath.Base(path), r.name, oneLine(err))
				}
			}
			t.sleepLoop(filepath.Base(path), n, v.FrameRate, min(o.Duration, 10*time.Second))
		}
	}
	t.note("Played in a loop for %v on an offscreen target, at the clip's frame rate, on a simulated display of that rate. CPU is the whole process's, from the first second on; "+
		"presenting, rest of Go and driver are shares of its threads. Latency is from submission to the vblank at which a picture is visible.", o.Duration)
	if len(t.Rows) == 0 {
		return nil, fmt.Errorf("nothing could be played: %s: %w", t.Notes[0], media.ErrNotSupported)
	}
	return t, nil
}

// headline plays path n times at once in one way.
func (t *benchTable) headline(ctx context.Context, o *benchOptions, path string, n int, r headlineRun) error {
	shared := new(player.Graphics)
	ps := make([]*player.Player, 0, n)
	defer func() {
		for _, p := range ps {
			_ = p.Close()
		}
	}()
	for range n {
		p, err := player.Open(ctx, player.Config{Media: path, Output: r.output, Decoder: r.decoder, Renderer: r.renderer,
			Audio: player.AudioNone, Device: o.Device, Loop: true, Graphics: shared, Threads: headlineThreads(n)})
		if err != nil {
			return err
		}
		ps = append(ps, p)
	}
	ends := make(chan error, n)
	tids := make(chan int, n)
	for _, p := range ps {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			tids <- rt.ThreadID()
			ends <- p.Run(ctx)
		}()
	}
	present := map[int]bool{}
	for range n {
		present[<-tids] = true
	}
	// The first second is opening, filling queues and warming up.
	if err := sleepUntil(ctx, ends, time.Second); err != nil {
		return err
	}
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	before, cpu, start := rt.Threads(), rt.ProcessCPU().Total(), clock.Now()
	shown := presented(ps)
	if err := sleepUntil(ctx, ends, o.Duration); err != nil {
		return err
	}
	wall := clock.Now().Sub(start)
	used, after, frames := rt.ProcessCPU().Total()-cpu, rt.Threads(), presented(ps)-shown
	runtime.ReadMemStats(&m1)
	var late, missed, dropped int64
	var p50, p99, most time.Duration
	name := ""
	for _, p := range ps {
		if err := p.Close(); err != nil {
			return err
		}
		s := p.Stats()
		late, missed, dropped = late+s.Late, missed+s.Missed, dropped+s.Dropped
		p50, p99, most = max(p50, s.Latency.P50), max(p99, s.Latency.P99), max(most, s.Latency.Max)
		name = s.Decoder + ", " + s.Renderer
		if s.Fallbacks > 0 {
			t.note("%s: the decoder changed %d times.", r.name, s.Fallbacks)
		}
	}
	ps = ps[:0]
	percent := func(d time.Duration) float64 { return 100 * float64(d) / float64(wall) }
	var shares [3]time.Duration
	for id, th := range after {
		d := th.CPU - before[id].CPU
		switch {
		case present[id]:
			shares[0] += d
		case th.Own:
			shares[1] += d
		default:
			shares[2] += d
		}
	}
	t.add(filepath.Base(path), n, r.name, percent(used), percent(shares[0]), percent(shares[1]), percent(shares[2]),
		float64(frames)/wall.Seconds(), missed, late, dropped, milliseconds(p50), milliseconds(p99), milliseconds(most),
		round(float64(m1.Mallocs-m0.Mallocs)/float64(max(frames, 1))), m1.NumGC-m0.NumGC)
	t.note("%s: %s.", r.name, name)
	return nil
}

// headlineThreads gives each of n software decoders its share of the machine.
func headlineThreads(n int) int { return max(1, min(runtime.NumCPU()/n, 8)) }

func presented(ps []*player.Player) (n int64) {
	for _, p := range ps {
		n += p.Stats().Presented
	}
	return n
}

// sleepUntil waits for d, unless playback ends before.
func sleepUntil(ctx context.Context, ends <-chan error, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case err := <-ends:
		return errors.Join(errors.New("playback ended early"), err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sleepLoop measures what waking up for every frame costs without any work.
func (t *benchTable) sleepLoop(clip string, n int, rate media.Rational, d time.Duration) {
	period := time.Duration(float64(time.Second) / rate.Float())
	done := make(chan struct{})
	cpu, start := rt.ProcessCPU().Total(), clock.Now()
	for range n {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for at := start.Add(period); at < start.Add(d); at = at.Add(period) {
				rt.SleepUntil(at)
			}
			done <- struct{}{}
		}()
	}
	for range n {
		<-done
	}
	used, wall := rt.ProcessCPU().Total()-cpu, clock.Now().Sub(start)
	t.add(clip, n, "wake up for every frame, do nothing", 100*float64(used)/float64(wall), "–", "–", "–", float64(n)*rate.Float(), "–", "–", "–", "–", "–", "–", "–", "–")
}
