package h264

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/internal/avtest"
)

// conformance are the streams of the JVT-AVC_V1 suite among the shared media.
var conformance = []string{
	"BA1_Sony_D.jsv", "BAMQ1_JVC_C.264", "BASQP1_Sony_C.jsv", "BA_MW_D.264", "CI_MW_D.264", "CVFC1_Sony_C.jsv",
	"MIDR_MW_D.264", "MR1_MW_A.264", "MR2_TANDBERG_E.264", "NL1_Sony_D.jsv", "NRF_MW_E.264", "SVA_BA1_B.264", "SVA_FM1_E.264",
}

// generated are streams that x264 makes.
var generated = []struct {
	name string
	args []string
}{
	{"ippp", []string{"-x264-params", "bframes=0:ref=1"}},
	{"pyramid-refs16", []string{"-x264-params", "bframes=7:b-pyramid=normal:ref=16:keyint=40:scenecut=0"}},
	{"pyramid-strict", []string{"-x264-params", "bframes=5:b-pyramid=strict:ref=4:keyint=40"}},
	{"open-gop", []string{"-x264-params", "bframes=3:open-gop=1:keyint=20:ref=3"}},
	{"intra-refresh", []string{"-x264-params", "intra-refresh=1:keyint=30:bframes=0:ref=2"}},
	{"slices-weights", []string{"-x264-params", "slices=4:bframes=2:weightp=2:weightb=1:ref=5"}},
	{"mbaff", []string{"-flags", "+ildct", "-x264-params", "tff=1:interlaced=1:bframes=3:b-pyramid=normal:ref=4"}},
	{"fake-interlaced", []string{"-x264-params", "fake-interlaced=1:bframes=3"}},
	{"baseline", []string{"-profile:v", "baseline", "-x264-params", "ref=5"}},
	{"cropped", []string{"-vf", "crop=174:142"}},
	{"high10", []string{"-pix_fmt", "yuv420p10le"}},
	{"high422", []string{"-pix_fmt", "yuv422p"}},
	{"high444", []string{"-pix_fmt", "yuv444p", "-x264-params", "cqm=jvt:bframes=2"}},
	{"jvt-matrices", []string{"-x264-params", "cqm=jvt:bframes=3"}},
	{"hrd-timing", []string{"-x264-params", "nal-hrd=vbr:vbv-bufsize=500:vbv-maxrate=500:pic-struct=1:aud=1"}},
	{"zerolatency", []string{"-tune", "zerolatency", "-x264-params", "ref=4"}},
	{"stitchable", []string{"-x264-params", "stitchable=1:keyint=15:bframes=2"}},
}

func codeH264(t testing.TB, args []string) string {
	return avtest.Encode(t, "264", 36, append([]string{"-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "medium"}, args...)...)
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
	order   []int // of output, by number in decoding order
	missing Missing
	corrupt int
	coded   int
}

// tell decodes a raw stream and holds the decoder to its promises on the way.
func tell(t testing.TB, data []byte) (s story) {
	t.Helper()
	d, err := NewDecoder(Config{})
	if err != nil {
		t.Fatal(err)
	}
	number := map[bitstream.PictureID]int{}
	check := newContract()
	for i, au := range accessUnits(t, data) {
		pics, err := d.Decode(au)
		if err != nil {
			t.Fatalf("access unit %d: %v", i, err)
		}
		for i := range pics {
			p := &pics[i]
			if err := check.picture(p); err != nil {
				t.Fatalf("picture %d: %v", p.ID, err)
			}
			if !p.NonExisting {
				number[p.ID] = s.coded
				s.coded++
			}
			s.missing.Frames += p.Missing.Frames
			s.missing.Entries += p.Missing.Entries
			s.missing.Modifications += p.Missing.Modifications
			s.missing.Operations += p.Missing.Operations
			s.missing.Slices += p.Missing.Slices
			if p.Corrupt {
				s.corrupt++
			}
			for _, o := range p.Output {
				s.order = append(s.order, number[o.ID])
			}
		}
	}
	for _, o := range d.Flush() {
		s.order = append(s.order, number[o.ID])
	}
	return s
}

// checkOrder compares which picture is shown when with FFmpeg's decoder.
func checkOrder(t *testing.T, path string, data []byte) {
	s, want := tell(t, data), avtest.OutputOrder(t, path)
	if !slices.Equal(s.order, want) {
		t.Errorf("order %v\nFFmpeg %v", s.order, want)
	}
	if s.missing.Any() || s.corrupt > 0 || s.coded != len(want) {
		t.Errorf("an intact stream of %d pictures: %d coded, missing %+v, corrupt %d", len(want), s.coded, s.missing, s.corrupt)
	}
}

// TestAgainstFFmpeg compares headers, picture order, reference marking, reference lists
// and output order with what FFmpeg says of the same streams.
func TestAgainstFFmpeg(t *testing.T) {
	check := func(t *testing.T, path string) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		checkHeaders(t, path, data)
		checkOrder(t, path, data)
		checkMarking(t, path, data)
	}
	for _, name := range conformance {
		t.Run(name, func(t *testing.T) { check(t, filepath.Join(avtest.Media(t), name)) })
	}
	for _, g := range generated {
		t.Run(g.name, func(t *testing.T) { check(t, codeH264(t, g.args)) })
	}
}
