package render

import (
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
)

// linearSlot is a pool slot's images and where they lie.
type linearSlot struct {
	images  [3]*gpu.Image
	offsets [3]uint64
	strides [3]int
}

// linearImages returns the images that lie on the pool slot of e's frame, making them
// the first time the slot is seen with planes at these places.
func (r *renderer) linearImages(e *entry) (*[3]*gpu.Image, error) {
	p := &e.from
	for len(r.linear) <= int(p.slot) {
		r.linear = append(r.linear, linearSlot{})
	}
	s := &r.linear[p.slot]
	if s.images[0] != nil && s.offsets == p.offsets && s.strides == p.strides {
		return &s.images, nil
	}
	if s.images[0] != nil {
		if err := r.wait(); err != nil {
			return nil, err
		}
	}
	r.dropLinear(s)
	s.offsets, s.strides = p.offsets, p.strides
	for i, pl := range r.res.planes[:r.res.planeCount] {
		im, err := r.d.ImportImage(r.mapping, int(p.offsets[i]), p.strides[i], gpu.ImageConfig{
			Width: pl.width, Height: pl.height, Format: pl.format, Usage: vk.IMAGE_USAGE_SAMPLED_BIT})
		if err == nil {
			s.images[i] = im
			err = r.readable(im)
		}
		if err != nil {
			r.dropLinear(s)
			return nil, err
		}
	}
	return &s.images, nil
}

func (r *renderer) dropLinear(s *linearSlot) {
	for i, im := range s.images {
		r.d.FreeImage(im)
		s.images[i] = nil
	}
}

// readable moves a linear image once to the layout in which both the CPU's writes and
// the shader's reads are allowed. Imported images start in an undefined layout; a linear
// image's samples lie where they lay, whatever its layout.
func (r *renderer) readable(im *gpu.Image) error {
	cb, err := r.commandBuffer(r.pools[0])
	if err != nil {
		return err
	}
	defer r.d.Commands.FreeCommandBuffers(r.c, r.d.Handle, r.pools[0], 1, &cb)
	b := imageBarrier()
	b.Image, b.OldLayout, b.NewLayout = im.Handle, vk.IMAGE_LAYOUT_UNDEFINED, vk.IMAGE_LAYOUT_GENERAL
	b.SrcStageMask, b.SrcAccessMask = vk.PIPELINE_STAGE_2_HOST_BIT, vk.ACCESS_2_HOST_WRITE_BIT
	b.DstStageMask, b.DstAccessMask = vk.PIPELINE_STAGE_2_ALL_COMMANDS_BIT, vk.ACCESS_2_SHADER_SAMPLED_READ_BIT
	return r.once(cb, func() {
		r.d.Commands.CmdPipelineBarrier2(r.c, cb, &vk.DependencyInfo{SType: vk.STypeDependencyInfo, ImageMemoryBarrierCount: 1, PImageMemoryBarriers: &b})
	})
}

// once records and submits commands on the graphics queue and waits for them: for
// set-up and screenshots.
func (r *renderer) once(cb vk.CommandBuffer, record func()) error {
	k := r.d.Commands
	if err := k.BeginCommandBuffer(r.c, cb, &vk.CommandBufferBeginInfo{SType: vk.STypeCommandBufferBeginInfo, Flags: vk.COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT}).Err(); err != nil {
		return r.fail(err)
	}
	record()
	if err := k.EndCommandBuffer(r.c, cb).Err(); err != nil {
		return r.fail(err)
	}
	signal := &vk.SemaphoreSubmitInfo{SType: vk.STypeSemaphoreSubmitInfo, Semaphore: r.draws.Handle, Value: r.draws.Next + 1, StageMask: vk.PIPELINE_STAGE_2_ALL_COMMANDS_BIT}
	submit := &vk.SubmitInfo2{SType: vk.STypeSubmitInfo2, CommandBufferInfoCount: 1,
		PCommandBufferInfos:      &vk.CommandBufferSubmitInfo{SType: vk.STypeCommandBufferSubmitInfo, CommandBuffer: cb},
		SignalSemaphoreInfoCount: 1, PSignalSemaphoreInfos: signal}
	if err := r.d.Graphics.Submit(r.d, r.c, submit).Err(); err != nil {
		return r.fail(err)
	}
	r.draws.Next++
	return r.wait()
}
