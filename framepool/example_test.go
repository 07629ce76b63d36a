package framepool_test

import (
	"fmt"

	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/media"
)

// A frame of one's own: take a slot, lay a picture out in it, fill the planes.
func Example() {
	pool, err := framepool.New(framepool.Config{
		Slots:     4,
		SlotBytes: framepool.FrameBytes(media.I420, 1920, 1080, 0),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := pool.Get()
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := pool.Layout(f, media.I420, 1920, 1080, 0); err != nil {
		fmt.Println(err)
		return
	}
	for i := range f.Planes[0].Data {
		f.Planes[0].Data[i] = 16
	}
	fmt.Println(f.Planes[0].Stride, f.Planes[1].Stride, f.Planes[1].Offset)
	f.Release() // or pass it on: whoever gets it releases it
	fmt.Println(pool.Close())
	// Output:
	// 1920 960 2073600
	// <nil>
}
