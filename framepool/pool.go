// Package framepool keeps decoded pictures in one mapping that a GPU can import and
// that no garbage collector looks at.
//
// A pool is a fixed number of slots of equal size. [Pool.Get] lends a slot as a
// [media.Frame] with one reference; its last Release puts the slot back. A decoder that
// counts references itself (FFmpeg's buffers) takes bare slots with [Pool.GetSlot] and
// [Pool.PutSlot]. Slots are reused last in, first out, so that a short queue touches few
// pages and finds them in the cache.
//
// When no slot is free, Get fails with [ErrExhausted], [Pool.Wait] waits, and a decoder
// that can do neither takes memory elsewhere and calls [Pool.CountFallback].
package framepool

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"github.com/scanout-av/scanout/media"
)

// ErrExhausted says that every slot is taken.
var ErrExhausted = errors.New("framepool: no free slot")

// PageBytes is the alignment of slots, and what GPU imports of host memory ask for.
const PageBytes = 4096

const maxSlots = 1<<15 - 2

// HugeMode says which pages back the mapping.
type HugeMode uint8

// Huge page modes. Each falls back to the one before it when the system has none;
// [Stats].HugePages says what came of it.
const (
	HugeOff     HugeMode = iota
	HugeTHP              // transparent huge pages, advised
	HugeHugetlb          // reserved huge pages (vm.nr_hugepages)
)

// Config describes a pool.
type Config struct {
	Slots     int // 1…32766
	SlotBytes int // rounded up to whole pages; see [FrameBytes]
	HugePages HugeMode
	// Trace records who took each slot, for the leak report of [Pool.Close]. It costs
	// about a microsecond for each Get: for tests.
	Trace bool
}

// Stats are a pool's counters.
type Stats struct {
	Slots, InUse, Peak int
	Gets, Fallbacks    int64
	// HugePages says which pages back the mapping and, after a fallback, why.
	HugePages string
}

// Pool is a fixed set of equal slots in one mapping.
//
// Concurrency: every method from any goroutine, lock-free, except Close and Prefault:
// one goroutine.
type Pool struct {
	// head is the whole state of the free list in one word, so that taking, returning and
	// closing are one compare-and-swap each. See type headWord.
	head atomic.Uint64
	_    [56]byte

	next   []atomic.Int32 // the free slot below this one, −1 at the bottom
	state  []atomic.Uint32
	frames []media.Frame
	traces []trace // nil unless Config.Trace

	slotBytes int
	mem       mapping

	gets      atomic.Int64
	fallbacks atomic.Int64
	peak      atomic.Int32

	waiters atomic.Int32
	freed   chan struct{} // one token: something was freed
	closed  chan struct{}
}

// headWord packs tag (32 bits, against ABA), slots in use (16), closed (1), top of the
// free list + 1 (15; 0 is empty).
type headWord uint64

func (h headWord) top() int32   { return int32(h&0x7fff) - 1 }
func (h headWord) closed() bool { return h&0x8000 != 0 }
func (h headWord) used() int32  { return int32(h >> 16 & 0xffff) }

func makeHead(tag uint32, used int32, closed bool, top int32) headWord {
	h := headWord(tag)<<32 | headWord(used)<<16 | headWord(top+1)
	if closed {
		h |= 0x8000
	}
	return h
}

// Slot states.
const (
	slotFree uint32 = iota
	slotRaw
	slotFrame
)

// New makes a pool. Memory is committed at first touch; see [Pool.Prefault].
// Ownership: the caller closes the pool.
func New(cfg Config) (*Pool, error) {
	if cfg.Slots < 1 || cfg.Slots > maxSlots {
		return nil, fmt.Errorf("framepool: %d slots: want 1 to %d", cfg.Slots, maxSlots)
	}
	const maxBytes = 1 << 40
	if cfg.SlotBytes < 1 || cfg.SlotBytes > maxBytes/cfg.Slots {
		return nil, fmt.Errorf("framepool: %d slots of %d bytes: want 1 byte to 1 TiB in all", cfg.Slots, cfg.SlotBytes)
	}
	if cfg.HugePages > HugeHugetlb {
		return nil, fmt.Errorf("framepool: unknown huge page mode %d", cfg.HugePages)
	}
	slotBytes := roundUp(cfg.SlotBytes, PageBytes)
	mem, err := newMapping(cfg.Slots*slotBytes, cfg.HugePages)
	if err != nil {
		return nil, fmt.Errorf("framepool: map %d MiB (use fewer slots or smaller frames): %w", cfg.Slots*slotBytes>>20, err)
	}
	p := &Pool{
		next:      make([]atomic.Int32, cfg.Slots),
		state:     make([]atomic.Uint32, cfg.Slots),
		frames:    make([]media.Frame, cfg.Slots),
		slotBytes: slotBytes,
		mem:       mem,
		freed:     make(chan struct{}, 1),
		closed:    make(chan struct{}),
	}
	if cfg.Trace {
		p.traces = make([]trace, cfg.Slots)
	}
	for i := range p.next {
		p.next[i].Store(int32(i) + 1)
	}
	p.next[cfg.Slots-1].Store(-1)
	p.head.Store(uint64(makeHead(0, 0, false, 0)))
	return p, nil
}

