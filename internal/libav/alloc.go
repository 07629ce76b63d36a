package libav

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/media"
)

// Slots is where an [Allocator] takes memory from; a framepool.Pool is one.
// Slot i lies at Mapping()[i*SlotBytes():].
type Slots interface {
	Mapping() []byte
	SlotBytes() int
	GetSlot() (slot int32, ok bool)
	PutSlot(slot int32)
}

const (
	// PlaneAlign is where planes of an Allocator start; the padding after each is what
	// FFmpeg's own allocator leaves for vector code to run over.
	PlaneAlign   = 256
	planePadding = 64
	// maxLayouts bounds what a stream that changes size with every picture can pile up.
	maxLayouts = 64
)

// Allocator lets decoders write their pictures into slots.
//
// A slot becomes an AVBuffer the first time it is needed, and FFmpeg's own AVBufferPool
// keeps it until [Allocator.Close]: giving a frame back is C code, last in, first out,
// and never enters Go. Taking one does not enter Go either where there is assembly for it
// (alloc_amd64.s); elsewhere it is one callback for each picture. Pictures that fit no
// slot, that no slot is free for, or whose format is not accepted come from FFmpeg's
// default allocator.
//
// Ownership: slots go back to Slots after Close, when the last picture is dropped.
// Concurrency: FFmpeg calls from its own threads; Close once, after the codec contexts
// that use the allocator are freed.
type Allocator struct {
	lib    *Lib
	slots  Slots
	accept func(format int32) bool
	base   uintptr
	id     uintptr

	pool       uintptr // AVBufferPool
	hook       uintptr // C memory that AVCodecContext.opaque points to
	freed, get uintptr // callbacks

	mu      sync.Mutex
	layouts []uintptr // C memory, never changed once a codec has seen it
}

// The hook and the layouts are read by assembly: offsets in C memory.
const (
	hookLayout   = 0  // address of the current layout, 0 for none
	hookPool     = 8  // AVBufferPool
	hookPoolGet  = 16 // av_buffer_pool_get
	hookSlow     = 24 // get_buffer2 in Go
	hookFrameBuf = 32 // offset of AVFrame.buf
	hookFast     = 40 // pictures placed without entering Go
	hookID       = 48 // key of the allocator
	hookBytes    = 64
	layoutFormat = 0 // int32 each
	layoutWidth  = 4
	layoutHeight = 8
	layoutFits   = 12 // 0: pictures of this layout go to the default allocator
	layoutOffset = 16 // 4 × uint64
	layoutStride = 48 // 4 × int32
	layoutBytes  = 64
	noMemoryC    = 0xFFFFFFF4 // AVERROR(ENOMEM) as a C int
)

// callbacks are made once for the process, because they are never freed; they find
// their allocator by the id in the hook.
var callbacks = sync.OnceValue(func() *struct{ get, alloc, free, done uintptr } {
	return &struct{ get, alloc, free, done uintptr }{
		dl.NewCallback(getBuffer), dl.NewCallback(allocBuffer), dl.NewCallback(freeBuffer), dl.NewCallback(allocatorDone),
	}
})

// live holds the allocators that FFmpeg may still call.
var live struct {
	sync.RWMutex
	next uintptr
	m    map[uintptr]*Allocator
}

func allocator(id uintptr) *Allocator {
	live.RLock()
	defer live.RUnlock()
	return live.m[id]
}

// LiveAllocators returns how many allocators have pictures or codecs outstanding.
func LiveAllocators() int {
	live.RLock()
	defer live.RUnlock()
	return len(live.m)
}

// NewAllocator returns an allocator over slots for pictures of accepted formats.
// Ownership: the caller closes it; slots must outlive the last picture.
func (l *Lib) NewAllocator(slots Slots, accept func(format int32) bool) (*Allocator, error) {
	m := slots.Mapping()
	if len(m) == 0 || slots.SlotBytes() <= 0 || AddressOf(m)%PlaneAlign != 0 || slots.SlotBytes()%PlaneAlign != 0 {
		return nil, fmt.Errorf("libav: frame memory must lie at multiples of %d bytes", PlaneAlign)
	}
	a := &Allocator{lib: l, slots: slots, accept: accept, base: AddressOf(m)}
	a.hook = dl.Call(l.fn.mallocz, hookBytes)
	if a.hook == 0 {
		return nil, ErrNoMemory
	}
	live.Lock()
	if live.m == nil {
		live.m = map[uintptr]*Allocator{}
	}
	live.next++
	a.id = live.next
	live.m[a.id] = a
	live.Unlock()
	cb := callbacks()
	a.freed, a.get = cb.free, cb.get
	a.pool = dl.Call(l.fn.bufferPoolInit, uintptr(slots.SlotBytes()), a.id, cb.alloc, cb.done)
	if a.pool == 0 {
		allocatorDone(a.id)
		return nil, ErrNoMemory
	}
	dl.Store(a.hook, hookPool, a.pool)
	dl.Store(a.hook, hookPoolGet, l.fn.bufferPoolGet)
	dl.Store(a.hook, hookSlow, cb.get)
	dl.Store(a.hook, hookFrameBuf, l.o.frameBuf)
	dl.Store(a.hook, hookID, a.id)
	return a, nil
}

