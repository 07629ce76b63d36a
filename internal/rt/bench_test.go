package rt

import (
	"runtime"
	"testing"
	"time"
)

func BenchmarkNow(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_ = Now()
	}
}

func BenchmarkTimeNow(b *testing.B) {
	for b.Loop() {
		_ = time.Now()
	}
}

func BenchmarkWakeWaitingNobody(b *testing.B) {
	w := NewWaiter(SleepKernel)
	for b.Loop() {
		w.WakeWaiting()
	}
}

// One round trip: two wake-ups of a sleeper.
func BenchmarkWakeRoundTrip(b *testing.B) {
	for _, locked := range []bool{false, true} {
		for name, how := range sleeps {
			if locked {
				name += "/locked"
			}
			b.Run(name, func(b *testing.B) {
				there, back := NewWaiter(how), NewWaiter(how)
				done := make(chan struct{})
				go func() {
					if locked {
						runtime.LockOSThread()
						defer runtime.UnlockOSThread()
					}
					for range b.N {
						there.Wait(0)
						back.Wake()
					}
					close(done)
				}()
				if locked {
					runtime.LockOSThread()
					defer runtime.UnlockOSThread()
				}
				for range b.N {
					there.Wake()
					back.Wait(0)
				}
				<-done
			})
		}
	}
}

// How long another goroutine has to wait for the processor of one that goes to sleep:
// the price of SleepKernel on an ordinary goroutine.
func BenchmarkSleepHandsOver(b *testing.B) {
	for name, how := range sleeps {
		b.Run(name, func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			w := NewWaiter(how)
			for b.Loop() {
				go w.Wake()
				w.Wait(0)
			}
		})
	}
}
