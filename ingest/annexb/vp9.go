package annexb

import (
	"bufio"

	"github.com/scanout-av/scanout/decode/bitstream/vp9"
	"github.com/scanout-av/scanout/media"
)

// vpx is VP9, which needs a container to tell its frames apart.
type vpx struct{ dec vp9.Decoder }

func (*vpx) split() bufio.SplitFunc { panic("annexb: VP9 without container") }

func (c *vpx) describe(unit []byte, s *media.Stream) bool {
	c.dec.Reset()
	pics, _ := c.dec.Decode(unit)
	for i := range pics {
		f := &pics[i].Frame
		if !f.KeyFrame {
			continue
		}
		k := &f.ColorConfig
		s.Width, s.Height, s.Color = f.FrameWidth, f.FrameHeight, k.Color()
		s.Format = format(chroma(false, k.SubsamplingX, k.SubsamplingY), k.BitDepth-8)
		return true
	}
	return false
}

// key reports whether unit begins with a key frame.
func (c *vpx) key(unit []byte) (key, first bool) {
	if len(unit) == 0 {
		return false, false
	}
	at := byte(0x0c) // show_existing_frame and frame_type
	if unit[0]&0x30 == 0x30 {
		at = 0x06 // profile 3 has a reserved bit before them
	}
	key = unit[0]&at == 0
	return key, key
}
