package ffmpeg

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"sync/atomic"

	"github.com/scanout-av/scanout/internal/libav"
	"github.com/scanout-av/scanout/media"
)

// Pool is where pictures go. Slot i lies at Mapping()[i*SlotBytes():].
// Concurrency: any goroutine.
type Pool interface {
	Mapping() []byte
	SlotBytes() int
	GetSlot() (slot int32, ok bool)
	PutSlot(slot int32)
	CountFallback()
}

// Config says what to decode and how.
type Config struct {
	// Stream describes what is decoded. Its Native, when set, is an AVCodecParameters.
	Stream media.Stream
	// Pool takes the pictures; see [SlotBytes] and [SlotsNeeded]. It must outlive the
	// last frame.
	Pool Pool
	// Reserve is how many slots to take from Pool at once instead of when a queue behind
	// the decoder first fills, so that this does not allocate.
	Reserve int
	// Threads is the number of decoding threads; 0 is one for each core up to 8, and one
	// when Live. Each thread beyond the first delays output by a picture, unless Live.
	Threads int
	// Live gives up whatever adds delay: no frame threads (slices only), no reordering
	// beyond what the stream needs.
	Live bool
	// Split says that units may be parts of pictures: some RTSP servers repeat parameter
	// sets between the slices of a key frame, where FFmpeg's demuxer then cuts it in two. A
	// picture of which a slice is lost never comes out then.
	Split bool
	// Corrupt hands out pictures whose references are missing, too: for sources that begin
	// with a key frame and know themselves what to leave out. Units are in the byte stream
	// format then.
	Corrupt bool
	// MaxPixels refuses pictures larger than any real one, which damaged headers ask
	// for; 0 is 67 million (8192×8192).
	MaxPixels int
	// Now stamps frames as they come out; nil leaves them without a stamp.
	Now func() media.Instant
}

const (
	defaultMaxPixels = 8192 * 8192
	maxThreads       = 64
)

// Stats counts what a decoder has done. Copies and Fallbacks count pictures.
type Stats struct{ Frames, Copies, Fallbacks, Errors int64 }

// Video decodes the pictures of one stream.
// Concurrency: one goroutine; Stats and the release of frames from any. Frames may be
// released after Close.
type Video struct {
	cfg     Config
	lib     *libav.Lib
	calls   *libav.Calls
	name    string
	ctx     libav.CodecContext
	alloc   *libav.Allocator
	formats []pixelFormat // by AVPixelFormat
	targets []int32       // what unknown formats are converted to
	mapping []byte
	base    uintptr

	lent   libav.Packet // for access units that are not packets
	bridge *bridge      // nil: not needed
	shells *shells
	next   *media.Frame // an empty shell
	props  libav.FrameProps
	scale  scaler

	serial    uint32
	pending   error // of Receive, for the next Send
	bad       int   // errors in a row
	drained   bool
	lastPTS   media.Timestamp
	frameTime media.Timestamp // from the frame rate, NoTimestamp when not known
	firstSAR  media.Rational
	stamps    [64]stamp // by order of sending
	sent      int

	frames, copies, fallbacks, errors atomic.Int64
}

// pixelFormat is what an AVPixelFormat is here.
type pixelFormat struct {
	format media.PixelFormat
	full   bool
}

// stamp remembers when the unit of a picture came.
type stamp struct {
	pts                 media.Timestamp
	received, assembled media.Instant
}

