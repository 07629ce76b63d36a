package clock

import "fmt"

// Widths of counters that wrap.
const (
	BitsMPEG   = 33 // PTS and DTS; ISO/IEC 13818-1 section 2.4.3.7
	BitsRTP    = 32 // timestamp; RFC 3550 section 5.1
	BitsRTPSeq = 16 // sequence number; RFC 3550 section 5.1
)

// Unwrap returns the number closest to near that equals v in its low bits: the value of
// a counter that wraps, given about where it should be. A value half a turn away counts
// as earlier.
// Units: bits is the counter's width, 1…63.
func Unwrap(v uint64, bits uint, near int64) int64 {
	// Shifted to the top of the word, the difference wraps and extends its sign by itself.
	s := 64 - bits
	return near + int64((v-uint64(near))<<s)>>s
}

// Unwrapper turns a counter that wraps into one that does not. Values may come out of
// order by less than half a turn.
type Unwrapper struct {
	bits    uint
	last    int64
	started bool
}

// NewUnwrapper returns an unwrapper for counters of the given width, 1…63.
func NewUnwrapper(bits uint) Unwrapper {
	if bits < 1 || bits > 63 {
		panic(fmt.Sprintf("clock: counter of %d bits", bits))
	}
	return Unwrapper{bits: bits}
}

// Unwrap returns v without its wraps. The first value comes back as it is.
func (u *Unwrapper) Unwrap(v uint64) int64 {
	if !u.started {
		u.started = true
		u.last = int64(v & (1<<u.bits - 1))
		return u.last
	}
	u.last = Unwrap(v, u.bits, u.last)
	return u.last
}

// Reset forgets everything: the next value is a first one.
func (u *Unwrapper) Reset() { u.started = false }
