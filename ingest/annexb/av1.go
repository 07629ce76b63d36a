package annexb

import (
	"bufio"

	"github.com/scanout-av/scanout/decode/bitstream/av1"
	"github.com/scanout-av/scanout/media"
)

// aom is AV1.
type aom struct{}

func (aom) split() bufio.SplitFunc { return av1.NewSplitter().Split }

func (aom) describe(unit []byte, s *media.Stream) bool {
	for pos := 0; ; {
		o, ok, err := av1.NextOBU(unit, pos)
		if !ok || err != nil {
			return false
		}
		pos = o.End
		if o.Type != av1.OBUSequenceHeader {
			continue
		}
		q, err := av1.ParseSequence(o.Payload(unit))
		if err != nil {
			return false
		}
		c := &q.ColorConfig
		s.Width, s.Height, s.Color = q.MaxWidth(), q.MaxHeight(), q.Color()
		s.FrameRate = ratio(q.FrameRate())
		s.Format = format(chroma(c.MonoChrome, c.SubsamplingX, c.SubsamplingY), uint8(c.BitDepth()-8))
		return true
	}
}

// key reports whether the first frame of unit is a key frame that is shown.
func (aom) key(unit []byte) (key, first bool) {
	reduced := false
	for pos := 0; ; {
		o, ok, err := av1.NextOBU(unit, pos)
		if !ok || err != nil {
			return false, false
		}
		pos = o.End
		switch o.Type {
		case av1.OBUSequenceHeader:
			q, err := av1.ParseSequence(o.Payload(unit))
			reduced = err == nil && q.ReducedStillPictureHeader
		case av1.OBUFrame, av1.OBUFrameHeader:
			// show_existing_frame 0, frame_type 0, show_frame 1.
			key = reduced || o.End > o.Begin && unit[o.Begin]&0xf0 == 0x10
			return key, key
		}
	}
}

// chroma is chroma_format_idc of H.264 and H.265.
func chroma(mono, x, y bool) uint8 {
	switch {
	case mono:
		return 0
	case x && y:
		return 1
	case x:
		return 2
	}
	return 3
}
