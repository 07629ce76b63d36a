package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// badInput is a run that cannot succeed, or not completely.
type badInput struct {
	name  string
	cmd   command
	code  int
	says  string // in the line on standard error; "" when the run is as good as any
	shown int64  // at least so many pictures, when it reports
}

// Whatever the user does wrong or the machine lacks: one line that says so, the
// documented exit code, and everything given back.
func TestBadInput(t *testing.T) {
	needFFmpeg(t)
	text := write(t, "text.txt", []byte("hello\n"))
	av := generate(t, "av.mp4", join(picture("1"), sound("1"), h264, []string{"-c:a", "aac"})...)
	nullTo := func(path string) command { return play("-o", "null", "--audio", "null", "--report", "-", path) }
	cases := []badInput{
		{"missing file", nullTo("no-such-file.mp4"), exitMedia, "does not exist", 0},
		{"missing Y4M", nullTo("no-such-file.y4m"), exitMedia, "scanout: open no-such-file.y4m: no such file", 0},
		{"missing, NAL units", command{args: []string{"probe", "--nal", "no-such-file.mp4"}}, exitMedia, "scanout: file: open", 0},
		{"missing, to send", command{args: []string{"send", "no-such-file.mp4", "rtp://127.0.0.1:9"}}, exitMedia, "scanout: file: open", 0},
		{"directory", nullTo("."), exitMedia, "is a folder", 0},
		{"empty", nullTo(write(t, "empty.mp4", nil)), exitMedia, "empty", 0},
		{"text", nullTo(text), exitMedia, "not a media file", 0},
		{"long text", nullTo(write(t, "text.mp4", bytes.Repeat([]byte("hello\n"), 20000))), exitMedia, "not a media file", 0},
		{"noise", nullTo(write(t, "noise.bin", noise(100_000))), exitMedia, "not a media file", 0},
		{"unknown protocol", nullTo("gopherx://a/b"), exitMedia, "gopherx", 0},
		{"no server", nullTo("http://127.0.0.1:1/a.mp4"), exitMedia, "127.0.0.1", 0},
		{"unknown codec", nullTo(unknownCodec(t)), exitMedia, "", 0},
		{"bad pattern", nullTo("pattern:size=0x0"), exitMedia, "size", 0},

		{"no FFmpeg", nullTo(av).with("SCANOUT_FFMPEG=/no-such-folder"), exitMedia, "install", 0},
		{"no FFmpeg, pattern", play("-o", "null", "--audio", "null", "--report", "-", "pattern:size=64x48,rate=30,duration=0.3s").
			with("SCANOUT_FFMPEG=/no-such-folder"), exitOK, "", 1},
		{"no Vulkan", play("-o", "offscreen", "--renderer", "vulkan", "--audio", "none", av).
			with("VK_DRIVER_FILES=/no-such-file", "VK_ICD_FILENAMES=/no-such-file"), exitOutput, "apt-get install", 0},
		{"no Vulkan, any renderer", play("-o", "offscreen", "--audio", "none", "--speed", "max", "--report", "-", av).
			with("VK_DRIVER_FILES=/no-such-file", "VK_ICD_FILENAMES=/no-such-file"), exitOK, "", 25},
		{"no display", play("-o", "window", "--audio", "none", av), exitOutput, "--output offscreen", 0},
		{"no display, any output", play("--audio", "none", "--renderer", "cpu", "--frames", "5", av), exitOK, "no display found", 5},
		{"no sound server", play("-o", "null", "--audio", "pulse", av), exitOutput, "PULSE_SERVER", 0},
		{"no sound device", play("-o", "null", "--audio", "sdl", av).with("SDL_AUDIODRIVER=none-such"), exitOutput, "--audio null", 0},
		{"sound only, without sound", play("-o", "null", "--audio", "none", generate(t, "audio.m4a", join(sound("1"), []string{"-c:a", "aac"})...)),
			exitMedia, "only sound", 0},

		{"output in a missing folder", play("-o", "y4m:no-such-folder/a.y4m", av), exitOutput, "no such file", 0},
		{"output is a folder", play("-o", "framemd5:.", av), exitOutput, "directory", 0},
		{"folder is a file", play("-o", "png:text.txt/x", av), exitOutput, "choose another", 0},
		{"full disk", play("-o", "y4m:/dev/full", av), exitFailed, "no space", 0},
		{"full disk, hashes", play("-o", "framemd5:/dev/full", av), exitFailed, "no space", 0},
		{"report in a missing folder", play("-o", "null", "--report", "no-such-folder/r.json", av), exitOutput, "report", 0},
		{"report on a full disk", play("-o", "null", "--audio", "none", "--frames", "2", "--report", "/dev/full", av), exitFailed, "no space", 0},
		{"trace on a full disk", play("-o", "null", "--audio", "none", "--frames", "2", "--trace", "/dev/full", av), exitFailed, "write the trace", 0},
		{"start behind the end", play("-o", "null", "--audio", "none", "--start", "1:30", av), exitOK, "behind the end", 0},
		{"empty name", play("-o", "null", ""), exitUsage, "the name is empty", 0},
		{"empty name, to probe", command{args: []string{"probe", ""}}, exitUsage, "the name is empty", 0},
		{"empty name, NAL units", command{args: []string{"probe", "--nal", ""}}, exitUsage, "the name is empty", 0},
		{"empty name, to send", command{args: []string{"send", "", "rtp://127.0.0.1:9"}}, exitUsage, "the name is empty", 0},
		{"no name", play("-o", "null", "--audio", "null", "--frames", "3", "--report", "-"), exitOK, "", 3},
		{"no raw file", play("-o", "null", "--raw-size", "4x4", "no-such-file.yuv"), exitMedia, "scanout: open no-such-file.yuv: no such file", 0},
		{"raw size of a pattern", play("-o", "null", "--raw-size", "4x4", "pattern:"), exitUsage, "--raw-size: pattern: says its size itself", 0},
		{"raw size of Y4M", play("-o", "null", "--raw-size", "4x4", "no-such-file.y4m"), exitUsage, "says its size itself", 0},
		{"seconds as a time", play("-o", "null", "--audio", "null", "--report", "-", "--timeout", "5", "--reconnect", "1:30", av), exitOK, "", 1},
		{"trace and report to one", play("-o", "null", "--trace", "-", "--report", "-", av), exitUsage, "--report - and --trace - cannot share", 0},
		{"two outputs to one", play("-o", "y4m:-", "--report", "-", av), exitUsage, "standard output", 0},
	}
	for _, flags := range []string{"--size=0x5", "--size=5", "--volume=3", "--volume=-1", "--volume=NaN", "--refresh=NaN", "--refresh=-1",
		"--refresh=1e-9", "--display=60Hz", "--display=60,miss=2", "--refresh=Inf", "--start=-1s", "--start=x", "--duration=-1s", "--frames=-1", "--frames=x",
		"--threads=99", "--threads=-1", "--renderer=x", "--decoder=x", "--audio=x", "--speed=2", "--output=bogus", "--output=y4m:", "--bogus"} {
		cases = append(cases, badInput{flags, play(flags, av), exitUsage, "", -1})
	}
	for _, args := range []string{"", "nosuch", "probe", "version x", "play a b", "bench nosuch", "bench queue --duration=0s", "bench queue --duration=soon", "bench queue --duration=2:00:00", "bench queue --duration=2h"} {
		cases = append(cases, badInput{"scanout " + args, command{args: strings.Fields(args)}, exitUsage, "", -1})
	}
	for _, b := range []string{"upload", "decode", "headline"} {
		// One line, and no benchmark is begun. Where there is no Vulkan it says that.
		cases = append(cases, badInput{"device of bench " + b, command{args: []string{"bench", b, "--device", "no such GPU", "--media", av}}, exitOutput, "gpu: ", 0})
	}
	for _, c := range cases {
		t.Run(strings.ReplaceAll(c.name, "/", "_"), func(t *testing.T) {
			t.Parallel()
			r := c.cmd.run(t)
			if r.code != c.code || !strings.Contains(r.err, c.says) {
				t.Fatalf("code %d, want %d, and %q in: %s", r.code, c.code, c.says, r.err)
			}
			r.clear(t, c.code)
			if p := r.report(t); p != nil && p.Frames.Presented < c.shown {
				t.Errorf("%d pictures shown, want %d", p.Frames.Presented, c.shown)
			}
		})
	}
}

