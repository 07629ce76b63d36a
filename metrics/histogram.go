package metrics

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A span's bucket: below 2^subBits ns each has its own, above every power of two is cut
// into 2^subBits equal parts, so that a bucket is at most 1/32 of its value wide. The
// last bucket takes whatever lies above 2^maxBits ns (73 minutes).
const (
	subBits = 5
	subs    = 1 << subBits
	maxBits = 42
	buckets = (maxBits-subBits+1)*subs + 1
)

// Histogram records spans. Quantiles are within 1.6 %; mean, minimum and maximum are
// exact. It takes about 10 KB.
// Units: time.Duration; negative spans count as 0.
// Concurrency: any goroutine. A reader sees each record, but a summary taken meanwhile
// may have counted a span and not yet summed it.
type Histogram struct {
	counts [buckets]atomic.Uint64
	_      pad
	sum    atomic.Int64
	max    atomic.Int64
	// min is stored as its complement, so that zero means none yet.
	min atomic.Int64
}

func bucketOf(v uint64) int {
	if v >= 1<<maxBits {
		return buckets - 1
	}
	// The top subBits+1 bits, the first of which is 1, say which part of which octave.
	shift := max(0, bits.Len64(v)-subBits-1)
	return shift*subs + int(v>>shift)
}

// bucketRange returns the spans low ≤ v < high of bucket i.
func bucketRange(i int) (low, high uint64) {
	if i < 2*subs {
		return uint64(i), uint64(i) + 1
	}
	if i == buckets-1 {
		return 1 << maxBits, 1 << 63
	}
	shift := i/subs - 1
	low = uint64(i-shift*subs) << shift
	return low, low + 1<<shift
}

// Record adds a span.
func (h *Histogram) Record(d time.Duration) {
	v := int64(max(0, d))
	h.counts[bucketOf(uint64(v))].Add(1)
	h.sum.Add(v)
	raise(&h.max, v)
	raise(&h.min, maxSpan-v)
}

const maxSpan = 1<<63 - 1

// Summary says how spans are distributed.
type Summary struct {
	Count                               int64
	Mean, Min, P50, P90, P99, P999, Max time.Duration
}

// Summary returns the distribution of what has been recorded; all zero when nothing was.
func (h *Histogram) Summary() Summary {
	n := h.Count()
	if n == 0 {
		return Summary{}
	}
	s := Summary{
		Count: n,
		Mean:  time.Duration(h.sum.Load() / n),
		Min:   time.Duration(maxSpan - h.min.Load()),
		Max:   time.Duration(h.max.Load()),
	}
	s.P50, s.P90, s.P99, s.P999 = h.Quantile(0.5), h.Quantile(0.9), h.Quantile(0.99), h.Quantile(0.999)
	return s
}

// Count returns how many spans have been recorded.
func (h *Histogram) Count() (n int64) {
	for i := range h.counts {
		n += int64(h.counts[i].Load())
	}
	return n
}

// Sum returns the sum of all spans.
func (h *Histogram) Sum() time.Duration { return time.Duration(h.sum.Load()) }

// Quantile returns the span that a share q of all spans does not exceed, within 1.6 %; 0
// when nothing has been recorded.
// Units: q is in 0…1.
func (h *Histogram) Quantile(q float64) time.Duration {
	n := h.Count()
	if n == 0 {
		return 0
	}
	rank := min(n-1, int64(max(0, q)*float64(n)))
	lowest, highest := time.Duration(maxSpan-h.min.Load()), time.Duration(h.max.Load())
	for i := range h.counts {
		if rank -= int64(h.counts[i].Load()); rank < 0 {
			if i == buckets-1 {
				return highest
			}
			low, high := bucketRange(i)
			// The middle of the bucket, but nothing that was never recorded.
			return max(lowest, min(highest, time.Duration(low+(high-low)/2)))
		}
	}
	return highest
}

// Each calls f for every bucket that is not empty, in rising order: count spans were
// below high and not in an earlier bucket.
func (h *Histogram) Each(f func(high time.Duration, count int64)) {
	for i := range h.counts {
		if c := h.counts[i].Load(); c > 0 {
			_, high := bucketRange(i)
			f(time.Duration(min(high, maxSpan)), int64(c))
		}
	}
}

// Reset forgets everything, for the start of steady state. A span recorded at the same
// moment may be kept in part.
func (h *Histogram) Reset() {
	for i := range h.counts {
		h.counts[i].Store(0)
	}
	h.sum.Store(0)
	h.max.Store(0)
	h.min.Store(0)
}
