package yuvbench

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/cpuid/v2"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/yuv"
)

// Config says how much to measure. The zero value takes about two minutes.
type Config struct {
	Rounds  int           // interleaved rounds, 0 for 31
	Slice   time.Duration // of one contestant in one round, 0 for 5 ms
	Only    string        // sizes whose name contains it, "" for all
	NoPeers bool          // leave libyuv, swscale, image/draw and naive Go out
}

// Row is one contestant at one size.
type Row struct {
	Size, Name string
	MPix       float64 // million pixels a second of processor time, median of the rounds
	// Ratios of speed, medians over rounds; 0 where the other one is not there.
	ToLibyuv float64 // to libyuv as it chooses for this CPU
	ToAVX2   float64 // to libyuv limited to AVX2
	ToLimit  float64 // to the fastest limit with the same kind of stores
}

// Report is a run.
type Report struct {
	CPU     string
	L2, L3  int // bytes, 0 when not known
	Rows    []Row
	Missing []string // what could not be measured, and why
}

// size is a working set.
type size struct {
	name   string
	w, h   int
	frames int // pictures in rotation
}

// frame is a picture with its destination.
type frame struct {
	p   yuv.Picture
	dst []byte
}

type contestant struct {
	name  string
	nt    bool // stores past the caches
	limit bool
	run   func(f *frame) error
	ready func() // before a slice, not timed
}

// Run measures I420 to RGBA, BT.709, limited range.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if cfg.Rounds == 0 {
		cfg.Rounds = 31
	}
	if cfg.Slice == 0 {
		cfg.Slice = 5 * time.Millisecond
	}
	rep := &Report{CPU: cpuid.CPU.BrandName, L2: max(cpuid.CPU.Cache.L2, 0), L3: max(cpuid.CPU.Cache.L3, 0)}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, s := range sizes(rep.L2, rep.L3) {
		if !strings.Contains(s.name, cfg.Only) {
			continue
		}
		if err := measure(ctx, cfg, s, rep); err != nil {
			return rep, err
		}
	}
	return rep, nil
}

func sizes(l2, l3 int) []size {
	if l2 == 0 {
		l2 = 512 << 10
	}
	if l3 == 0 {
		l3 = 32 << 20
	}
	// 5.5 bytes a pixel, in and out; half of the cache leaves room for the rest.
	const w = 640
	return []size{
		{"L2", w, l2 / 2 * 2 / 11 / w &^ 1, 1},
		{"L3 1080p", 1920, 1080, 1},
		{"DRAM 2160p", 3840, 2160, min(max(4*l3/(3840*2160*11/2), 4), 16)},
	}
}

// newFrame fills a picture with values that look random and aligns its destination.
func newFrame(w, h int) (*frame, error) {
	p, _, err := yuv.I420.NewPicture(aligned(w*h+(w+1)/2*((h+1)/2)*2), w, h)
	if err != nil {
		return nil, err
	}
	x := uint32(1)
	for _, pl := range p.Planes {
		for i := range pl {
			x = x*1664525 + 1013904223
			pl[i] = byte(x >> 24)
		}
	}
	f := &frame{p, aligned(w * h * 4)}
	for i := range f.dst {
		f.dst[i] = 1
	}
	return f, nil
}

// aligned returns n bytes at a multiple of 64, ready for non-temporal stores.
func aligned(n int) []byte {
	b := make([]byte, n+63)
	off := int(-dl.Addr(&b[0]) & 63)
	return b[off : off+n : off+n]
}