// Install makes ctx, which is not open yet, take its pictures from a.
func (a *Allocator) Install(ctx CodecContext) {
	o, c := a.lib.o, uintptr(ctx)
	dl.Store(c, o.codecContextOpaque, a.hook)
	get := a.get
	if fastGetBuffer != 0 {
		get = fastGetBuffer
	}
	dl.Store(c, o.codecContextGetBuffer2, get)
	if o.codecContextThreadSafeCallbacks != none {
		dl.Store(c, o.codecContextThreadSafeCallbacks, int32(1))
	}
}

// Reserve makes AVBuffers of n slots, or as many as there are. What is reserved is taken
// later without a callback, which allocates.
func (a *Allocator) Reserve(n int) {
	refs := make([]uintptr, 0, n)
	for range n {
		ref := dl.Call(a.lib.fn.bufferPoolGet, a.pool)
		if ref == 0 {
			break
		}
		refs = append(refs, ref)
	}
	for i := range refs {
		dl.Call(a.lib.fn.bufferUnref, dl.Addr(&refs[i]))
	}
}

// Alloc gives the described, empty frame f memory of a slot; false when there is none.
// ctx is any context of a video codec.
func (a *Allocator) Alloc(ctx CodecContext, f Frame) bool { return a.place(uintptr(ctx), uintptr(f)) }

// Fast returns how many pictures were placed without entering Go.
func (a *Allocator) Fast() int64 { return int64(dl.Load[uint64](a.hook, hookFast)) }

// Close says that no codec context uses a any more.
func (a *Allocator) Close() {
	p := new(uintptr)
	*p = a.pool
	dl.Call(a.lib.fn.bufferPoolUninit, dl.Addr(p))
}

// getBuffer is get_buffer2.
func getBuffer(ctx, frame, flags uintptr) uintptr {
	hook := dl.Load[uintptr](ctx, 48)
	a := allocator(dl.Load[uintptr](hook, hookID))
	if a == nil {
		return noMemoryC
	}
	if a.place(ctx, frame) {
		return 0
	}
	return dl.Call(a.lib.fn.defaultGetBuffer2, ctx, frame, flags)
}

// place fills the frame's planes with memory of a slot.
func (a *Allocator) place(ctx, frame uintptr) bool {
	o := a.lib.o
	format := dl.Load[int32](frame, o.frameFormat)
	w, h := dl.Load[int32](frame, o.frameWidth), dl.Load[int32](frame, o.frameHeight)
	a.mu.Lock()
	l := a.layout(ctx, format, w, h)
	a.mu.Unlock()
	if l == 0 || dl.Load[int32](l, layoutFits) == 0 {
		return false
	}
	ref := dl.Call(a.lib.fn.bufferPoolGet, a.pool)
	if ref == 0 {
		return false
	}
	data := dl.Load[uintptr](ref, o.bufferRefData)
	dl.Store(frame, o.frameBuf, ref)
	for i := range uintptr(4) {
		stride := dl.Load[int32](l, layoutStride+4*i)
		if stride != 0 {
			dl.Store(frame, o.frameData+8*i, data+uintptr(dl.Load[uint64](l, layoutOffset+8*i)))
		}
		dl.Store(frame, o.frameLinesize+4*i, stride)
	}
	dl.Store(frame, o.frameExtendedData, frame+o.frameData)
	return true
}

