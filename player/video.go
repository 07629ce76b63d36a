package player

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
)

// maxDecodeErrors is how many units in a row may fail before the stream is given up.
const maxDecodeErrors = 256

// videoStage turns the packets of the video ring into pictures.
//
// Where decoding takes its time, it runs on a goroutine of its own. A GPU is only handed
// what it shall decode, which takes less than to wake a goroutine: then the presenting one
// does that, between two pictures. Which of the two it is may change with every packet.
//
// Concurrency: one goroutine, the presenting one while Player.here is set.
type videoStage struct {
	p      *Player
	out    videoOut
	serial uint32
	failed int
	// skipping drops what comes before the next keyframe.
	skipping bool
	pk       packet    // here, because its address goes to the decoder
	spill    []picture // that the frame ring, full, did not take from the presenting goroutine
	room     room
	referred bitstream.Referred
	strain   strain        // of a live source's
	began    media.Instant // when the decoder at hand had taken its first unit
	opened   int64         // how many decoders had been opened by then
}

// room keeps account of how much earlier units would have been decoded had the frame ring
// always had room. The moments of a live source's pictures follow from when they are ready:
// what the ring held up, because pictures wait in it for those moments, must not make them
// later still, or a backlog would never be caught up with.
type room struct {
	held   time.Duration // of the unit at hand
	fullAt media.Instant // since when the presenting goroutine has found it full; 0: not
}

// begin takes note that a unit is decoded from now on: it could not have been before it came.
func (r *room) begin(received, now media.Instant) {
	if r.fullAt != 0 {
		r.held += now.Sub(r.fullAt)
		r.fullAt = 0
	}
	if received == 0 {
		received = now
	}
	r.held = max(min(r.held, now.Sub(received)), 0)
}

// full takes note that there is none.
func (r *room) full(now media.Instant) {
	if r.fullAt == 0 {
		r.fullAt = now
	}
}

func newVideoStage(p *Player) *videoStage {
	v := &videoStage{p: p, spill: make([]picture, 0, 64)}
	v.out = videoOut{v: v, p: p, rate: p.video.FrameRate, cover: p.video.CoverArt}
	v.referred = bitstream.NewReferred(p.video.Codec, p.video.ExtraData)
	return v
}

// decodeVideo is the goroutine of the stage. It ends when the presenting one takes over.
func (p *Player) decodeVideo() {
	defer p.stages.Done()
	v := p.stage
	for len(v.spill) > 0 {
		if p.fq.Push(v.spill[0], 0) != nil {
			p.fq.Close()
			return // playback ends; Player.release has the rest
		}
		v.spilled()
	}
	for {
		var err error
		if v.pk, err = p.vq.Pop(0); err != nil || !v.decode() {
			p.fq.Close()
			return
		}
		if v.belongsHere() {
			p.here.Store(true)
			p.wake()
			return
		}
	}
}

// belongsHere reports whether the presenting goroutine should decode. Not where the newest
// picture counts: it sleeps in the sink then, and what comes meanwhile would be decoded late.
func (v *videoStage) belongsHere() bool {
	p := v.p
	if !p.presents.Load() {
		return false
	}
	if n := p.forceHere.Load(); n != 0 {
		return n > 0
	}
	c, ok := p.vdec.(*chooser)
	return ok && !p.cfg.DecodeApart && !p.cfg.MaxSpeed && !p.cfg.written() && p.policy() != pace.PolicyFreshest &&
		(c.gpu != nil || c.cur == nil && p.here.Load())
}

// step decodes a packet on the presenting goroutine; false when there is none, or no room
// for what comes of it.
func (v *videoStage) step() bool {
	p := v.p
	for len(v.spill) > 0 {
		if !p.fq.TryPush(v.spill[0]) {
			return false
		}
		v.spilled()
	}
	var ok bool
	if v.pk, ok = p.vq.TryPop(); !ok {
		// Announce, look again, sleep: see package ring.
		p.starved.Store(true)
		if v.pk, ok = p.vq.TryPop(); !ok {
			return false
		}
	}
	p.starved.Store(false)
	switch {
	case !v.decode():
		p.here.Store(false)
		p.fq.Close()
	case !v.belongsHere():
		v.submit()
		p.here.Store(false)
		p.stages.Add(1)
		go p.decodeVideo()
	}
	return true
}

// submit hands to a GPU what has been decoded since the last time.
func (v *videoStage) submit() {
	if c, ok := v.p.vdec.(*chooser); ok {
		c.submit()
	}
}

// spilled takes the first one off spill.
func (v *videoStage) spilled() { v.spill = append(v.spill[:0], v.spill[1:]...) }

// fed tells the presenting goroutine that there is a packet, if it waits for one.
func (p *Player) fed() {
	if p.starved.Load() && p.starved.CompareAndSwap(true, false) {
		p.wake()
	}
}

// push hands a picture on; false when playback ends.
func (v *videoStage) push(pic picture) bool {
	q := v.p.fq
	switch {
	case !v.p.here.Load():
		if q.Len() == q.Cap() {
			v.room.full(clock.Now())
		}
		return q.Push(pic, 0) == nil
	case q.Closed():
		return false
	case len(v.spill) > 0 || !q.TryPush(pic):
		v.spill = append(v.spill, pic)
	}
	return true
}

