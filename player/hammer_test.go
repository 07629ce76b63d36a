package player_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

// TestCommandsFromEverywhere sends commands from four goroutines while media plays, stands
// or loops, and closes it at a moment that the seed decides. Whatever happens, Run and
// Close return, and no frame is kept.
func TestCommandsFromEverywhere(t *testing.T) {
	coded := patternFile(t, "pattern:size=64x64,rate=50,duration=2s", "a.mkv", append(h264, "-c:a", "pcm_s16le")...)
	for _, c := range []struct {
		name string
		cfg  player.Config
	}{
		{"pattern", player.Config{Media: "pattern:size=64x64,rate=50,duration=2s"}},
		{"pattern, loop", player.Config{Media: "pattern:size=64x64,rate=50,duration=200ms", Loop: true}},
		{"pattern, paused", player.Config{Media: "pattern:size=64x64,rate=50", Paused: true}},
		{"file", player.Config{Media: coded}},
		{"file, loop", player.Config{Media: coded, Loop: true}},
		{"file, paused, no sound", player.Config{Media: coded, Paused: true, Audio: player.AudioNone}},
	} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("%s, seed %d", c.name, seed), func(t *testing.T) {
				t.Parallel() // most of the time is waited
				cfg := c.cfg
				cfg.Output, cfg.Renderer, cfg.Refresh = player.OutputNull, player.RendererCPU, 100
				if seed%2 == 1 {
					cfg.Output = player.OutputOffscreen
				}
				if cfg.Audio == "" {
					cfg.Audio = player.AudioNull
				}
				hammer(t, cfg, seed)
			})
		}
	}
}

