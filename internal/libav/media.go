package libav

import (
	"math"

	"github.com/scanout-av/scanout/media"
)

// aliases are formats whose planes are those of a known one: the alpha plane after them
// is not looked at, and an unused byte is as good as an ignored alpha.
var aliases = map[string]media.PixelFormat{
	"yuva420p": media.I420, "yuva422p": media.I422, "yuva444p": media.I444,
	"yuva420p10le": media.I010, "yuva422p10le": media.I210, "yuva444p10le": media.I410,
	"yuva422p12le": media.I212, "yuva444p12le": media.I412,
	"rgb0": media.RGBA, "bgr0": media.BGRA,
}

// MediaFormat translates the name of an AVPixelFormat. full says that the name itself
// means full range (yuvj420p). Unknown names give FormatUnknown.
func MediaFormat(name string) (f media.PixelFormat, full bool) {
	if f, ok := aliases[name]; ok {
		return f, false
	}
	f, err := media.ParsePixelFormat(name)
	if err != nil {
		return media.FormatUnknown, false
	}
	return f, f.String() != name
}

// Color translates FFmpeg's codes, which are H.273's. A value out of range counts as
// unspecified.
func Color(primaries, transfer, matrix, rng, chroma int32) media.Color {
	c := media.ColorUnspecified
	code := func(v int32) bool { return v >= 0 && v <= 255 }
	if code(primaries) && primaries != 0 {
		c.Primaries = media.Primaries(primaries)
	}
	if code(transfer) && transfer != 0 {
		c.Transfer = media.Transfer(transfer)
	}
	if code(matrix) {
		c.Matrix = media.Matrix(matrix)
	}
	if rng == 1 || rng == 2 {
		c.Range = media.Range(rng)
	}
	if chroma > 0 && chroma <= 6 {
		c.Chroma = media.ChromaLocation(chroma)
	}
	return c
}

// Orientation translates a display matrix (16.16 fixed point, rows of three) to a mirror
// and a clockwise turn, to the nearest quarter.
// Source: ISO/IEC 14496-12 section 6.2.2; a point (x, y) goes to (m0·x+m3·y, m1·x+m4·y),
// y down.
func Orientation(m *[9]int32) media.Orientation {
	a, b, c, d := float64(m[0]), float64(m[1]), float64(m[3]), float64(m[4])
	var o media.Orientation
	if det := a*d - b*c; det == 0 {
		return o
	} else if det < 0 {
		// Undo the mirroring, which comes first: it negates what x contributes.
		o.Mirror = true
		a, b = -a, -b
	}
	turn := int(math.Round(math.Atan2(b, a) / (math.Pi / 2)))
	o.Rotation = media.Rotation((turn + 4) % 4 * 90)
	return o
}

// Rational translates an AVRational; what is not positive is not known.
func Rational(num, den int32) media.Rational {
	if num <= 0 || den <= 0 {
		return media.Rational{}
	}
	return media.Rational{Num: num, Den: den}
}
