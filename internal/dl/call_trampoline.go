//go:build amd64 && (linux || darwin) && !scanout_purego

package dl

import (
	"unsafe"

	_ "github.com/ebitengine/purego" // its runtime support makes cgocall work without cgo
)

// Trampoline says which way calls take: the assembly trampoline (true) or purego.
const Trampoline = true

// Its argument escapes: a callback into Go may move the stack of the goroutine that made the
// call, and the trampoline writes the result where the Caller was.
//
//go:linkname runtimeCgocall runtime.cgocall
func runtimeCgocall(fn uintptr, arg unsafe.Pointer) int32

// callABI0 is the address of the trampoline, for C's calling convention.
var callABI0 uintptr

// Caller is a reusable argument block.
// Concurrency: one goroutine at a time.
type Caller struct {
	fn, ret uintptr
	a       [MaxArgs]uintptr
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
	c.fn = fn
	copy(c.a[:], args)
	if len(args) > MaxArgs {
		panic("dl: too many arguments")
	}
	runtimeCgocall(callABI0, unsafe.Pointer(c))
	return c.ret
}
