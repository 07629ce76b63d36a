package jitter

import (
	"time"

	"github.com/scanout-av/scanout/media"
)

// Reception keeps the statistics of a receiver report about one source.
//
// Source: RFC 3550, 6.4.1, A.3 and A.8.
type Reception struct {
	rate     int64
	started  bool
	base     int64 // first sequence number, unwrapped
	top      int64
	received int64
	// At the last report.
	expectedPrior, receivedPrior int64

	transit int64 // arrival minus timestamp, in ticks
	jitter  int64 // times 16

	lastSR   uint32 // middle bits of its NTP timestamp
	lastSRAt media.Instant
}

// NewReception returns the statistics of a source whose timestamps have the given rate.
func NewReception(rate int) *Reception { return &Reception{rate: int64(max(rate, 1))} }

// Reset begins anew, with another source.
func (r *Reception) Reset() { *r = Reception{rate: r.rate} }

// Receive counts a packet, also one that is late or comes twice.
func (r *Reception) Receive(seq int64, ts uint32, at media.Instant) {
	if !r.started || seq > r.top+maxDropout || seq < r.base-maxMisorder {
		sr, srAt := r.lastSR, r.lastSRAt
		*r = Reception{rate: r.rate, started: true, base: seq, top: seq, lastSR: sr, lastSRAt: srAt}
	}
	r.base = min(r.base, seq)
	r.top = max(r.top, seq)
	r.received++
	// A.8, in integers. Local time becomes ticks in two steps, for the product must fit.
	s, ns := int64(at)/1e9, int64(at)%1e9
	transit := int64(int32(uint32(s*r.rate+ns*r.rate/1e9) - ts))
	if r.received > 1 {
		d := int64(int32(transit - r.transit))
		if d < 0 {
			d = -d
		}
		// A pause or another timeline is no jitter.
		if d < 10*r.rate {
			r.jitter += d - (r.jitter+8)>>4
		}
	}
	r.transit = transit
}

// SenderReport notes a sender report: its NTP timestamp, and when it came.
func (r *Reception) SenderReport(ntp uint64, at media.Instant) {
	r.lastSR, r.lastSRAt = uint32(ntp>>16), at
}

// Report is a reception report block, without the SSRC.
type Report struct {
	FractionLost     uint8 // in 256ths, since the last report
	TotalLost        int32 // 24 bits, signed: duplicates make it negative
	HighestSequence  uint32
	Jitter           uint32 // in ticks
	LastSenderReport uint32
	Delay            uint32 // since then, in 65536ths of a second
}

// Report returns the report that is due now, and begins the next interval. Ok is false
// before the first packet.
func (r *Reception) Report(now media.Instant) (b Report, ok bool) {
	if !r.started {
		return b, false
	}
	expected := r.top - r.base + 1
	lost := expected - r.received
	b.TotalLost = int32(max(-1<<23, min(1<<23-1, lost)))
	interval, got := expected-r.expectedPrior, r.received-r.receivedPrior
	r.expectedPrior, r.receivedPrior = expected, r.received
	if l := interval - got; interval > 0 && l > 0 {
		b.FractionLost = uint8(min(l<<8/interval, 255))
	}
	b.HighestSequence = uint32(r.top - 1<<16) // the buffer counts a turn ahead
	b.Jitter = uint32(r.jitter >> 4)
	if r.lastSRAt != 0 {
		b.LastSenderReport = r.lastSR
		b.Delay = uint32(max(int64(now.Sub(r.lastSRAt)), 0) * 4096 / 62500000)
	}
	return b, true
}

// Expected and Received count packets since the source began.
func (r *Reception) Expected() int64 {
	if !r.started {
		return 0
	}
	return r.top - r.base + 1
}

// Received counts packets, duplicates too.
func (r *Reception) Received() int64 { return r.received }

// Jitter returns the interarrival jitter.
func (r *Reception) Jitter() time.Duration {
	return time.Duration((r.jitter >> 4) * 1e9 / r.rate)
}
