package player

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/scanout-av/scanout/internal/ring"
	"github.com/scanout-av/scanout/media"
)

// maxReadErrors is how many reads in a row may fail before a source is given up: a
// damaged stretch is skipped, a source that is gone ends playback.
const maxReadErrors = 32

// demux reads access units and hands each to its decoder's ring.
func (p *Player) demux() {
	defer p.stages.Done()
	defer p.vq.Close()
	defer p.aq.Close()
	serial := p.serial.Load()
	var shift time.Duration // added to every timestamp: how long the finished loops were
	var end time.Duration   // where this round of the media ends
	line := newTimeline(p.info)
	if d, ok := p.src.(deliverer); ok && p.live() {
		d.Deliver(func(au *media.AccessUnit) bool { return p.take(au, &line, serial) })
	}
	failed := 0
	var au media.AccessUnit // outside the loop: its address goes to the source
	for !p.stop.Load() {
		if to, s, ok := p.takeSeek(); ok {
			serial, shift, end = s, 0, 0
			line.reset()
			if err := p.src.Seek(p.info.Start + to); err != nil && !errors.Is(err, os.ErrClosed) {
				p.log.Warn("seek failed, playing on from here", "to", to, "error", err)
			}
		}
		au = media.AccessUnit{}
		err := p.src.Read(&au)
		switch {
		case err == nil:
			failed = 0
		case errors.Is(err, io.EOF):
			if p.cfg.Loop && p.info.Seekable && end > 0 {
				if err := p.src.Seek(p.info.Start); err == nil {
					p.push(packet{what: packetLoop, serial: serial})
					p.stats.round.Store(int64(end))
					shift, end = shift+end, 0
					line.reset()
					continue
				}
			}
			p.push(packet{what: packetEnd, serial: serial})
			if !p.waitForSeek() {
				return
			}
			continue
		case errors.Is(err, media.ErrStreamChanged):
			p.pushChange(serial)
			continue
		case errors.Is(err, os.ErrClosed):
			return
		default:
			p.stats.readErrors.Add(1)
			if failed++; failed < maxReadErrors && !p.info.Live {
				continue
			}
			p.fail(fmt.Errorf("player: %s can no longer be read: %w", p.info.Name, err))
			p.push(packet{what: packetEnd, serial: serial})
			if !p.waitForSeek() {
				return
			}
			continue
		}
		au.Serial = serial
		q, stream := p.vq, 0
		if p.audio != nil && au.Stream == p.audio.Index {
			q, stream = p.aq, 1
		}
		line.adjust(&au, stream)
		t := au.PTS
		if !t.Valid() {
			t = au.DTS // raw streams have no other for most units
		}
		if t.Valid() {
			d := au.Timebase.Duration(t) - p.info.Start
			if au.Duration.Valid() {
				d += au.Timebase.Duration(au.Duration)
			}
			end = max(end, d)
		}
		if shift > 0 {
			s := au.Timebase.Ticks(shift)
			if au.PTS.Valid() {
				au.PTS += s
			}
			if au.DTS.Valid() {
				au.DTS += s
			}
		}
		if q == p.vq && au.Key {
			p.keys.Add(1)
		}
		if q.Push(packet{au: au, serial: serial}, 0) != nil {
			au.Release()
			return
		}
		p.fed()
	}
}

// take puts a unit of a live source into its decoder's ring without waiting; false when
// that is full.
// Ownership: takes au when it returns true.
func (p *Player) take(au *media.AccessUnit, line *timeline, serial uint32) bool {
	q, stream := p.vq, 0
	if p.audio != nil && au.Stream == p.audio.Index {
		q, stream = p.aq, 1
	}
	pk := packet{au: *au, serial: serial}
	pk.au.Serial = serial
	line.adjust(&pk.au, stream)
	key := q == p.vq && au.Key
	if key {
		p.keys.Add(1)
	}
	if !q.TryPush(pk) {
		if key {
			p.keys.Add(-1)
		}
		return false
	}
	p.fed()
	return true
}

// push sends a mark to every decoder.
func (p *Player) push(pk packet) {
	for _, s := range []struct {
		st *media.Stream
		q  *ring.Ring[packet]
	}{{p.video, p.vq}, {p.audio, p.aq}} {
		if s.st != nil {
			if err := s.q.Push(pk, 0); err != nil {
				return // playback ends
			}
			p.fed()
		}
	}
}

// pushChange tells the decoders what comes from now on.
func (p *Player) pushChange(serial uint32) {
	in := p.src.Info()
	for _, s := range []struct {
		st *media.Stream
		q  *ring.Ring[packet]
	}{{p.video, p.vq}, {p.audio, p.aq}} {
		if s.st == nil {
			continue
		}
		st := in.Streams[s.st.Index]
		st.Native = 0 // that connection may be gone before the decoder is opened
		if s.q.Push(packet{what: packetChange, serial: serial, stream: &st}, 0) != nil {
			return // playback ends
		}
		p.fed()
	}
}

// round is what came of a stream in the rounds of a loop.
type round struct {
	made  int64 // pictures or blocks of sound up to the last one
	empty int   // rounds in a row that nothing came of
}

// emptyRounds of every stream end a loop: what cannot be decoded would be read again and again
// as fast as the disk allows. One may be empty because a seek led to its end.
const emptyRounds = 2

// barren takes note that a round of a stream, 0 for the picture and 1 for the sound, has been
// decoded, with made in all; it ends playback and returns true when nothing comes of any.
func (p *Player) barren(stream int, made int64) bool {
	p.mu.Lock()
	r := &p.rounds[stream]
	if r.empty++; made != r.made {
		r.empty = 0
	}
	r.made = made
	over := (p.video == nil || p.rounds[0].empty >= emptyRounds) && (p.audio == nil || p.rounds[1].empty >= emptyRounds)
	p.mu.Unlock()
	if over {
		p.fail(fmt.Errorf("player: nothing of %s can be decoded", p.info.Name))
		p.interrupt()
	}
	return over
}

// takeSeek returns a seek that the source has not done yet.
func (p *Player) takeSeek() (to time.Duration, serial uint32, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.seek {
		return 0, 0, false
	}
	p.seek = false
	return p.seekTo, p.serial.Load(), true
}

// waitForSeek rests at the end of the media; false when playback ends.
func (p *Player) waitForSeek() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.seek && !p.stop.Load() {
		p.demand.Wait()
	}
	return !p.stop.Load()
}

// target returns where the current stretch of playback starts and its serial.
func (p *Player) target() (time.Duration, uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seekTo, p.serial.Load()
}

// mediaTime converts a timestamp to the time since the beginning of the media.
func (p *Player) mediaTime(t media.Timestamp, tb media.Timebase) time.Duration {
	return tb.Duration(t) - p.info.Start
}
