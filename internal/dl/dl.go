package dl

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// MaxArgs is the largest number of arguments of a call.
const MaxArgs = 14

// Library is an opened shared library. Libraries stay open for the life of the process:
// code that they started may still run.
type Library struct {
	Name   string
	handle uintptr
}

// Open opens the first of names that can be opened. The error names every one tried
// with the loader's own reason.
func Open(names ...string) (*Library, error) {
	var errs []error
	for _, n := range names {
		h, err := open(n)
		if err == nil && h != 0 {
			return &Library{n, h}, nil
		}
		errs = append(errs, fmt.Errorf("dl: open %s: %w", n, err))
	}
	return nil, errors.Join(errs...)
}

// Symbol returns the address of name.
func (l *Library) Symbol(name string) (uintptr, error) {
	p, err := symbol(l.handle, name)
	if err != nil || p == 0 {
		return 0, fmt.Errorf("dl: %s has no symbol %s: %w", l.Name, name, errors.Join(err, ErrNoSymbol))
	}
	return p, nil
}

// ErrNoSymbol is wrapped by errors about a missing symbol.
var ErrNoSymbol = errors.New("symbol not found")

// Resolve fills the addresses of several symbols and fails on the first missing one.
func (l *Library) Resolve(syms map[string]*uintptr) error {
	for n, p := range syms {
		a, err := l.Symbol(n)
		if err != nil {
			return err
		}
		*p = a
	}
	return nil
}

// Bind stores a Go function that calls name in *fn, a pointer to a func variable; it
// handles strings and floats and allocates on every call: for set-up code.
func (l *Library) Bind(fn any, name string) error {
	p, err := l.Symbol(name)
	if err != nil {
		return err
	}
	purego.RegisterFunc(fn, p)
	return nil
}

// NewCallback returns a C function pointer that calls fn. It can be called from any
// thread. It is never freed and a process can have about 2,000 of them.
func NewCallback(fn any) uintptr { return purego.NewCallback(fn) }

var callers = sync.Pool{New: func() any { return new(Caller) }}

// Call calls the C function at fn with integer and pointer arguments. Pointers that are
// converted to uintptr in the argument list escape to the heap and stay alive until it
// returns; the argument list itself is allocated, so this is for set-up code.
// Concurrency: any goroutine.
//
//go:uintptrescapes
func Call(fn uintptr, args ...uintptr) uintptr {
	c := callers.Get().(*Caller)
	r := c.call(fn, args)
	callers.Put(c)
	return r
}

// Addr returns the address of *p for [Caller.Call] and makes sure that *p lies on the
// heap, where it does not move. The caller keeps p referenced.
func Addr[T any](p *T) uintptr {
	if escape {
		sink = unsafe.Pointer(p)
	}
	return uintptr(unsafe.Pointer(p))
}

// escape is never true; the compiler does not know that.
var (
	escape bool
	sink   unsafe.Pointer //nolint:unused // written so that its operand escapes
)

// CString returns s with a terminating NUL as memory that the garbage collector owns.
func CString(s string) *byte {
	b := make([]byte, len(s)+1)
	copy(b, s)
	return &b[0]
}

// GoString copies the NUL-terminated string at p; a nil p gives "".
func GoString(p uintptr) string {
	if p == 0 {
		return ""
	}
	// A round trip through memory, because vet takes a uintptr that names C memory for
	// one that names Go memory.
	b := *(**byte)(unsafe.Pointer(&p))
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(b), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(b, n))
}

// Pointer turns the address of memory that Go does not own into a pointer.
func Pointer(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }

// Load reads a T at addr+off in memory that Go does not own.
func Load[T any](addr, off uintptr) T { return *(*T)(unsafe.Add(Pointer(addr), off)) }

// Store writes a T at addr+off in memory that Go does not own.
func Store[T any](addr, off uintptr, v T) { *(*T)(unsafe.Add(Pointer(addr), off)) = v }

// PuregoCall is purego's own way to call: [Caller.Call] without the trampoline, kept for
// the benchmark that compares the two.
func PuregoCall(fn uintptr, args []uintptr) uintptr {
	r, _, _ := purego.SyscallN(fn, args...)
	return r
}
