package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

// headlineRun is one way of playing.
type headlineRun struct {
	name     string
	output   player.Output
	decoder  player.Decoder
	renderer player.Renderer
	// rtp sends the clip from another process by way of loopback.
	rtp bool
	// apart decodes on a goroutine of its own.
	apart bool
	// burst has the sender spread no picture over time.
	burst bool
}

var headlineRuns = []headlineRun{
	{"play: decode on the GPU, draw", player.OutputOffscreen, player.DecoderVulkan, player.RendererAuto, false, false, false},
	{"the same, decoding on a goroutine of its own", player.OutputOffscreen, player.DecoderVulkan, player.RendererAuto, false, true, false},
	{"decode on the GPU, draw nothing", player.OutputNull, player.DecoderVulkan, player.RendererAuto, false, false, false},
	{"RTP on loopback, decode on the GPU, draw", player.OutputOffscreen, player.DecoderVulkan, player.RendererAuto, true, false, false},
	{"the same, each picture sent at once", player.OutputOffscreen, player.DecoderVulkan, player.RendererAuto, true, false, true},
	{"decode in software, draw", player.OutputOffscreen, player.DecoderFFmpeg, player.RendererAuto, false, false, false},
}

// headlineIdle is the row without any work.
const headlineIdle = "wake up for every frame, do nothing"

// benchHeadline plays each clip in real time, in several ways whose differences say what
// the parts cost.
func benchHeadline(ctx context.Context, o *benchOptions) (*benchTable, error) {
	if len(o.Media) == 0 {
		return nil, errNoMedia
	}
	t := &benchTable{Columns: []string{"clip", "streams", "what", "% of a core", "presenting", "rest of Go", "driver", "wake-ups a frame", "frames/s", "missed vsyncs", "late", "dropped",
		"latency p50 ms", "p99 ms", "max ms", "received to visible p50 ms", "p99 ms", "max ms", "allocations a frame", "GC cycles", "GPU busy, SM/video clock"}}
	meter := openGPUMeter()
	streams := o.Streams
	if len(streams) == 0 {
		streams = []int{1}
	}
	for _, path := range o.Media {
		info, err := player.Probe(ctx, player.Config{Media: path, Audio: player.AudioNone})
		if err != nil {
			return nil, err
		}
		v := info.Best(media.KindVideo)
		if v == nil || !v.FrameRate.Valid() {
			return nil, fmt.Errorf("%s: its frame rate is not known: %w", path, media.ErrNotSupported)
		}
		for _, n := range streams {
			noGPU := false // that was said
			for _, r := range headlineRuns {
				if !o.wants(r.name) {
					continue
				}
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				if noGPU && r.decoder == player.DecoderVulkan {
					continue
				}
				fmt.Fprintf(o.Verbose, "%s, %d streams, %s\n", path, n, r.name)
				if err := t.headline(ctx, o, path, v.FrameRate, n, r, meter); err != nil {
					t.note("%s, %s: %s", filepath.Base(path), r.name, oneLine(err))
					noGPU = noGPU || r.decoder == player.DecoderVulkan && errors.Is(err, media.ErrNotSupported)
				}
			}
			if o.wants(headlineIdle) {
				t.sleepLoop(filepath.Base(path), n, v.FrameRate, min(o.Duration, 10*time.Second))
			}
		}
	}
	t.note("Played in a loop for %v on an offscreen target, at the clip's frame rate, on a simulated display of that rate. CPU is the whole process's; it and the counts of pictures are from the first second on; "+
		"presenting, rest of Go and driver are shares of its threads, the first of those on which pictures were presented; wake-ups are voluntary switches of all threads. "+
		"Latency is from submission to the vblank at which a picture is visible. RTP is sent by another process, whose CPU does not count, and received with balanced latency. "+
		"The GPU's state is the driver's (NVML) at the end of each row.", o.Duration)
	if len(t.Rows) == 0 && len(t.Notes) > 1 {
		return nil, fmt.Errorf("nothing could be played: %s: %w", t.Notes[0], media.ErrNotSupported)
	}
	return t, nil
}

