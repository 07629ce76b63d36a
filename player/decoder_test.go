package player

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scanout-av/scanout/ingest/file"
	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/media"
)

// newChooser prepares decoding a file in software as openVideoDecoder does.
func newChooser(t *testing.T, path string) (c *chooser, src *file.Source) {
	t.Helper()
	src, err := file.Open(t.Context(), file.Config{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	p := &Player{cfg: Config{Media: path, Threads: 2}, log: slog.New(slog.DiscardHandler), info: src.Info()}
	p.video = p.info.Best(media.KindVideo)
	src.Select(p.video.Index)
	c = &chooser{p: p, stream: *p.video}
	if err := p.prepareSoftware(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := p.pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, src
}

// decodeAll sends every unit; before does something with each first.
func decodeAll(t *testing.T, c *chooser, src *file.Source, before func(n int, au *media.AccessUnit)) (shown []media.Timestamp) {
	t.Helper()
	receive := func() {
		for {
			f, err := c.Receive()
			if err != nil {
				if !errors.Is(err, media.ErrAgain) && !errors.Is(err, io.EOF) {
					t.Error(err)
				}
				return
			}
			shown = append(shown, f.PTS)
			f.Release()
		}
	}
	send := func(au *media.AccessUnit) {
		for {
			err := c.Send(au)
			if err == nil {
				break
			}
			if !errors.Is(err, media.ErrAgain) {
				t.Fatal(err)
			}
			receive()
		}
		receive()
	}
	var au media.AccessUnit
	for n := 0; src.Read(&au) == nil; n++ {
		before(n, &au)
		send(&au)
	}
	send(nil)
	return shown
}

// TestDecoderChanges: a decoder that gives up is replaced at the next keyframe; what it
// still had comes first and no frame is lost or shown twice.
func TestDecoderChanges(t *testing.T) {
	path := avtest.Encode(t, "mkv", 60, "-c:v", "libx264", "-g", "15", "-bf", "3", "-pix_fmt", "yuv420p")
	c, src := newChooser(t, path)
	if err := c.open(); err != nil {
		t.Fatal(err)
	}
	want := decodeAll(t, c, src, func(int, *media.AccessUnit) {})
	if len(want) != 60 || !slices.IsSorted(want) {
		t.Fatalf("%d frames: %v", len(want), want)
	}

	c, src = newChooser(t, path)
	if err := c.open(); err != nil {
		t.Fatal(err)
	}
	first := c.cur
	got := decodeAll(t, c, src, func(n int, au *media.AccessUnit) {
		if n == 20 { // in the middle of a group of pictures
			c.cause = errors.New("enough")
		}
		if n == 29 && c.cur != first {
			t.Error("changed before a keyframe")
		}
	})
	if c.cur == first || c.stats().fallbacks != 1 {
		t.Errorf("the decoder changed %d times", c.stats().fallbacks)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}

	// Left without a decoder in the middle, units are dropped up to the next keyframe.
	c, src = newChooser(t, path)
	if err := c.open(); err != nil {
		t.Fatal(err)
	}
	got = decodeAll(t, c, src, func(n int, au *media.AccessUnit) {
		if n == 20 {
			c.change(media.ErrDeviceLost)
		}
	})
	if n := c.stats().skipped; n != 10 {
		t.Errorf("%d units were dropped on the way to the keyframe, want 10", n)
	}
	if len(got) < 30 || !slices.Equal(got[len(got)-30:], want[30:]) {
		t.Errorf("after the change: %v, want the end of %v", got, want)
	}
}

// TestDecoderVulkanRefused: who insists on the GPU is told why it does not decode.
func TestDecoderVulkanRefused(t *testing.T) {
	infos, _ := gpu.Probe()
	for i := range infos {
		if infos[i].Decode.Queues > 0 {
			t.Skip("this GPU decodes")
		}
	}
	path := filepath.Join(avtest.Media(t), "sample.mp4")
	for _, cfg := range []Config{
		{Media: path, Output: OutputNull, Decoder: DecoderVulkan},
		{Media: path, Output: OutputFrameMD5 + "-", Decoder: DecoderVulkan, Writer: io.Discard},
		{Media: path, Output: OutputOffscreen, Renderer: RendererCPU, Decoder: DecoderVulkan},
		{Media: path, Output: OutputNull, Decoder: DecoderVulkan, Audio: AudioNull}, // and not played without its picture
	} {
		if cfg.Audio == AudioAuto {
			cfg.Audio = AudioNone
		}
		p, err := Open(context.Background(), cfg)
		if err == nil {
			t.Errorf("%s: opened", cfg.Output)
			_ = p.Close()
			continue
		}
		if !errors.Is(err, media.ErrNotSupported) || !strings.Contains(err.Error(), "no decoder for h264") {
			t.Errorf("%s: %v", cfg.Output, err)
		}
	}
}

// TestGraphicsShared: players that share a GPU open it once, and it goes with the last.
func TestGraphicsShared(t *testing.T) {
	g := new(Graphics)
	want := graphicsConfig{device: "llvmpipe"}
	g.start(want)
	a, err := g.device()
	if err != nil {
		t.Skipf("needs lavapipe: %v", err)
	}
	g.start(want)
	if b, err := g.device(); err != nil || b != a {
		t.Errorf("the second user got %p, %v; want %p", b, err, a)
	}
	// Both notice that it was lost; it is opened again once.
	a.MarkLost()
	b, err := g.reopen(a, want)
	if err != nil || b == a || b.Lost() {
		t.Fatalf("reopened: %p, %v", b, err)
	}
	if c, err := g.reopen(a, want); err != nil || c != b {
		t.Errorf("the second to notice got %p, %v; want %p", c, err, b)
	}
	if err := g.stop(); err != nil {
		t.Error(err)
	}
	if b.Commands == nil || g.open == nil {
		t.Error("closed although somebody uses it")
	}
	if err := g.stop(); err != nil || g.open != nil {
		t.Errorf("the last user left: %v", err)
	}
}

// TestSinkWithoutGPU: when the output turns out not to show GPU pictures, and when
// pictures went with their device, they are dropped and counted.
func TestSinkWithoutGPU(t *testing.T) {
	lost := &gpu.Device{}
	lost.MarkLost()
	p := &Player{log: slog.New(slog.DiscardHandler)}
	s := &presenter{p: p, sink: closedSink{}}
	fine, gone := &media.Frame{GPU: &gpu.Picture{Device: &gpu.Device{}}}, &media.Frame{GPU: &gpu.Picture{Device: lost}}
	if s.unfit(&media.Frame{}) || s.unfit(fine) || !s.unfit(gone) {
		t.Error("a sink that shows GPU pictures drops the wrong ones")
	}
	p.gpuFrames.Store(true)
	s.lookAtSink()
	if !s.unfit(fine) || s.unfit(&media.Frame{}) || p.gpuFrames.Load() {
		t.Error("a sink that shows no GPU pictures keeps some")
	}
	if n := p.stats.unfit.Load(); n != 2 {
		t.Errorf("%d counted, want 2", n)
	}
}

// TestDecodingMoves: decoding goes from its goroutine to the presenting one and back at any
// moment, and no picture is lost or shown twice; nor after seeks and over the rounds of a
// loop.
func TestDecodingMoves(t *testing.T) {
	path := avtest.Encode(t, "mkv", 60, "-c:v", "libx264", "-g", "15", "-bf", "3", "-pix_fmt", "yuv420p")
	const step = time.Second / 30
	for name, every := range map[string]int{"never": 0, "often": 3, "at once": 1, "seldom": 25} {
		t.Run(name, func(t *testing.T) {
			var p *Player
			var at []time.Duration
			present := func(s *media.Scheduled) {
				at = append(at, s.Frame.Timebase.Duration(s.Frame.PTS))
				switch n := len(at); {
				case n == 100:
					if err := p.Seek(10 * step); err != nil {
						t.Error(err)
					}
				case every == 0:
					p.forceHere.Store(1)
				case n%every == 0:
					p.forceHere.Store(int32(1 - 2*(n/every&1)))
				}
			}
			var err error
			if p, err = Open(t.Context(), Config{Media: path, Output: OutputNull, Audio: AudioNone, MaxSpeed: true, Loop: true, Frames: 250, OnPresent: present}); err != nil {
				t.Fatal(err)
			}
			p.forceHere.Store(1)
			if err := p.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(at) != 250 {
				t.Fatalf("%d pictures", len(at))
			}
			for i := 1; i < len(at); i++ {
				if d := at[i] - at[i-1]; i != 100 && (d < step-time.Millisecond || d > step+time.Millisecond) {
					t.Errorf("picture %d: %v after the one before", i, d)
				}
			}
			if d := at[100] - at[0] - 10*step; d < -time.Millisecond || d > time.Millisecond {
				t.Errorf("%v off after the seek", d)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if n := p.Stats().Pool.InUseAtClose; n != 0 {
				t.Errorf("%d frames out", n)
			}
		})
	}
}

// TestSecondChances: a GPU that failed is tried again after 8, 16 and 32 keyframes, and then
// left alone; one that never worked is not.
func TestSecondChances(t *testing.T) {
	var c secondChance
	var at []int
	for n := range 1000 {
		if c.due() {
			c.take()
			at = append(at, n)
			c.fail() // again, with that very keyframe
		}
		c.key()
		if n == 99 {
			c.fail()
		}
	}
	// The keyframe that fails on the GPU is decoded in software and counts.
	if want := []int{108, 124, 156}; !slices.Equal(at, want) {
		t.Errorf("tried at keyframes %v, want %v", at, want)
	}
}
