package ring

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/scanout-av/scanout/internal/rt"
)

// item has the size of what flows between stages: a pointer and a few numbers.
type item struct{ a, b, c, d uint64 }

func benchRing(b *testing.B, capacity int) *Ring[item] {
	r, err := New[item](Config{Capacity: capacity, Consumer: rt.NewWaiter(rt.SleepKernel), Producer: rt.NewWaiter(rt.SleepKernel)})
	if err != nil {
		b.Fatal(err)
	}
	return r
}

func BenchmarkOneThread(b *testing.B) {
	r := benchRing(b, 1024)
	b.ReportAllocs()
	for b.Loop() {
		r.TryPush(item{a: 1})
		r.TryPop()
	}
}

func BenchmarkOneThreadBatch64(b *testing.B) {
	r := benchRing(b, 1024)
	var in, out [64]item
	b.ReportAllocs()
	for i := 0; i < b.N; i += 64 {
		r.PushBatch(in[:])
		r.PopBatch(out[:])
	}
}

// twoThreads runs both ends on locked threads of their own, b.N elements through; an
// operation is one element pushed and popped.
func twoThreads(b *testing.B, push func(n int), pop func(n int)) {
	b.ReportAllocs()
	var wg sync.WaitGroup
	var ready atomic.Int32
	side := func(cpu int, work func(int)) {
		wg.Go(func() {
			th := rt.Lock(rt.ThreadConfig{CPUs: []int{cpu}})
			defer th.Unlock()
			for ready.Add(1); ready.Load() < 2; {
				rt.Pause(10)
			}
			work(b.N)
		})
	}
	b.ResetTimer()
	side(0, push)
	side(1, pop)
	wg.Wait()
}

// backOff spins, but lets the other thread run when there is one processor for both.
func backOff(tries *int) {
	if *tries++; *tries > 10000 {
		*tries = 0
		runtime.Gosched()
	}
	rt.Pause(30)
}

func BenchmarkTwoThreads(b *testing.B) {
	b.Run("ring", func(b *testing.B) {
		r := benchRing(b, 1024)
		tries := [2]int{}
		twoThreads(b, func(n int) {
			for i := range n {
				for !r.TryPush(item{a: uint64(i)}) {
					backOff(&tries[0])
				}
			}
		}, func(n int) {
			for range n {
				for {
					if _, ok := r.TryPop(); ok {
						break
					}
					backOff(&tries[1])
				}
			}
		})
	})
	b.Run("ring batch 64", func(b *testing.B) {
		r := benchRing(b, 1024)
		tries := [2]int{}
		var in, out [64]item
		twoThreads(b, func(n int) {
			for n > 0 {
				k := r.PushBatch(in[:min(64, n)])
				if n -= k; k == 0 {
					backOff(&tries[0])
				}
			}
		}, func(n int) {
			for n > 0 {
				k := r.PopBatch(out[:min(64, n)])
				if n -= k; k == 0 {
					backOff(&tries[1])
				}
			}
		})
	})
	b.Run("ring sleeping", func(b *testing.B) {
		r := benchRing(b, 1024)
		twoThreads(b, func(n int) {
			for i := range n {
				r.Push(item{a: uint64(i)}, 0)
			}
		}, func(n int) {
			for range n {
				r.Pop(0)
			}
		})
	})
	b.Run("channel", func(b *testing.B) {
		c := make(chan item, 1024)
		twoThreads(b, func(n int) {
			for i := range n {
				c <- item{a: uint64(i)}
			}
		}, func(n int) {
			for range n {
				<-c
			}
		})
	})
	b.Run("channel spinning", func(b *testing.B) {
		c := make(chan item, 1024)
		tries := [2]int{}
		twoThreads(b, func(n int) {
			for i := 0; i < n; {
				select {
				case c <- item{a: uint64(i)}:
					i++
				default:
					backOff(&tries[0])
				}
			}
		}, func(n int) {
			for n > 0 {
				select {
				case <-c:
					n--
				default:
					backOff(&tries[1])
				}
			}
		})
	})
	b.Run("mutex+slice", func(b *testing.B) {
		var mu sync.Mutex
		q := make([]item, 0, 1024)
		tries := [2]int{}
		twoThreads(b, func(n int) {
			for i := 0; i < n; {
				mu.Lock()
				ok := len(q) < cap(q)
				if ok {
					q = append(q, item{a: uint64(i)})
					i++
				}
				mu.Unlock()
				if !ok {
					backOff(&tries[0])
				}
			}
		}, func(n int) {
			at := 0
			for n > 0 {
				mu.Lock()
				ok := at < len(q)
				if ok {
					_ = q[at]
					n--
					if at++; at == len(q) {
						q, at = q[:0], 0
					}
				}
				mu.Unlock()
				if !ok {
					backOff(&tries[1])
				}
			}
		})
	})
	// Not a queue: the newest element only, each side waits for the other.
	b.Run("atomic.Value", func(b *testing.B) {
		var v atomic.Value
		var taken atomic.Uint64
		tries := [2]int{}
		twoThreads(b, func(n int) {
			for i := range n {
				for taken.Load() != uint64(i) {
					backOff(&tries[0])
				}
				v.Store(&item{a: uint64(i) + 1})
			}
		}, func(n int) {
			for i := range n {
				for {
					if p, _ := v.Load().(*item); p != nil && p.a == uint64(i)+1 {
						break
					}
					backOff(&tries[1])
				}
				taken.Store(uint64(i) + 1)
			}
		})
	})
}
