// Package metrics counts and measures without locks and without allocating: counters,
// gauges, histograms of spans, and a ledger of the latest frames' ways through the
// pipeline.
//
// There is no registry and no exporter here: whoever measures owns its metrics as struct
// fields, and telemetry reads them. The zero values are ready to use.
package metrics

import "sync/atomic"

// pad keeps neighbours off a metric's cache line, so that threads that count different
// things do not slow each other down.
type pad [56]byte

// Counter counts up.
// Concurrency: any goroutine.
type Counter struct {
	v atomic.Int64
	_ pad
}

// Add counts n.
func (c *Counter) Add(n int64) { c.v.Add(n) }

// Inc counts one.
func (c *Counter) Inc() { c.v.Add(1) }

// Value returns the count.
func (c *Counter) Value() int64 { return c.v.Load() }

// Gauge is a value that goes up and down, and the highest it has been.
// Concurrency: any goroutine.
type Gauge struct {
	v, peak atomic.Int64
	_       [48]byte
}

// Set sets the value.
func (g *Gauge) Set(v int64) {
	g.v.Store(v)
	raise(&g.peak, v)
}

// Add changes the value by n.
func (g *Gauge) Add(n int64) { raise(&g.peak, g.v.Add(n)) }

// Value returns the value.
func (g *Gauge) Value() int64 { return g.v.Load() }

// Peak returns the highest value so far, at least 0.
func (g *Gauge) Peak() int64 { return g.peak.Load() }

func raise(m *atomic.Int64, v int64) {
	for {
		old := m.Load()
		if v <= old || m.CompareAndSwap(old, v) {
			return
		}
	}
}
