package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/klauspost/cpuid/v2"

	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
	"github.com/scanout-av/scanout/player"
)

// A benchmark prints the way scanout goes beside the other ways, measured in the same
// run, so that nobody has to believe a figure.
type benchmark struct {
	name string
	what string
	run  func(ctx context.Context, o *benchOptions) (*benchTable, error)
}

// How long each way is measured unless told.
const (
	benchDuration    = 2 * time.Second
	headlineDuration = time.Minute
)

type benchOptions struct {
	Duration time.Duration
	Device   string
	Media    []string // of decode and headline
	Streams  []int
	Rows     []string        // of live and headline: parts of their names; all when there are none
	Display  *pace.Simulated // of pacing; nil for all rates
	Verbose  io.Writer       // progress; never nil
}

// benchTable is the outcome of one benchmark.
type benchTable struct {
	Name    string   `json:"name"`
	What    string   `json:"what"`
	Columns []string `json:"columns"` // with units
	Rows    [][]any  `json:"rows"`
	Notes   []string `json:"notes,omitempty"`
}

func (t *benchTable) add(cells ...any) { t.Rows = append(t.Rows, cells) }
func (t *benchTable) note(format string, a ...any) {
	t.Notes = append(t.Notes, fmt.Sprintf(format, a...))
}

var benchmarks = []benchmark{
	{"queue", "hand-over of one pointer between two threads", benchQueue},
	{"ffi", "one call of a C function", benchFFI},
	{"pacing", "every source rate on every display rate, on a simulated display", benchPacing},
	{"scheduler", "lateness of waking up at an absolute moment", benchScheduler},
	{"window", "pictures in a window, by the stamps of the display", benchWindow},
	{"upload", "1080p I420 frames from the pool to a drawn picture", benchUpload},
	{"live", "RTP over a bad network, from the sender to the display", benchLive},
	{"latency", "how old pictures of an RTP stream are when they are shown", benchLatency},
	{"glass", "how old pictures of an RTP stream are when they can be seen, beside other players", benchGlass},
	{"yuv", "colour conversion on the CPU", benchYUV},
	{"receive", "datagrams from the kernel into the program", benchReceive},
	{"decode", "video decoding as fast as it goes, on the GPU and in software", benchDecode},
	{"headline", "playing in real time on a simulated display, and what its parts cost", benchHeadline},
}

type benchCommand struct {
	Names    []string       `arg:"" optional:"" placeholder:"NAME" help:"Benchmarks to run; all when left out."`
	JSON     bool           `name:"json" help:"Print JSON."`
	List     bool           `help:"List the benchmarks."`
	Duration *time.Duration `placeholder:"TIME" help:"How long each way is measured; default: 2s, for headline 1m."`
	Media    []string       `placeholder:"FILE" help:"What decode and headline play; raw H.264 and H.265 need no FFmpeg."`
	Streams  []int          `placeholder:"N" help:"How many streams decode and headline play at once; default: 1, and for decode 2, 4 and 7."`
	Rows     []string       `placeholder:"NAME" sep:"none" help:"Rows of live (networks) and headline (ways of playing), by parts of their names; all when left out."`
	Device   string         `placeholder:"GPU" help:"Number or part of the name of the GPU."`
	Display  string         `placeholder:"SPEC" help:"The simulated display that pacing plays on, as of scanout play; all rates when left out."`
}

