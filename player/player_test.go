package player_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scanout-av/scanout/ingest/pattern"
	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// play runs cfg to its end and returns what came of it.
func play(t *testing.T, cfg player.Config) player.Stats {
	t.Helper()
	p := open(t, cfg)
	if err := p.Run(context.Background()); err != nil {
		t.Fatalf("run: %v", err)
	}
	return closed(t, p)
}

func open(t *testing.T, cfg player.Config) *player.Player {
	t.Helper()
	p, err := player.Open(context.Background(), cfg)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// closed closes p and checks that nothing was kept.
func closed(t *testing.T, p *player.Player) player.Stats {
	t.Helper()
	if err := p.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	s := p.Stats()
	if s.Pool.InUseAtClose != 0 {
		t.Errorf("%d frames are still out after close", s.Pool.InUseAtClose)
	}
	return s
}

// numbers collects the numbers of the pattern's frames as they are shown.
type numbers struct {
	t    *testing.T
	seen []uint32
}

func (n *numbers) add(s *media.Scheduled) {
	v, err := pattern.ReadFrameNumber(s.Frame)
	if err != nil {
		n.t.Errorf("frame %d: %v", s.Number, err)
	}
	n.seen = append(n.seen, v)
}

func (n *numbers) consecutive(from uint32) {
	n.t.Helper()
	for i, v := range n.seen {
		if v != from+uint32(i) {
			n.t.Errorf("frame %d shows number %d, want %d", i, v, from+uint32(i))
			return
		}
	}
}

const small = "pattern:size=320x180,rate=50,"

func TestEveryFrameInOrder(t *testing.T) {
	n := &numbers{t: t}
	s := play(t, player.Config{Media: small + "duration=2s", Output: player.OutputNull, MaxSpeed: true, OnPresent: n.add})
	if s.Presented != 100 || s.Dropped != 0 || len(n.seen) != 100 {
		t.Errorf("%d shown, %d dropped, want 100 and 0", s.Presented, s.Dropped)
	}
	n.consecutive(0)
}

// TestPacedWithSound plays a second in real time on a simulated display, with the null
// sink as the clock.
func TestPacedWithSound(t *testing.T) {
	n := &numbers{t: t}
	s := play(t, player.Config{Media: small + "duration=1s", Output: player.OutputNull, Audio: player.AudioNull, Refresh: 100, OnPresent: n.add})
	if s.Presented+s.Dropped != 50 {
		t.Errorf("%d shown + %d dropped, want 50", s.Presented, s.Dropped)
	}
	if s.AVOffset.Count == 0 {
		t.Error("no A/V offsets were measured")
	}
	if s.Elapsed < 900*time.Millisecond {
		t.Errorf("a second of media took %v", s.Elapsed)
	}
	if !strings.Contains(s.Audio, "null") {
		t.Errorf("audio is %q", s.Audio)
	}
}

// TestSoundSetsInLate plays on a display with the media's own rate: the second picture has no
// moment before the sound is heard, and its turn after that.
func TestSoundSetsInLate(t *testing.T) {
	avtest.Try(t, func() error {
		n := &numbers{t: t}
		play(t, player.Config{Media: small + "duration=200ms", Output: player.OutputNull, Audio: player.AudioNull, OnPresent: n.add})
		if len(n.seen) < 2 || n.seen[1] != 1 {
			return fmt.Errorf("the pictures %v were shown, want 1 behind 0", n.seen)
		}
		return nil
	})
}

func TestLimits(t *testing.T) {
	base := player.Config{Media: small + "duration=10s", Output: player.OutputNull, MaxSpeed: true}
	for _, c := range []struct {
		name string
		set  func(*player.Config)
		want int64
		from uint32
	}{
		{"frames", func(c *player.Config) { c.Frames = 7 }, 7, 0},
		{"duration", func(c *player.Config) { c.Duration = 400 * time.Millisecond }, 20, 0},
		{"start", func(c *player.Config) { c.Start = 9 * time.Second }, 50, 450},
		{"start and duration", func(c *player.Config) { c.Start, c.Duration = 2*time.Second, 100*time.Millisecond }, 5, 100},
		{"loop and frames", func(c *player.Config) { c.Media, c.Loop, c.Frames = small+"duration=1s", true, 120 }, 120, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := base
			c.set(&cfg)
			n := &numbers{t: t}
			cfg.OnPresent = n.add
			s := play(t, cfg)
			if s.Presented != c.want {
				t.Errorf("%d frames shown, want %d", s.Presented, c.want)
			}
			if len(n.seen) == 0 || n.seen[0] != c.from {
				t.Errorf("starts with %v, want %d", n.seen[:min(1, len(n.seen))], c.from)
			}
			if cfg.Loop {
				for i, v := range n.seen {
					if v != uint32(i%50) {
						t.Fatalf("frame %d of the loop shows %d", i, v)
					}
				}
			}
		})
	}
}

