package audio

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/jfreymuth/pulse/proto"
)

// TestPulseAnswers feeds a stream with a script of what servers say and checks what it
// makes of that. The clock is a fake; nothing is sent.
func TestPulseAnswers(t *testing.T) {
	c := &fakeClock{t: 1e9}
	cfg := Config{Now: c.now}
	if err := cfg.validate(); err != nil {
		t.Fatal(err)
	}
	p := &pulse{cfg: &cfg, ring: newRing(1 << 12), wake: make(chan struct{}, 1), stream: 7}
	const bytesPerMS = 48 * 8
	// answer is an answer to a question of now: ms that were sent, that are still queued, and
	// that lie between the queue and the ear.
	answer := func(queued, latency int64, running bool) {
		t.Helper()
		p.poll = poll{tag: ownTag | 1, pending: true, epoch: p.epoch, at: c.t, wall: 1, sent: p.sent}
		p.event(&message{op: proto.OpReply, tag: ownTag | 1, delay: delay{
			latency: uint64(latency) * 1000, running: running, write: 1000 + p.sent, read: 1000 + p.sent - queued*bytesPerMS}})
	}
	want := func(heard time.Duration, ok bool) {
		t.Helper()
		if h, k := p.heard(c.t); k != ok || ok && h != heard {
			t.Fatalf("heard %v, %v; want %v, %v", h, k, heard, ok)
		}
	}
	event := func(op uint32) { p.event(&message{op: op, stream: 7}) }

	want(0, false)
	p.sent = 100 * bytesPerMS
	answer(100, 30, false)
	want(0, false)
	if !p.drain {
		t.Error("a stream that does not start by itself is not started")
	}
	p.drain = false
	event(proto.OpStarted)
	answer(80, 30, true) // 20 ms taken, 10 ms of silence before them
	want(0, false)
	c.advance(15 * ms)
	want(5*ms, true)
	answer(75, 10, true) // 25 taken
	want(15*ms, true)
	c.advance(200 * ms)
	want(100*ms, true) // never more than was sent

	// Silence after the end: the line goes on to it and is not pulled back.
	answer(0, 40, true)
	c.advance(10 * ms)
	answer(0, 40, false)
	c.advance(10 * ms)
	want(80*ms, true)
	answer(0, 40, false)
	c.advance(30 * ms)
	want(100*ms, true)
	if !p.dry {
		t.Error("the device is dry and nobody noticed")
	}

	// After the gap the line starts anew.
	event(proto.OpUnderflow)
	p.sent += 100 * bytesPerMS
	p.dry = false
	answer(90, 40, true) // 110 ms taken, 70 heard
	want(70*ms, true)    // the Sink holds what it has said

	// A server that goes on with silence and says nothing of it.
	c.advance(60 * ms)
	if answer(0, 40, true); p.dry {
		t.Error("the device is dry while 40 ms are on their way")
	}
	c.advance(100 * ms)
	if answer(0, 40, true); !p.dry {
		t.Error("all has been heard, and nobody noticed")
	}

	// An answer to a question from before a pause is void.
	p.poll = poll{tag: ownTag | 2, pending: true, epoch: p.epoch, at: c.t, wall: 1, sent: p.sent}
	p.epoch++
	n := p.line.n
	want(0, false)
	p.event(&message{op: proto.OpReply, tag: ownTag | 2, delay: delay{running: true, write: p.sent, read: p.sent}})
	if p.line.n != n {
		t.Errorf("a void answer counts: %d, %d before", p.line.n, n)
	}
	p.doneEpoch = p.epoch

	// An underflow before any sound, or while paused, is none.
	p.started, p.dry = false, false
	event(proto.OpUnderflow)
	if p.dry {
		t.Error("an underrun before the first sound")
	}
	p.started, p.want.paused = true, true
	event(proto.OpUnderflow)
	if p.dry {
		t.Error("an underrun while paused")
	}
	p.want.paused = false

	// Someone else's stream.
	p.event(&message{op: proto.OpPlaybackStreamKilled, stream: 8})
	if p.err != nil {
		t.Error(p.err)
	}
	event(proto.OpPlaybackStreamKilled)
	if p.err == nil {
		t.Error("a killed stream goes unnoticed")
	}
}

