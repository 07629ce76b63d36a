package audio

import (
	"errors"
	"fmt"
	"time"

	"github.com/jfreymuth/pulse/proto"
)

// feed is the feeder's goroutine: it brings about what the Sink wants, sends samples as
// the server asks for them, and asks where the stream is. It ends with Close or with the
// server.
func (p *pulse) feed() {
	defer close(p.feederDone)
	buf := make([]float32, chunk)
	next := time.NewTimer(pollFast)
	defer next.Stop()
	for {
		due := false
		select {
		case <-p.quit:
			return
		case <-p.wake:
		case <-next.C:
			due = true
		}
		resumed, err := p.control()
		if resumed {
			// The question of a paused stream may be far off, and pictures wait for the answer.
			next.Reset(pollFast)
		}
		for more := true; more && err == nil; {
			more, err = p.send(buf)
		}
		if err == nil && due {
			var wait time.Duration
			wait, err = p.ask()
			next.Reset(wait)
		}
		if err != nil {
			p.gone(err)
			p.wire.conn.Close() // ends the reader
			return
		}
		if p.lost() != nil {
			p.wire.conn.Close()
			return
		}
	}
}

// control sends what changed of the state that the Sink wants; resumed when the sound goes on
// after a pause.
func (p *pulse) control() (resumed bool, err error) {
	p.mu.Lock()
	want, epoch, done := p.want, p.epoch, p.done
	drain := p.drain
	p.drain = false
	stream, input := p.stream, p.sinkInput
	p.mu.Unlock()

	if want != done || epoch != p.doneEpoch {
		if want.flushes != done.flushes {
			p.ring.dropTo(want.flushAt)
			if err := p.wire.streamCommand(proto.OpFlushPlaybackStream, stream); err != nil {
				return false, fmt.Errorf("flush: %w", err)
			}
		}
		if want.paused != done.paused {
			if err := p.wire.switchCommand(proto.OpCorkPlaybackStream, stream, want.paused); err != nil {
				return false, fmt.Errorf("pause: %w", err)
			}
		}
		if want.volume != done.volume {
			if err := p.wire.volume(input, p.cfg.Channels, want.volume); err != nil {
				return false, fmt.Errorf("set the volume: %w", err)
			}
		}
		if want.muted != done.muted {
			if err := p.wire.switchCommand(proto.OpSetSinkInputMute, input, want.muted); err != nil {
				return false, fmt.Errorf("mute: %w", err)
			}
		}
		resumed = done.paused && !want.paused
		p.mu.Lock()
		if want.flushes != done.flushes {
			p.sent, p.read, p.drained, p.astray = 0, 0, 0, 0
			p.started, p.dry, p.gap = false, false, false
		}
		if epoch != p.doneEpoch {
			p.line.reset()
			p.running = false
			p.still = 0
		}
		p.done, p.doneEpoch = want, epoch
		p.mu.Unlock()
	}
	if drain {
		if err := p.wire.streamCommand(proto.OpDrainPlaybackStream, stream); err != nil {
			return false, fmt.Errorf("drain: %w", err)
		}
	}
	return resumed, nil
}

// send sends what the server has asked for, at most a buffer's worth; more is true when
// there may be more to send.
func (p *pulse) send(buf []float32) (more bool, err error) {
	n := int(min(p.credit.Load()/p.frameSize()*int64(p.cfg.Channels), int64(len(buf)/p.cfg.Channels*p.cfg.Channels)))
	if n <= 0 {
		return false, nil
	}
	// Under the lock nobody can flush, so what is taken belongs to the current stretch.
	p.mu.Lock()
	if p.want.flushes != p.done.flushes {
		p.mu.Unlock()
		return false, nil // the flush has signalled: control comes first
	}
	n = p.ring.pop(buf[:n])
	if n == 0 {
		p.mu.Unlock()
		return false, nil
	}
	p.sent += int64(n) * 4
	p.still = 0
	if p.dry {
		p.dry = false
		p.count++
	}
	p.mu.Unlock()
	p.credit.Add(-int64(n) * 4)
	if err := p.wire.samples(p.stream, buf[:n]); err != nil {
		return false, fmt.Errorf("send samples: %w", err)
	}
	return true, nil
}

var errStalled = errors.New("the server does not answer")

