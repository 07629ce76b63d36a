package sdl

import (
	"errors"
	"testing"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/media"
)

func TestAudioDevice(t *testing.T) {
	s := load(t)
	s.Setenv("SDL_AUDIODRIVER", "dummy")
	d, err := s.OpenAudio(AudioConfig{Rate: 48000, Channels: 2, Samples: 512})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Driver() != "dummy" || d.Period() <= 0 || d.Lost() {
		t.Fatalf("driver %q, period %d, lost %v", d.Driver(), d.Period(), d.Lost())
	}
	x := make([]float32, 4800*2)
	if n := testing.AllocsPerRun(3, func() {
		if err := d.Queue(x); err != nil {
			t.Fatal(err)
		}
		d.Queued()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if q := d.Queued(); q != 4*4800 { // AllocsPerRun runs once more to warm up
		t.Errorf("paused: %d queued", q)
	}
	d.Clear()
	if q := d.Queued(); q != 0 {
		t.Errorf("cleared: %d queued", q)
	}
	if err := d.Queue(x); err != nil {
		t.Fatal(err)
	}
	d.Pause(false)
	if err := avtest.Eventually(func() bool { return d.Queued() == 0 }); err != nil {
		t.Errorf("playing: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Queue(x); !errors.Is(err, media.ErrDeviceLost) || !d.Lost() || d.Queued() != 0 {
		t.Errorf("closed: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestAudioErrors(t *testing.T) {
	s := load(t)
	for _, c := range []AudioConfig{{}, {Rate: 48000, Channels: 99, Samples: 512}, {Rate: 48000, Channels: 2}} {
		if d, err := s.OpenAudio(c); err == nil {
			d.Close()
			t.Errorf("%+v: no error", c)
		}
	}
	s.Setenv("SDL_AUDIODRIVER", "nosuchdriver")
	d, err := s.OpenAudio(AudioConfig{Rate: 48000, Channels: 2, Samples: 512})
	if err == nil {
		d.Close()
		t.Fatal("no error")
	}
	if !errors.Is(err, media.ErrNotSupported) {
		t.Error(err)
	}
	s.Setenv("SDL_AUDIODRIVER", "dummy")
}
