package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

// windowWarmUp is how much of the beginning does not count: a window has to be mapped, a
// compositor may hold its first pictures back.
const windowWarmUp = 2 * time.Second

// benchWindow plays at the display's rate and at half of it in a small window, and says
// what the display says of it.
func benchWindow(ctx context.Context, o *benchOptions) (*benchTable, error) {
	if !player.HasDisplay() {
		return nil, fmt.Errorf("a window needs a display; on Linux: internal/ci/headless.sh 320x180@120 scanout bench window: %w", media.ErrNotSupported)
	}
	t := &benchTable{Columns: []string{"renderer", "fps", "shown", "interval p50 ms", "p1 ms", "p99 ms", "max ms", "missed", "never shown", "dropped", "depth", "% of a core", "stamps"}}
	for _, r := range []player.Renderer{player.RendererCPU, player.RendererVulkan} {
		for _, fps := range []int{120, 60} {
			fmt.Fprintf(o.Verbose, "window: %s at %d fps\n", r, fps)
			if err := playInWindow(ctx, t, r, fps, o.Duration); err != nil {
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				t.note("%s at %d fps: %v", r, fps, err)
			}
		}
	}
	if len(t.Rows) == 0 {
		return nil, errors.New("no window could be opened: " + t.Notes[0])
	}
	t.note("A window of 320x180 for %v each, after %v. Intervals lie between the display's own stamps of pictures that follow each other; missed counts the refreshes by which they were too long.", o.Duration, windowWarmUp)
	return t, nil
}

func playInWindow(ctx context.Context, t *benchTable, r player.Renderer, fps int, d time.Duration) error {
	var (
		intervals []time.Duration
		last      media.Presented
		refresh   time.Duration
		begin     media.Instant
		unseen    int
	)
	intervals = make([]time.Duration, 0, int((d+windowWarmUp)/time.Second+2)*fps)
	p, err := player.Open(ctx, player.Config{
		Media: fmt.Sprintf("pattern:size=320x180,rate=%d,beep=off,duration=%v", fps, d+windowWarmUp), Output: player.OutputWindow,
		Renderer: r, Audio: player.AudioNone, Log: slog.New(slog.DiscardHandler), Title: "scanout bench window",
		OnPresented: func(p *media.Presented) {
			if p.Actual == 0 {
				if begin != 0 && p.Submitted.Sub(begin) > windowWarmUp {
					unseen++
				}
				return
			}
			if begin == 0 {
				begin = p.Actual
			}
			if p.Actual.Sub(begin) > windowWarmUp && p.Number == last.Number+1 {
				intervals = append(intervals, p.Actual.Sub(last.Actual))
			}
			last, refresh = *p, p.Refresh
		},
	})
	if err != nil {
		return err
	}
	err = errors.Join(p.Run(ctx), p.Close())
	if err != nil {
		return err
	}
	if len(intervals) == 0 {
		return errors.New("the display has shown nothing")
	}
	s := p.Stats()
	wanted := time.Second / time.Duration(fps)
	missed := 0
	for _, v := range intervals {
		if refresh > 0 && v > wanted+refresh/2 {
			missed += int((v - wanted + refresh/2) / refresh)
		}
	}
	slices.Sort(intervals)
	n := len(intervals)
	ms := func(d time.Duration) float64 { return float64(d) / 1e6 }
	t.add(string(r), fps, n+1, ms(intervals[n/2]), ms(intervals[n/100]), ms(intervals[n*99/100]), ms(intervals[n-1]), missed, unseen,
		s.Dropped, s.Display.Depth, 100*float64(s.CPU.User+s.CPU.System)/float64(max(s.Elapsed, 1)), s.Source.String())
	return nil
}
