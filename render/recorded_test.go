package render

import (
	"image"
	"testing"

	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/media"
)

// TestRecordings draws a few decoded pictures in turn: each pair of picture and target is
// recorded once, and again when something of it changes, and what is drawn stays right.
func TestRecordings(t *testing.T) {
	for _, draw := range []DrawMode{DrawTriangle, DrawCompute} {
		t.Run(draw.String(), func(t *testing.T) {
			d := sharedDevice(t)
			p := newPool(t, 8, 64*1024)
			const n = 4 // and three targets: every pair comes
			var sources [n]*media.Frame
			var pics [n]*gpu.Picture
			for i := range n {
				sources[i] = newFrame(t, p, media.NV12, 38, 22, uint64(i))
				coded := newFrame(t, p, media.NV12, 48, 32, 99)
				var ready *gpu.Timeline
				pics[i], ready = uploaded(t, d, sources[i], coded, 2*i, 2*i)
				signal(t, d, ready, 1)
				coded.Release()
			}
			o, err := NewOffscreen(Config{On: d, Draw: draw, InFlight: 2})
			if err != nil {
				t.Fatal(err)
			}
			got := image.NewRGBA(image.Rect(0, 0, 38, 22))
			owner := &decodedOwner{}
			play := func(frames int, c media.Color) {
				t.Helper()
				for k := range frames {
					source := sources[k%n]
					source.Color = c
					f := &media.Frame{Format: media.NV12, Width: 38, Height: 22, GPU: pics[k%n], Color: c, Slot: -1}
					f.Arm(owner)
					if err := o.Present(&media.Scheduled{Frame: f, Number: uint64(k + 1)}); err != nil {
						t.Fatal(err)
					}
					if err := o.ReadRGBA(got); err != nil {
						t.Fatal(err)
					}
					if worst, off, of := compare(source, got, true); worst > exact(o) {
						t.Errorf("picture %d: off by %.3f/255 (%d of %d by more than 1)", k, worst, off, of)
					}
				}
			}
			targets := len(o.targets)
			colors := sources[0].Color
			colors.Matrix = media.MatrixBT601
			made := int64(n * targets)
			play(4*n*targets, colors)
			if r := &o.r.recorded; r.made != made || len(r.all) != n*targets {
				t.Errorf("%d pictures on %d targets: recorded %d times, %d kept", n, targets, r.made, len(r.all))
			}
			colors.Matrix = media.MatrixBT709
			play(n*targets, colors)
			if r := &o.r.recorded; r.made != 2*made || len(r.all) != n*targets {
				t.Errorf("other colours: recorded %d times, %d kept, want %d and %d", r.made, len(r.all), 2*made, n*targets)
			}
			if _, err := o.Screenshot(); err != nil || o.r.recorded.made != 2*made {
				t.Errorf("a screenshot is recorded for good: %d, %v", o.r.recorded.made, err)
			}
			// More pairs than are kept: pictures that look the same to the renderer but are others.
			for k := range maxRecordings {
				pics[k%n] = &gpu.Picture{Device: d, Image: pics[k%n].Image, Layout: pics[k%n].Layout, Width: 48, Height: 32, X: pics[k%n].X, Y: pics[k%n].Y,
					Planes: pics[k%n].Planes, Ready: pics[k%n].Ready, Value: 1}
				if k%n == n-1 {
					play(n, colors)
				}
			}
			if r := &o.r.recorded; len(r.all) != maxRecordings {
				t.Errorf("%d recordings are kept, want %d", len(r.all), maxRecordings)
			}
			if err := o.Close(); err != nil {
				t.Error(err)
			}
			for _, s := range sources {
				s.Release()
			}
		})
	}
}
