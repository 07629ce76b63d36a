package player

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/media"
)

// maxDecodeErrors is how many units in a row may fail before the stream is given up.
const maxDecodeErrors = 256

// decodeVideo turns the packets of the video ring into pictures.
func (p *Player) decodeVideo() {
	defer p.stages.Done()
	defer p.fq.Close()
	out := videoOut{p: p, rate: p.video.FrameRate}
	var serial uint32
	failed := 0
	var pk packet // outside the loop: its address goes to the decoder, so it is on the heap
	var err error
	for {
		if pk, err = p.vq.Pop(0); err != nil {
			return
		}
		if pk.what == packetUnit && pk.au.Key {
			p.keys.Add(-1)
		}
		if pk.serial != p.serial.Load() {
			pk.au.Release()
			continue
		}
		if pk.serial != serial {
			serial = pk.serial
			p.vdec.Flush(serial)
			out.restart()
		}
		if p.skipToLive(&pk) {
			continue
		}
		unit := &pk.au
		if pk.what != packetUnit {
			unit = nil
		}
		for {
			err := p.vdec.Send(unit)
			if err == nil {
				failed = 0
				break
			}
			if !errors.Is(err, media.ErrAgain) {
				p.stats.decodeErrors.Add(1)
				if failed++; failed == maxDecodeErrors {
					p.fail(fmt.Errorf("player: %d units of video in a row cannot be decoded: %w", failed, err))
					p.interrupt()
					return
				}
				break
			}
			if !out.receive(serial) {
				pk.au.Release()
				return
			}
		}
		if !out.receive(serial) {
			return
		}
		switch pk.what {
		case packetLoop:
			p.vdec.Flush(serial)
		case packetChange:
			if c, ok := p.vdec.(*chooser); ok {
				c.restream(pk.stream)
			}
			out.rate, failed = pk.stream.FrameRate, 0
		case packetEnd:
			if p.fq.Push(picture{serial: serial}, 0) != nil {
				return
			}
		}
	}
}

// skipToLive drops a unit of a live source that is older than the contract allows when a
// keyframe waits behind it: decoding starts again there, instead of working through what
// nobody will be shown.
func (p *Player) skipToLive(pk *packet) bool {
	if pk.what != packetUnit || !p.live() {
		return false
	}
	if p.keys.Load() <= 0 || pk.au.Received == 0 || clock.Now().Sub(pk.au.Received) <= p.maxLatency {
		return false
	}
	pk.au.Release()
	p.dropped(media.DropLive, 1)
	return true
}

// videoOut passes decoded frames on.
type videoOut struct {
	p    *Player
	rate media.Rational
	from time.Duration   // frames that end before it are decoded but not shown
	last media.Timestamp // of the frame before, for streams without timestamps
	step media.Timestamp
}

// restart begins a new stretch: after an exact seek, frames before the target are skipped.
func (o *videoOut) restart() {
	o.from, _ = o.p.target()
	o.last = media.NoTimestamp
}

// receive passes on every frame that the decoder has ready; false when playback ends.
func (o *videoOut) receive(serial uint32) bool {
	p := o.p
	for {
		f, err := p.vdec.Receive()
		if err != nil {
			if !errors.Is(err, media.ErrAgain) && !errors.Is(err, io.EOF) {
				p.stats.decodeErrors.Add(1)
			}
			return true
		}
		f.Decoded = clock.Now()
		p.stats.decoded.Add(1)
		o.stamp(f)
		if serial != p.serial.Load() {
			f.Release()
			continue
		}
		if t := p.mediaTime(f.PTS, f.Timebase); o.from > 0 && t < o.from && t+f.Timebase.Duration(max(f.Duration, 1)) <= o.from {
			f.Release()
			p.stats.skipped.Add(1)
			continue
		}
		if p.fq.Push(picture{frame: f, serial: serial}, 0) != nil {
			f.Release()
			return false
		}
	}
}

// stamp gives a frame without a timestamp the one that follows from the frame before:
// raw bitstreams have none, and some files miss a few.
func (o *videoOut) stamp(f *media.Frame) {
	if f.Duration.Valid() && f.Duration > 0 {
		o.step = f.Duration
	} else if r := o.rate; r.Valid() {
		o.step = f.Timebase.Ticks(time.Duration(float64(time.Second) / r.Float()))
	} else if o.step == 0 {
		o.step = f.Timebase.Ticks(time.Second / 25)
	}
	if !f.PTS.Valid() {
		if o.last.Valid() {
			f.PTS = o.last + o.step
		} else {
			f.PTS = f.Timebase.Ticks(o.p.info.Start + o.from)
		}
	}
	if !f.Duration.Valid() || f.Duration <= 0 {
		f.Duration = o.step
	}
	o.last = f.PTS
}

// readVideo passes the pictures of a raw source on.
func (p *Player) readVideo() {
	defer p.stages.Done()
	defer p.fq.Close()
	serial := p.serial.Load()
	var shift, end time.Duration // of the rounds played before, and of this one
	for !p.stop.Load() {
		if to, s, ok := p.takeSeek(); ok {
			serial, shift, end = s, 0, 0
			p.rawMu.Lock()
			err := p.raw.Seek(to)
			p.rawSerial, p.rawShift = s, 0
			p.rawMu.Unlock()
			if err != nil {
				p.log.Warn("seek failed, playing on from here", "to", to, "error", err)
			}
		}
		f, err := p.raw.ReadFrame()
		switch {
		case err == nil:
		case errors.Is(err, os.ErrClosed):
			return
		default:
			if !errors.Is(err, io.EOF) {
				p.fail(err)
			} else if p.cfg.Loop && p.info.Seekable && end > 0 && p.restartRaw(serial, shift+end) {
				shift, end = shift+end, 0
				continue
			}
			if p.fq.Push(picture{serial: serial}, 0) != nil || !p.waitForSeek() {
				return
			}
			continue
		}
		p.stats.decoded.Add(1)
		end = max(end, p.mediaTime(f.PTS, f.Timebase)+f.Timebase.Duration(max(f.Duration, 0)))
		f.PTS += f.Timebase.Ticks(shift)
		f.Serial = serial
		f.Decoded = clock.Now()
		if p.fq.Push(picture{frame: f, serial: serial}, 0) != nil {
			f.Release()
			return
		}
	}
}

// restartRaw begins the next round of a loop once the sound of this one has been read as
// well; false when playback ends or the source refuses.
func (p *Player) restartRaw(serial uint32, shift time.Duration) bool {
	p.mu.Lock()
	for p.audio != nil && p.audioDone.Load() != serial && !p.seek && !p.stop.Load() {
		p.demand.Wait()
	}
	p.mu.Unlock()
	p.rawMu.Lock()
	defer p.rawMu.Unlock()
	if p.stop.Load() || p.raw.Seek(0) != nil {
		return false
	}
	p.rawShift = shift
	p.audioDone.Store(0)
	return true
}