// decode decodes the packet at hand; false when playback ends.
func (v *videoStage) decode() bool {
	p, pk, out := v.p, &v.pk, &v.out
	if pk.what == packetUnit && pk.au.Key {
		p.keys.Add(-1)
	}
	if pk.serial != p.serial.Load() {
		pk.au.Release()
		return true
	}
	if pk.serial != v.serial {
		v.serial, v.skipping = pk.serial, false
		p.vdec.Flush(v.serial)
		out.restart()
	}
	now := clock.Now()
	if v.skipToLive(now) {
		return true
	}
	v.room.begin(pk.au.Received, now)
	if v.leaveOut(now) {
		return true
	}
	unit := &pk.au
	if pk.what != packetUnit {
		unit = nil
	}
	for {
		err := p.vdec.Send(unit)
		if err == nil {
			v.failed = 0
			v.taken()
			break
		}
		if !errors.Is(err, media.ErrAgain) {
			p.stats.decodeErrors.Add(1)
			if v.failed++; v.failed == maxDecodeErrors {
				p.fail(fmt.Errorf("player: %d units of video in a row cannot be decoded: %w", v.failed, err))
				p.interrupt()
				return false
			}
			break
		}
		if !p.here.Load() {
			v.submit()
		}
		if !out.receive(v.serial) {
			pk.au.Release()
			return false
		}
	}
	if !p.here.Load() {
		v.submit() // the ring may be full for a while
	}
	if !out.receive(v.serial) {
		return false
	}
	switch pk.what {
	case packetLoop:
		p.vdec.Flush(v.serial)
		if p.barren(0, p.stats.decoded.Load()) {
			return false
		}
	case packetChange:
		if c, ok := p.vdec.(*chooser); ok {
			c.restream(pk.stream)
		}
		out.rate, v.failed = pk.stream.FrameRate, 0
		v.referred = bitstream.NewReferred(pk.stream.Codec, pk.stream.ExtraData)
	case packetEnd:
		return v.push(picture{serial: v.serial})
	}
	return true
}

// taken notes that the decoder has taken a unit, with the first of which it may have been
// opened.
func (v *videoStage) taken() {
	opened := int64(1)
	if c, ok := v.p.vdec.(*chooser); ok {
		opened = c.opened
	}
	if opened != v.opened {
		v.opened, v.began = opened, clock.Now()
	}
}

// skipToLive drops the unit at hand when it is of a live source, older than the contract
// allows, and a keyframe waits behind it: decoding starts again there, instead of working
// through what nobody will be shown. All units up to that keyframe go with it, also those
// that are young enough: what they refer to is gone.
func (v *videoStage) skipToLive(now media.Instant) bool {
	p, pk := v.p, &v.pk
	if pk.what != packetUnit || !p.live() {
		return false
	}
	if pk.au.Key {
		v.skipping = false
	}
	if p.keys.Load() > 0 && pk.au.Received != 0 && now.Sub(pk.au.Received) > p.maxLatency {
		v.skipping = true
	}
	if !v.skipping {
		return false
	}
	p.traceSkip(&pk.au, media.DropLive, now)
	pk.au.Release()
	p.dropped(media.DropLive, 1)
	return true
}

// leaveOut drops the unit at hand when decoding is behind and no other picture refers to it.
func (v *videoStage) leaveOut(now media.Instant) bool {
	p, pk := v.p, &v.pk
	if pk.what != packetUnit || p.cfg.MaxSpeed || p.cfg.written() {
		return false
	}
	if p.live() && pk.au.Received != 0 && v.began != 0 {
		// What came while outputs and decoders were being opened, or waited for room in the
		// frame ring, is not late by decoding.
		v.strain.see(now, now.Sub(max(pk.au.Received, v.began))-v.room.held > p.maxLatency/2, p.vq.Len() == 0)
		p.strained.Store(v.strain.on)
	}
	strained := p.strained.Load()
	if !strained && !v.referred.Remembers() || v.referred.Look(pk.au.Data) || !strained {
		return false
	}
	p.traceSkip(&pk.au, media.DropUnneeded, now)
	pk.au.Release()
	p.dropped(media.DropUnneeded, 1)
	return true
}

// videoOut passes decoded frames on.
type videoOut struct {
	v     *videoStage
	p     *Player
	rate  media.Rational
	cover bool            // the only picture is cover art
	from  time.Duration   // frames that end before it are decoded but not shown
	last  media.Timestamp // of the frame before, for streams without timestamps
	step  media.Timestamp
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
			p.traceDrop(&picture{frame: f}, media.DropSkipped, 0, f.Decoded, 0)
			f.Release()
			p.stats.skipped.Add(1)
			continue
		}
		if !o.v.push(picture{frame: f, serial: serial, ready: f.Decoded.Add(-o.v.room.held)}) {
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
	begin := f.Timebase.Ticks(o.p.info.Start + o.from)
	switch {
	case !f.PTS.Valid() && o.last.Valid():
		f.PTS = o.last + o.step
	case !f.PTS.Valid():
		f.PTS = begin
	case o.cover:
		f.PTS = max(f.PTS, begin) // it belongs to all of the sound
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
				p.stats.round.Store(int64(end))
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
		if p.fq.Push(picture{frame: f, serial: serial, ready: f.Decoded}, 0) != nil {
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
