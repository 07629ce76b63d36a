//go:build !unix

package avtest

import "testing"

// NewGuard skips the test: guard pages need mmap and mprotect.
func NewGuard(tb testing.TB, n int) *Guard {
	tb.Skip("needs mmap and mprotect for guard pages")
	return nil
}
