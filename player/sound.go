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
	out := audioOut{p: p, timer: time.NewTimer(time.Hour)}
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
		case packetEnd:
			p.audioDone.Store(serial)
			p.wake()
		}
	}
}

// readAudio passes the sound of a raw source on.
func (p *Player) readAudio() {
	defer p.stages.Done()
	out := audioOut{p: p, timer: time.NewTimer(time.Hour)}
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
	serial  uint32
	started bool
	from    time.Duration // sound before it is cut, after an exact seek
	next    time.Duration // media time of the next sample to write
	known   bool          // next is known
	lost    bool          // the device is, and that has been said
	silence [4096]float32
	timer   *time.Timer
}

func (o *audioOut) restart(serial uint32) {
	o.p.asink.Flush() // it is paused until the presenter has shown the first picture
	o.p.audioBase.Store(nil)
	o.serial, o.started, o.known = serial, true, false
	o.from, _ = o.p.target()
}

// write sends b to the sink, cutting what lies before the target of a seek, filling gaps
// and cutting overlaps; false when playback ends or a seek made b stale.
func (o *audioOut) write(b *media.AudioBlock) bool {
	p := o.p
	samples := b.Samples
	rate, ch := p.asink.Rate(), p.asink.Channels()
	span := func(n int) time.Duration { return time.Duration(n/ch) * time.Second / time.Duration(rate) }
	count := func(d time.Duration) int { return int(d*time.Duration(rate)/time.Second) * ch }

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
		base := audioBase{o.next, o.serial}
		p.audioBase.Store(&base)
		if !o.fill(count(t - o.next)) {
			return false
		}
		o.next = t
	}
	if written := o.written(); o.join() {
		base := audioBase{o.next - written, o.serial}
		p.audioBase.Store(&base)
	}
	switch gap := t - o.next; {
	case gap > maxGap || gap < -maxGap:
		// The timeline jumped: carry on from the new place, with a new base.
		base := audioBase{t - o.written(), o.serial}
		p.audioBase.Store(&base)
		o.next = t
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

// written is how much sound went to the sink since its last flush.
func (o *audioOut) written() time.Duration {
	if b := o.p.audioBase.Load(); b != nil {
		return o.next - b.at
	}
	return 0
}

// send writes all samples, waiting for room.
func (o *audioOut) send(samples []float32) bool {
	p := o.p
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
		if len(samples) == 0 {
			return true
		}
		if n == 0 {
			// Half of what is buffered can play before the next look: few wake-ups, and
			// never a dry device.
			if !o.rest(min(max(p.asink.Buffered()/2, 5*time.Millisecond), 50*time.Millisecond)) || o.serial != p.serial.Load() {
				return false
			}
		}
	}
	return true
}

// rest waits; false when playback ends.
func (o *audioOut) rest(d time.Duration) bool {
	o.timer.Reset(d)
	select {
	case <-o.timer.C:
		return true
	case <-o.p.quit:
		return false
	}
}

// audioBase maps the sink's position to media time: at is the media time of the first
// sample since the flush.
type audioBase struct {
	at     time.Duration
	serial uint32
}
