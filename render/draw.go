package render

import (
	"fmt"

	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
)

const (
	stagingPlace = gpu.Staging
	localPlace   = gpu.Local
)

// target is where a picture is drawn.
type target struct {
	image *gpu.Image
	// shown is the layout that the image is left in; UNDEFINED leaves it as it was drawn.
	shown vk.ImageLayout
	// acquired and drawn are binary semaphores of a swapchain, 0 for none.
	acquired, drawn vk.Semaphore
	compute         bool
	// again says that the image will be drawn to again.
	again bool
}

// drawnLayout is the layout that t has after drawing.
func (t *target) drawnLayout() vk.ImageLayout {
	switch {
	case t.shown != vk.IMAGE_LAYOUT_UNDEFINED:
		return t.shown
	case t.compute:
		return vk.IMAGE_LAYOUT_GENERAL
	}
	return vk.IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL
}

// draw draws e's picture to t. The first draw after an upload also does what the
// graphics queue has to copy.
func (r *renderer) draw(e *entry, t *target, again bool) error {
	pipeline, err := r.pipelineFor(e, t, r.place(e, t))
	if err != nil {
		return err
	}
	if rec := r.recordingFor(e, t, pipeline); rec != nil {
		if !rec.valid {
			if err := r.record(e, t, rec.cb, &rec.set, 0, pipeline, true); err != nil {
				return err
			}
			rec.valid = true
		}
		e.drawCommand.CommandBuffer = rec.cb
		err := r.submit(e, t)
		if err == nil {
			rec.value = e.drawValue
		}
		return err
	}
	if err := r.record(e, t, e.drawCB, &e.set, vk.COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT, pipeline, again); err != nil {
		return err
	}
	e.drawCommand.CommandBuffer = e.drawCB
	return r.submit(e, t)
}

// record records the draw of e's picture to t.
func (r *renderer) record(e *entry, t *target, cb vk.CommandBuffer, set *vk.DescriptorSet, usage vk.CommandBufferUsageFlags, pipeline vk.Pipeline, again bool) error {
	if err := r.describe(e, t, *set); err != nil {
		return err
	}
	k, c := r.d.Commands, r.c
	e.begin.Flags = usage
	if err := k.BeginCommandBuffer(c, cb, &e.begin).Err(); err != nil {
		return r.fail(fmt.Errorf("render: record a draw: %w", err))
	}
	stage := vk.PIPELINE_STAGE_2_FRAGMENT_SHADER_BIT
	if t.compute {
		stage = vk.PIPELINE_STAGE_2_COMPUTE_SHADER_BIT
	}
	if !again {
		r.recordCopies(e, cb, stage)
	}
	r.recordPicture(e, t, cb, set, pipeline)
	if err := k.EndCommandBuffer(c, cb).Err(); err != nil {
		return r.fail(fmt.Errorf("render: record a draw: %w", err))
	}
	return nil
}

// recordCopies records what the graphics queue copies.
func (r *renderer) recordCopies(e *entry, cb vk.CommandBuffer, stage vk.PipelineStageFlags2) {
	switch e.from.mode {
	case UploadGraphicsBuffer:
		r.d.Commands.CmdCopyBuffer2(r.c, cb, &e.copyBuffer)
		e.copied.DstStageMask, e.copied.DstAccessMask = stage, vk.ACCESS_2_SHADER_STORAGE_READ_BIT
		r.d.Commands.CmdPipelineBarrier2(r.c, cb, &e.dependCopy)
	case UploadGraphicsImage, UploadTransferBufferImage:
		r.recordImageCopies(e, cb, stage, vk.ACCESS_2_SHADER_SAMPLED_READ_BIT)
	}
}

