package main

import (
	"testing"

	"github.com/scanout-av/scanout/media"
)

// TestProbeLine prints what streams say of themselves, and nothing where they do not.
func TestProbeLine(t *testing.T) {
	hlg := media.Color{Matrix: media.MatrixBT2020, Range: media.RangeLimited, Transfer: media.TransferHLG}
	pq := hlg
	pq.Transfer = media.TransferPQ
	for want, s := range map[string]media.Stream{
		"video hevc (Main 10), 1920x1080, 30 fps, yuv420p10le, bt2020/limited, HLG, 8834 kbit/s": {Kind: media.KindVideo, Codec: "hevc", Profile: "Main 10", Width: 1920, Height: 1080,
			FrameRate: media.Rational{Num: 30, Den: 1}, FormatName: "yuv420p10le", Color: hlg, BitRate: 8_834_175},
		"video av1, 64x64, yuv420p10le, bt2020/limited, PQ": {Kind: media.KindVideo, Codec: "av1", Width: 64, Height: 64, FormatName: "yuv420p10le", Color: pq},
		"video vp9 (Profile 2), 320x240, 25 fps":            {Kind: media.KindVideo, Codec: "vp9", Profile: "Profile 2", Width: 320, Height: 240, FrameRate: media.Rational{Num: 25, Den: 1}},
		"audio aac (LC), 44100 Hz, 1 channel, 75 kbit/s":    {Kind: media.KindAudio, Codec: "aac", Profile: "LC", SampleRate: 44100, Channels: 1, BitRate: 74_502},
		"audio vorbis, 48000 Hz, 6 channels, 5 bit/s":       {Kind: media.KindAudio, Codec: "vorbis", SampleRate: 48000, Channels: 6, BitRate: 5},
	} {
		o := probeOne(&s)
		if got := o.line(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
