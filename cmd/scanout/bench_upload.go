package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/media"
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
	for _, mode := range render.UploadModes() {
		for _, draw := range []render.DrawMode{render.DrawTriangle, render.DrawCompute} {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			fmt.Fprintf(o.Verbose, "upload %v, %v\n", mode, draw)
			cfg := render.Config{Device: o.Device, Upload: mode, Draw: draw, InFlight: inFlight, Pool: pool, Width: width, Height: height, Now: clock.Now}
			r, device, err := uploadOnce(cfg, ring[:], o.Duration)
			if mode == render.UploadAuto && errors.Is(err, media.ErrNotSupported) {
				return nil, err // there is no such device, or none at all: all ways would say so
			}
			if err != nil {
				t.note("%v, %v: %v", mode, draw, err)
				continue
			}
			name := mode.String()
			if r.Upload != mode {
				name += " (" + r.Upload.String() + ")"
			}
			n := float64(r.Frames)
			t.add(name, draw.String(), r.Rate(), float64(r.Bytes)/r.Elapsed.Seconds()/1e9, float64(r.CPU.Nanoseconds())/1e3/n,
				round(float64(r.Allocs)/n), round(float64(r.Copies)/n))
			if len(t.Rows) == 1 {
				t.note("Device: %s.", device)
			}
		}
	}
	t.note("1080p I420, %d frames of the pool in turn, up to %d in flight, drawn to 1920x1080; nothing is read back.", frames, inFlight)
	return t, nil
}

// uploadOnce measures one way for about d.
func uploadOnce(cfg render.Config, frames []*media.Frame, d time.Duration) (b render.BenchResult, device string, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	o, err := render.NewOffscreen(cfg)
	if err != nil {
		return b, "", err
	}
	defer o.Close()
	device = o.Report().Device.Name
	for n := 8; ; {
		if b, err = render.Bench(o, frames, n); err != nil {
			return b, device, err
		}
		if b.Elapsed >= d*7/10 {
			return b, device, nil
		}
		n = int(float64(n)*min(float64(d)/float64(max(b.Elapsed, time.Microsecond)), 50)*1.05) + 1
	}
}
