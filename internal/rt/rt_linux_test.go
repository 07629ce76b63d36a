package rt

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNowIsClockMonotonic(t *testing.T) {
	for range 1000 {
		a := Now()
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			t.Fatal(err)
		}
		b := Now()
		if n := ts.Nano(); n < int64(a) || n > int64(b) {
			t.Fatalf("CLOCK_MONOTONIC %d is not between %d and %d", n, a, b)
		}
	}
}

func TestThreadIsSetUpAndRestored(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	slack := func() int {
		n, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
		if err != nil {
			t.Skip("needs PR_GET_TIMERSLACK: ", err)
		}
		return n
	}
	policy := func() uint32 {
		a, err := unix.SchedGetAttr(0, 0)
		if err != nil {
			t.Skip("needs sched_getattr: ", err)
		}
		return a.Policy
	}
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	first := 0
	for !before.IsSet(first) {
		first++
	}
	s, p := slack(), policy()
	// By itself: leaving a real-time policy sets the slack back, too.
	th := Lock(ThreadConfig{})
	if n := slack(); n != 1 && th.Notes() == "" {
		t.Errorf("timer slack %d ns", n)
	}
	th.Unlock()
	if n := slack(); n != s {
		t.Errorf("timer slack %d ns after Unlock, %d before", n, s)
	}
	th = Lock(ThreadConfig{Priority: 10, CPUs: []int{first}})
	var now unix.CPUSet
	if err := unix.SchedGetaffinity(0, &now); err != nil {
		t.Fatal(err)
	}
	if now.Count() != 1 || !now.IsSet(first) {
		t.Errorf("affinity %v", now)
	}
	if n := slack(); n > 1 { // real-time threads have none at all
		t.Errorf("timer slack %d ns", n)
	}
	if fifo := policy() == unix.SCHED_FIFO; fifo != (th.Notes() == "") {
		t.Errorf("SCHED_FIFO %v, notes %q", fifo, th.Notes())
	}
	t.Log(th.Notes())
	th.Unlock()
	if err := unix.SchedGetaffinity(0, &now); err != nil {
		t.Fatal(err)
	}
	if now != before || slack() != s || policy() != p {
		t.Errorf("after Unlock: affinity %v, slack %d, policy %d; before %v, %d, %d", now, slack(), policy(), before, s, p)
	}
}

// TestKeepAwake: the request lasts from Lock to Unlock, and is only said to be there if it is.
func TestKeepAwake(t *testing.T) {
	const device = "/dev/cpu_dma_latency"
	open := func() (n int) {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("needs /proc: ", err)
		}
		for _, fd := range fds {
			if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); to == device {
				n++
			}
		}
		return n
	}
	want, suffix := 0, ""
	if f, err := os.OpenFile(device, os.O_WRONLY, 0); err == nil {
		f.Close()
		want, suffix = 1, ", processors kept awake"
	}
	th := Lock(ThreadConfig{KeepAwake: true})
	if n, how := open(), th.Scheduling(); n != want || how != "ordinary priority"+suffix {
		t.Errorf("%d times open, want %d; %q", n, want, how)
	}
	th.Unlock()
	if n := open(); n != 0 {
		t.Errorf("%d times open after Unlock", n)
	}
}

func BenchmarkClockGettimeSyscall(b *testing.B) {
	var ts unix.Timespec
	for b.Loop() {
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	}
}

func TestThreadCPU(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := ThreadCPU()
	for ThreadCPU() == start { // ends only if the clock moves
	}
	if start <= 0 {
		t.Errorf("%v", start)
	}
}

// TestThreads: work shows up at the thread that does it.
func TestThreads(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	id := ThreadID()
	before, ok := Threads()[id]
	if !ok || !before.Own {
		t.Fatalf("thread %d: %+v, %v", id, before, ok)
	}
	var after ThreadUse
	for n := 0; n < 2000 && after.CPU <= before.CPU; n++ {
		for range 1_000_000 {
			sinkhole++
		}
		after = Threads()[id]
	}
	if after.CPU <= before.CPU {
		t.Errorf("used %v before and %v after 2 billion additions", before.CPU, after.CPU)
	}
}

var sinkhole uint64

// TestPolicyOfUsersIsGivenBack: the thread of a user who may have a priority by an rtprio
// limit, and lacks CAP_SYS_NICE, is ordinary again afterwards. It may not take back that its
// children are: without that flag the kernel refuses, and the thread stays a real-time one
// in the runtime's pool, for whichever goroutine comes next.
func TestPolicyOfUsersIsGivenBack(t *testing.T) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with its goroutine
		h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var caps [2]unix.CapUserData
		err := unix.Capget(&h, &caps[0])
		if err == nil {
			caps[0].Effective &^= 1 << unix.CAP_SYS_NICE
			err = unix.Capset(&h, &caps[0])
		}
		old, e := unix.SchedGetAttr(0, 0)
		if err != nil || e != nil {
			t.Logf("needs capset and sched_getattr: %v, %v", err, e)
			return
		}
		// A policy that everybody may have stands in for SCHED_FIFO.
		if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_BATCH, Flags: unix.SCHED_FLAG_RESET_ON_FORK}, 0); err != nil {
			t.Logf("needs sched_setattr: %v", err)
			return
		}
		th := &Thread{saved: threadState{sched: old}}
		th.restore()
		if a, err := unix.SchedGetAttr(0, 0); err != nil || a.Policy != old.Policy {
			t.Errorf("policy %d, was %d: %v", a.Policy, old.Policy, err)
		}
	}()
	<-done
}
