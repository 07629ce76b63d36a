package player

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/scanout-av/scanout/audio"
	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/media"
)

const (
	// gapTolerance is how far a block of sound may be from where the one before ended
	// before the gap is filled or the overlap cut; containers round by less.
	gapTolerance = 40 * time.Millisecond
	// maxGap is the longest gap that is filled with silence; a longer one is a jump of
	// the timeline, and sound goes on from there.
	maxGap = 10 * time.Second
)

// decodeAudio turns the packets of the audio ring into sound.
func (p *Player) decodeAudio() {
	defer p.stages.Done()
	out := newAudioOut(p)
	var b media.AudioBlock
	var serial uint32
	var pk packet // outside the loop: its address goes to the decoder, so it is on the heap
	var err error
	for {
		if pk, err = p.aq.Pop(0); err != nil {
			p.audioDone.Store(p.serial.Load())
			return
		}
		if pk.serial != p.serial.Load() {
			pk.au.Release()
			continue
		}
		if p.live() && pk.what == packetUnit && pk.au.Received != 0 && p.aq.Len() > 0 && clock.Now().Sub(pk.au.Received) > p.maxLatency {
			// Jump to live: sound that waited for longer is not caught up with by playing it.
			pk.au.Release()
			p.stats.soundSkipped.Add(1)
			out.jumped = true
			continue
		}
		if pk.serial != serial || !out.started {
			serial = pk.serial
			p.adec.Flush(serial)
			out.restart(serial)
		}
		unit := &pk.au
		if pk.what != packetUnit {
			unit = nil
		}
		for {
			err := p.adec.Send(unit)
			if err != nil && !errors.Is(err, media.ErrAgain) {
				p.stats.audioErrors.Add(1)
			}
			for {
				if rerr := p.adec.Receive(&b); rerr != nil {
					if !errors.Is(rerr, media.ErrAgain) && !errors.Is(rerr, io.EOF) {
						p.stats.audioErrors.Add(1)
					}
					break
				}
				out.blocks++
				if !out.write(&b) {
					break
				}
			}
			if !errors.Is(err, media.ErrAgain) || p.stop.Load() {
				break
			}
		}
		switch pk.what {
		case packetLoop:
			p.adec.Flush(serial)
			p.barren(1, out.blocks)
		case packetChange:
			d, err := p.newAudioDecoder(pk.stream)
			if err != nil {
				p.log.Warn("the sound goes on in a way that cannot be decoded", "error", err)
				continue // every unit of it is an error from now on
			}
			d.Flush(serial)
			if err := p.adec.Close(); err != nil {
				p.log.Warn("closing the audio decoder", "error", err)
			}
			p.adec = d
		case packetEnd:
			p.audioDone.Store(serial)
			p.wake()
		}
	}
}

// readAudio passes the sound of a raw source on.
func (p *Player) readAudio() {
	defer p.stages.Done()
	out := newAudioOut(p)
	var b media.AudioBlock
	for !p.stop.Load() {
		p.rawMu.Lock()
		serial, shift := p.rawSerial, p.rawShift
		err := p.raw.ReadAudio(&b)
		if err == nil {
			b.PTS += b.Timebase.Ticks(p.rawShift)
		}
		p.rawMu.Unlock()
		if serial != p.serial.Load() {
			// The video stage has yet to seek the source; it does so between two frames.
			if !out.rest(5 * time.Millisecond) {
				return
			}
			continue
		}
		if !out.started || serial != out.serial {
			out.restart(serial)
		}
		switch {
		case err == nil:
			out.write(&b)
		case errors.Is(err, os.ErrClosed):
			return
		default:
			if !errors.Is(err, io.EOF) {
				p.fail(fmt.Errorf("player: sound of %s: %w", p.info.Name, err))
			}
			p.rawMu.Lock()
			if p.rawSerial == serial && p.rawShift == shift { // not the next round of a loop by now
				p.mu.Lock()
				p.audioDone.Store(serial)
				p.demand.Broadcast()
				p.mu.Unlock()
			}
			p.rawMu.Unlock()
			p.wake()
			if !out.rest(20 * time.Millisecond) {
				return
			}
		}
	}
}

// audioOut writes blocks to the sink as one unbroken line of samples.
type audioOut struct {
	p       *Player
	vary    *audio.Varispeed
	serial  uint32
	started bool
	from    time.Duration // sound before it is cut, after an exact seek
	next    time.Duration // media time of the next sample to write
	known   bool          // next is known
	lost    bool          // the device is, and that has been said
	silence [4096]float32
	timer   *time.Timer

	out      int64   // samples per channel given to the sink since the flush
	speed    float64 // of the samples that are given to it now
	speedAt  int64   // out when that was last looked at
	blocks   int64   // decoded in all
	jumped   bool    // sound of a live source was left out: what follows is not to be waited for
	regulate bool    // speed works a wrong depth off
}

