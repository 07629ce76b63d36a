package clock

import (
	"math"
	"time"
)

// Fit smooths how far one clock has moved from another: a straight line through the
// observed deviations, by least squares, older ones counting less. Its slope is the
// drift.
//
// The slope is held near what is known already (0 at first) as if by half a second of
// observations, so that the first few, which say little about it, do not swing it.
// The zero value is ready.
type Fit struct {
	n      int
	weight float64
	// All in ns; t counts from origin.
	origin   Instant
	last     Instant
	meanT    float64
	meanE    float64
	varT     float64 // Σ w (t−meanT)²
	covTE    float64 // Σ w (t−meanT)(e−meanE)
	slope    float64
	expected float64 // slope before the first observation
}

const (
	fitMemory = 3 * time.Second
	fitPrior  = 0.5e9 * 0.5e9 // ns²: (50 µs of jitter / 100 ppm of drift)²
	// No crystal is further off than 1000 ppm, and sound is resampled by up to 1250 ppm on
	// top of that to keep step with a display.
	fitMaxSlope = 2500e-6
)

// Observe adds a deviation seen at an instant, which must not be before the last one.
func (f *Fit) Observe(at Instant, deviation time.Duration) {
	if f.n == 0 {
		f.origin, f.last = at, at
	}
	t, e := float64(at-f.origin), float64(deviation)
	decay := math.Exp(-float64(at-f.last) / float64(fitMemory))
	f.last = at
	f.n++
	f.weight = f.weight*decay + 1
	f.varT *= decay
	f.covTE *= decay
	dt, de := t-f.meanT, e-f.meanE
	f.meanT += dt / f.weight
	f.meanE += de / f.weight
	f.varT += dt * (t - f.meanT)
	f.covTE += dt * (e - f.meanE)
	s := (f.covTE + fitPrior*f.expected) / (f.varT + fitPrior)
	f.slope = max(-fitMaxSlope, min(fitMaxSlope, s))
}

// At returns the smoothed deviation at an instant, 0 before the first observation.
func (f *Fit) At(at Instant) time.Duration { return time.Duration(math.Round(f.at(at))) }

func (f *Fit) at(at Instant) float64 {
	return f.meanE + f.slope*(float64(at-f.origin)-f.meanT)
}

// PPM returns the drift in parts per million: positive when the observed clock is fast.
func (f *Fit) PPM() float64 { return f.slope * 1e6 }

// Observations returns how many there were since the last Restart.
func (f *Fit) Observations() int { return f.n }

// Restart forgets the deviations, so that there is none at the given instant, and keeps
// the drift if it was known by then: a clock that steps still has the same crystal.
func (f *Fit) Restart(at Instant) {
	known := f.expected
	if f.varT > 4*fitPrior {
		known = f.slope
	}
	*f = Fit{origin: at, last: at, slope: known, expected: known}
}
