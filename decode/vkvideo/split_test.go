package vkvideo

import (
	"bufio"

	"github.com/scanout-av/scanout/decode/bitstream/av1"
	"github.com/scanout-av/scanout/decode/bitstream/h264"
	"github.com/scanout-av/scanout/decode/bitstream/h265"
	"github.com/scanout-av/scanout/media"
)

// splitter cuts raw streams of a codec.
func splitter(c media.Codec) bufio.SplitFunc {
	switch c {
	case "av1":
		return av1.NewSplitter().Split
	case "hevc":
		return h265.NewSplitter().Split
	}
	return h264.NewSplitter().Split
}
