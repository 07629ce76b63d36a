package yuvbench

import (
	"context"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	rounds, slice := 3, 100*time.Microsecond
	rep, err := Run(context.Background(), Config{Rounds: rounds, Slice: slice, Only: "L2"})
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Rows) < 3 {
		t.Fatalf("%d rows", len(rep.Rows))
	}
	for _, r := range rep.Rows {
		if r.MPix <= 0 {
			t.Errorf("%+v: no speed", r)
		}
	}
	t.Logf("\n%s", rep)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, Config{}); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
}
