//go:build unix

package avtest

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// NewGuard maps at least n bytes between two inaccessible pages.
func NewGuard(tb testing.TB, n int) *Guard {
	tb.Helper()
	page := os.Getpagesize()
	n = (n + page - 1) / page * page
	m, err := unix.Mmap(-1, 0, n+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		tb.Fatalf("avtest: map %d bytes: %v", n+2*page, err)
	}
	tb.Cleanup(func() { unix.Munmap(m) })
	for _, p := range [][]byte{m[:page], m[page+n:]} {
		if err := unix.Mprotect(p, unix.PROT_NONE); err != nil {
			tb.Fatalf("avtest: protect a guard page: %v", err)
		}
	}
	return &Guard{m[page : page+n : page+n]}
}
