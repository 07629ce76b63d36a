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
}
