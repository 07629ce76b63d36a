package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scanout-av/scanout/internal/ring"
)

// handover is one way to pass pointers from one thread to another. send and receive are
// called n times each, on two goroutines locked to their threads, and block or spin.
type handover struct {
	name    string
	send    func(*payload)
	receive func() *payload
}

type payload struct{ n int }

const queueDepth = 256

// handovers returns every way, each with a queue of its own.
func handovers() ([]handover, error) {
	r, err := ring.New[*payload](ring.Config{Capacity: queueDepth})
	if err != nil {
		return nil, err
	}
	batch, err := ring.New[*payload](ring.Config{Capacity: queueDepth})
	if err != nil {
		return nil, err
	}
	spin := func(ok func() bool) {
		for i := 0; !ok(); i++ {
			if i > 100 {
				runtime.Gosched()
			}
		}
	}
	ch := make(chan *payload, queueDepth)
	var mu sync.Mutex
	var slice []*payload
	var head int
	var slot atomic.Value
	slot.Store((*payload)(nil))
	var in, out [16]*payload
	var inN, outN, outAt int
	return []handover{
		{"scanout ring", func(p *payload) { spin(func() bool { return r.TryPush(p) }) },
			func() (p *payload) { spin(func() (ok bool) { p, ok = r.TryPop(); return }); return }},
		{"scanout ring, batches of 16", func(p *payload) {
			in[inN] = p
			if inN++; inN == len(in) || p.n == 0 {
				for sent := 0; sent < inN; {
					k := batch.PushBatch(in[sent:inN])
					if sent += k; k == 0 {
						runtime.Gosched()
					}
				}
				inN = 0
			}
		}, func() *payload {
			if outAt == outN {
				outAt = 0
				spin(func() bool { outN = batch.PopBatch(out[:]); return outN > 0 })
			}
			outAt++
			return out[outAt-1]
		}},
		{"channel", func(p *payload) { ch <- p }, func() *payload { return <-ch }},
		{"mutex and slice", func(p *payload) {
			spin(func() bool {
				mu.Lock()
				defer mu.Unlock()
				if len(slice)-head >= queueDepth {
					return false
				}
				if len(slice) == cap(slice) && head > 0 {
					slice = append(slice[:0], slice[head:]...)
					head = 0
				}
				slice = append(slice, p)
				return true
			})
		}, func() (p *payload) {
			spin(func() bool {
				mu.Lock()
				defer mu.Unlock()
				if head == len(slice) {
					return false
				}
				p = slice[head]
				slice[head] = nil
				head++
				return true
			})
			return
		}},
		{"atomic.Value, one place", func(p *payload) {
			spin(func() bool { return slot.Load().(*payload) == nil })
			slot.Store(p)
		}, func() (p *payload) {
			spin(func() bool { p = slot.Load().(*payload); return p != nil })
			slot.Store((*payload)(nil))
			return
		}},
	}, nil
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
	t.note("Two goroutines locked to their threads, queue of %d; median of %d rounds taken in turns.", queueDepth, rounds)
	if runtime.NumCPU() < 2 {
		t.note("One CPU only: the two threads take turns, which hides what a queue costs.")
	}
	return t, nil
}

// passAround hands payloads over for about d and returns ns and allocations for each.
func passAround(w *handover, d time.Duration) (ns, allocs float64) {
	items := [2]payload{{0}, {1}}
	pass := func(n int) time.Duration {
		var wg sync.WaitGroup
		start := make(chan struct{})
		wg.Add(2)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			<-start
			for i := n - 1; i >= 0; i-- {
				w.send(&items[min(i, 1)])
			}
		}()
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			<-start
			for range n {
				w.receive()
			}
		}()
		t0 := time.Now()
		close(start)
		wg.Wait()
		return time.Since(t0)
	}
	n := 20_000
	for {
		var m0, m1 runtime.MemStats
		runtime.ReadMemStats(&m0)
		took := pass(n)
		runtime.ReadMemStats(&m1)
		if took >= d*7/10 || n >= 1<<28 {
			return float64(took) / float64(n), float64(m1.Mallocs-m0.Mallocs) / float64(n)
		}
		n = int(float64(n) * min(float64(d)/float64(max(took, time.Microsecond)), 10) * 1.05)
	}
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
