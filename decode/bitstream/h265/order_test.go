package h265

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/internal/avtest"
)

// shared are the H.265 files of the shared media.
var shared = []string{"h265_bframes.mp4", "sample_h265.ts", "hlg10-color-test.mp4"}

// generated are streams that x265 makes.
var generated = []struct {
	name   string
	pixels string
	size   string
	params string
}{
	{"ippp", "yuv420p", "", "bframes=0:ref=1:keyint=25"},
	{"pyramid", "yuv420p", "", "bframes=8:b-pyramid=1:ref=5:keyint=40"},
	{"refs16", "yuv420p", "", "bframes=3:ref=16:keyint=50:allow-non-conformance=1"},
	{"open-gop", "yuv420p", "", "bframes=4:b-pyramid=1:open-gop=1:keyint=20:ref=4"},
	{"radl", "yuv420p", "", "bframes=4:radl=2:open-gop=0:keyint=20"},
	{"main10", "yuv420p10le", "", "bframes=4"},
	{"main422-10", "yuv422p10le", "", "bframes=2"},
	{"main444", "yuv444p", "", "bframes=2:scaling-list=default"},
	{"slices", "yuv420p", "320x240", "slices=4:ctu=16:bframes=2"},
	{"wavefront", "yuv420p", "320x240", "pools=2:wpp=1:ctu=16:bframes=2"},
	{"weights", "yuv420p", "", "weightp=1:weightb=1:bframes=3"},
	{"intra-refresh", "yuv420p", "", "intra-refresh=1:keyint=20:bframes=0"},
	{"temporal-layers", "yuv420p", "", "temporal-layers=3:bframes=3:b-pyramid=1"},
	{"scaling-lists", "yuv420p", "", "scaling-list=default:bframes=2"},
	{"cropped", "yuv420p", "170x138", "bframes=2"},
	{"hrd", "yuv420p", "", "hrd=1:vbv-bufsize=500:vbv-maxrate=500:aud=1:repeat-headers=1:pic-struct=0"},
	{"lossless", "yuv420p", "", "lossless=1:bframes=2"},
	{"colour", "yuv420p10le", "", "colorprim=9:transfer=16:colormatrix=9:range=limited:chromaloc=2:hdr10=1:max-cll=1000,400:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"},
	{"fields", "yuv420p", "", "interlace=tff"},
}

func codeH265(t testing.TB, pixels, size, params string) string {
	args := []string{"-pix_fmt", pixels, "-c:v", "libx265", "-preset", "fast", "-x265-params", "log-level=none:pools=1:frame-threads=1:" + params}
	if size != "" {
		args = append([]string{"-s", size}, args...)
	}
	return avtest.Encode(t, "265", 36, args...)
}

// accessUnits cuts a raw stream.
func accessUnits(t testing.TB, data []byte) (units [][]byte) {
	t.Helper()
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(nil, len(data)+1)
	sc.Split(NewSplitter().Split)
	for sc.Scan() {
		units = append(units, bytes.Clone(sc.Bytes()))
	}
	if sc.Err() != nil {
		t.Fatal(sc.Err())
	}
	return units
}

// story is what a decoder says of a whole stream.
type story struct {
	decoded, shown []int32 // order counts
	missing        Missing
	corrupt        int
	dropped        int
}

// tell decodes a raw stream and holds the decoder to its promises on the way.
func tell(t testing.TB, data []byte, unsupported bitstream.Feature) (s story) {
	t.Helper()
	d, err := NewDecoder(Config{})
	if err != nil {
		t.Fatal(err)
	}
	check := newContract()
	for i, au := range accessUnits(t, data) {
		pics, err := d.Decode(au)
		if err != nil && unsupported == bitstream.FeatureNone {
			t.Fatalf("access unit %d: %v", i, err)
		}
		for i := range pics {
			p := &pics[i]
			if err := check.picture(p); err != nil {
				t.Fatalf("picture %d: %v", p.ID, err)
			}
			s.decoded = append(s.decoded, p.PicOrderCntVal)
			s.missing.References += p.Missing.References
			s.missing.Kept += p.Missing.Kept
			s.missing.Segments += p.Missing.Segments
			if p.Corrupt {
				s.corrupt++
			}
			for _, o := range p.Output {
				s.shown = append(s.shown, o.PicOrderCnt)
			}
			if p.Unsupported != unsupported {
				t.Fatalf("picture %d: unsupported is %v, want %v", p.ID, p.Unsupported, unsupported)
			}
		}
	}
	for _, o := range d.Flush() {
		s.shown = append(s.shown, o.PicOrderCnt)
	}
	s.dropped = d.Dropped()
	return s
}

// ffmpegStory is what FFmpeg's decoder says of its order counts.
func ffmpegStory(t testing.TB, path string) (s story) {
	for _, line := range avtest.DecoderLog(t, path, "") {
		var poc int32
		if n, _ := fmt.Sscanf(line, "Decoded frame with POC %d.", &poc); n == 1 {
			s.decoded = append(s.decoded, poc)
		} else if n, _ := fmt.Sscanf(line, "Output frame with POC %d.", &poc); n == 1 {
			s.shown = append(s.shown, poc)
		}
	}
	if len(s.decoded) == 0 {
		t.Skip("needs an ffmpeg whose HEVC decoder logs order counts (FFmpeg 4 to 7)")
	}
	return s
}

// checkOrder compares order counts, in decoding and in output order, with FFmpeg's decoder.
func checkOrder(t *testing.T, path string, data []byte, unsupported bitstream.Feature) {
	s, want := tell(t, data, unsupported), ffmpegStory(t, path)
	if !slices.Equal(s.decoded, want.decoded) {
		t.Errorf("decoded %v\nFFmpeg %v", s.decoded, want.decoded)
	}
	if !slices.Equal(s.shown, want.shown) {
		t.Errorf("shown %v\nFFmpeg %v", s.shown, want.shown)
	}
	if s.missing.Any() || s.corrupt > 0 {
		t.Errorf("an intact stream: missing %+v, corrupt %d", s.missing, s.corrupt)
	}
}

// TestAgainstFFmpeg compares headers, reference picture sets, order counts and output
// order with what FFmpeg says of the same streams.
func TestAgainstFFmpeg(t *testing.T) {
	check := func(t *testing.T, path string, unsupported bitstream.Feature) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		checkHeaders(t, path, data)
		checkOrder(t, path, data, unsupported)
		checkSetsInUse(t, data)
	}
	for _, name := range shared {
		t.Run(name, func(t *testing.T) {
			check(t, avtest.Remux(t, filepath.Join(avtest.Media(t), name), "265"), bitstream.FeatureNone)
		})
	}
	for _, g := range generated {
		t.Run(g.name, func(t *testing.T) {
			want := bitstream.FeatureNone
			if g.name == "fields" {
				want = bitstream.Interlaced
			}
			check(t, codeH265(t, g.pixels, g.size, g.params), want)
		})
	}
}
