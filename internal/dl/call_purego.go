//go:build !amd64 || !(linux || darwin) || scanout_purego

package dl

import "github.com/ebitengine/purego"

// Trampoline says which way calls take: the assembly trampoline (true) or purego.
const Trampoline = false

// Caller is a reusable argument block.
// Concurrency: one goroutine at a time.
type Caller struct {
	a [MaxArgs]uintptr
}

// Call calls the C function at fn and returns what it left in the integer result
// register. It allocates nothing. Addresses in args must be of C memory or of heap
// objects that stay referenced during the call (see [Addr]), never of variables on the
// stack: those move.
func (c *Caller) Call(fn uintptr, args ...uintptr) uintptr { return c.call(fn, args) }

func (c *Caller) call(fn uintptr, args []uintptr) uintptr {
	if fn == 0 {
		panic("dl: call of a function that was not resolved")
	}
	if len(args) > MaxArgs {
		panic("dl: too many arguments")
	}
	n := copy(c.a[:], args)
	r, _, _ := purego.SyscallN(fn, c.a[:n]...)
	return r
}