// clear checks that a failure says one line, that the line is scanout's, and that the
// command line's mistakes come with where to read on at most.
func (r result) clear(t *testing.T, code int) {
	t.Helper()
	var own []string
	for _, l := range r.lines() {
		switch {
		case strings.HasPrefix(l, "scanout: "):
			own = append(own, l)
		case l == "Try: scanout --help" && code == exitUsage:
		case strings.HasPrefix(l, "error: XDG_RUNTIME_DIR"): // of a library of SDL
		default:
			t.Errorf("stray line on standard error: %s", l)
		}
	}
	if code != exitOK && len(own) != 1 || len(own) > 1 {
		t.Errorf("%d lines, want one:\n%s", len(own), r.err)
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// unknownCodec is a film in a codec that nobody knows.
func unknownCodec(t *testing.T) string {
	b := read(t, generate(t, "mpeg4.avi", join(picture("0.4"), []string{"-c:v", "mpeg4", "-vtag", "FMP4"})...))
	return write(t, "unknown.avi", bytes.ReplaceAll(b, []byte("FMP4"), []byte("ZQXJ")))
}

// Cut off anywhere and with flipped bits, every container plays what is left of it, or
// says why not.
func TestDamaged(t *testing.T) {
	dir := mediaDir(t)
	for i, name := range []string{"sample.mp4", "sample_fragmented.mp4", "sample_with_srt.mkv", "bear-vp9.webm", "sample_h264.ts",
		"sample_h265.ts", "BASQP1_Sony_C.jsv", "sample_av1.mp4"} {
		whole := read(t, filepath.Join(dir, name))
		damaged := map[string][]byte{}
		for _, n := range []int{1, 100, len(whole) / 3, len(whole) * 9 / 10} {
			damaged[fmt.Sprintf("%d bytes", n)] = whole[:n]
		}
		r := rand.New(rand.NewPCG(uint64(i), 7))
		for _, part := range []int{100_000, 2_000} {
			b := bytes.Clone(whole)
			for range max(1, len(b)*8/part) {
				p := r.IntN(len(b) * 8)
				b[p/8] ^= 1 << (p % 8)
			}
			damaged[fmt.Sprintf("1 bit of %d", part)] = b
		}
		for how, data := range damaged {
			t.Run(name+" "+how, func(t *testing.T) {
				t.Parallel()
				ext := filepath.Ext(name)
				path := write(t, strings.NewReplacer(" ", "-", ext, "").Replace(name+"-"+how)+ext, data)
				res := play("-o", "null", "--speed", "max", "--report", "-", path).run(t)
				switch res.code {
				case exitOK, exitFailed, exitMedia:
				default:
					t.Errorf("code %d: %s", res.code, res.err)
				}
				res.clear(t, res.code)
				if p := res.report(t); (p == nil) != (res.code == exitMedia) {
					t.Errorf("code %d, report: %v", res.code, p != nil)
				}
			})
		}
	}
}

// Unusual, and to be played.
func TestOdd(t *testing.T) {
	one := join(picture("1"), h264)
	cover := generate(t, "cover.png", "-f", "lavfi", "-i", "testsrc2=s=64x64", "-frames:v", "1")
	withCover := func(codec string) []string {
		return join(sound("1"), []string{"-i", cover, "-map", "0", "-map", "1", "-c:a", codec, "-c:v", "copy", "-disposition:v", "attached_pic"})
	}
	a := generate(t, "a.ts", join(picture("1"), sound("1"), h264, []string{"-c:a", "aac"})...)
	b := generate(t, "b.ts", join(picture("1"), sound("1"), h264, []string{"-c:a", "aac", "-output_ts_offset", "300"})...)
	jump := write(t, "jump.ts", bytes.Join([][]byte{read(t, a), read(t, b), read(t, a)}, nil))
	for _, c := range []struct {
		name, path string
		least      int64 // of pictures decoded
	}{
		{"picture without sound", generate(t, "video.mp4", one...), 25},
		{"sound without picture", generate(t, "audio.m4a", join(sound("1"), []string{"-c:a", "aac"})...), 0},
		{"wave", generate(t, "audio.wav", sound("1")...), 0},
		{"cover in mp3", generate(t, "cover.mp3", withCover("libmp3lame")...), 1},
		{"cover in m4a", generate(t, "cover.m4a", withCover("aac")...), 1},
		{"one picture", generate(t, "one.mp4", join(one, []string{"-frames:v", "1"})...), 1},
		{"still image", cover, 1},
		{"not what the name says", write(t, "mp4.y4m", read(t, generate(t, "video.mp4", one...))), 25},
		{"no timestamps", generate(t, "bare.264", join(one, []string{"-f", "h264"})...), 25},
		{"negative timestamps", generate(t, "negative.mkv", join(one, []string{"-output_ts_offset", "-3", "-avoid_negative_ts", "disabled"})...), 25},
		{"late timestamps", generate(t, "late.mkv", join(one, []string{"-output_ts_offset", "5000"})...), 25},
		{"wrapping timestamps", generate(t, "wrap.ts", join(picture("2"), sound("2"), h264, []string{"-c:a", "aac",
			"-output_ts_offset", "95442.7", "-mpegts_copyts", "1"})...), 50},
		{"jumping timestamps", jump, 75},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := play("-o", "null", "--audio", "null", "--report", "-", c.path).run(t)
			if r.code != exitOK || r.err != "" {
				t.Fatalf("code %d: %s", r.code, r.err)
			}
			p := r.report(t)
			if p.Frames.Decoded < c.least || p.Frames.Presented+p.Frames.Dropped < c.least {
				t.Errorf("%+v, want %d pictures", p.Frames, c.least)
			}
			if p.Elapsed > 30 {
				t.Errorf("%v s for media of 1 to 3 s: it waited for a timestamp", p.Elapsed)
			}
		})
	}
}