func (c *benchCommand) Run(env *environment) error {
	if c.List {
		for _, b := range benchmarks {
			fmt.Fprintf(env.out, "%-10s %s\n", b.name, b.what)
		}
		return nil
	}
	if d := c.Duration; d != nil && (*d <= 0 || *d > 10*time.Minute) {
		return usageError{fmt.Errorf("--duration %v is out of range: use 100ms to 10m", *d)}
	}
	for _, n := range c.Streams {
		if n < 1 || n > 64 {
			return usageError{fmt.Errorf("--streams %d is out of range: use 1 to 64", n)}
		}
	}
	chosen := benchmarks
	if len(c.Names) > 0 {
		chosen = nil
		for _, n := range c.Names {
			i := slices.IndexFunc(benchmarks, func(b benchmark) bool { return b.name == n })
			if i < 0 {
				return usageError{fmt.Errorf("no benchmark is called %q: scanout bench --list names them", n)}
			}
			chosen = append(chosen, benchmarks[i])
		}
	}
	if err := knownRows(c.Rows); err != nil {
		return usageError{err}
	}
	var display *pace.Simulated
	if c.Display != "" {
		var err error
		if display, err = pace.ParseSimulated(c.Display); err != nil {
			return usageError{fmt.Errorf("--display: %w", err)}
		}
	}
	if c.Device != "" {
		dev, err := gpu.OpenDevice(gpu.InstanceConfig{}, gpu.Config{Device: c.Device})
		if err != nil {
			return fmt.Errorf("%w: --device: %w", player.ErrOutput, err)
		}
		dev.Close()
	}
	o := &benchOptions{Display: display, Device: c.Device, Media: c.Media, Streams: c.Streams, Rows: c.Rows, Verbose: io.Discard}
	if isTerminal(env.err) {
		o.Verbose = env.err
	}
	var tables []*benchTable
	if !c.JSON {
		fmt.Fprintf(env.out, "%s\n\n", machine())
	}
	for _, b := range chosen {
		switch {
		case c.Duration != nil:
			o.Duration = *c.Duration
		case b.name == "headline":
			o.Duration = headlineDuration
		default:
			o.Duration = benchDuration
		}
		t, err := runUntil(env.ctx, &b, o)
		if errors.Is(err, media.ErrNotSupported) && len(chosen) > 1 {
			t, err = &benchTable{Notes: []string{"not run: " + err.Error()}}, nil
		}
		if err != nil {
			return fmt.Errorf("bench %s: %w", b.name, err)
		}
		t.Name, t.What = b.name, b.what
		tables = append(tables, t)
		if !c.JSON {
			t.print(env.out)
		}
	}
	if c.JSON {
		e := json.NewEncoder(env.out)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Machine string        `json:"machine"`
			Date    string        `json:"date"`
			Version string        `json:"version"`
			Tables  []*benchTable `json:"benchmarks"`
		}{machine(), time.Now().Format(time.DateOnly), version(), tables})
	}
	return nil
}

// runUntil runs b but does not wait for its current measurement, which may take minutes,
// when ctx ends: the program does then, too.
func runUntil(ctx context.Context, b *benchmark, o *benchOptions) (*benchTable, error) {
	type outcome struct {
		t   *benchTable
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		t, err := b.run(ctx, o)
		done <- outcome{t, err}
	}()
	select {
	case r := <-done:
		return r.t, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (t *benchTable) print(w io.Writer) {
	fmt.Fprintf(w, "%s: %s\n", t.Name, t.What)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(t.Rows) > 0 {
		fmt.Fprintln(tw, "  "+strings.Join(t.Columns, "\t"))
	}
	for _, r := range t.Rows {
		cells := make([]string, len(r))
		for i, c := range r {
			switch v := c.(type) {
			case float64:
				cells[i] = significant(v)
			case time.Duration:
				cells[i] = significant(float64(v) / 1e3)
			default:
				cells[i] = fmt.Sprint(c)
			}
		}
		fmt.Fprintln(tw, "  "+strings.Join(cells, "\t"))
	}
	tw.Flush()
	for _, n := range t.Notes {
		fmt.Fprintln(w, "  "+n)
	}
	fmt.Fprintln(w)
}

// significant prints three significant digits without an exponent.
func significant(v float64) string {
	switch a := max(v, -v); {
	case a >= 100 || a == 0:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 1:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}

// machine describes where a benchmark ran.
func machine() string {
	name := cpuid.CPU.BrandName
	if name == "" {
		name = runtime.GOARCH
	}
	kernel := ""
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = ", Linux " + strings.TrimSpace(string(b))
	}
	return fmt.Sprintf("%s, %d CPUs%s, %s", name, runtime.NumCPU(), kernel, runtime.Version())
}
