package audio

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

func openPulseSink(t testing.TB, server *avtest.PulseServer, cfg Config) *Sink {
	t.Helper()
	cfg.Backend, cfg.Server = Pulse, server.Server
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// play writes all of x as there is room and calls step, if any, after each write.
func play(t testing.TB, s *Sink, x []float32, step func()) {
	t.Helper()
	err := avtest.Eventually(func() bool {
		n, err := s.Write(x)
		if err != nil {
			t.Fatal(err)
		}
		x = x[n:]
		if step != nil {
			step()
		}
		return len(x) == 0
	})
	if err != nil {
		t.Fatalf("%d samples left: %v", len(x), err)
	}
}

// drain waits until all has been heard.
func drain(t testing.TB, s *Sink, step func()) {
	t.Helper()
	err := avtest.Eventually(func() bool {
		if step != nil {
			step()
		}
		return s.Buffered() == 0
	})
	if err != nil {
		t.Fatalf("%v still buffered: %v", s.Buffered(), err)
	}
}

// clickLength is longer than a period of PipeWire's graph, of which a busy machine loses
// one now and then.
const clickLength = 10 * ms

// tone is a quiet 1 kHz tone with a loud click at each of clicks.
func tone(length time.Duration, clicks ...time.Duration) []float32 {
	x := make([]float32, int(count(length, 48000))*2)
	for i := range x {
		x[i] = 0.1 * float32(math.Sin(2*math.Pi*1000*float64(i/2)/48000))
	}
	for _, c := range clicks {
		i := int(count(c, 48000)) * 2
		for k := i; k < min(i+int(count(clickLength, 48000))*2, len(x)); k++ {
			x[k] = 0.9
		}
	}
	return x
}

// clicksIn returns where the clicks begin, in samples per channel.
func clicksIn(x []float32) []int {
	var at []int
	last := -1 << 30
	for i := 0; i+1 < len(x); i += 2 {
		if x[i] > 0.5 {
			if i/2-last > int(count(2*clickLength, 48000)) {
				at = append(at, i/2)
			}
			last = i / 2
		}
	}
	return at
}

// TestPulsePosition plays clicks and compares when Position says that they are heard
// with when the recorded sound has them, by the recording's own time line.
func TestPulsePosition(t *testing.T) { testPosition(t, avtest.Pulse(t), 5*ms) }

// PipeWire counts in periods of its graph, both for playing and for recording, and loses
// some when the machine is busy.
func TestPipeWirePosition(t *testing.T) { testPosition(t, avtest.PipeWire(t), 30*ms) }

func testPosition(t *testing.T, server *avtest.PulseServer, tolerance time.Duration) {
	for _, latency := range []time.Duration{20 * ms, 60 * ms, 200 * ms} {
		t.Run(latency.String(), func(t *testing.T) {
			avtest.Try(t, func() error { return positionError(t, server, latency, tolerance) })
		})
	}
}

// positionError plays clicks and says how the position was wrong.
func positionError(t *testing.T, server *avtest.PulseServer, latency, tolerance time.Duration) error {
	rec := server.Record(t, rt.Now)
	s := openPulseSink(t, server, Config{Latency: latency})
	t.Log(s.Choice())
	clicks := []time.Duration{200 * ms, 500 * ms, 800 * ms}
	// The line that Position describes, by every answer it gives.
	type point struct {
		heard time.Duration
		at    media.Instant
	}
	var points []point
	look := func() {
		if h, at, ok := s.Position(); ok && (len(points) == 0 || h > points[len(points)-1].heard) {
			points = append(points, point{h, at})
		}
	}
	x := tone(900*ms, clicks...)
	play(t, s, x, look)
	drain(t, s, look)
	got := clicksIn(rec.Stop())
	underruns := s.Underruns()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if len(got) != len(clicks) {
		return fmt.Errorf("%d clicks recorded, want %d (underruns %d)", len(got), len(clicks), underruns)
	}
	spread, n := rec.Spread()
	for i, c := range clicks {
		if d := got[i] - got[0] - int(count(c-clicks[0], 48000)); d != 0 && underruns == 0 && tolerance < 10*ms {
			return fmt.Errorf("click %d is %d samples off: samples were lost or doubled", i, d)
		}
		said := media.Instant(0)
		for _, p := range points {
			if p.heard >= c {
				said = p.at.Add(c - p.heard)
				break
			}
		}
		heard, ok := rec.SampleTime(got[i])
		if said == 0 || !ok {
			return fmt.Errorf("click %d: no position (%d points, %d measurements)", i, len(points), n)
		}
		t.Logf("click at %v: position says %v after the recording does (spread %v of %d measurements)", c, said.Sub(heard), spread, n)
		if e := said.Sub(heard); e.Abs() > tolerance {
			return fmt.Errorf("click at %v: position is off by %v", c, e)
		}
	}
	return nil
}

func TestPulsePauseFlush(t *testing.T)    { testPauseFlush(t, avtest.Pulse(t), 0) }
func TestPipeWirePauseFlush(t *testing.T) { testPauseFlush(t, avtest.PipeWire(t), 2*pipeWirePeriod) }

// pipeWirePeriod is the period of PipeWire's graph in samples: what a busy machine loses at
// a time.
const pipeWirePeriod = 256

// slack is how many samples may be lost between two clicks.
func testPauseFlush(t *testing.T, server *avtest.PulseServer, slack int) {
	// On a machine that stands still a flush comes too late, and sound runs dry.
	avtest.Try(t, func() error { return pauseFlush(t, server, slack) })
}

func pauseFlush(t *testing.T, server *avtest.PulseServer, slack int) error {
	rec := server.Record(t, rt.Now)
	defer rec.Stop()
	s := openPulseSink(t, server, Config{})
	defer s.Close()
	write(t, s, 200*ms)
	wait := func(what string, f func() bool) {
		t.Helper()
		if err := avtest.Eventually(f); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	heardMore := func(than time.Duration) func() bool {
		return func() bool { h, _, ok := s.Position(); return ok && h > than }
	}
	wait("sound", heardMore(50*ms))
	s.Pause(true)
	h, at, ok := s.Position()
	corked := func() bool { return strings.Contains(server.Pactl(t, "list", "sink-inputs"), "Corked: yes") }
	wait("the server pauses", corked)
	h2, at2, ok2 := s.Position()
	if !ok || !ok2 || h2 != h || at2 <= at {
		t.Errorf("position moves while paused: %v at %d, %v at %d", h, at, h2, at2)
	}
	s.Pause(false)
	// All that was written may have been heard before the pause.
	wait("sound goes on", func() bool {
		if _, err := s.Write(tone(10 * ms)); err != nil {
			t.Fatal(err)
		}
		return heardMore(h)()
	})
	// What is flushed is never heard: the click lies behind 150 ms of tone.
	s.Flush()
	if h, _, ok := s.Position(); ok || h != 0 || s.Buffered() != 0 {
		t.Errorf("after the flush: %v, %v, buffered %v", h, ok, s.Buffered())
	}
	play(t, s, tone(180*ms, 170*ms), nil)
	s.Flush()
	play(t, s, tone(180*ms, 100*ms, 140*ms), nil)
	drain(t, s, nil)
	if h, _, ok := s.Position(); !ok || h != 180*ms {
		t.Errorf("at the end: %v, %v", h, ok)
	}
	t.Logf("%d underruns", s.Underruns()) // a busy machine may have some
	// Pause, flush and write, then go on: a seek while paused.
	s.Pause(true)
	s.Flush()
	play(t, s, tone(100*ms, 50*ms), nil)
	if _, _, ok := s.Position(); ok {
		t.Error("paused and flushed: there is a position")
	}
	s.Pause(false)
	drain(t, s, nil)
	var got []int
	if err := avtest.Eventually(func() bool { got = clicksIn(rec.Samples()); return len(got) >= 3 }); err != nil {
		return fmt.Errorf("clicks recorded at %v, of %d samples (underruns %d): %w", got, len(rec.Samples())/2, s.Underruns(), err)
	}
	if off := got[1] - got[0] - int(count(40*ms, 48000)); len(got) != 3 || max(off, -off) > slack {
		return fmt.Errorf("clicks recorded at %v", got)
	}
	return nil
}

// TestPulseShort plays less than the server wants to have before it starts.
func TestPulseShort(t *testing.T)    { testShort(t, avtest.Pulse(t)) }
func TestPipeWireShort(t *testing.T) { testShort(t, avtest.PipeWire(t)) }

func testShort(t *testing.T, server *avtest.PulseServer) {
	s := openPulseSink(t, server, Config{Latency: 500 * ms})
	write(t, s, 30*ms)
	drain(t, s, nil)
	if h, _, ok := s.Position(); !ok || h != 30*ms {
		t.Errorf("position %v, %v", h, ok)
	}
}

func TestPulseUnderrun(t *testing.T)    { testUnderrun(t, avtest.Pulse(t)) }
func TestPipeWireUnderrun(t *testing.T) { testUnderrun(t, avtest.PipeWire(t)) }

func testUnderrun(t *testing.T, server *avtest.PulseServer) {
	// The server takes each write as a whole, so nothing runs dry within one.
	s := openPulseSink(t, server, Config{Latency: 200 * ms})
	for i := range int64(3) {
		write(t, s, 100*ms)
		drain(t, s, nil)
		if s.Underruns() != i {
			t.Fatalf("round %d: %d underruns before more was written", i, s.Underruns())
		}
		// The device is dry once the server has said so.
		dry := func() bool {
			p := s.dev.(*pulse)
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.dry
		}
		if err := avtest.Eventually(dry); err != nil {
			t.Fatalf("round %d: no underflow event: %v", i, err)
		}
	}
	if h, _, ok := s.Position(); !ok || h != 300*ms {
		t.Errorf("position %v, %v: silence counts as sound", h, ok)
	}
}

func TestPulseVolume(t *testing.T)    { testVolume(t, avtest.Pulse(t)) }
func TestPipeWireVolume(t *testing.T) { testVolume(t, avtest.PipeWire(t)) }

func testVolume(t *testing.T, server *avtest.PulseServer) {
	rec := server.Record(t, rt.Now)
	s := openPulseSink(t, server, Config{})
	list := func(want string) {
		t.Helper()
		var got string
		err := avtest.Eventually(func() bool {
			got = server.Pactl(t, "list", "sink-inputs")
			return strings.Contains(got, want)
		})
		if err != nil {
			t.Errorf("no %q in %s", want, got)
		}
	}
	s.SetMuted(true)
	list("Mute: yes")
	s.SetMuted(false)
	list("Mute: no")
	s.SetVolume(1.5)
	list("150%")
	s.SetVolume(0.5)
	list(" 50%")
	list(`media.role = "video"`)
	play(t, s, tone(150*ms), nil)
	drain(t, s, nil)
	// 0.1 · 0.5³
	loudest := func() float64 {
		m := float32(0)
		for _, v := range rec.Samples() {
			m = max(m, v)
		}
		return float64(m)
	}
	if err := avtest.Eventually(func() bool { return math.Abs(loudest()-0.0125) < 0.0002 }); err != nil {
		t.Errorf("the tone's level is %v, want 0.0125", loudest())
	}
}

func TestPulseServerKilled(t *testing.T) {
	server := avtest.Pulse(t)
	s := openPulseSink(t, server, Config{})
	look := func() (h time.Duration) {
		h, _, _ = s.Position()
		return h
	}
	write(t, s, 200*ms)
	if err := avtest.Eventually(func() bool { return look() > 50*ms }); err != nil {
		t.Fatal(err)
	}
	before := look()
	server.Kill()
	if err := avtest.Eventually(func() bool { return s.Lost() == 1 }); err != nil {
		t.Fatal(err)
	}
	if err := s.Err(); !errors.Is(err, media.ErrDeviceLost) {
		t.Errorf("got %v", err)
	}
	t.Log(s.Name(), "|", s.Err())
	if h := look(); h < before {
		t.Errorf("position went back from %v to %v", before, h)
	}
	play(t, s, tone(500*ms), nil)
	drain(t, s, nil)
	if h := look(); h != 700*ms {
		t.Errorf("position %v after 700 ms", h)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestPulseServerStops stops the server without ending it: nothing answers any more.
func TestPulseServerStops(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the 3 s that a server may be silent")
	}
	server := avtest.Pulse(t)
	s := openPulseSink(t, server, Config{})
	write(t, s, 200*ms)
	if err := avtest.Eventually(func() bool { _, _, ok := s.Position(); return ok }); err != nil {
		t.Fatal(err)
	}
	if err := server.Signal(syscall.Signal(19)); err != nil { // SIGSTOP
		t.Skip(err)
	}
	if err := avtest.Eventually(func() bool { return s.Lost() == 1 }); err != nil {
		heard, at, ok := s.Position()
		t.Fatalf("the loss %v: lost %d, error %v, heard %v at %d (%v), buffered %v", err, s.Lost(), s.Err(), heard, at, ok, s.Buffered())
	}
	if err := s.Err(); !errors.Is(err, errStalled) {
		t.Errorf("got %v", err)
	}
	play(t, s, tone(300*ms), nil)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestPulseStreamKilled(t *testing.T) {
	server := avtest.Pulse(t)
	s := openPulseSink(t, server, Config{})
	write(t, s, 200*ms)
	if err := avtest.Eventually(func() bool { _, _, ok := s.Position(); return ok }); err != nil {
		t.Fatal(err)
	}
	server.Pactl(t, "unload-module", "module-null-sink")
	if err := avtest.Eventually(func() bool { return s.Lost() == 1 }); err != nil {
		t.Fatal(err)
	}
	t.Log(s.Err())
}

func TestPulseManyOpenClose(t *testing.T) {
	server := avtest.Pulse(t)
	for range 20 {
		s := openPulseSink(t, server, Config{})
		write(t, s, 50*ms)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPulseAllocatesNothing plays half a second and asserts that neither the caller nor
// the two goroutines allocate.
func TestPulseAllocatesNothing(t *testing.T) {
	server := avtest.Pulse(t)
	s := openPulseSink(t, server, Config{})
	x := tone(10 * ms)
	write(t, s, 200*ms)
	if err := avtest.Eventually(func() bool { _, _, ok := s.Position(); return ok }); err != nil {
		t.Fatal(err)
	}
	written := 0
	n := testing.AllocsPerRun(50, func() {
		for k := 0; k < len(x); {
			n, err := s.Write(x[k:])
			if err != nil {
				t.Fatal(err)
			}
			k += n
			s.Room()
			s.Position()
			s.Buffered()
			s.Underruns()
			if n == 0 {
				rt.SleepUntil(rt.Now().Add(ms))
			}
		}
		written += len(x)
	})
	if n != 0 {
		t.Errorf("%v allocations per 10 ms of sound", n)
	}
	t.Logf("%v written", span(int64(written/2), 48000))
}
