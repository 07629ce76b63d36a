package player

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/media"
)

// resizingSink is out of date for the first few pictures that are drawn again.
type resizingSink struct {
	lossySink
	expose         atomic.Bool
	refuse         int
	asked, redrawn atomic.Int64
}

func (s *resizingSink) Present(d *media.Scheduled) error {
	if !d.Repeat {
		return s.lossySink.Present(d)
	}
	d.Frame.Release()
	s.asked.Add(1)
	if s.refuse--; s.refuse >= 0 {
		return media.ErrOutOfDate
	}
	s.redrawn.Add(1)
	return nil
}

func (s *resizingSink) Poll(e *media.Event) bool {
	if !s.expose.Swap(false) {
		return false
	}
	*e = media.Event{Kind: media.EventExpose}
	return true
}

// TestRedrawWhenOutOfDate: a paused picture that a window did not take, because its size
// changed once more, is drawn again without another event.
func TestRedrawWhenOutOfDate(t *testing.T) {
	p, err := Open(context.Background(), Config{Media: "pattern:size=64x64,rate=50,duration=60s", Audio: AudioNull, Output: OutputNull})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s := &resizingSink{lossySink: lossySink{t: t}, refuse: 2}
	p.newSink = func() (VideoSink, error) { return s, nil }
	p.Play()
	if err := avtest.Eventually(func() bool { return p.Stats().Presented > 0 }); err != nil {
		t.Fatal(err)
	}
	p.Pause()
	if err := avtest.Eventually(p.clk.Paused); err != nil {
		t.Fatal(err)
	}
	s.expose.Store(true)
	if err := avtest.Eventually(func() bool { return s.redrawn.Load() > 0 }); err != nil {
		t.Errorf("asked %d times, drawn %d times: %v", s.asked.Load(), s.redrawn.Load(), err)
	}
	if n := s.asked.Load(); n != 3 {
		t.Errorf("drawn again %d times, want 3", n)
	}
}

// TestRedrawOfSlides: a window whose size changes is drawn again although there is a next
// picture, when that is seconds away.
func TestRedrawOfSlides(t *testing.T) {
	p, err := Open(context.Background(), Config{Media: "pattern:size=64x64,rate=1/60,duration=600s", Audio: AudioNull, Output: OutputNull})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s := &resizingSink{lossySink: lossySink{t: t}}
	p.newSink = func() (VideoSink, error) { return s, nil }
	p.Play()
	if err := avtest.Eventually(func() bool { return p.Stats().Presented > 0 && p.fq.Len() > 0 }); err != nil {
		t.Fatal(err)
	}
	s.expose.Store(true)
	if err := avtest.Eventually(func() bool { return s.redrawn.Load() > 0 }); err != nil {
		t.Errorf("not drawn again: %v", err)
	}
}
