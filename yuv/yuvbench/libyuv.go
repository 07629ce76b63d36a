package yuvbench

import (
	"github.com/klauspost/cpuid/v2"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/yuv"
)

// libyuv calls the library of that name.
// Concurrency: one goroutine.
type libyuv struct {
	lib                  *dl.Library
	call                 *dl.Caller
	abgr709, matrix, cpu uintptr
}

func openLibyuv() (*libyuv, error) {
	lib, err := dl.Open("libyuv.so.0", "libyuv.so")
	if err != nil {
		return nil, err
	}
	l := &libyuv{lib: lib, call: new(dl.Caller)}
	return l, lib.Resolve(map[string]*uintptr{"H420ToABGR": &l.abgr709, "I420ToARGBMatrix": &l.matrix, "MaskCpuFlags": &l.cpu})
}

// allFlags and upToAVX2 are masks of libyuv's CPU flags. The bits up to AVX2 have been
// the same in all versions; those after it moved.
const (
	allFlags = ^uintptr(0)
	upToAVX2 = 0x7ff
)

func (l *libyuv) contestants() []contestant {
	one := func(name string, flags uintptr) contestant {
		return contestant{name: name, ready: func() { l.call.Call(l.cpu, flags) }, run: func(f *frame) error {
			p := &f.p
			l.call.Call(l.abgr709, dl.Addr(&p.Planes[0][0]), uintptr(p.Stride[0]), dl.Addr(&p.Planes[1][0]), uintptr(p.Stride[1]),
				dl.Addr(&p.Planes[2][0]), uintptr(p.Stride[2]), dl.Addr(&f.dst[0]), uintptr(p.Width*4), uintptr(p.Width), uintptr(p.Height))
			return nil
		}}
	}
	list := []contestant{one(nameLibyuv, allFlags)}
	if cpuid.CPU.Has(cpuid.AVX512BW) {
		list = append(list, one(nameLibyuvAVX2, upToAVX2))
	}
	// Leave the flags as they were: the full set runs last in each round.
	if len(list) == 2 {
		list[0], list[1] = list[1], list[0]
	}
	return list
}

// libyuvMatrices are libyuv's names of its constants.
var libyuvMatrices = map[yuv.Matrix][2]string{
	yuv.BT601:  {"kYuvI601Constants", "kYuvJPEGConstants"},
	yuv.BT709:  {"kYuvH709Constants", "kYuvF709Constants"},
	yuv.BT2020: {"kYuv2020Constants", "kYuvV2020Constants"},
}

// converter returns a function that converts f, giving B G R A.
func (l *libyuv) converter(m yuv.Matrix, r yuv.Range) (func(f *frame) error, error) {
	k, err := l.lib.Symbol(libyuvMatrices[m][r])
	if err != nil {
		return nil, err
	}
	l.call.Call(l.cpu, allFlags)
	return func(f *frame) error {
		p := &f.p
		l.call.Call(l.matrix, dl.Addr(&p.Planes[0][0]), uintptr(p.Stride[0]), dl.Addr(&p.Planes[1][0]), uintptr(p.Stride[1]),
			dl.Addr(&p.Planes[2][0]), uintptr(p.Stride[2]), dl.Addr(&f.dst[0]), uintptr(p.Width*4), k, uintptr(p.Width), uintptr(p.Height))
		return nil
	}, nil
}
