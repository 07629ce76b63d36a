package pattern

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/scanout-av/scanout/media"
)

// Scheme begins the URL of a pattern.
const Scheme = "pattern:"

const keys = "size, rate, format, color, range, chroma, duration, beep, samplerate, channels, live"

// aliases are names that people know formats by besides FFmpeg's.
var aliases = []struct {
	name   string
	format media.PixelFormat
}{
	{"i420", media.I420}, {"i422", media.I422}, {"i444", media.I444},
	{"i010", media.I010}, {"i210", media.I210}, {"i410", media.I410},
	{"i012", media.I012}, {"i212", media.I212}, {"i412", media.I412},
	{"p010", media.P010}, {"p210", media.P210}, {"gray8", media.Gray8}, {"gray10", media.Gray10},
}

var matrices = []struct {
	name  string
	color media.Color // matrix, and the primaries and transfer that go with it
}{
	{"bt601", media.Color{Primaries: media.PrimariesBT601, Transfer: media.TransferBT601, Matrix: media.MatrixBT601}},
	{"bt470bg", media.Color{Primaries: media.PrimariesBT470BG, Transfer: media.TransferBT601, Matrix: media.MatrixBT470BG}},
	{"bt709", media.Color{Primaries: media.PrimariesBT709, Transfer: media.TransferBT709, Matrix: media.MatrixBT709}},
	{"bt2020", media.Color{Primaries: media.PrimariesBT2020, Transfer: media.TransferBT709, Matrix: media.MatrixBT2020}},
	{"smpte240m", media.Color{Primaries: media.PrimariesBT601, Transfer: media.TransferBT709, Matrix: media.MatrixSMPTE240M}},
	{"fcc", media.Color{Primaries: media.PrimariesBT601, Transfer: media.TransferBT601, Matrix: media.MatrixFCC}},
	{"ycgco", media.Color{Primaries: media.PrimariesBT709, Transfer: media.TransferBT709, Matrix: media.MatrixYCgCo}},
}

// ParseURL reads a pattern's description from the command line, such as
//
//	pattern:
//	pattern:size=1280x720,rate=60000/1001,format=p010,color=bt2020,range=full,duration=10s,beep=off
//
// What is not given keeps its default; beep is on.
func ParseURL(url string) (Config, error) {
	c := Config{Beep: true, Color: media.ColorUnspecified}
	rest, ok := strings.CutPrefix(url, Scheme)
	if !ok {
		return c, fmt.Errorf("pattern: %q does not begin with %q", url, Scheme)
	}
	seen := map[string]bool{}
	for item := range strings.SplitSeq(rest, ",") {
		if item == "" {
			continue
		}
		key, value, ok := strings.Cut(item, "=")
		if !ok {
			return c, fmt.Errorf("pattern: %q has no value: write key=value; keys are %s", item, keys)
		}
		if seen[key] {
			return c, fmt.Errorf("pattern: %s is given twice", key)
		}
		seen[key] = true
		if err := c.set(key, value); err != nil {
			return c, fmt.Errorf("pattern: %s=%s: %w", key, value, err)
		}
	}
	if _, err := c.Resolve(); err != nil {
		return c, fmt.Errorf("pattern: %w", err)
	}
	return c, nil
}

func (c *Config) set(key, value string) (err error) {
	switch key {
	case "size":
		w, h, ok := strings.Cut(value, "x")
		if !ok {
			return errors.New("want WIDTHxHEIGHT, as 1920x1080")
		}
		if c.Width, err = parseInt(w, MinSize, MaxSize); err != nil {
			return fmt.Errorf("width: %w", err)
		}
		if c.Height, err = parseInt(h, MinSize, MaxSize); err != nil {
			return fmt.Errorf("height: %w", err)
		}
	case "rate":
		c.Rate, err = parseRate(value)
	case "format":
		c.Format, err = parseFormat(value)
		if strings.HasPrefix(value, "yuvj") && c.Color.Range == media.RangeUnspecified {
			c.Color.Range = media.RangeFull
		}
	case "color":
		for _, m := range matrices {
			if m.name == value {
				c.Color.Primaries, c.Color.Transfer, c.Color.Matrix = m.color.Primaries, m.color.Transfer, m.color.Matrix
				return nil
			}
		}
		return fmt.Errorf("want one of %s", matrixNames())
	case "range":
		switch value {
		case "limited", "tv":
			c.Color.Range = media.RangeLimited
		case "full", "pc":
			c.Color.Range = media.RangeFull
		default:
			return errors.New("want limited or full")
		}
	case "chroma":
		for l := media.ChromaLeft; l <= media.ChromaBottom; l++ {
			if l.String() == value {
				c.Color.Chroma = l
				return nil
			}
		}
		return errors.New("want left, center, topleft, top, bottomleft or bottom")
	case "duration":
		c.Duration, err = parseDuration(value)
	case "beep":
		c.Beep, err = parseSwitch(value)
	case "live":
		c.Live, err = parseSwitch(value)
	case "samplerate":
		c.SampleRate, err = parseInt(value, 8000, 384000)
	case "channels":
		c.Channels, err = parseInt(value, 1, 16)
	default:
		return fmt.Errorf("no such key; keys are %s", keys)
	}
	return err
}

