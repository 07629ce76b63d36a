package metrics

import (
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

func TestCounterAndGauge(t *testing.T) {
	var c Counter
	var g Gauge
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				c.Inc()
				g.Add(3)
				g.Add(-3)
			}
		})
	}
	wg.Wait()
	c.Add(5)
	if c.Value() != 4005 || g.Value() != 0 || g.Peak() < 3 || g.Peak() > 12 {
		t.Errorf("counter %d, gauge %d, peak %d", c.Value(), g.Value(), g.Peak())
	}
	g.Set(100)
	g.Set(-7)
	if g.Value() != -7 || g.Peak() != 100 {
		t.Errorf("gauge %d, peak %d", g.Value(), g.Peak())
	}
	for _, m := range []reflect.Type{reflect.TypeFor[Counter](), reflect.TypeFor[Gauge]()} {
		if m.Size() != 64 {
			t.Errorf("%v has %d bytes: want a cache line", m, m.Size())
		}
	}
}

// Buckets must cover every span once and be narrow.
func TestBuckets(t *testing.T) {
	next := uint64(0)
	for i := range buckets {
		low, high := bucketRange(i)
		if low != next || high <= low {
			t.Fatalf("bucket %d is %d…%d, the one before ended at %d", i, low, high, next)
		}
		next = high
		if bucketOf(low) != i || bucketOf(high-1) != i {
			t.Fatalf("bucket %d: its ends lie in %d and %d", i, bucketOf(low), bucketOf(high-1))
		}
		if i < buckets-1 && float64(high-low-1) > float64(low)/subs {
			t.Fatalf("bucket %d, %d…%d, is too wide", i, low, high)
		}
	}
	if next != 1<<63 {
		t.Errorf("the last bucket ends at %d", next)
	}
}

func TestHistogram(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	draw := map[string]func() time.Duration{
		"constant":    func() time.Duration { return 8333333 },
		"zero":        func() time.Duration { return 0 },
		"small":       func() time.Duration { return time.Duration(rng.IntN(40)) },
		"uniform":     func() time.Duration { return time.Duration(rng.IntN(1e9)) },
		"exponential": func() time.Duration { return time.Duration(rng.ExpFloat64() * 1e6) },
		"any":         func() time.Duration { return time.Duration(1) << rng.IntN(63) },
	}
	for name, next := range draw {
		var h Histogram
		var all []time.Duration
		var sum time.Duration
		for range 10000 {
			d := next()
			if name == "any" {
				d = min(d, 1<<40)
			}
			h.Record(d)
			all = append(all, d)
			sum += d
		}
		slices.Sort(all)
		s := h.Summary()
		if s.Count != 10000 || s.Min != all[0] || s.Max != all[9999] || s.Mean != sum/10000 || h.Sum() != sum {
			t.Errorf("%s: %+v, want min %v, max %v, mean %v", name, s, all[0], all[9999], sum/10000)
		}
		for q, got := range map[float64]time.Duration{0.5: s.P50, 0.9: s.P90, 0.99: s.P99, 0.999: s.P999} {
			want := all[int(q*10000)]
			if math.Abs(float64(got-want)) > 0.016*float64(want) {
				t.Errorf("%s: quantile %v is %v, want %v", name, q, got, want)
			}
		}
		var n int64
		var last time.Duration
		h.Each(func(high time.Duration, count int64) {
			if high <= last || count <= 0 {
				t.Errorf("%s: bucket up to %v after %v, count %d", name, high, last, count)
			}
			n, last = n+count, high
		})
		if n != 10000 || last <= all[9999] {
			t.Errorf("%s: buckets hold %d up to %v", name, n, last)
		}
		h.Reset()
		if s := h.Summary(); s != (Summary{}) {
			t.Errorf("%s: after Reset %+v", name, s)
		}
	}
}

func TestHistogramExtremes(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 {
		t.Error("an empty histogram has a median")
	}
	h.Record(-time.Second)
	h.Record(math.MaxInt64)
	if s := h.Summary(); s.Min != 0 || s.Max != math.MaxInt64 || s.P99 != math.MaxInt64 || h.Quantile(-1) != 0 || h.Quantile(2) != math.MaxInt64 {
		t.Errorf("%+v", s)
	}
}

func TestHistogramConcurrent(t *testing.T) {
	var h Histogram
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			for i := range 5000 {
				h.Record(time.Duration(i*4 + k))
			}
		})
	}
	wg.Wait()
	if s := h.Summary(); s.Count != 20000 || s.Max != 19999 || s.Min != 0 || s.Mean != 9999 {
		t.Errorf("%+v", s)
	}
}

func TestEntryPacks(t *testing.T) {
	in := Entry{
		Number: 1 << 60, PTS: media.NoTimestamp, Timebase: media.Timebase{Num: 1001, Den: math.MaxInt32}, Serial: math.MaxUint32,
		Received: 1, Assembled: 2, Decoded: 3, Queued: 4, Target: -5, Submitted: 6, OnScreen: 7,
		Source: media.PresentImmediate, Refresh: 8, Missed: -9, Copies: 10,
	}
	w := in.words()
	var out Entry
	out.unpack(&w)
	if in != out {
		t.Errorf("%+v became %+v", in, out)
	}
}

