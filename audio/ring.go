package audio

import "sync/atomic"

// ring is a queue of samples between the goroutine that writes and the one that feeds
// the device. It is this small because it copies floats in bulk; a queue of values is
// internal/ring.
// Concurrency: push on one goroutine, pop and drop on another; length from any.
type ring struct {
	b    []float32 // length is a power of two
	head atomic.Uint64
	_    [56]byte // producer and consumer write different cache lines
	tail atomic.Uint64
}

// newRing makes a ring that holds at least n samples.
func newRing(n int) *ring {
	size := 1
	for size < n {
		size <<= 1
	}
	return &ring{b: make([]float32, size)}
}

func (r *ring) length() int { return int(r.head.Load() - r.tail.Load()) }

func (r *ring) free() int { return len(r.b) - r.length() }

// push appends as much of x as fits and returns how much that was.
func (r *ring) push(x []float32) int {
	h := r.head.Load()
	n := min(len(x), len(r.b)-int(h-r.tail.Load()))
	at := int(h) & (len(r.b) - 1)
	k := copy(r.b[at:], x[:n])
	copy(r.b, x[k:n])
	r.head.Store(h + uint64(n))
	return n
}

// pop moves as much as there is, at most len(x), into x and returns how much that was.
func (r *ring) pop(x []float32) int {
	t := r.tail.Load()
	n := min(len(x), int(r.head.Load()-t))
	at := int(t) & (len(r.b) - 1)
	k := copy(x[:n], r.b[at:])
	copy(x[k:n], r.b)
	r.tail.Store(t + uint64(n))
	return n
}

// dropTo forgets everything before the producer's position p.
func (r *ring) dropTo(p uint64) {
	if int64(p-r.tail.Load()) > 0 {
		r.tail.Store(p)
	}
}
