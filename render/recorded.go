package render

import (
	"fmt"

	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
)

// maxRecordings bounds the commands that are kept: five targets and what a decoder of 16
// reference pictures has of images.
const maxRecordings = 128

// recording is a command buffer that draws one decoded picture to one target, with its
// descriptors. A decoder has few images and decodes to them again and again, so that after
// a second nearly every draw has been recorded before and is only submitted: recording one
// takes longer than that (33 and 27 µs on an NVIDIA H200, driver 580).
type recording struct {
	cb  vk.CommandBuffer
	set vk.DescriptorSet

	pair     pair
	layout   vk.ImageLayout // of the picture
	shown    vk.ImageLayout // of the target
	compute  bool
	pipeline vk.Pipeline
	push     pushConstants
	valid    bool

	value uint64 // of the draw timeline when it was submitted last
}

// pair is what a recording draws, and to what. While it is referenced, no other picture or
// image has these addresses.
type pair struct {
	picture *gpu.Picture
	target  *gpu.Image
}

// recordings keeps recordings, the least recently used of which makes room.
type recordings struct {
	all  map[pair]*recording
	pool vk.CommandPool
	made int64 // how often one was recorded
}

// recordingFor returns the recording for e's picture on t, valid when it draws what pipeline
// and e say; nil where none can be had: the entry's own command buffer will do.
func (r *renderer) recordingFor(e *entry, t *target, pipeline vk.Pipeline) *recording {
	if e.decoded == nil || !t.again || r.res.source == sourceYCbCr { // whose view may be made anew
		return nil
	}
	rec := r.recorded.all[pair{e.decoded, t.image}]
	if rec == nil {
		if rec = r.anotherRecording(pair{e.decoded, t.image}); rec == nil {
			return nil
		}
	} else if done, err := r.draws.Done(r.c, rec.value); err != nil || !done {
		return nil // still on its way; an error is met again
	}
	rec.valid = rec.valid && rec.layout == e.decoded.Layout && rec.shown == t.shown &&
		rec.compute == t.compute && rec.pipeline == pipeline && rec.push == e.push
	if !rec.valid {
		r.recorded.made++
		rec.layout, rec.shown, rec.compute, rec.pipeline, rec.push = e.decoded.Layout, t.shown, t.compute, pipeline, e.push
	}
	return rec
}

// anotherRecording returns one for p that is to be recorded, nil where none can be had.
func (r *renderer) anotherRecording(p pair) *recording {
	s := &r.recorded
	if len(s.all) == maxRecordings {
		var oldest *recording
		for _, rec := range s.all {
			if oldest == nil || rec.value < oldest.value {
				oldest = rec
			}
		}
		if done, err := r.draws.Done(r.c, oldest.value); err != nil || !done {
			return nil
		}
		delete(s.all, oldest.pair)
		oldest.pair, oldest.valid = p, false
		s.all[p] = oldest
		return oldest
	}
	var err error
	if s.pool == 0 {
		if s.pool, err = r.commandPool(r.d.Graphics.Family); err != nil {
			return nil
		}
		s.all = make(map[pair]*recording, maxRecordings)
	}
	rec := &recording{pair: p}
	if r.newSet(&rec.set) != nil {
		return nil
	}
	if rec.cb, err = r.commandBuffer(s.pool); err != nil {
		return nil
	}
	s.all[p] = rec
	return rec
}

// newSet allocates a descriptor set of the current shape.
func (r *renderer) newSet(set *vk.DescriptorSet) error {
	if err := r.d.Commands.AllocateDescriptorSets(r.c, r.d.Handle, &vk.DescriptorSetAllocateInfo{SType: vk.STypeDescriptorSetAllocateInfo,
		DescriptorPool: r.res.pool, DescriptorSetCount: 1, PSetLayouts: &r.res.setLayout}, set).Err(); err != nil {
		return fmt.Errorf("render: descriptor set: %w", err)
	}
	return nil
}

// free destroys all recordings; nothing may be in flight, and the descriptor pool goes next.
func (s *recordings) free(r *renderer) {
	r.d.Commands.DestroyCommandPool(r.c, r.d.Handle, s.pool, nil)
	*s = recordings{}
}
