package avtest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// FFmpeg runs the ffmpeg command and returns what it writes to its two outputs. It skips
// the test when there is no ffmpeg, or when ffmpeg says that it lacks a codec.
func FFmpeg(t testing.TB, args ...string) (stdout, stderr []byte) {
	t.Helper()
	return run(t, "ffmpeg", append([]string{"-nostdin", "-hide_banner"}, args...)...)
}

func run(t testing.TB, program string, args ...string) (stdout, stderr []byte) {
	t.Helper()
	cmd := exec.Command(need(t, program, "ffmpeg"), args...)
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		if s := msg.String(); strings.Contains(s, "Unknown encoder") || strings.Contains(s, "Unknown decoder") {
			t.Skipf("needs an ffmpeg with the encoder of %s: %s", strings.Join(args, " "), strings.TrimSpace(s))
		}
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, msg.Bytes())
	}
	return out.Bytes(), msg.Bytes()
}

// Encode codes frames of a moving picture of 176x144 into a file with that extension and
// returns its path. args come after the input: filters, codec, its options.
func Encode(t testing.TB, ext string, frames int, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clip."+ext)
	all := append([]string{"-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=176x144:rate=30",
		"-frames:v", strconv.Itoa(frames), "-threads", "1"}, args...)
	FFmpeg(t, append(all, path)...)
	return path
}

// Media returns the folder of the shared test media; without it the test is skipped.
func Media(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("SCANOUT_MEDIA")
	for up := "."; dir == "" && len(up) < 40; up = filepath.Join("..", up) {
		if _, err := os.Stat(filepath.Join(up, "go.mod")); err == nil {
			dir = filepath.Join(up, "..", "shared", "media")
		}
	}
	if _, err := os.Stat(dir); dir == "" || err != nil {
		t.Skip("needs the shared test media: set SCANOUT_MEDIA to their folder")
	}
	return dir
}

// OutputOrder returns the pictures of a file in the order in which FFmpeg's decoder gives
// them out, each by its number in decoding order.
func OutputOrder(t testing.TB, path string) (order []int) {
	t.Helper()
	out, _ := run(t, "ffprobe", "-v", "error", "-threads", "1", "-select_streams", "v:0",
		"-show_entries", "frame=coded_picture_number", "-of", "csv=p=0", path)
	for _, f := range strings.FieldsFunc(string(out), func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Skipf("needs an ffprobe that tells coded_picture_number (FFmpeg 5, 6): %q", f)
		}
		order = append(order, n)
	}
	return order
}

// DecoderLog decodes the video of a file with FFmpeg's software decoder and one thread
// and returns what that decoder says, a line each. debug is a value of FFmpeg's option of
// that name ("mmco+pict"), empty for none.
func DecoderLog(t testing.TB, path, debug string) (lines []string) {
	t.Helper()
	args := []string{"-loglevel", "debug", "-threads", "1"}
	if debug != "" {
		args = append(args, "-debug", debug)
	}
	_, msg := FFmpeg(t, append(args, "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "null", "-")...)
	// The prober has a decoder of its own, which comes first: "[hevc @ 0x5654db781b40] ".
	last := ""
	var all [][2]string
	for line := range strings.Lines(string(msg)) {
		who, what, ok := strings.Cut(strings.TrimSpace(line), "] ")
		if ok && (strings.HasPrefix(who, "[h264 @") || strings.HasPrefix(who, "[hevc @")) {
			all = append(all, [2]string{who, what})
			last = who
		}
	}
	for _, l := range all {
		if l[0] == last {
			lines = append(lines, l[1])
		}
	}
	return lines
}

// Remux copies the video of a file into another container, or into a raw stream.
func Remux(t testing.TB, path, ext string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "remuxed."+ext)
	FFmpeg(t, "-v", "error", "-y", "-i", path, "-map", "0:v:0", "-c", "copy", out)
	return out
}
