package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scanout-av/scanout/internal/ring"
	"github.com/scanout-av/scanout/internal/rt"
)

// handover is one way to pass pointers from one thread to another: send and receive pass n
// of them, each on a goroutine locked to a thread of its own.
type handover struct {
	name          string
	send, receive func(n int)
}

type payload [64]byte

const (
	queueDepth = 1024
	queueBatch = 16
)

// backOff spins a little, as who waits in a hurry does, and lets the other side run when
// there is one processor for both.
type backOff int

func (b *backOff) wait() {
	if *b++; *b > 10000 {
		*b = 0
		runtime.Gosched()
	}
	rt.Pause(30)
}

// handovers returns every way, each with a queue of its own.
func handovers() ([]handover, error) {
	single, err := ring.New[*payload](ring.Config{Capacity: queueDepth})
	if err != nil {
		return nil, err
	}
	batch, err := ring.New[*payload](ring.Config{Capacity: queueDepth})
	if err != nil {
		return nil, err
	}
	p := new(payload)
	ch := make(chan *payload, queueDepth)
	q := &lockedQueue{items: make([]*payload, 0, 2*queueDepth)}
	var slot atomic.Value
	slot.Store((*payload)(nil))
	return []handover{
		{"scanout ring", func(n int) {
			var b backOff
			for range n {
				for !single.TryPush(p) {
					b.wait()
				}
			}
		}, func(n int) {
			var b backOff
			for range n {
				for {
					if _, ok := single.TryPop(); ok {
						break
					}
					b.wait()
				}
			}
		}},
		{"scanout ring, batches of 16", func(n int) {
			var b backOff
			in := [queueBatch]*payload{}
			for i := range in {
				in[i] = p
			}
			for n > 0 {
				k := batch.PushBatch(in[:min(n, queueBatch)])
				if n -= k; k == 0 {
					b.wait()
				}
			}
		}, func(n int) {
			var b backOff
			var out [queueBatch]*payload
			for n > 0 {
				k := batch.PopBatch(out[:min(n, queueBatch)])
				if n -= k; k == 0 {
					b.wait()
				}
			}
		}},
		{"channel", func(n int) {
			for range n {
				ch <- p
			}
		}, func(n int) {
			for range n {
				<-ch
			}
		}},
		{"mutex and slice", func(n int) {
			var b backOff
			for range n {
				for !q.push(p) {
					b.wait()
				}
			}
		}, func(n int) {
			var b backOff
			for range n {
				for q.pop() == nil {
					b.wait()
				}
			}
		}},
		{"atomic.Value, one place", func(n int) {
			var b backOff
			for range n {
				for slot.Load().(*payload) != nil {
					b.wait()
				}
				slot.Store(p)
			}
		}, func(n int) {
			var b backOff
			for range n {
				for slot.Load().(*payload) == nil {
					b.wait()
				}
				slot.Store((*payload)(nil))
			}
		}},
	}, nil
}

// lockedQueue is what one writes without thinking: a slice behind a mutex.
type lockedQueue struct {
	mu    sync.Mutex
	items []*payload
	head  int
}

func (q *lockedQueue) push(p *payload) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items)-q.head >= queueDepth {
		return false
	}
	if len(q.items) == cap(q.items) {
		q.items = q.items[:copy(q.items, q.items[q.head:])]
		q.head = 0
	}
	q.items = append(q.items, p)
	return true
}

func (q *lockedQueue) pop() *payload {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head == len(q.items) {
		return nil
	}
	p := q.items[q.head]
	q.items[q.head] = nil
	q.head++
	return p
}

// benchQueue measures every way in turns, several rounds each, and keeps the medians.
func benchQueue(ctx context.Context, o *benchOptions) (*benchTable, error) {
	t := &benchTable{Columns: []string{"way", "ns a hand-over", "allocations", "times the ring's"}}
	const rounds = 5
	ways, err := handovers()
	if err != nil {
		return nil, err
	}
	ns := make([][]float64, len(ways))
	allocs := make([]float64, len(ways))
	for range rounds {
		for i := range ways {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			d, a := passAround(&ways[i], o.Duration/rounds)
			ns[i] = append(ns[i], d)
			allocs[i] = a
		}
	}
	base := median(ns[0])
	for i := range ways {
		m := median(ns[i])
		t.add(ways[i].name, m, round(allocs[i]), m/base)
	}
	t.note("Two threads pinned to a processor each, queue of %d; median of %d rounds taken in turns.", queueDepth, rounds)
	if runtime.NumCPU() < 2 {
		t.note("One CPU only: the two threads take turns, which hides what a queue costs.")
	}
	return t, nil
}

// passAround hands payloads over for about d and returns ns and allocations for each.
func passAround(w *handover, d time.Duration) (ns, allocs float64) {
	n := 20_000
	for {
		var m0, m1 runtime.MemStats
		runtime.ReadMemStats(&m0)
		took := pass(w, n)
		runtime.ReadMemStats(&m1)
		if took >= d*7/10 || n >= 1<<28 {
			return float64(took) / float64(n), float64(m1.Mallocs-m0.Mallocs) / float64(n)
		}
		n = int(float64(n) * min(float64(d)/float64(max(took, time.Microsecond)), 10) * 1.05)
	}
}

// pass hands n payloads over between two threads pinned to a processor each.
func pass(w *handover, n int) time.Duration {
	var wg sync.WaitGroup
	var ready atomic.Int32
	side := func(cpu int, work func(int)) {
		wg.Go(func() {
			cfg := rt.ThreadConfig{}
			if runtime.NumCPU() > 1 {
				cfg.CPUs = []int{cpu}
			}
			th := rt.Lock(cfg)
			defer th.Unlock()
			for ready.Add(1); ready.Load() < 2; {
				runtime.Gosched()
			}
			work(n)
		})
	}
	t0 := time.Now()
	side(0, w.send)
	side(1, w.receive)
	wg.Wait()
	return time.Since(t0)
}

func median(v []float64) float64 {
	s := append([]float64(nil), v...)
	for i := range s { // a handful of values
		for j := i; j > 0 && s[j] < s[j-1]; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
	if len(s) == 0 {
		return 0
	}
	return s[len(s)/2]
}
