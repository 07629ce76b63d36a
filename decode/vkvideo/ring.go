package vkvideo

import (
	"sync"

	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/media"
)

// Ring is memory for access units that the GPU reads where they lie: segments of one
// size. Whoever makes access units (a depacketizer, a demuxer) may write them there, and
// the decoder then copies nothing:
//
//	s, mem := ring.Acquire()          // ok is false when all segments are in use
//	n := copy(mem, startCode, payload…) // Annex B
//	au := media.AccessUnit{Data: mem[:n], Owner: ring, Native: ring.Native(s)}
//
// Concurrency: any goroutine.
type Ring struct {
	buffer *gpu.Buffer
	mem    []byte
	size   int // of a segment

	mu   sync.Mutex
	free []int
	refs []int // 1: somebody has it; 2: the GPU reads it as well
}

// newRing divides mem into segments of a size that the device can read from the
// beginning of.
func newRing(buffer *gpu.Buffer, mem []byte, segments int) *Ring {
	r := &Ring{buffer: buffer, mem: mem, size: len(mem) / segments, free: make([]int, segments), refs: make([]int, segments)}
	for i := range r.free {
		r.free[i] = segments - 1 - i
	}
	return r
}

// Acquire takes a segment.
func (r *Ring) Acquire() (segment int, mem []byte, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.free)
	if n == 0 {
		return 0, nil, false
	}
	s := r.free[n-1]
	r.free = r.free[:n-1]
	r.refs[s] = 1
	return s, r.mem[s*r.size : (s+1)*r.size : (s+1)*r.size], true
}

// Native is the handle of an access unit in a segment.
func (r *Ring) Native(segment int) uintptr { return uintptr(segment) + 1 }

// ReclaimAccessUnit takes a segment back.
func (r *Ring) ReclaimAccessUnit(native uintptr) { r.release(int(native) - 1) }

func (r *Ring) retain(segment int) {
	r.mu.Lock()
	r.refs[segment]++
	r.mu.Unlock()
}

func (r *Ring) release(segment int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refs[segment]--; r.refs[segment] == 0 {
		r.free = append(r.free, segment)
	} else if r.refs[segment] < 0 {
		panic("vkvideo: segment released twice")
	}
}

// holds returns the segment that au lies in.
func (r *Ring) holds(au *media.AccessUnit) (segment int, ok bool) {
	if au.Owner != media.AccessUnitOwner(r) || au.Native == 0 || len(au.Data) == 0 {
		return 0, false
	}
	s := int(au.Native) - 1
	return s, s < len(r.refs) && len(au.Data) <= r.size && &au.Data[0] == &r.mem[s*r.size]
}

// inUse is how many segments are out.
func (r *Ring) inUse() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.refs) - len(r.free)
}
