package pattern

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

func livePattern(t *testing.T, url string, slots int) *Source {
	t.Helper()
	c, err := ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := framepool.New(framepool.Config{Slots: slots, SlotBytes: framepool.FrameBytes(media.I420, 64, 64, 0)})
	if err != nil {
		t.Fatal(err)
	}
	c.Pool = pool
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestLive reads a live pattern to its end: no picture comes before its moment, each is
// stamped, and those that nobody asked for in time are missed and counted.
func TestLive(t *testing.T) {
	s := livePattern(t, "pattern:size=64x64,rate=200,duration=300ms,live=1,beep=off", 2)
	if in := s.Info(); !in.Live || in.Seekable || !in.LocalTime {
		t.Errorf("info %+v", in)
	}
	read := int64(0)
	last := media.Timestamp(-1)
	for {
		f, err := s.ReadFrame()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if at := s.moment(int64(f.PTS)); f.Received < at || rt.Now() < f.Received {
			t.Errorf("frame %d received %v before its moment", f.PTS, at.Sub(f.Received))
		}
		if v, err := ReadFrameNumber(f); err != nil || media.Timestamp(v) != f.PTS || f.PTS <= last {
			t.Errorf("frame %d says that it is %d and comes after %d: %v", f.PTS, v, last, err)
		}
		last = f.PTS
		f.Release()
		read++
		if read == 10 {
			rt.SleepUntil(s.moment(int64(last) + 8)) // nobody is there for a while
		}
	}
	if read+s.Missed() != 60 || s.Missed() < 6 {
		t.Errorf("%d read and %d missed, want 60 in all", read, s.Missed())
	}
}

// TestLiveInterrupt ends waits for a picture and for sound.
func TestLiveInterrupt(t *testing.T) {
	s := livePattern(t, "pattern:size=64x64,rate=1/1000,live=1", 2)
	f, err := s.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	f.Release()
	done := make(chan error, 2)
	go func() { _, err := s.ReadFrame(); done <- err }()
	go func() {
		var b media.AudioBlock
		for {
			if err := s.ReadAudio(&b); err != nil {
				done <- err
				return
			}
		}
	}()
	s.Interrupt()
	for range 2 {
		if err := <-done; !errors.Is(err, os.ErrClosed) {
			t.Errorf("got %v", err)
		}
	}
	if err := s.Seek(time.Second); !errors.Is(err, media.ErrNotSupported) {
		t.Errorf("seek: %v", err)
	}
}
