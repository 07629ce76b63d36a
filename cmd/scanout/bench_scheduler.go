package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/scanout-av/scanout/internal/rt"
)

// schedulerGoal is how many times cyclictest's p99 the timing thread's may be.
const schedulerGoal = 1.5

// benchScheduler wakes up 120 times a second in every way that this system has, on the
// machine as it is and under load.
func benchScheduler(ctx context.Context, o *benchOptions) (*benchTable, error) {
	t := &benchTable{Columns: []string{"load", "way", "mean µs", "p50 µs", "p99 µs", "max µs", "drift µs", "missed", "% of a core"}}
	for _, loaded := range []bool{false, true} {
		if err := wakeUps(ctx, o, t, loaded); err != nil {
			return nil, err
		}
	}
	t.note("Lateness of waking up at absolute moments 1/120 s apart for %v each, as the machine was (idle) and with %d busy processes and a goroutine that makes garbage (loaded).", o.Duration, runtime.NumCPU())
	t.note("The CPU share is the whole process's, which includes the garbage under load.")
	return t, nil
}

// wakeUps adds the rows of one load. The timing thread and cyclictest take turns, because
// on a shared machine any two seconds differ more than the two of them do.
func wakeUps(ctx context.Context, o *benchOptions, t *benchTable, loaded bool) error {
	const period = time.Second / 120
	load := "idle"
	if loaded {
		load = "loaded"
		end, err := startLoad(ctx)
		if err != nil {
			t.note("loaded: %v", err)
			return nil
		}
		defer end()
	}
	row := func(name string, l rt.Lateness) {
		t.add(load, name, l.Mean, l.P50, l.P99, l.Max, l.Drift, l.Missed, 100*float64(l.CPU)/float64(l.Wall))
		if l.Notes != "" {
			t.note("%s, %s: %s", load, name, l.Notes)
		}
	}
	measure := func(m rt.Method, as yardstick, d time.Duration) (rt.Lateness, error) {
		if ctx.Err() != nil {
			return rt.Lateness{}, ctx.Err()
		}
		type result struct {
			l   rt.Lateness
			err error
		}
		done := make(chan result)
		go func() { // this one may be locked to its thread, and not every way wants that
			l, err := rt.MeasureLateness(rt.LatenessConfig{Method: m, Period: period, Duration: d, Priority: as.fifo, Awake: as.awake})
			done <- result{l, err}
		}()
		r := <-done
		return r.l, r.err
	}
	for _, m := range rt.Methods() {
		if m == rt.ClockSleepFine {
			continue // in turns with cyclictest
		}
		l, err := measure(m, yardstick{}, o.Duration)
		if err != nil {
			return err
		}
		row(m.String(), l)
	}
	for _, as := range []yardstick{{}, {awake: true}, {fifo: 80, awake: true}} {
		if err := beside(ctx, o, t, load, as, period, measure, row); err != nil {
			return err
		}
	}
	return nil
}

// yardstick is what the timing thread and cyclictest ask of the system. Left to itself
// cyclictest keeps the processors awake, for any priority.
type yardstick struct {
	fifo  int // priority, 0 for an ordinary one
	awake bool
}

func (y yardstick) String() string {
	s := "ordinary priority"
	if y.fifo > 0 {
		s = fmt.Sprintf("SCHED_FIFO %d", y.fifo)
	}
	if y.awake {
		s += ", processors kept awake"
	}
	return s
}

// beside measures the timing thread and cyclictest in turns, both as the same.
func beside(ctx context.Context, o *benchOptions, t *benchTable, load string, as yardstick, period time.Duration,
	measure func(rt.Method, yardstick, time.Duration) (rt.Lateness, error), row func(string, rt.Lateness)) error {
	const rounds = 4
	var ours rt.Lateness
	var theirs latencyHistogram
	var missing error
	// What the other one left behind is not part of a round: its process is still being taken
	// down, and the collector has its output to clear away. While playing there is nothing for
	// the collector to do, so it rests.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	settle := func() {
		runtime.GC()
		rt.SleepUntil(rt.Now().Add(100 * time.Millisecond))
	}
	for range rounds {
		settle()
		l, err := measure(rt.ClockSleepFine, as, o.Duration/rounds)
		if err != nil {
			return err
		}
		if as.fifo > 0 && l.Notes != "" {
			t.note("%s: no rows with real-time priority: %s", load, l.Notes)
			return nil
		}
		ours = ours.Join(l)
		if missing == nil {
			settle()
			var h latencyHistogram
			if h, missing = cyclictest(ctx, period, o.Duration/rounds, as); missing == nil {
				theirs.join(h)
			}
		}
	}
	row("timing thread: "+rt.ClockSleepFine.String()+", "+as.String(), ours)
	if missing != nil {
		t.note("cyclictest: %v", missing)
		return nil
	}
	t.add(load, "cyclictest (C), "+as.String(), theirs.mean(), float64(theirs.at(0.5)), float64(theirs.at(0.99)), float64(theirs.max), "–", theirs.over, "–")
	if p99 := theirs.at(0.99); p99 > 0 {
		ratio := float64(ours.P99.Microseconds()) / float64(p99)
		verdict := fmt.Sprintf("goal: at most %.1f", schedulerGoal)
		switch {
		case load != "idle":
			verdict = "no goal"
		case ratio > schedulerGoal:
			verdict += ", missed"
		default:
			verdict += ", reached"
		}
		t.note("%s, %s: the timing thread's p99 is %.2f × cyclictest's (%s)", load, as, ratio, verdict)
	}
	return nil
}

