package render

import (
	"errors"
	"fmt"
	"image"
	"os"
	"testing"

	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/media"
)

func device() string {
	if d := os.Getenv("SCANOUT_DEVICE"); d != "" {
		return d
	}
	return "llvmpipe"
}

// exact is how far an exact renderer may be from the float reference, in 1/255: half a
// level for the rounding to the target's 8 bits, and a hair of float32. GPUs round with
// hardware that takes a few hundredths more (an NVIDIA H200: 0.562 at most).
func exact(o *Offscreen) float64 {
	if o.Report().Device.Type == "cpu" {
		return 0.51
	}
	return 0.6
}

// offscreen opens the device that SCANOUT_DEVICE names, a CPU device by default, with
// the validation layer where there is one: at the end it must have said nothing.
func offscreen(t testing.TB, cfg Config) *Offscreen {
	t.Helper()
	cfg.Device = device()
	cfg.Validation = true
	o, err := NewOffscreen(cfg)
	if err != nil {
		cfg.Validation = false
		o, err = NewOffscreen(cfg)
	}
	if err != nil {
		t.Skipf("needs a Vulkan device (apt-get install mesa-vulkan-drivers): %v", err)
	}
	t.Cleanup(func() {
		if o.r.d != nil {
			if err := o.r.idle(); err != nil {
				t.Error(err)
			}
			for _, m := range o.Messages() {
				t.Errorf("validation: %.400s", m)
			}
			if err := o.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return o
}

// newPool makes a pool that must be whole again when the test ends.
func newPool(t testing.TB, slots, bytes int) *framepool.Pool {
	t.Helper()
	p, err := framepool.New(framepool.Config{Slots: slots, SlotBytes: bytes, Trace: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func newFrame(t testing.TB, p *framepool.Pool, format media.PixelFormat, w, h int, seed uint64) *media.Frame {
	t.Helper()
	f, err := p.Get()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Layout(f, format, w, h, 64); err != nil {
		t.Fatal(err)
	}
	f.Color = media.ColorUnspecified
	fill(f, seed)
	return f
}

// check draws f, which it takes, and compares what comes back with the reference.
func check(t *testing.T, o *Offscreen, f *media.Frame) {
	t.Helper()
	f.Retain()
	if err := o.Begin(0); err != nil {
		t.Fatal(err)
	}
	if err := o.Present(&media.Scheduled{Frame: f, Number: 1}); err != nil {
		f.Release()
		if o.cfg.Upload == UploadLinear && errors.Is(err, media.ErrNotSupported) {
			t.Logf("%v: %v", f.Format, err) // the device chooses the rows of a linear image
			return
		}
		t.Fatal(err)
	}
	w, h := o.Size()
	got := image.NewRGBA(image.Rect(0, 0, w, h))
	if err := o.ReadRGBA(got); err != nil {
		t.Fatal(err)
	}
	worst, off, n := compare(f, got, o.cfg.Filter == FilterLinear)
	if worst > exact(o) {
		t.Errorf("%dx%d %v %v in %dx%d: off by %.3f/255 (%d of %d by more than 1)", f.Width, f.Height, f.Format, f.Color, w, h, worst, off, n)
	}
	f.Release()
}

func TestAccuracyColors(t *testing.T) {
	for _, mode := range []UploadMode{UploadDirect, UploadGraphicsImage} {
		t.Run(mode.String(), func(t *testing.T) { testColors(t, mode) })
	}
}

func testColors(t *testing.T, mode UploadMode) {
	p := newPool(t, 4, 64*1024)
	o := offscreen(t, Config{Pool: p, Upload: mode})
	locations := []media.ChromaLocation{media.ChromaUnspecified, media.ChromaLeft, media.ChromaCenter, media.ChromaTopLeft, media.ChromaTop, media.ChromaBottomLeft, media.ChromaBottom}
	i := 0
	for _, format := range media.PixelFormats() {
		for _, m := range []media.Matrix{media.MatrixBT601, media.MatrixBT709, media.MatrixBT2020, media.MatrixUnspecified, media.MatrixYCgCo} {
			for _, rg := range []media.Range{media.RangeLimited, media.RangeFull} {
				f := newFrame(t, p, format, 37, 23, uint64(i))
				f.Color.Matrix, f.Color.Range, f.Color.Chroma = m, rg, locations[i%len(locations)]
				check(t, o, f)
				i++
			}
		}
	}
}

func TestAccuracyModes(t *testing.T) {
	for _, draw := range []DrawMode{DrawTriangle, DrawCompute} {
		for _, mode := range UploadModes() {
			t.Run(fmt.Sprintf("%v/%v", mode, draw), func(t *testing.T) {
				p := newPool(t, 4, 128*1024)
				o := offscreen(t, Config{Pool: p, Upload: mode, Draw: draw, InFlight: 2, oneQueue: true})
				for i, format := range media.PixelFormats() {
					w := 61
					if mode == UploadLinear {
						w = 64 // the device says how long a linear image's rows are
					}
					check(t, o, newFrame(t, p, format, w, 18, uint64(i)))
				}
			})
		}
	}
}
