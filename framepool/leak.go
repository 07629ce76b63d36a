package framepool

import (
	"fmt"
	"runtime"
	"strings"
)

// LeakError says which slots were still out when a pool was closed.
type LeakError struct {
	Slots []int32
	// Stacks holds, for each slot, who took it; empty without [Config].Trace.
	Stacks []string
}

func (e *LeakError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "framepool: %d slots not returned at close: %v", len(e.Slots), e.Slots)
	for i, s := range e.Stacks {
		fmt.Fprintf(&b, "\nslot %d was taken by\n%s", e.Slots[i], s)
	}
	return b.String()
}

// trace is the stack that took a slot; an array, so that recording allocates nothing.
type trace struct {
	pc [24]uintptr
	n  int
}

func (t *trace) record() {
	// Skip runtime.Callers, record and pop.
	t.n = runtime.Callers(3, t.pc[:])
}

func (t *trace) String() string {
	if t.n == 0 {
		return ""
	}
	var b strings.Builder
	frames := runtime.CallersFrames(t.pc[:t.n])
	for {
		f, more := frames.Next()
		fmt.Fprintf(&b, "\t%s\n\t\t%s:%d\n", f.Function, f.File, f.Line)
		if !more {
			return b.String()
		}
	}
}

func (p *Pool) leaks() *LeakError {
	e := &LeakError{}
	for i := range p.state {
		if p.state[i].Load() == slotFree {
			continue
		}
		e.Slots = append(e.Slots, int32(i))
		if p.traces != nil {
			e.Stacks = append(e.Stacks, p.traces[i].String())
		}
	}
	return e
}
