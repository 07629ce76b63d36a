package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scanout-av/scanout/decode/ffmpeg"
	"github.com/scanout-av/scanout/decode/vkvideo"
	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/ingest/annexb"
	"github.com/scanout-av/scanout/ingest/file"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

// errNoMedia says what decode and headline need.
var errNoMedia = fmt.Errorf("name what to play with --media FILE (docs/measurements.md says how to make clips): %w", media.ErrNotSupported)

// coded is a stream in memory.
type coded struct {
	name   string
	stream media.Stream
	units  []media.AccessUnit // without owner
	source io.Closer          // keeps the stream's native parameters
}

// maxCoded is how much of a stream is kept.
const maxCoded = 64 << 20

// load reads the video of a file into memory.
func load(ctx context.Context, path string) (*coded, error) {
	var src player.Source
	var err error
	if annexb.CodecOf(path) != "" {
		src, err = annexb.Open(annexb.Config{Path: path})
	} else {
		src, err = file.Open(ctx, file.Config{URL: path})
	}
	if err != nil {
		return nil, err
	}
	v := src.Info().Best(media.KindVideo)
	if v == nil {
		return nil, errors.Join(fmt.Errorf("%s has no video: %w", path, media.ErrNotSupported), src.Close())
	}
	c := &coded{name: filepath.Base(path), stream: *v, source: src}
	src.Select(v.Index)
	var au media.AccessUnit
	for size := 0; size < maxCoded && src.Read(&au) == nil; {
		u := au
		u.Data, u.Owner, u.Native = bytes.Clone(au.Data), nil, 0
		size += len(u.Data)
		au.Release()
		c.units = append(c.units, u)
	}
	if len(c.units) == 0 {
		return nil, errors.Join(fmt.Errorf("%s: nothing of its video can be read", path), src.Close())
	}
	return c, nil
}

// rate is the bit rate of the stream in Mb/s.
func (c *coded) rate() float64 {
	n := 0
	for i := range c.units {
		n += len(c.units[i].Data)
	}
	return float64(n) * 8 * c.stream.FrameRate.Float() / float64(len(c.units)) / 1e6
}

// decodeRun is what decoding for a while came to.
type decodeRun struct {
	frames  int64
	elapsed time.Duration
	cpu     time.Duration
	allocs  uint64
	load    string // of the GPU
	err     error
}

// decodeFor lets each decoder decode the stream again and again for about d. Before that
// each decodes a few hundred pictures, so that nothing is built while the clock runs.
func decodeFor(ctx context.Context, c *coded, ds []player.VideoDecoder, d time.Duration, meter *gpuMeter) (r decodeRun) {
	const warm = 100
	var frames, arrived atomic.Int64
	var stop, measured atomic.Bool
	var wg sync.WaitGroup
	begin := make(chan struct{})
	ready := make(chan struct{})
	var once sync.Once
	errs := make(chan error, len(ds))
	for _, dec := range ds {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var au media.AccessUnit // on the heap once
			for n := 0; !stop.Load(); n++ {
				if n == warm {
					if arrived.Add(1) == int64(len(ds)) {
						close(ready)
					}
					<-begin
				}
				au = c.units[n%len(c.units)]
				for {
					err := dec.Send(&au)
					if err == nil {
						break
					}
					if !errors.Is(err, media.ErrAgain) {
						errs <- err
						once.Do(func() { stop.Store(true) })
						if n < warm {
							arrived.Store(int64(len(ds)))
						}
						return
					}
					frames.Add(receiveAll(dec, &measured))
				}
				frames.Add(receiveAll(dec, &measured))
			}
		}()
	}
	select {
	case <-ready:
	case r.err = <-errs:
		stop.Store(true)
		close(begin)
		wg.Wait()
		return r
	case <-ctx.Done():
	}
	runtime.GC()
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	cpu, start := rt.ProcessCPU().Total(), time.Now()
	measured.Store(true)
	close(begin)
	select {
	case <-time.After(d):
	case r.err = <-errs:
	case <-ctx.Done():
		r.err = ctx.Err()
	}
	measured.Store(false)
	r.frames, r.elapsed, r.cpu = frames.Load(), time.Since(start), rt.ProcessCPU().Total()-cpu
	runtime.ReadMemStats(&m1)
	r.allocs = m1.Mallocs - m0.Mallocs
	r.load = meter.load()
	stop.Store(true)
	wg.Wait()
	return r
}

// receiveAll takes and drops the frames that dec has ready.
func receiveAll(dec player.VideoDecoder, measured *atomic.Bool) (n int64) {
	for {
		f, err := dec.Receive()
		if err != nil {
			return n
		}
		f.Release()
		if measured.Load() {
			n++
		}
	}
}

