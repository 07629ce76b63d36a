package vkvideo

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/scanout-av/scanout/decode/bitstream/vp9"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// TestVP9Structures compares what the device is told of each frame of a stream with what
// was parsed.
func TestVP9Structures(t *testing.T) {
	for _, name := range []string{"groups", "resilient", "tiles", "tenbit"} {
		co, err := newVP9(&media.Stream{Codec: "vp9"})
		if err != nil {
			t.Fatal(err)
		}
		c := co.(*vpx)
		pictures, references := 0, 0
		for _, u := range cut(t, filepath.Join("..", "bitstream", "vp9", "testdata", name+".ivf")) {
			if err := c.parse(u); err != nil {
				t.Fatal(err)
			}
			for p := c.next(); p != nil; p = c.next() {
				q := c.cur
				f := &q.Frame
				if p.refuse != nil || p.corrupt || len(p.slices) != 1 || p.head != 0 || p.slices[0].end != len(u) || len(p.refs) != len(q.Refs) || !p.kind.noSets {
					t.Fatalf("%s, picture %d: %+v", name, pictures, p)
				}
				info, query := &vk.VideoDecodeInfoKHR{}, &vk.VideoInlineQueryInfoKHR{}
				c.attach(info, []uint32{uint32(p.slices[0].begin + 256)}) // somewhere in a range
				c.chain(query)
				if info.PNext != vk.Pointer(&c.info) || c.info.PNext != vk.Pointer(query) || query.PNext != nil {
					t.Fatal("the chain is broken")
				}
				if c.info.UncompressedHeaderOffset != 256 || int(c.info.CompressedHeaderOffset) != 256+(f.HeaderBits+7)/8 ||
					c.info.TilesOffset-c.info.CompressedHeaderOffset != uint32(f.HeaderSizeInBytes) {
					t.Errorf("%s, picture %d: offsets %+v", name, pictures, c.info)
				}
				s := &c.std
				if (s.FrameType == vk.STD_VIDEO_VP9_FRAME_TYPE_KEY) != f.KeyFrame || s.RefreshFrameFlags != f.RefreshFrameFlags || s.BaseQIdx != f.Quantization.BaseQIdx ||
					s.Flags.ErrorResilientMode() != bit(f.ErrorResilientMode) || s.Flags.UsePrevFrameMvs() != bit(f.UsePrevFrameMvs) || s.TileColsLog2 != f.TileColsLog2 ||
					(s.PSegmentation != nil) != f.Segmentation.SegmentationEnabled || s.PLoopFilter.LoopFilterLevel != f.LoopFilter.LoopFilterLevel || s.PColorConfig.BitDepth != uint8(p.kind.bits) {
					t.Errorf("%s, picture %d: told %+v of %+v", name, pictures, s, f)
				}
				for i, k := range q.RefIndex {
					if got := c.info.ReferenceNameSlotIndices[i]; k < 0 != (got < 0) || k >= 0 && int(got) != q.Refs[k].Slot {
						t.Errorf("%s, picture %d: name %d is in slot %d; %+v", name, pictures, i, got, q)
					}
				}
				references += len(q.Refs)
				pictures++
			}
		}
		if pictures < 4 || references == 0 {
			t.Errorf("%s: %d pictures, %d references", name, pictures, references)
		}
	}
	yes := vp9.ColorConfig{BitDepth: 8, SubsamplingX: true, SubsamplingY: true}
	twelve, high := yes, yes
	twelve.BitDepth, high.SubsamplingX = 12, false
	for _, q := range []vp9.Picture{{Frame: vp9.Frame{ColorConfig: twelve}}, {Frame: vp9.Frame{ColorConfig: high}}, {Frame: vp9.Frame{ColorConfig: yes, FrameWidth: 9}, MaxWidth: 8}} {
		if err := vpxRefuse(&q); !errors.Is(err, media.ErrNotSupported) {
			t.Errorf("%+v: %v", q.Frame, err)
		}
	}
}