// NewVideo returns a decoder for cfg.Stream.
// Ownership: the caller closes it. The stream's source may be closed afterwards.
// Errors: media.ErrNotSupported when FFmpeg or its decoder is missing.
func NewVideo(cfg Config) (*Video, error) {
	lib, err := libav.Open()
	if err != nil {
		return nil, fmt.Errorf("ffmpeg: %w", err)
	}
	if cfg.Pool == nil {
		return nil, fmt.Errorf("ffmpeg: Config.Pool is missing")
	}
	if cfg.Threads < 0 || cfg.Threads > maxThreads {
		return nil, fmt.Errorf("ffmpeg: %d decoding threads: give 0 to %d", cfg.Threads, maxThreads)
	}
	if cfg.Threads == 0 {
		cfg.Threads = min(runtime.NumCPU(), 8)
		if cfg.Live {
			cfg.Threads = 1
		}
	}
	if cfg.MaxPixels <= 0 {
		cfg.MaxPixels = defaultMaxPixels
	}
	d := &Video{cfg: cfg, lib: lib, calls: lib.NewCalls(), mapping: cfg.Pool.Mapping(),
		lastPTS: media.NoTimestamp, frameTime: media.NoTimestamp, shells: newShells(lib)}
	d.base = libav.AddressOf(d.mapping)
	if r := cfg.Stream.FrameRate; r.Valid() && cfg.Stream.Timebase.Valid() {
		d.frameTime = media.Rescale(1, media.Timebase{Num: r.Den, Den: r.Num}, cfg.Stream.Timebase)
	}
	d.formats, d.targets = formats(lib)
	if cfg.Corrupt {
		d.bridge = newBridge(&cfg.Stream)
	}
	if err := d.open(); err != nil {
		d.Close()
		return nil, fmt.Errorf("ffmpeg: decoder for %s: %w", describe(&cfg.Stream), err)
	}
	return d, nil
}

func (d *Video) open() (err error) {
	var codec libav.Codec
	d.ctx, codec, err = newContext(d.calls, &d.cfg.Stream, libav.TypeVideo)
	if err != nil {
		return err
	}
	d.name = d.lib.DecoderName(codec)
	if w, h := d.cfg.Stream.Width, d.cfg.Stream.Height; w > 0 && h > d.cfg.MaxPixels/w {
		return fmt.Errorf("pictures of %dx%d are more than %d samples: %w", w, h, d.cfg.MaxPixels, media.ErrNotSupported)
	}
	// unaligned: crop to the sample, not to what suits vector code.
	flags, flags2, threadType := "+unaligned", "-chunks", "frame+slice"
	if d.cfg.Live {
		flags, threadType = "+unaligned+low_delay", "slice"
	}
	if d.cfg.Corrupt {
		flags += "+output_corrupt"
	}
	if d.cfg.Split {
		flags2 = "+chunks" // a picture is complete when its last row is, or never
	}
	obj := uintptr(d.ctx)
	for _, e := range []error{
		d.lib.SetInt(obj, "threads", int64(d.cfg.Threads)),
		d.lib.SetString(obj, "thread_type", threadType),
		d.lib.SetString(obj, "flags", flags),
		d.lib.SetString(obj, "flags2", flags2),
		d.lib.SetInt(obj, "max_pixels", int64(d.cfg.MaxPixels)),
	} {
		if e != nil {
			return e
		}
	}
	// Pictures of other formats are converted, and need no slot before that.
	formats := d.formats
	d.alloc, err = d.lib.NewAllocator(d.cfg.Pool, func(f int32) bool { return lookup(formats, f).format != media.FormatUnknown })
	if err != nil {
		return err
	}
	if d.lib.DirectRendering(codec) { // others bring their own memory
		d.alloc.Install(d.ctx)
		d.alloc.Reserve(d.cfg.Reserve)
	}
	if err := d.calls.OpenCodec(d.ctx, codec); err != nil {
		return err
	}
	d.lent = d.calls.NewPacket()
	d.shells.reserve(d.cfg.Reserve)
	d.next = d.shells.get()
	if d.lent == 0 || d.next == nil {
		return libav.ErrNoMemory
	}
	return nil
}

// Name returns FFmpeg's name of the decoder, for reports.
func (d *Video) Name() string { return d.name }

// Stats returns the counters.
func (d *Video) Stats() Stats {
	return Stats{d.frames.Load(), d.copies.Load(), d.fallbacks.Load(), d.errors.Load()}
}

