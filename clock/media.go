package clock

import (
	"math"
	"sync"
	"time"

	"github.com/scanout-av/scanout/media"
)

// MediaConfig describes a media clock.
type MediaConfig struct {
	// Rate is the playback speed; zero is 1:1.
	Rate media.Rational
	// Start is the first position, on the streams' own timeline.
	Start  time.Duration
	Serial uint32
	Paused bool
}

// Media is the playback position as a function of the monotonic clock.
//
// It runs at its rate from where it was last set. While the audio device reports what has
// been heard (ObserveAudio), the position follows those reports, smoothed; when reports
// cease it runs on, at the device's speed as last known.
//
// Units: positions are spans on the streams' own timeline: a timestamp times its
// timebase.
// Concurrency: any goroutine; a short lock.
type Media struct {
	mu     sync.Mutex
	rate   media.Rational
	paused bool
	serial uint32
	audio  follower
	// The position was pos at the instant at, before the audio device's correction.
	at  Instant
	pos time.Duration
}

// NewMedia returns a clock that is at cfg.Start now.
func NewMedia(cfg MediaConfig, now Instant) *Media {
	m := &Media{rate: cfg.Rate, paused: cfg.Paused, serial: cfg.Serial, at: now, pos: cfg.Start}
	if !m.rate.Valid() {
		m.rate = media.Rational{Num: 1, Den: 1}
	}
	return m
}

// Position returns the position now.
func (m *Media) Position(now Instant) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.position(now)
}

func (m *Media) position(now Instant) time.Duration {
	if m.still() {
		return m.pos
	}
	return m.nominal(now) + m.audio.fit.At(now)
}

// still reports whether time stands: paused, or the audio device has run dry.
func (m *Media) still() bool { return m.paused || m.audio.stalled }

// nominal is the position without correction: at exactly the rate since the anchor.
func (m *Media) nominal(now Instant) time.Duration {
	return m.pos + time.Duration(media.Rescale(media.Timestamp(now-m.at), media.Timebase(m.rate), media.Timebase{Num: 1, Den: 1}))
}

// Instant returns when the clock passes position; ok is false while it stands still.
func (m *Media) Instant(position time.Duration) (at Instant, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.still() {
		return 0, false
	}
	f := &m.audio.fit
	// position = pos + rate·x + fit(at + x), solved for x.
	x := (float64(position-m.pos) - f.at(m.at)) / (m.rate.Float() + f.slope)
	return m.at + Instant(math.Round(x)), true
}

// At returns when timestamp t is due; ok is false while the clock stands still, and for a
// timestamp that is not known.
func (m *Media) At(t media.Timestamp, tb media.Timebase) (at Instant, ok bool) {
	if !t.Valid() {
		return 0, false
	}
	return m.Instant(tb.Duration(t))
}

// Pause stops the clock.
func (m *Media) Pause(now Instant) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(now, m.position(now))
	m.paused = true
}

// Resume lets the clock run on.
func (m *Media) Resume(now Instant) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.paused {
		m.paused = false
		m.set(now, m.pos)
	}
}

// Paused reports whether the clock is paused.
func (m *Media) Paused() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.paused
}

// SetRate changes the playback speed from now on; a rate that is not positive is ignored.
func (m *Media) SetRate(now Instant, rate media.Rational) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if rate.Valid() {
		m.set(now, m.position(now))
		m.rate = rate
	}
}

// Seek sets the position. Frames of another serial are stale from now on, and so are
// audio positions measured before now.
func (m *Media) Seek(now Instant, position time.Duration, serial uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(now, position)
	m.serial = serial
}

// Serial returns the serial of the last Seek.
func (m *Media) Serial() uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.serial
}

// set moves the anchor. Audio positions count from the new one on.
func (m *Media) set(now Instant, pos time.Duration) {
	m.at, m.pos = now, pos
	m.audio.restart(now)
}

// ObserveAudio says that the audio device had played position at an instant: what was
// written up to there had been heard. It reports whether the observation was used;
// outliers, and what was measured before the last Pause, Resume, Seek or SetRate, are
// not.
func (m *Media) ObserveAudio(position time.Duration, at Instant) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.paused || at < m.at {
		return false
	}
	switch m.audio.judge(position, at, position-m.nominal(at)) {
	case accept:
		m.audio.fit.Observe(at, position-m.nominal(at))
	case reset:
		m.at, m.pos = at, position
		m.audio.fit.Restart(at)
		m.audio.fit.Observe(at, 0)
	default:
		return false
	}
	return true
}

// LoseAudio says that the audio device is gone: the clock runs on, on the monotonic clock
// alone.
func (m *Media) LoseAudio(now Instant) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(now, m.position(now))
	m.audio = follower{since: now}
}

// AudioStats says how the clock follows the audio device.
type AudioStats struct {
	Following bool    // there have been observations since the last change
	Stalled   bool    // the device plays nothing: it has run dry
	DriftPPM  float64 // positive when the device runs fast
	// Jitter is the mean distance of observations from the smoothed line.
	Jitter time.Duration
	// Outliers were ignored; Resets are steps that the clock followed, Stalls those made
	// because the position stood still.
	Outliers, Resets, Stalls int64
}

// Audio returns how the clock follows the audio device.
func (m *Media) Audio() AudioStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := &m.audio
	return AudioStats{
		Following: a.fit.Observations() > 0, Stalled: a.stalled, DriftPPM: a.fit.PPM(),
		Jitter: time.Duration(a.jitter), Outliers: a.outliers, Resets: a.resets, Stalls: a.stalls,
	}
}
