package dl

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

func libc(t testing.TB) *Library {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs glibc")
	}
	l, err := Open("libc.so.6", "libc.so")
	if err != nil {
		t.Skip(err)
	}
	return l
}

func sym(t testing.TB, l *Library, name string) uintptr {
	t.Helper()
	p, err := l.Symbol(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOpenError(t *testing.T) {
	_, err := Open("libdoes-not-exist.so.1", "libneither.so.2")
	if err == nil || !strings.Contains(err.Error(), "libdoes-not-exist.so.1") || !strings.Contains(err.Error(), "libneither.so.2") {
		t.Fatalf("error must name every library tried: %v", err)
	}
	_, err = libc(t).Symbol("no_such_function_here")
	if !errors.Is(err, ErrNoSymbol) {
		t.Fatalf("got %v, want ErrNoSymbol", err)
	}
}

// TestArguments passes 14 distinct values through snprintf, so that every register and
// every stack slot of the trampoline is seen.
func TestArguments(t *testing.T) {
	snprintf := sym(t, libc(t), "snprintf")
	if runtime.GOARCH != "amd64" {
		t.Skip("variadic calls differ from plain ones here")
	}
	buf := make([]byte, 256)
	format := CString("%ld %ld %ld %ld %ld %ld %ld %ld %ld %ld %ld")
	for name, call := range map[string]func(uintptr, ...uintptr) uintptr{"Call": Call, "Caller": new(Caller).Call} {
		n := call(snprintf, Addr(&buf[0]), 256, Addr(format), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
		if got, want := string(buf[:n]), "1 2 3 4 5 6 7 8 9 10 11"; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestCallAllocatesNothing(t *testing.T) {
	l := libc(t)
	abs := sym(t, l, "labs")
	strlen := sym(t, l, "strlen")
	c := new(Caller)
	s := CString("twelve bytes")
	if n := testing.AllocsPerRun(1000, func() {
		if c.Call(abs, ^uintptr(6)) != 7 || c.Call(strlen, Addr(s)) != 12 {
			t.Fatal("wrong result")
		}
	}); n != 0 {
		t.Errorf("Caller.Call allocates %v times", n)
	}
}

func TestCallback(t *testing.T) {
	qsort := sym(t, libc(t), "qsort")
	cmp := NewCallback(func(a, b *int64) int32 { return int32(*a - *b) })
	v := []int64{5, 3, 9, 1, 7}
	Call(qsort, uintptr(unsafe.Pointer(&v[0])), uintptr(len(v)), 8, cmp)
	for i := range 4 {
		if v[i] > v[i+1] {
			t.Fatalf("not sorted: %v", v)
		}
	}
}

// deep needs a stack of many kilobytes.
//
//go:noinline
func deep(n int) (sum byte) {
	var pad [1024]byte
	pad[n&1023] = byte(n)
	if n > 0 {
		sum = deep(n - 1)
	}
	return sum + pad[n&1023]
}

// TestCallbackGrowsStack: the result of a call arrives although a callback into Go has moved
// the stack of the goroutine that made it.
func TestCallbackGrowsStack(t *testing.T) {
	bsearch := sym(t, libc(t), "bsearch")
	v := [...]int64{1, 3, 5, 7, 9}
	want := Addr(&v[3])
	cmp := NewCallback(func(a, b *int64) int32 {
		deep(100)
		return int32(*a - *b)
	})
	key := int64(7)
	at := Addr(&key)
	done := make(chan uintptr)
	for range 20 {
		go func() { // on a stack that is still small
			var c Caller
			done <- c.Call(bsearch, at, Addr(&v[0]), uintptr(len(v)), 8, cmp)
		}()
		if got := <-done; got != want {
			t.Fatalf("bsearch returned %#x, want %#x", got, want)
		}
	}
	runtime.KeepAlive(&key)
}

func TestGoString(t *testing.T) {
	if GoString(0) != "" {
		t.Error("nil is not empty")
	}
	s := CString("grün")
	if got := GoString(uintptr(unsafe.Pointer(s))); got != "grün" {
		t.Errorf("got %q", got)
	}
	runtime.KeepAlive(s)
}

func TestUnresolvedPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Call(0)
}

func BenchmarkCall(b *testing.B) {
	l := libc(b)
	abs := sym(b, l, "labs")
	b.Run("caller", func(b *testing.B) {
		c := new(Caller)
		b.ReportAllocs()
		for b.Loop() {
			c.Call(abs, 1)
		}
	})
	b.Run("pooled", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Call(abs, 1)
		}
	})
	b.Run("bound", func(b *testing.B) {
		var f func(int64) int64
		if err := l.Bind(&f, "labs"); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			f(1)
		}
	})
}
