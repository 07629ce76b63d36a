package render

import (
	"fmt"

	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// TakesGPU reports whether frames that lie in GPU memory can be shown: those that were
// decoded on this renderer's device.
func (o *Offscreen) TakesGPU() bool { return o.cfg.On != nil }

// TakesGPU reports whether frames that lie in GPU memory can be shown: those that were
// decoded on this renderer's device.
func (w *Window) TakesGPU() bool { return w.cfg.On != nil }

// adopt prepares drawing a picture that a decoder leaves in GPU memory. Nothing is
// copied: the draw waits on the GPU until the picture is there, and e holds the frame
// until it has been drawn for the last time.
func (r *renderer) adopt(e *entry, f *media.Frame) error {
	pic, ok := f.GPU.(*gpu.Picture)
	if !ok || pic.Device != r.d {
		return fmt.Errorf("render: a frame in the memory of another GPU than %s: %w", r.d.Name, media.ErrNotSupported)
	}
	d := f.Format.Info()
	if d.Planes != 2 || f.Width <= 0 || f.Height <= 0 || pic.X < 0 || pic.Y < 0 || pic.X+f.Width > pic.Width || pic.Y+f.Height > pic.Height {
		return fmt.Errorf("render: a %v frame %dx%d at %d,%d of an image %dx%d: %w", f.Format, f.Width, f.Height, pic.X, pic.Y, pic.Width, pic.Height, media.ErrNotSupported)
	}
	e.pic = pictureOf(f)
	s := shape{format: f.Format, width: pic.Width, height: pic.Height, images: true, decoded: true}
	s.converted = pic.Planes[0] == 0 || r.cfg.Sampling == SampleYCbCr
	if s.converted {
		s.chroma = e.pic.color.Chroma
	}
	if err := r.adapt(s); err != nil {
		return err
	}
	e.decoded, e.from = pic, placed{}
	e.lane, e.inPlace = nil, true
	return nil
}

// bindDecoded points views at the decoded picture of e and returns how many there are.
func (r *renderer) bindDecoded(e *entry) (int, error) {
	p := e.decoded
	if r.res.source == sourceYCbCr {
		v, err := p.Converted(r.c, r.res.conversion)
		if err != nil {
			return 0, r.fail(fmt.Errorf("render: %w", err))
		}
		e.views[0] = vk.DescriptorImageInfo{ImageView: v, ImageLayout: p.Layout}
		return 1, nil
	}
	for i := range e.views {
		// The third is not read, but the shader names it.
		e.views[i] = vk.DescriptorImageInfo{ImageView: p.Planes[i%2], ImageLayout: p.Layout}
	}
	return len(e.views), nil
}
