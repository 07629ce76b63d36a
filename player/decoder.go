package player

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/scanout-av/scanout/decode/ffmpeg"
	"github.com/scanout-av/scanout/decode/vkvideo"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/media"
)

// chooser decodes video on the GPU while that is possible and in software otherwise. It
// changes over at a keyframe: what the old decoder still has comes first.
//
// Concurrency: as a decoder, one goroutine; onGPU and stats from any.
type chooser struct {
	p      *Player
	stream media.Stream
	// software opens the software decoder; nil says why there is none.
	software func() (VideoDecoder, error)

	cur      VideoDecoder // nil until the next keyframe
	gpu      *vkvideo.Video
	old      VideoDecoder // being drained
	serial   uint32
	cause    error // why the decoder changes at the next keyframe
	noGPU    bool  // the GPU does not decode this stream
	noSoft   error // why software does not either
	told     bool
	draining bool // the end was sent while no decoder was open
	again    secondChance
	opened   int64 // decoders so far

	mu     sync.Mutex
	totals decoderStats
	now    interface{} // the decoder that stats asks
}

// decoderStats are the counts of all decoders of a playback.
type decoderStats struct {
	copies, fallbacks, readBacks, skipped, units, grown int64
}

// secondChance says when a GPU that failed at a stream is tried again: streams change what
// they use, and damage passes. It counts keyframes, from where alone a decoder can begin; each
// try waits for twice as many.
type secondChance struct {
	failed      bool // it has decoded some of this stream
	tries, keys int
}

const (
	maxChances      = 3
	firstChanceKeys = 8
)

// fail notes that the GPU has failed.
func (s *secondChance) fail() { s.failed, s.keys = true, 0 }

// key notes a keyframe that software has decoded.
func (s *secondChance) key() { s.keys++ }

// due reports whether the GPU should be tried with the next keyframe.
func (s *secondChance) due() bool {
	return s.failed && s.tries < maxChances && s.keys >= firstChanceKeys<<s.tries
}

// take uses one up.
func (s *secondChance) take() { s.tries, s.keys = s.tries+1, 0 }

// errAgain is the reason for leaving software.
var errAgain = errors.New("player: the GPU is tried again")

// errSink says that what decodes on the GPU has nobody to show it.
var errSink = errors.New("player: the output cannot show pictures in the GPU's memory")

// use makes d the decoder.
func (c *chooser) use(d VideoDecoder) {
	c.mu.Lock()
	c.count(c.now)
	c.cur, c.now = d, d
	c.gpu, _ = d.(*vkvideo.Video)
	c.mu.Unlock()
	if d != nil {
		c.opened++
		d.Flush(c.serial)
		if n, ok := d.(interface{ Name() string }); ok {
			c.p.stats.setDecoder(n.Name())
		}
	}
}

// count adds what a decoder has counted to the totals.
func (c *chooser) count(d any) {
	switch d := d.(type) {
	case interface{ Stats() vkvideo.Stats }:
		s := d.Stats()
		c.totals.readBacks += s.ReadBacks
		c.totals.skipped += s.Skipped
		c.totals.units += s.Copies
		c.totals.grown += s.Grown
	case interface{ Stats() ffmpeg.Stats }:
		c.totals.copies += d.Stats().Copies
	}
}

// stats returns the counts so far.
func (c *chooser) stats() decoderStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.totals
	c.count(c.now)
	s := c.totals
	c.totals = before
	return s
}

// onGPU reports whether pictures come from the GPU.
func (c *chooser) onGPU() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gpu != nil || c.cur == nil
}

// change leaves the current decoder because of cause.
func (c *chooser) change(cause error) {
	c.mu.Lock()
	c.totals.fallbacks++
	c.mu.Unlock()
	c.cause = cause
	old := c.cur
	c.use(nil)
	if c.old != nil { // twice within a few pictures
		c.retire()
	}
	if old == nil {
		return
	}
	c.old = old
	if errors.Is(cause, media.ErrDeviceLost) || old.Send(nil) != nil {
		c.retire()
	}
}

// retire closes the decoder that has been left.
func (c *chooser) retire() {
	if err := c.old.Close(); err != nil {
		c.p.log.Warn("closing a decoder", "error", err)
	}
	c.old = nil
}

// open opens a decoder: on the GPU if it may be, else in software.
func (c *chooser) open() error {
	var err error
	if dev := c.gpuDevice(); dev != nil {
		var d *vkvideo.Video
		cfg := vkvideo.Config{Device: dev, Stream: c.stream, Hold: frameRing + inFlight + 5, Batch: frameRing}
		if c.p.cfg.written() {
			cfg.ReadBack = c.p.pool
		}
		if d, err = vkvideo.New(cfg); err == nil {
			c.use(d)
			c.cause = nil
			return nil
		}
		c.refuseGPU(err)
	}
	if c.software != nil && c.p.cfg.Decoder != DecoderVulkan {
		var d VideoDecoder
		if d, err = c.software(); err == nil {
			c.use(d)
			if c.cause != nil && !c.told {
				c.told = true
				c.p.log.Warn("decoding in software from here on", "reason", c.cause)
			}
			c.cause = nil
			return nil
		}
	}
	for _, e := range []error{c.cause, c.noSoft, c.p.gpuError()} {
		if err == nil {
			err = e
		}
	}
	return fmt.Errorf("player: no decoder for %s: %w", c.stream.Codec, err)
}

