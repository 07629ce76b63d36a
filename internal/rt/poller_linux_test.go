package rt

import (
	"encoding/binary"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// watched is a descriptor to wait for: an eventfd, which can be read while it is not 0.
type watched struct {
	t  *testing.T
	fd int
}

func newWatched(t *testing.T) watched {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return watched{t, fd}
}

func (w watched) write() {
	if _, err := unix.Write(w.fd, binary.NativeEndian.AppendUint64(nil, 1)); err != nil {
		w.t.Error(err)
	}
}

// read returns what was written since.
func (w watched) read() uint64 {
	var b [8]byte
	if _, err := unix.Read(w.fd, b[:]); err != nil {
		return 0
	}
	return binary.NativeEndian.Uint64(b[:])
}

func newTestPoller(t *testing.T, fd int) *Poller {
	p, err := NewPoller(fd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// TestPoller: each wait ends by what it waits for and by nothing else, whatever the waits
// before have left behind.
func TestPoller(t *testing.T) {
	const short = 2 * time.Millisecond
	w := newWatched(t)
	p := newTestPoller(t, w.fd)
	expect := func(what string, got, want bool) {
		t.Helper()
		if got != want {
			t.Fatalf("%s: readable %v, want %v", what, got, want)
		}
	}
	for round := range 20 {
		w.write()
		expect("there before", p.WaitRead(0), true)
		expect("still there", p.WaitRead(0), true)
		until := Now().Add(short)
		p.SleepUntil(until)
		if late := Now(); late < until {
			t.Fatalf("round %d: slept until %v before its deadline, with something to read", round, until.Sub(late))
		}
		expect("there, and the deadline has passed", p.WaitRead(1), true)
		w.read()
		until = Now().Add(short)
		expect("nothing there", p.WaitRead(until), false)
		if late := Now(); late < until {
			t.Fatalf("round %d: waited until %v before its deadline", round, until.Sub(late))
		}
		expect("a deadline of before the clock's start", p.WaitRead(-1), false)
		w.write() // nobody waits, but the wait before has asked for it
		p.SleepUntil(Now().Add(short))
		expect("came while nobody waited", p.WaitRead(0), true)
		w.read()
		expect("asked for again", p.WaitRead(1), false)
		p.SleepUntil(Now()) // has expired when the next wait begins
		go w.write()
		expect("comes later", p.WaitRead(0), true)
		w.read()
		go w.write()
		expect("comes before the deadline", p.WaitRead(Now().Add(time.Minute)), true)
		w.read()
	}
}

// TestPollerLosesNothing: what is written at any moment ends the wait that has no deadline.
func TestPollerLosesNothing(t *testing.T) {
	const n = 20_000
	w := newWatched(t)
	p := newTestPoller(t, w.fd)
	var got uint64
	turn := make(chan struct{}, 1) // lets some writes come together and others one by one
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := range n {
			w.write()
			if i%7 != 0 || t.Failed() {
				continue
			}
			select {
			case turn <- struct{}{}:
			case <-time.After(time.Minute):
				t.Error("a wait without a deadline does not end: an event was lost") // the next write ends it
			}
		}
	})
	for got < n {
		if !p.WaitRead(0) {
			t.Fatal("a wait without a deadline ended for nothing")
		}
		got += w.read()
		select {
		case <-turn:
		default:
		}
		if got%5 == 0 {
			p.SleepUntil(Now().Add(10 * time.Microsecond))
		}
	}
	writer.Wait()
}

// TestPollerCalls: three system calls for a wait with a deadline, and no memory.
func TestPollerCalls(t *testing.T) {
	w := newWatched(t)
	p := newTestPoller(t, w.fd)
	w.write()
	if n := testing.AllocsPerRun(100, func() {
		p.WaitRead(Now().Add(time.Minute))
		p.SleepUntil(Now().Add(time.Microsecond))
	}); n != 0 {
		t.Errorf("%v allocations a wait", n)
	}
	p.WaitRead(0) // stops the timer
	for _, c := range []struct {
		name string
		wait func()
		want int
	}{
		{"without a deadline", func() { p.WaitRead(0) }, 2},
		{"with one", func() { p.WaitRead(Now().Add(time.Minute)) }, 3},
	} {
		if c.wait(); p.Calls() != c.want {
			t.Errorf("%s: %d calls, want %d", c.name, p.Calls(), c.want)
		}
	}
}

// TestPollerRefused: what cannot be waited for is an error, and nothing stays open.
func TestPollerRefused(t *testing.T) {
	before := openFiles(t)
	if p, err := NewPoller(-1); err == nil {
		p.Close()
		t.Error("a poller for no descriptor")
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors are open, %d before", after, before)
	}
	w := newWatched(t)
	before = openFiles(t)
	p, err := NewPoller(w.fd)
	if err != nil {
		t.Fatal(err)
	}
	p.WaitRead(1)
	p.Close()
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors are open after Close, %d before", after, before)
	}
}

func openFiles(t *testing.T) int {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("needs /proc: ", err)
	}
	return len(fds)
}