// URL returns the text that [ParseURL] turns into c; c.Pool is not part of it.
func (c Config) URL() string {
	var b strings.Builder
	b.WriteString(Scheme)
	add := func(format string, args ...any) {
		if b.Len() > len(Scheme) {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, format, args...)
	}
	if c.Width != 0 || c.Height != 0 {
		add("size=%dx%d", c.Width, c.Height)
	}
	if c.Rate != (media.Rational{}) {
		add("rate=%d/%d", c.Rate.Num, c.Rate.Den)
	}
	if c.Format != media.FormatUnknown {
		add("format=%v", c.Format)
	}
	for _, m := range matrices {
		if m.color.Matrix == c.Color.Matrix {
			add("color=%s", m.name)
		}
	}
	if c.Color.Range != media.RangeUnspecified {
		add("range=%v", c.Color.Range)
	}
	if c.Color.Chroma != media.ChromaUnspecified {
		add("chroma=%v", c.Color.Chroma)
	}
	if c.Duration != 0 {
		add("duration=%v", c.Duration)
	}
	if !c.Beep {
		add("beep=off")
	}
	if c.Live {
		add("live=on")
	}
	if c.SampleRate != 0 {
		add("samplerate=%d", c.SampleRate)
	}
	if c.Channels != 0 {
		add("channels=%d", c.Channels)
	}
	return b.String()
}

func parseSwitch(s string) (bool, error) {
	switch s {
	case "on", "true", "yes", "1":
		return true, nil
	case "off", "false", "no", "0":
		return false, nil
	}
	return false, errors.New("want on or off")
}

func parseInt(s string, lo, hi int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < lo || n > hi {
		return 0, fmt.Errorf("want a whole number from %d to %d", lo, hi)
	}
	return n, nil
}

// parseRate reads 60, 59.94 (which means 60000/1001, as do its like) or 60000/1001.
func parseRate(s string) (media.Rational, error) {
	bad := errors.New("want frames a second, as 60, 59.94 or 60000/1001")
	if num, den, ok := strings.Cut(s, "/"); ok {
		n, err1 := strconv.ParseInt(num, 10, 32)
		d, err2 := strconv.ParseInt(den, 10, 32)
		if err1 != nil || err2 != nil || n <= 0 || d <= 0 {
			return media.Rational{}, bad
		}
		return media.Rational{Num: int32(n), Den: int32(d)}.Reduce(), nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 1e-3 && v <= 10000) {
		return media.Rational{}, bad
	}
	if n := math.Ceil(v); n != v {
		if ntsc := n * 1000 / 1001; math.Abs(v-ntsc) < 0.006 {
			return media.Rational{Num: int32(n) * 1000, Den: 1001}.Reduce(), nil
		}
	}
	return media.Rational{Num: int32(math.Round(v * 1000)), Den: 1000}.Reduce(), nil
}

func parseFormat(s string) (media.PixelFormat, error) {
	for _, a := range aliases {
		if a.name == s {
			return a.format, nil
		}
	}
	f, err := media.ParsePixelFormat(s)
	if err != nil || !paintable(f) {
		return media.FormatUnknown, fmt.Errorf("want one of %s", formatNames())
	}
	return f, nil
}

func parseDuration(s string) (time.Duration, error) {
	if v, err := strconv.ParseFloat(s, 64); err == nil && v >= 0 && v < 1e9 {
		return time.Duration(v * float64(time.Second)), nil // a bare number is seconds
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, errors.New("want a time, as 10s or 1m30s")
	}
	return d, nil
}

func formatNames() string {
	var names []string
	for _, f := range media.PixelFormats() {
		if paintable(f) {
			names = append(names, f.String())
		}
	}
	return strings.Join(names, ", ")
}

func matrixNames() string {
	var names []string
	for _, m := range matrices {
		names = append(names, m.name)
	}
	return strings.Join(names, ", ")
}
