package player

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

// lateSink is an audio device that says where it is only once it has played for a while, as
// sound servers do. What it says first, and of which of its samples the sound begins, is noted.
type lateSink struct {
	AudioSink
	tells  time.Duration
	first  atomic.Int64 // the first position that was told
	silent atomic.Int64 // samples per channel before the first that is not 0
	heard  atomic.Bool
}

func (s *lateSink) Position() (time.Duration, media.Instant, bool) {
	heard, at, ok := s.AudioSink.Position()
	if !ok || heard < s.tells {
		return 0, 0, false
	}
	s.first.CompareAndSwap(0, int64(heard))
	return heard, at, true
}

func (s *lateSink) Write(samples []float32) (int, error) {
	n, err := s.AudioSink.Write(samples)
	for _, v := range samples[:n] {
		if v != 0 {
			s.heard.Store(true)
		}
	}
	if !s.heard.Load() {
		s.silent.Add(int64(n / s.Channels()))
	}
	return n, err
}

// TestSoundLead checks on slow and fast displays that no sound is played before the device has
// said where it is: the pictures that belong to that sound would all be late.
func TestSoundLead(t *testing.T) {
	for _, hz := range []float64{60, 120} {
		t.Run(fmt.Sprintf("%v Hz", hz), func(t *testing.T) {
			dev := &lateSink{tells: 45 * time.Millisecond}
			p, err := Open(context.Background(), Config{Media: "pattern:size=64x48,rate=60,duration=500ms", Output: OutputNull, Audio: AudioNull,
				Refresh: hz, aroundAudio: func(s AudioSink) AudioSink { dev.AudioSink = s; return dev }})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if err := p.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			silent := time.Duration(dev.silent.Load()) * time.Second / time.Duration(dev.Rate())
			if least := dev.tells + 2*primeStep; !dev.heard.Load() || silent < least {
				t.Errorf("the sound begins after %v, want %v at least: the device says where it is after %v", silent, least, dev.tells)
			}
			if dev.first.Load() < int64(dev.tells) {
				t.Errorf("the device told of %v", time.Duration(dev.first.Load()))
			}
		})
	}
}
