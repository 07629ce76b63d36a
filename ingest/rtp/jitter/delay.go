package jitter

import (
	"math"
	"time"

	"github.com/scanout-av/scanout/media"
)

// Delay finds how much later than at its quickest the network delivers: the delay with
// which nearly every unit is there in time.
//
// Lateness goes into a histogram that forgets. The target is the lateness that one unit in
// fifty exceeds. It moves at most 100 ms a second, as WebRTC's does, so that pictures do
// not visibly change speed.
type Delay struct {
	weights [delayBuckets]float32
	total   float32
	decayed media.Instant
	target  float64 // ns
	moved   media.Instant
	worst   time.Duration
}

const (
	delayBuckets  = 512
	delayBucket   = 2 * time.Millisecond
	delayQuantile = 0.98
	delayMemory   = 10 * time.Second
	delayRate     = 0.1 // of the time that passes
	delayEvery    = 100 * time.Millisecond
)

// Observe says that a unit was late seconds late when it was complete.
func (d *Delay) Observe(late time.Duration, now media.Instant) {
	late = max(late, 0)
	d.worst = max(d.worst, late)
	i := min(int(late/delayBucket), delayBuckets-1)
	d.weights[i]++
	d.total++
	if d.moved == 0 {
		d.moved, d.decayed = now, now
	}
	if dt := now.Sub(d.moved); dt >= delayEvery {
		d.moved = now
		want := d.quantile()
		limit := delayRate * float64(dt)
		d.target += max(-limit, min(limit, want-d.target))
	}
	if dt := now.Sub(d.decayed); dt >= time.Second {
		d.decayed = now
		f := float32(math.Exp(-float64(dt) / float64(delayMemory)))
		for i := range d.weights {
			d.weights[i] *= f
		}
		d.total *= f
	}
}

func (d *Delay) quantile() float64 {
	left := d.total * (1 - delayQuantile)
	for i := delayBuckets - 1; i >= 0; i-- {
		if left -= d.weights[i]; left < 0 {
			if i == 0 {
				return 0 // within the quickest two milliseconds
			}
			return float64(i+1) * float64(delayBucket)
		}
	}
	return 0
}

// Target returns the delay at which units are there in time.
func (d *Delay) Target() time.Duration { return time.Duration(d.target) }

// Worst returns the greatest lateness seen.
func (d *Delay) Worst() time.Duration { return d.worst }

// Reset forgets everything.
func (d *Delay) Reset() { *d = Delay{worst: d.worst} }