func (r *renderer) recordPicture(e *entry, t *target, cb vk.CommandBuffer, set *vk.DescriptorSet, pipeline vk.Pipeline) {
	k, c, res := r.d.Commands, r.c, &r.res
	b := &e.toDraw
	b.Image, b.OldLayout = t.image.Handle, vk.IMAGE_LAYOUT_UNDEFINED
	s := &e.toShow
	s.Image, s.NewLayout, s.DstStageMask, s.DstAccessMask = t.image.Handle, t.shown, vk.PIPELINE_STAGE_2_NONE, 0
	bind := vk.PIPELINE_BIND_POINT_GRAPHICS
	if t.compute {
		bind = vk.PIPELINE_BIND_POINT_COMPUTE
		b.SrcStageMask, b.DstStageMask = vk.PIPELINE_STAGE_2_COMPUTE_SHADER_BIT, vk.PIPELINE_STAGE_2_COMPUTE_SHADER_BIT
		b.DstAccessMask, b.NewLayout = vk.ACCESS_2_SHADER_STORAGE_WRITE_BIT, vk.IMAGE_LAYOUT_GENERAL
	} else {
		// The wait for a swapchain's image covers the same stage, so that the change of
		// layout comes after it.
		b.SrcStageMask, b.DstStageMask = vk.PIPELINE_STAGE_2_COLOR_ATTACHMENT_OUTPUT_BIT, vk.PIPELINE_STAGE_2_COLOR_ATTACHMENT_OUTPUT_BIT
		b.DstAccessMask, b.NewLayout = vk.ACCESS_2_COLOR_ATTACHMENT_WRITE_BIT, vk.IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL
	}
	s.SrcStageMask, s.SrcAccessMask, s.OldLayout = b.DstStageMask, b.DstAccessMask, b.NewLayout
	k.CmdPipelineBarrier2(c, cb, &e.dependDraw)
	k.CmdBindPipeline(c, cb, bind, pipeline)
	k.CmdBindDescriptorSets(c, cb, bind, res.layout, 0, 1, set, 0, nil)
	gpu.PushConstants(r.d, c, cb, res.layout, stages, &e.push)
	if t.compute {
		k.CmdDispatch(c, cb, uint32(t.image.Width+31)/32, uint32(t.image.Height+3)/4, 1)
	} else {
		e.scissor = vk.Rect2D{Extent: vk.Extent2D{Width: uint32(t.image.Width), Height: uint32(t.image.Height)}}
		e.viewport = vk.Viewport{Width: float32(t.image.Width), Height: float32(t.image.Height), MaxDepth: 1}
		e.attachment.ImageView, e.rendering.RenderArea = t.image.View, e.scissor
		k.CmdSetViewport(c, cb, 0, 1, &e.viewport)
		k.CmdSetScissor(c, cb, 0, 1, &e.scissor)
		k.CmdBeginRendering(c, cb, &e.rendering)
		k.CmdDraw(c, cb, 3, 1, 0, 0)
		k.CmdEndRendering(c, cb)
	}
	if t.shown != vk.IMAGE_LAYOUT_UNDEFINED {
		k.CmdPipelineBarrier2(c, cb, &e.dependShow)
	}
}

func (r *renderer) submit(e *entry, t *target) error {
	n := uint32(0)
	if e.lane != nil {
		e.drawWaits[n].Semaphore, e.drawWaits[n].Value = e.lane.done.Handle, e.laneValue
		e.drawWaits[n].StageMask = vk.PIPELINE_STAGE_2_ALL_COMMANDS_BIT
		n++
	}
	if p := e.decoded; p != nil {
		e.drawWaits[n].Semaphore, e.drawWaits[n].Value = p.Ready, p.Value
		e.drawWaits[n].StageMask = vk.PIPELINE_STAGE_2_ALL_COMMANDS_BIT
		n++
	}
	if t.acquired != 0 {
		e.drawWaits[n].Semaphore, e.drawWaits[n].Value = t.acquired, 0
		e.drawWaits[n].StageMask = vk.PIPELINE_STAGE_2_COLOR_ATTACHMENT_OUTPUT_BIT
		n++
	}
	e.drawSubmit.WaitSemaphoreInfoCount = n
	e.drawSignals[0].Semaphore, e.drawSignals[0].Value = r.draws.Handle, r.draws.Next+1
	e.drawSubmit.SignalSemaphoreInfoCount = 1
	if t.drawn != 0 {
		e.drawSignals[1].Semaphore, e.drawSignals[1].Value = t.drawn, 0
		e.drawSubmit.SignalSemaphoreInfoCount = 2
	}
	if err := r.d.Graphics.Submit(r.d, r.c, &e.drawSubmit).Err(); err != nil {
		return r.fail(fmt.Errorf("render: submit a draw: %w", err))
	}
	r.draws.Next++
	e.drawValue = r.draws.Next
	return nil
}

