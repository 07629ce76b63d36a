package main

import (
	"context"
	"testing"

	"github.com/scanout-av/scanout/internal/dl"
)

// benchFFI calls labs of the C library: it does nothing, so what is measured is the call.
func benchFFI(ctx context.Context, o *benchOptions) (*benchTable, error) {
	lib, err := dl.Open("libc.so.6", "libc.so", "libSystem.B.dylib", "msvcrt.dll")
	if err != nil {
		return nil, err
	}
	fn, err := lib.Symbol("labs")
	if err != nil {
		return nil, err
	}
	var bound func(int64) int64
	if err := lib.Bind(&bound, "labs"); err != nil {
		return nil, err
	}
	c := new(dl.Caller)
	args := make([]uintptr, 1)
	mine := "scanout, purego with a kept argument slice"
	if dl.Trampoline {
		mine = "scanout, assembly trampoline"
	}
	ways := []struct {
		name string
		call func()
	}{
		{mine, func() { c.Call(fn, 1) }},
		{"purego.SyscallN, kept argument slice", func() { dl.PuregoCall(fn, args) }},
		{"scanout, set-up calls (keeps arguments alive)", func() { dl.Call(fn, 1) }},
		{"purego.RegisterFunc", func() { bound(1) }},
	}
	t := &benchTable{Columns: []string{"way", "ns a call", "allocations"}}
	const rounds = 5
	ns := make([][]float64, len(ways))
	for range rounds {
		for i, w := range ways {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			ns[i] = append(ns[i], perCall(w.call, o.Duration/rounds))
		}
	}
	for i, w := range ways {
		t.add(w.name, median(ns[i]), testing.AllocsPerRun(1000, w.call))
	}
	t.note("labs(1) of the C library; median of %d rounds taken in turns.", rounds)
	t.note("cgo is not in this table because scanout is built without it: cd internal/dl/_cgo && CGO_ENABLED=1 go test -bench . (needs gcc).")
	return t, nil
}
