package audio

import (
	"fmt"
	"strings"
	"time"

	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

// Backend is the way to the loudspeaker.
type Backend uint8

// Backends.
const (
	Auto  Backend = iota // Pulse, else SDL, else Null
	Pulse                // PulseAudio's protocol, which PipeWire speaks as well
	SDL                  // SDL's audio device
	Null                 // a clock without sound
	None                 // no audio at all: Open refuses, and the player plays without
)

var backendNames = [...]string{"auto", "pulse", "sdl", "null", "none"}

func (b Backend) String() string {
	if int(b) < len(backendNames) {
		return backendNames[b]
	}
	return fmt.Sprintf("Backend(%d)", uint8(b))
}

// ParseBackend finds a backend by its name.
func ParseBackend(name string) (Backend, error) {
	for i, n := range backendNames {
		if n == name {
			return Backend(i), nil
		}
	}
	return 0, fmt.Errorf("audio: there is no backend %q: choose one of %s", name, strings.Join(backendNames[:], ", "))
}

// Config says how to open a sink. The zero value plays 48 kHz stereo with the best
// backend there is.
type Config struct {
	Backend  Backend
	Rate     int // Hz; 0 means 48000
	Channels int // interleaved channels, 1 to 8; 0 means 2
	// Latency is how much sound lies between the sink and the loudspeaker: less of it
	// makes underruns likelier. 0 means 100 ms. Position is exact whatever it is.
	Latency time.Duration
	// Server is PulseAudio's server string; empty looks where libpulse looks.
	Server string
	// Title names the stream in volume controls; empty means "scanout".
	Title string
	// Now is the clock that Position answers in; nil means CLOCK_MONOTONIC.
	Now func() media.Instant
}

// Bounds of Config.
const (
	minRate, maxRate       = 1000, 384000
	maxChannels            = 8
	minLatency, maxLatency = 5 * time.Millisecond, 2 * time.Second
)

func (c *Config) validate() error {
	if c.Rate == 0 {
		c.Rate = 48000
	}
	if c.Channels == 0 {
		c.Channels = 2
	}
	if c.Latency == 0 {
		c.Latency = 100 * time.Millisecond
	}
	if c.Title == "" {
		c.Title = "scanout"
	}
	if c.Now == nil {
		c.Now = rt.Now
	}
	switch {
	case c.Rate < minRate || c.Rate > maxRate:
		return fmt.Errorf("audio: a rate of %d Hz is not possible: use %d to %d", c.Rate, minRate, maxRate)
	case c.Channels < 1 || c.Channels > maxChannels:
		return fmt.Errorf("audio: %d channels are not possible: use 1 to %d", c.Channels, maxChannels)
	case c.Latency < minLatency || c.Latency > maxLatency:
		return fmt.Errorf("audio: a latency of %v is not possible: use %v to %v", c.Latency, minLatency, maxLatency)
	case c.Backend > None:
		return fmt.Errorf("audio: unknown backend %v", c.Backend)
	}
	return nil
}

// bufferLength is how much a sink holds beyond what lies in the server: enough for a
// decoder that comes by once per video frame.
func (c *Config) bufferLength() time.Duration { return max(2*c.Latency, 200*time.Millisecond) }

// device is a backend. Units: spans count from the last flush.
type device interface {
	name() string
	// write takes samples (a whole number of frames) and returns how many it took.
	write(samples []float32) (int, error)
	// room is how many samples write would take.
	room() int
	// heard says how much had been heard at now; ok is false until that is known.
	heard(now media.Instant) (d time.Duration, ok bool)
	pause(paused bool)
	// gain sets the perceptual volume.
	gain(v float64, muted bool)
	flush()
	underruns() int64
	// lost returns why the device is gone, nil while it is there.
	lost() error
	close() error
}

// Open opens a sink.
// Errors: media.ErrNotSupported when the backend cannot be had here; Auto falls back to
// Null and so never fails on a valid Config.
func Open(cfg Config) (*Sink, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	switch cfg.Backend {
	case Pulse:
		d, err := openPulse(&cfg)
		if err != nil {
			return nil, err
		}
		return newSink(&cfg, d, "as asked"), nil
	case SDL:
		d, err := openSDL(&cfg)
		if err != nil {
			return nil, err
		}
		return newSink(&cfg, d, "as asked"), nil
	case Null:
		return newSink(&cfg, newNull(&cfg), "as asked"), nil
	case None:
		return nil, fmt.Errorf("audio: switched off by backend none: %w", media.ErrNotSupported)
	}
	p, perr := openPulse(&cfg)
	if perr == nil {
		return newSink(&cfg, p, "an audio server answered"), nil
	}
	s, serr := openSDL(&cfg)
	if serr == nil {
		return newSink(&cfg, s, "no PulseAudio or PipeWire: "+oneLine(perr)), nil
	}
	return newSink(&cfg, newNull(&cfg), "no sound: "+oneLine(perr)+"; "+oneLine(serr)), nil
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// span converts samples per channel to time, to the nanosecond below.
func span(samples int64, rate int) time.Duration {
	r := int64(rate)
	return time.Duration(samples/r*int64(time.Second) + samples%r*int64(time.Second)/r)
}

// count converts a span to samples per channel, rounding down.
func count(d time.Duration, rate int) int64 {
	r := int64(rate)
	return int64(d/time.Second)*r + int64(d%time.Second)*r/int64(time.Second)
}
