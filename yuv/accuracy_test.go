package yuv_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/yuv"
)

var matrices = map[yuv.Matrix]media.Matrix{yuv.BT601: media.MatrixBT601, yuv.BT709: media.MatrixBT709, yuv.BT2020: media.MatrixBT2020}

var ranges = map[yuv.Range]media.Range{yuv.Limited: media.RangeLimited, yuv.Full: media.RangeFull}

func forMatrices(f func(m yuv.Matrix, r yuv.Range, cv media.Conversion, name string), bits int) {
	for m, mm := range matrices {
		for r, mr := range ranges {
			f(m, r, media.Color{Matrix: mm, Range: mr}.Conversion(bits), fmt.Sprintf("%v-%v", m, r))
		}
	}
}

// off is how far got is from the exactly rounded value, in levels.
func off(exact float64, top float64, got int) int {
	d := got - int(math.Round(min(max(exact, 0), 1)*top))
	return max(d, -d)
}

// TestAccuracy8 converts all 2²⁴ samples with the model and with every variant: within
// one level of the rounded float64 result, and all variants the same. A shard is one U;
// short runs take every 16th.
func TestAccuracy8(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 16
	}
	const w, h = 256, 256 // Y across, V down
	y, u, v := make([]byte, w*h), make([]byte, w*h), make([]byte, w*h)
	for i := range y {
		y[i], v[i] = byte(i), byte(i>>8)
	}
	p := &yuv.Picture{Width: w, Height: h, Planes: [3][]byte{y, u, v}, Stride: [3]int{w, w, w}}
	forMatrices(func(m yuv.Matrix, r yuv.Range, cv media.Conversion, name string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := *p
			p.Planes[1] = make([]byte, w*h)
			var all []*yuv.Converter
			for _, variant := range yuv.Variants() {
				c, err := yuv.New(yuv.Config{Matrix: m, Range: r, From: yuv.I444, Variant: variant})
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, c)
			}
			a, b := make([]byte, w*h*4), make([]byte, w*h*4)
			worst := 0
			for s := 0; s < 256; s += step {
				for i := range p.Planes[1] {
					p.Planes[1][i] = byte(s)
				}
				if err := all[len(all)-1].Convert(a, w*4, &p, 0, h); err != nil {
					t.Fatal(err)
				}
				for _, c := range all[:len(all)-1] {
					clear(b)
					if err := c.Convert(b, w*4, &p, 0, h); err != nil {
						t.Fatal(err)
					}
					if string(a) != string(b) {
						t.Fatalf("%v differs from generic at U=%d", c.Variant(), s)
					}
				}
				for i := range w * h {
					er, eg, eb := cv.Apply(float64(y[i])/255, float64(s)/255, float64(v[i])/255)
					q := a[4*i : 4*i+4]
					worst = max(worst, off(er, 255, int(q[0])), off(eg, 255, int(q[1])), off(eb, 255, int(q[2])))
				}
			}
			if worst > 1 {
				t.Errorf("off by up to %d levels", worst)
			}
		})
	}, 8)
}

// TestAccuracy10 does the same with 10-bit samples, to 8 and to 16 bits. 2³⁰ samples are
// too many: all of Y with every 11th U and V, extremes included.
func TestAccuracy10(t *testing.T) {
	step := 11
	if testing.Short() {
		step = 93
	}
	const w, h = 2048, 1 // the 4:2:0 pairs hold the same U and V
	forMatrices(func(m yuv.Matrix, r yuv.Range, cv media.Conversion, name string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _, err := yuv.I010.NewPicture(nil, w, h)
			if err != nil {
				t.Fatal(err)
			}
			for i := range w {
				p.Planes[0][2*i], p.Planes[0][2*i+1] = byte(i), byte(i>>8&3)
			}
			to8, err8 := yuv.New(yuv.Config{Matrix: m, Range: r, From: yuv.I010})
			to16, err16 := yuv.New(yuv.Config{Matrix: m, Range: r, From: yuv.I010, To: yuv.RGBA64})
			if err8 != nil || err16 != nil {
				t.Fatal(err8, err16)
			}
			a, b := make([]byte, w*4), make([]byte, w*8)
			worst8, worst16 := 0, 0
			for u := 0; u < 1024; u += step {
				for v := 0; v < 1024; v += step {
					for i := range w / 2 {
						p.Planes[1][2*i], p.Planes[1][2*i+1] = byte(u), byte(u>>8)
						p.Planes[2][2*i], p.Planes[2][2*i+1] = byte(v), byte(v>>8)
					}
					if err := to8.Convert(a, w*4, &p, 0, 1); err != nil {
						t.Fatal(err)
					}
					if err := to16.Convert(b, w*8, &p, 0, 1); err != nil {
						t.Fatal(err)
					}
					for i := (u + v) & 7; i < 1024; i += 8 {
						var e [3]float64
						e[0], e[1], e[2] = cv.Apply(float64(i)/1023, float64(u)/1023, float64(v)/1023)
						for k := range 3 {
							worst8 = max(worst8, off(e[k], 255, int(a[4*i+k])))
							worst16 = max(worst16, off(e[k], 65535, int(b[8*i+2*k])<<8|int(b[8*i+2*k+1])))
						}
					}
				}
			}
			if worst8 > 1 || worst16 > 1 {
				t.Errorf("off by up to %d of 255 and %d of 65535", worst8, worst16)
			}
		})
	}, 10)
}
