package soft

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/scanout-av/scanout/media"
)

func TestFit(t *testing.T) {
	for _, c := range []struct {
		w, h, tw, th int
		want         rect
	}{
		{16, 9, 16, 9, rect{0, 0, 16, 9}},
		{16, 9, 1600, 1000, rect{0, 50, 1600, 900}}, // letterbox
		{4, 3, 1600, 900, rect{200, 0, 1200, 900}},  // pillarbox
		{1, 10000, 100, 100, rect{49, 0, 1, 100}},
		{10000, 1, 100, 100, rect{0, 49, 100, 1}},
		{1920, 1080, 1, 1, rect{0, 0, 1, 1}},
		{3, 2, 7, 7, rect{0, 1, 7, 5}},
		{1 << 55, 1 << 24, 16384, 16384, rect{0, 8191, 16384, 1}},
		{1 << 24, 1 << 55, 16384, 16384, rect{8191, 0, 1, 16384}},
	} {
		if got := fit(c.w, c.h, c.tw, c.th); got != c.want {
			t.Errorf("%d×%d in %d×%d: %+v, want %+v", c.w, c.h, c.tw, c.th, got, c.want)
		}
	}
}

// marked is a 4×3 RGB picture whose pixels all differ: red is 10 + the column, green 10 +
// the row.
func marked() *media.Frame {
	f := newFrame(media.RGB24, 4, 3)
	for y := range 3 {
		for x := range 4 {
			copy(f.Planes[0].Data[y*f.Planes[0].Stride+3*x:], []byte{byte(10 + x), byte(10 + y), 99})
		}
	}
	return f
}

// cells reads a drawing of marked pictures back: "xy" for each pixel, ".." for black.
func cells(m *image.RGBA) string {
	s := ""
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			switch c := m.RGBAAt(x, y); c {
			case color.RGBA{0, 0, 0, 255}:
				s += ".. "
			default:
				s += fmt.Sprintf("%d%d ", int(c.R)-10, int(c.G)-10)
			}
		}
		s += "\n"
	}
	return s
}

func TestOrientation(t *testing.T) {
	for _, c := range []struct {
		o    media.Orientation
		want string
	}{
		{media.Orientation{}, "00 10 20 30 \n01 11 21 31 \n02 12 22 32 \n"},
		{media.Orientation{Mirror: true}, "30 20 10 00 \n31 21 11 01 \n32 22 12 02 \n"},
		{media.Orientation{Rotation: 90}, "02 01 00 \n12 11 10 \n22 21 20 \n32 31 30 \n"},
		{media.Orientation{Rotation: 180}, "32 22 12 02 \n31 21 11 01 \n30 20 10 00 \n"},
		{media.Orientation{Rotation: 270}, "30 31 32 \n20 21 22 \n10 11 12 \n00 01 02 \n"},
		{media.Orientation{Rotation: 90, Mirror: true}, "32 31 30 \n22 21 20 \n12 11 10 \n02 01 00 \n"},
		{media.Orientation{Rotation: 180, Mirror: true}, "02 12 22 32 \n01 11 21 31 \n00 10 20 30 \n"},
		{media.Orientation{Rotation: 270, Mirror: true}, "00 01 02 \n10 11 12 \n20 21 22 \n30 31 32 \n"},
	} {
		for _, filter := range []Filter{FilterBilinear, FilterNearest, FilterNone} {
			f := marked()
			f.Orientation = c.o
			if got := cells(drawn(t, Config{Filter: filter}, f)); got != c.want {
				t.Errorf("%+v, %v:\n%swant\n%s", c.o, filter, got, c.want)
			}
		}
	}
}

