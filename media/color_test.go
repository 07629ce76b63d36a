package media

import (
	"math"
	"testing"
)

// forward is ITU-T H.273 section 8.3 from R'G'B' in 0…1 to codes, not rounded.
func forward(c Color, bits int, r, g, b float64) [3]float64 {
	one := math.Exp2(float64(bits - 8))
	top := math.Exp2(float64(bits)) - 1
	half := math.Exp2(float64(bits - 1))
	limited := c.Range != RangeFull
	quantize := func(v float64) float64 {
		if limited {
			return one * (219*v + 16)
		}
		return top * v
	}
	switch c.Matrix {
	case MatrixRGB:
		return [3]float64{quantize(r), quantize(g), quantize(b)}
	case MatrixYCgCo:
		r, g, b = quantize(r), quantize(g), quantize(b)
		return [3]float64{0.5*g + 0.25*(r+b), 0.5*g - 0.25*(r+b) + half, 0.5*(r-b) + half}
	}
	kr, kb := c.Matrix.KrKb()
	y := kr*r + (1-kr-kb)*g + kb*b
	pb, pr := 0.5*(b-y)/(1-kb), 0.5*(r-y)/(1-kr)
	if limited {
		return [3]float64{one * (219*y + 16), one * (224*pb + 128), one * (224*pr + 128)}
	}
	return [3]float64{top * y, top*pb + half, top*pr + half}
}

var matrices = []Matrix{MatrixRGB, MatrixBT709, MatrixFCC, MatrixBT470BG, MatrixBT601, MatrixSMPTE240M, MatrixYCgCo, MatrixBT2020}

func TestConversionInvertsH273(t *testing.T) {
	for _, m := range matrices {
		for _, rng := range []Range{RangeLimited, RangeFull} {
			for _, bits := range []int{8, 10, 12, 16} {
				c := Color{Matrix: m, Range: rng}
				cv := c.Conversion(bits)
				top := math.Exp2(float64(bits)) - 1
				for i := range 6 * 6 * 6 {
					r, g, b := float64(i%6)/5, float64(i/6%6)/5, float64(i/36)/5
					q := forward(c, bits, r, g, b)
					r2, g2, b2 := cv.Apply(q[0]/top, q[1]/top, q[2]/top)
					if d := max(math.Abs(r-r2), math.Abs(g-g2), math.Abs(b-b2)); d > 1e-12 {
						t.Fatalf("%v %d bits: (%v %v %v) came back as (%v %v %v)", c, bits, r, g, b, r2, g2, b2)
					}
				}
			}
		}
	}
}

// The numbers that everybody quotes, so that forward and Conversion can't be wrong alike.
func TestConversionNumbers(t *testing.T) {
	for _, c := range []struct {
		m    Matrix
		r    Range
		want [5]float64 // y gain, r·cr, g·cb, g·cr, b·cb
	}{
		{MatrixBT601, RangeFull, [5]float64{1, 1.402, -0.344136, -0.714136, 1.772}},
		{MatrixBT601, RangeLimited, [5]float64{1.164384, 1.596027, -0.391762, -0.812968, 2.017232}},
		{MatrixBT709, RangeFull, [5]float64{1, 1.5748, -0.187324, -0.468124, 1.8556}},
		{MatrixBT709, RangeLimited, [5]float64{1.164384, 1.792741, -0.213249, -0.532909, 2.112402}},
		{MatrixBT2020, RangeFull, [5]float64{1, 1.4746, -0.164553, -0.571353, 1.8814}},
		{MatrixBT2020, RangeLimited, [5]float64{1.164384, 1.678674, -0.187326, -0.650424, 2.141772}},
		{MatrixSMPTE240M, RangeFull, [5]float64{1, 1.576, -0.226622, -0.476622, 1.826}},
		{MatrixFCC, RangeFull, [5]float64{1, 1.4, -0.331864, -0.711864, 1.78}},
	} {
		cv := Color{Matrix: c.m, Range: c.r}.Conversion(8)
		got := [5]float64{cv.M[0][0], cv.M[0][2], cv.M[1][1], cv.M[1][2], cv.M[2][1]}
		for i := range got {
			if math.Abs(got[i]-c.want[i]) > 1e-6 {
				t.Errorf("%v %v: coefficient %d is %.6f, want %.6f", c.m, c.r, i, got[i], c.want[i])
			}
		}
		if cv.M[0][1] != 0 || cv.M[2][2] != 0 || cv.M[1][0] != cv.M[0][0] || cv.M[2][0] != cv.M[0][0] {
			t.Errorf("%v %v: %v", c.m, c.r, cv.M)
		}
	}
}

