package rt

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ThreadID returns the system's number of the calling thread.
func ThreadID() int { return unix.Gettid() }

// Threads returns what each thread of this process has used so far, by its number. It
// is for measurements: it reads several files a thread.
func Threads() map[int]ThreadUse {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil
	}
	name, _ := os.ReadFile("/proc/self/comm")
	use := make(map[int]ThreadUse, len(tasks))
	for _, t := range tasks {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join("/proc/self/task", t.Name())
		comm, _ := os.ReadFile(filepath.Join(dir, "comm"))
		use[id] = ThreadUse{CPU: threadTime(dir), Own: string(comm) == string(name)}
	}
	return use
}

// threadTime reads nanoseconds where the kernel counts them, else clock ticks.
func threadTime(dir string) time.Duration {
	if b, err := os.ReadFile(filepath.Join(dir, "schedstat")); err == nil {
		if f := strings.Fields(string(b)); len(f) > 0 {
			if ns, err := strconv.ParseInt(f[0], 10, 64); err == nil && ns > 0 {
				return time.Duration(ns)
			}
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return 0
	}
	// The name, in parentheses, may hold anything; the times are fields 14 and 15.
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	const ticks = 100 // a second, on every Linux
	return time.Duration(user+system) * time.Second / ticks
}
