package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/scanout-av/scanout/internal/rt"
)

// benchScheduler wakes up 120 times a second in every way that this system has.
func benchScheduler(ctx context.Context, o *benchOptions) (*benchTable, error) {
	const period = time.Second / 120
	t := &benchTable{Columns: []string{"way", "mean µs", "p50 µs", "p99 µs", "max µs", "drift µs", "missed", "% of a core"}}
	for _, m := range rt.Methods() {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		l, err := rt.MeasureLateness(rt.LatenessConfig{Method: m, Period: period, Duration: o.Duration})
		if err != nil {
			return nil, err
		}
		t.add(m.String(), l.Mean, l.P50, l.P99, l.Max, l.Drift, l.Missed, 100*float64(l.CPU)/float64(l.Wall))
		if l.Notes != "" {
			t.note("%s: %s", m, l.Notes)
		}
	}
	if row, err := cyclictest(ctx, period, o.Duration); err == nil {
		t.Rows = append(t.Rows, row)
	} else {
		t.note("cyclictest: %v", err)
	}
	t.note("Lateness of waking up at absolute moments 1/120 s apart for %v each; the CPU share is the whole process's.", o.Duration)
	return t, nil
}

// cyclictest runs the kernel developers' tool for the same period, the machine's own
// yardstick.
func cyclictest(ctx context.Context, period, d time.Duration) ([]any, error) {
	path, err := exec.LookPath("cyclictest")
	if err != nil {
		return nil, fmt.Errorf("not installed: %s", install("rt-tests", "realtime-tests", "rt-tests"))
	}
	loops := int(d / period)
	cmd := exec.CommandContext(ctx, path, "-q", "-t1", "--policy=other", "-i", strconv.Itoa(int(period/time.Microsecond)),
		"-l", strconv.Itoa(max(loops, 1)), "-h", "5000")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("did not run: %w", err)
	}
	h := parseCyclictest(string(out))
	if h.count == 0 {
		return nil, fmt.Errorf("its output is not understood")
	}
	return []any{"cyclictest (C, ordinary priority)", h.mean, float64(h.at(0.5)), float64(h.at(0.99)), float64(h.max), "–", h.over, "–"}, nil
}

// latencyHistogram is cyclictest's -h output: lines of microseconds and count.
type latencyHistogram struct {
	us, n       []int
	count, over int
	max         int
	mean        float64
}

func parseCyclictest(s string) (h latencyHistogram) {
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "# Max Latencies:"); ok {
			h.max, _ = strconv.Atoi(strings.Fields(rest + " 0")[0])
		}
		if rest, ok := strings.CutPrefix(line, "# Histogram Overflows:"); ok {
			h.over, _ = strconv.Atoi(strings.Fields(rest + " 0")[0])
		}
		f := strings.Fields(line)
		if len(f) < 2 || strings.HasPrefix(line, "#") {
			continue
		}
		us, err1 := strconv.Atoi(f[0])
		n, err2 := strconv.Atoi(f[1])
		if err1 == nil && err2 == nil && n > 0 {
			h.us, h.n = append(h.us, us), append(h.n, n)
			h.count += n
			h.mean += float64(us * n)
		}
	}
	if h.count > 0 {
		h.mean /= float64(h.count)
	}
	return h
}

// at returns the q-quantile in µs.
func (h *latencyHistogram) at(q float64) int {
	want, seen := int(q*float64(h.count)), 0
	for i, n := range h.n {
		if seen += n; seen > want {
			return h.us[i]
		}
	}
	return h.max
}