// Headers that claim what no picture or sound is are refused before memory is taken for it.
func TestAbsurdSize(t *testing.T) {
	needFFmpeg(t)
	png := func(w, h uint32) []byte {
		b := bytes.Clone(read(t, generate(t, "cover.png", "-f", "lavfi", "-i", "testsrc2=s=64x64", "-frames:v", "1")))
		binary.BigEndian.PutUint32(b[16:], w)
		binary.BigEndian.PutUint32(b[20:], h)
		binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
		return b
	}
	vp8 := bytes.Clone(read(t, generate(t, "small.ivf", join(picture("0.2"), []string{"-c:v", "libvpx", "-deadline", "realtime"})...)))
	key := bytes.Index(vp8, []byte{0x9D, 0x01, 0x2A})
	binary.LittleEndian.PutUint16(vp8[key+3:], 16383)
	binary.LittleEndian.PutUint16(vp8[key+5:], 16383)
	binary.LittleEndian.PutUint16(vp8[12:], 16383)
	binary.LittleEndian.PutUint16(vp8[14:], 16383)
	wave := func(rate uint32) []byte {
		b := bytes.Clone(read(t, generate(t, "audio.wav", sound("1")...)))
		binary.LittleEndian.PutUint32(b[24:], rate)
		return b
	}
	for name, c := range map[string]command{
		"wave 1 Hz":   play("-o", "null", "--audio", "null", write(t, "slow.wav", wave(1))),
		"wave 2 GHz":  play("-o", "null", "--audio", "null", write(t, "quick.wav", wave(1<<31-1))),
		"png 20000":   play("-o", "null", write(t, "20000.png", png(20000, 20000))),
		"png 2^31":    play("-o", "null", write(t, "huge.png", png(1<<31-1, 1<<31-1))),
		"png 0":       play("-o", "null", write(t, "none.png", png(0, 0))),
		"png thin":    play("-o", "null", write(t, "thin.png", png(1<<28, 1))),
		"vp8 16383":   play("-o", "null", "--speed", "max", write(t, "huge.ivf", vp8)),
		"y4m":         play("-o", "null", write(t, "huge.y4m", []byte("YUV4MPEG2 W1000000 H1000000 F25:1\nFRAME\n"))),
		"y4m nothing": play("-o", "null", write(t, "none.y4m", []byte("YUV4MPEG2 W0 H0 F25:1\nFRAME\n"))),
		"y4m cut off": play("-o", "null", write(t, "cut.y4m", []byte("YUV4MPEG2 W16"))),
		"pattern":     play("-o", "null", "pattern:size=100000x100000"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := c.run(t)
			if r.code != exitMedia && r.code != exitFailed {
				t.Errorf("code %d: %s", r.code, r.err)
			}
			r.clear(t, r.code)
		})
	}
}

