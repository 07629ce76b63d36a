package render

import (
	"fmt"
	"testing"

	"github.com/scanout-av/scanout/media"
)

func TestFit(t *testing.T) {
	for _, c := range []struct {
		w, h, tw, th int
		want         Rect
	}{
		{1920, 1080, 1920, 1080, Rect{0, 0, 1920, 1080}},
		{1920, 1080, 1280, 720, Rect{0, 0, 1280, 720}},
		{1440, 1080, 1920, 1080, Rect{240, 0, 1680, 1080}},
		{1920, 800, 1920, 1080, Rect{0, 140, 1920, 940}},
		{10000, 1, 100, 100, Rect{0, 49, 100, 50}},
		{1, 1, 3, 5, Rect{0, 1, 3, 4}},
		{1, 1, 0, 5, Rect{}},
	} {
		if got := Fit(c.w, c.h, c.tw, c.th); got != c.want {
			t.Errorf("%dx%d in %dx%d: got %v, want %v", c.w, c.h, c.tw, c.th, got, c.want)
		}
	}
}

func TestPlacementCorners(t *testing.T) {
	// Where the top left pixel of the upright picture comes from in a 4×2 picture.
	for _, c := range []struct {
		o    media.Orientation
		x, y float64
	}{
		{media.Orientation{}, 0.5, 0.5},
		{media.Orientation{Mirror: true}, 3.5, 0.5},
		{media.Orientation{Rotation: 90}, 0.5, 1.5},
		{media.Orientation{Rotation: 180}, 3.5, 1.5},
		{media.Orientation{Rotation: 270}, 3.5, 0.5},
		{media.Orientation{Rotation: 90, Mirror: true}, 3.5, 1.5},
	} {
		w, h := media.DisplaySize(4, 2, media.Rational{}, c.o)
		m := placement(Rect{0, 0, w, h}, 4, 2, c.o)
		x, y := m.a[0]*0.5+m.a[1]*0.5+m.a[2], m.b[0]*0.5+m.b[1]*0.5+m.b[2]
		if fmt.Sprintf("%.6f %.6f", x, y) != fmt.Sprintf("%.6f %.6f", c.x, c.y) || !m.exact() {
			t.Errorf("%+v: got %v, %v (exact: %v), want %v, %v", c.o, x, y, m.exact(), c.x, c.y)
		}
	}
	m := placement(Rect{0, 0, 8, 4}, 4, 2, media.Orientation{})
	if m.exact() {
		t.Error("a scaled picture is exact")
	}
}
