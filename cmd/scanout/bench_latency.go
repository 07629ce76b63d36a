package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/scanout-av/scanout/player"
)

// benchLatency measures how old pictures are when they are shown, for each latency policy,
// on a network that loses nothing, and whether that grows.
func benchLatency(ctx context.Context, o *benchOptions) (*benchTable, error) {
	dir, err := os.MkdirTemp("", "scanout-latency")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	c, err := makeClip(ctx, dir, 640, 360)
	if err != nil {
		return nil, err
	}
	// Where pictures fall between refreshes is chance, and stays so at equal rates: up to a
	// refresh of each figure. On this display each fifth of a run goes through all of it.
	refresh := liveRate + 5/(5*o.Duration).Seconds()
	t := &benchTable{Columns: []string{"policy", "sent", "shown", "p50_ms", "p99_ms", "peak_ms", "first_fifth_p50_ms", "last_fifth_p50_ms"}}
	for _, p := range []struct {
		name   string
		policy player.Latency
		most   time.Duration
	}{{"freshest", player.LatencyFreshest, 0}, {"balanced", player.LatencyBalanced, 0}, {"50ms", player.LatencyBalanced, 50 * time.Millisecond}, {"smooth", player.LatencySmooth, 0}} {
		fmt.Fprintf(o.Verbose, "latency: %s\n", p.name)
		r := &liveRun{clips: [2]*liveClip{c, c}, length: 5 * o.Duration, dir: dir, extra: func(c *player.Config) {
			c.Latency, c.MaxLatency, c.Refresh = p.policy, p.most, refresh
		}}
		if err := r.run(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		n := len(r.delays) / 5
		first, last := slices.Clone(r.delays[:n]), slices.Clone(r.delays[len(r.delays)-n:])
		row := r.row()
		t.add(p.name, r.sent, r.shown, row[7], row[8], row[9], middle(first), middle(last))
	}
	t.note("640x360 H.264 at %d fps through a proxy on loopback, %v a policy; the display is simulated at %.2f Hz, so that all phases occur alike: half a refresh in the mean is its own", liveRate, 5*o.Duration, refresh)
	t.note("from the sender's first packet of a picture to the refresh that shows its number; --duration 1m plays each policy for five minutes")
	return t, nil
}

// middle is the median of d in ms.
func middle(d []time.Duration) any {
	if len(d) == 0 {
		return "-"
	}
	slices.Sort(d)
	return float64(d[len(d)/2]) / 1e6
}
