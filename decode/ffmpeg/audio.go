package ffmpeg

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/scanout-av/scanout/internal/libav"
	"github.com/scanout-av/scanout/media"
)

// AudioConfig says what to decode and what the sink plays.
type AudioConfig struct {
	// Stream describes what is decoded. Its Native, when set, is an AVCodecParameters.
	Stream media.Stream
	// Rate and Channels are the sink's; 0 means the stream's own, or 48000 and 2 when
	// that is not known.
	Rate, Channels int
}

// Audio decodes the sound of one stream to interleaved float32 of the sink's rate and
// channels.
// Concurrency: one goroutine; Stats from any.
type Audio struct {
	cfg   AudioConfig
	lib   *libav.Lib
	calls *libav.Calls
	ctx   libav.CodecContext
	frame libav.Frame
	lent  libav.Packet
	props libav.FrameProps

	swr     libav.Resampler
	from    soundFormat
	samples []float32
	// next is the timestamp of the next sample, in 1/Rate.
	next    media.Timestamp
	serial  uint32
	pending error
	bad     int
	drained bool // the decoder is empty, what is left is in the resampler

	frames, errors atomic.Int64
}

// soundFormat is what a resampler was made for.
type soundFormat struct {
	format, rate int32
	layout       [2]uint64
}

// NewAudio returns a decoder for cfg.Stream.
// Ownership: the caller closes it. The stream's source may be closed afterwards.
// Errors: media.ErrNotSupported when FFmpeg or its decoder is missing.
func NewAudio(cfg AudioConfig) (*Audio, error) {
	lib, err := libav.Open()
	if err != nil {
		return nil, fmt.Errorf("ffmpeg: %w", err)
	}
	if cfg.Rate == 0 {
		cfg.Rate = cfg.Stream.SampleRate
		if cfg.Rate <= 0 {
			cfg.Rate = 48000
		}
	}
	if cfg.Channels == 0 {
		cfg.Channels = cfg.Stream.Channels
		if cfg.Channels <= 0 {
			cfg.Channels = 2
		}
	}
	if !plausible(cfg.Rate) || cfg.Channels < 1 || cfg.Channels > 64 {
		return nil, fmt.Errorf("ffmpeg: sound of %d Hz and %d channels: %w", cfg.Rate, cfg.Channels, media.ErrNotSupported)
	}
	if r := cfg.Stream.SampleRate; r > 0 && !plausible(r) {
		return nil, fmt.Errorf("ffmpeg: sound of %d Hz, damaged probably: %w", r, media.ErrNotSupported)
	}
	d := &Audio{cfg: cfg, lib: lib, calls: lib.NewCalls(), next: media.NoTimestamp}
	if err := d.open(); err != nil {
		d.Close()
		return nil, fmt.Errorf("ffmpeg: decoder for %s: %w", describe(&cfg.Stream), err)
	}
	return d, nil
}

// plausible reports whether rate is one that sound has. Of lower ones, which damaged files
// claim, a few samples become gigabytes.
func plausible(rate int) bool { return rate >= 1000 && rate <= 768000 }

func (d *Audio) open() (err error) {
	var codec libav.Codec
	d.ctx, codec, err = newContext(d.calls, &d.cfg.Stream, libav.TypeAudio)
	if err != nil {
		return err
	}
	// Threads gain nothing for sound and add delay.
	if err := d.lib.SetInt(uintptr(d.ctx), "threads", 1); err != nil {
		return err
	}
	if err := d.calls.OpenCodec(d.ctx, codec); err != nil {
		return err
	}
	d.frame, d.lent = d.calls.NewFrame(), d.calls.NewPacket()
	if d.frame == 0 || d.lent == 0 {
		return libav.ErrNoMemory
	}
	return nil
}

// Stats returns the counters; Frames counts blocks.
func (d *Audio) Stats() Stats { return Stats{Frames: d.frames.Load(), Errors: d.errors.Load()} }

// Send decodes au; nil drains the decoder.
// Ownership: takes au, except when it returns media.ErrAgain.
// Errors: media.ErrAgain: Receive first; os.ErrClosed; anything else is one damaged
// unit, this one or one before it, and decoding goes on.
func (d *Audio) Send(au *media.AccessUnit) error {
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
		return d.takePending()
	}
	if len(au.Data) == 0 {
		au.Release()
		return nil
	}
	err := send(d.calls, d.ctx, d.lent, au)
	if err == media.ErrAgain {
		return err
	}
	pts, tb := au.PTS, au.Timebase
	au.Release()
	if err == nil || err == io.EOF {
		return d.takePending()
	}
	d.errors.Add(1)
	return fmt.Errorf("ffmpeg: %s access unit at %v: %w", d.cfg.Stream.Codec, tb.Duration(pts), err)
}

