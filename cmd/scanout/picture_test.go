package main

import (
	"bytes"
	"crypto/md5"
	"encoding/csv"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// hashes returns the last column of a framemd5 list.
func hashes(list string) (h []string) {
	for line := range strings.Lines(list) {
		if !strings.HasPrefix(line, "#") {
			h = append(h, strings.TrimSpace(line[strings.LastIndexByte(line, ',')+1:]))
		}
	}
	return h
}

// reference is what FFmpeg says about a file.
func reference(t *testing.T, path string) []string {
	t.Helper()
	// Errors are part of the game: what could be decoded is compared.
	out, _ := exec.Command(needFFmpeg(t), "-v", "quiet", "-flags", "+unaligned", "-noautorotate", "-i", path,
		"-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-").Output()
	return hashes(string(out))
}

// manifest returns the shared media with the MD5 of their pictures, "-" where none is
// published.
func manifest(t *testing.T) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join(mediaDir(t), "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma = '\t'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, row := range rows[1:] {
		m[row[0]] = row[3]
	}
	return m
}

func TestFrameMD5EqualsFFmpeg(t *testing.T) {
	dir := mediaDir(t)
	for name := range manifest(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(dir, name)
			want := reference(t, path)
			r := play("-o", "framemd5:-", path).run(t)
			if got := hashes(r.out); !slices.Equal(got, want) {
				t.Errorf("%d hashes, FFmpeg has %d, or they differ; %s", len(got), len(want), r.err)
			}
			if len(want) > 0 && r.code != exitOK || len(want) == 0 && r.code != exitFailed {
				t.Errorf("code %d for %d pictures: %s", r.code, len(want), r.err)
			}
		})
	}
}

func TestConformance(t *testing.T) {
	dir := mediaDir(t)
	streams := 0
	for name, want := range manifest(t) {
		if want == "-" {
			continue
		}
		streams++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := play("-o", "y4m:-", filepath.Join(dir, name)).run(t)
			if r.code != exitOK {
				t.Fatalf("code %d: %s", r.code, r.err)
			}
			if got := planesMD5(t, []byte(r.out)); got != want {
				t.Errorf("MD5 of all pictures %s, published %s", got, want)
			}
		})
	}
	if streams != 13 {
		t.Errorf("%d conformance streams, want 13", streams)
	}
}

// planesMD5 returns the MD5 of the samples in 8-bit 4:2:0 YUV4MPEG2.
func planesMD5(t *testing.T, y4m []byte) string {
	t.Helper()
	head, rest, ok := bytes.Cut(y4m, []byte("\n"))
	w, h := 0, 0
	for _, f := range strings.Fields(string(head)) {
		switch f[0] {
		case 'W':
			w, _ = parseInt(f[1:], 1<<16)
		case 'H':
			h, _ = parseInt(f[1:], 1<<16)
		}
	}
	if !ok || w == 0 || h == 0 || w%2 != 0 || h%2 != 0 {
		t.Fatalf("head %q", head)
	}
	sum := md5.New()
	for size := w * h * 3 / 2; len(rest) > 0; rest = rest[size:] {
		frame, r, _ := bytes.Cut(rest, []byte("\n"))
		if rest = r; !bytes.HasPrefix(frame, []byte("FRAME")) || len(rest) < size {
			t.Fatalf("not a frame of %d bytes: %.20q", size, frame)
		}
		sum.Write(rest[:size])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Video on standard input equals the same pictures in a file.
func TestStandardInput(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, format string }{
		{"8 bit", "yuv420p"}, {"10 bit", "yuv422p10le"}, {"gray", "gray"},
	} {
		t.Run(c.name, func(t *testing.T) {
			y4m := generate(t, "in-"+c.format+".y4m", join(picture("0.4"), []string{"-pix_fmt", c.format, "-strict", "-1"})...)
			raw := generate(t, "in-"+c.format+".yuv", join(picture("0.4"), []string{"-pix_fmt", c.format, "-f", "rawvideo"})...)
			want := reference(t, y4m)
			if len(want) != 10 {
				t.Fatalf("%d pictures were generated", len(want))
			}
			piped := play("-o", "framemd5:-", "-")
			piped.in = read(t, y4m)
			headerless := play("-o", "framemd5:-", "--raw-size", "160x120", "--raw-format", c.format, "--raw-rate", "25", "-")
			headerless.in = read(t, raw)
			for way, cmd := range map[string]command{
				"file": play("-o", "framemd5:-", y4m), "standard input": piped, "headerless": headerless,
				"headerless file": play("-o", "framemd5:-", "--raw-size", "160x120", "--raw-format", c.format, "--raw-rate", "25", raw),
			} {
				r := cmd.run(t)
				if got := hashes(r.out); r.code != exitOK || !slices.Equal(got, want) {
					t.Errorf("%s: code %d, %d pictures, want %d with FFmpeg's hashes: %s", way, r.code, len(got), len(want), r.err)
				}
			}
		})
	}
}

func TestPattern(t *testing.T) {
	t.Parallel()
	first := play("-o", "framemd5:-", "pattern:size=96x64,rate=30,duration=0.5s").run(t)
	if n := len(hashes(first.out)); first.code != exitOK || n != 15 {
		t.Fatalf("code %d, %d pictures, want 15: %s", first.code, n, first.err)
	}
	if again := play("-o", "framemd5:-", "pattern:size=96x64,rate=30,duration=0.5s").run(t); again.out != first.out {
		t.Error("the pattern differs from run to run")
	}
}

// A loop shows every round, and every picture of it.
func TestLoop(t *testing.T) {
	t.Parallel()
	path := generate(t, "video.mp4", join(picture("1"), h264)...)
	once := hashes(play("-o", "framemd5:-", path).run(t).out)
	r := play("-o", "framemd5:-", "--loop", "--frames", "60", path).run(t)
	got := hashes(r.out)
	if r.code != exitOK || len(got) != 60 || len(once) != 25 {
		t.Fatalf("code %d, %d pictures, %d in one round: %s", r.code, len(got), len(once), r.err)
	}
	for i := range got {
		if got[i] != once[i%25] {
			t.Fatalf("picture %d is not picture %d of the first round", i, i%25)
		}
	}
}

// Rounds of a loop follow each other in time: none is late, none is waited for.
func TestLoopKeepsTime(t *testing.T) {
	t.Parallel()
	path := generate(t, "video.mp4", join(picture("1"), h264)...)
	r := play("-o", "null", "--audio", "none", "--loop", "--duration", "2500ms", "--report", "-", path).run(t)
	p := r.report(t)
	if r.code != exitOK || p.Frames.Presented+p.Frames.Dropped != 63 && p.Frames.Presented+p.Frames.Dropped != 62 {
		t.Errorf("code %d, %+v: 2.5 s of 25 pictures/s are 62 or 63", r.code, p.Frames)
	}
}