// A loop of what cannot be decoded ends, and one of which the sound can goes on.
func TestLoopOfDamage(t *testing.T) {
	damage := func(name string, args ...string) string {
		b := bytes.Clone(read(t, generate(t, "whole-"+name, args...)))
		for i := 0; i+4 < len(b); i++ { // every slice of H.264: those of IDR pictures, too
			if b[i] == 0 && b[i+1] == 0 && b[i+2] == 1 && (b[i+3]&31 == 1 || b[i+3]&31 == 5) {
				b[i+3] = 0x1f
			}
		}
		return write(t, name, b)
	}
	bare := damage("loop.264", join(picture("0.2"), h264, []string{"-f", "h264"})...)
	both := damage("loop.ts", join(picture("0.2"), sound("0.2"), h264, []string{"-c:a", "mp2"})...)
	for _, path := range []string{bare, both} {
		r := play("-o", "null", "--audio", "none", "--loop", path).run(t)
		if r.code != exitFailed && r.code != exitMedia {
			t.Errorf("%s: code %d: %s", path, r.code, r.err)
		}
	}
	if r := play("-o", "null", "--audio", "null", "--loop", "--duration", "1.5", both).run(t); r.code != exitOK {
		t.Errorf("with sound: code %d: %s", r.code, r.err)
	}
}

