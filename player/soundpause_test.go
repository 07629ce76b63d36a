package player

import (
	"sync"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/ring"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

// fullSink is a sound device that is full and holds so much.
type fullSink struct {
	AudioSink
	holds time.Duration
}

func (s fullSink) Channels() int           { return 2 }
func (s fullSink) Buffered() time.Duration { return s.holds }

// TestPausedSoundRests: during a pause the sound waits for its end, or a seek, instead of looking
// again and again whether a device that plays nothing has room.
func TestPausedSoundRests(t *testing.T) {
	fq, err := ring.New[picture](ring.Config{Capacity: frameRing})
	if err != nil {
		t.Fatal(err)
	}
	p := &Player{waiter: rt.NewWaiter(rt.SleepGo), fq: fq, info: &media.Info{Seekable: true}, asink: fullSink{holds: 60 * time.Millisecond},
		quit: make(chan struct{}), asked: make(chan struct{}, 1)}
	p.demand = sync.NewCond(&p.mu)
	o := newAudioOut(p)
	if d := o.untilRoom(); d != 30*time.Millisecond {
		t.Errorf("looks again after %v, want half of what can play", d)
	}
	for name, ask := range map[string]func(){
		"resume": func() { p.SetPaused(false) },
		"seek":   func() { _ = p.Seek(time.Second) },
		"step":   p.Step,
	} {
		p.paused.Store(true)
		if d := o.untilRoom(); d != pausedRest {
			t.Errorf("%s: looks again after %v during a pause", name, d)
		}
		ask()
		if !o.rest(time.Hour) { // which it would sleep
			t.Errorf("%s: ended", name)
		}
	}
	close(p.quit)
	if o.rest(time.Hour) {
		t.Error("the end of playback is not seen")
	}
}
