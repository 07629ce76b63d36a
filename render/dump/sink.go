package dump

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/scanout-av/scanout/media"
)

// Config says where a sink writes.
type Config struct {
	// Path is the file to create, or the folder for [NewPNG]; "-" is standard output.
	Path string
	// Writer takes the output instead of Path.
	// Ownership: Close closes it when it is an io.Closer.
	Writer io.Writer
	// Rate is the stream's nominal frame rate: the time base of framemd5 and Y4M's rate.
	// Not given, it is taken from the first frame.
	Rate media.Rational
	// Now is the monotonic clock for feedback; nil leaves Presented's stamps 0.
	Now func() media.Instant
}

func (c *Config) now() media.Instant {
	if c.Now == nil {
		return 0
	}
	return c.Now()
}

// sink is what the writing sinks share.
type sink struct {
	cfg      Config
	name     string
	w        *bufio.Writer
	c        io.Closer
	err      error // sticky
	closed   bool
	w0, h0   int // of the first frame
	feedback queue
}

const writeBytes = 256 << 10

// open creates the output.
func (s *sink) open(kind string, cfg Config) error {
	s.cfg, s.name = cfg, kind
	out := cfg.Writer
	switch {
	case out != nil:
	case cfg.Path == "-":
		// Standard output is the process's: not closed here.
		s.w, s.name = bufio.NewWriterSize(os.Stdout, writeBytes), kind+" on standard output"
		return nil
	case cfg.Path == "":
		return fmt.Errorf("dump: %s: no file to write: give a path, or - for standard output", kind)
	default:
		f, err := os.Create(cfg.Path)
		if err != nil {
			return fmt.Errorf("dump: cannot write %s (choose another place): %w", kind, err)
		}
		out, s.name = f, kind+" "+cfg.Path
	}
	s.w = bufio.NewWriterSize(out, writeBytes)
	s.c, _ = out.(io.Closer)
	return nil
}

// Name says what is written where.
func (s *sink) Name() string { return s.name }

// Display describes no display: nothing waits, stamps are those of writing.
func (s *sink) Display() media.Display {
	return media.Display{Width: s.w0, Height: s.h0, Source: media.PresentImmediate}
}

// Begin never waits.
func (s *sink) Begin(media.Instant) error { return s.err }

// Feedback pops the oldest report.
func (s *sink) Feedback(p *media.Presented) bool { return s.feedback.pop(p) }

// Poll has no events: there is no window.
func (s *sink) Poll(*media.Event) bool { return false }

// Close flushes and closes the output.
// Errors: what Present has not reported yet.
func (s *sink) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	if s.err == nil && s.w != nil {
		err = s.w.Flush()
	}
	if s.c != nil {
		err = errors.Join(err, s.c.Close())
	}
	if s.err == nil && err != nil {
		s.err = fmt.Errorf("dump: finish %s: %w", s.name, err)
		return s.err
	}
	return nil
}

// begin checks s and its frame; present calls finish in the end, whatever happened.
func (s *sink) begin(f *media.Frame) error {
	switch {
	case s.err != nil:
		return s.err
	case s.closed:
		return fmt.Errorf("dump: present on %s: %w", s.name, os.ErrClosed)
	}
	if err := f.Check(); err != nil {
		return fmt.Errorf("dump: %s: %w", s.name, err)
	}
	if s.w0 == 0 {
		s.w0, s.h0 = f.Width, f.Height
	}
	return nil
}

// failed makes a write error sticky.
func (s *sink) failed(err error) error {
	if err != nil {
		s.err = fmt.Errorf("dump: write %s: %w", s.name, err)
	}
	return s.err
}

// report queues feedback for a frame that was written.
func (s *sink) report(sc *media.Scheduled, copies int) {
	now := s.cfg.now()
	f := sc.Frame
	s.feedback.push(&media.Presented{
		Number: sc.Number, PTS: f.PTS, Timebase: f.Timebase, Serial: f.Serial, Target: sc.Target,
		Submitted: now, Actual: now, Source: media.PresentImmediate, Copies: copies,
	})
}

// queue holds feedback until it is asked for; the oldest is lost when nobody asks.
type queue struct {
	at       [64]media.Presented
	first, n int
}

func (q *queue) push(p *media.Presented) {
	if q.n == len(q.at) {
		q.first = (q.first + 1) % len(q.at)
		q.n--
	}
	q.at[(q.first+q.n)%len(q.at)] = *p
	q.n++
}

func (q *queue) pop(p *media.Presented) bool {
	if q.n == 0 {
		return false
	}
	*p = q.at[q.first]
	q.first = (q.first + 1) % len(q.at)
	q.n--
	return true
}

// rate returns the configured rate, or one per tick or per frame of f.
func (s *sink) rate(f *media.Frame) media.Rational {
	r := s.cfg.Rate
	if r.Valid() || !f.Timebase.Valid() {
		return r.Reduce()
	}
	num, den := int64(f.Timebase.Den), int64(f.Timebase.Num)
	if f.Duration > 0 && int64(f.Duration) < 1<<31 {
		den *= int64(f.Duration)
	}
	for den > 1<<31-1 {
		num, den = num/2, den/2
	}
	return media.Rational{Num: int32(max(num, 1)), Den: int32(den)}.Reduce()
}
