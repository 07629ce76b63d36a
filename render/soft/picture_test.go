package soft

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/scanout-av/scanout/media"
)

// owner counts frames that came back.
type owner struct{ reclaimed int }

func (o *owner) ReclaimFrame(*media.Frame) { o.reclaimed++ }

// newFrame returns a frame whose planes have padded rows.
func newFrame(format media.PixelFormat, w, h int) *media.Frame {
	f := &media.Frame{Format: format, Width: w, Height: h, Color: media.ColorUnspecified, Slot: -1,
		Timebase: media.Timebase{Num: 1, Den: 1000}}
	for p := range format.Info().Planes {
		rb, rows := format.PlaneSize(p, w, h)
		stride := (rb+31)&^31 + 32
		f.Planes[p] = media.Plane{Data: make([]byte, (rows-1)*stride+rb), Stride: stride, Offset: -1}
	}
	return f
}

// randomize fills f with codes that its bit depth allows.
func randomize(f *media.Frame, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	d := f.Format.Info()
	for p := range d.Planes {
		b := f.Planes[p].Data
		if d.SampleBytes == 1 {
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			continue
		}
		for i := 0; i+1 < len(b); i += 2 {
			binary.LittleEndian.PutUint16(b[i:], uint16(r.Uint32N(1<<d.BitDepth))<<d.Shift)
		}
	}
}

// code returns the code of component c (Y, U, V or R, G, B) of a pixel.
func code(f *media.Frame, c, x, y int) float64 {
	d := f.Format.Info()
	p, i := 0, 0
	switch {
	case d.RGB:
		if f.Format == media.BGRA {
			c = 2 - c
		}
		i = x*d.Components[0] + c
	case c > 0 && (f.Format == media.Gray8 || f.Format == media.Gray10):
		return float64(int(1) << (d.BitDepth - 1))
	case d.Components[0] == 2:
		i = 2 * x
		if c > 0 {
			i = x/2*4 + 2*c - 1
		}
		if f.Format == media.UYVY {
			i ^= 1
		}
	case c == 0:
		i = x
	default:
		x, y = x>>d.ChromaX, y>>d.ChromaY
		if p, i = c, x; d.Planes == 2 {
			c--
			if f.Format == media.NV21 {
				c = 1 - c
			}
			p, i = 1, 2*x+c
		}
	}
	b := f.Planes[p].Data[y*f.Planes[p].Stride:]
	if d.SampleBytes == 1 {
		return float64(b[i])
	}
	return float64(binary.LittleEndian.Uint16(b[2*i:]) >> d.Shift)
}

// reference is f converted in float64 with nearest chroma: levels of R, G and B.
func reference(f *media.Frame) [][3]float64 {
	d := f.Format.Info()
	cv := f.Color.Resolve(f.Format, f.Width, f.Height).Conversion(d.BitDepth)
	full := float64(int(1)<<d.BitDepth - 1)
	out := make([][3]float64, 0, f.Width*f.Height)
	for y := range f.Height {
		for x := range f.Width {
			r, g, b := cv.Apply(code(f, 0, x, y)/full, code(f, 1, x, y)/full, code(f, 2, x, y)/full)
			level := func(v float64) float64 { return math.Round(min(max(v, 0), 1) * 255) }
			out = append(out, [3]float64{level(r), level(g), level(b)})
		}
	}
	return out
}

