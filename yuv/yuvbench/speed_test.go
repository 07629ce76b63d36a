package yuvbench

import (
	"context"
	"os"
	"testing"
	"time"
)

// TestReport prints the whole report; it takes minutes, so it runs only when asked.
func TestReport(t *testing.T) {
	only := os.Getenv("SCANOUT_BENCH_YUV")
	if only == "" {
		t.Skip("needs SCANOUT_BENCH_YUV=L2, L3, DRAM or a space for all")
	}
	if only == " " {
		only = ""
	}
	rep, err := Run(context.Background(), Config{Only: only, Slice: 3 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", rep)
	list, missing, err := MeasureAccuracy(context.Background(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s%v", AccuracyTable(list), missing)
}

// TestAccuracy takes package yuv alone: at most a level away, nowhere more than 0.53.
func TestAccuracy(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds: run without -short")
	}
	list, _, err := MeasureAccuracy(context.Background(), Config{NoPeers: true})
	if err != nil || len(list) != 6 {
		t.Fatal(len(list), err)
	}
	for _, a := range list {
		if a.Levels > 1 || a.Max > 0.53 {
			t.Errorf("%+v", a)
		}
	}
}

// BenchmarkContestants is the same list one after another, for profiles. For numbers to
// compare use TestReport, whose rounds interleave.
func BenchmarkContestants(b *testing.B) {
	for _, s := range sizes(0, 0) {
		list, _, err := contestants(Config{}, s)
		if err != nil {
			b.Fatal(err)
		}
		frames := make([]*frame, s.frames)
		for i := range frames {
			if frames[i], err = newFrame(s.w, s.h); err != nil {
				b.Fatal(err)
			}
		}
		for _, c := range list {
			b.Run(s.name+"/"+c.name, func(b *testing.B) {
				if c.ready != nil {
					c.ready()
				}
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					if err := c.run(frames[n%len(frames)]); err != nil {
						b.Fatal(err)
					}
					n++
				}
				b.ReportMetric(float64(s.w*s.h)*float64(b.N)/b.Elapsed().Seconds()/1e6, "MPix/s")
			})
		}
	}
}
