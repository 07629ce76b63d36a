package audio

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/internal/sdl"
	"github.com/scanout-av/scanout/media"
)

// useSDL points SDL's audio at a driver and a server.
func useSDL(t *testing.T, driver, server string) {
	t.Helper()
	lib, err := sdl.Load()
	if err != nil {
		t.Skip(err)
	}
	lib.Setenv("SDL_AUDIODRIVER", driver)
	lib.Setenv("PULSE_SERVER", server)
}

// TestSDLPosition plays clicks through SDL's own PulseAudio driver. SDL does not say how
// long the server takes, so position is only asked to be within a tenth of a second.
func TestSDLPosition(t *testing.T) {
	server := avtest.Pulse(t)
	useSDL(t, "pulseaudio", server.Server)
	avtest.Try(t, func() error { return sdlPositionError(t, server) })
}

func sdlPositionError(t *testing.T, server *avtest.PulseServer) error {
	rec := server.Record(t, rt.Now)
	defer rec.Stop()
	s, err := Open(Config{Backend: SDL})
	if err != nil {
		t.Skip(err)
	}
	defer s.Close()
	t.Log(s.Choice())
	clicks := []time.Duration{300 * ms, 700 * ms}
	said := make([]media.Instant, len(clicks))
	look := func() {
		h, at, ok := s.Position()
		for i, c := range clicks {
			if ok && said[i] == 0 && h >= c {
				said[i] = at.Add(c - h)
			}
		}
	}
	s.SetVolume(1)
	play(t, s, tone(900*ms, clicks...), look)
	drain(t, s, look)
	var got []int
	if err := avtest.Eventually(func() bool { got = clicksIn(rec.Samples()); return len(got) >= len(clicks) }); err != nil {
		t.Fatalf("%d clicks recorded: %v", len(got), err)
	}
	if len(got) != len(clicks) {
		return fmt.Errorf("%d clicks recorded, want %d (underruns %d)", len(got), len(clicks), s.Underruns())
	}
	for i, c := range clicks {
		heard, ok := rec.SampleTime(got[i])
		if !ok {
			t.Fatal("nothing measured")
		}
		t.Logf("click at %v: position says %v after the recording does", c, said[i].Sub(heard))
		if e := said[i].Sub(heard); e.Abs() > 100*ms {
			return fmt.Errorf("click at %v: position is off by %v", c, e)
		}
	}
	if h, _, ok := s.Position(); !ok || h != 900*ms {
		t.Errorf("at the end: %v, %v", h, ok)
	}
	return nil
}

func TestSDLControls(t *testing.T) {
	useSDL(t, "dummy", "")
	s, err := Open(Config{Backend: SDL})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wait := func(what string, f func() bool) {
		t.Helper()
		if err := avtest.Eventually(f); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	write(t, s, 200*ms)
	wait("sound", func() bool { h, _, ok := s.Position(); return ok && h > 20*ms })
	s.Pause(true)
	h, _, _ := s.Position()
	if h2, _, ok := s.Position(); !ok || h2 != h {
		t.Errorf("position moves while paused: %v, %v", h, h2)
	}
	s.Pause(false)
	// All that was written may have been heard before the pause.
	wait("sound goes on", func() bool {
		if _, err := s.Write(tone(10 * ms)); err != nil {
			t.Fatal(err)
		}
		h2, _, _ := s.Position()
		return h2 > h
	})
	before := s.Underruns()
	s.Flush()
	if h, _, ok := s.Position(); ok || h != 0 || s.Buffered() != 0 {
		t.Errorf("after the flush: %v, %v", h, ok)
	}
	for range 2 {
		write(t, s, 50*ms)
		drain(t, s, nil)
	}
	if n := s.Underruns() - before; n != 1 {
		t.Errorf("%d underruns, want 1", n)
	}
	if h, _, _ := s.Position(); h != 100*ms {
		t.Errorf("position %v", h)
	}
	s.SetVolume(0.5)
	d := s.dev.(*sdlDevice)
	if d.factor != 0.125 {
		t.Errorf("half the volume multiplies by %v, want 1/8", d.factor)
	}
	s.SetMuted(true)
	if d.factor != 0 {
		t.Errorf("muted multiplies by %v", d.factor)
	}
}

func TestSDLAllocatesNothing(t *testing.T) {
	useSDL(t, "dummy", "")
	s, err := Open(Config{Backend: SDL})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	x := make([]float32, 96)
	if n := testing.AllocsPerRun(200, func() {
		if _, err := s.Write(x); err != nil {
			t.Fatal(err)
		}
		s.Room()
		s.Position()
		s.Buffered()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestNullAllocatesNothing(t *testing.T) {
	s, c := openNull(t)
	x := make([]float32, 96)
	if n := testing.AllocsPerRun(200, func() {
		c.advance(ms)
		if _, err := s.Write(x); err != nil {
			t.Fatal(err)
		}
		s.Room()
		s.Position()
		s.Buffered()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAuto(t *testing.T) {
	for _, v := range []string{"PULSE_SERVER", "PULSE_RUNTIME_PATH", "XDG_RUNTIME_DIR"} {
		t.Setenv(v, "")
	}
	t.Setenv("HOME", t.TempDir())
	useSDL(t, "nosuchdriver", "")
	auto := func(server string) string {
		t.Helper()
		s, err := Open(Config{Server: server})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		t.Log(s.Choice())
		if strings.Contains(s.Choice(), "\n") {
			t.Errorf("more than one line: %s", s.Choice())
		}
		return s.Name()
	}
	nowhere := "unix:" + t.TempDir() + "/none"
	if n := auto(nowhere); n != "null" {
		t.Errorf("without anything: %s", n)
	}
	useSDL(t, "dummy", "")
	if n := auto(nowhere); !strings.HasPrefix(n, "sdl") {
		t.Errorf("with SDL: %s", n)
	}
	if n := auto(avtest.Pulse(t).Server); !strings.HasPrefix(n, "pulse") {
		t.Errorf("with a server: %s", n)
	}
}