// refuseGPU remembers that the GPU does not decode this stream.
func (c *chooser) refuseGPU(err error) {
	c.noGPU = true
	if c.cause == nil {
		c.cause = err
	}
	c.p.log.Info("the GPU does not decode this stream", "reason", err)
}

// Send decodes au; see [VideoDecoder].
func (c *chooser) Send(au *media.AccessUnit) error {
	if c.old != nil {
		return media.ErrAgain // first what it still has
	}
	if g := c.gpu; g != nil && g.Device().Lost() {
		c.change(fmt.Errorf("player: %w", media.ErrDeviceLost))
	} else if g != nil && !c.p.gpuFrames.Load() {
		c.change(errSink)
	} else if c.cause != nil && c.cur != nil && au != nil && au.Key {
		c.change(c.cause)
	} else if g == nil && c.cur != nil && au != nil && au.Key && c.again.due() {
		c.again.take()
		if c.noGPU = false; c.gpuDevice() != nil {
			c.change(errAgain)
		}
	}
	if c.old != nil {
		return media.ErrAgain
	}
	if c.cur == nil {
		if au == nil {
			c.draining = true
			return nil
		}
		if !au.Key {
			au.Release() // nothing can begin with it
			c.mu.Lock()
			c.totals.skipped++
			c.mu.Unlock()
			return nil
		}
		if err := c.open(); err != nil {
			au.Release()
			return err
		}
	}
	key := au != nil && au.Key // it is given away
	err := c.cur.Send(au)
	if key && err == nil && c.gpu == nil {
		c.again.key()
	}
	if c.gpu == nil || err == nil || err == media.ErrAgain {
		return err
	}
	switch {
	case errors.Is(err, media.ErrNotSupported):
		// The unit is still ours: another decoder may begin with it.
		c.noGPU = true
		c.again.fail()
		c.change(err)
		return media.ErrAgain
	case errors.Is(err, media.ErrDeviceLost):
		c.change(err)
	case errors.Is(err, vkvideo.ErrDecode):
		c.noGPU = true
		c.again.fail()
		c.cause = err // from the next keyframe on
	}
	return err
}

// restream goes on with another stream, after the one before has been drained: a decoder
// for it is opened at its first keyframe. Frame memory stays; larger pictures come from
// FFmpeg's own and are counted.
func (c *chooser) restream(st *media.Stream) {
	if c.old != nil {
		c.retire()
	}
	if c.cur != nil {
		c.old = c.cur
		c.use(nil)
		c.retire()
	}
	c.stream = *st
	c.noGPU, c.cause, c.draining, c.again = false, nil, false, secondChance{}
}

// submit hands to the GPU what it has been sent, several pictures at once. That it failed is
// found by the next Send: the device is lost.
func (c *chooser) submit() {
	if c.gpu == nil {
		return
	}
	if err := c.gpu.Submit(); err != nil {
		c.p.stats.decodeErrors.Add(1)
	}
}

// Receive returns the next frame; see [VideoDecoder].
func (c *chooser) Receive() (*media.Frame, error) {
	if c.old != nil {
		f, err := c.old.Receive()
		if err == nil {
			return f, nil
		}
		c.retire()
	}
	if c.cur == nil {
		if c.draining {
			return nil, io.EOF
		}
		return nil, media.ErrAgain
	}
	return c.cur.Receive()
}

// Flush forgets everything; see [VideoDecoder].
func (c *chooser) Flush(serial uint32) {
	c.serial, c.draining = serial, false
	if c.old != nil {
		c.retire()
	}
	if c.cur != nil {
		c.cur.Flush(serial)
	}
}

// Close closes what is open.
func (c *chooser) Close() error {
	if c.old != nil {
		c.retire()
	}
	cur := c.cur
	c.use(nil)
	if cur == nil {
		return nil
	}
	return cur.Close()
}

// openVideoDecoder chooses a decoder for the video. Software is opened now where the GPU
// is none for it, so that what is missing is said before anything plays.
func (p *Player) openVideoDecoder() error {
	v := p.video
	if int64(v.Width)*int64(v.Height) > maxPixels {
		return fmt.Errorf("%s claims a picture of %dx%d: refused as damaged", p.info.Name, v.Width, v.Height)
	}
	c := &chooser{p: p, stream: *v}
	p.gpuFrames.Store(true)
	needsPool := p.cfg.written()
	if err := p.prepareSoftware(c); err != nil {
		c.noSoft = err
		if needsPool && p.pool == nil {
			if err := p.newReadPool(); err != nil {
				return err
			}
		}
	}
	if c.software == nil && c.gpuDevice() == nil {
		return c.noSoft
	}
	if err := c.open(); err != nil {
		return err
	}
	p.vdec = c
	return nil
}

// gpuDevice returns the device to decode with, nil when software shall.
func (c *chooser) gpuDevice() *gpu.Device {
	cfg := &c.p.cfg
	if c.noGPU || !vkvideo.Decodes(c.stream.Codec) || cfg.Decoder == DecoderFFmpeg || !c.p.gpuFrames.Load() || cfg.Decoder == DecoderAuto && (cfg.written() || !vkvideo.Proven(c.stream.Codec)) {
		return nil
	}
	d := c.p.device()
	if d == nil || d.Lost() {
		return nil
	}
	if cfg.Decoder == DecoderAuto && d.Decode.Queues == 0 {
		return nil
	}
	return d
}
