package render

import (
	"encoding/binary"
	"image"
	"math"
	"math/rand/v2"

	"github.com/scanout-av/scanout/media"
)

// at returns component c of the sample at x, y of plane p, as its code.
func at(f *media.Frame, p, x, y, c int) float64 {
	d := f.Format.Info()
	n := d.Components[min(p, 1)]
	row := f.Planes[p].Data[y*f.Planes[p].Stride:]
	if d.SampleBytes == 2 {
		return float64(binary.LittleEndian.Uint16(row[2*(x*n+c):]) >> d.Shift)
	}
	return float64(row[x*n+c])
}

// refLuma and refChroma read samples with clamping, whatever the layout.
func refLuma(f *media.Frame, x, y int) float64 {
	x, y = min(max(x, 0), f.Width-1), min(max(y, 0), f.Height-1)
	switch f.Format {
	case media.YUYV:
		return float64(f.Planes[0].Data[y*f.Planes[0].Stride+2*x])
	case media.UYVY:
		return float64(f.Planes[0].Data[y*f.Planes[0].Stride+2*x+1])
	}
	return at(f, 0, x, y, 0)
}

func refChroma(f *media.Frame, x, y int) (cb, cr float64) {
	d := f.Format.Info()
	cw, ch := (f.Width+1<<d.ChromaX-1)>>d.ChromaX, (f.Height+1<<d.ChromaY-1)>>d.ChromaY
	x, y = min(max(x, 0), cw-1), min(max(y, 0), ch-1)
	row := f.Planes[0].Data[y*f.Planes[0].Stride:]
	switch {
	case f.Format == media.YUYV:
		return float64(row[4*x+1]), float64(row[4*x+3])
	case f.Format == media.UYVY:
		return float64(row[4*x]), float64(row[4*x+2])
	case f.Format == media.NV21:
		return at(f, 1, x, y, 1), at(f, 1, x, y, 0)
	case d.Planes == 1:
		return float64(int(128) << (d.BitDepth - 8)), float64(int(128) << (d.BitDepth - 8))
	case d.Planes == 2:
		return at(f, 1, x, y, 0), at(f, 1, x, y, 1)
	}
	return at(f, 1, x, y, 0), at(f, 2, x, y, 0)
}

func bilinear(x, y float64, get func(x, y int) float64) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	wx, wy := x-fx, y-fy
	ix, iy := int(fx), int(fy)
	return (get(ix, iy)*(1-wx)+get(ix+1, iy)*wx)*(1-wy) + (get(ix, iy+1)*(1-wx)+get(ix+1, iy+1)*wx)*wy
}

// refPixel is the exact colour of f at source position sx, sy (pixel centres at halves),
// in 0…255.
func refPixel(f *media.Frame, sx, sy float64, linear bool) (rgb [3]float64) {
	d := f.Format.Info()
	x, y := sx-0.5, sy-0.5
	if !linear {
		x = math.Min(math.Max(math.Floor(sx), 0), float64(f.Width-1))
		y = math.Min(math.Max(math.Floor(sy), 0), float64(f.Height-1))
	}
	full := float64(int(1)<<d.BitDepth - 1)
	if d.RGB {
		for c := range 3 {
			i := c
			if f.Format == media.BGRA {
				i = 2 - c
			}
			rgb[c] = bilinear(x, y, func(x, y int) float64 {
				return at(f, 0, min(max(x, 0), f.Width-1), min(max(y, 0), f.Height-1), i)
			}) / full
		}
		cv := f.Color.Resolve(f.Format, f.Width, f.Height).Conversion(d.BitDepth)
		rgb[0], rgb[1], rgb[2] = cv.Apply(rgb[0], rgb[1], rgb[2])
		for c := range 3 {
			rgb[c] = math.Min(math.Max(rgb[c], 0), 1) * 255
		}
		return rgb
	}
	col := f.Color.Resolve(f.Format, f.Width, f.Height)
	ox, oy := col.Chroma.Offset()
	cx, cy := x, y
	if d.ChromaX > 0 {
		cx = (x - ox) / 2
	}
	if d.ChromaY > 0 {
		cy = (y - oy) / 2
	}
	luma := bilinear(x, y, func(x, y int) float64 { return refLuma(f, x, y) })
	cb := bilinear(cx, cy, func(x, y int) float64 { b, _ := refChroma(f, x, y); return b })
	cr := bilinear(cx, cy, func(x, y int) float64 { _, r := refChroma(f, x, y); return r })
	cv := col.Conversion(d.BitDepth)
	r, g, b := cv.Apply(luma/full, cb/full, cr/full)
	for i, v := range [3]float64{r, g, b} {
		rgb[i] = math.Min(math.Max(v, 0), 1) * 255
	}
	return rgb
}

// upright returns where target pixel x, y of rect r comes from. It is written the other
// way round than geometry.go: it turns the decoded picture, and so finds the inverse by
// following what the words mean.
func upright(f *media.Frame, r Rect, x, y float64) (sx, sy float64) {
	u, v := (x-float64(r.X0))/float64(r.X1-r.X0), (y-float64(r.Y0))/float64(r.Y1-r.Y0)
	// Undo the clockwise turn in quarter turns: a quarter turn takes (s, t) to (1−t, s).
	for range f.Orientation.Rotation / 90 {
		u, v = v, 1-u
	}
	if f.Orientation.Mirror {
		u = 1 - u
	}
	return u * float64(f.Width), v * float64(f.Height)
}

// compare returns the largest difference between got and the reference, and how many
// samples are off by more than 1 from the exact value's rounding.
func compare(f *media.Frame, got *image.RGBA, linear bool) (worst float64, off, n int) {
	w, h := f.DisplaySize()
	tw, th := got.Rect.Dx(), got.Rect.Dy()
	r := Fit(w, h, tw, th)
	if r.X1-r.X0 == w && r.Y1-r.Y0 == h && (w == f.Width && h == f.Height || w == f.Height && h == f.Width) {
		linear = false
	}
	for y := range th {
		for x := range tw {
			var want [3]float64
			if x >= r.X0 && x < r.X1 && y >= r.Y0 && y < r.Y1 {
				sx, sy := upright(f, r, float64(x)+0.5, float64(y)+0.5)
				want = refPixel(f, sx, sy, linear)
			}
			for c := range 3 {
				d := math.Abs(float64(got.Pix[y*got.Stride+4*x+c]) - want[c])
				worst = math.Max(worst, d)
				if d > 1 {
					off++
				}
				n++
			}
		}
	}
	return worst, off, n
}

// fill writes noise over every code value of f's planes, padding included, and a ramp
// at the top.
func fill(f *media.Frame, seed uint64) {
	d := f.Format.Info()
	rnd := rand.New(rand.NewPCG(seed, 1))
	for p := range d.Planes {
		data := f.Planes[p].Data
		if d.SampleBytes == 1 {
			for i := range data {
				data[i] = byte(rnd.Uint32())
			}
			for i := range min(f.Planes[p].Stride, len(data)) {
				data[i] = byte(i * 255 / f.Planes[p].Stride)
			}
			continue
		}
		for i := 0; i+1 < len(data); i += 2 {
			binary.LittleEndian.PutUint16(data[i:], uint16(rnd.Uint32()&(1<<d.BitDepth-1))<<d.Shift)
		}
	}
}

func newRGBA(w, h int) *image.RGBA { return image.NewRGBA(image.Rect(0, 0, w, h)) }
