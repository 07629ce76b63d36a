package render

import (
	"math"

	"github.com/scanout-av/scanout/media"
)

// Rect is a rectangle of target pixels.
type Rect struct{ X0, Y0, X1, Y1 int }

// Fit returns where a picture of w×h square pixels lies in a target of tw×th: as large
// as possible, in the middle.
func Fit(w, h, tw, th int) Rect {
	if w <= 0 || h <= 0 || tw <= 0 || th <= 0 {
		return Rect{}
	}
	dw, dh := tw, th
	// Compare w/h with tw/th without dividing.
	switch l, r := int64(w)*int64(th), int64(tw)*int64(h); {
	case l > r:
		dh = max(1, int((int64(h)*int64(tw)+int64(w)/2)/int64(w)))
	case l < r:
		dw = max(1, int((int64(w)*int64(th)+int64(h)/2)/int64(h)))
	}
	x, y := (tw-dw)/2, (th-dh)/2
	return Rect{x, y, x + dw, y + dh}
}

// affine maps target to source coordinates: sx = a[0]·x + a[1]·y + a[2], sy likewise
// with b. Both count from the top left corner; pixel centres lie at halves.
type affine struct{ a, b [3]float64 }

// placement returns the map from r in the target to a w×h source that orientation o
// turns upright.
func placement(r Rect, w, h int, o media.Orientation) affine {
	// u and v run from 0 to 1 over the upright picture.
	u := [3]float64{1 / float64(r.X1-r.X0), 0, -float64(r.X0) / float64(r.X1-r.X0)}
	v := [3]float64{0, 1 / float64(r.Y1-r.Y0), -float64(r.Y0) / float64(r.Y1-r.Y0)}
	flip := func(t [3]float64) [3]float64 { return [3]float64{-t[0], -t[1], 1 - t[2]} }
	// s and t run over the decoded picture: what turning it clockwise took to u and v.
	var s, t [3]float64
	switch o.Rotation {
	case 90:
		s, t = v, flip(u)
	case 180:
		s, t = flip(u), flip(v)
	case 270:
		s, t = flip(v), u
	default:
		s, t = u, v
	}
	if o.Mirror {
		s = flip(s)
	}
	scale := func(t [3]float64, k int) [3]float64 {
		return [3]float64{t[0] * float64(k), t[1] * float64(k), t[2] * float64(k)}
	}
	return affine{scale(s, w), scale(t, h)}
}

// exact reports whether every target pixel is one source pixel.
func (m *affine) exact() bool {
	one := func(x, y float64) bool {
		const eps = 1e-9
		return math.Abs(math.Abs(x)+math.Abs(y)-1) < eps && (math.Abs(x) < eps || math.Abs(y) < eps)
	}
	return one(m.a[0], m.a[1]) && one(m.b[0], m.b[1])
}

func displaySize(p *picture) (int, int) {
	return media.DisplaySize(p.width, p.height, p.sar, p.orientation)
}