// A server that says no, and one that goes away in the middle.
func TestBadServer(t *testing.T) {
	av := read(t, generate(t, "av.mp4", join(picture("1"), sound("1"), h264, []string{"-c:a", "aac"})...))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch q.URL.Path {
		case "/good.mp4":
			w.Write(av)
		case "/gone.ts":
			ts, err := os.ReadFile(filepath.Join(scratch, "a.ts"))
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(ts)))
			w.Write(ts[:len(ts)/2])
			panic(http.ErrAbortHandler)
		default:
			http.NotFound(w, q)
		}
	}))
	t.Cleanup(s.Close)
	generate(t, "a.ts", join(picture("1"), sound("1"), h264, []string{"-c:a", "aac"})...)
	for path, code := range map[string]int{"/good.mp4": exitOK, "/gone.ts": exitOK, "/missing.mp4": exitMedia} {
		t.Run(path[1:], func(t *testing.T) {
			r := play("-o", "null", "--audio", "null", "--report", "-", s.URL+path).run(t)
			if r.code != code && (path != "/gone.ts" || r.code != exitFailed) {
				t.Errorf("code %d: %s", r.code, r.err)
			}
			r.clear(t, r.code)
			if p := r.report(t); p != nil && p.Frames.Presented == 0 {
				t.Errorf("nothing was shown: %+v", p.Frames)
			}
		})
	}
}