// ask asks where the stream is and returns when to ask again.
func (p *pulse) ask() (time.Duration, error) {
	tag := p.wire.nextTag()
	now, wall := p.cfg.Now(), time.Now().UnixMicro()
	p.mu.Lock()
	if p.poll.pending {
		old := now.Sub(p.poll.at) > stall
		p.mu.Unlock()
		if old {
			return 0, errStalled
		}
		return pollFast, nil
	}
	wait := p.untilAsked()
	// Before the request leaves: the answer may be faster than the return from Write.
	p.poll = poll{tag: tag, pending: true, epoch: p.doneEpoch, at: now, wall: wall, sent: p.sent}
	p.mu.Unlock()
	if err := p.wire.getDelay(tag, p.stream, wall); err != nil {
		return 0, fmt.Errorf("ask for the delay: %w", err)
	}
	return wait, nil
}

// untilAsked is when to ask again where the stream is. A pause moves nothing; its end asks soon.
func (p *pulse) untilAsked() time.Duration {
	switch {
	case p.done.paused:
		return pollPaused
	case p.line.n < len(p.line.offset) && p.sent > 0:
		return pollFast
	}
	return pollSlow
}

// event takes what the server says, on the reader's goroutine.
func (p *pulse) event(m *message) {
	switch m.op {
	case proto.OpRequest:
		p.credit.Add(int64(m.length))
		if p.ring.length() > 0 {
			p.signal()
		}
		return
	case proto.OpReply, proto.OpError:
		p.answer(m)
		return
	}
	p.mu.Lock()
	if m.stream != p.stream {
		p.mu.Unlock()
		return
	}
	switch m.op {
	case proto.OpStarted:
		// What was measured before the gap does not hold after it.
		p.line.reset()
		p.started, p.dry, p.gap = true, false, false
	case proto.OpUnderflow:
		p.dry = p.started && !p.want.paused
		p.gap = true
	case proto.OpPlaybackStreamMoved, proto.OpPlaybackStreamSuspended:
		p.line.reset()
	case proto.OpPlaybackStreamKilled:
		p.mu.Unlock()
		p.gone(errors.New("the server ended the stream"))
		return
	}
	p.mu.Unlock()
}

// answer takes the answer to ask.
func (p *pulse) answer(m *message) {
	now, wall := p.cfg.Now(), time.Now().UnixMicro()
	p.mu.Lock()
	defer p.mu.Unlock()
	q := &p.poll
	if !q.pending || m.tag != q.tag {
		return // to another command
	}
	q.pending = false
	if m.op == proto.OpError || q.epoch != p.epoch {
		return
	}
	d := &m.delay
	// A server on this machine says itself when it measured; else it was midway.
	at := q.at.Add(now.Sub(q.at) / 2)
	if q.wall <= d.server && d.server <= wall {
		at = now.Add(-time.Duration(wall-d.server) * time.Microsecond)
	}
	queued := d.write - d.read - p.astray
	read := q.sent - max(queued, 0)
	taking := read != p.read
	p.read = read
	p.running = d.running
	if taking && p.gap {
		p.gap = false
		p.line.reset()
	}
	p.started = p.started || d.running
	idle := q.sent == p.sent && p.ring.length() == 0
	// A server that was told to drain sends no event, nor does PipeWire when what was sent
	// began and ended while it stood still: then all of it has had its time.
	heard, known := p.line.at(now)
	if over := !d.running || known && heard >= p.span(q.sent); idle && queued <= 0 && over && p.started && !p.want.paused {
		p.dry = true
	}
	switch {
	case queued <= 0 && !taking && p.line.n > 0:
		// All has been taken, and what comes after it is silence: the line leads to the end.
	case d.running, queued <= 0 && q.sent > 0:
		// If nothing runs, all was taken between two questions: it is heard no later than
		// this says.
		p.line.add(p.span(q.sent-queued)-time.Duration(d.latency)*time.Microsecond, at)
	}
	// A time without answers says nothing of the queue: who did not answer took nothing.
	p.still += min(now.Sub(p.answered), pollSlow)
	p.answered = now
	if taking {
		p.still = 0
	}
	stuck := p.still > p.cfg.Latency+stuckAfter
	switch {
	case queued <= 0 || q.sent != p.sent || p.want.paused:
	case idle && q.sent != p.drained && (stuck || !d.running):
		p.drain, p.drained, p.still = true, q.sent, 0
		p.signal()
	case stuck && (idle || d.running):
		p.astray += queued
		p.credit.Add(queued) // nor does it ask for so much more
		p.still = 0
		p.signal()
	}
}
