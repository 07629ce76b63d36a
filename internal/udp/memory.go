package udp

import (
	"fmt"
	"sync/atomic"
)

// memory is the packet memory: one mapping, cut into slots of one packet each and slabs
// that take a whole train of packets.
//
// Free slots are two lists: what the receiver has at hand, and what others have released
// since. Releasing pushes on the second one; the receiver takes that one whole when its
// own is empty. Nobody pops single elements from the shared list, so that no element can
// come back behind somebody's back. Only when both are empty is a slot taken that was
// never used: as many go round as are needed, and the cache and the page tables know them.
type memory struct {
	data   []byte
	slot   int // bytes from one slot to the next
	slots  int
	slab   int
	slabs  int
	next   []uint32       // of the free list the element is in: index + 1, 0 for the end
	lent   []atomic.Int32 // packets that refer to the element
	free   [2]freeList    // of slots and of slabs
	refs   atomic.Int64   // packets that are lent out, and one for the connection
	unmaps func([]byte)
}

type freeList struct {
	released atomic.Uint32
	_        [60]byte // releasing on another core leaves the receiver's line alone
	own      uint32
	fresh    uint32 // elements from here to end were never used
	end      uint32
}

const (
	slotList = 0
	slabList = 1
)

func newMemory(slots, slot, slabs, slab int) (*memory, error) {
	m := &memory{slot: slot, slots: slots, slab: slab, slabs: slabs}
	var err error
	if m.data, m.unmaps, err = mapMemory(slots*slot + slabs*slab); err != nil {
		return nil, fmt.Errorf("packet memory of %d KiB: %w", (slots*slot+slabs*slab)>>10, err)
	}
	m.next = make([]uint32, slots+slabs)
	m.lent = make([]atomic.Int32, slots+slabs)
	m.refs.Store(1)
	m.free[slotList].end = uint32(slots)
	m.free[slabList].fresh, m.free[slabList].end = uint32(slots), uint32(slots+slabs)
	return m, nil
}

func (m *memory) list(i uint32) *freeList {
	if int(i) < m.slots {
		return &m.free[slotList]
	}
	return &m.free[slabList]
}

// bytes is the memory of element i.
func (m *memory) bytes(i uint32) []byte {
	if n := int(i); n < m.slots {
		return m.data[n*m.slot : (n+1)*m.slot : (n+1)*m.slot]
	}
	at := m.slots*m.slot + (int(i)-m.slots)*m.slab
	return m.data[at : at+m.slab : at+m.slab]
}

// take returns a free element of a list. Only the receiver calls it.
func (m *memory) take(list int) (i uint32, ok bool) {
	f := &m.free[list]
	if f.own == 0 {
		if f.own = f.released.Swap(0); f.own == 0 {
			if f.fresh == f.end {
				return 0, false
			}
			f.fresh++
			return f.fresh - 1, true
		}
	}
	i = f.own - 1
	f.own = m.next[i]
	return i, true
}

// putOwn gives back an element that the receiver took and nobody else has seen.
func (m *memory) putOwn(i uint32) {
	f := m.list(i)
	m.next[i] = f.own
	f.own = i + 1
}

// lend says that n packets refer to element i.
func (m *memory) lend(i uint32, n int) {
	m.lent[i].Store(int32(n))
	m.refs.Add(int64(n))
}

// release takes back one packet of element i.
func (m *memory) release(i uint32) {
	switch left := m.lent[i].Add(-1); {
	case left < 0:
		panic("udp: a packet was released twice")
	case left == 0:
		f := &m.list(i).released
		for {
			old := f.Load()
			m.next[i] = old
			if f.CompareAndSwap(old, i+1) {
				break
			}
		}
	}
	m.unref()
}

// unref drops one reference to the mapping; the last one unmaps it.
func (m *memory) unref() {
	if m.refs.Add(-1) == 0 {
		m.unmaps(m.data)
		m.data = nil
	}
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }
