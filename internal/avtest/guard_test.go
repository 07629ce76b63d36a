package avtest

import (
	"runtime/debug"
	"testing"
	"unsafe"
)

func TestGuardFaults(t *testing.T) {
	g := NewGuard(t, 100)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	faults := func(f func()) (yes bool) {
		defer func() { yes = recover() != nil }()
		f()
		return
	}
	end, start := g.AtEnd(100), g.AtStart(100)
	for i := range end {
		end[i], start[i] = 1, 1
	}
	if !faults(func() { peek(end, len(end)) }) || !faults(func() { peek(start, -1) }) {
		t.Error("a byte outside can be read")
	}
	if faults(func() { peek(end, len(end)-1) }) {
		t.Error("the last byte cannot be read")
	}
}

//go:noinline
func peek(b []byte, i int) byte { return *(*byte)(unsafe.Add(unsafe.Pointer(&b[0]), i)) }
