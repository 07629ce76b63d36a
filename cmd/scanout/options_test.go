package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

var sizes = []struct {
	text string
	w, h int // 0: refused
}{
	{"1920x1080", 1920, 1080}, {"1X1", 1, 1}, {"16384x16384", 16384, 16384}, {"0640x0480", 640, 480},
	{"", 0, 0}, {"x", 0, 0}, {"1920", 0, 0}, {"1920x", 0, 0}, {"x1080", 0, 0}, {"0x5", 0, 0}, {"16385x1", 0, 0},
	{"1x1x1", 0, 0}, {"-1x5", 0, 0}, {"+1x5", 0, 0}, {" 1x5", 0, 0}, {"1e3x5", 0, 0}, {"99999999999x1", 0, 0}, {"１x5", 0, 0},
}

func TestParseSize(t *testing.T) {
	for _, c := range sizes {
		w, h, err := parseSize(c.text)
		if w != c.w || h != c.h || (err != nil) != (c.w == 0) {
			t.Errorf("%q: %d×%d, %v", c.text, w, h, err)
		}
		if err != nil && !strings.Contains(err.Error(), "1920x1080") {
			t.Errorf("%q: %v does not say how to write it", c.text, err)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, c := range sizes {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w, h, err := parseSize(s)
		if err != nil {
			if w != 0 || h != 0 {
				t.Errorf("%q: refused, and %d×%d", s, w, h)
			}
			return
		}
		if w < 1 || h < 1 || w > 16384 || h > 16384 {
			t.Errorf("%q: %d×%d is out of range", s, w, h)
		}
		if w2, h2, err := parseSize(fmt.Sprintf("%dx%d", w, h)); w2 != w || h2 != h || err != nil {
			t.Errorf("%q: %d×%d reads back as %d×%d, %v", s, w, h, w2, h2, err)
		}
	})
}

var rates = []struct {
	text     string
	num, den int32 // 0: refused
}{
	{"60", 60, 1}, {"30000/1001", 30000, 1001}, {"50/2", 25, 1}, {"29.97", 30000, 1001}, {"23.976", 24000, 1001}, {"23.98", 24000, 1001},
	{"59.94", 60000, 1001}, {"119.88", 120000, 1001}, {"47.952", 48000, 1001}, {"12.5", 25, 2}, {"0.5", 1, 2}, {"60.", 60, 1},
	{"59.9", 599, 10}, {"25.001", 25001, 1000}, {"100000", 100000, 1},
	{"1000.001", 1000001, 1000}, {"99999.999", 99999999, 1000}, {"1/100000000", 1, 100000000},
	{"", 0, 0}, {"0", 0, 0}, {"0/1", 0, 0}, {"1/0", 0, 0}, {"-30", 0, 0}, {"x", 0, 0}, {"30/", 0, 0}, {"/30", 0, 0}, {"1/2/3", 0, 0},
	{"100001", 0, 0}, {"0.0000", 0, 0}, {"29.9700", 0, 0}, {".5", 0, 0}, {"NaN", 0, 0}, {"1e3", 0, 0}, {"30:1", 0, 0}, {"1000001/1", 0, 0}, {"100000.001", 0, 0}, {"100001/1", 0, 0},
}

func TestParseRate(t *testing.T) {
	for _, c := range rates {
		got, err := parseRate(c.text)
		if want := (media.Rational{Num: c.num, Den: c.den}); got != want || (err != nil) != (c.num == 0) {
			t.Errorf("%q: %d/%d, %v, want %d/%d", c.text, got.Num, got.Den, err, want.Num, want.Den)
		}
		if err != nil && !strings.Contains(err.Error(), "60000/1001") {
			t.Errorf("%q: %v does not say how to write it", c.text, err)
		}
	}
}

func FuzzParseRate(f *testing.F) {
	for _, c := range rates {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseRate(s)
		if err != nil {
			if r != (media.Rational{}) {
				t.Errorf("%q: refused, and %v", s, r)
			}
			return
		}
		if !r.Valid() || r.Reduce() != r || r.Float() > 1_000_000 {
			t.Errorf("%q: %d/%d is out of range or not in lowest terms", s, r.Num, r.Den)
		}
		if again, err := parseRate(fmt.Sprintf("%d/%d", r.Num, r.Den)); again != r || err != nil {
			t.Errorf("%q: %d/%d reads back as %d/%d, %v", s, r.Num, r.Den, again.Num, again.Den, err)
		}
	})
}

