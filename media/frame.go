package media

import (
	"fmt"
	"sync/atomic"
)

// Plane is one plane of a picture.
//
// Shape: rows of Stride bytes; Data starts at the first visible sample and holds at
// least (rows−1)·Stride + rowBytes bytes. Stride is positive.
type Plane struct {
	Data   []byte
	Stride int
	// Offset is where Data starts in the frame pool's mapping, −1 outside a pool.
	Offset int64
}

// Rotation is how far a picture must be turned clockwise to be upright.
type Rotation uint16

// Orientation is how a decoded picture must be turned to be upright: mirrored first
// (left to right), then turned clockwise.
type Orientation struct {
	Rotation Rotation // 0, 90, 180 or 270
	Mirror   bool
}

// Swaps reports whether upright width and height are the decoded height and width.
func (o Orientation) Swaps() bool { return o.Rotation == 90 || o.Rotation == 270 }

// GPUImage is a picture in the memory of a GPU, where no CPU sees it.
type GPUImage interface {
	// Lost reports that the picture is gone with its device.
	Lost() bool
}

// FrameOwner gets a frame's memory back when the last reference is gone.
type FrameOwner interface {
	// ReclaimFrame takes f back. It runs on whichever goroutine released last and must
	// neither block nor allocate.
	ReclaimFrame(f *Frame)
}

// Frame is one picture and where it lies. A frame is immutable after its producer has
// handed it on.
//
// Ownership: reference counted; see the package documentation.
// Concurrency: Retain and Release from any goroutine; fields are read-only.
type Frame struct {
	Format PixelFormat
	// Width and Height are the visible size in luma samples, before orientation and
	// sample aspect ratio.
	Width, Height int
	// Planes are the samples, unless GPU holds the picture: then they are empty.
	Planes [4]Plane
	// GPU is the picture in the memory of a GPU, nil when Planes hold it. Only a sink on
	// the same device can show such a frame. The decoder may still be at work on it: the
	// image says what the GPU must wait for. The frame's last release gives the image
	// back, so a sink holds its reference until the GPU has read it.
	GPU         GPUImage
	Color       Color
	SAR         Rational // sample aspect ratio; not known means square
	Orientation Orientation

	PTS      Timestamp
	Duration Timestamp // NoTimestamp when not known
	Timebase Timebase
	// Serial counts seeks and flushes: frames of an older serial are stale.
	Serial uint32
	Key    bool

	// Slot is the frame's slot in its pool, −1 when the memory is not a pool's.
	Slot int32

	// Stamps of the frame's way here; 0 where a stage does not apply.
	Received, Assembled, Decoded Instant

	// Native is the owner's own handle (an AVFrame's address), 0 for none.
	Native uintptr

	owner FrameOwner
	refs  atomic.Int32
	gen   atomic.Uint32
}

// Arm gives f its first reference and its owner, and starts a new generation. Only
// whoever owns the memory calls it, with no reference outstanding.
func (f *Frame) Arm(owner FrameOwner) {
	if !f.refs.CompareAndSwap(0, 1) {
		panic("media: Arm of a frame that is in use")
	}
	f.owner = owner
	f.gen.Add(1)
}

// Retain adds a reference and returns f.
func (f *Frame) Retain() *Frame {
	if f.refs.Add(1) <= 1 {
		panic("media: Retain of a released frame")
	}
	return f
}

// Release drops a reference; the last one gives the memory back to its owner. A second
// release of the same reference panics as soon as it is noticed.
func (f *Frame) Release() {
	switch n := f.refs.Add(-1); {
	case n > 0:
	case n == 0:
		f.gen.Add(1)
		f.owner.ReclaimFrame(f)
	default:
		panic("media: frame released twice")
	}
}

// References returns the current count; for tests and reports.
func (f *Frame) References() int { return int(f.refs.Load()) }

// Generation counts Arm and the last Release of f, one each: a producer that finds it 2
// higher than when it last held f knows that nobody else has had the frame in between.
func (f *Frame) Generation() uint32 { return f.gen.Load() }

// Ref is a frame together with the generation it was taken in: it notices use after
// release even when the slot has been given to somebody else.
type Ref struct {
	f   *Frame
	gen uint32
}

// Ref returns a checked reference to f; it does not add to the count.
func (f *Frame) Ref() Ref { return Ref{f, f.gen.Load()} }

// Valid reports whether the frame has not been released since Ref was taken.
func (r Ref) Valid() bool { return r.f != nil && r.f.gen.Load() == r.gen }

// Frame returns the frame and panics if it has been released since.
func (r Ref) Frame() *Frame {
	if !r.Valid() {
		panic("media: frame used after release")
	}
	return r.f
}

// DisplaySize returns the size of the upright picture with square samples, in pixels:
// orientation and sample aspect ratio applied by widening, never by dropping rows.
func (f *Frame) DisplaySize() (w, h int) {
	return DisplaySize(f.Width, f.Height, f.SAR, f.Orientation)
}

// DisplaySize is [Frame.DisplaySize] for parameters that are not in a frame yet.
func DisplaySize(w, h int, sar Rational, o Orientation) (int, int) {
	if sar.Valid() && sar.Num != sar.Den {
		if sar.Num > sar.Den {
			w = int((int64(w)*int64(sar.Num) + int64(sar.Den)/2) / int64(sar.Den))
		} else {
			h = int((int64(h)*int64(sar.Den) + int64(sar.Num)/2) / int64(sar.Num))
		}
	}
	if o.Swaps() {
		w, h = h, w
	}
	return w, h
}

// Check reports what is wrong with f's geometry: unknown format, a size below 1×1 or
// absurdly large, a plane too short for its rows, or no planes because a GPU has the
// picture.
func (f *Frame) Check() error {
	d := f.Format.Info()
	if d.Planes == 0 || f.Width <= 0 || f.Height <= 0 || f.Width > 1<<24 || f.Height > 1<<24 {
		return fmt.Errorf("frame %dx%d %v: %w", f.Width, f.Height, f.Format, ErrNotSupported)
	}
	if f.GPU != nil {
		return fmt.Errorf("frame %dx%d %v lies in GPU memory: %w", f.Width, f.Height, f.Format, ErrNotSupported)
	}
	for p := range d.Planes {
		rb, rows := f.Format.PlaneSize(p, f.Width, f.Height)
		pl := &f.Planes[p]
		// Division rather than a product: an absurd stride must not overflow.
		if pl.Stride < rb || len(pl.Data) < rb || rows-1 > (len(pl.Data)-rb)/pl.Stride {
			return fmt.Errorf("frame %dx%d %v: plane %d has %d bytes of stride %d, needs %d rows of %d bytes",
				f.Width, f.Height, f.Format, p, len(pl.Data), pl.Stride, rows, rb)
		}
	}
	return nil
}

// AudioBlock is decoded sound.
//
// Shape: Samples holds len/Channels interleaved samples per channel, float32 in −1…1.
// Ownership: borrowed; valid until the next call of whoever returned it.
type AudioBlock struct {
	Samples  []float32
	Channels int
	Rate     int
	PTS      Timestamp
	Timebase Timebase
	Serial   uint32
}

// Count returns the number of samples per channel.
func (b *AudioBlock) Count() int {
	if b.Channels == 0 {
		return 0
	}
	return len(b.Samples) / b.Channels
}