// drawn presents f on an offscreen target and returns the image.
func drawn(t testing.TB, cfg Config, f *media.Frame) *image.RGBA {
	t.Helper()
	o, err := NewOffscreen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var own owner
	f.Arm(&own)
	if err := o.Begin(0); err != nil {
		t.Fatal(err)
	}
	if err := o.Present(&media.Scheduled{Frame: f, Number: 1}); err != nil {
		t.Fatal(err)
	}
	if own.reclaimed != 1 {
		t.Errorf("the frame came back %d times", own.reclaimed)
	}
	m, err := o.Image()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// farthest returns the largest difference of m from want, and where it is.
func farthest(m *image.RGBA, want [][3]float64) (worst float64, at string) {
	w := m.Rect.Dx()
	for i, v := range want {
		px := m.Pix[i/w*m.Stride+i%w*4:]
		for c := range 3 {
			if d := math.Abs(float64(px[c]) - v[c]); d > worst {
				worst, at = d, fmt.Sprintf("pixel %d,%d component %d is %d, want %v", i%w, i/w, c, px[c], v[c])
			}
		}
		if px[3] != 255 {
			return 255, fmt.Sprintf("alpha of pixel %d,%d is %d", i%w, i/w, px[3])
		}
	}
	return worst, at
}

func TestEveryFormat(t *testing.T) {
	for _, format := range media.PixelFormats() {
		for _, m := range []media.Matrix{media.MatrixBT709, media.MatrixBT601, media.MatrixBT2020,
			media.MatrixSMPTE240M, media.MatrixFCC, media.MatrixYCgCo, media.MatrixUnspecified} {
			for _, r := range []media.Range{media.RangeUnspecified, media.RangeLimited, media.RangeFull} {
				f := newFrame(format, 101, 35)
				f.Color.Matrix, f.Color.Range = m, r
				randomize(f, uint64(format))
				got := drawn(t, Config{Chroma: ChromaNearest}, f)
				if got.Rect != image.Rect(0, 0, 101, 35) {
					t.Fatalf("%v: image of %v", format, got.Rect)
				}
				if d, at := farthest(got, reference(f)); d > 1 {
					t.Errorf("%v %v %v: %v levels apart: %s", format, m, r, d, at)
				}
			}
		}
	}
}

// TestEveryFormatTurned goes through the scratch rows rather than straight to the target.
func TestEveryFormatTurned(t *testing.T) {
	for _, format := range media.PixelFormats() {
		f := newFrame(format, 37, 53)
		f.Orientation.Rotation = 90
		randomize(f, uint64(format))
		want := reference(f)
		got := drawn(t, Config{Chroma: ChromaNearest}, f)
		if got.Rect != image.Rect(0, 0, 53, 37) {
			t.Fatalf("%v: image of %v", format, got.Rect)
		}
		turned := make([][3]float64, len(want))
		for y := range 37 {
			for x := range 53 {
				turned[y*53+x] = want[(52-x)*37+y]
			}
		}
		if d, at := farthest(got, turned); d > 1 {
			t.Errorf("%v: %v levels apart: %s", format, d, at)
		}
	}
}

// smoothReference is reference with chroma interpolated in float64.
func smoothReference(f *media.Frame) [][3]float64 {
	d := f.Format.Info()
	c := f.Color.Resolve(f.Format, f.Width, f.Height)
	cv := c.Conversion(d.BitDepth)
	full := float64(int(1)<<d.BitDepth - 1)
	ox, oy := c.Chroma.Offset()
	// along returns the luma samples to look chroma up at, and the second one's weight.
	along := func(i, size, sub int, off float64) (int, int, float64) {
		if sub == 0 {
			return i, i, 0
		}
		n := (size + 1) / 2
		p := min(max((float64(i)-off)/2, 0), float64(n-1))
		k := int(p)
		return 2 * k, 2 * min(k+1, n-1), p - float64(k)
	}
	out := make([][3]float64, 0, f.Width*f.Height)
	for y := range f.Height {
		y0, y1, fy := along(y, f.Height, d.ChromaY, oy)
		for x := range f.Width {
			x0, x1, fx := along(x, f.Width, d.ChromaX, ox)
			chroma := func(c int) float64 {
				return (code(f, c, x0, y0)*(1-fx)+code(f, c, x1, y0)*fx)*(1-fy) + (code(f, c, x0, y1)*(1-fx)+code(f, c, x1, y1)*fx)*fy
			}
			r, g, b := cv.Apply(code(f, 0, x, y)/full, chroma(1)/full, chroma(2)/full)
			level := func(v float64) float64 { return math.Round(min(max(v, 0), 1) * 255) }
			out = append(out, [3]float64{level(r), level(g), level(b)})
		}
	}
	return out
}

func TestChromaBilinear(t *testing.T) {
	for _, format := range media.PixelFormats() {
		for loc := media.ChromaUnspecified; loc <= media.ChromaBottom; loc++ {
			for _, size := range [][2]int{{37, 21}, {16, 8}, {1, 1}, {2, 5}} {
				for _, m := range []media.Matrix{media.MatrixBT709, media.MatrixYCgCo} {
					f := newFrame(format, size[0], size[1])
					f.Color.Chroma, f.Color.Matrix = loc, m
					randomize(f, uint64(loc))
					want := smoothReference(f)
					if d, at := farthest(drawn(t, Config{}, f), want); d > 1 {
						t.Errorf("%v %v %v %v: %v levels apart: %s", format, loc, m, size, d, at)
					}
				}
			}
		}
	}
}

func TestRaster(t *testing.T) {
	f := newFrame(media.I420, 36, 20)
	f.SAR = media.Rational{Num: 2, Den: 1}
	f.Orientation.Rotation = 90
	randomize(f, 3)
	f.Arm(forever{})
	m, err := Picture(f)
	if err != nil {
		t.Fatal(err)
	}
	if m.Rect != image.Rect(0, 0, 20, 72) {
		t.Fatalf("picture of %v", m.Rect)
	}
	if f.References() != 1 {
		t.Errorf("%d references: the frame is borrowed", f.References())
	}
	r, err := NewRaster(Config{})
	if err != nil {
		t.Fatal(err)
	}
	// Into the middle of a larger image, whose other pixels stay.
	big := image.NewRGBA(image.Rect(0, 0, 40, 90))
	for i := range big.Pix {
		big.Pix[i] = 7
	}
	at := image.Rect(5, 6, 25, 78)
	run := func() {
		if err := r.RGBA(f, big.SubImage(at).(*image.RGBA)); err != nil {
			t.Fatal(err)
		}
	}
	run()
	for y := range 90 {
		for x := range 40 {
			want := color.RGBA{7, 7, 7, 7}
			if image.Pt(x, y).In(at) {
				want = m.RGBAAt(x-5, y-6)
			}
			if got := big.RGBAAt(x, y); got != want {
				t.Fatalf("pixel %d,%d is %v, want %v", x, y, got, want)
			}
		}
	}
	sub := big.SubImage(at).(*image.RGBA)
	if n := testing.AllocsPerRun(20, func() { _ = r.RGBA(f, sub) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if err := r.RGBA(f, new(image.RGBA)); err == nil {
		t.Error("drew into an image without pixels")
	}
	if _, err := Picture(&media.Frame{}); err == nil {
		t.Error("a picture of nothing")
	}
	if _, err := NewRaster(Config{Filter: 9}); err == nil {
		t.Error("an unknown filter was accepted")
	}
}

func TestRefused(t *testing.T) {
	o, err := NewOffscreen(Config{})
	if err != nil {
		t.Fatal(err)
	}
	var own owner
	bad := []*media.Frame{
		{Width: 16, Height: 16}, // no format
		newFrame(media.I420, 16, 16),
		newFrame(media.I420, 16, 16),
	}
	bad[1].Planes[2].Data = bad[1].Planes[2].Data[:20]
	bad[2].SAR = media.Rational{Num: math.MaxInt32, Den: 1}
	for i, f := range bad {
		f.Arm(&own)
		if err := o.Present(&media.Scheduled{Frame: f}); err == nil {
			t.Errorf("frame %d was drawn", i)
		}
		if own.reclaimed != i+1 {
			t.Errorf("frame %d was not released", i)
		}
	}
	if _, err := o.Image(); err == nil {
		t.Error("an image without a picture")
	}
	if _, err := o.Screenshot(); err == nil {
		t.Error("a screenshot without a picture")
	}
	for _, c := range []Config{{Filter: 9}, {Chroma: 5}, {Width: 5}, {Width: -1, Height: -1}, {Width: 1 << 20, Height: 1 << 20}, {Refresh: -1}, {Refresh: 60}, {Refresh: math.NaN()}} {
		if _, err := NewOffscreen(c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
	if _, err := NewWindow(Config{}); err == nil {
		t.Error("a window sink without a window")
	}
}
