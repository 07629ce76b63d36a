package rtp

import (
	"sync"

	"github.com/scanout-av/scanout/media"
)

// unitStore is the memory of access units: blocks that are used again.
//
// Concurrency: any goroutine; a decoder gives units back on its own.
type unitStore struct {
	mu     sync.Mutex
	blocks [][]byte // by number − 1; a block keeps its size while it is out
	free   []int32
	bytes  int // of all blocks
	limit  int
}

const (
	minBlock = 16 << 10
	// blocksAhead is how many units may wait for their decoders before the lists grow.
	blocksAhead = 1100
)

func newUnitStore(limit int) *unitStore {
	return &unitStore{limit: limit, blocks: make([][]byte, 0, blocksAhead), free: make([]int32, 0, blocksAhead)}
}

// get returns an empty block of at least size bytes, and its number; false when the limit
// is reached.
func (s *unitStore) get(size int) (b []byte, n int32, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The newest that is large enough, of the last few: its memory is warm.
	for i := len(s.free) - 1; i >= 0 && i >= len(s.free)-16; i-- {
		k := s.free[i]
		if cap(s.blocks[k-1]) >= size {
			s.free = append(s.free[:i], s.free[i+1:]...)
			return s.blocks[k-1][:0], k, true
		}
	}
	n = 0
	if len(s.free) > 0 { // one that is too small is made larger
		n = s.free[len(s.free)-1]
	}
	have := 0
	if n != 0 {
		have = cap(s.blocks[n-1])
	}
	if s.bytes-have+size > s.limit {
		return nil, 0, false
	}
	if n != 0 {
		s.free = s.free[:len(s.free)-1]
	} else {
		s.blocks = append(s.blocks, nil)
		n = int32(len(s.blocks))
	}
	s.bytes += size - have
	s.blocks[n-1] = make([]byte, 0, size)
	return s.blocks[n-1], n, true
}

// ReclaimAccessUnit takes a block back.
func (s *unitStore) ReclaimAccessUnit(n uintptr) {
	s.mu.Lock()
	s.free = append(s.free, int32(n))
	s.mu.Unlock()
}

// out is how many blocks are in use; for tests.
func (s *unitStore) out() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.blocks) - len(s.free)
}

// queue holds finished units until they are read.
//
// Concurrency: any goroutine.
type queue struct {
	mu    sync.Mutex
	ready sync.Cond
	units []media.AccessUnit // a ring
	head  int
	n     int
	err   error // once it is empty
	// direct takes units instead, when it is set.
	direct func(*media.AccessUnit) bool
}

// maxQueued bounds the units that wait to be read: about four seconds of two streams.
const maxQueued = 512

func newQueue() *queue {
	q := &queue{units: make([]media.AccessUnit, maxQueued)}
	q.ready.L = &q.mu
	return q
}

// push appends au; false when the queue is full or has ended.
func (q *queue) push(au *media.AccessUnit) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil && q.direct != nil {
		return q.direct(au)
	}
	if q.n == len(q.units) || q.err != nil {
		return false
	}
	q.units[(q.head+q.n)%len(q.units)] = *au
	q.n++
	if q.n == 1 {
		q.ready.Signal()
	}
	return true
}

// divert hands units to f from now on, first those that wait.
func (q *queue) divert(f func(*media.AccessUnit) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.direct = f
	for ; q.n > 0; q.n-- {
		au := &q.units[q.head]
		if !f(au) {
			au.Release()
		}
		*au = media.AccessUnit{}
		q.head = (q.head + 1) % len(q.units)
	}
}

// pop waits for a unit.
func (q *queue) pop(au *media.AccessUnit) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.n == 0 {
		if q.err != nil {
			return q.err
		}
		q.ready.Wait()
	}
	*au = q.units[q.head]
	q.units[q.head] = media.AccessUnit{}
	q.head = (q.head + 1) % len(q.units)
	q.n--
	return nil
}

// end makes pop return err once the queue is empty, or at once.
func (q *queue) end(err error, now bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil || now {
		q.err = err
	}
	if now {
		q.drop()
	}
	q.ready.Broadcast()
}

func (q *queue) drop() {
	for ; q.n > 0; q.n-- {
		q.units[q.head].Release()
		q.head = (q.head + 1) % len(q.units)
	}
}

// oldest is when the first packet of the oldest unit came, 0 when the queue is empty.
func (q *queue) oldest() media.Instant {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n == 0 {
		return 0
	}
	return q.units[q.head].Received
}

// dropBefore drops the units of a stream and reports how many.
func (q *queue) dropBefore(stream int) (dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	kept := 0
	for i := range q.n {
		au := &q.units[(q.head+i)%len(q.units)]
		if au.Stream == stream {
			au.Release()
			dropped++
			continue
		}
		if kept != i {
			q.units[(q.head+kept)%len(q.units)] = *au
			*au = media.AccessUnit{}
		}
		kept++
	}
	q.n = kept
	return dropped
}
