package audio

import (
	"errors"
	"fmt"
	"time"

	"github.com/scanout-av/scanout/internal/sdl"
	"github.com/scanout-av/scanout/media"
)

// sdlDevice plays through SDL.
//
// SDL does not tell how long the hardware takes. What it has taken out of the queue is
// heard two device periods later: one that sounds and one that waits behind it. That
// holds to about one period. The queue is counted in whole periods; the anchor makes a
// line of it.
// Concurrency: under the Sink's lock.
type sdlDevice struct {
	cfg    *Config
	dev    *sdl.AudioDevice
	label  string
	period int64 // samples per channel
	// capacity is what the queue may hold, in samples per channel.
	capacity int64

	line     anchor
	measured media.Instant
	taken    int64 // samples that the device had taken, by the last measurement
	written  int64 // samples per channel since the last flush
	started  bool
	paused   bool
	factor   float32
	scaled   []float32
	dry      int64
	err      error
}

var errGone = errors.New("SDL reports that it stopped")

func openSDL(cfg *Config) (*sdlDevice, error) {
	lib, err := sdl.Load()
	if err != nil {
		return nil, fmt.Errorf("audio: %w", err)
	}
	// Short periods, because position is known to about one; a power of two, because some
	// drivers need that.
	period := 64
	for int64(period)*8 <= count(cfg.Latency, cfg.Rate) && period < 4096 {
		period *= 2
	}
	dev, err := lib.OpenAudio(sdl.AudioConfig{Rate: cfg.Rate, Channels: cfg.Channels, Samples: period})
	if err != nil {
		return nil, fmt.Errorf("audio: %w", err)
	}
	d := &sdlDevice{
		cfg: cfg, dev: dev, period: int64(dev.Period()), factor: 1,
		label: fmt.Sprintf("sdl %s, driver %s, period %d", lib.Version(), dev.Driver(), dev.Period()),
	}
	d.capacity = max(count(cfg.bufferLength(), cfg.Rate), 4*d.period)
	d.scaled = make([]float32, d.capacity*int64(cfg.Channels))
	dev.Pause(false)
	return d, nil
}

func (d *sdlDevice) name() string { return d.label }

func (d *sdlDevice) write(x []float32) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	// The device goes on with silence when the queue is empty, so the line breaks there.
	if d.dev.Queued() == 0 {
		if d.written > 0 && d.started && !d.paused {
			d.dry++
		}
		d.line.reset()
	}
	x = x[:min(len(x), len(d.scaled))]
	for i, v := range x {
		d.scaled[i] = v * d.factor
	}
	if err := d.dev.Queue(d.scaled[:len(x)]); err != nil {
		d.err = err
		return 0, err
	}
	d.written += int64(len(x) / d.cfg.Channels)
	return len(x), nil
}

func (d *sdlDevice) room() int {
	return int(max(d.capacity-int64(d.dev.Queued()), 0)) * d.cfg.Channels
}

// remeasure is how often the queue is looked at for the line, so that the line's window
// is longer than any period.
const remeasure = 20 * time.Millisecond

func (d *sdlDevice) heard(now media.Instant) (time.Duration, bool) {
	if now.Sub(d.measured) >= remeasure || d.line.n == 0 {
		taken := d.written - int64(d.dev.Queued())
		if taken > 0 && (taken > d.taken || d.line.n == 0) {
			d.started = true
			// A negative position is right: it says when the sound will come.
			d.line.add(span(taken, d.cfg.Rate)-span(2*d.period, d.cfg.Rate), now)
		}
		d.taken, d.measured = taken, now
	}
	h, ok := d.line.at(now)
	if !ok || h < 0 {
		return 0, false
	}
	// Not beyond what the device has, or will have taken by its next period.
	return min(h, span(min(d.taken+d.period, d.written), d.cfg.Rate)), true
}

func (d *sdlDevice) pause(paused bool) {
	d.paused = paused
	d.dev.Pause(paused)
	d.line.reset()
}

func (d *sdlDevice) gain(v float64, muted bool) {
	if muted {
		v = 0
	}
	d.factor = float32(v * v * v)
}

func (d *sdlDevice) flush() {
	d.dev.Clear()
	d.line.reset()
	d.written, d.taken, d.started = 0, 0, false
}

func (d *sdlDevice) underruns() int64 { return d.dry }

func (d *sdlDevice) lost() error {
	if d.err == nil && d.dev.Lost() {
		d.err = errGone
	}
	return d.err
}

func (d *sdlDevice) close() error { return d.dev.Close() }
