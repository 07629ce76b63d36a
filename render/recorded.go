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

	// What was recorded. While pic and target are referenced here, no other picture or
	// image has their addresses.
	pic      *gpu.Picture
	target   *gpu.Image
	layout   vk.ImageLayout // of the picture
	shown    vk.ImageLayout // of the target
	compute  bool
	pipeline vk.Pipeline
	push     pushConstants
	valid    bool

	value uint64 // of the draw timeline when it was submitted last
}

// recordings keeps recordings, the least recently used of which make room.
type recordings struct {
	all  []*recording // by use, the newest last
	pool vk.CommandPool
	made int64 // how often one was recorded
}

// recordingFor returns the recording for e's picture on t, valid when it draws what pipeline
// and e say; nil where none can be had: the entry's own command buffer will do.
func (r *renderer) recordingFor(e *entry, t *target, pipeline vk.Pipeline) *recording {
	if e.decoded == nil || !t.again || r.res.source == sourceYCbCr { // whose view may be made anew
		return nil
	}
	all := r.recorded.all
	at := len(all) - 1
	for at >= 0 && (all[at].pic != e.decoded || all[at].target != t.image) {
		at--
	}
	if at < 0 {
		var err error
		if at, err = r.anotherRecording(); err != nil {
			return nil
		}
		all = r.recorded.all
	}
	rec := all[at]
	if done, err := r.draws.Done(r.c, rec.value); err != nil || !done {
		return nil // still on its way; an error is met again
	}
	copy(all[at:], all[at+1:])
	all[len(all)-1] = rec
	rec.valid = rec.valid && rec.pic == e.decoded && rec.target == t.image && rec.layout == e.decoded.Layout && rec.shown == t.shown &&
		rec.compute == t.compute && rec.pipeline == pipeline && rec.push == e.push
	if !rec.valid {
		r.recorded.made++
		rec.pic, rec.target, rec.layout, rec.shown = e.decoded, t.image, e.decoded.Layout, t.shown
		rec.compute, rec.pipeline, rec.push = t.compute, pipeline, e.push
	}
	return rec
}

// anotherRecording returns the place of one that can be recorded anew.
func (r *renderer) anotherRecording() (at int, err error) {
	if len(r.recorded.all) == maxRecordings {
		return 0, nil
	}
	if r.recorded.pool == 0 {
		if r.recorded.pool, err = r.commandPool(r.d.Graphics.Family); err != nil {
			return 0, err
		}
	}
	rec := new(recording)
	if err = r.newSet(&rec.set); err != nil {
		return 0, err
	}
	if rec.cb, err = r.commandBuffer(r.recorded.pool); err != nil {
		return 0, err
	}
	r.recorded.all = append(r.recorded.all, rec)
	return len(r.recorded.all) - 1, nil
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
