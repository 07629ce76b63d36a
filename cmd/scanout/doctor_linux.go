package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// checkKernel looks at what the kernel offers and what it refuses to this process.
func checkKernel(f *findings) {
	const area = "kernel"
	if fd, err := unix.MemfdCreate("scanout-doctor", unix.MFD_CLOEXEC); err != nil {
		f.lacks(missing, area, "memfd", err.Error(), "frame memory cannot be shared with other processes", "")
	} else {
		unix.Close(fd)
		f.ok(area, "memfd", "frame memory lies in one shared mapping")
	}
	checkIOUring(f)
	checkPriority(f)
	checkHugePages(f)

	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &lim); err == nil {
		switch {
		case lim.Cur == unix.RLIM_INFINITY || os.Geteuid() == 0:
			f.ok(area, "locked memory", "no limit")
		case lim.Cur < 64<<20:
			f.lacks(limited, area, "locked memory", fmt.Sprintf("%d KiB", lim.Cur>>10),
				"frame memory cannot be locked: the first use after memory pressure may stutter", "ulimit -l 262144, or LimitMEMLOCK= in the service")
		default:
			f.ok(area, "locked memory", "%d MiB", lim.Cur>>20)
		}
	}
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_HARDWARE, Config: unix.PERF_COUNT_HW_INSTRUCTIONS, Bits: unix.PerfBitExcludeKernel | unix.PerfBitExcludeHv}
	attr.Size = uint32(binary.Size(attr))
	if fd, err := unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC); err != nil {
		f.lacks(limited, area, "hardware counters", err.Error(), "no instruction or cache-miss figures; playback does not need them",
			"many virtual machines have none; elsewhere: sysctl kernel.perf_event_paranoid=1")
	} else {
		unix.Close(fd)
		f.ok(area, "hardware counters", "available")
	}
	if b, err := os.ReadFile("/proc/pressure/cpu"); err == nil {
		line, _, _ := strings.Cut(string(b), "\n")
		f.ok(area, "pressure (PSI)", "%s", line)
	} else {
		f.lacks(limited, area, "pressure (PSI)", "not available", "no system-wide stall figures", "boot with psi=1")
	}
}

func checkIOUring(f *findings) {
	// Without parameters the kernel answers EFAULT, once it has decided to allow it.
	if _, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, 0, 0); errno != unix.EFAULT {
		f.lacks(missing, "kernel", "io_uring", errno.Error(), "packets are received with recvmmsg: more system calls",
			"sysctl kernel.io_uring_disabled=0; containers: allow the io_uring system calls")
		return
	}
	f.ok("kernel", "io_uring", "available")
}

// checkPriority tries SCHED_FIFO on a thread that ends with the check.
func checkPriority(f *findings) {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its scheduling policy
		result <- unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0)
	}()
	if err := <-result; err != nil {
		f.lacks(limited, "kernel", "real-time priority", "SCHED_FIFO: "+err.Error(),
			"the timing thread can be delayed by other programs on a busy machine",
			"install rtkit (desktops have it), setcap cap_sys_nice+ep on the scanout binary, or ulimit -r 10; then --realtime")
		return
	}
	f.ok("kernel", "real-time priority", "SCHED_FIFO allowed: --realtime takes it")
}

func checkHugePages(f *findings) {
	b, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	mode := strings.TrimSpace(string(b))
	switch {
	case err != nil:
		f.lacks(limited, "kernel", "huge pages", "transparent huge pages are not built in", "more page faults while the frame pool warms", "")
	case strings.Contains(mode, "[never]"):
		f.lacks(limited, "kernel", "huge pages", mode, "more page faults while the frame pool warms",
			"echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled")
	default:
		f.ok("kernel", "huge pages", "transparent: %s", mode)
	}
}
