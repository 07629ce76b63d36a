//go:build !linux

package rt

// ThreadID returns 0: the system is not asked.
func ThreadID() int { return 0 }

// Threads returns nothing: the system is not asked.
func Threads() map[int]ThreadUse { return nil }
