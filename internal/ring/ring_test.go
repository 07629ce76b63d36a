package ring

import (
	"io"
	"math"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newRing[T any](t testing.TB, capacity int, how rt.Sleep) *Ring[T] {
	t.Helper()
	r, err := New[T](Config{Capacity: capacity, Consumer: rt.NewWaiter(how), Producer: rt.NewWaiter(how)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCapacity(t *testing.T) {
	for n, want := range map[int]int{1: 1, 2: 2, 3: 4, 4: 4, 5: 8, 1000: 1024} {
		if r := newRing[byte](t, n, rt.SleepGo); r.Cap() != want {
			t.Errorf("capacity %d gives %d, want %d", n, r.Cap(), want)
		}
	}
	for _, n := range []int{0, -1, maxCapacity + 1} {
		if _, err := New[byte](Config{Capacity: n}); err == nil {
			t.Errorf("capacity %d was accepted", n)
		}
	}
}

// The indices run on for ever: nothing may happen where they wrap.
func TestIndicesWrap(t *testing.T) {
	r := newRing[int](t, 4, rt.SleepGo)
	start := uint64(math.MaxUint64 - 5)
	r.head.Store(start)
	r.tail.Store(start)
	r.seenHead, r.seenTail = start, start
	for i := range 50 {
		if !r.TryPush(2*i) || !r.TryPush(2*i+1) || r.Len() != 2 {
			t.Fatalf("round %d: push refused or length %d", i, r.Len())
		}
		var got [3]int
		if n := r.PopBatch(got[:]); n != 2 || got[0] != 2*i || got[1] != 2*i+1 {
			t.Fatalf("round %d: %d of %v", i, n, got)
		}
	}
}

func TestPoppedElementsAreForgotten(t *testing.T) {
	r := newRing[*int](t, 4, rt.SleepGo)
	for round := range 5 {
		for r.TryPush(new(int)) {
		}
		if round%2 == 0 {
			r.PopBatch(make([]*int, 8))
		}
		for {
			if _, ok := r.TryPop(); !ok {
				break
			}
		}
		for i, p := range r.slots {
			if p != nil {
				t.Fatalf("round %d: slot %d still points at an element", round, i)
			}
		}
		r.TryPush(nil) // shift the start
		r.TryPop()
	}
}

func TestClose(t *testing.T) {
	r := newRing[int](t, 2, rt.SleepGo)
	r.TryPush(1)
	r.Close()
	r.Close()
	if r.TryPush(2) || r.PushBatch([]int{2}) != 0 || r.Push(2, 0) != os.ErrClosed {
		t.Error("a closed ring took an element")
	}
	if v, err := r.Pop(0); v != 1 || err != nil {
		t.Errorf("Pop = %d, %v; want what was left", v, err)
	}
	if _, err := r.Pop(0); err != io.EOF {
		t.Errorf("Pop of a closed, empty ring: %v", err)
	}
}

func TestDeadlinesAndInterrupts(t *testing.T) {
	for name, how := range sleeps {
		t.Run(name, func(t *testing.T) {
			r := newRing[int](t, 1, how)
			soon := func() media.Instant { return rt.Now().Add(200 * time.Microsecond) }
			for _, d := range []media.Instant{1, soon()} {
				if _, err := r.Pop(d); err != media.ErrAgain {
					t.Errorf("Pop of an empty ring: %v", err)
				}
				if rt.Now() < d {
					t.Error("Pop returned before its deadline")
				}
			}
			r.InterruptPop()
			if _, err := r.Pop(0); err != media.ErrAgain {
				t.Errorf("interrupted Pop: %v", err)
			}
			if d := soon(); r.Wait(d) != media.ErrAgain || rt.Now() < d {
				t.Error("one interrupt ended two waits for an element")
			}
			if err := r.Push(1, 0); err != nil {
				t.Error(err)
			}
			if err := r.Push(2, soon()); err != media.ErrAgain {
				t.Errorf("Push to a full ring: %v", err)
			}
			r.InterruptPush()
			if err := r.Push(2, 0); err != media.ErrAgain {
				t.Errorf("interrupted Push: %v", err)
			}
			if d := soon(); r.WaitRoom(d) != media.ErrAgain || rt.Now() < d {
				t.Error("one interrupt ended two waits for room")
			}
			if v, err := r.Pop(1); v != 1 || err != nil {
				t.Errorf("Pop = %d, %v", v, err)
			}
		})
	}
}

var sleeps = map[string]rt.Sleep{"kernel": rt.SleepKernel, "go": rt.SleepGo, "nap": rt.SleepNap}

// A sleeper of either side must come back on Close and on an interrupt, whichever comes
// first: its wait or the other's call.
func TestSleepersAreWoken(t *testing.T) {
	for name, how := range sleeps {
		t.Run(name, func(t *testing.T) {
			for i := range 200 {
				empty, full := newRing[int](t, 1, how), newRing[int](t, 1, how)
				full.TryPush(0)
				var wg sync.WaitGroup
				var popErr, pushErr error
				wg.Go(func() { _, popErr = empty.Pop(0) })
				wg.Go(func() { pushErr = full.Push(1, 0) })
				for range i % 5 {
					runtime.Gosched()
				}
				wantPop, wantPush := error(io.EOF), os.ErrClosed
				if i%2 == 0 {
					empty.Close()
					full.Close()
				} else {
					empty.InterruptPop()
					full.InterruptPush()
					wantPop, wantPush = media.ErrAgain, media.ErrAgain
				}
				wg.Wait()
				if popErr != wantPop || pushErr != wantPush {
					t.Fatalf("Pop: %v, Push: %v", popErr, pushErr)
				}
			}
		})
	}
}

// Everything arrives, once and in order, whatever way it is pushed and popped.
func TestStress(t *testing.T) {
	const n = 20000
	for name, how := range sleeps {
		for _, capacity := range []int{1, 2, 64} {
			t.Run(name, func(t *testing.T) {
				r := newRing[*int](t, capacity, how)
				var wg sync.WaitGroup
				wg.Go(func() {
					defer r.Close()
					batch := make([]*int, 0, 7)
					for i := 0; i < n; {
						switch i % 3 {
						case 0:
							if err := r.Push(&[]int{i}[0], 0); err != nil {
								t.Error(err)
								return
							}
							i++
						case 1:
							if r.TryPush(&[]int{i}[0]) {
								i++
							} else {
								runtime.Gosched()
							}
						default:
							batch = batch[:0]
							for k := i; k < min(n, i+cap(batch)); k++ {
								batch = append(batch, &[]int{k}[0])
							}
							for len(batch) > 0 {
								k := r.PushBatch(batch)
								batch = batch[k:]
								i += k
								if k == 0 {
									if err := r.WaitRoom(rt.Now().Add(time.Millisecond)); err != nil && err != media.ErrAgain {
										t.Error(err)
										return
									}
								}
							}
							batch = make([]*int, 0, 7)
						}
					}
				})
				got, buf := 0, make([]*int, 5)
				take := func(p *int) {
					if *p != got {
						t.Fatalf("got %d, want %d", *p, got)
					}
					got++
				}
				for {
					if got%2 == 0 {
						p, err := r.Pop(0)
						if err == io.EOF {
							break
						}
						take(p)
						continue
					}
					for _, p := range buf[:r.PopBatch(buf)] {
						take(p)
					}
					if err := r.Wait(0); err == io.EOF {
						break
					}
				}
				wg.Wait()
				if got != n {
					t.Errorf("%d of %d arrived", got, n)
				}
			})
		}
	}
}

func TestNoAllocations(t *testing.T) {
	type frame struct {
		p *int
		n [6]int64
	}
	for name, how := range sleeps {
		r := newRing[frame](t, 8, how)
		in, out := make([]frame, 5), make([]frame, 5)
		step := func() {
			r.TryPush(frame{})
			r.TryPop()
			r.PushBatch(in)
			r.PopBatch(out)
			r.Pop(rt.Now().Add(time.Microsecond))
			r.Push(frame{}, 0)
			r.Pop(0)
		}
		if n := testing.AllocsPerRun(500, step); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		// Across goroutines, sleeping included.
		back := newRing[frame](t, 1, how)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				f, err := r.Pop(0)
				if err != nil {
					return
				}
				back.Push(f, 0)
			}
		}()
		round := func() {
			r.Push(frame{}, 0)
			back.Pop(0)
		}
		if n := testing.AllocsPerRun(500, round); n != 0 {
			t.Errorf("%s: %v allocations in a round trip", name, n)
		}
		r.Close()
		<-done
	}
}

// FuzzQueue compares the ring with a slice, operation by operation.
func FuzzQueue(f *testing.F) {
	f.Add(uint8(1), []byte{0, 0, 1, 1, 1})
	f.Add(uint8(4), []byte{2, 2, 3, 0, 3, 1, 7, 6, 2, 4, 1, 1, 1, 1, 1, 1})
	f.Add(uint8(9), []byte{0x32, 0x53, 0x72, 0x12, 0x33, 0x62, 0xf3, 0xf2, 0xf3, 5, 4, 0, 1})
	f.Fuzz(func(t *testing.T, capacity uint8, ops []byte) {
		r, err := New[int](Config{Capacity: int(capacity) + 1})
		if err != nil {
			t.Fatal(err)
		}
		var want []int
		closed, next := false, 1
		for _, op := range ops {
			n := int(op >> 3)
			switch op & 7 {
			case 0, 5:
				ok := !closed && len(want) < r.Cap()
				if r.TryPush(next) != ok {
					t.Fatalf("TryPush with %d of %d queued: want %v", len(want), r.Cap(), ok)
				}
				if ok {
					want = append(want, next)
				}
				next++
			case 1, 6:
				v, ok := r.TryPop()
				if ok != (len(want) > 0) || ok && v != want[0] {
					t.Fatalf("TryPop = %d, %v; want first of %v", v, ok, want)
				}
				if ok {
					want = want[1:]
				}
			case 2:
				vs := make([]int, n)
				for i := range vs {
					vs[i] = next
					next++
				}
				k := r.PushBatch(vs)
				room := min(n, r.Cap()-len(want))
				if closed {
					room = 0
				}
				if k != room {
					t.Fatalf("PushBatch took %d, want %d", k, room)
				}
				want = append(want, vs[:k]...)
			case 3:
				vs := make([]int, n)
				k := r.PopBatch(vs)
				if k != min(n, len(want)) {
					t.Fatalf("PopBatch gave %d of %d, %d queued", k, n, len(want))
				}
				for i, v := range vs[:k] {
					if v != want[i] {
						t.Fatalf("PopBatch: %v, want %v", vs[:k], want[:k])
					}
				}
				want = want[k:]
			case 4:
				v, err := r.Pop(1)
				switch {
				case len(want) > 0:
					if err != nil || v != want[0] {
						t.Fatalf("Pop = %d, %v; want %d", v, err, want[0])
					}
					want = want[1:]
				case closed && err != io.EOF, !closed && err != media.ErrAgain:
					t.Fatalf("Pop of an empty ring: %v, closed %v", err, closed)
				}
			case 7:
				if op == 0xff {
					r.Close()
					closed = true
				}
			}
			if r.Len() != len(want) {
				t.Fatalf("Len %d, want %d", r.Len(), len(want))
			}
		}
	})
}

// TestRefillCounts: a producer that waits is woken when as many places are free as it asked
// for, and not before, however long ago the consumer has looked at the tail.
func TestRefillCounts(t *testing.T) {
	p := rt.NewWaiter(rt.SleepGo)
	r, err := New[int](Config{Capacity: 8, Refill: 4, Producer: p})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if i >= 8 {
			if _, ok := r.TryPop(); !ok { // sees a tail of 8
				t.Fatal("empty")
			}
		}
		if !r.TryPush(i) {
			t.Fatal("full")
		}
	}
	p.Prepare()
	for free := 1; free <= 4; free++ {
		if !p.Waiting() {
			t.Errorf("woken for %d places", free-1)
		}
		if _, ok := r.TryPop(); !ok {
			t.Fatal("empty")
		}
	}
	if p.Waiting() {
		t.Error("not woken for 4 places")
	}
}

// TestRefill passes elements through rings of every refill, one at a time and in batches,
// with a producer that always finds them full: a missed wake-up would hang it.
func TestRefill(t *testing.T) {
	for _, capacity := range []int{1, 2, 4, 8} {
		for refill := range capacity + 1 {
			r, err := New[int](Config{Capacity: capacity, Refill: refill})
			if err != nil {
				t.Fatal(err)
			}
			const n = 2000
			go func() {
				for i := range n {
					if err := r.Push(i, 0); err != nil {
						t.Error(err)
					}
				}
				r.Close()
			}()
			var batch [3]int
			next := 0
			for {
				v, err := r.Pop(0)
				if err != nil {
					break
				}
				if v != next {
					t.Fatalf("capacity %d, refill %d: got %d, want %d", capacity, refill, v, next)
				}
				next++
				for _, v := range batch[:r.PopBatch(batch[:])] {
					if v != next {
						t.Fatalf("capacity %d, refill %d: got %d in a batch, want %d", capacity, refill, v, next)
					}
					next++
				}
			}
			if next != n {
				t.Errorf("capacity %d, refill %d: %d of %d elements came through", capacity, refill, next, n)
			}
		}
	}
	if _, err := New[int](Config{Capacity: 4, Refill: 5}); err == nil {
		t.Error("a refill of 5 of 4 places was accepted")
	}
}
