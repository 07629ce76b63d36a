package rt

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestNapsLeaveProcessors: goroutines that nap, as many as Go has processors, do not keep
// one that has work to do from it. Go's scheduler looks at its queue for all processors
// only when that of the processor is empty, or every 61st time; a goroutine that yields and
// naps is in the latter itself. The naps until the work is done are counted: they cannot be
// many by the machine's load.
func TestNapsLeaveProcessors(t *testing.T) {
	const rounds = 20
	for _, procs := range []int{2, 4} {
		most := int32(200 * procs)
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		var done atomic.Bool
		var naps atomic.Int32
		var all sync.WaitGroup
		for i := range procs {
			all.Go(func() {
				var nap Napper
				w := NewWaiter(SleepNap)
				for !done.Load() && naps.Add(1) < most {
					if d := Now().Add(longestPiece); i%2 == 0 {
						nap.SleepUntil(d)
					} else {
						w.Wait(d)
					}
				}
			})
		}
		all.Go(func() {
			for range rounds {
				SleepUntil(Now().Add(10 * time.Millisecond)) // behind it, a processor is to be found
			}
			done.Store(true)
		})
		all.Wait()
		if n := naps.Load(); n >= most {
			t.Errorf("%d processors, as many naps: %d short sleeps of another goroutine took %d naps of 8 ms", procs, rounds, n)
		} else {
			t.Logf("%d processors: %d naps", procs, n)
		}
	}
}

// TestKeepers: two processors are always left.
func TestKeepers(t *testing.T) {
	for _, c := range []struct{ procs, want int }{{1, 0}, {2, 0}, {3, 1}, {4, 2}, {8, 6}} {
		procs, want := c.procs, c.want
		old := runtime.GOMAXPROCS(procs)
		var k keepers
		n := 0
		for k.enter() {
			n++
		}
		if k.leave(); n > 0 && (!k.enter() || k.enter()) {
			t.Errorf("%d processors: one has left, and not one more may keep its own", procs)
		}
		runtime.GOMAXPROCS(old)
		if n != want {
			t.Errorf("%d processors: %d are kept, want %d", procs, n, want)
		}
	}
}
