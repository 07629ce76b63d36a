package libav

import (
	"testing"

	"github.com/scanout-av/scanout/media"
)

func TestOrientation(t *testing.T) {
	const one = 1 << 16
	for _, c := range []struct {
		a, b, c, d int32
		want       media.Orientation
	}{
		{one, 0, 0, one, media.Orientation{}},
		{0, one, -one, 0, media.Orientation{Rotation: 90}},
		{-one, 0, 0, -one, media.Orientation{Rotation: 180}},
		{0, -one, one, 0, media.Orientation{Rotation: 270}},
		{-one, 0, 0, one, media.Orientation{Mirror: true}},
		// Upside down without turning: mirrored, then half a turn.
		{one, 0, 0, -one, media.Orientation{Mirror: true, Rotation: 180}},
		{0, one, one, 0, media.Orientation{Mirror: true, Rotation: 270}},
		{0, -one, -one, 0, media.Orientation{Mirror: true, Rotation: 90}},
		{0, 0, 0, 0, media.Orientation{}},
		{one, 3000, -3000, one, media.Orientation{}},
	} {
		m := [9]int32{c.a, c.b, 0, c.c, c.d, 0, 0, 0, 1 << 30}
		if got := Orientation(&m); got != c.want {
			t.Errorf("%v %v %v %v: got %+v, want %+v", c.a, c.b, c.c, c.d, got, c.want)
		}
		// The definition: mirror left to right, then turn clockwise, is the matrix again.
		o := Orientation(&m)
		if c.a%one != 0 || c.b%one != 0 || c.a == 0 && c.b == 0 {
			continue
		}
		x, y := int32(1), int32(0)
		if o.Mirror {
			x = -x
		}
		for range o.Rotation / 90 {
			x, y = -y, x
		}
		if x*one != c.a || y*one != c.b {
			t.Errorf("%+v moves (1,0) to (%d,%d), the matrix to (%d,%d)", o, x, y, c.a/one, c.b/one)
		}
	}
}

func TestMediaFormat(t *testing.T) {
	for name, want := range map[string]media.PixelFormat{"yuv420p": media.I420, "yuvj444p": media.I444, "yuva420p": media.I420,
		"bgr0": media.BGRA, "gbrp": media.FormatUnknown, "": media.FormatUnknown} {
		if f, full := MediaFormat(name); f != want || full != (name == "yuvj444p") {
			t.Errorf("%s: %v, full %v", name, f, full)
		}
	}
}

func TestColor(t *testing.T) {
	if c := Color(0, 999, -1, 7, 9); c != media.ColorUnspecified {
		t.Errorf("nonsense gives %v", c)
	}
	if c := Color(9, 16, 9, 1, 3); c.Primaries != media.PrimariesBT2020 || c.Transfer != media.TransferPQ ||
		c.Matrix != media.MatrixBT2020 || c.Range != media.RangeLimited || c.Chroma != media.ChromaTopLeft {
		t.Errorf("HDR10 gives %v", c)
	}
}
