package yuvbench

import (
	"errors"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/yuv"
)

// swscale calls FFmpeg's library of that name.
// Concurrency: one goroutine.
type swscale struct {
	call                               *dl.Caller
	get, free, details, coeffs, scaler uintptr
}

func openSwscale() (*swscale, error) {
	lib, err := dl.Open("libswscale.so.9", "libswscale.so.8", "libswscale.so.7", "libswscale.so.6", "libswscale.so")
	if err != nil {
		return nil, err
	}
	s := &swscale{call: new(dl.Caller)}
	return s, lib.Resolve(map[string]*uintptr{"sws_getContext": &s.get, "sws_freeContext": &s.free,
		"sws_setColorspaceDetails": &s.details, "sws_getCoefficients": &s.coeffs, "sws_scale": &s.scaler})
}

// Values of FFmpeg's public headers that have not changed since version 4.
const (
	pixYUV420P = 0
	pixRGBA    = 26
	swsPoint   = 0x10
	fixedOne   = 1 << 16
)

var swsColorspace = map[yuv.Matrix]uintptr{yuv.BT709: 1, yuv.BT601: 5, yuv.BT2020: 9}

// sliceArgs are sws_scale's arrays; they live on the heap.
type sliceArgs struct {
	src, dst             [4]uintptr
	srcStride, dstStride [4]int32
}

// converter returns a function that converts w×h pictures to R G B A with swscale's
// unscaled, fast path. Its context lives until done is called.
func (s *swscale) converter(m yuv.Matrix, r yuv.Range, w, h int) (run func(f *frame) error, done func(), err error) {
	ctx := s.call.Call(s.get, uintptr(w), uintptr(h), pixYUV420P, uintptr(w), uintptr(h), pixRGBA, swsPoint, 0, 0, 0)
	if ctx == 0 {
		return nil, nil, errors.New("yuvbench: sws_getContext failed for yuv420p to rgba")
	}
	table := s.call.Call(s.coeffs, swsColorspace[m])
	s.call.Call(s.details, ctx, table, uintptr(r), table, 1, 0, fixedOne, fixedOne)
	a := new(sliceArgs)
	return func(f *frame) error {
		p := &f.p
		for i := range 3 {
			a.src[i], a.srcStride[i] = dl.Addr(&p.Planes[i][0]), int32(p.Stride[i])
		}
		a.dst[0], a.dstStride[0] = dl.Addr(&f.dst[0]), int32(p.Width*4)
		s.call.Call(s.scaler, ctx, dl.Addr(&a.src[0]), dl.Addr(&a.srcStride[0]), 0, uintptr(p.Height), dl.Addr(&a.dst[0]), dl.Addr(&a.dstStride[0]))
		return nil
	}, func() { s.call.Call(s.free, ctx) }, nil
}

func (s *swscale) contestant(sz size) (contestant, error) {
	// The context is a few kilobytes and lives as long as the run.
	run, _, err := s.converter(yuv.BT709, yuv.Limited, sz.w, sz.h)
	return contestant{name: "swscale fast", run: run}, err
}
