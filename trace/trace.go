// Package trace writes the life of every frame as a file that Perfetto (ui.perfetto.dev) and
// chrome://tracing open, and reads it back, so that what was seen on one machine can be
// looked into, and played through package pace, on another.
//
// Each frame has a row of its stages (receive, decode, queue, display), and a mark with all
// of its stamps in ns where it was shown or dropped, with the reason; each refresh that
// brought a new picture has a mark, too.
//
// Ownership: an [Event] is a value. The writer stays the caller's.
// Concurrency: Add from any goroutine, with a short lock; it never blocks and never
// allocates. Drain and Close on one, which may be slow.
// Units: instants are ns of CLOCK_MONOTONIC; the format's own stamps are µs of the same.
// Source: "Trace Event Format", the Chromium project.
package trace

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/scanout-av/scanout/media"
)

// Event is what became of one frame, or of a unit that was not decoded. Stamps that do not
// apply are 0.
type Event struct {
	Number uint64 // media.Scheduled.Number; 0 for a frame that was dropped
	Serial uint32
	PTS    time.Duration // in the media

	Received, Assembled, Decoded media.Instant
	Due                          media.Instant // when it should have been visible
	Target, Submitted, Actual    media.Instant
	Refresh                      time.Duration
	Source                       media.PresentSource
	Sequence                     uint64 // the display's own count of refreshes
	Missed                       int
	Discarded                    bool
	// Reanchored says that time started anew with this frame.
	Reanchored bool

	// Of a dropped frame: why, and when that was decided.
	Reason media.DropReason
	At     media.Instant
	// Behind is how many decoded frames waited behind it then.
	Behind int
}

// Config describes a recorder.
type Config struct {
	Writer io.Writer
	// Events is how many may wait to be written; 0 is 4096, half a minute of 120 fps. Those
	// that come when it is full are lost and counted.
	Events int
	// Name says what was played, in the file.
	Name string
}

// Recorder collects events and writes them.
type Recorder struct {
	w     io.Writer
	name  string
	text  []byte
	batch []Event
	any   bool
	err   error

	mu   sync.Mutex
	ring []Event
	head int
	n    int
	lost int64
}

// batchSize is how many events are formatted between two looks at the lock.
const batchSize = 64

// New makes a recorder.
func New(cfg Config) (*Recorder, error) {
	if cfg.Writer == nil {
		return nil, fmt.Errorf("trace: no writer")
	}
	if cfg.Events == 0 {
		cfg.Events = 4096
	}
	if cfg.Events < 1 || cfg.Events > 1<<22 {
		return nil, fmt.Errorf("trace: room for %d events: want 1 to %d", cfg.Events, 1<<22)
	}
	return &Recorder{w: cfg.Writer, name: cfg.Name, ring: make([]Event, cfg.Events), batch: make([]Event, batchSize),
		text: make([]byte, 0, batchSize*1024)}, nil
}

// Add records e.
func (r *Recorder) Add(e *Event) {
	r.mu.Lock()
	if r.n == len(r.ring) {
		r.lost++
	} else {
		r.ring[(r.head+r.n)%len(r.ring)] = *e
		r.n++
	}
	r.mu.Unlock()
}

// Lost returns how many events found no room.
func (r *Recorder) Lost() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost
}

func (r *Recorder) take() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := min(r.n, len(r.batch))
	for i := range k {
		r.batch[i] = r.ring[(r.head+i)%len(r.ring)]
	}
	r.head, r.n = (r.head+k)%len(r.ring), r.n-k
	return r.batch[:k]
}

// Drain writes what has been added.
// Errors: of the writer; after one nothing more is written.
func (r *Recorder) Drain() error {
	for r.err == nil {
		events := r.take()
		if len(events) == 0 {
			return nil
		}
		r.text = r.text[:0]
		r.begin()
		for i := range events {
			r.text = events[i].append(r.text)
		}
		r.flush()
	}
	return r.err
}

// Close writes the rest and the end of the file.
func (r *Recorder) Close() error {
	if err := r.Drain(); err != nil {
		return err
	}
	r.text = r.text[:0]
	r.begin()
	r.text = append(r.text, `{"name":"end","ph":"M","pid":1,"tid":1}`...)
	r.text = append(r.text, "\n],\"otherData\":{\"lost_events\":"...)
	r.text = strconv.AppendInt(r.text, r.Lost(), 10)
	r.text = append(r.text, "}}\n"...)
	r.flush()
	return r.err
}

func (r *Recorder) flush() {
	if _, err := r.w.Write(r.text); err != nil {
		r.err = fmt.Errorf("trace: %w", err)
	}
}