// startLoad keeps every processor busy with other processes, and the collector of this one.
func startLoad(ctx context.Context) (end func(), err error) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		return nil, errors.New("not measured: no shell to keep processors busy with")
	}
	ctx, cancel := context.WithCancel(ctx)
	var busy []*exec.Cmd
	end = func() {
		cancel()
		for _, c := range busy {
			_ = c.Wait() // it was killed
		}
	}
	for range runtime.NumCPU() {
		c := exec.CommandContext(ctx, shell, "-c", "while :; do :; done")
		if err := c.Start(); err != nil {
			end()
			return nil, fmt.Errorf("not measured: %w", err)
		}
		busy = append(busy, c)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		makeGarbage(ctx)
	}()
	processes := end
	return func() { processes(); <-done }, nil
}

// garbage is where garbage is seen, so that it is made at all.
var garbage atomic.Pointer[[]byte]

// makeGarbage allocates about 600 MB/s, in bursts.
func makeGarbage(ctx context.Context) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		for range 10 {
			b := make([]byte, 64<<10)
			garbage.Store(&b)
		}
		<-tick.C
	}
	garbage.Store(nil)
}

// cyclictest runs the kernel developers' tool for the same period, the machine's own
// yardstick.
func cyclictest(ctx context.Context, period, d time.Duration, as yardstick) (h latencyHistogram, err error) {
	path, err := exec.LookPath("cyclictest")
	if err != nil {
		return h, fmt.Errorf("not installed: %s", install("rt-tests", "realtime-tests", "rt-tests"))
	}
	args := []string{"-q", "-t1", "-i", strconv.Itoa(int(period / time.Microsecond)), "-l", strconv.Itoa(max(int(d/period), 1)), "-h", "20000"}
	if as.fifo > 0 {
		args = append(args, "-p", strconv.Itoa(as.fifo))
	} else {
		args = append(args, "--policy=other")
	}
	if !as.awake {
		args = append(args, "--laptop")
	}
	out, err := exec.CommandContext(ctx, path, args...).Output()
	if err != nil {
		return h, fmt.Errorf("did not run: %w", err)
	}
	if h = parseCyclictest(string(out)); h.count() == 0 {
		return h, errors.New("its output is not understood")
	}
	return h, nil
}

// latencyHistogram is cyclictest's -h output: lines of microseconds and count.
type latencyHistogram struct {
	n         map[int]int // by µs
	over, max int
}

func parseCyclictest(s string) latencyHistogram {
	h := latencyHistogram{n: map[int]int{}}
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
		if err1 == nil && err2 == nil && us >= 0 && n > 0 {
			h.n[us] += n
		}
	}
	return h
}

func (h *latencyHistogram) join(o latencyHistogram) {
	if h.n == nil {
		h.n = map[int]int{}
	}
	for us, n := range o.n {
		h.n[us] += n
	}
	h.over += o.over
	h.max = max(h.max, o.max)
}

func (h *latencyHistogram) count() (n int) {
	for _, k := range h.n {
		n += k
	}
	return n
}

func (h *latencyHistogram) mean() float64 {
	sum := 0.0
	for us, n := range h.n {
		sum += float64(us) * float64(n)
	}
	return sum / float64(max(h.count(), 1))
}

// at returns the q-quantile in µs. What overflowed the histogram counts as its maximum.
func (h *latencyHistogram) at(q float64) int {
	us := make([]int, 0, len(h.n))
	for k := range h.n {
		us = append(us, k)
	}
	slices.Sort(us)
	want, seen := int(q*float64(h.count()+h.over)), 0
	for _, k := range us {
		if seen += h.n[k]; seen > want {
			return k
		}
	}
	return h.max
}
