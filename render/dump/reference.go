package dump

import (
	"fmt"
	"image"
	"math"

	"github.com/scanout-av/scanout/media"
)

// Reference converts frames in float64, exactly and slowly: what other renderers are
// compared with. Chroma is bilinear at its true siting; a dst of another size than the
// picture scales all planes bilinearly.
//
// Concurrency: one goroutine; it keeps its tables between calls.
type Reference struct {
	taps [4][]tap // luma x, luma y, chroma x, chroma y, along the picture's own axes
}

// tap is a bilinear sample between two positions.
type tap struct {
	a, b int
	w    float64 // of b
}

// makeTaps fills t for n outputs over size samples whose first lies at offset, in samples
// of 1<<sub; flip runs backwards.
func makeTaps(t []tap, n, luma, size, sub int, offset float64, flip bool) []tap {
	if cap(t) < n {
		t = make([]tap, n)
	}
	t = t[:n]
	for i := range t {
		k := i
		if flip {
			k = n - 1 - i
		}
		// Position in luma samples; exact when n equals luma.
		x := (float64(k)+0.5)*float64(luma)/float64(n) - 0.5
		if sub > 0 {
			x = (x - offset) / float64(int(1)<<sub)
		}
		x = min(max(x, 0), float64(size-1))
		a := int(math.Floor(x))
		t[i] = tap{a, min(a+1, size-1), x - float64(a)}
	}
	return t
}

// RGBA fills dst with the upright picture.
func (r *Reference) RGBA(f *media.Frame, dst *image.RGBA) error {
	if err := f.Check(); err != nil {
		return fmt.Errorf("dump: rasterize: %w", err)
	}
	if dst.Rect.Empty() {
		return nil
	}
	d := f.Format.Info()
	color := f.Color.Resolve(f.Format, f.Width, f.Height)
	cv := color.Conversion(d.BitDepth)
	top := float64(int(1)<<d.BitDepth - 1)
	half := math.Exp2(float64(d.BitDepth-1)) / top

	// The picture's own axes as seen from dst: mirrored first, then turned clockwise.
	swap := f.Orientation.Swaps()
	nu, nv := dst.Rect.Dx(), dst.Rect.Dy()
	if swap {
		nu, nv = nv, nu
	}
	rot := f.Orientation.Rotation
	flipU := (rot == 180 || rot == 270) != f.Orientation.Mirror
	flipV := rot == 180 || rot == 90
	ox, oy := color.Chroma.Offset()
	cw, ch := (f.Width+1<<d.ChromaX-1)>>d.ChromaX, (f.Height+1<<d.ChromaY-1)>>d.ChromaY
	r.taps[0] = makeTaps(r.taps[0], nu, f.Width, f.Width, 0, 0, flipU)
	r.taps[1] = makeTaps(r.taps[1], nv, f.Height, f.Height, 0, 0, flipV)
	r.taps[2] = makeTaps(r.taps[2], nu, f.Width, cw, d.ChromaX, ox, flipU)
	r.taps[3] = makeTaps(r.taps[3], nv, f.Height, ch, d.ChromaY, oy, flipV)

	var at [3]reader
	for c := range at {
		at[c] = newReader(f, d, c)
	}
	gray := d.Planes == 1 && d.Components[0] == 1
	for y := range dst.Rect.Dy() {
		out := dst.Pix[y*dst.Stride:][:4*dst.Rect.Dx()]
		for x := range dst.Rect.Dx() {
			u, v := x, y
			if swap {
				u, v = y, x
			}
			s := [3]float64{0, half, half}
			s[0] = at[0].sample(&r.taps[0][u], &r.taps[1][v]) / top
			if !gray {
				tu, tv := &r.taps[2][u], &r.taps[3][v]
				s[1], s[2] = at[1].sample(tu, tv)/top, at[2].sample(tu, tv)/top
			}
			s[0], s[1], s[2] = cv.Apply(s[0], s[1], s[2])
			for c, v := range s {
				out[4*x+c] = uint8(min(max(v, 0), 1)*255 + 0.5)
			}
			out[4*x+3] = 255
		}
	}
	return nil
}

// reader reads one component's samples.
type reader struct {
	data         []byte
	stride       int
	offset, step int // bytes
	shift        int
	wide         bool
}

func newReader(f *media.Frame, d *media.FormatInfo, c int) reader {
	plane, offset, step := c, 0, 1
	switch {
	case d.RGB:
		plane, offset, step = 0, c, d.Components[0]
		if f.Format == media.BGRA {
			offset = 2 - c
		}
	case d.Components[0] == 2:
		plane, offset, step = 0, [3]int{0, 1, 3}[c], [3]int{2, 4, 4}[c]
		if f.Format == media.UYVY {
			offset = [3]int{1, 0, 2}[c]
		}
	case d.Planes == 1:
		plane = 0
	case d.Planes == 2 && c > 0:
		plane, offset, step = 1, c-1, 2
		if f.Format == media.NV21 {
			offset = 2 - c
		}
	}
	return reader{f.Planes[plane].Data, f.Planes[plane].Stride, offset * d.SampleBytes, step * d.SampleBytes, d.Shift, d.SampleBytes == 2}
}

func (r *reader) at(x, y int) float64 {
	i := y*r.stride + r.offset + x*r.step
	if r.wide {
		return float64((uint16(r.data[i]) | uint16(r.data[i+1])<<8) >> r.shift)
	}
	return float64(r.data[i])
}

func (r *reader) sample(u, v *tap) float64 {
	if u.w == 0 && v.w == 0 {
		return r.at(u.a, v.a)
	}
	top := r.at(u.a, v.a)*(1-u.w) + r.at(u.b, v.a)*u.w
	bottom := r.at(u.a, v.b)*(1-u.w) + r.at(u.b, v.b)*u.w
	return top*(1-v.w) + bottom*v.w
}