func TestConversionCodes(t *testing.T) {
	for _, c := range []struct {
		color   Color
		bits    int
		code    [3]float64
		r, g, b float64
	}{
		{Color{Matrix: MatrixBT709, Range: RangeLimited}, 8, [3]float64{16, 128, 128}, 0, 0, 0},
		{Color{Matrix: MatrixBT709, Range: RangeLimited}, 8, [3]float64{235, 128, 128}, 1, 1, 1},
		{Color{Matrix: MatrixBT601, Range: RangeLimited}, 10, [3]float64{64, 512, 512}, 0, 0, 0},
		{Color{Matrix: MatrixBT2020, Range: RangeLimited}, 10, [3]float64{940, 512, 512}, 1, 1, 1},
		{Color{Matrix: MatrixBT601, Range: RangeFull}, 8, [3]float64{255, 128, 128}, 1, 1, 1},
		{Color{Matrix: MatrixBT601, Range: RangeFull}, 12, [3]float64{0, 2048, 2048}, 0, 0, 0},
		{Color{Matrix: MatrixYCgCo, Range: RangeLimited}, 8, [3]float64{125.5, 237.5, 128}, 0, 1, 0},
		{Color{Matrix: MatrixRGB, Range: RangeFull}, 8, [3]float64{255, 0, 51}, 1, 0, 0.2},
		{Color{Matrix: MatrixRGB, Range: RangeLimited}, 8, [3]float64{235, 16, 16}, 1, 0, 0},
		// Blacker than black and whiter than white are kept: clamping is the renderer's.
		{Color{Matrix: MatrixBT709, Range: RangeLimited}, 8, [3]float64{1, 128, 128}, -15. / 219, -15. / 219, -15. / 219},
		{Color{Matrix: MatrixBT709, Range: RangeLimited}, 8, [3]float64{254, 128, 128}, 238. / 219, 238. / 219, 238. / 219},
	} {
		cv := c.color.Conversion(c.bits)
		top := math.Exp2(float64(c.bits)) - 1
		r, g, b := cv.Apply(c.code[0]/top, c.code[1]/top, c.code[2]/top)
		if d := max(math.Abs(r-c.r), math.Abs(g-c.g), math.Abs(b-c.b)); d > 1e-12 {
			t.Errorf("%v %d bits %v: %v %v %v, want %v %v %v", c.color, c.bits, c.code, r, g, b, c.r, c.g, c.b)
		}
	}
}

func TestResolve(t *testing.T) {
	u := ColorUnspecified
	for _, c := range []struct {
		in   Color
		f    PixelFormat
		w, h int
		m    Matrix
		r    Range
		l    ChromaLocation
	}{
		{u, I420, 1920, 1080, MatrixBT709, RangeLimited, ChromaLeft},
		{u, I420, 1280, 576, MatrixBT709, RangeLimited, ChromaLeft},
		{u, I420, 720, 577, MatrixBT709, RangeLimited, ChromaLeft},
		{u, I420, 1279, 576, MatrixBT601, RangeLimited, ChromaLeft},
		{Color{}, I420, 720, 480, MatrixBT601, RangeLimited, ChromaLeft},
		{Color{Matrix: 14, Range: RangeFull}, I010, 3840, 2160, MatrixBT709, RangeFull, ChromaLeft},
		{Color{Matrix: MatrixBT2020, Chroma: ChromaTopLeft}, P010, 720, 480, MatrixBT2020, RangeLimited, ChromaTopLeft},
		{u, RGBA, 720, 480, MatrixRGB, RangeFull, ChromaUnspecified},
		{Color{Matrix: MatrixBT709, Range: RangeLimited}, BGRA, 720, 480, MatrixRGB, RangeLimited, ChromaUnspecified},
	} {
		got := c.in.Resolve(c.f, c.w, c.h)
		if got.Matrix != c.m || got.Range != c.r || got.Chroma != c.l {
			t.Errorf("%v of %v %dx%d resolves to %v", c.in, c.f, c.w, c.h, got)
		}
		if again := got.Resolve(c.f, c.w, c.h); again != got {
			t.Errorf("resolving twice: %v, then %v", got, again)
		}
	}
}

func TestChromaOffset(t *testing.T) {
	for l, want := range map[ChromaLocation][2]float64{
		ChromaUnspecified: {0, 0.5}, ChromaLeft: {0, 0.5}, ChromaCenter: {0.5, 0.5}, ChromaTopLeft: {0, 0},
		ChromaTop: {0.5, 0}, ChromaBottomLeft: {0, 1}, ChromaBottom: {0.5, 1},
	} {
		if x, y := l.Offset(); x != want[0] || y != want[1] {
			t.Errorf("%v: %v %v, want %v", l, x, y, want)
		}
	}
}

func TestColorStrings(t *testing.T) {
	for _, m := range matrices {
		if s := m.String(); s == "" || s == "unspecified" {
			t.Errorf("matrix %d is %q", uint8(m), s)
		}
	}
	c := Color{Matrix: MatrixBT2020, Range: RangeFull, Chroma: ChromaLocation(200)}
	if got := c.String(); got != "bt2020/full/unspecified" {
		t.Errorf("%q", got)
	}
	if got := Matrix(77).String(); got != "matrix(77)" {
		t.Errorf("%q", got)
	}
	if got := ColorUnspecified.String(); got != "unspecified/unspecified/unspecified" {
		t.Errorf("%q", got)
	}
}
