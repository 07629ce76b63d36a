package audio

import (
	"time"

	"github.com/scanout-av/scanout/media"
)

// null is a clock without sound: what is written counts as heard at the sample rate.
// It is arithmetic on the configuration's clock.
// Concurrency: under the Sink's lock.
type null struct {
	now      func() media.Instant
	rate     int
	channels int
	capacity int64 // samples per channel

	written int64
	// base had been heard at start.
	base   time.Duration
	start  media.Instant
	paused bool
	dry    int64
}

func newNull(cfg *Config) *null {
	return &null{now: cfg.Now, rate: cfg.Rate, channels: cfg.Channels,
		capacity: count(cfg.bufferLength(), cfg.Rate)}
}

// seed continues where another device stopped.
func (n *null) seed(written int64, heard time.Duration, paused bool) {
	n.written, n.base, n.start, n.paused = written, heard, n.now(), paused
}

func (n *null) name() string { return "null" }

// position returns what has been heard; reading it never moves the clock.
func (n *null) position(now media.Instant) time.Duration {
	if n.paused {
		return n.base
	}
	return min(n.base+max(now.Sub(n.start), 0), span(n.written, n.rate))
}

func (n *null) write(x []float32) (int, error) {
	now := n.now()
	end := span(n.written, n.rate)
	// A clock that has run dry, or has not started, starts at the write.
	if p := n.position(now); p >= end {
		if n.written > 0 && !n.paused && n.base+now.Sub(n.start) > end {
			n.dry++
		}
		n.base, n.start = end, now
	}
	took := min(len(x), n.room())
	n.written += int64(took / n.channels)
	return took, nil
}

func (n *null) room() int {
	free := n.capacity - (n.written - count(n.position(n.now()), n.rate))
	return int(max(free, 0)) * n.channels
}

func (n *null) heard(now media.Instant) (time.Duration, bool) {
	return n.position(now), n.written > 0
}

func (n *null) pause(paused bool) {
	now := n.now()
	n.base = n.position(now)
	n.start = now
	n.paused = paused
}

func (n *null) gain(float64, bool) {}

func (n *null) flush() {
	n.written, n.base, n.start = 0, 0, n.now()
}

func (n *null) underruns() int64 { return n.dry }
func (n *null) lost() error      { return nil }
func (n *null) close() error     { return nil }