func TestPlacement(t *testing.T) {
	for _, c := range []struct {
		name   string
		w, h   int
		filter Filter
		sar    media.Rational
		o      media.Orientation
		want   string
	}{
		{"letterbox", 4, 5, FilterBilinear, media.Rational{}, media.Orientation{},
			".. .. .. .. \n00 10 20 30 \n01 11 21 31 \n02 12 22 32 \n.. .. .. .. \n"},
		{"pillarbox", 7, 3, FilterBilinear, media.Rational{}, media.Orientation{},
			".. 00 10 20 30 .. .. \n.. 01 11 21 31 .. .. \n.. 02 12 22 32 .. .. \n"},
		{"none, larger target", 6, 5, FilterNone, media.Rational{Num: 2, Den: 1}, media.Orientation{},
			".. .. .. .. .. .. \n.. 00 10 20 30 .. \n.. 01 11 21 31 .. \n.. 02 12 22 32 .. \n.. .. .. .. .. .. \n"},
		{"none, smaller target", 2, 1, FilterNone, media.Rational{}, media.Orientation{}, "11 21 \n"},
		{"none, turned, cropped", 1, 4, FilterNone, media.Rational{}, media.Orientation{Rotation: 90}, "01 \n11 \n21 \n31 \n"},
		{"nearest, doubled", 8, 6, FilterNearest, media.Rational{}, media.Orientation{},
			"00 00 10 10 20 20 30 30 \n00 00 10 10 20 20 30 30 \n01 01 11 11 21 21 31 31 \n01 01 11 11 21 21 31 31 \n02 02 12 12 22 22 32 32 \n02 02 12 12 22 22 32 32 \n"},
		{"wide samples", 0, 0, FilterNearest, media.Rational{Num: 2, Den: 1}, media.Orientation{},
			"00 00 10 10 20 20 30 30 \n01 01 11 11 21 21 31 31 \n02 02 12 12 22 22 32 32 \n"},
		{"tall samples, turned", 0, 0, FilterNearest, media.Rational{Num: 1, Den: 2}, media.Orientation{Rotation: 90},
			"02 02 01 01 00 00 \n12 12 11 11 10 10 \n22 22 21 21 20 20 \n32 32 31 31 30 30 \n"},
		{"turned, letterbox", 3, 6, FilterBilinear, media.Rational{}, media.Orientation{Rotation: 270},
			".. .. .. \n30 31 32 \n20 21 22 \n10 11 12 \n00 01 02 \n.. .. .. \n"},
	} {
		f := marked()
		f.SAR, f.Orientation = c.sar, c.o
		if got := cells(drawn(t, Config{Width: c.w, Height: c.h, Filter: c.filter}, f)); got != c.want {
			t.Errorf("%s:\n%swant\n%s", c.name, got, c.want)
		}
	}
}

// TestBilinear compares scaled noise with bilinear interpolation in float64 of the
// converted picture.
func TestBilinear(t *testing.T) {
	for _, format := range []media.PixelFormat{media.I420, media.I410, media.RGB24} {
		for _, c := range []struct{ w, h, tw, th int }{
			{64, 48, 40, 30}, {64, 48, 100, 75}, {64, 48, 64 * 3, 48 * 3}, {64, 48, 10, 8},
			{63, 35, 126, 70}, {1, 1, 8, 8}, {2, 1, 16, 8}, {33, 120, 11, 40}, {40, 30, 44, 33},
		} {
			for _, o := range []media.Orientation{{}, {Rotation: 180}, {Rotation: 90}} {
				f := newFrame(format, c.w, c.h)
				f.Orientation = o
				randomize(f, 7)
				src := smoothReference(f)
				tw, th := c.tw, c.th
				if o.Swaps() {
					tw, th = th, tw
				}
				got := drawn(t, Config{Width: tw, Height: th}, f)
				want := make([][3]float64, 0, tw*th)
				for y := range th {
					for x := range tw {
						sx, sy := x, y // of the scaled picture before turning
						switch o.Rotation {
						case 90:
							sx, sy = y, tw-1-x
						case 180:
							sx, sy = tw-1-x, th-1-y
						}
						want = append(want, at(src, c.w, c.h, (float64(sx)+0.5)*float64(c.w)/float64(c.tw)-0.5, (float64(sy)+0.5)*float64(c.h)/float64(c.th)-0.5))
					}
				}
				// One level of conversion, half a weight's 1/256 each way, half a level of
				// rounding each way.
				if d, at := farthest(got, want); d > 3 {
					t.Errorf("%v %d×%d to %d×%d, %+v: %.2f levels apart: %s", format, c.w, c.h, tw, th, o, d, at)
				}
			}
		}
	}
}

// at interpolates between the four neighbours of x, y.
func at(src [][3]float64, w, h int, x, y float64) (v [3]float64) {
	x, y = min(max(x, 0), float64(w-1)), min(max(y, 0), float64(h-1))
	x0, y0 := math.Floor(x), math.Floor(y)
	x1, y1 := min(x0+1, float64(w-1)), min(y0+1, float64(h-1))
	fx, fy := x-x0, y-y0
	for c := range 3 {
		px := func(x, y float64) float64 { return src[int(y)*w+int(x)][c] }
		v[c] = (px(x0, y0)*(1-fx)+px(x1, y0)*fx)*(1-fy) + (px(x0, y1)*(1-fx)+px(x1, y1)*fx)*fy
	}
	return v
}

// TestGradient scales a ramp: the result is the ramp of the other size.
func TestGradient(t *testing.T) {
	for _, w := range []int{96, 240, 256, 272, 400, 1008} {
		f := newFrame(media.Gray8, 256, 16)
		f.Color.Range = media.RangeFull
		for y := range 16 {
			for x := range 256 {
				f.Planes[0].Data[y*f.Planes[0].Stride+x] = byte(x)
			}
		}
		m := drawn(t, Config{Width: w, Height: w / 16}, f)
		row := m.Pix[m.Rect.Dy()/2*m.Stride:]
		for x := range w {
			want := min(max((float64(x)+0.5)*256/float64(w)-0.5, 0), 255)
			if d := math.Abs(float64(row[4*x]) - want); d > 1.5 {
				t.Errorf("%d wide, pixel %d: %d, want %.1f", w, x, row[4*x], want)
				break
			}
		}
	}
}