// TestPulseLosesCount has a server that says for ever that there is something in its queue:
// at the end of a stream it is asked to drain first; then what it says is not believed, and
// as much more may be sent.
func TestPulseLosesCount(t *testing.T) {
	c := &fakeClock{t: 1e9}
	cfg := Config{Now: c.now}
	if err := cfg.validate(); err != nil {
		t.Fatal(err)
	}
	const bytesPerMS = 48 * 8
	for _, more := range []bool{false, true} { // whether there is more to send
		p := &pulse{cfg: &cfg, ring: newRing(1 << 12), wake: make(chan struct{}, 1), stream: 7, sent: 100 * bytesPerMS}
		if more {
			p.ring.push(make([]float32, 960))
		}
		answer := func(after time.Duration, running bool) {
			t.Helper()
			c.advance(after)
			p.poll = poll{tag: ownTag | 1, pending: true, epoch: p.epoch, at: c.t, wall: 1, sent: p.sent}
			p.event(&message{op: proto.OpReply, tag: ownTag | 1, delay: delay{running: running, write: p.sent, read: p.sent - 20*bytesPerMS}})
		}
		wait := func() { // for as long as nothing comes of it
			t.Helper()
			for d := time.Duration(0); d < cfg.Latency+stuckAfter; d += pollSlow {
				if p.drain || p.astray != 0 {
					t.Fatalf("more to send: %v: too early: drain %v, astray %d", more, p.drain, p.astray)
				}
				answer(pollSlow, true)
			}
		}
		answer(0, true)           // takes 80 ms
		answer(time.Minute, true) // a server that stood still itself
		wait()
		if p.drain == more {
			t.Errorf("more to send: %v: drain %v", more, p.drain)
		}
		if !more {
			p.drain = false
			if wait(); p.astray != 0 {
				t.Error("the drain was given no time")
			}
			answer(ms, true)
		}
		if p.astray != 20*bytesPerMS || p.credit.Load() != 20*bytesPerMS || len(p.wake) != 1 {
			t.Errorf("more to send: %v: %d bytes astray, %d to be sent, want %d", more, p.astray, p.credit.Load(), 20*bytesPerMS)
		}
		answer(ms, true)
		answer(ms, true)
		if h, ok := p.heard(c.t); !ok || h != 100*ms || p.dry == more {
			t.Errorf("more to send: %v: heard %v, %v, dry %v", more, h, ok, p.dry)
		}
	}
	// A device that does not run while there is more to play, as when it is suspended.
	p := &pulse{cfg: &cfg, ring: newRing(1 << 12), wake: make(chan struct{}, 1), stream: 7, sent: 100 * bytesPerMS}
	p.ring.push(make([]float32, 960))
	for range 100 {
		c.advance(time.Second)
		p.poll = poll{tag: ownTag | 1, pending: true, epoch: p.epoch, at: c.t, wall: 1, sent: p.sent}
		p.event(&message{op: proto.OpReply, tag: ownTag | 1, delay: delay{write: p.sent, read: p.sent - 20*bytesPerMS}})
	}
	if p.astray != 0 || p.credit.Load() != 0 {
		t.Errorf("suspended: %d bytes astray, %d to be sent", p.astray, p.credit.Load())
	}
}

// TestPulseResumes checks that the feeder notices when the sound goes on after a pause: it
// then asks at once where the stream is, and not when it would have asked of a paused one.
func TestPulseResumes(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	go func() { _, _ = io.Copy(io.Discard, there) }()
	p := &pulse{cfg: &Config{Channels: 2, Now: (&fakeClock{t: 1e9}).now}, ring: newRing(1 << 12), wake: make(chan struct{}, 1),
		wire: wire{conn: here, out: make([]byte, headerSize, 1<<12)}, want: control{volume: 1}, done: control{volume: 1}}
	for i, c := range []struct {
		change  func()
		resumed bool
	}{
		{func() {}, false},
		{func() { p.pause(true) }, false},
		{p.flush, false},
		{func() { p.pause(false) }, true},
		{func() {}, false},
		{func() { p.pause(true); p.pause(false) }, false}, // the server was not told
		{func() { p.gain(0.5, true) }, false},
	} {
		c.change()
		if resumed, err := p.control(); err != nil || resumed != c.resumed {
			t.Errorf("change %d: resumed %v, %v; want %v", i, resumed, err, c.resumed)
		}
	}
}

// TestPulseAsks: a stream is asked for often until it is known where it is, and hardly ever while
// it is paused.
func TestPulseAsks(t *testing.T) {
	p := &pulse{sent: 4}
	if d := p.untilAsked(); d != pollFast {
		t.Errorf("at first every %v", d)
	}
	p.line.n = len(p.line.offset)
	if d := p.untilAsked(); d != pollSlow {
		t.Errorf("later every %v", d)
	}
	p.done.paused = true
	if d := p.untilAsked(); d != pollPaused {
		t.Errorf("in a pause every %v", d)
	}
}