// begin writes the head of the file, once.
func (r *Recorder) begin() {
	if r.any {
		return
	}
	r.any = true
	r.text = append(r.text, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"...)
	for _, m := range []struct {
		what, name string
		tid        int
	}{{"process_name", "scanout " + r.name, tidFrames}, {"thread_name", "frames", tidFrames}, {"thread_name", "refreshes with a new picture", tidRefreshes}} {
		r.text = append(r.text, `{"name":"`...)
		r.text = append(r.text, m.what...)
		r.text = append(r.text, `","ph":"M","pid":1,"tid":`...)
		r.text = strconv.AppendInt(r.text, int64(m.tid), 10)
		r.text = append(r.text, `,"args":{"name":`...)
		r.text = appendText(r.text, m.name)
		r.text = append(r.text, "}},\n"...)
	}
}

// Tracks of the file.
const (
	tidFrames    = 1
	tidRefreshes = 2
)

// appendText appends s as a JSON string.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c < ' ':
			b = append(b, '?')
		default:
			b = append(b, string(c)...)
		}
	}
	return append(b, '"')
}

func appendMicros(b []byte, t media.Instant) []byte {
	t = max(t, 0)
	b = strconv.AppendInt(b, int64(t)/1000, 10)
	ns := int64(t) % 1000
	return append(b, '.', byte('0'+ns/100), byte('0'+ns/10%10), byte('0'+ns%10))
}

// stage appends one stage of the frame's row.
func (e *Event) stage(b []byte, name string, from, to media.Instant) []byte {
	if from == 0 || to <= from {
		return b
	}
	for _, p := range [...]struct {
		ph string
		at media.Instant
	}{{"b", from}, {"e", to}} {
		b = append(b, `{"cat":"frame","name":"`...)
		b = append(b, name...)
		b = append(b, `","ph":"`...)
		b = append(b, p.ph...)
		b = append(b, `","pid":1,"tid":1,"id":`...)
		b = strconv.AppendUint(b, e.id(), 10)
		b = append(b, `,"ts":`...)
		b = appendMicros(b, p.at)
		b = append(b, "},\n"...)
	}
	return b
}

// id tells rows apart: by the number of a shown frame, else by its time in the media.
func (e *Event) id() uint64 {
	if e.Number != 0 {
		return e.Number
	}
	return 1<<48 | uint64(e.PTS)>>10
}

// append appends e as lines of the file.
func (e *Event) append(b []byte) []byte {
	gone := e.Submitted
	if e.Reason != media.DropNone {
		gone = e.At
	}
	b = e.stage(b, "receive", e.Received, e.Assembled)
	b = e.stage(b, "decode", max(e.Assembled, e.Received), e.Decoded)
	b = e.stage(b, "queue", e.Decoded, gone)
	b = e.stage(b, "display", e.Submitted, e.Actual)
	if e.Actual != 0 {
		b = append(b, `{"name":"refresh","ph":"i","s":"t","pid":1,"tid":2,"ts":`...)
		b = appendMicros(b, e.Actual)
		b = append(b, "},\n"...)
	}
	b = append(b, `{"name":"`...)
	at := e.Actual
	switch {
	case e.Reason != media.DropNone:
		b = append(b, "dropped: "...)
		b = append(b, e.Reason.String()...)
		at = e.At
	case e.Discarded:
		b = append(b, "discarded by the display"...)
		at = e.Submitted
	case e.Actual == 0:
		b = append(b, "shown, not seen"...)
		at = e.Submitted
	default:
		b = append(b, "shown"...)
	}
	b = append(b, `","ph":"i","s":"t","pid":1,"tid":1,"ts":`...)
	b = appendMicros(b, at)
	b = append(b, `,"args":{"scanout":1`...)
	field := func(name string, v int64) {
		if v != 0 {
			b = append(b, `,"`...)
			b = append(b, name...)
			b = append(b, `":`...)
			b = strconv.AppendInt(b, v, 10)
		}
	}
	field("number", int64(e.Number))
	field("serial", int64(e.Serial))
	field("pts", int64(e.PTS))
	field("received", int64(e.Received))
	field("assembled", int64(e.Assembled))
	field("decoded", int64(e.Decoded))
	field("due", int64(e.Due))
	field("target", int64(e.Target))
	field("submitted", int64(e.Submitted))
	field("actual", int64(e.Actual))
	field("refresh", int64(e.Refresh))
	field("sequence", int64(e.Sequence))
	field("missed", int64(e.Missed))
	field("behind", int64(e.Behind))
	field("at", int64(e.At))
	if e.Discarded {
		b = append(b, `,"discarded":true`...)
	}
	if e.Reanchored {
		b = append(b, `,"reanchored":true`...)
	}
	if e.Source != media.PresentUnknown {
		b = append(b, `,"source":"`...)
		b = append(b, e.Source.String()...)
		b = append(b, '"')
	}
	if e.Reason != media.DropNone {
		b = append(b, `,"reason":"`...)
		b = append(b, e.Reason.String()...)
		b = append(b, '"')
	}
	return append(b, "}},\n"...)
}
