package metrics

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/scanout-av/scanout/media"
)

// Entry is one frame's way from the network or file to the screen. Stamps that do not
// apply, or are not known yet, are 0.
type Entry struct {
	Number   uint64 // media.Scheduled.Number
	PTS      media.Timestamp
	Timebase media.Timebase
	Serial   uint32

	Received  media.Instant
	Assembled media.Instant
	Decoded   media.Instant
	Queued    media.Instant // handed to the pacer
	Target    media.Instant // when it should be on screen
	Submitted media.Instant
	OnScreen  media.Instant
	// Source says where OnScreen comes from.
	Source  media.PresentSource
	Refresh time.Duration
	Missed  int // refreshes
	Copies  int // CPU copies of a plane
}

// Latency returns the span from the first stamp that is known to OnScreen, 0 when the
// frame is not on screen yet.
func (e *Entry) Latency() time.Duration {
	if e.OnScreen == 0 {
		return 0
	}
	for _, t := range [...]media.Instant{e.Received, e.Assembled, e.Decoded, e.Queued, e.Submitted} {
		if t != 0 {
			return e.OnScreen.Sub(t)
		}
	}
	return 0
}

const entryWords = 13

// words packs e; unpack is its inverse.
func (e *Entry) words() [entryWords]uint64 {
	return [entryWords]uint64{
		e.Number, uint64(e.PTS), uint64(uint32(e.Timebase.Num))<<32 | uint64(uint32(e.Timebase.Den)),
		uint64(e.Received), uint64(e.Assembled), uint64(e.Decoded), uint64(e.Queued),
		uint64(e.Target), uint64(e.Submitted), uint64(e.OnScreen), uint64(e.Refresh),
		uint64(e.Serial)<<8 | uint64(e.Source), uint64(uint32(e.Missed))<<32 | uint64(uint32(e.Copies)),
	}
}

func (e *Entry) unpack(w *[entryWords]uint64) {
	*e = Entry{
		Number: w[0], PTS: media.Timestamp(w[1]), Timebase: media.Timebase{Num: int32(w[2] >> 32), Den: int32(w[2])},
		Received: media.Instant(w[3]), Assembled: media.Instant(w[4]), Decoded: media.Instant(w[5]), Queued: media.Instant(w[6]),
		Target: media.Instant(w[7]), Submitted: media.Instant(w[8]), OnScreen: media.Instant(w[9]), Refresh: time.Duration(w[10]),
		Serial: uint32(w[11] >> 8), Source: media.PresentSource(w[11]), Missed: int(int32(w[12] >> 32)), Copies: int(int32(w[12])),
	}
}

// Ledger keeps the latest frames' entries.
// Concurrency: Put and Present on one goroutine; reading from any, without holding the
// writer up.
type Ledger struct {
	slots []ledgerSlot
	last  atomic.Uint64
}

// ledgerSlot is a sequence lock: seq is odd while the words change. The words are atomics
// only so that a reader that comes at the wrong moment is wrong, and not undefined.
type ledgerSlot struct {
	seq   atomic.Uint64
	words [entryWords]atomic.Uint64
}

// LedgerConfig describes a ledger.
type LedgerConfig struct {
	Frames int // how many are kept; 0 is 1024
}

// NewLedger makes a ledger.
func NewLedger(cfg LedgerConfig) (*Ledger, error) {
	if cfg.Frames == 0 {
		cfg.Frames = 1024
	}
	if cfg.Frames < 1 || cfg.Frames > 1<<24 {
		return nil, fmt.Errorf("metrics: ledger of %d frames: want 1 to %d", cfg.Frames, 1<<24)
	}
	return &Ledger{slots: make([]ledgerSlot, cfg.Frames)}, nil
}

func (l *Ledger) slot(number uint64) *ledgerSlot { return &l.slots[number%uint64(len(l.slots))] }

// Put stores e under its number, which counts from 1, in place of the entry that is
// Frames older, or of an earlier state of the same frame.
func (l *Ledger) Put(e *Entry) {
	l.slot(e.Number).store(e)
	if e.Number > l.last.Load() {
		l.last.Store(e.Number)
	}
}

// Present adds what became of a frame to its entry; false when that is gone.
func (l *Ledger) Present(p *media.Presented) bool {
	var e Entry
	s := l.slot(p.Number)
	if !s.load(&e) || e.Number != p.Number || p.Number == 0 {
		return false
	}
	e.Target, e.Submitted, e.OnScreen, e.Source = p.Target, p.Submitted, p.Actual, p.Source
	e.Refresh, e.Missed, e.Copies = p.Refresh, p.Missed, p.Copies
	s.store(&e)
	return true
}

// Last returns the highest number stored, 0 when there is none.
func (l *Ledger) Last() uint64 { return l.last.Load() }

// Get reads the entry of a frame; false when there is none, or none any more.
func (l *Ledger) Get(number uint64, e *Entry) bool {
	return number > 0 && l.slot(number).load(e) && e.Number == number
}

// Latest fills dst with the newest entries, oldest first, and returns how many.
func (l *Ledger) Latest(dst []Entry) int {
	last := l.Last()
	n := 0
	for k := min(last, uint64(len(dst)), uint64(len(l.slots))); k > 0; k-- {
		if l.Get(last-k+1, &dst[n]) {
			n++
		}
	}
	return n
}

func (s *ledgerSlot) store(e *Entry) {
	w := e.words()
	s.seq.Add(1)
	for i := range w {
		s.words[i].Store(w[i])
	}
	s.seq.Add(1)
}

// load returns false when the writer was in the way every time: it has been stopped in
// the middle of a store, and waiting for it is not worth it.
func (s *ledgerSlot) load(e *Entry) bool {
	var w [entryWords]uint64
	for range 64 {
		seq := s.seq.Load()
		if seq&1 == 0 {
			for i := range w {
				w[i] = s.words[i].Load()
			}
			if s.seq.Load() == seq {
				e.unpack(&w)
				return true
			}
		}
		runtime.Gosched()
	}
	return false
}
