package yuv_test

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"testing"

	"github.com/scanout-av/scanout/yuv"
)

func randomYCbCr(r image.Rectangle, ratio image.YCbCrSubsampleRatio) *image.YCbCr {
	rng := rand.New(rand.NewPCG(9, 9))
	m := image.NewYCbCr(r, ratio)
	for _, p := range [][]byte{m.Y, m.Cb, m.Cr} {
		for i := range p {
			p[i] = byte(rng.Uint32())
		}
	}
	return m
}

// TestToRGBA compares with package color pixel by pixel, also for sub-images that begin
// in the middle of a chroma sample. The two round differently by up to a level.
func TestToRGBA(t *testing.T) {
	for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio444} {
		whole := randomYCbCr(image.Rect(0, 0, 80, 21), ratio)
		for _, r := range []image.Rectangle{whole.Rect, image.Rect(0, 0, 64, 8), image.Rect(1, 0, 70, 9), image.Rect(0, 1, 71, 4), image.Rect(5, 4, 6, 5), image.Rect(3, 3, 4, 20), {}} {
			src := whole.SubImage(r).(*image.YCbCr)
			dst := image.NewRGBA(image.Rect(7, 7, 7+r.Dx(), 7+r.Dy()))
			if err := yuv.ToRGBA(dst, src, yuv.BT601, yuv.Full); err != nil {
				t.Fatalf("%v %v: %v", ratio, r, err)
			}
			for y := range r.Dy() {
				for x := range r.Dx() {
					a, b := color.RGBAModel.Convert(src.At(r.Min.X+x, r.Min.Y+y)).(color.RGBA), dst.RGBAAt(7+x, 7+y)
					for _, d := range []int{int(a.R) - int(b.R), int(a.G) - int(b.G), int(a.B) - int(b.B), int(a.A) - int(b.A)} {
						if d > 1 || d < -1 {
							t.Fatalf("%v %v at %d,%d: %v, want %v", ratio, r, x, y, b, a)
						}
					}
				}
			}
		}
	}
}

func TestImageErrors(t *testing.T) {
	src := randomYCbCr(image.Rect(0, 0, 8, 8), image.YCbCrSubsampleRatio420)
	dst := image.NewRGBA(src.Rect)
	for name, tc := range map[string]struct {
		err, sentinel error
	}{
		"sizes":      {yuv.ToRGBA(image.NewRGBA(image.Rect(0, 0, 8, 7)), src, yuv.BT601, yuv.Full), yuv.ErrGeometry},
		"ratio":      {yuv.ToRGBA(dst, randomYCbCr(src.Rect, image.YCbCrSubsampleRatio410), yuv.BT601, yuv.Full), yuv.ErrNotSupported},
		"negative":   {yuv.ToRGBA(dst, randomYCbCr(image.Rect(-4, 0, 4, 8), image.YCbCrSubsampleRatio420), yuv.BT601, yuv.Full), yuv.ErrNotSupported},
		"short":      {yuv.ToRGBA(&image.RGBA{Pix: dst.Pix[:100], Stride: 32, Rect: src.Rect}, src, yuv.BT601, yuv.Full), yuv.ErrGeometry},
		"stride":     {yuv.ToRGBA(&image.RGBA{Pix: dst.Pix, Stride: -32, Rect: src.Rect}, src, yuv.BT601, yuv.Full), yuv.ErrGeometry},
		"back ratio": {yuv.ToYCbCr(randomYCbCr(src.Rect, image.YCbCrSubsampleRatio444), dst, yuv.BT601, yuv.Full), yuv.ErrNotSupported},
		"back sizes": {yuv.ToYCbCr(randomYCbCr(image.Rect(0, 0, 8, 6), image.YCbCrSubsampleRatio420), dst, yuv.BT601, yuv.Full), yuv.ErrGeometry},
	} {
		if !errors.Is(tc.err, tc.sentinel) {
			t.Errorf("%s: %v, want %v", name, tc.err, tc.sentinel)
		}
	}
	c, err := yuv.New(yuv.Config{From: yuv.NV12})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ConvertImage(dst, src); !errors.Is(err, yuv.ErrNotSupported) {
		t.Errorf("converter of another layout: %v", err)
	}
}

// TestRoundTrip goes to YCbCr and back: flat colours stay within two levels.
func TestRoundTrip(t *testing.T) {
	src, back := image.NewRGBA(image.Rect(0, 0, 66, 34)), image.NewRGBA(image.Rect(0, 0, 66, 34))
	mid := image.NewYCbCr(src.Rect, image.YCbCrSubsampleRatio420)
	for _, c := range []color.RGBA{{0, 0, 0, 255}, {255, 255, 255, 255}, {10, 200, 90, 255}, {250, 20, 30, 255}, {128, 128, 128, 255}} {
		for i := range len(src.Pix) / 4 {
			copy(src.Pix[4*i:], []byte{c.R, c.G, c.B, c.A})
		}
		if err := yuv.ToYCbCr(mid, src, yuv.BT709, yuv.Limited); err != nil {
			t.Fatal(err)
		}
		if err := yuv.ToRGBA(back, mid, yuv.BT709, yuv.Limited); err != nil {
			t.Fatal(err)
		}
		for i, b := range back.Pix {
			if d := int(b) - int(src.Pix[i]); d > 2 || d < -2 {
				t.Fatalf("%v comes back as %v", c, back.Pix[i&^3:i&^3+4])
			}
		}
	}
}

// Convert a decoded video picture, split over two goroutines by the caller.
func ExampleConverter_Convert() {
	const w, h = 1920, 1080
	picture, _, err := yuv.NV12.NewPicture(nil, w, h) // a decoder fills it
	if err != nil {
		panic(err)
	}
	c, err := yuv.New(yuv.Config{Matrix: yuv.BT709, Range: yuv.Limited, From: yuv.NV12, To: yuv.RGBA})
	if err != nil {
		panic(err)
	}
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	done := make(chan error)
	for _, rows := range [][2]int{{0, h / 2}, {h / 2, h}} {
		go func() {
			done <- c.Convert(dst.Pix[rows[0]*dst.Stride:], dst.Stride, &picture, rows[0], rows[1])
		}()
	}
	fmt.Println(<-done, <-done, dst.RGBAAt(0, 0))
	// Output: <nil> <nil> {0 77 0 255}
}

// Replace image/draw for a JPEG picture.
func ExampleToRGBA() {
	src := image.NewYCbCr(image.Rect(0, 0, 640, 480), image.YCbCrSubsampleRatio420) // jpeg.Decode
	for i := range src.Cb {
		src.Cb[i], src.Cr[i] = 128, 128
	}
	dst := image.NewRGBA(src.Rect)
	if err := yuv.ToRGBA(dst, src, yuv.BT601, yuv.Full); err != nil {
		panic(err)
	}
	fmt.Println(dst.RGBAAt(3, 3))
	// Output: {0 0 0 255}
}
