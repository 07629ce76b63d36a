package rt

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
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
			t.Errorf("%d processors, as many naps: %d short sleeps of another goroutine took %d naps of %v", procs, rounds, n, longestPiece)
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

// TestPieces: a sleep is cut into the fewest pieces that are short enough, all of a length;
// one of a refresh at 120 Hz is not cut.
func TestPieces(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		sleep  time.Duration
		pieces int
	}{{0, 0}, {ms, 1}, {8334 * time.Microsecond, 1}, {longestPiece, 1}, {longestPiece + 1, 2}, {16667 * time.Microsecond, 2}, {33 * ms, 4}, {longestNap, 23}, {longestNap + 1, 1}, {time.Hour, 1}} {
		from := media.Instant(time.Minute)
		end, n := from.Add(c.sleep), 0
		short, long := c.sleep, time.Duration(0)
		for now := from; now < end; n++ {
			p := piece(now, end)
			short, long = min(short, p.Sub(now)), max(long, p.Sub(now))
			now = p
		}
		if n != c.pieces || long-short > 100 || c.sleep <= longestNap && long > longestPiece {
			t.Errorf("%v: %d pieces of %v to %v, want %d", c.sleep, n, short, long, c.pieces)
		}
	}
	if piece(1, 0) != 0 {
		t.Error("a sleep for ever has an end")
	}
}
