package file

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// What makes a blocked call of libavformat's return: the interrupt callback reads it.
const (
	stopNot   = 0
	stopUser  = 1 // Interrupt or Close; stays
	stopLate  = 2 // the call took too long
	stopBloat = 3 // the call took too much memory
)

const (
	// watchEvery is how often a call is looked at that takes long.
	watchEvery = 50 * time.Millisecond
	// patience is how many looks at a call find out nothing but the time.
	patience = 6
	// maxGrowth is how much memory one call may take: what describes a stream is small, and
	// probing is bounded by probesize. A server that sends a description without end would
	// take all there is.
	maxGrowth = 384 << 20
)

var (
	errLate   = errors.New("timed out")
	errCircle = errors.New("its playlists name ever more playlists, in a circle perhaps: refused")
	errTalk   = errors.New("it answers on and on and describes nothing, with redirects in a circle perhaps: refused")
	errFlood  = errors.New("it sends on and on and nothing of it can be played: refused")
	errBloat  = errors.New("what it sends to describe itself is larger than that of any stream: refused as hostile or broken")
)

// watchdog ends calls of libavformat's that take too long or too much memory. Protocols
// have time limits of their own, but not all of them, and none that covers a whole call.
type watchdog struct {
	stop   *atomic.Int32
	growth int64 // how much memory a call may take

	mu       sync.Mutex
	deadline time.Time // of the call under way; zero: none
	timer    *time.Timer
	ticking  bool
	calls    int   // how many calls there have been
	watched  int   // which of them was looked at last
	looks    int   // at that one
	base     int64 // memory when that was asked for first, 0: not yet
	first    int64 // memory before the call under way, 0: not known
}

func newWatchdog(stop *atomic.Int32) *watchdog { return &watchdog{stop: stop, growth: maxGrowth} }

// begin says that a call begins, which may take d; 0 is for ever.
func (w *watchdog) begin(d time.Duration) { w.beginFrom(d, 0) }

// beginFrom says the same of a call before which there was that much memory: it is looked
// at from the first look on.
func (w *watchdog) beginFrom(d time.Duration, memory int64) {
	if d <= 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline, w.first = time.Now().Add(d), memory
	w.calls++
	if w.ticking {
		return // it looks at this call next
	}
	w.ticking = true
	if w.timer == nil {
		w.timer = time.AfterFunc(watchEvery, w.look)
	} else {
		w.timer.Reset(watchEvery)
	}
}

// end says that the call has ended, and why, if that was the watchdog's doing.
func (w *watchdog) end() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = time.Time{}
	switch {
	case w.stop.CompareAndSwap(stopLate, stopNot):
		return errLate
	case w.stop.CompareAndSwap(stopBloat, stopNot):
		return errBloat
	}
	return nil
}

// look is what the timer calls. Between calls it stops.
func (w *watchdog) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.deadline.IsZero() {
		w.ticking = false
		return
	}
	if w.watched != w.calls {
		w.watched, w.looks, w.base = w.calls, 0, w.first
	}
	// Most calls end at once; memory is looked at in those that do not, because asking costs
	// garbage, and in those that open something.
	if w.looks++; w.looks >= patience || w.base != 0 {
		switch m := anonymousMemory(); {
		case w.base == 0:
			w.base = m
		case m-w.base > w.growth:
			w.stop.CompareAndSwap(stopNot, stopBloat)
		}
	}
	if time.Now().After(w.deadline) {
		w.stop.CompareAndSwap(stopNot, stopLate)
	}
	w.timer.Reset(watchEvery)
}

// close stops the timer.
func (w *watchdog) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = time.Time{}
	if w.timer != nil {
		w.timer.Stop()
	}
	w.ticking = true // begin starts nothing any more
}

// anonymousMemory is the process's resident memory without mappings of files and frames,
// 0 where the system does not say.
func anonymousMemory() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := bytes.Fields(b)
	if len(f) < 3 {
		return 0
	}
	resident, err1 := strconv.ParseInt(string(f[1]), 10, 64)
	shared, err2 := strconv.ParseInt(string(f[2]), 10, 64)
	if err1 != nil || err2 != nil {
		return 0
	}
	return (resident - shared) * int64(os.Getpagesize())
}
