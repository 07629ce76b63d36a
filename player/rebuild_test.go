package player

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/media"
)

// lossySink loses its device at frame loseAt: a real device cannot be made to.
type lossySink struct {
	t       *testing.T
	loseAt  int // 0: never
	inBegin bool
	lost    bool
	closed  bool
	shown   []media.Timestamp
	repeats int
	reports []media.Presented
}

func (s *lossySink) Name() string { return "lossy" }
func (s *lossySink) Display() media.Display {
	return media.Display{Width: 64, Height: 64, Refresh: time.Second / 50, Source: media.PresentSimulated}
}

func (s *lossySink) lose() error {
	s.lost = true
	s.reports = nil // what was in flight is never reported
	return media.ErrDeviceLost
}

func (s *lossySink) Begin(media.Instant) error {
	if s.closed || s.lost {
		s.t.Error("Begin on a sink that is lost or closed")
	}
	if s.inBegin && s.loseAt > 0 && len(s.shown) >= s.loseAt {
		return s.lose()
	}
	return nil
}

func (s *lossySink) Present(d *media.Scheduled) error {
	defer d.Frame.Release()
	if s.closed || s.lost {
		s.t.Error("Present on a sink that is lost or closed")
	}
	if d.Repeat {
		s.repeats++
		return nil
	}
	if !s.inBegin && s.loseAt > 0 && len(s.shown) >= s.loseAt {
		return s.lose()
	}
	s.shown = append(s.shown, d.Frame.PTS)
	now := clock.Now()
	s.reports = append(s.reports, media.Presented{Number: d.Number, PTS: d.Frame.PTS, Timebase: d.Frame.Timebase, Serial: d.Frame.Serial,
		Target: d.Target, Submitted: now, Actual: now, Refresh: time.Second / 50, Source: media.PresentSimulated})
	return nil
}

func (s *lossySink) Feedback(p *media.Presented) bool {
	// Three frames are always in flight.
	if len(s.reports) <= 3 {
		return false
	}
	*p, s.reports = s.reports[0], s.reports[1:]
	return true
}

func (s *lossySink) Poll(*media.Event) bool { return false }

func (s *lossySink) Close() error {
	if s.closed {
		s.t.Error("closed twice")
	}
	s.closed = true
	return nil
}

// lossyPlayer is a player whose sinks lose their device as often as loseAt has entries.
func lossyPlayer(t *testing.T, inBegin bool, loseAt ...int) (*Player, *[]*lossySink) {
	t.Helper()
	p, err := Open(context.Background(), Config{Media: "pattern:size=64x64,rate=50,duration=2s", Audio: AudioNull, Output: OutputNull})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	sinks := new([]*lossySink)
	p.newSink = func() (VideoSink, error) {
		s := &lossySink{t: t, inBegin: inBegin}
		if n := len(*sinks); n < len(loseAt) {
			s.loseAt = loseAt[n]
			if s.loseAt < 0 {
				return nil, errors.New("no device")
			}
		}
		*sinks = append(*sinks, s)
		return s, nil
	}
	return p, sinks
}

// TestDeviceLost goes on where the device was lost, on a new one.
func TestDeviceLost(t *testing.T) {
	for _, inBegin := range []bool{false, true} {
		avtest.Try(t, func() error { return deviceLost(t, inBegin) })
	}
}

func deviceLost(t *testing.T, inBegin bool) error {
	p, sinks := lossyPlayer(t, inBegin, 20, 20)
	if err := p.Run(context.Background()); err != nil {
		t.Fatalf("run: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if n := p.Stats().Pool.InUseAtClose; n != 0 {
		t.Errorf("%d frames are still out after close", n)
	}
	if len(*sinks) != 3 {
		t.Fatalf("%d sinks were opened, want 3", len(*sinks))
	}
	last := media.Timestamp(-1)
	total := 0
	for i, s := range *sinks {
		if !s.closed {
			t.Errorf("sink %d was not closed", i)
		}
		if i > 0 && s.repeats == 0 && s.shown[0] > last+10 {
			t.Errorf("the new device shows nothing between %d and %d", last, s.shown[0])
		}
		for _, v := range s.shown {
			if v <= last {
				t.Errorf("sink %d shows %d after %d", i, v, last)
			}
			last = v
		}
		total += len(s.shown)
	}
	if last != 99 {
		t.Errorf("the last picture is %d, want 99", last)
	}
	// A picture is lost with each device; what was in flight then must not look like
	// pictures that still wait.
	if total < 80 {
		return fmt.Errorf("%d pictures shown of 100: %+v", total, p.pacer.Stats())
	}
	return nil
}

// TestDeviceLostForGood ends with the reason: when no device opens, and when each is lost
// again.
func TestDeviceLostForGood(t *testing.T) {
	p, _ := lossyPlayer(t, false, 5, -1)
	if err := p.Run(context.Background()); err == nil || errors.Is(err, media.ErrDeviceLost) {
		t.Errorf("run: %v, want why no device opens", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	p, sinks := lossyPlayer(t, false, 5, 1, 1, 1, 1, 1, 1)
	if err := p.Run(context.Background()); !errors.Is(err, media.ErrDeviceLost) {
		t.Errorf("run: %v, want that the device was lost", err)
	}
	if len(*sinks) != 1+maxRebuilds {
		t.Errorf("%d devices were opened, want %d", len(*sinks), 1+maxRebuilds)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if n := p.Stats().Pool.InUseAtClose; n != 0 {
		t.Errorf("%d frames are still out after close", n)
	}
}