func measure(ctx context.Context, cfg Config, s size, rep *Report) error {
	frames := make([]*frame, s.frames)
	for i := range frames {
		var err error
		if frames[i], err = newFrame(s.w, s.h); err != nil {
			return fmt.Errorf("yuvbench: %s: %w", s.name, err)
		}
	}
	list, missing, err := contestants(cfg, s)
	if err != nil {
		return err
	}
	for _, m := range missing {
		if !slices.Contains(rep.Missing, m) {
			rep.Missing = append(rep.Missing, m)
		}
	}
	// What one contestant leaves in the caches, or not there after non-temporal stores,
	// would count for or against the next one: each brings them into its own state first.
	warm := cfg.Slice
	if len(frames) > 1 {
		warm *= 8
	}
	ns := make([][]float64, len(list)) // by contestant and round: ns a picture
	at := 0                            // frames rotate on: the next one is the coldest
	for range cfg.Rounds {
		for i, c := range list {
			if err := ctx.Err(); err != nil {
				return err
			}
			if c.ready != nil {
				c.ready()
			}
			_, _, err := slice(&c, frames, &at, warm, s)
			if err != nil {
				return err
			}
			n, d, err := slice(&c, frames, &at, cfg.Slice, s)
			if err != nil {
				return err
			}
			ns[i] = append(ns[i], float64(d)/float64(n))
		}
	}
	report(rep, s, list, ns)
	return nil
}

// now reads the clock that contestants are measured by: the thread's processor time, so
// that what else the machine does counts little; where there is none, the time of day's.
func now() time.Duration {
	if t := rt.ThreadCPU(); t > 0 {
		return t
	}
	return time.Since(epoch)
}

var epoch = time.Now()

// slice runs c for d or longer, from frame at onwards, and returns the number of pictures
// and the time they took.
func slice(c *contestant, frames []*frame, at *int, d time.Duration, s size) (n int, took time.Duration, err error) {
	start := now()
	for {
		if err := c.run(frames[*at%len(frames)]); err != nil {
			return n, 0, fmt.Errorf("yuvbench: %s: %w", c.name, err)
		}
		*at++
		n++
		// Small pictures: look at the clock seldom.
		if n*s.w*s.h <= 1<<20 || n < min(len(frames), 2) {
			continue
		}
		if took = now() - start; took >= d {
			return n, took, nil
		}
	}
}

// report turns times into rows.
func report(rep *Report, s size, list []contestant, ns [][]float64) {
	find := func(match func(c *contestant) bool) int {
		return slices.IndexFunc(list, func(c contestant) bool { return match(&c) })
	}
	ratio := func(i, to int) float64 {
		if to < 0 {
			return 0
		}
		r := make([]float64, len(ns[i]))
		for k := range r {
			r[k] = ns[to][k] / ns[i][k]
		}
		return median(r)
	}
	libyuv := find(func(c *contestant) bool { return c.name == nameLibyuv })
	avx2 := find(func(c *contestant) bool { return c.name == nameLibyuvAVX2 })
	if avx2 < 0 {
		avx2 = libyuv // a CPU without AVX-512: the same code
	}
	for i, c := range list {
		limit := -1
		for k, l := range list {
			if l.limit && l.nt == c.nt && (limit < 0 || median(ns[k]) < median(ns[limit])) {
				limit = k
			}
		}
		rep.Rows = append(rep.Rows, Row{s.name, c.name, float64(s.w*s.h) * 1e3 / median(ns[i]),
			ratio(i, libyuv), ratio(i, avx2), ratio(i, limit)})
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if len(v) == 0 {
		return 0
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// String is the report as a table.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, L2 %d KiB, L3 %d KiB; I420 to RGBA, BT.709 limited, one core\n", r.CPU, r.L2>>10, r.L3>>10)
	fmt.Fprintf(&b, "%-12s %-24s %10s %10s %12s %8s\n", "size", "", "MPix/s", "x libyuv", "x libyuv avx2", "of limit")
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "%-12s %-24s %10.0f %10.2f %12.2f %7.0f%%\n", row.Size, row.Name, row.MPix, row.ToLibyuv, row.ToAVX2, 100*row.ToLimit)
	}
	for _, m := range r.Missing {
		fmt.Fprintln(&b, "not measured:", m)
	}
	return b.String()
}
