package player

import (
	"sync"
	"time"
)

// soundLine maps what the audio device has played since its last flush to media time. The
// two run side by side until sound is resampled or the timeline jumps: each such place is a
// point, from which on media time goes on at another speed or from another place.
// Concurrency: any goroutine; a short lock.
type soundLine struct {
	mu     sync.Mutex
	serial uint32
	points [32]soundPoint
	n      int // points since the flush; the newest of them are kept
	// shift is the silence that puts the beginning of the sound on a refresh.
	shift   time.Duration
	aligned bool
}

// soundPoint says that the sound heard out after the flush is of media time at, and goes on
// at speed.
type soundPoint struct {
	out, at time.Duration
	speed   float64
}

// reset forgets everything: what is heard from now on is of serial, and not known yet.
func (l *soundLine) reset(serial uint32) {
	l.mu.Lock()
	l.serial, l.n, l.shift, l.aligned = serial, 0, 0, false
	l.mu.Unlock()
}

// align begins the sound of serial later by shift than it would. It is called while nothing
// but silence has been written.
func (l *soundLine) align(serial uint32, shift time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.serial == serial && l.n > 0 && !l.aligned {
		l.points[0].at -= shift
		l.shift, l.aligned = shift, true
	}
}

// alignment returns what align was called with, if it was.
func (l *soundLine) alignment(serial uint32) (shift time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shift, l.aligned && l.serial == serial
}

// add appends a point. Points at the same place replace each other.
func (l *soundLine) add(p soundPoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n > 0 {
		if last := &l.points[(l.n-1)%len(l.points)]; last.out >= p.out {
			*last = p
			return
		}
	}
	l.points[l.n%len(l.points)] = p
	l.n++
}

// at returns the media time of what is heard; ok is false when that is not known for serial.
func (l *soundLine) at(serial uint32, heard time.Duration) (at time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.serial != serial || l.n == 0 {
		return 0, false
	}
	p := &l.points[max(0, l.n-len(l.points))%len(l.points)]
	for i := l.n - 1; i >= max(0, l.n-len(l.points)); i-- {
		if q := &l.points[i%len(l.points)]; q.out <= heard {
			p = q
			break
		}
	}
	return p.at + time.Duration(float64(heard-p.out)*p.speed), true
}

// known reports whether there is sound of serial.
func (l *soundLine) known(serial uint32) bool {
	_, ok := l.at(serial, 0)
	return ok
}