func (d *Audio) takePending() error {
	err := d.pending
	d.pending = nil
	return err
}

// Receive fills b with the next samples. Their timestamp is that of the coded sound, less
// what the resampler holds back, in ticks of the sink's sample rate.
// Ownership: the samples are borrowed until the next call.
// Errors: media.ErrAgain when more input is needed; io.EOF when drained; os.ErrClosed.
func (d *Audio) Receive(b *media.AudioBlock) error {
	if d.ctx == 0 {
		return os.ErrClosed
	}
	for {
		err := d.calls.ReceiveFrame(d.ctx, d.frame)
		n := 0
		switch {
		case err == nil:
			d.bad = 0
			n, err = d.convert()
			d.calls.UnrefFrame(d.frame)
		case err == media.ErrAgain:
			return err
		case err == io.EOF:
			if d.drained || d.swr == 0 {
				return io.EOF
			}
			d.drained = true
			n, err = d.resample(0, 0)
		}
		if err != nil {
			d.errors.Add(1)
			d.pending = fmt.Errorf("ffmpeg: %s: %w", d.cfg.Stream.Codec, err)
			if d.bad++; d.bad > maxThreads {
				d.bad = 0
				return media.ErrAgain
			}
			continue
		}
		if n == 0 {
			continue // the resampler keeps a short block for itself
		}
		*b = media.AudioBlock{
			Samples:  d.samples[:n*d.cfg.Channels],
			Channels: d.cfg.Channels,
			Rate:     d.cfg.Rate,
			PTS:      d.next,
			Timebase: media.Timebase{Num: 1, Den: int32(d.cfg.Rate)},
			Serial:   d.serial,
		}
		if d.next.Valid() {
			d.next += media.Timestamp(n)
		}
		d.frames.Add(1)
		return nil
	}
}

// convert resamples the decoded block.
func (d *Audio) convert() (int, error) {
	v := &d.props
	d.lib.SoundProps(d.frame, v)
	if v.Samples <= 0 || v.SampleRate <= 0 || v.Channels <= 0 {
		return 0, nil
	}
	if !plausible(int(v.SampleRate)) {
		return 0, fmt.Errorf("a block of %d Hz: %w", v.SampleRate, media.ErrNotSupported)
	}
	from := soundFormat{v.Format, v.SampleRate, d.lib.LayoutKey(v.ChannelLayout)}
	if d.swr == 0 || from != d.from {
		d.freeResampler()
		r, err := d.lib.NewResampler(int32(d.cfg.Channels), int32(d.cfg.Rate), v.ChannelLayout, v.Format, v.SampleRate)
		if err != nil {
			return 0, fmt.Errorf("%d channels of %d Hz: %w", v.Channels, v.SampleRate, err)
		}
		d.swr, d.from = r, from
	}
	if pts := media.Timestamp(v.PTS); pts.Valid() {
		tick := media.Timebase{Num: 1, Den: int32(d.cfg.Rate)}
		d.next = media.Rescale(pts, d.cfg.Stream.Timebase, tick) -
			media.Timestamp(d.calls.ResamplerDelay(d.swr, int32(d.cfg.Rate)))
	}
	return d.resample(v.ExtendedData, v.Samples)
}

// resample converts n samples per channel into d.samples; 0 drains.
func (d *Audio) resample(in uintptr, n int32) (int, error) {
	room := d.calls.ResamplerDelay(d.swr, int32(d.cfg.Rate)) + 32
	if n > 0 {
		room += int64(n) * int64(d.cfg.Rate) / int64(d.from.rate)
	}
	if need := int(room) * d.cfg.Channels; need > len(d.samples) {
		d.samples = make([]float32, need+need/4)
		d.samples = d.samples[:len(d.samples)/d.cfg.Channels*d.cfg.Channels]
	}
	return d.calls.Resample(d.swr, d.samples, d.cfg.Channels, in, n)
}

// Flush forgets everything that was sent. Blocks carry serial from now on.
func (d *Audio) Flush(serial uint32) {
	if d.ctx != 0 {
		d.calls.FlushBuffers(d.ctx)
	}
	d.freeResampler()
	d.serial, d.next = serial, media.NoTimestamp
	d.pending, d.bad, d.drained = nil, 0, false
}

func (d *Audio) freeResampler() {
	if d.swr != 0 {
		d.lib.FreeResampler(d.swr)
		d.swr = 0
	}
}

// Close frees the decoder.
func (d *Audio) Close() error {
	if d.ctx != 0 {
		d.calls.FreeCodecContext(d.ctx)
		d.ctx = 0
	}
	if d.frame != 0 {
		d.calls.FreeFrame(d.frame)
		d.frame = 0
	}
	if d.lent != 0 {
		d.calls.FreePacket(d.lent)
		d.lent = 0
	}
	d.freeResampler()
	return nil
}