// place fills in colour and geometry of e's picture on t and reports whether luma must
// be interpolated.
func (r *renderer) place(e *entry, t *target) (linear bool) {
	p := &e.pic
	w, h := displaySize(p)
	rect := Fit(w, h, t.image.Width, t.image.Height)
	m := placement(rect, p.width, p.height, p.orientation)
	e.push.setPlacement(rect, &m, p)
	e.push.off0, e.push.off1 = 0, 0
	if d := e.decoded; d != nil {
		e.push.off0, e.push.off1 = uint32(d.X), uint32(d.Y)
	}
	if r.res.source == sourceYCbCr {
		e.push.setColor(p, r.res.ycbcrScale, sampleLayout(p.format) == layoutSemiPlanarVU)
		e.push.stride0, e.push.stride1 = uint32(r.res.width), uint32(r.res.height)
	} else {
		e.push.setColor(p, 0, false)
	}
	return r.cfg.Filter == FilterLinear && !m.exact()
}

// describe points the descriptors of set at e's samples and at t.
func (r *renderer) describe(e *entry, t *target, set vk.DescriptorSet) error {
	n := uint32(0)
	write := func() *vk.WriteDescriptorSet {
		w := &e.writes[n]
		n++
		w.DstSet, w.PBufferInfo, w.PImageInfo = set, nil, nil
		return w
	}
	if r.res.source == sourceStorage {
		w := write()
		w.DstBinding, w.DescriptorType, w.PBufferInfo = 0, vk.DESCRIPTOR_TYPE_STORAGE_BUFFER, &e.buffers[0]
		if err := r.bindStorage(e); err != nil {
			return err
		}
	} else if e.decoded != nil {
		count, err := r.bindDecoded(e)
		if err != nil {
			return err
		}
		for i := range count {
			w := write()
			w.DstBinding, w.DescriptorType, w.PImageInfo = uint32(i), vk.DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, &e.views[i]
		}
	} else {
		count, layout := 3, vk.IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL
		if r.res.source == sourceYCbCr {
			count = 1
		}
		images := &e.images
		if e.from.mode == UploadLinear {
			s, err := r.linearImages(e)
			if err != nil {
				return err
			}
			images, layout = s, vk.IMAGE_LAYOUT_GENERAL
		}
		for i := range count {
			im := images[i]
			if im == nil {
				im = images[0] // not read, but the shader names it
			}
			e.views[i] = vk.DescriptorImageInfo{ImageView: im.View, ImageLayout: layout}
			w := write()
			w.DstBinding, w.DescriptorType, w.PImageInfo = uint32(i), vk.DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, &e.views[i]
		}
	}
	if t.compute {
		e.target[0] = vk.DescriptorImageInfo{ImageView: t.image.View, ImageLayout: vk.IMAGE_LAYOUT_GENERAL}
		w := write()
		w.DstBinding, w.DescriptorType, w.PImageInfo = 3, vk.DESCRIPTOR_TYPE_STORAGE_IMAGE, &e.target[0]
	}
	r.d.Commands.UpdateDescriptorSets(r.c, r.d.Handle, n, &e.writes[0], 0, nil)
	return nil
}

// pipelineFor finds the pipeline that draws e's picture to t.
func (r *renderer) pipelineFor(e *entry, t *target, linear bool) (vk.Pipeline, error) {
	d := e.pic.format.Info()
	key := pipelineKey{source: r.res.source, compute: t.compute, layout: r.res.layout}
	if !t.compute {
		key.target = t.image.Format
	}
	key.constants = [7]uint32{sampleLayout(e.pic.format), uint32(d.SampleBytes), uint32(d.Shift), 0, uint32(d.ChromaX), uint32(d.ChromaY), 128 << (d.BitDepth - 8)}
	if linear {
		key.constants[3] = 1
	}
	return r.pipeline(key)
}

// bindStorage points the storage buffer at the planes.
func (r *renderer) bindStorage(e *entry) error {
	p := &e.from
	b := &e.buffers[0]
	base := p.start &^ 15
	if p.mode == UploadDirect {
		base = p.start / r.d.StorageAlign * r.d.StorageAlign
		b.Buffer, b.Offset, b.Range = p.buffer, base, min((p.end+3)&^3, p.size)-base
	} else {
		b.Buffer, b.Offset, b.Range = e.local.Handle, 0, e.local.Size
	}
	if b.Range > r.d.MaxStorageRange {
		return fmt.Errorf("render: a frame of %d bytes: %s reads buffers of up to %d; use upload mode %v", b.Range, r.d.Name, r.d.MaxStorageRange, UploadGraphicsImage)
	}
	g := &e.push
	g.off0, g.off1, g.off2 = uint32(p.offsets[0]-base), uint32(p.offsets[1]-base), uint32(p.offsets[2]-base)
	g.stride0, g.stride1, g.stride2 = uint32(p.strides[0]), uint32(p.strides[1]), uint32(p.strides[2])
	return nil
}
