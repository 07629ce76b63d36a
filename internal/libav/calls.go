package libav

import (
	"runtime"
	"unsafe"

	"github.com/scanout-av/scanout/internal/dl"
)

// Calls is one goroutine's way into FFmpeg: nothing is allocated by its hot functions.
// Concurrency: one goroutine at a time.
type Calls struct {
	*Lib
	c dl.Caller
	// out holds out-parameters and small arrays; it is heap memory, which C may keep
	// the address of during a call.
	out *[16]uint64
}

// NewCalls returns a new way in.
func (l *Lib) NewCalls() *Calls {
	c := &Calls{Lib: l, out: new([16]uint64)}
	dl.Addr(c.out)
	return c
}

// addr returns the address of out[i].
func (c *Calls) addr(i int) uintptr { return uintptr(unsafe.Pointer(&c.out[i])) }

// Bytes views memory that FFmpeg owns.
func Bytes(addr uintptr, n int) []byte {
	if addr == 0 || n <= 0 {
		return nil
	}
	return unsafe.Slice((*byte)(dl.Pointer(addr)), n)
}

// AddressOf returns where b lies, for telling whether FFmpeg's planes lie in it.
func AddressOf(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// withStrings calls fn with C strings in the places that hold hole.
func (l *Lib) withStrings(fn uintptr, args []uintptr, strings ...string) uintptr {
	keep := make([]*byte, 0, len(strings))
	j := 0
	for i, a := range args {
		if a == hole {
			b := dl.CString(strings[j])
			args[i] = dl.Addr(b)
			keep = append(keep, b)
			j++
		}
	}
	r := dl.Call(fn, args...)
	runtime.KeepAlive(keep)
	return r
}

// hole marks the place of a string in the arguments of withStrings.
const hole = ^uintptr(0) - 0x5afe

// SetInt sets an AVOption of obj, private options of a codec included.
func (l *Lib) SetInt(obj uintptr, name string, v int64) error {
	return check(l.withStrings(l.fn.optSetInt, []uintptr{obj, hole, uintptr(v), searchChildren}, name))
}

// SetString sets an AVOption of obj from its text.
func (l *Lib) SetString(obj uintptr, name, value string) error {
	return check(l.withStrings(l.fn.optSet, []uintptr{obj, hole, hole, searchChildren}, name, value))
}

const searchChildren = 1

// Dictionary is an AVDictionary; the zero value is empty.
// Concurrency: one goroutine.
type Dictionary struct{ p *uintptr }

// NewDictionary returns an empty dictionary.
func NewDictionary() Dictionary {
	p := new(uintptr)
	dl.Addr(p)
	return Dictionary{p}
}

// Set adds or replaces a pair.
func (l *Lib) Set(d Dictionary, key, value string) error {
	return check(l.withStrings(l.fn.dictSet, []uintptr{dl.Addr(d.p), hole, hole, 0}, key, value))
}

// Keys lists what is in d.
func (l *Lib) Keys(d Dictionary) []string {
	var keys []string
	l.each(*d.p, func(k, _ string) { keys = append(keys, k) })
	return keys
}

// FreeDictionary frees d.
func (l *Lib) FreeDictionary(d Dictionary) { dl.Call(l.fn.dictFree, dl.Addr(d.p)) }

func (l *Lib) each(dict uintptr, f func(key, value string)) {
	const ignoreSuffix = 2
	for e := uintptr(0); ; {
		e = l.withStrings(l.fn.dictGet, []uintptr{dict, hole, e, ignoreSuffix}, "")
		if e == 0 {
			return
		}
		f(dl.GoString(dl.Load[uintptr](e, l.o.dictionaryEntryKey)), dl.GoString(dl.Load[uintptr](e, l.o.dictionaryEntryValue)))
	}
}

// rational reads an AVRational that a function returned by value: the numerator lies in
// the low half of the result register.
func rational(r uintptr) (num, den int32) { return int32(r), int32(uint64(r) >> 32) }
