package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// stalledWriter takes what it is told to and blocks on the rest until it is closed.
type stalledWriter struct {
	takes   int
	blocked chan struct{} // closed when it does
	end     chan struct{}
}

func (w *stalledWriter) Write(b []byte) (int, error) {
	if w.takes--; w.takes >= 0 {
		return len(b), nil
	}
	close(w.blocked)
	<-w.end
	return 0, io.ErrClosedPipe
}

// A write that blocks is waited for as long as the program shall run, and for a while more,
// but not for ever; and every later one fails at once.
func TestOutputStalls(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := &stalledWriter{takes: 1, blocked: make(chan struct{}), end: make(chan struct{})}
	defer close(w.end)
	o := newOutput(ctx, w)
	graced := make(chan time.Time)
	waits := make(chan struct{})
	o.grace = func() <-chan time.Time { close(waits); return graced }
	if n, err := o.Write([]byte("abc")); n != 3 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	done := make(chan error)
	go func() {
		_, err := o.Write([]byte("def"))
		done <- err
	}()
	<-w.blocked
	select {
	case <-waits:
		t.Fatal("it is given up while the program shall run")
	default:
	}
	cancel()
	<-waits
	graced <- time.Time{}
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("given up: %v", err)
	}
	if _, err := o.Write([]byte("ghi")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("afterwards: %v", err)
	}
	if !o.stalled() || !errors.Is(o.error(), os.ErrClosed) {
		t.Errorf("stalled %v, %v", o.stalled(), o.error())
	}
	o.close()
}

// What is written after the end of the program was asked for still arrives.
func TestOutputAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := &stalledWriter{takes: 3}
	o := newOutput(ctx, w)
	o.grace = func() <-chan time.Time { return nil } // for ever
	for range 3 {
		if n, err := o.Write([]byte("abc")); n != 3 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if o.stalled() || o.error() != nil {
		t.Errorf("stalled %v, %v", o.stalled(), o.error())
	}
	o.close()
	if _, err := o.Write([]byte("abc")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// A trace goes to standard output when that is its name.
func TestTraceToStandardOutput(t *testing.T) {
	t.Parallel()
	r := play("-o", "null", "--audio", "none", "--frames", "3", "--trace", "-", "pattern:size=64x48").run(t)
	var events any
	if err := json.Unmarshal([]byte(r.out), &events); err != nil || r.code != exitOK || !strings.Contains(r.out, `"shown"`) {
		t.Errorf("code %d, %v: %.200q", r.code, err, r.out)
	}
}
