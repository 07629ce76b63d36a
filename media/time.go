package media

import (
	"fmt"
	"math"
	"math/bits"
	"time"
)

// Instant is a point of the machine's monotonic clock.
//
// Units: ns, CLOCK_MONOTONIC. The zero value means "not known".
type Instant int64

// Add returns i moved by d.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Sub returns the span from j to i.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i - j) }

// Timestamp is a point of a stream's own timeline, in ticks of its [Timebase].
type Timestamp int64

// NoTimestamp marks a timestamp that the source did not give.
const NoTimestamp Timestamp = math.MinInt64

// Valid reports whether t was given by the source.
func (t Timestamp) Valid() bool { return t != NoTimestamp }

// Rational is an exact ratio. The zero value means "not known".
type Rational struct{ Num, Den int32 }

// Valid reports whether r is a positive ratio.
func (r Rational) Valid() bool { return r.Num > 0 && r.Den > 0 }

// Float returns r as a float64, 0 when r is not known.
func (r Rational) Float() float64 {
	if r.Den == 0 {
		return 0
	}
	return float64(r.Num) / float64(r.Den)
}

// Reduce returns r in lowest terms.
func (r Rational) Reduce() Rational {
	// int64: the magnitude of the smallest int32 is no int32.
	a, b := int64(r.Num), int64(r.Den)
	for b != 0 {
		a, b = b, a%b
	}
	if a < 0 {
		a = -a
	}
	if a <= 1 {
		return r
	}
	return Rational{int32(int64(r.Num) / a), int32(int64(r.Den) / a)}
}

func (r Rational) String() string { return fmt.Sprintf("%d:%d", r.Num, r.Den) }

// Timebase is the length of one tick, in seconds, as an exact ratio.
type Timebase Rational

// Common time bases.
var (
	Nanoseconds = Timebase{1, 1_000_000_000}
	RTPVideo    = Timebase{1, 90_000} // RFC 3551 section 5
	AudioTicks  = Timebase{1, 48_000}
)

// Valid reports whether tb is a positive tick length.
func (tb Timebase) Valid() bool { return tb.Num > 0 && tb.Den > 0 }

// Duration converts ticks to a span, rounding to nearest and saturating at the ends
// of the int64 range. [NoTimestamp] gives 0.
func (tb Timebase) Duration(t Timestamp) time.Duration {
	if t == NoTimestamp {
		return 0
	}
	return time.Duration(mulDiv(int64(t), int64(tb.Num)*1e9, int64(tb.Den)))
}

// Ticks converts a span to ticks, rounding to nearest.
func (tb Timebase) Ticks(d time.Duration) Timestamp {
	return Timestamp(mulDiv(int64(d), int64(tb.Den), int64(tb.Num)*1e9))
}

// Rescale converts t from one time base to another, rounding to nearest and keeping
// [NoTimestamp]. A time base that is not valid gives 0.
func Rescale(t Timestamp, from, to Timebase) Timestamp {
	if t == NoTimestamp || from == to {
		return t
	}
	if !from.Valid() || !to.Valid() {
		return 0
	}
	return Timestamp(mulDiv(int64(t), int64(from.Num)*int64(to.Den), int64(from.Den)*int64(to.Num)))
}

// mulDiv returns round(a*b/c) for b ≥ 0 and c > 0 with a 128-bit product, half away
// from zero, saturating. c ≤ 0 gives 0: a stream without a time base has no time.
func mulDiv(a, b, c int64) int64 {
	if c <= 0 || b <= 0 {
		return 0
	}
	neg := a < 0
	u := uint64(a)
	if neg {
		u = -u
	}
	hi, lo := bits.Mul64(u, uint64(b))
	lo, carry := bits.Add64(lo, uint64(c)/2, 0)
	hi += carry
	if hi >= uint64(c) {
		if neg {
			return math.MinInt64 + 1
		}
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(c))
	if q > math.MaxInt64 {
		q = math.MaxInt64
	}
	if neg {
		return -int64(q)
	}
	return int64(q)
}