// headline plays path n times at once in one way.
func (t *benchTable) headline(ctx context.Context, o *benchOptions, path string, rate media.Rational, n int, r headlineRun, meter *gpuMeter) error {
	shared := new(player.Graphics)
	ps := make([]*player.Player, 0, n)
	defer func() {
		for _, p := range ps {
			_ = p.Close()
		}
	}()
	var present threadSet
	for range n {
		c := player.Config{Media: path, Output: r.output, Decoder: r.decoder, Renderer: r.renderer, Refresh: rate.Float(),
			Audio: player.AudioNone, Device: o.Device, Loop: true, Graphics: shared, Threads: headlineThreads(n), DecodeApart: r.apart,
			OnPresent: func(*media.Scheduled) { present.add(rt.ThreadID()) }}
		if r.rtp {
			sdp, end, err := sendClip(ctx, path, r.burst)
			if err != nil {
				return err
			}
			defer end()
			c.Media, c.Loop = sdp, false
		}
		p, err := player.Open(ctx, c)
		if err != nil {
			return err
		}
		ps = append(ps, p)
	}
	ends := make(chan error, n)
	for _, p := range ps {
		go func() { ends <- p.Run(ctx) }()
	}
	// The first second is opening, filling queues and warming up.
	if err := sleepUntil(ctx, ends, time.Second); err != nil {
		return err
	}
	var m0, m1 runtime.MemStats
	before, c0, switches := rt.Threads(), count(ps), voluntarySwitches() // all allocate
	runtime.ReadMemStats(&m0)
	cpu, start := rt.ProcessCPU().Total(), clock.Now()
	if err := sleepUntil(ctx, ends, o.Duration); err != nil {
		return err
	}
	wall := clock.Now().Sub(start)
	used := rt.ProcessCPU().Total() - cpu
	runtime.ReadMemStats(&m1)
	switches = voluntarySwitches() - switches
	c1, after := count(ps), rt.Threads()
	load := meter.load()
	frames := c1.presented - c0.presented
	var latency, age player.Distribution
	name := ""
	for _, p := range ps {
		if err := p.Close(); err != nil {
			return err
		}
		s := p.Stats()
		latency, age = worst(latency, s.Latency), worst(age, s.Age)
		name = s.Decoder + ", " + s.Renderer
		if s.Fallbacks > 0 {
			t.note("%s: the decoder changed %d times.", r.name, s.Fallbacks)
		}
	}
	ps = ps[:0]
	percent := func(d time.Duration) float64 { return 100 * float64(d) / float64(wall) }
	var shares [3]time.Duration
	for id, th := range after {
		d := th.CPU - before[id].CPU
		switch {
		case present.has(id):
			shares[0] += d
		case th.Own:
			shares[1] += d
		default:
			shares[2] += d
		}
	}
	row := []any{filepath.Base(path), n, r.name, percent(used), percent(shares[0]), percent(shares[1]), percent(shares[2]),
		round(float64(switches) / float64(max(frames, 1))), float64(frames) / wall.Seconds(), c1.missed - c0.missed, c1.late - c0.late, c1.dropped - c0.dropped,
		milliseconds(latency.P50), milliseconds(latency.P99), milliseconds(latency.Max), "–", "–", "–"}
	if r.rtp { // a file is read long before
		row = append(row[:len(row)-3], milliseconds(age.P50), milliseconds(age.P99), milliseconds(age.Max))
	}
	t.add(append(row, round(float64(m1.Mallocs-m0.Mallocs)/float64(max(frames, 1))), m1.NumGC-m0.NumGC, load)...)
	t.note("%s: %s.", r.name, name)
	return nil
}

// headlineThreads gives each of n software decoders its share of the machine.
func headlineThreads(n int) int { return max(1, min(runtime.NumCPU()/n, 8)) }

