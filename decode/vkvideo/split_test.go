package vkvideo

import (
	"bufio"

	"github.com/scanout-av/scanout/decode/bitstream/h264"
	"github.com/scanout-av/scanout/media"
)

// splitter cuts raw streams of a codec.
func splitter(media.Codec) bufio.SplitFunc {
	return h264.NewSplitter().Split
}
