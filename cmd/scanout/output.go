package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// outputGrace is how long a reader of standard output that reads no more may hold up the end
// of the program.
const outputGrace = time.Second

// output is standard output. It remembers an error: not every line that is printed looks at
// its own. Once the program shall end, no write waits for longer than outputGrace: a write to
// a pipe cannot be called off, so another goroutine makes it, and is left alone with it.
//
// Concurrency: any goroutine, one at a time.
type output struct {
	ctx   context.Context
	w     io.Writer
	grace func() <-chan time.Time // begins to wait for outputGrace

	mu   sync.Mutex
	once sync.Once
	ask  chan []byte
	done chan written
	err  error
	left bool // a write was given up
}

// written is what came of a write.
type written struct {
	n   int
	err error
}

func newOutput(ctx context.Context, w io.Writer) *output {
	return &output{ctx: ctx, w: w, grace: func() <-chan time.Time { return time.After(outputGrace) },
		ask: make(chan []byte), done: make(chan written, 1)}
}

// Write writes b.
// Ownership: borrowed; but when the error is os.ErrClosed, b may be read for ever.
// Errors: os.ErrClosed when it was given up, now or earlier.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.left {
		return 0, o.err
	}
	o.once.Do(func() { go o.serve() })
	o.ask <- b
	var r written
	select {
	case r = <-o.done:
	case <-o.ctx.Done():
		select {
		case r = <-o.done:
		case <-o.grace():
			o.left = true
			r.err = fmt.Errorf("standard output is not read: %w", os.ErrClosed)
		}
	}
	if r.err != nil && o.err == nil {
		o.err = r.err
	}
	return r.n, r.err
}

// end closes what is written to: whoever reads it knows that nothing follows.
func (o *output) end() error {
	if c, ok := o.w.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// close ends the goroutine that writes, unless it was left alone with a write.
func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.left {
		o.left, o.err = true, errors.Join(o.err, os.ErrClosed)
		close(o.ask)
	}
}

// serve makes the writes.
func (o *output) serve() {
	for b := range o.ask {
		n, err := o.w.Write(b)
		o.done <- written{n, err}
	}
}

// error returns the first error.
func (o *output) error() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// stalled reports whether a write was given up.
func (o *output) stalled() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.left
}
