package render

import (
	"fmt"
	"image"

	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
)

// readBack copies a drawn target to memory, waiting for the GPU. It is for screenshots
// and for files, not for display.
// Shape: dst has the target's size.
func (r *renderer) readBack(t *target, dst *image.RGBA) error {
	w, h := t.image.Width, t.image.Height
	if dst.Rect.Dx() != w || dst.Rect.Dy() != h {
		return fmt.Errorf("render: read %dx%d into an image of %dx%d", w, h, dst.Rect.Dx(), dst.Rect.Dy())
	}
	b, err := r.d.NewBuffer(uint64(w*h*4), vk.BUFFER_USAGE_TRANSFER_DST_BIT, gpu.ReadBack)
	if err != nil {
		return err
	}
	defer r.d.FreeBuffer(b)
	cb, err := r.commandBuffer(r.pools[0])
	if err != nil {
		return err
	}
	defer r.d.Commands.FreeCommandBuffers(r.c, r.d.Handle, r.pools[0], 1, &cb)
	k := r.d.Commands
	layout := t.drawnLayout()
	to, back := new(vk.ImageMemoryBarrier2), new(vk.ImageMemoryBarrier2)
	*to, *back = imageBarrier(), imageBarrier()
	to.Image, to.OldLayout, to.NewLayout = t.image.Handle, layout, vk.IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL
	to.SrcStageMask, to.SrcAccessMask = vk.PIPELINE_STAGE_2_ALL_COMMANDS_BIT, vk.ACCESS_2_MEMORY_WRITE_BIT
	to.DstStageMask, to.DstAccessMask = vk.PIPELINE_STAGE_2_COPY_BIT, vk.ACCESS_2_TRANSFER_READ_BIT
	back.Image, back.OldLayout, back.NewLayout = t.image.Handle, vk.IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, layout
	back.SrcStageMask, back.DstStageMask = vk.PIPELINE_STAGE_2_COPY_BIT, vk.PIPELINE_STAGE_2_ALL_COMMANDS_BIT
	host := &vk.MemoryBarrier2{SType: vk.STypeMemoryBarrier2, SrcStageMask: vk.PIPELINE_STAGE_2_COPY_BIT, SrcAccessMask: vk.ACCESS_2_TRANSFER_WRITE_BIT,
		DstStageMask: vk.PIPELINE_STAGE_2_HOST_BIT, DstAccessMask: vk.ACCESS_2_HOST_READ_BIT}
	region := &vk.BufferImageCopy2{SType: vk.STypeBufferImageCopy2, ImageExtent: vk.Extent3D{Width: uint32(w), Height: uint32(h), Depth: 1},
		ImageSubresource: vk.ImageSubresourceLayers{AspectMask: vk.IMAGE_ASPECT_COLOR_BIT, LayerCount: 1}}
	if err := r.once(cb, func() {
		k.CmdPipelineBarrier2(r.c, cb, &vk.DependencyInfo{SType: vk.STypeDependencyInfo, ImageMemoryBarrierCount: 1, PImageMemoryBarriers: to})
		k.CmdCopyImageToBuffer2(r.c, cb, &vk.CopyImageToBufferInfo2{SType: vk.STypeCopyImageToBufferInfo2, SrcImage: t.image.Handle,
			SrcImageLayout: vk.IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, DstBuffer: b.Handle, RegionCount: 1, PRegions: region})
		k.CmdPipelineBarrier2(r.c, cb, &vk.DependencyInfo{SType: vk.STypeDependencyInfo, MemoryBarrierCount: 1, PMemoryBarriers: host,
			ImageMemoryBarrierCount: 1, PImageMemoryBarriers: back})
	}); err != nil {
		return fmt.Errorf("render: read a picture back: %w", err)
	}
	for y := range h {
		copy(dst.Pix[y*dst.Stride:y*dst.Stride+4*w], b.Mapped[y*4*w:])
	}
	return nil
}

// screenshot draws the picture on screen once more, at its own size, and reads it.
func (r *renderer) screenshot() (*image.RGBA, error) {
	if r.current < 0 {
		return nil, fmt.Errorf("render: nothing has been drawn yet")
	}
	e := &r.entries[r.current]
	w, h := displaySize(&e.pic)
	m := int(r.d.MaxImageDimension)
	w, h = min(w, m), min(h, m)
	im, err := r.d.NewImage(gpu.ImageConfig{Width: w, Height: h, Format: vk.FORMAT_R8G8B8A8_UNORM,
		Usage: vk.IMAGE_USAGE_COLOR_ATTACHMENT_BIT | vk.IMAGE_USAGE_TRANSFER_SRC_BIT})
	if err != nil {
		return nil, err
	}
	defer func() {
		_ = r.wait() // it may be drawn to when it cannot be read; a loss is met again
		r.d.FreeImage(im)
	}()
	if err := r.wait(); err != nil { // the entry's command buffer is free after that
		return nil, err
	}
	t := &target{image: im}
	if err := r.draw(e, t, true); err != nil {
		return nil, err
	}
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	if err := r.readBack(t, dst); err != nil {
		return nil, err
	}
	return dst, nil
}
