package audio

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/scanout-av/scanout/media"
)

// ErrClosed is returned by Write after Close.
var ErrClosed = errors.New("audio: sink is closed")

// Sink plays float samples and knows what has been heard.
// Concurrency: Write and Flush on one goroutine; everything else from any.
type Sink struct {
	cfg    Config
	choice string

	mu  sync.Mutex // guards all below, for the length of some arithmetic
	dev device
	// standIn replaces dev once that is lost.
	standIn *null
	err     error
	lost    int64
	closed  bool

	written int64 // samples per channel since the last flush
	// floor is what Position has said since the last flush: it never goes back.
	floor time.Duration
	known bool // Position has answered since the last flush

	paused bool
	volume float64
	muted  bool
}

func newSink(cfg *Config, d device, why string) *Sink {
	s := &Sink{cfg: *cfg, dev: d, volume: 1}
	s.choice = fmt.Sprintf("%s (%s)", d.name(), why)
	return s
}

// Name says what plays: "pulse …", "sdl …" or "null".
func (s *Sink) Name() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.standIn != nil {
		return "null, after the loss of " + s.dev.name()
	}
	return s.dev.name()
}

// Choice is one line that says which backend was chosen and why.
func (s *Sink) Choice() string { return s.choice }

// Rate returns the sample rate in Hz.
func (s *Sink) Rate() int { return s.cfg.Rate }

// Channels returns the number of interleaved channels.
func (s *Sink) Channels() int { return s.cfg.Channels }

// current returns the device, after having replaced a lost one.
func (s *Sink) current() device {
	if s.standIn != nil {
		return s.standIn
	}
	err := s.dev.lost()
	if err == nil || s.closed {
		return s.dev
	}
	now := s.cfg.Now()
	heard := s.floor
	if !s.paused {
		if d, ok := s.dev.heard(now); ok {
			heard = max(heard, d)
			s.known = true
		}
	}
	s.standIn = newNull(&s.cfg)
	s.standIn.seed(s.written, heard, s.paused)
	s.err = fmt.Errorf("audio: %s: %w: %w: playing on without sound", s.dev.name(), media.ErrDeviceLost, err)
	s.lost++
	return s.standIn
}

// Write queues interleaved samples and returns how many it took, a multiple of Channels;
// it never blocks. Samples outside −1…1 are clipped by the server.
// Errors: ErrClosed. A lost device is no error: see Err.
func (s *Sink) Write(samples []float32) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, ErrClosed
	}
	n := min(len(samples), s.current().room())
	n -= n % s.cfg.Channels
	if n == 0 {
		return 0, nil
	}
	n, err := s.current().write(samples[:n])
	if err != nil {
		// The device went while it was written to; the stand-in takes the samples.
		n, err = s.current().write(samples[:n])
	}
	s.written += int64(n / s.cfg.Channels)
	return n, err
}

// Room is how many samples (not per channel) Write would take now.
func (s *Sink) Room() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0
	}
	n := s.current().room()
	return n - n%s.cfg.Channels
}

// Position says that heard of what was written since the last Flush had been heard at
// the instant at, which is now. It does not go back except by Flush. ok is false until
// sound is known to come out.
func (s *Sink) Position() (heard time.Duration, at media.Instant, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at = s.cfg.Now()
	heard, ok = s.position(at)
	return heard, at, ok
}

func (s *Sink) position(now media.Instant) (time.Duration, bool) {
	d := s.current()
	if s.paused || s.closed {
		return s.floor, s.known
	}
	if h, ok := d.heard(now); ok {
		s.known = true
		s.floor = max(s.floor, min(h, span(s.written, s.cfg.Rate)))
	}
	return s.floor, s.known
}

// Buffered is how much has been written and not been heard.
func (s *Sink) Buffered() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, _ := s.position(s.cfg.Now())
	return span(s.written, s.cfg.Rate) - h
}

// Pause stops the sound and the position, or lets them go on.
func (s *Sink) Pause(paused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paused == paused || s.closed {
		return
	}
	if paused {
		s.position(s.cfg.Now())
	}
	s.paused = paused
	s.current().pause(paused)
}

// MaxVolume is the loudest volume that SetVolume takes.
const MaxVolume = 1.5

// SetVolume sets the volume from 0 to MaxVolume; 1 leaves samples as they are. The scale
// is perceptual: samples are multiplied by v³.
// Source: PulseAudio's software volume (pulse/volume.c).
func (s *Sink) SetVolume(v float64) {
	if math.IsNaN(v) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.volume = min(max(v, 0), MaxVolume)
	s.applyGain()
}

// Volume returns what SetVolume set.
func (s *Sink) Volume() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.volume
}

// SetMuted silences the sound and keeps the volume.
func (s *Sink) SetMuted(muted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.muted = muted
	s.applyGain()
}

func (s *Sink) applyGain() {
	if s.closed {
		return
	}
	s.current().gain(s.volume, s.muted)
}

// Flush drops what has not been heard.
func (s *Sink) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.current().flush()
	s.written, s.floor, s.known = 0, 0, false
}

// Underruns counts the times that the device ran dry in the middle of the sound: it is
// counted when more is written, because the end of a stream is not an underrun.
func (s *Sink) Underruns() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.dev.underruns()
	if s.standIn != nil {
		n += s.standIn.underruns()
	}
	return n
}

// Lost counts the devices that went away.
func (s *Sink) Lost() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current()
	return s.lost
}

// Err returns why sound stopped, wrapping media.ErrDeviceLost; nil while there is sound.
func (s *Sink) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current()
	return s.err
}

// Close stops the sound at once and joins the sink's goroutines. Closing twice does
// nothing.
func (s *Sink) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.position(s.cfg.Now())
	s.closed = true
	s.mu.Unlock()
	return s.dev.close()
}
