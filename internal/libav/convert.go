package libav

import (
	"runtime"

	"github.com/scanout-av/scanout/internal/dl"
)

// Resampler is the address of a SwrContext, Scaler that of a SwsContext.
type (
	Resampler uintptr
	Scaler    uintptr
)

// SampleFloat is AV_SAMPLE_FMT_FLT: interleaved float32.
const SampleFloat = 3

const orderUnspecified = 0

// NewResampler converts sound of the given layout, format and rate to interleaved
// float32. An unspecified channel order is taken for the usual one of its count.
func (l *Lib) NewResampler(outChannels, outRate int32, inLayout uintptr, inFormat, inRate int32) (Resampler, error) {
	const layoutBytes = 24
	out, in := new([layoutBytes / 8]uint64), new([layoutBytes / 8]uint64)
	dl.Call(l.fn.channelLayoutDefault, dl.Addr(out), uintptr(outChannels))
	if dl.Load[int32](inLayout, l.o.channelLayoutOrder) == orderUnspecified {
		dl.Call(l.fn.channelLayoutDefault, dl.Addr(in), uintptr(dl.Load[int32](inLayout, l.o.channelLayoutNbChannels)))
		inLayout = dl.Addr(in)
	}
	p := new(uintptr)
	err := check(dl.Call(l.fn.swrAlloc, dl.Addr(p), dl.Addr(out), SampleFloat, uintptr(outRate),
		inLayout, uintptr(inFormat), uintptr(inRate), 0, 0))
	runtime.KeepAlive(in)
	if err == nil {
		err = check(dl.Call(l.fn.swrInit, *p))
	}
	if err != nil {
		l.FreeResampler(Resampler(*p))
		return 0, err
	}
	return Resampler(*p), nil
}

// FreeResampler frees r; 0 is allowed.
func (l *Lib) FreeResampler(r Resampler) {
	p := uintptr(r)
	dl.Call(l.fn.swrFree, dl.Addr(&p))
	runtime.KeepAlive(&p)
}

// ResamplerDelay returns how many samples of the given rate r holds back.
func (c *Calls) ResamplerDelay(r Resampler, rate int32) int64 {
	return int64(c.c.Call(c.fn.swrDelay, uintptr(r), uintptr(rate)))
}

// Resample converts n samples per channel, planes at the array in, into out, which holds
// interleaved samples, and returns how many samples per channel it wrote; in 0 drains.
// Ownership: out must be heap memory.
func (c *Calls) Resample(r Resampler, out []float32, channels int, in uintptr, n int32) (int, error) {
	c.out[0] = uint64(dl.Addr(&out[0]))
	got := c.c.Call(c.fn.swrConvert, uintptr(r), c.addr(0), uintptr(len(out)/channels), in, uintptr(n))
	runtime.KeepAlive(out)
	if err := check(got); err != nil {
		return 0, err
	}
	return int(int32(got)), nil
}

// LayoutKey reads the parts of a channel layout that tell common ones apart.
func (l *Lib) LayoutKey(layout uintptr) [2]uint64 { return dl.Load[[2]uint64](layout, 0) }

// NewScaler converts w×h pictures between pixel formats. Colour codes stay as they are:
// full says whether both sides use the full range.
// Errors: ErrPatchwelcome when libswscale is not there or cannot.
func (l *Lib) NewScaler(w, h, from, to, matrix int32, full bool) (Scaler, error) {
	if !l.Scale {
		return 0, ErrPatchwelcome
	}
	const bicubic, accurateRounding, fullChroma = 4, 0x40000, 0x2000 | 0x4000
	s := dl.Call(l.fn.swsGet, uintptr(w), uintptr(h), uintptr(from), uintptr(w), uintptr(h), uintptr(to),
		bicubic|accurateRounding|fullChroma, 0, 0, 0)
	if s == 0 {
		return 0, ErrPatchwelcome
	}
	table := dl.Call(l.fn.swsCoefficients, uintptr(matrix))
	var r uintptr
	if full {
		r = 1
	}
	dl.Call(l.fn.swsSetColorspace, s, table, r, table, r, 0, 1<<16, 1<<16)
	return Scaler(s), nil
}

// FreeScaler frees s; 0 is allowed.
func (l *Lib) FreeScaler(s Scaler) { dl.Call(l.fn.swsFree, uintptr(s)) }

// Scale converts src, of the given height, into dst.
func (c *Calls) Scale(s Scaler, dst, src Frame, height int32) error {
	o := c.o
	return check(c.c.Call(c.fn.swsScale, uintptr(s), uintptr(src)+o.frameData, uintptr(src)+o.frameLinesize,
		0, uintptr(height), uintptr(dst)+o.frameData, uintptr(dst)+o.frameLinesize))
}