func newAudioOut(p *Player) *audioOut {
	return &audioOut{p: p, timer: time.NewTimer(time.Hour), speed: 1, vary: audio.NewVarispeed(p.asink.Channels())}
}

const (
	// soundLook is how often the speed of the sound is looked at.
	soundLook = 100 * time.Millisecond
	// A live source's sound is played faster or slower when its depth is off by more than
	// depthStart, until it is off by less than depthStop, by at most audio.MaxVarispeed:
	// scrcpy's rule. What is off is worked off in depthTime.
	depthStart = 4 * time.Millisecond
	depthStop  = time.Millisecond
	depthTime  = 2 * time.Second
	// Much too much is left out instead.
	depthExcess = 150 * time.Millisecond
)

// soundDepth is how much sound of a live source should wait to be heard: what evens out
// its arrival, and a third of the latency that is allowed.
func (p *Player) soundDepth() time.Duration {
	return min(max(p.maxLatency/3, 20*time.Millisecond), 200*time.Millisecond)
}

// tune chooses the speed of the sound that is written from now on.
func (o *audioOut) tune() {
	p := o.p
	rate := int64(p.asink.Rate())
	if o.out-o.speedAt < int64(soundLook)*rate/int64(time.Second) {
		return
	}
	o.speedAt = o.out
	v := math.Float64frombits(p.soundSpeed.Load())
	if v == 0 {
		v = 1
	}
	if p.live() {
		off := p.asink.Buffered() - p.soundDepth()
		switch {
		case off.Abs() > depthStart:
			o.regulate = true
		case off.Abs() < depthStop:
			o.regulate = false
		}
		v = 1
		if o.regulate {
			v += max(-audio.MaxVarispeed, min(audio.MaxVarispeed, float64(off)/float64(depthTime)))
		}
	}
	if v != o.speed {
		o.speed = v
		o.mark(o.next)
	}
}

// mark says that what is written next is of media time at.
func (o *audioOut) mark(at time.Duration) {
	// The resampler holds back what came last.
	held := time.Duration(audio.VarispeedDelay) * time.Second / time.Duration(o.p.asink.Rate())
	o.p.line.add(soundPoint{o.heardAt(), at - held, o.speed})
}

// heardAt is how long after the flush what is written next will be heard.
func (o *audioOut) heardAt() time.Duration {
	rate := int64(o.p.asink.Rate())
	return time.Duration(o.out/rate)*time.Second + time.Duration(o.out%rate)*time.Second/time.Duration(rate)
}

func (o *audioOut) restart(serial uint32) {
	o.p.asink.Flush() // it is paused until the presenter has shown the first picture
	o.p.line.reset(serial)
	o.vary.Reset()
	o.serial, o.started, o.known = serial, true, false
	o.out, o.speed, o.speedAt, o.jumped, o.regulate = 0, 1, 0, false, false
	o.from, _ = o.p.target()
}

// write sends b to the sink, cutting what lies before the target of a seek, filling gaps
// and cutting overlaps; false when playback ends or a seek made b stale.
func (o *audioOut) write(b *media.AudioBlock) bool {
	p := o.p
	samples := b.Samples
	rate, ch := p.asink.Rate(), p.asink.Channels()
	span := func(n int) time.Duration { return time.Duration(n/ch) * time.Second / time.Duration(rate) }
	count := func(d time.Duration) int { // in two parts: 53 h at 48 kHz are more than an int64 holds at once
		return int(d/time.Second*time.Duration(rate)+d%time.Second*time.Duration(rate)/time.Second) * ch
	}

	t := o.next
	if b.PTS.Valid() {
		t = p.mediaTime(b.PTS, b.Timebase)
	} else if !o.known {
		t = o.from
	}
	if !o.known {
		if cut := o.from - t; cut > 0 {
			n := count(cut)
			if n >= len(samples) {
				return true
			}
			samples, t = samples[n:], t+span(n)
		}
		o.next, o.known = t, true
		if p.video != nil {
			o.next = min(t, o.from) // sound that sets in after the picture follows silence
		}
		o.join()
		if late := o.next - t; late > 0 {
			samples, t = samples[min(count(late), len(samples)):], o.next
		}
		if p.video != nil && !p.live() && !o.begin(count) {
			return false
		}
		if !p.line.known(o.serial) {
			o.mark(o.next)
		}
		if !o.fill(count(t - o.next)) {
			return false
		}
		o.next = t
	}
	if o.join() {
		o.mark(o.next)
	}
	o.tune()
	if p.live() && p.asink.Buffered() > p.soundDepth()+depthExcess {
		o.next, o.jumped = t+span(len(samples)), true
		p.stats.soundSkipped.Add(1)
		return true
	}
	switch gap := t - o.next; {
	case o.jumped || gap > maxGap || gap < -maxGap:
		// The timeline jumped: carry on from the new place.
		o.mark(t)
		o.next, o.jumped = t, false
	case gap > gapTolerance:
		p.stats.audioGaps.Add(1)
		if !o.fill(count(gap)) {
			return false
		}
		o.next = t
	case gap < -gapTolerance:
		n := min(count(-gap), len(samples))
		samples = samples[n:]
	}
	if !o.send(samples) {
		return false
	}
	o.next += span(len(samples))
	return true
}

