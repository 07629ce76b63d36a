package rt

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

type threadState struct {
	slack    int // ns, 0 when not changed
	sched    *unix.SchedAttr
	affinity *unix.CPUSet
	awake    *os.File // while it is open the processors do not idle deeply
}

func (t *Thread) setUp(cfg ThreadConfig) {
	// The default slack of 50 µs lets the kernel batch wake-ups: half of all lateness.
	if old, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err == nil {
		if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
			t.notes = append(t.notes, fmt.Sprintf("timer slack stays at %d ns: %v", old, err))
		} else {
			t.saved.slack = old
		}
	}
	if len(cfg.CPUs) > 0 {
		t.setAffinity(cfg.CPUs)
	}
	if cfg.Priority > 0 {
		t.setFIFO(cfg.Priority)
	}
	if cfg.KeepAwake {
		t.keepAwake()
	}
}

// keepAwake asks for a wake-up latency of 0 µs, as long as the file is open. Source: the
// kernel's Documentation/power/pm_qos_interface.rst.
func (t *Thread) keepAwake() {
	f, err := os.OpenFile("/dev/cpu_dma_latency", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	if _, err := f.Write(make([]byte, 4)); err != nil {
		f.Close()
		return
	}
	t.saved.awake = f
	t.how += ", processors kept awake"
}

func (t *Thread) setAffinity(cpus []int) {
	var old, set unix.CPUSet
	for _, c := range cpus {
		set.Set(c)
	}
	err := unix.SchedGetaffinity(0, &old)
	if err == nil {
		err = unix.SchedSetaffinity(0, &set)
	}
	if err != nil {
		t.notes = append(t.notes, fmt.Sprintf("not bound to CPUs %v: %v; see the list in /sys/fs/cgroup/cpuset.cpus.effective", cpus, err))
		return
	}
	t.saved.affinity = &old
}

func (t *Thread) setFIFO(priority int) {
	old, err := unix.SchedGetAttr(0, 0)
	if err == nil {
		err = unix.SchedSetAttr(0, &unix.SchedAttr{
			Size:   unix.SizeofSchedAttr,
			Policy: unix.SCHED_FIFO,
			// A process started from here must not inherit the priority.
			Flags:    unix.SCHED_FLAG_RESET_ON_FORK,
			Priority: uint32(min(priority, 99)),
		}, 0)
	}
	if err == nil {
		t.saved.sched, t.how = old, fmt.Sprintf("SCHED_FIFO %d", min(priority, 99))
		return
	}
	got, kit := realtimeKit(priority)
	if kit != nil {
		t.notes = append(t.notes, fmt.Sprintf("ordinary priority: SCHED_FIFO %d: %v; RealtimeKit: %v; allow it with CAP_SYS_NICE or an rtprio limit in /etc/security/limits.conf, or install rtkit", priority, err, kit))
		return
	}
	t.how = fmt.Sprintf("SCHED_RR %d by RealtimeKit", got)
	t.saved.sched = old
}

func (t *Thread) restore() {
	if t.saved.awake != nil {
		t.saved.awake.Close()
	}
	// Going back to less cannot fail in a way that anybody could act on.
	if t.saved.sched != nil {
		// Who lacks CAP_SYS_NICE may not take the flag back, and would keep the priority.
		t.saved.sched.Flags |= unix.SCHED_FLAG_RESET_ON_FORK
		_ = unix.SchedSetAttr(0, t.saved.sched, 0)
	}
	if t.saved.affinity != nil {
		_ = unix.SchedSetaffinity(0, t.saved.affinity)
	}
	if t.saved.slack > 0 {
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(t.saved.slack), 0, 0, 0)
	}
	t.saved = threadState{}
}

// exactTimers takes the calling thread's timer slack. That it may be refused does not
// matter: timers are late then.
func exactTimers() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) }
