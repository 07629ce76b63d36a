package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
	"github.com/scanout-av/scanout/render"
)

// benchUpload shows frames from the pool, again and again, as fast as each way of
// uploading lets it, and drawn in each way.
func benchUpload(ctx context.Context, o *benchOptions) (*benchTable, error) {
	const width, height, frames, inFlight = 1920, 1080, 12, 8
	pool, err := framepool.New(framepool.Config{Slots: frames, SlotBytes: framepool.FrameBytes(media.I420, width, height, 0)})
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	var ring [frames]*media.Frame
	for i := range ring {
		f, err := pool.Get()
		if err != nil {
			return nil, err
		}
		defer f.Release()
		if err := pool.Layout(f, media.I420, width, height, 0); err != nil {
			return nil, err
		}
		for p := range 3 {
			d := f.Planes[p].Data
			for k := range d {
				d[k] = byte(k*7 + i*31)
			}
		}
		f.Color = media.Color{Matrix: media.MatrixBT709, Range: media.RangeLimited, Chroma: media.ChromaLeft}
		f.Timebase = media.Nanoseconds
		ring[i] = f
	}
	t := &benchTable{Columns: []string{"upload", "draw", "frames/s", "GB/s", "µs CPU a frame", "allocations", "copies"}}
	const bytes = width * height * 3 / 2
	for _, mode := range render.UploadModes() {
		for _, draw := range []render.DrawMode{render.DrawTriangle, render.DrawCompute} {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			fmt.Fprintf(o.Verbose, "upload %v, %v\n", mode, draw)
			cfg := render.Config{Device: o.Device, Upload: mode, Draw: draw, InFlight: inFlight, Pool: pool, Width: width, Height: height, Now: clock.Now}
			r, err := uploadOnce(ctx, cfg, ring[:], o.Duration)
			if err != nil {
				t.note("%v, %v: %v", mode, draw, err)
				continue
			}
			name := mode.String()
			if r.used != mode {
				name += " (" + r.used.String() + ")"
			}
			t.add(name, draw.String(), r.rate, r.rate*bytes/1e9, r.cpu, round(r.allocs), round(r.copies))
			if len(t.Rows) == 1 {
				t.note("Device: %s.", r.device)
			}
		}
	}
	t.note("1080p I420, %d frames of the pool in turn, up to %d in flight, drawn to 1920x1080; nothing is read back.", frames, inFlight)
	return t, nil
}

type uploadResult struct {
	used   render.UploadMode
	device string
	rate   float64 // frames/s
	cpu    float64 // µs of the whole process for each frame
	allocs float64
	copies float64
}

func uploadOnce(ctx context.Context, cfg render.Config, ring []*media.Frame, d time.Duration) (res uploadResult, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	o, err := render.NewOffscreen(cfg)
	if err != nil {
		return res, err
	}
	defer o.Close()
	rep := o.Report()
	res.used, res.device = rep.Upload, rep.Device.Name
	var sched media.Scheduled
	var fb media.Presented
	n, copies := 0, 0
	show := func() error {
		if err := o.Begin(0); err != nil {
			return err
		}
		n++
		sched = media.Scheduled{Frame: ring[n%len(ring)].Retain(), Number: uint64(n)}
		if err := o.Present(&sched); err != nil {
			return err
		}
		for o.Feedback(&fb) {
			copies += fb.Copies
		}
		return nil
	}
	for range 2 * len(ring) { // warm up: entries, images, pipelines
		if err := show(); err != nil {
			return res, err
		}
	}
	if err := o.Wait(); err != nil {
		return res, err
	}
	for o.Feedback(&fb) {
	}
	n, copies = 0, 0
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	c0, t0 := player.ProcessCPU(), time.Now()
	for time.Since(t0) < d && ctx.Err() == nil {
		if err := show(); err != nil {
			return res, err
		}
	}
	if err := o.Wait(); err != nil {
		return res, err
	}
	took := time.Since(t0)
	c1 := player.ProcessCPU()
	runtime.ReadMemStats(&m1)
	for o.Feedback(&fb) {
		copies += fb.Copies
	}
	res.rate = float64(n) / took.Seconds()
	res.cpu = float64((c1.User + c1.System - c0.User - c0.System).Microseconds()) / float64(n)
	res.allocs = float64(m1.Mallocs-m0.Mallocs) / float64(n)
	res.copies = float64(copies) / float64(n)
	return res, nil
}