// Send decodes au; nil drains the decoder.
// Ownership: takes au, except when it returns media.ErrAgain.
// Errors: media.ErrAgain: Receive first; os.ErrClosed; anything else is one damaged
// unit, this one or one before it, and decoding goes on.
func (d *Video) Send(au *media.AccessUnit) error {
	if d.ctx == 0 {
		if au != nil {
			au.Release()
		}
		return os.ErrClosed
	}
	if au == nil {
		if err := d.calls.SendPacket(d.ctx, 0); err != nil && err != io.EOF {
			return err
		}
		d.drained = true
		return d.takePending()
	}
	if len(au.Data) == 0 { // FFmpeg would take it for the end
		au.Release()
		return nil
	}
	if d.bridge != nil {
		if err := d.mend(au.Data); err != nil {
			return err
		}
	}
	err := send(d.calls, d.ctx, d.lent, au)
	if err == media.ErrAgain {
		return err
	}
	d.stamps[d.sent%len(d.stamps)] = stamp{au.PTS, au.Received, au.Assembled}
	d.sent++
	pts, tb := au.PTS, au.Timebase
	au.Release()
	if err == nil || err == io.EOF {
		return d.takePending()
	}
	d.errors.Add(1)
	return fmt.Errorf("ffmpeg: %s access unit at %v: %w", d.cfg.Stream.Codec, tb.Duration(pts), err)
}

func (d *Video) takePending() error {
	err := d.pending
	d.pending = nil
	return err
}

// Receive returns the next frame in output order.
// Ownership: the frame is the caller's.
// Errors: media.ErrAgain when more input is needed; io.EOF when drained; os.ErrClosed;
// media.ErrNotSupported when pictures come in a format that cannot be converted.
func (d *Video) Receive() (*media.Frame, error) {
	if d.ctx == 0 {
		return nil, os.ErrClosed
	}
	for {
		if d.next == nil {
			if d.next = d.shells.get(); d.next == nil {
				return nil, fmt.Errorf("ffmpeg: %w", libav.ErrNoMemory)
			}
		}
		err := d.calls.ReceiveFrame(d.ctx, libav.Frame(d.next.Native))
		switch {
		case err == nil:
			d.bad = 0
			f, err := d.finish(d.next)
			if err != nil {
				return nil, err
			}
			d.frames.Add(1)
			return f, nil
		case err == media.ErrAgain || err == io.EOF:
			return nil, err
		}
		// A damaged unit of a frame thread shows up here. Once drained, a decoder that
		// only fails has nothing left.
		d.errors.Add(1)
		d.pending = fmt.Errorf("ffmpeg: %s: %w", d.cfg.Stream.Codec, err)
		if d.bad++; d.bad > maxThreads {
			d.bad = 0
			if d.drained {
				return nil, io.EOF
			}
			return nil, media.ErrAgain
		}
	}
}

// Flush forgets everything that was sent. Frames carry serial from now on.
func (d *Video) Flush(serial uint32) {
	if d.ctx != 0 {
		d.calls.FlushBuffers(d.ctx)
	}
	if d.bridge != nil {
		d.bridge.known = false
	}
	d.serial = serial
	d.pending, d.bad, d.drained = nil, 0, false
	d.lastPTS = media.NoTimestamp
	clear(d.stamps[:])
}

// Close frees the decoder. Frames that are still out stay valid; their slots go back to
// the pool with the last of them.
func (d *Video) Close() error {
	if d.ctx != 0 {
		d.calls.FreeCodecContext(d.ctx)
		d.ctx = 0
	}
	if d.alloc != nil {
		d.alloc.Close()
		d.alloc = nil
	}
	if d.lent != 0 {
		d.calls.FreePacket(d.lent)
		d.lent = 0
	}
	if d.next != nil {
		d.shells.put(d.next)
		d.next = nil
	}
	d.scale.close(d.lib)
	d.shells.close()
	return nil
}