var spans = []struct {
	text string
	want time.Duration // negative: refused
}{
	{"0", 0}, {"90", 90 * time.Second}, {"1.5", 1500 * time.Millisecond}, {"1m30s", 90 * time.Second}, {"250ms", 250 * time.Millisecond},
	{"1:30", 90 * time.Second}, {"01:02:03.000000001", time.Hour + 2*time.Minute + 3*time.Second + 1}, {"90:00", 90 * time.Minute},
	{"100000:00:00", maxSpan}, {"100000:00:01", -1}, {"360000001", -1}, {"2000000h", -1}, {"", -1}, {":", -1}, {"1:", -1}, {"1:60", -1}, {"1:2:3:4", -1},
	{"1.", -1}, {".", -1}, {"1.0000000001", -1}, {"1:30s", -1}, {"+1", -1}, {"1e3", -1}, {"1,5", -1}, {"NaN", -1}, {"１", -1},
}

func TestParseSpan(t *testing.T) {
	for _, c := range spans {
		d, err := parseSpan(c.text)
		if err == nil && d != c.want || err != nil && (c.want >= 0 || d != 0 || !strings.Contains(err.Error(), "1m30s, 1:30 or 90")) {
			t.Errorf("%q: %v, %v, want %v", c.text, d, err, c.want)
		}
	}
}

func FuzzParseSpan(f *testing.F) {
	for _, c := range spans {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parseSpan(s)
		if d.Abs() > maxSpan+time.Second || err != nil && d != 0 {
			t.Errorf("%q: %v, %v", s, d, err)
		}
		if again, err := parseSpan(d.String()); again != d || err != nil {
			t.Errorf("%q: %v reads back as %v, %v", s, d, again, err)
		}
	})
}

// TestNamesAsTheyAre reads a file name that is not UTF-8.
func TestNamesAsTheyAre(t *testing.T) {
	const name = "caf\xe9 %d\n.mp4"
	cfg, err := parsePlay([]string{"--output", "y4m:" + name, name}, &environment{})
	if err != nil || cfg.Media != name || cfg.Output != "y4m:"+name {
		t.Errorf("read as %q and %q, %v", cfg.Media, cfg.Output, err)
	}
}

// TestVolumeZero is silent, and keys make it louder from there: the player's own 0 is its
// default, full volume.
func TestVolumeZero(t *testing.T) {
	cfg, err := parsePlay([]string{"--volume", "0", "a"}, &environment{})
	if err != nil || cfg.Muted || cfg.Volume <= 0 || cfg.Volume > 1e-6 {
		t.Errorf("volume %v, muted %v, %v", cfg.Volume, cfg.Muted, err)
	}
}

// parsePlay reads the arguments of play as the program does.
func parsePlay(args []string, env *environment) (player.Config, error) {
	var c commands
	k, err := kong.New(&c, append(reading(), kong.Name("scanout"), kong.Writers(env.out, env.err), kong.Exit(func(int) {}))...)
	if err != nil {
		return player.Config{}, err
	}
	if _, err := k.Parse(append([]string{"play"}, args...)); err != nil {
		return player.Config{}, err
	}
	return c.Play.config(env)
}

// FuzzOptions has the whole command line read: whatever stands there becomes a
// configuration or one line that refuses it.
func FuzzOptions(f *testing.F) {
	for _, s := range []string{"", "a.mp4", "--size 1x1 a", "--raw-size 4x4 --raw-rate 30 -", "--raw-format nv12 --raw-size 2x2 -", "--volume NaN",
		"--refresh 1e300 a", "--start 1h --duration 5m a", "--start 1:30 --duration 2.5 a", "--output png: a", "--frames 9223372036854775807", "-vqf", "--audio=null --speed=max", "-- -x",
		"--threads -1", "--raw-size 4x4 --raw-format rgb -", "--raw-size 4x4 --raw-rate 0/0 -"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var out strings.Builder
		env := environment{ctx: t.Context(), in: strings.NewReader(""), out: &out, err: &out}
		cfg, err := parsePlay(strings.Fields(line), &env)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") && !strings.ContainsAny(line, "\n\r") {
				t.Errorf("%q: more than a line: %v", line, err)
			}
			return
		}
		if cfg.Media == "" || cfg.Width < 0 || cfg.Width > 16384 || cfg.Height > 16384 || cfg.RawWidth > 16384 || cfg.RawWidth > 0 && !cfg.RawRate.Valid() {
			t.Errorf("%q: %+v", line, cfg)
		}
	})
}
