package main

import (
	"context"

	"github.com/scanout-av/scanout/yuv/yuvbench"
)

// benchYUV converts I420 to RGBA beside libyuv, swscale, image/draw and the machine's
// own limit.
func benchYUV(ctx context.Context, o *benchOptions) (*benchTable, error) {
	r, err := yuvbench.Run(ctx, yuvbench.Config{Slice: o.Duration / 400})
	if err != nil {
		return nil, err
	}
	t := &benchTable{Columns: []string{"size", "way", "MPix/s", "of libyuv", "of libyuv AVX2", "of the limit"}}
	ratio := func(v float64) any {
		if v == 0 {
			return "–"
		}
		return v
	}
	for _, row := range r.Rows {
		t.add(row.Size, row.Name, row.MPix, ratio(row.ToLibyuv), ratio(row.ToAVX2), ratio(row.ToLimit))
	}
	for _, m := range r.Missing {
		t.note("not measured: %s", m)
	}
	t.note("%s, L2 %d KiB, L3 %d KiB; I420 to RGBA, BT.709 limited; medians of interleaved rounds, ratios within a round.", r.CPU, r.L2>>10, r.L3>>10)
	return t, nil
}