// Get takes a free slot as an empty frame with one reference; it never blocks.
// Ownership: the frame is the caller's; its last Release returns the slot.
// Shape: the frame has no planes yet; see [Pool.Layout].
// Errors: [ErrExhausted]; [os.ErrClosed].
func (p *Pool) Get() (*media.Frame, error) {
	i := p.pop(slotFrame)
	if i < 0 {
		return nil, p.why()
	}
	return p.arm(i), nil
}

// Wait is [Pool.Get] that waits for a slot until cancel is closed or receives.
// Errors: [os.ErrClosed] when cancelled or when the pool is closed.
func (p *Pool) Wait(cancel <-chan struct{}) (*media.Frame, error) {
	if i := p.pop(slotFrame); i >= 0 {
		return p.arm(i), nil
	}
	// Announce the wait before looking again: whoever frees a slot after that look sees
	// the waiter and leaves a token.
	p.waiters.Add(1)
	defer p.waiters.Add(-1)
	for {
		if i := p.popAndPassOn(); i >= 0 {
			return p.arm(i), nil
		}
		select {
		case <-p.freed:
		case <-cancel:
			return nil, os.ErrClosed
		case <-p.closed:
			return nil, os.ErrClosed
		}
	}
}

// popAndPassOn takes a slot for a waiter. Several slots that came back while several
// waiters were about to sleep left one token, so whoever has it passes it on.
func (p *Pool) popAndPassOn() int32 {
	i := p.pop(slotFrame)
	if i >= 0 && p.waiters.Load() > 1 && headWord(p.head.Load()).top() >= 0 {
		p.signal()
	}
	return i
}

// GetSlot takes a bare slot for a caller that counts references itself; it never blocks.
// ok is false when none is free or the pool is closed.
// Ownership: the caller returns the slot with [Pool.PutSlot], exactly once.
func (p *Pool) GetSlot() (slot int32, ok bool) {
	slot = p.pop(slotRaw)
	return slot, slot >= 0
}

// PutSlot returns a slot taken with [Pool.GetSlot]. A slot that is not out, or out as a
// frame, panics.
func (p *Pool) PutSlot(slot int32) {
	if slot < 0 || int(slot) >= len(p.state) {
		panic(fmt.Sprintf("framepool: PutSlot of slot %d in a pool of %d", slot, len(p.state)))
	}
	p.push(slot, slotRaw)
}

// reclaimer is the pool as a [media.FrameOwner]; apart, so that ReclaimFrame is not part
// of Pool's API.
type reclaimer Pool

func (r *reclaimer) ReclaimFrame(f *media.Frame) {
	p := (*Pool)(r)
	if f.Slot < 0 || int(f.Slot) >= len(p.frames) || f != &p.frames[f.Slot] {
		panic("framepool: a foreign frame came back")
	}
	p.push(f.Slot, slotFrame)
}

func (p *Pool) arm(i int32) *media.Frame {
	f := &p.frames[i]
	// Field by field: the reference count and the generation must survive.
	f.Format, f.Width, f.Height = media.FormatUnknown, 0, 0
	for k := range f.Planes {
		f.Planes[k] = media.Plane{Offset: -1}
	}
	f.Color, f.SAR, f.Orientation = media.ColorUnspecified, media.Rational{}, media.Orientation{}
	f.PTS, f.Duration, f.Timebase = media.NoTimestamp, media.NoTimestamp, media.Timebase{}
	f.Serial, f.Key, f.Slot, f.Native = 0, false, i, 0
	f.Received, f.Assembled, f.Decoded = 0, 0, 0
	f.Arm((*reclaimer)(p))
	return f
}

func (p *Pool) why() error {
	if headWord(p.head.Load()).closed() {
		return os.ErrClosed
	}
	return ErrExhausted
}