func TestLedger(t *testing.T) {
	l, err := NewLedger(LedgerConfig{Frames: 4})
	if err != nil {
		t.Fatal(err)
	}
	var e Entry
	if l.Last() != 0 || l.Get(0, &e) || l.Get(1, &e) || l.Present(&media.Presented{}) {
		t.Error("an empty ledger has an entry")
	}
	for n := uint64(1); n <= 6; n++ {
		l.Put(&Entry{Number: n, Received: media.Instant(n * 10), Queued: media.Instant(n * 20)})
	}
	if l.Get(2, &e) || !l.Get(3, &e) || e.Queued != 60 || l.Last() != 6 {
		t.Errorf("entry 3: %+v, last %d", e, l.Last())
	}
	if e.Latency() != 0 {
		t.Error("a frame that is not on screen has a latency")
	}
	if !l.Present(&media.Presented{Number: 5, Target: 200, Submitted: 190, Actual: 210, Source: media.PresentFence, Missed: 1, Copies: 2}) {
		t.Error("entry 5 is gone")
	}
	if l.Present(&media.Presented{Number: 1}) {
		t.Error("entry 1 is still there")
	}
	want := Entry{Number: 5, Received: 50, Queued: 100, Target: 200, Submitted: 190, OnScreen: 210, Source: media.PresentFence, Missed: 1, Copies: 2}
	if !l.Get(5, &e) || e != want || e.Latency() != 160 {
		t.Errorf("%+v, latency %v", e, e.Latency())
	}
	dst := make([]Entry, 10)
	if n := l.Latest(dst); n != 4 || dst[0].Number != 3 || dst[3].Number != 6 {
		t.Errorf("%d entries: %+v", n, dst)
	}
	if n := l.Latest(dst[:2]); n != 2 || dst[0].Number != 5 {
		t.Errorf("%d entries from %d", n, dst[0].Number)
	}
	for _, n := range []int{-1, 1<<24 + 1} {
		if _, err := NewLedger(LedgerConfig{Frames: n}); err == nil {
			t.Errorf("a ledger of %d frames", n)
		}
	}
}

// A reader must never see half of one entry and half of another. The oldest of the 16
// entries is the one being overwritten.
func TestLedgerConcurrent(t *testing.T) {
	l, err := NewLedger(LedgerConfig{Frames: 16})
	if err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	var seen atomic.Int64
	for range 2 {
		wg.Go(func() {
			dst := make([]Entry, 16)
			for !stop.Load() {
				for _, e := range dst[:l.Latest(dst)] {
					n := media.Instant(e.Number)
					if e.Received != n || e.Decoded != n || e.Queued != n || uint64(e.PTS) != e.Number || e.Refresh != time.Duration(n) || e.OnScreen != 0 && e.OnScreen != n {
						t.Errorf("torn: %+v", e)
						return
					}
					seen.Add(1)
				}
			}
		})
	}
	for n := uint64(1); n < 20000 || seen.Load() < 100 && !t.Failed(); n++ {
		i := media.Instant(n)
		l.Put(&Entry{Number: n, PTS: media.Timestamp(n), Received: i, Decoded: i, Queued: i, Refresh: time.Duration(n)})
		l.Present(&media.Presented{Number: n, Actual: i, Refresh: time.Duration(n)})
		if n%4096 == 0 { // seldom: readers keep the processor for a time slice
			runtime.Gosched()
		}
	}
	stop.Store(true)
	wg.Wait()
}

func TestNoAllocations(t *testing.T) {
	var c Counter
	var g Gauge
	var h Histogram
	l, err := NewLedger(LedgerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]Entry, 8)
	e := Entry{}
	p := media.Presented{}
	if n := testing.AllocsPerRun(1000, func() {
		c.Inc()
		g.Add(1)
		h.Record(time.Duration(c.Value()) * 1000)
		e.Number++
		l.Put(&e)
		p.Number = e.Number
		l.Present(&p)
		l.Latest(dst)
		_ = h.Summary()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCounter(b *testing.B) {
	var c Counter
	for b.Loop() {
		c.Inc()
	}
}

func BenchmarkHistogramRecord(b *testing.B) {
	var h Histogram
	d := time.Duration(0)
	for b.Loop() {
		h.Record(d)
		d += 977
	}
}

func BenchmarkHistogramRecordParallel(b *testing.B) {
	var h Histogram
	b.RunParallel(func(pb *testing.PB) {
		d := time.Duration(0)
		for pb.Next() {
			h.Record(d)
			d += 977
		}
	})
}

func BenchmarkHistogramSummary(b *testing.B) {
	var h Histogram
	for i := range 1000 {
		h.Record(time.Duration(i * 1000))
	}
	for b.Loop() {
		_ = h.Summary()
	}
}

func BenchmarkLedgerPut(b *testing.B) {
	l, err := NewLedger(LedgerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	e := Entry{}
	for b.Loop() {
		e.Number++
		l.Put(&e)
	}
}

func BenchmarkLedgerGet(b *testing.B) {
	l, err := NewLedger(LedgerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	e := Entry{Number: 1}
	l.Put(&e)
	for b.Loop() {
		l.Get(1, &e)
	}
}
