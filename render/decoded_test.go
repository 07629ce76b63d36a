package render

import (
	"errors"
	"image"
	"testing"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// sharedDevice opens a device as a player does that shares it with a decoder.
func sharedDevice(t *testing.T) *gpu.Device {
	t.Helper()
	d, err := gpu.OpenDevice(gpu.InstanceConfig{Validation: true}, gpu.Config{Device: device(), Video: true})
	if err != nil {
		d, err = gpu.OpenDevice(gpu.InstanceConfig{}, gpu.Config{Device: device(), Video: true})
	}
	if err != nil {
		t.Skipf("needs a Vulkan device (apt-get install mesa-vulkan-drivers): %v", err)
	}
	t.Cleanup(func() {
		messages := d.Instance.Messages()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		for _, m := range messages {
			t.Errorf("validation: %.400s", m)
		}
	})
	return d
}

// uploaded makes what a decoder would leave: f's planes in images of coded size, f's
// top left corner at x, y and noise around it. Planes have images of their own, which a
// view does not show.
func uploaded(t *testing.T, d *gpu.Device, f *media.Frame, coded *media.Frame, x, y int) (pic *gpu.Picture, ready *gpu.Timeline) {
	t.Helper()
	info := f.Format.Info()
	for p := range 2 {
		sub, n := 0, info.Components[p]*info.SampleBytes
		if p == 1 {
			sub = 1
		}
		row, rows := f.Format.PlaneSize(p, f.Width, f.Height)
		for k := range rows {
			copy(coded.Planes[p].Data[(k+y>>sub)*coded.Planes[p].Stride+(x>>sub)*n:], f.Planes[p].Data[k*f.Planes[p].Stride:][:row])
		}
	}
	// The renderer's own upload brings the coded planes to images of the same kind.
	o, err := NewOffscreen(Config{On: d, Upload: UploadGraphicsImage})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := o.Present(&media.Scheduled{Frame: coded.Retain()}); err != nil {
		t.Fatal(err)
	}
	if err := o.Wait(); err != nil {
		t.Fatal(err)
	}
	e := &o.r.entries[o.r.current]
	if ready, err = d.NewTimeline(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ready.Close)
	return &gpu.Picture{Device: d, Image: e.images[0].Handle, Layout: vk.IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL, Width: coded.Width, Height: coded.Height,
		X: x, Y: y, Planes: [2]vk.ImageView{e.images[0].View, e.images[1].View}, Ready: ready.Handle, Value: 1}, ready
}

// decodedOwner counts frames that come back.
type decodedOwner struct{ back int }

func (o *decodedOwner) ReclaimFrame(*media.Frame) { o.back++ }

// TestDecodedPictures draws pictures that lie in GPU memory, cropped out of larger
// images, and compares them with the exact colours.
func TestDecodedPictures(t *testing.T) {
	for _, draw := range []DrawMode{DrawTriangle, DrawCompute} {
		for _, format := range []media.PixelFormat{media.NV12, media.P010} {
			t.Run(draw.String()+"/"+format.String(), func(t *testing.T) {
				d := sharedDevice(t)
				p := newPool(t, 4, 64*1024)
				// Two pictures of one size in images of one size, cropped at different places.
				for i, at := range [][2]int{{0, 0}, {6, 4}} {
					for _, scale := range []int{1, 2} {
						source := newFrame(t, p, format, 38, 22, uint64(i))
						coded := newFrame(t, p, format, 48, 32, 99)
						pic, ready := uploaded(t, d, source, coded, at[0], at[1])
						o, err := NewOffscreen(Config{On: d, Draw: draw, Width: 38 * scale, Height: 22 * scale, Pool: p, LatePool: true})
						if err != nil {
							t.Fatal(err)
						}
						owner := &decodedOwner{}
						f := &media.Frame{Format: format, Width: 38, Height: 22, GPU: pic, Color: source.Color, Slot: -1}
						f.Arm(owner)
						// The draw waits for the decoder on the GPU.
						s := &media.Scheduled{Frame: f, Number: 1}
						if err := o.Present(s); err != nil {
							t.Fatal(err)
						}
						if done, err := o.r.draws.Done(o.r.c, o.r.draws.Next); err != nil || done {
							t.Fatalf("drawn before the decoder was done: %v, %v", done, err)
						}
						signal(t, d, ready, 1)
						got := image.NewRGBA(image.Rect(0, 0, 38*scale, 22*scale))
						if err := o.ReadRGBA(got); err != nil {
							t.Fatal(err)
						}
						if worst, off, n := compare(source, got, true); worst > exact(o) {
							t.Errorf("at %v, scale %d: off by %.3f/255 (%d of %d by more than 1)", at, scale, worst, off, n)
						}
						// Drawn again for a redraw, it must still be there.
						if owner.back != 0 {
							t.Error("the picture on screen was given back")
						}
						if err := o.Present(&media.Scheduled{Repeat: true}); err != nil {
							t.Fatal(err)
						}
						// The next picture comes from the pool.
						if err := o.Present(&media.Scheduled{Frame: source.Retain(), Number: 2}); err != nil {
							t.Fatal(err)
						}
						if err := o.Wait(); err != nil {
							t.Fatal(err)
						}
						if owner.back != 1 {
							t.Errorf("the picture was given back %d times, want 1", owner.back)
						}
						if err := o.Close(); err != nil {
							t.Error(err)
						}
						source.Release()
						coded.Release()
					}
				}
			})
		}
	}
}

func signal(t *testing.T, d *gpu.Device, s *gpu.Timeline, v uint64) {
	t.Helper()
	info := &vk.SemaphoreSignalInfo{SType: vk.STypeSemaphoreSignalInfo, Semaphore: s.Handle, Value: v}
	if err := d.Commands.SignalSemaphore(new(dl.Caller), d.Handle, info).Err(); err != nil {
		t.Fatal(err)
	}
}

// TestDecodedElsewhere: pictures of another device, or cropped out of what there is not,
// are refused and given back.
func TestDecodedElsewhere(t *testing.T) {
	d := sharedDevice(t)
	o, err := NewOffscreen(Config{On: d})
	if err != nil {
		t.Fatal(err)
	}
	other := &gpu.Device{}
	for _, pic := range []*gpu.Picture{{Device: other, Width: 64, Height: 64}, {Device: d, Width: 64, Height: 64, X: 60}, {Device: d, Width: 64, Height: 8}} {
		owner := &decodedOwner{}
		f := &media.Frame{Format: media.NV12, Width: 16, Height: 16, GPU: pic}
		f.Arm(owner)
		if err := o.Present(&media.Scheduled{Frame: f}); !errors.Is(err, media.ErrNotSupported) {
			t.Errorf("%+v: got %v", pic, err)
		}
		if owner.back != 1 {
			t.Errorf("%+v: given back %d times", pic, owner.back)
		}
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}
