package bitstream

import (
	"testing"

	"github.com/scanout-av/scanout/media"
)

func TestReferred(t *testing.T) {
	avcc := []byte{1, 100, 0, 40, 0xFF, 0xE0}
	hvcc := make([]byte, 23)
	hvcc[0], hvcc[21] = 1, 3
	avcc2, hvcc2 := []byte{1, 100, 0, 40, 0xFD, 0xE0}, make([]byte, 23)
	hvcc2[0], hvcc2[21] = 1, 0xFD
	for _, c := range []struct {
		name  string
		codec media.Codec
		extra []byte
		units []string
		want  []bool
	}{
		{"H.264, byte stream", "h264", nil,
			[]string{"\x00\x00\x01\x65ab", "\x00\x00\x00\x01\x09\x10\x00\x00\x01\x01ab", "\x00\x00\x01\x41ab", "\x00\x00\x01\x06ab", ""}, []bool{true, false, true, true, true}},
		{"H.264, lengths", "h264", avcc, []string{"\x00\x00\x00\x02\x01a\x00\x00\x00\x02\x01b", "\x00\x00\x00\x02\x01a\x00\x00\x00\x02\x21b", "\x00\x00\x00\x09\x01"},
			[]bool{false, true, true}},
		{"H.265", "hevc", nil, []string{"\x00\x00\x01\x26\x01a", "\x00\x00\x01\x00\x01a", "\x00\x00\x01\x02\x01a", "\x00\x00\x01\x10\x01a", "\x00\x00\x01\x2a\x01a"},
			[]bool{true, false, true, false, true}},
		{"H.265, lengths", "hevc", hvcc, []string{"\x00\x00\x00\x03\x00\x01a", "\x00\x00\x00\x03\x02\x01a"}, []bool{false, true}},
		{"H.265, layers", "hevc", nil, []string{"\x00\x00\x01\x00\x01a", "\x00\x00\x01\x00\x02a", "\x00\x00\x01\x00\x01a"}, []bool{false, false, true}},
		{"H.264, lengths of two bytes", "h264", avcc2, []string{"\x00\x02\x01a", "\x00\x02\x21a", "\x00\x02\x05a\x00\x02\x45b", "\x00\x02\x06a\x00\x02\x02a"},
			[]bool{false, true, true, false}},
		{"H.265, lengths of two bytes", "hevc", hvcc2, []string{"\x00\x03\x00\x01a", "\x00\x03\x02\x01a", "\x00\x03\x1c\x01a", "\x00\x03\x1e\x01a", "\x00\x03\x20\x01a", "\x00\x03\x40\x01a", "\x00\x01\x00"},
			[]bool{false, true, false, true, true, true, true}},
		{"H.264, a configuration that ends early", "h264", avcc[:4], []string{"\x00\x00\x01\x01a"}, []bool{true}},
		{"H.265, a configuration that ends early", "hevc", hvcc[:21], []string{"\x00\x00\x01\x00\x01a"}, []bool{true}},
		{"VP9", "vp9", nil, []string{"\x82\x49"}, []bool{true}},
		{"strange configuration", "h264", []byte{1}, []string{"\x00\x00\x01\x01a"}, []bool{true}},
	} {
		r := NewReferred(c.codec, c.extra)
		for i, u := range c.units {
			if got := r.Look([]byte(u)); got != c.want[i] {
				t.Errorf("%s, unit %d: %v", c.name, i, got)
			}
		}
	}
}

// Whatever a unit holds, looking at it ends.
func FuzzReferred(f *testing.F) {
	f.Add([]byte("\x00\x00\x01\x65ab\x00\x00\x01\x01"), true, false)
	f.Add([]byte("\x00\x00\x00\x02\x01a\x00\x00\x00\x02\x21b"), false, false)
	f.Add([]byte("\x00\x00\x01\x26\x01a"), true, true)
	f.Fuzz(func(_ *testing.T, data []byte, annexB, hevc bool) {
		codec, extra := media.Codec("h264"), []byte{1, 100, 0, 40, 0xFF, 0xE0}
		if hevc {
			codec, extra = "hevc", append([]byte{1}, make([]byte, 22)...)
		}
		if annexB {
			extra = nil
		}
		r := NewReferred(codec, extra)
		r.Look(data)
	})
}