func (p *Pool) pop(to uint32) int32 {
	for {
		h := headWord(p.head.Load())
		i := h.top()
		if i < 0 || h.closed() {
			return -1
		}
		n := makeHead(uint32(h>>32)+1, h.used()+1, false, p.next[i].Load())
		if !p.head.CompareAndSwap(uint64(h), uint64(n)) {
			continue
		}
		if p.traces != nil {
			p.traces[i].record()
		}
		p.state[i].Store(to) // after the trace: leaks reads the two in the other order
		p.gets.Add(1)
		for used := n.used(); ; {
			peak := p.peak.Load()
			if used <= peak || p.peak.CompareAndSwap(peak, used) {
				break
			}
		}
		return i
	}
}

func (p *Pool) push(i int32, from uint32) {
	if !p.state[i].CompareAndSwap(from, slotFree) {
		panic(fmt.Sprintf("framepool: slot %d came back twice or by the wrong way", i))
	}
	for {
		h := headWord(p.head.Load())
		p.next[i].Store(h.top())
		n := makeHead(uint32(h>>32)+1, h.used()-1, h.closed(), i)
		if !p.head.CompareAndSwap(uint64(h), uint64(n)) {
			continue
		}
		if n.closed() && n.used() == 0 {
			// Nothing is taken from a closed pool: this was the last slot out.
			p.mem.unmap()
			return
		}
		break
	}
	if p.waiters.Load() > 0 {
		p.signal()
	}
}

func (p *Pool) signal() {
	select {
	case p.freed <- struct{}{}:
	default:
	}
}

// CountFallback counts a picture that had to be placed outside the pool.
func (p *Pool) CountFallback() { p.fallbacks.Add(1) }

// Stats returns the pool's counters.
func (p *Pool) Stats() Stats {
	return Stats{
		Slots:     len(p.frames),
		InUse:     int(headWord(p.head.Load()).used()),
		Peak:      int(p.peak.Load()),
		Gets:      p.gets.Load(),
		Fallbacks: p.fallbacks.Load(),
		HugePages: p.mem.pages,
	}
}

// Slots returns the number of slots.
func (p *Pool) Slots() int { return len(p.frames) }

// SlotBytes returns the size of a slot, a multiple of [PageBytes].
func (p *Pool) SlotBytes() int { return p.slotBytes }

// Mapping returns the memory of all slots, page aligned, for import by a device.
// Ownership: valid until the pool is closed and every slot has come back.
func (p *Pool) Mapping() []byte { return p.mem.data }

// FD returns the memory's file descriptor (a memfd), −1 where the mapping has none:
// outside Linux, and with anonymous transparent huge pages.
func (p *Pool) FD() int { return p.mem.fd }

// SlotData returns the memory of a slot.
// Ownership: only for whoever holds the slot.
func (p *Pool) SlotData(slot int32) []byte {
	o := int(slot) * p.slotBytes
	return p.mem.data[o : o+p.slotBytes : o+p.slotBytes]
}

// Locate finds the slot that an address lies in, and its offset in the mapping: a
// decoder's planes may start anywhere in the slot it was given.
func (p *Pool) Locate(addr uintptr) (slot int32, offset int64, ok bool) {
	o := addr - uintptr(unsafe.Pointer(unsafe.SliceData(p.mem.data)))
	if o >= uintptr(len(p.frames)*p.slotBytes) {
		return -1, -1, false
	}
	return int32(o / uintptr(p.slotBytes)), int64(o), true
}

// Prefault touches every page, so that the first pass over the slots costs no page
// faults. Call it before the first Get.
func (p *Pool) Prefault() error {
	if err := p.mem.prefault(); err != nil {
		return fmt.Errorf("framepool: commit %d MiB (use fewer slots): %w", len(p.mem.data)>>20, err)
	}
	return nil
}

// Close ends the pool: Get and Wait fail from now on. The memory is unmapped once every
// slot has come back, at once when none is out: never under a reader.
// Errors: [LeakError] when slots are still out. Closing again reports those still out.
func (p *Pool) Close() error {
	for {
		h := headWord(p.head.Load())
		if h.closed() {
			break
		}
		n := makeHead(uint32(h>>32)+1, h.used(), true, h.top())
		if !p.head.CompareAndSwap(uint64(h), uint64(n)) {
			continue
		}
		close(p.closed)
		if n.used() == 0 {
			p.mem.unmap()
		}
		break
	}
	for headWord(p.head.Load()).used() > 0 {
		// A slot between head and state is on its way in or out: look again.
		if e := p.leaks(); len(e.Slots) > 0 {
			return e
		}
	}
	return nil
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }
