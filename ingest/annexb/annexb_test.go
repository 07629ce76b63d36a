package annexb

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/media"
)

func open(t testing.TB, path string) *Source {
	t.Helper()
	s, err := Open(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestConformance: the units of a file are the file, cut where pictures begin.
func TestConformance(t *testing.T) {
	for name, want := range map[string]struct{ units, w, h int }{
		"BA1_Sony_D.jsv": {17, 176, 144}, "MIDR_MW_D.264": {100, 176, 144}, "CVFC1_Sony_C.jsv": {50, 320, 240}, "MR2_TANDBERG_E.264": {300, 352, 288},
	} {
		path := filepath.Join(avtest.Media(t), name)
		s := open(t, path)
		v := s.Info().Best(media.KindVideo)
		if v.Codec != "h264" || v.Width == 0 || v.FrameRate.Float() < 1 || !s.Info().Seekable || v.Timebase.Num != v.FrameRate.Den {
			t.Errorf("%s: %+v", name, v)
		}
		var all []byte
		var au media.AccessUnit
		n := 0
		for {
			err := s.Read(&au)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 && (!au.Key || au.PTS != 0) || au.DTS != media.Timestamp(n) || au.PTS.Valid() && !au.Key {
				t.Errorf("%s, unit %d: %+v", name, n, au.PTS)
			}
			all = append(all, au.Data...)
			au.Release()
			n++
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n != want.units || !bytes.Equal(all, whole) {
			t.Errorf("%s: %d units of %d bytes, want %d of %d", name, n, len(all), want.units, len(whole))
		}
	}
}

// TestSeek moves in a stream with a keyframe every 15 pictures, back and forth.
func TestSeek(t *testing.T) {
	for codec, path := range map[media.Codec]string{
		"h264": avtest.Encode(t, "264", 60, "-c:v", "libx264", "-g", "15", "-bf", "2", "-pix_fmt", "yuv420p"),
		"hevc": avtest.Encode(t, "265", 60, "-c:v", "libx265", "-x265-params", "keyint=15:min-keyint=15:open-gop=0:log-level=none", "-pix_fmt", "yuv420p"),
	} {
		s := open(t, path)
		v := s.Info().Best(media.KindVideo)
		if v.Codec != codec || v.Width != 176 || v.Height != 144 || v.FrameRate != (media.Rational{Num: 30, Den: 1}) || v.Format != media.I420 {
			t.Errorf("%s: %+v", codec, v)
		}
		var first []byte
		for _, c := range []struct {
			to   time.Duration
			want int64
		}{{0, 0}, {1200 * time.Millisecond, 30}, {500 * time.Millisecond, 15}, {time.Hour, 45}, {time.Second, 30}, {-1, 0}} {
			if err := s.Seek(c.to); err != nil {
				t.Fatal(err)
			}
			var au media.AccessUnit
			if err := s.Read(&au); err != nil {
				t.Fatal(err)
			}
			if au.DTS != media.Timestamp(c.want) || au.PTS != au.DTS || !au.Key {
				t.Errorf("%s: a seek to %v went to unit %d (PTS %d, key %v), want %d", codec, c.to, au.DTS, au.PTS, au.Key, c.want)
			}
			if c.want == 0 {
				if first == nil {
					first = bytes.Clone(au.Data)
				} else if !bytes.Equal(first, au.Data) {
					t.Errorf("%s: the first unit has changed", codec)
				}
			}
			au.Release()
		}
		// Units do not cost memory of their own.
		if err := s.Seek(0); err != nil {
			t.Fatal(err)
		}
		var au media.AccessUnit
		for range 25 {
			if err := s.Read(&au); err != nil {
				t.Fatal(err)
			}
			au.Release()
		}
		if n := testing.AllocsPerRun(20, func() {
			if err := s.Read(&au); err != nil {
				t.Error(err)
			}
			au.Release()
		}); n != 0 {
			t.Errorf("%s: %v allocations a unit", codec, n)
		}
		s.Interrupt()
		if err := s.Read(&au); !errors.Is(err, os.ErrClosed) {
			t.Errorf("read after Interrupt: %v", err)
		}
	}
}

// TestSeekBringsParameterSets seeks in streams that have parameter sets at their beginning
// alone: what a decoder needs comes with the keyframe, for one that has seen nothing else.
func TestSeekBringsParameterSets(t *testing.T) {
	for _, path := range []string{
		avtest.Encode(t, "264", 60, "-c:v", "libx264", "-g", "15", "-pix_fmt", "yuv420p"),
		avtest.Encode(t, "265", 60, "-c:v", "libx265", "-x265-params", "keyint=15:min-keyint=15:open-gop=0:log-level=none", "-pix_fmt", "yuv420p"),
	} {
		var bare []byte
		var want [][]byte
		text := open(t, path).text.(withSets)
		s := open(t, path)
		var au media.AccessUnit
		for first := true; s.Read(&au) == nil; first = false {
			nals(au.Data, func(nal []byte) bool {
				kind, _ := text.set(nal)
				if kind != 0 && first {
					want = append(want, bytes.Clone(nal))
				}
				if kind == 0 || first {
					bare = append(append(bare, startCode...), nal...)
				}
				return true
			})
			au.Release()
		}
		path = filepath.Join(t.TempDir(), "bare"+filepath.Ext(path))
		if err := os.WriteFile(path, bare, 0o600); err != nil {
			t.Fatal(err)
		}
		s = open(t, path)
		for _, to := range []time.Duration{time.Second, 1900 * time.Millisecond, 600 * time.Millisecond} {
			if err := s.Seek(to); err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				if err := s.Read(&au); err != nil {
					t.Fatal(err)
				}
				var got [][]byte
				nals(au.Data, func(nal []byte) bool {
					if kind, _ := text.set(nal); kind != 0 {
						got = append(got, bytes.Clone(nal))
					}
					return true
				})
				if i == 0 && (!au.Key || au.DTS == 0 || !slices.EqualFunc(got, want, bytes.Equal)) || i == 1 && len(got) != 0 {
					t.Errorf("%s, %v: unit %d has the sets %x, the first one %x", filepath.Base(path), to, au.DTS, got, want)
				}
				au.Release()
			}
		}
	}
}

// TestNewestSets keeps parameter sets in the order in which they were last sent.
func TestNewestSets(t *testing.T) {
	s := &Source{text: &avc{}}
	for _, unit := range []string{"\x67a \x68a", "\x67a \x68a", "\x68b", "\x68a \x65slice \x68c"} {
		s.collect([]byte(startCode + strings.ReplaceAll(unit, " ", startCode)))
	}
	if got := bytes.Join(s.sets, []byte(" ")); string(got) != "\x67a \x68b \x68a" {
		t.Errorf("kept: %q", got)
	}
	for i := range 3 * maxSets {
		s.collect([]byte(startCode + "\x68" + strconv.Itoa(1000+i)))
	}
	if n := len(s.sets); n != maxSets || string(s.sets[n-1]) != "\x68"+strconv.Itoa(999+3*maxSets) {
		t.Errorf("%d sets are kept, the newest is %q", n, s.sets[n-1])
	}
}

// TestAV1 reads the same stream as OBUs and as an IVF file: what is in both is the same,
// times are the units' numbers, and a seek goes to key frames.
func TestAV1(t *testing.T) {
	obu := filepath.Join("..", "..", "decode", "bitstream", "av1", "testdata", "grain.obu")
	whole, err := os.ReadFile(obu)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{obu, avtest.Remux(t, obu, "ivf")} {
		s := open(t, path)
		v := s.Info().Best(media.KindVideo)
		// A raw stream that names no rate has 25, as FFmpeg says, too.
		if v.Codec != "av1" || v.Width != 176 || v.Height != 144 || v.Format != media.I420 || v.FrameRate != (media.Rational{Num: 25, Den: 1}) {
			t.Errorf("%s: %+v", path, v)
		}
		var all []byte
		var au media.AccessUnit
		n := 0
		for ; s.Read(&au) == nil; n++ {
			if au.PTS != media.Timestamp(n) || au.Key != (n == 0 || n == 8) {
				t.Errorf("%s, unit %d: %v, key %v", path, n, au.PTS, au.Key)
			}
			all = append(all, au.Data...)
			au.Release()
		}
		if n != 14 || !bytes.Equal(all, whole) {
			t.Errorf("%s: %d units of %d bytes, want 14 of %d", path, n, len(all), len(whole))
		}
		for _, c := range [][2]int{{400, 8}, {100, 0}, {9000, 8}} {
			if err := s.Seek(time.Duration(c[0]) * time.Millisecond); err != nil {
				t.Fatal(err)
			}
			if err := s.Read(&au); err != nil || au.PTS != media.Timestamp(c[1]) || !au.Key {
				t.Errorf("%s: a seek to %d ms went to unit %d: %v", path, c[0], au.PTS, err)
			}
			au.Release()
		}
	}
}

// TestVP9 reads an IVF file.
func TestVP9(t *testing.T) {
	s := open(t, filepath.Join("..", "..", "decode", "bitstream", "vp9", "testdata", "groups.ivf"))
	v := s.Info().Best(media.KindVideo)
	if v.Codec != "vp9" || v.Width != 176 || v.Height != 144 || v.Format != media.I420 || v.FrameRate != (media.Rational{Num: 30, Den: 1}) {
		t.Errorf("%+v", v)
	}
	var au media.AccessUnit
	n := 0
	for ; s.Read(&au) == nil; n++ {
		if au.PTS != media.Timestamp(n) || au.Key != (n == 0 || n == 12) {
			t.Errorf("unit %d: %v, key %v", n, au.PTS, au.Key)
		}
		au.Release()
	}
	if n != 14 {
		t.Errorf("%d units", n)
	}
}

// TestRefused: what is no such file is refused and says why.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, path := range []string{
		write("empty.264", nil), write("text.h265", []byte("no start code in here")), write("noise.264", bytes.Repeat([]byte{0, 0, 1, 0x67, 0xff}, 500)),
		write("empty.obu", nil), write("noise.obu", bytes.Repeat([]byte{0x12, 0, 0x0a, 3, 0xff, 0xff, 0xff}, 90)), write("short.ivf", []byte("DKIF")),
		write("vp8.ivf", []byte("DKIF\x00\x00\x20\x00VP80................................")), write("name.mp4", []byte{0, 0, 1, 0x67}), dir + "/folder.264",
	} {
		if filepath.Base(path) == "folder.264" {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if s, err := Open(Config{Path: path}); !errors.Is(err, media.ErrNotSupported) {
			t.Errorf("%s: %v, %v", path, s, err)
		}
	}
	if _, err := Open(Config{Path: dir + "/missing.264"}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// TestOrder: with Config.Order every unit carries its place in output order, as FFmpeg has it,
// also after a seek.
func TestOrder(t *testing.T) {
	for codec, path := range map[media.Codec]string{
		"h264": avtest.Encode(t, "264", 60, "-c:v", "libx264", "-g", "15", "-bf", "2", "-pix_fmt", "yuv420p"),
		"hevc": avtest.Encode(t, "265", 60, "-c:v", "libx265", "-x265-params", "keyint=15:min-keyint=15:open-gop=0:log-level=none", "-pix_fmt", "yuv420p"),
	} {
		s, err := Open(Config{Path: path, Order: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, first := range []int{0, 30, 0} {
			if err := s.Seek(time.Duration(first) * time.Second / 30); err != nil {
				t.Fatal(err)
			}
			seen := map[media.Timestamp]bool{}
			shuffled := false
			for n := first; ; n++ {
				var au media.AccessUnit
				err := s.Read(&au)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if au.DTS != media.Timestamp(n) || au.Key && au.PTS != au.DTS || seen[au.PTS] {
					t.Errorf("%s, unit %d: DTS %d, PTS %d, key %v", codec, n, au.DTS, au.PTS, au.Key)
				}
				shuffled = shuffled || au.PTS != au.DTS
				seen[au.PTS] = true
				au.Release()
			}
			for k := first; k < 60; k++ {
				if !seen[media.Timestamp(k)] {
					t.Errorf("%s from %d: no unit is shown as number %d", codec, first, k)
				}
			}
			if !shuffled {
				t.Errorf("%s: a test of streams without B-frames proves nothing", codec)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestOrderAllocations: units in output order do not cost memory of their own either.
func TestOrderAllocations(t *testing.T) {
	path := avtest.Encode(t, "264", 60, "-c:v", "libx264", "-bf", "2", "-g", "30", "-pix_fmt", "yuv420p")
	s, err := Open(Config{Path: path, Order: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Select(0)
	var au media.AccessUnit
	round := func() {
		for range 50 {
			if err := s.Read(&au); err != nil {
				t.Fatal(err)
			}
			au.Release()
		}
		if err := s.Seek(0); err != nil {
			t.Fatal(err)
		}
	}
	round()
	round()
	if n := testing.AllocsPerRun(5, round); n > 5 {
		t.Errorf("%v allocations for 50 units and a seek", n)
	}
}
