package player

import (
	"os"
	"testing"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/internal/rt"
)

// connectedSink is a window whose events come by a file.
type connectedSink struct {
	closedSink
	fd int
}

func (c connectedSink) EventFD() int { return c.fd }

// TestCalmWindow: where nothing happens, the window's events are waited for: the sleep ends with
// them, with a command, and not before.
func TestCalmWindow(t *testing.T) {
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	defer in.Close()
	p := &Player{waiter: rt.NewWaiter(rt.SleepKernel)}
	p.stats.isWindow.Store(true)
	s := &presenter{p: p, sink: connectedSink{fd: int(out.Fd())}}
	s.watchEvents()
	if s.watch == nil {
		t.Fatal("events are not watched")
	}
	began := s.livened

	// For a while after something has happened they are looked at.
	s.livened = clock.Now().Add(time.Hour)
	lively := s.livened
	if s.rest(clock.Now().Add(time.Hour)); s.livened != lively {
		t.Error("watched although something has just happened")
	}

	s.livened = 0
	end := clock.Now().Add(300 * time.Millisecond)
	if s.rest(end); clock.Now() < end {
		t.Errorf("up %v before anything was due", end.Sub(clock.Now()))
	}
	p.waiter.Wake()
	if s.rest(clock.Now().Add(time.Hour)); s.livened != 0 {
		t.Error("a command counts as an event")
	}
	in.Write([]byte{1})
	if s.rest(clock.Now().Add(time.Hour)); s.livened < began {
		t.Error("an event does not end the sleep")
	}
	s.unwatchEvents()
	s.unwatchEvents()
	if s.watch != nil {
		t.Error("still watched")
	}
}
