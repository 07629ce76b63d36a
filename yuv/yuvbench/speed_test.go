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