// layout finds or makes the layout of a picture and makes it the current one.
func (a *Allocator) layout(ctx uintptr, format, w, h int32) uintptr {
	for _, l := range a.layouts {
		if dl.Load[int32](l, layoutFormat) == format && dl.Load[int32](l, layoutWidth) == w && dl.Load[int32](l, layoutHeight) == h {
			a.publish(l)
			return l
		}
	}
	if len(a.layouts) == maxLayouts {
		return 0
	}
	l := dl.Call(a.lib.fn.mallocz, layoutBytes)
	if l == 0 {
		return 0
	}
	dl.Store(l, layoutFormat, format)
	dl.Store(l, layoutWidth, w)
	dl.Store(l, layoutHeight, h)
	if a.accept(format) {
		offset, stride, total, ok := a.lib.planes(ctx, format, w, h)
		if ok && total <= uint64(a.slots.SlotBytes()) {
			dl.Store(l, layoutOffset, offset)
			dl.Store(l, layoutStride, stride)
			dl.Store(l, layoutFits, int32(1))
		}
	}
	a.layouts = append(a.layouts, l)
	a.publish(l)
	return l
}

// publish lets the assembly use l. Other threads may hold the layout before it, which
// stays valid as long as the allocator.
func (a *Allocator) publish(l uintptr) {
	if dl.Load[int32](l, layoutFits) == 0 {
		l = 0
	}
	atomic.StoreUintptr((*uintptr)(dl.Pointer(a.hook+hookLayout)), l)
}

// planes lays out a picture as FFmpeg's default allocator would: rows as wide and as many
// as the codec may write, padding after each plane.
func (l *Lib) planes(ctx uintptr, format, w, h int32) (offset [4]uint64, stride [4]int32, total uint64, ok bool) {
	s := new(struct {
		w, h   int32
		align  [8]int32
		stride [4]int32
		pitch  [4]int64
		size   [4]uint64
	})
	s.w, s.h = w, h
	dl.Call(l.fn.alignDimensions2, ctx, dl.Addr(&s.w), dl.Addr(&s.h), dl.Addr(&s.align))
	for {
		if int32(dl.Call(l.fn.imageFillLinesizes, dl.Addr(&s.stride), uintptr(format), uintptr(s.w))) < 0 || s.w <= 0 {
			return
		}
		var odd int32
		for i, n := range s.stride {
			if s.align[i] != 0 {
				odd |= n % s.align[i]
			}
		}
		if odd == 0 {
			break
		}
		s.w += s.w & -s.w
	}
	for i, n := range s.stride {
		s.pitch[i] = int64(n)
	}
	if int32(dl.Call(l.fn.imageFillPlaneSizes, dl.Addr(&s.size), uintptr(format), uintptr(s.h), dl.Addr(&s.pitch))) < 0 {
		return
	}
	for i, n := range s.size {
		if n != 0 {
			offset[i] = total
			total += (n + planePadding + PlaneAlign - 1) &^ (PlaneAlign - 1)
		}
	}
	return offset, s.stride, total, total > 0
}

// PictureBytes returns what a w×h picture of a codec takes in a slot.
func (c *Calls) PictureBytes(ctx CodecContext, format, w, h int32) (int, error) {
	_, _, total, ok := c.planes(uintptr(ctx), format, w, h)
	if !ok {
		return 0, fmt.Errorf("libav: %dx%d %s: %w", w, h, c.PixelFormatName(format), media.ErrNotSupported)
	}
	return int(total), nil
}

// allocBuffer makes an AVBuffer of a free slot for the AVBufferPool.
func allocBuffer(id, size uintptr) uintptr {
	a := allocator(id)
	if a == nil {
		return 0
	}
	slot, ok := a.slots.GetSlot()
	if !ok {
		return 0
	}
	data := a.base + uintptr(slot)*uintptr(a.slots.SlotBytes())
	ref := dl.Call(a.lib.fn.bufferCreate, data, size, a.freed, id, 0)
	if ref == 0 {
		a.slots.PutSlot(slot)
	}
	return ref
}

// freeBuffer gives a slot back, once the AVBufferPool is done with it.
func freeBuffer(id, data uintptr) uintptr {
	if a := allocator(id); a != nil {
		a.slots.PutSlot(int32((data - a.base) / uintptr(a.slots.SlotBytes())))
	}
	return 0
}

// allocatorDone runs when the AVBufferPool is closed and its last buffer is back.
func allocatorDone(id uintptr) uintptr {
	live.Lock()
	a := live.m[id]
	delete(live.m, id)
	live.Unlock()
	if a != nil {
		for _, l := range a.layouts {
			dl.Call(a.lib.fn.free, l)
		}
		dl.Call(a.lib.fn.free, a.hook)
	}
	return 0
}
