package rt

import (
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// watch makes a waiter that watches a pipe.
func watch(t *testing.T) (w *Waiter, x *Watch, in *os.File) {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w = NewWaiter(SleepKernel)
	if x, err = w.Watch(int(out.Fd())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		x.Close()
		in.Close()
		out.Close()
	})
	return w, x, in
}

// TestWatchEnds ends waits by the deadline, by a wake-up before and during them, by what can be
// read and by the file's end.
func TestWatchEnds(t *testing.T) {
	w, x, in := watch(t)
	for _, ahead := range []time.Duration{-time.Second, 0, time.Millisecond} {
		d := Now().Add(ahead)
		if woken, readable := x.Wait(d); woken || readable || Now() < d {
			t.Errorf("deadline: woken %v, readable %v, %v early", woken, readable, d.Sub(Now()))
		}
	}
	w.Wake()
	if woken, readable := x.Wait(0); !woken || readable {
		t.Errorf("woken before: %v, readable %v", woken, readable)
	}
	w.Prepare()
	w.WakeWaiting()
	if woken, readable := x.Wait(0); !woken || readable {
		t.Errorf("woken when announced: %v, readable %v", woken, readable)
	}
	for range 3 { // as long as nobody reads it
		in.Write([]byte{1})
		if woken, readable := x.Wait(0); woken || !readable {
			t.Errorf("readable: woken %v, readable %v", woken, readable)
		}
	}
	w.Wake()
	if woken, _ := x.Wait(0); !woken {
		t.Error("a wake-up got lost behind what can be read")
	}
	in.Close()
	if _, readable := x.Wait(0); !readable {
		t.Error("the end of the file is not seen")
	}
}

// TestWatchLosesNothing wakes a sleeper that sleeps now in poll, now in the futex: each
// wake-up must end a wait that has no deadline.
func TestWatchLosesNothing(t *testing.T) {
	w, x, _ := watch(t)
	const rounds = 2000
	var asked atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for seen := int64(0); seen < rounds; {
			if seen%3 == 0 {
				w.Wait(0)
			} else {
				x.Wait(0)
			}
			seen = asked.Load()
		}
	}()
	for range rounds {
		asked.Add(1)
		w.Wake()
	}
	<-done
}

// TestWatchGivesBack closes the watch: the descriptor is back, wakers find nothing to ring, and
// there can be another.
func TestWatchGivesBack(t *testing.T) {
	w, x, _ := watch(t)
	fd := int(x.fds[1].Fd)
	x.Close()
	x.Close()
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("descriptor %d after Close: %v", fd, err)
	}
	w.Wake()
	if !w.Wait(0) {
		t.Error("not woken")
	}
}

func TestWatchAllocatesNothing(t *testing.T) {
	w, x, _ := watch(t)
	if n := testing.AllocsPerRun(100, func() {
		w.Wake()
		x.Wait(0)
		x.Wait(1)
	}); n != 0 {
		t.Errorf("%v allocations a wait", n)
	}
}
