package soft

import (
	"testing"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/media"
)

// BenchmarkSwscale scales 1080p I420 to 720p with FFmpeg's library: what Present does
// under 1080p/bilinear-1280x720.
func BenchmarkSwscale(b *testing.B) {
	lib, err := dl.Open("libswscale.so.9", "libswscale.so.8", "libswscale.so.7", "libswscale.so.6")
	if err != nil {
		b.Skip(err)
	}
	var get, scale, free uintptr
	if err := lib.Resolve(map[string]*uintptr{"sws_getContext": &get, "sws_scale": &scale, "sws_freeContext": &free}); err != nil {
		b.Fatal(err)
	}
	const w, h, dw, dh, yuv420p, bgra = 1920, 1080, 1280, 720, 0, 28
	f := newFrame(media.I420, w, h)
	randomize(f, 1)
	dst := make([]byte, dw*dh*4)
	call := new(dl.Caller)
	a := new(struct {
		src, dst             [4]uintptr
		srcStride, dstStride [4]int32
	})
	for i := range 3 {
		a.src[i], a.srcStride[i] = dl.Addr(&f.Planes[i].Data[0]), int32(f.Planes[i].Stride)
	}
	a.dst[0], a.dstStride[0] = dl.Addr(&dst[0]), dw*4
	for _, m := range []struct {
		name  string
		flags uintptr
	}{{"fast bilinear", 1}, {"bilinear", 2}} {
		b.Run(m.name, func(b *testing.B) {
			ctx := call.Call(get, w, h, yuv420p, dw, dh, bgra, m.flags, 0, 0, 0)
			if ctx == 0 {
				b.Fatal("sws_getContext failed")
			}
			defer call.Call(free, ctx)
			for b.Loop() {
				call.Call(scale, ctx, dl.Addr(&a.src[0]), dl.Addr(&a.srcStride[0]), 0, h, dl.Addr(&a.dst[0]), dl.Addr(&a.dstStride[0]))
			}
		})
	}
}
