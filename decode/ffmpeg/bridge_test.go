package ffmpeg

import (
	"bytes"
	"slices"
	"testing"

	"github.com/scanout-av/scanout/media"
)

// TestBridge loses pictures of a stream whose order follows from frame_num, which counts to
// 15: nothing but what is lost may be missing.
func TestBridge(t *testing.T) {
	path := generate(t, "a.ts", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=60", "-frames:v", "150", "-pix_fmt", "yuv420p",
		"-c:v", "libx264", "-tune", "zerolatency", "-g", "60", "-x264-params", "repeat-headers=1:sliced-threads=0:aud=1")
	for _, lost := range [][]int{
		{},
		{10},
		{16},                 // frame_num 0
		{15, 16, 17},         // and its neighbours
		{60},                 // a key frame
		{59, 60, 61, 62, 63}, // with what is around it
		{100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119},
	} {
		d := newDeck(t, path, 1, true)
		d.dec.Close()
		d.stream.Native = 0
		var err error
		if d.dec, err = NewVideo(Config{Stream: d.stream, Pool: d.pool, Live: true, Corrupt: true}); err != nil {
			t.Fatal(err)
		}
		shown, n := 0, 0
		take := func() {
			for {
				f, err := d.dec.Receive()
				if err != nil {
					return
				}
				shown++
				f.Release()
			}
		}
		for ; d.src.Read(&d.au) == nil; n++ {
			au := d.au
			au.Data = bytes.Clone(d.au.Data)
			au.Owner, au.Native = nil, 0
			d.au.Release()
			if slices.Contains(lost, n) {
				continue
			}
			for d.dec.Send(&au) == media.ErrAgain {
				take()
			}
			take()
		}
		d.dec.Send(nil)
		take()
		if shown != n-len(lost) {
			t.Errorf("without %v: %d pictures came out of %d", lost, shown, n-len(lost))
		}
		d.close()
	}
}

// TestBridgeUnits looks at the unit itself, and that whatever comes is survived.
func TestBridgeUnits(t *testing.T) {
	// x264's, 320x180, POC type 2, frame_num of 4 bits.
	sps := []byte{0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x15, 0xda, 0x05, 0x06, 0x7e, 0x7c, 0x04, 0x40, 0, 0, 3, 0, 0x40, 0, 0, 0x1e, 0x03, 0xc5, 0x8b, 0xa8}
	stream := media.Stream{Codec: "h264", ExtraData: sps}
	b := newBridge(&stream)
	if b.sps == nil || b.sps.PicOrderCntType != 2 || b.sps.Log2MaxFrameNumMinus4 != 0 {
		t.Fatalf("%+v", b.sps)
	}
	slice := func(num byte) []byte { // first_mb 0, slice_type 5, parameter set 0, frame_num
		return []byte{0, 0, 0, 1, 0x41, 0x9a | num>>3, num<<5 | 1, 0x23, 0x45}
	}
	for num := byte(0); num < 16; num++ {
		if u := b.over(slice(num)); u != nil {
			t.Fatalf("frame_num %d: % x", num, u)
		}
	}
	want := []byte{0, 0, 0, 1, 0x41, 0x9a, 0x01, 0x23, 0x45, 0x80}
	if u := b.over(slice(1)); !bytes.Equal(u, want) {
		t.Errorf("got % x, want % x", u, want)
	}
	if n := testing.AllocsPerRun(100, func() { b.over(slice(15)); b.over(slice(1)) }); n > 2 { // the slices themselves
		t.Errorf("%v allocations", n)
	}
	for i := range sps {
		b.over(sps[:i])
		b.over(slice(3)[:min(i, 9)])
	}
}