func hammer(t *testing.T, cfg player.Config, seed uint64) {
	p := open(t, cfg)
	ended := make(chan error)
	go func() { ended <- p.Run(context.Background()) }()
	var workers sync.WaitGroup
	for w := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, w))
		workers.Go(func() {
			for range 40 + r.IntN(40) {
				switch r.IntN(8) {
				case 0, 1, 2:
					if err := p.Seek(time.Duration(r.Int64N(int64(2200 * time.Millisecond)))); err != nil {
						t.Error(err)
					}
				case 3:
					p.SetPaused(!p.Paused())
				case 4:
					p.Step()
				case 5:
					p.SetVolume(r.Float64() * 2)
				case 6:
					p.ToggleMute()
				case 7:
					_ = p.Stats()
					_ = p.Position()
				}
				time.Sleep(time.Duration(r.IntN(10)) * time.Millisecond)
			}
		})
	}
	if seed == 0 {
		workers.Wait()
	} else {
		time.Sleep(time.Duration(rand.New(rand.NewPCG(seed, 99)).IntN(400)) * time.Millisecond)
	}
	var closers sync.WaitGroup
	for range 2 {
		closers.Go(func() {
			if err := p.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	closers.Wait()
	workers.Wait()
	if err := <-ended; err != nil && !errors.Is(err, os.ErrClosed) { // closed before it began
		t.Errorf("run: %v", err)
	}
	closed(t, p)
}

// TestSeeksEndWhereTheLastOneLed seeks many times in a row: what plays on is what the last
// one asked for.
func TestSeeksEndWhereTheLastOneLed(t *testing.T) {
	// So long that no machine stands still for the rest of it.
	coded := patternFile(t, "pattern:size=64x64,rate=50,duration=30s", "a.mkv", append(h264, "-c:a", "pcm_s16le")...)
	for _, name := range []string{"pattern:size=64x64,rate=50,duration=30s", coded} {
		for _, loop := range []bool{false, true} {
			t.Run(fmt.Sprintf("%.7s, loop %v", name, loop), func(t *testing.T) {
				t.Parallel()
				shown := make(chan time.Duration, 100_000) // more than is ever shown: nothing waits for the test
				p := open(t, player.Config{Media: name, Output: player.OutputNull, Audio: player.AudioNull, Refresh: 100, Loop: loop,
					OnPresent: func(s *media.Scheduled) { shown <- s.Frame.Timebase.Duration(s.Frame.PTS) }})
				ended := make(chan error)
				go func() { ended <- p.Run(context.Background()) }()
				next := func() time.Duration {
					t.Helper()
					select {
					case at := <-shown:
						return at
					case err := <-ended:
						t.Fatalf("playback ended: %v", err)
						return 0
					}
				}
				next()
				for range 10 {
					for _, to := range []time.Duration{3 * time.Second, 0, time.Second, 2500 * time.Millisecond} {
						if err := p.Seek(to); err != nil {
							t.Error(err)
						}
					}
					// A picture that was about to be shown may still come before.
					last := time.Duration(-1)
					for i := 0; last != 2500*time.Millisecond; i++ {
						if last = next(); i > 500 {
							t.Fatal("the picture at 2.5 s is not shown")
						}
					}
					// A machine that stands still for a moment loses pictures, but never goes back.
					if at := next(); at <= last {
						t.Errorf("after %v comes %v", last, at)
					}
				}
				if pos := p.Position(); pos < 2500*time.Millisecond {
					t.Errorf("position %v after a seek to 2.5 s", pos)
				}
				closed(t, p)
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestSeekBetweenLooks seeks at a moment at which the presenter has already looked at its
// commands, and decodes what the seek led to before it takes pictures: the first of them
// is shown all the same.
func TestSeekBetweenLooks(t *testing.T) {
	const at = 100 * time.Millisecond
	var p *player.Player
	var shown []time.Duration
	var sought bool
	p = open(t, player.Config{Media: "pattern:size=64x64,rate=50,duration=200ms", Output: player.OutputNull, Audio: player.AudioNone, Refresh: 100,
		OnPresent: func(s *media.Scheduled) { shown = append(shown, s.Frame.Timebase.Duration(s.Frame.PTS)) },
		OnPresented: func(fb *media.Presented) {
			if fb.Timebase.Duration(fb.PTS) != 180*time.Millisecond || sought {
				return // only the last one: no picture is waiting any more
			}
			sought = true
			decoded := p.Stats().Decoded
			if err := p.Seek(at); err != nil {
				t.Error(err)
			}
			if avtest.Eventually(func() bool { return p.Stats().Decoded >= decoded+3 }) != nil {
				t.Error("nothing is decoded after a seek")
			}
		}})
	if err := p.Run(context.Background()); err != nil {
		t.Error(err)
	}
	closed(t, p)
	// On a machine that stands still pictures before it may be missing.
	if i := slices.Index(shown, 180*time.Millisecond); i < 0 || i+1 >= len(shown) || shown[i+1] != at {
		t.Errorf("shown: %v, want %v behind 180ms", shown, at)
	}
}

// TestPosition says at any time where playback is or is about to be: who seeks on from there,
// as keys do, gets on.
func TestPosition(t *testing.T) {
	coded := patternFile(t, "pattern:size=64x64,rate=50,duration=4s,beep=off", "a.mkv", h264...)
	slides := patternFile(t, "pattern:size=64x64,rate=1/2,duration=8s,beep=off", "b.mkv", h264...)
	for _, name := range []string{"pattern:size=64x64,rate=50,duration=4s", coded, slides, "pattern:size=64x64,rate=1/2,duration=8s"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			shown := make(chan struct{}, 1000)
			p := open(t, player.Config{Media: name, Output: player.OutputNull, Refresh: 100, Audio: player.AudioNone, Paused: true,
				OnPresent: func(*media.Scheduled) { shown <- struct{}{} }})
			ended := make(chan error)
			go func() { ended <- p.Run(context.Background()) }()
			<-shown
			for range 5 {
				for _, to := range []time.Duration{3 * time.Second, time.Second, 2 * time.Second} {
					if err := p.Seek(to); err != nil {
						t.Fatal(err)
					}
					for there := false; !there; {
						select {
						case <-shown:
							there = true
						default:
						}
						if at := p.Position(); at != to {
							t.Fatalf("after a seek to %v playback is at %v, the picture there: %v", to, at, there)
						}
					}
				}
			}
			closed(t, p)
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPositionInLoop ends in the third round of a loop.
func TestPositionInLoop(t *testing.T) {
	const url = "pattern:size=64x64,rate=50,duration=200ms,beep=off"
	for _, name := range []string{url, patternFile(t, url, "a.mkv", h264...)} {
		s := play(t, player.Config{Media: name, Output: player.OutputNull, MaxSpeed: true, Loop: true, Frames: 25})
		if s.Position != 80*time.Millisecond {
			t.Errorf("%s: at %v, want 80ms", filepath.Base(name), s.Position)
		}
	}
}
