package render

import (
	"errors"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/media"
)

// TestInFlight keeps every mode's queue full under the validation layer and compares the
// last picture.
func TestInFlight(t *testing.T) {
	for _, mode := range UploadModes() {
		t.Run(mode.String(), func(t *testing.T) {
			p := newPool(t, 8, 64*1024)
			o := offscreen(t, Config{Pool: p, Upload: mode, InFlight: 4, oneQueue: true})
			frames := make([]*media.Frame, 5)
			for i := range frames {
				frames[i] = newFrame(t, p, media.NV12, 128, 32, uint64(i))
			}
			b, err := Bench(o, frames, 50)
			if err != nil {
				t.Fatal(err)
			}
			got := newRGBA(128, 32)
			if err := o.ReadRGBA(got); err != nil {
				t.Fatal(err)
			}
			if worst, _, _ := compare(frames[49%5], got, false); worst > exact(o) {
				t.Errorf("off by %.3f", worst)
			}
			if b.Frames != 50 || b.Rate() <= 0 {
				t.Errorf("%+v", b)
			}
			for _, f := range frames {
				f.Release()
			}
		})
	}
}

// TestYCbCrSampler compares the device's own chroma reconstruction with the reference.
// Its filters have weights of 8 bits, so one step more is allowed.
func TestYCbCrSampler(t *testing.T) {
	p := newPool(t, 4, 128*1024)
	for _, draw := range []DrawMode{DrawTriangle, DrawCompute} {
		o := offscreen(t, Config{Pool: p, Upload: UploadGraphicsImage, Sampling: SampleYCbCr, Draw: draw})
		if !o.Report().Device.YCbCrSampler {
			t.Skipf("needs a device with samplerYcbcrConversion; %s has none", o.Report().Device.Name)
		}
		for i, format := range media.PixelFormats() {
			for _, loc := range []media.ChromaLocation{media.ChromaLeft, media.ChromaCenter, media.ChromaTopLeft, media.ChromaBottom} {
				f := newFrame(t, p, format, 61, 33, uint64(i))
				f.Color.Chroma = loc
				f.Retain()
				if err := o.Present(&media.Scheduled{Frame: f}); err != nil {
					f.Release()
					t.Errorf("%v: %v", format, err)
					continue
				}
				got := newRGBA(61, 33)
				if err := o.ReadRGBA(got); err != nil {
					t.Fatal(err)
				}
				worst, off, n := compare(f, got, false)
				used := o.Report().YCbCr
				t.Logf("%v %v %v: sampler %v, worst %.3f, %d of %d by more than 1", draw, format, loc, used, worst, off, n)
				if worst > 3.5 || off*1000 > n || !used && worst > exact(o) {
					t.Errorf("%v %v %v: off by %.3f, %d of %d by more than 1", draw, format, loc, worst, off, n)
				}
				f.Release()
			}
		}
	}
}

// TestUploadRates measures every way of uploading 1080p frames. It is for GPU machines:
// SCANOUT_BENCH is the number of frames, SCANOUT_DEVICE the device.
func TestUploadRates(t *testing.T) {
	n := 0
	if _, err := fmt.Sscan(os.Getenv("SCANOUT_BENCH"), &n); err != nil || n <= 0 {
		t.Skip("needs SCANOUT_BENCH, the number of 1080p frames to draw in each mode")
	}
	const w, h = 1920, 1080
	format := media.I420
	p, err := framepool.New(framepool.Config{Slots: 16, SlotBytes: framepool.FrameBytes(format, w, h, 64)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	frames := make([]*media.Frame, 12)
	for i := range frames {
		frames[i] = newFrame(t, p, format, w, h, uint64(i))
		defer frames[i].Release()
	}
	for _, draw := range []DrawMode{DrawTriangle, DrawCompute} {
		for _, mode := range UploadModes() {
			if only := os.Getenv("SCANOUT_BENCH_MODE"); only != "" && only != mode.String()+"/"+draw.String() {
				continue
			}
			for _, sampling := range []Sampling{SamplePlanes, SampleYCbCr} {
				for _, flight := range []int{3, 8} {
					if sampling == SampleYCbCr && (!mode.images() || mode == UploadLinear) {
						continue
					}
					name := fmt.Sprintf("in flight %d, ycbcr %d", flight, sampling)
					o, err := NewOffscreen(Config{Device: os.Getenv("SCANOUT_DEVICE"), Pool: p, Upload: mode, Draw: draw, Sampling: sampling, InFlight: flight})
					if err != nil {
						t.Logf("%-22v %-8v %s: %v", mode, draw, name, err)
						continue
					}
					count := n
					if mode == UploadStaging {
						count = max(1, n/10)
					}
					b, err := Bench(o, frames, count)
					if err != nil && !errors.Is(err, media.ErrNotSupported) {
						t.Errorf("%v %v: %v", mode, draw, err)
					}
					if err == nil && !math.IsInf(b.Rate(), 0) {
						t.Logf("%s  %s, sampler %v, %s", b.String(), name, o.Report().YCbCr, o.Report().ImportError)
					} else {
						t.Logf("%-22v %-8v %s: %v", mode, draw, name, err)
					}
					if err := o.Close(); err != nil {
						t.Error(err)
					}
				}
			}
		}
	}
}