// decodeWay is a decoder to measure.
type decodeWay struct {
	name string
	open func(c *coded) (player.VideoDecoder, func(), error)
}

// benchDecode decodes each clip as fast as each decoder lets it, in 1 to N streams.
func benchDecode(ctx context.Context, o *benchOptions) (*benchTable, error) {
	if len(o.Media) == 0 {
		return nil, errNoMedia
	}
	t := &benchTable{Columns: []string{"clip", "Mb/s", "decoder", "streams", "frames/s", "CPU-s per 1,000 frames", "% of a core", "allocations a frame", "GPU busy, SM/video clock"}}
	meter := openGPUMeter()
	streams := o.Streams
	if len(streams) == 0 {
		streams = []int{1, 2, 4, 7}
	}
	dev, err := gpu.OpenDevice(gpu.InstanceConfig{}, gpu.Config{Device: o.Device, Hardware: o.Device == "", Video: true})
	if err != nil {
		t.note("vulkan: %v", err)
	} else {
		defer dev.Close()
		t.note("Device: %s, %s, %d decode queues.", dev.Name, dev.Driver, dev.Decode.Queues)
	}
	for _, path := range o.Media {
		c, err := load(ctx, path)
		if err != nil {
			return nil, err
		}
		if dev != nil {
			how := ""
			for _, n := range streams {
				w := decodeWay{"vulkan", func(c *coded) (player.VideoDecoder, func(), error) {
					d, err := vkvideo.New(vkvideo.Config{Device: dev, Stream: c.stream, Batch: 4})
					if err != nil {
						return nil, nil, err
					}
					return d, func() { how = d.Images().String(); _ = d.Close() }, nil
				}}
				t.decodeOnce(ctx, o, c, w, n, meter)
			}
			if how != "" {
				t.note("%s, vulkan: pictures are %s.", c.name, how)
			}
		}
		for _, threads := range []int{1, min(runtime.NumCPU(), 8)} {
			w := decodeWay{fmt.Sprintf("FFmpeg, %d threads", threads), func(c *coded) (player.VideoDecoder, func(), error) {
				return openSoftware(c, threads)
			}}
			if !t.decodeOnce(ctx, o, c, w, 1, meter) {
				break
			}
		}
		if err := c.source.Close(); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	t.note("Each for %v after 100 pictures; frames are dropped as they come, none is drawn or read back.", o.Duration)
	return t, nil
}

func openSoftware(c *coded, threads int) (player.VideoDecoder, func(), error) {
	size, err := ffmpeg.SlotBytes(c.stream)
	if err != nil {
		return nil, nil, err
	}
	pool, err := framepool.New(framepool.Config{Slots: ffmpeg.SlotsNeeded(c.stream, threads) + 4, SlotBytes: size})
	if err != nil {
		return nil, nil, err
	}
	d, err := ffmpeg.NewVideo(ffmpeg.Config{Stream: c.stream, Pool: pool, Threads: threads})
	if err != nil {
		return nil, nil, errors.Join(err, pool.Close())
	}
	return d, func() { _ = d.Close(); _ = pool.Close() }, nil
}

// decodeOnce measures n streams of a clip in one way; false when it cannot be done.
func (t *benchTable) decodeOnce(ctx context.Context, o *benchOptions, c *coded, w decodeWay, n int, meter *gpuMeter) bool {
	fmt.Fprintf(o.Verbose, "%s, %s, %d streams\n", c.name, w.name, n)
	var ds []player.VideoDecoder
	var closers []func()
	defer func() {
		for _, f := range closers {
			f()
		}
	}()
	for range n {
		d, closer, err := w.open(c)
		if err != nil {
			t.note("%s, %s: %s", c.name, w.name, strings.TrimSpace(err.Error()))
			return false
		}
		ds, closers = append(ds, d), append(closers, closer)
	}
	r := decodeFor(ctx, c, ds, o.Duration, meter)
	if r.err != nil {
		t.note("%s, %s: %v", c.name, w.name, r.err)
		return false
	}
	if r.frames == 0 {
		t.note("%s, %s: no frame in %v", c.name, w.name, r.elapsed)
		return false
	}
	k := float64(r.frames)
	t.add(c.name, c.rate(), w.name, n, k/r.elapsed.Seconds(), r.cpu.Seconds()/k*1000, 100*float64(r.cpu)/float64(r.elapsed), round(float64(r.allocs)/k), r.load)
	return true
}