// TestSeekWhilePaused shows where a seek leads although nothing plays.
func TestSeekWhilePaused(t *testing.T) {
	shown := make(chan uint32, 1000)
	p := open(t, player.Config{Media: small + "duration=60s", Output: player.OutputNull, Audio: player.AudioNone, Paused: true,
		OnPresent: func(s *media.Scheduled) {
			v, err := pattern.ReadFrameNumber(s.Frame)
			if err != nil {
				t.Error(err)
			}
			shown <- v
		}})
	ended := make(chan error)
	go func() { ended <- p.Run(context.Background()) }()
	if v := <-shown; v != 0 {
		t.Fatalf("starts with frame %d", v)
	}
	for _, to := range []time.Duration{30 * time.Second, 10 * time.Second, 0, 59 * time.Second} {
		if err := p.Seek(to); err != nil {
			t.Fatal(err)
		}
		want := uint32(to / (20 * time.Millisecond))
		if v := <-shown; v != want {
			t.Fatalf("seek to %v shows frame %d, want %d", to, v, want)
		}
	}
	p.Step()
	if v := <-shown; v != 2951 {
		t.Errorf("a single step shows frame %d, want 2951", v)
	}
	closed(t, p)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestCloseAtAnyTime(t *testing.T) {
	for _, output := range []player.Output{player.OutputNull, player.OutputOffscreen} {
		for _, run := range []string{"never started", "started", "cancelled", "in the middle"} {
			t.Run(string(output)+" "+run, func(t *testing.T) {
				if output == player.OutputOffscreen && run == "never started" {
					return // the same as null: the sink is opened by Run
				}
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				mid := make(chan struct{}, 1)
				p, err := player.Open(ctx, player.Config{Media: small, Output: output, Audio: player.AudioNull, Renderer: renderer(),
					OnPresent: func(s *media.Scheduled) {
						if s.Number == 10 {
							mid <- struct{}{}
						}
					}})
				if err != nil {
					t.Fatal(err)
				}
				switch run {
				case "started":
					p.Play()
				case "cancelled":
					cancel()
					if err := p.Run(ctx); err != nil {
						t.Errorf("run with a cancelled context: %v", err)
					}
				case "in the middle":
					p.Play()
					<-mid
				}
				closed(t, p)
				if err := p.Close(); err != nil {
					t.Errorf("second close: %v", err)
				}
			})
		}
	}
}

// renderer is what draws on the test machine: Vulkan where there is a device.
func renderer() player.Renderer { return player.RendererAuto }

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	text := dir + "/text.mp4"
	if err := os.WriteFile(text, bytes.Repeat([]byte("this is not a film\n"), 100), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := dir + "/empty.mkv"
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cfg  player.Config
		kind error
		says string
	}{
		{"nothing", player.Config{}, player.ErrConfig, "nothing to play"},
		{"missing file", player.Config{Media: dir + "/none.mp4"}, player.ErrMedia, "none.mp4"},
		{"directory", player.Config{Media: dir}, player.ErrMedia, "is a folder"},
		{"text", player.Config{Media: text}, player.ErrMedia, "text.mp4"},
		{"empty", player.Config{Media: empty}, player.ErrMedia, "empty"},
		{"bad pattern", player.Config{Media: "pattern:size=0x0"}, player.ErrMedia, "size"},
		{"bad key", player.Config{Media: "pattern:colour=red"}, player.ErrMedia, "color"},
		{"bad output", player.Config{Media: "pattern:", Output: "screen"}, player.ErrConfig, "window, offscreen"},
		{"output without path", player.Config{Media: "pattern:", Output: "png:"}, player.ErrConfig, "path"},
		{"bad y4m", player.Config{Media: "-", Input: strings.NewReader("YUV4MPEG3 W2 H2\n")}, player.ErrMedia, "YUV4MPEG2"},
		{"no input", player.Config{Media: "-"}, player.ErrMedia, "standard input"},
		{"bad volume", player.Config{Media: "pattern:", Volume: 7}, player.ErrConfig, "volume"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := player.Open(context.Background(), c.cfg)
			if err == nil {
				p.Close()
				t.Fatal("opened")
			}
			if !errors.Is(err, c.kind) {
				t.Errorf("%q is not about %v", err, c.kind)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q does not say %q", err, c.says)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

func TestUnwritableOutput(t *testing.T) {
	for _, o := range []player.Output{"framemd5:/nonexistent/dir/x", "y4m:/nonexistent/dir/x", "png:/proc/nonexistent"} {
		p := open(t, player.Config{Media: small + "duration=1s", Output: o})
		err := p.Run(context.Background())
		if !errors.Is(err, player.ErrOutput) {
			t.Errorf("%s: %v is not about the output", o, err)
		}
		closed(t, p)
	}
}