// pictureCounts are counts of pictures of several players.
type pictureCounts struct{ presented, missed, late, dropped int64 }

func count(ps []*player.Player) (c pictureCounts) {
	for _, p := range ps {
		s := p.Stats()
		c.presented, c.missed, c.late, c.dropped = c.presented+s.Presented, c.missed+s.Missed, c.late+s.Late, c.dropped+s.Dropped
	}
	return c
}

// sleepUntil waits for d, unless playback ends before.
func sleepUntil(ctx context.Context, ends <-chan error, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case err := <-ends:
		return errors.Join(errors.New("playback ended early"), err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// worst takes the larger figure of each.
func worst(a, b player.Distribution) player.Distribution {
	return player.Distribution{P50: max(a.P50, b.P50), P99: max(a.P99, b.P99), Max: max(a.Max, b.Max)}
}

// threadSet collects numbers of threads.
type threadSet struct {
	mu  sync.Mutex
	ids []int
}

func (s *threadSet) add(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.ids, id) {
		s.ids = append(s.ids, id)
	}
}

func (s *threadSet) has(id int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.ids, id)
}

// sendClip lets another process of this program send a clip in a loop, and returns the file
// of its session description.
func sendClip(ctx context.Context, path string, burst bool) (sdp string, end func(), err error) {
	exe, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "scanout-headline")
	if err != nil {
		return "", nil, err
	}
	sdp = filepath.Join(dir, "clip.sdp")
	port, err := rtpPort()
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	args := []string{"send", path, fmt.Sprintf("rtp://127.0.0.1:%d", port), "--loop", "--no-audio", "--quiet", "--sdp", sdp}
	if burst {
		args = append(args, "--burst")
	}
	cmd := exec.CommandContext(ctx, exe, args...)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	gone := make(chan struct{})
	go func() {
		_ = cmd.Wait() // killed
		close(gone)
	}()
	end = func() {
		_ = cmd.Process.Kill()
		<-gone
		_ = os.RemoveAll(dir)
	}
	for {
		if _, err := os.Stat(sdp); err == nil {
			return sdp, end, nil
		}
		select {
		case <-gone:
			end()
			return "", nil, fmt.Errorf("the sender: %s", strings.TrimSpace(said.String()))
		case <-ctx.Done():
			end()
			return "", nil, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// rtpPort returns an even UDP port that is free for the moment, as is the next one.
func rtpPort() (int, error) {
	loopback := net.IPv4(127, 0, 0, 1)
	for {
		a, err := net.ListenUDP("udp4", &net.UDPAddr{IP: loopback})
		if err != nil {
			return 0, err
		}
		port := a.LocalAddr().(*net.UDPAddr).Port
		b, err := net.ListenUDP("udp4", &net.UDPAddr{IP: loopback, Port: port + 1})
		a.Close()
		if err != nil {
			continue
		}
		b.Close()
		if port%2 == 0 {
			return port, nil
		}
	}
}

// sleepLoop measures what waking up for every frame costs without any work.
func (t *benchTable) sleepLoop(clip string, n int, rate media.Rational, d time.Duration) {
	period := time.Duration(float64(time.Second) / rate.Float())
	done := make(chan struct{})
	cpu, switches, start := rt.ProcessCPU().Total(), voluntarySwitches(), clock.Now()
	for range n {
		go func() {
			var nap rt.Napper
			for at := start.Add(period); at < start.Add(d); at = at.Add(period) {
				nap.SleepUntil(at)
			}
			done <- struct{}{}
		}()
	}
	for range n {
		<-done
	}
	used, wall := rt.ProcessCPU().Total()-cpu, clock.Now().Sub(start)
	frames := float64(n) * rate.Float()
	row := []any{clip, n, headlineIdle, 100 * float64(used) / float64(wall), "–", "–", "–",
		round(float64(voluntarySwitches()-switches) / (frames * wall.Seconds())), frames}
	for len(row) < len(t.Columns) {
		row = append(row, "–")
	}
	t.add(row...)
}
