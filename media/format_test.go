package media

import (
	"errors"
	"strings"
	"testing"
)

func TestPlaneSize(t *testing.T) {
	type size struct{ rowBytes, rows int }
	for _, c := range []struct {
		f     PixelFormat
		w, h  int
		plane []size
	}{
		{Gray8, 17, 15, []size{{17, 15}}},
		{Gray10, 17, 15, []size{{34, 15}}},
		{I420, 1920, 1080, []size{{1920, 1080}, {960, 540}, {960, 540}}},
		{I420, 17, 15, []size{{17, 15}, {9, 8}, {9, 8}}},
		{I420, 1, 1, []size{{1, 1}, {1, 1}, {1, 1}}},
		{I422, 17, 15, []size{{17, 15}, {9, 15}, {9, 15}}},
		{I444, 17, 15, []size{{17, 15}, {17, 15}, {17, 15}}},
		{I010, 17, 15, []size{{34, 15}, {18, 8}, {18, 8}}},
		{I212, 17, 15, []size{{34, 15}, {18, 15}, {18, 15}}},
		{NV12, 17, 15, []size{{17, 15}, {18, 8}}},
		{NV21, 2, 2, []size{{2, 2}, {2, 1}}},
		{NV16, 17, 15, []size{{17, 15}, {18, 15}}},
		{P010, 17, 15, []size{{34, 15}, {36, 8}}},
		{P210, 17, 15, []size{{34, 15}, {36, 15}}},
		{YUYV, 17, 15, []size{{36, 15}}},
		{UYVY, 16, 15, []size{{32, 15}}},
		{RGBA, 17, 15, []size{{68, 15}}},
		{RGB24, 17, 15, []size{{51, 15}}},
		{RGBA64, 17, 15, []size{{136, 15}}},
	} {
		sum := 0
		if n := c.f.Info().Planes; n != len(c.plane) {
			t.Errorf("%v has %d planes, want %d", c.f, n, len(c.plane))
			continue
		}
		for p, want := range c.plane {
			rb, rows := c.f.PlaneSize(p, c.w, c.h)
			if rb != want.rowBytes || rows != want.rows {
				t.Errorf("%v %dx%d plane %d: %dx%d, want %v", c.f, c.w, c.h, p, rb, rows, want)
			}
			sum += rb * rows
		}
		if got := c.f.Size(c.w, c.h); got != sum {
			t.Errorf("%v.Size(%d, %d) = %d, want %d", c.f, c.w, c.h, got, sum)
		}
		for _, p := range []int{-1, len(c.plane), 4} {
			if rb, rows := c.f.PlaneSize(p, c.w, c.h); rb != 0 || rows != 0 {
				t.Errorf("%v has a plane %d of %dx%d", c.f, p, rb, rows)
			}
		}
	}
}

func TestPixelFormatNames(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range PixelFormats() {
		d := f.Info()
		if seen[d.Name] || d.Name == "" {
			t.Errorf("name %q of format %d is taken or empty", d.Name, f)
		}
		seen[d.Name] = true
		if got, err := ParsePixelFormat(f.String()); err != nil || got != f {
			t.Errorf("ParsePixelFormat(%q) = %v, %v", f, got, err)
		}
		if d.Planes < 1 || d.BitDepth+d.Shift > 8*d.SampleBytes || d.RGB && d.Planes != 1 {
			t.Errorf("%v: inconsistent %+v", f, *d)
		}
		if wide := strings.Contains(d.Name, "10") || strings.Contains(d.Name, "12") || strings.Contains(d.Name, "64"); wide != (d.SampleBytes == 2) &&
			f != NV12 {
			t.Errorf("%v has samples of %d bytes", f, d.SampleBytes)
		}
	}
	for name, want := range map[string]PixelFormat{"yuvj420p": I420, "yuvj422p": I422, "yuvj444p": I444} {
		if got, err := ParsePixelFormat(name); err != nil || got != want {
			t.Errorf("ParsePixelFormat(%q) = %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "unknown", "YUV420P", "yuv410p"} {
		if f, err := ParsePixelFormat(name); !errors.Is(err, ErrNotSupported) || f != FormatUnknown {
			t.Errorf("ParsePixelFormat(%q) = %v, %v", name, f, err)
		}
	}
	for _, f := range []PixelFormat{FormatUnknown, numFormats, 255} {
		if f.Info().Planes != 0 || f.Size(16, 16) != 0 {
			t.Errorf("format %d is known", f)
		}
	}
}