const (
	// soundLead is the silence before the first sample, while the device starts and says where
	// it is; soundLeast is how much of it must be left for what follows to be in time.
	soundLead  = 100 * time.Millisecond
	soundLeast = 40 * time.Millisecond
	// alignFrom is from which refresh interval on it is worth that: half of it is how far
	// apart picture and sound would stay, and 5 ms are not noticed.
	alignFrom = 10 * time.Millisecond
)

// begin writes the silence that comes before the sound: without it the pictures behind the
// first one would be late by when the device says where it is. It is longer by what lets the
// sound begin together with a refresh. False when playback ends or a seek has made it
// pointless.
func (o *audioOut) begin(count func(time.Duration) int) bool {
	p := o.p
	for p.aligns.Load() == alignUnknown { // no output yet
		if !o.rest(2*time.Millisecond) || o.serial != p.serial.Load() {
			return false
		}
	}
	o.mark(o.next - soundLead)
	if p.aligns.Load() == alignOff {
		p.line.align(o.serial, 0) // also when the display says more from now on
	}
	if !o.fill(count(soundLead)) {
		return false
	}
	for {
		shift, ok := p.line.alignment(o.serial)
		if ok {
			return o.fill(count(shift))
		}
		if p.asink.Buffered() < soundLeast || p.aligns.Load() == alignOff {
			p.line.align(o.serial, 0) // too late, unless it has just been done
			continue
		}
		if !o.rest(2*time.Millisecond) || o.serial != p.serial.Load() {
			return false
		}
	}
}

// What Player.aligns says.
const (
	alignUnknown = iota // there is no output yet
	alignOff
	alignOn // sound is to begin on a refresh
)

// join moves the line of samples to where the picture is by now, if that has gone on
// without sound, and reports whether it did.
func (o *audioOut) join() bool {
	p := o.p
	if p.video == nil || !p.free.CompareAndSwap(o.serial, 0) {
		return false
	}
	at := p.clk.Position(clock.Now())
	if at <= o.next {
		return false
	}
	o.next = at
	return true
}

// fill writes n samples of silence.
func (o *audioOut) fill(n int) bool {
	ch := o.p.asink.Channels()
	for n > 0 {
		k := min(n, len(o.silence)/ch*ch)
		if !o.send(o.silence[:k]) {
			return false
		}
		n -= k
	}
	return true
}

// send writes all samples at the speed of now, waiting for room.
func (o *audioOut) send(samples []float32) bool {
	p := o.p
	samples = o.vary.Process(samples, o.speed)
	for len(samples) > 0 {
		n, err := p.asink.Write(samples)
		if err != nil {
			p.stats.audioErrors.Add(1)
			return false
		}
		if !o.lost {
			if err := p.asink.Err(); err != nil {
				o.lost = true
				p.log.Warn("no more sound", "error", err)
			}
		}
		samples = samples[n:]
		o.out += int64(n / p.asink.Channels())
		if len(samples) == 0 {
			return true
		}
		if n == 0 {
			if !o.rest(o.untilRoom()) || o.serial != p.serial.Load() {
				return false
			}
		}
	}
	return true
}

// pausedRest is how often the sound is looked at during a pause, whose end is said.
const pausedRest = time.Second

// untilRoom is when to look again whether a full device has room.
func (o *audioOut) untilRoom() time.Duration {
	if o.p.paused.Load() {
		return pausedRest
	}
	// Half of what is buffered can play before the next look: few wake-ups, and never a dry
	// device.
	return min(max(o.p.asink.Buffered()/2, 5*time.Millisecond), 50*time.Millisecond)
}

// rest waits, at most until something is asked for; false when playback ends.
func (o *audioOut) rest(d time.Duration) bool {
	o.timer.Reset(d)
	select {
	case <-o.timer.C:
		return true
	case <-o.p.asked:
		return true
	case <-o.p.quit:
		return false
	}
}

// setSoundSpeed asks for sound at a speed, from the next block on.
func (p *Player) setSoundSpeed(v float64) { p.soundSpeed.Store(math.Float64bits(v)) }
