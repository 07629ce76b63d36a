package render

import (
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// entry is one frame on its way through the GPU: what it was uploaded to, its command
// buffers and every structure that Vulkan reads while it is recorded and submitted.
// Entries live in one heap slice for the life of the renderer.
type entry struct {
	uploadCB, drawCB vk.CommandBuffer
	set              vk.DescriptorSet
	local            *gpu.Buffer // in GPU memory
	staging          *gpu.Buffer // written by the CPU
	images           [3]*gpu.Image

	frame     *media.Frame // released when the GPU has read it
	inPlace   bool         // the shader reads the frame's own memory
	decoded   *gpu.Picture // that memory, when it is the GPU's
	lane      *lane        // that copies, nil when the graphics queue does
	laneValue uint64
	drawValue uint64

	from    placed // where the last upload found the planes
	pic     picture
	push    pushConstants
	buffers [1]vk.DescriptorBufferInfo
	views   [3]vk.DescriptorImageInfo
	target  [1]vk.DescriptorImageInfo
	writes  [4]vk.WriteDescriptorSet

	begin       vk.CommandBufferBeginInfo
	region      vk.BufferCopy2
	copyBuffer  vk.CopyBufferInfo2
	regions     [3]vk.BufferImageCopy2
	copyImages  [3]vk.CopyBufferToImageInfo2
	toCopy      [3]vk.ImageMemoryBarrier2
	toRead      [3]vk.ImageMemoryBarrier2
	copied      vk.MemoryBarrier2
	dependToDst vk.DependencyInfo
	dependRead  vk.DependencyInfo
	dependCopy  vk.DependencyInfo

	toDraw     vk.ImageMemoryBarrier2
	toShow     vk.ImageMemoryBarrier2
	dependDraw vk.DependencyInfo
	dependShow vk.DependencyInfo
	attachment vk.RenderingAttachmentInfo
	rendering  vk.RenderingInfo
	viewport   vk.Viewport
	scissor    vk.Rect2D

	laneCommand vk.CommandBufferSubmitInfo
	laneSignal  vk.SemaphoreSubmitInfo
	laneSubmit  vk.SubmitInfo2
	drawCommand vk.CommandBufferSubmitInfo
	drawWaits   [3]vk.SemaphoreSubmitInfo
	drawSignals [2]vk.SemaphoreSubmitInfo
	drawSubmit  vk.SubmitInfo2
}

// picture is what a redraw must know of a frame.
type picture struct {
	format        media.PixelFormat
	width, height int
	color         media.Color // resolved
	sar           media.Rational
	orientation   media.Orientation
}

func pictureOf(f *media.Frame) picture {
	return picture{f.Format, f.Width, f.Height, f.Color.Resolve(f.Format, f.Width, f.Height), f.SAR, f.Orientation}
}

// drop releases the entry's frame.
func (e *entry) drop() {
	if e.frame != nil {
		e.frame.Release()
		e.frame, e.decoded = nil, nil
	}
}

func imageBarrier() vk.ImageMemoryBarrier2 {
	return vk.ImageMemoryBarrier2{SType: vk.STypeImageMemoryBarrier2, SrcQueueFamilyIndex: vk.QUEUE_FAMILY_IGNORED,
		DstQueueFamilyIndex: vk.QUEUE_FAMILY_IGNORED, SubresourceRange: gpu.ColorRange}
}

// initEntry fills in what never changes.
func (r *renderer) initEntry(e *entry) (err error) {
	if e.drawCB, err = r.commandBuffer(r.pools[0]); err != nil {
		return err
	}
	if r.mode.transfer() {
		if e.uploadCB, err = r.commandBuffer(r.pools[1]); err != nil {
			return err
		}
	}
	e.begin = vk.CommandBufferBeginInfo{SType: vk.STypeCommandBufferBeginInfo, Flags: vk.COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT}
	e.region = vk.BufferCopy2{SType: vk.STypeBufferCopy2}
	e.copyBuffer = vk.CopyBufferInfo2{SType: vk.STypeCopyBufferInfo2, RegionCount: 1, PRegions: &e.region}
	for i := range e.regions {
		e.regions[i] = vk.BufferImageCopy2{SType: vk.STypeBufferImageCopy2}
		e.copyImages[i] = vk.CopyBufferToImageInfo2{SType: vk.STypeCopyBufferToImageInfo2, DstImageLayout: vk.IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
			RegionCount: 1, PRegions: &e.regions[i]}
		e.toCopy[i], e.toRead[i] = imageBarrier(), imageBarrier()
		b := &e.toCopy[i]
		b.DstStageMask, b.DstAccessMask, b.NewLayout = vk.PIPELINE_STAGE_2_COPY_BIT, vk.ACCESS_2_TRANSFER_WRITE_BIT, vk.IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL
		b = &e.toRead[i]
		b.SrcStageMask, b.SrcAccessMask = vk.PIPELINE_STAGE_2_COPY_BIT, vk.ACCESS_2_TRANSFER_WRITE_BIT
		b.OldLayout, b.NewLayout = vk.IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, vk.IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL
	}
	e.copied = vk.MemoryBarrier2{SType: vk.STypeMemoryBarrier2, SrcStageMask: vk.PIPELINE_STAGE_2_COPY_BIT, SrcAccessMask: vk.ACCESS_2_TRANSFER_WRITE_BIT}
	e.dependToDst = vk.DependencyInfo{SType: vk.STypeDependencyInfo, PImageMemoryBarriers: &e.toCopy[0]}
	e.dependRead = vk.DependencyInfo{SType: vk.STypeDependencyInfo, PImageMemoryBarriers: &e.toRead[0]}
	e.dependCopy = vk.DependencyInfo{SType: vk.STypeDependencyInfo, MemoryBarrierCount: 1, PMemoryBarriers: &e.copied}
	e.toDraw, e.toShow = imageBarrier(), imageBarrier()
	e.dependDraw = vk.DependencyInfo{SType: vk.STypeDependencyInfo, ImageMemoryBarrierCount: 1, PImageMemoryBarriers: &e.toDraw}
	e.dependShow = vk.DependencyInfo{SType: vk.STypeDependencyInfo, ImageMemoryBarrierCount: 1, PImageMemoryBarriers: &e.toShow}
	e.attachment = vk.RenderingAttachmentInfo{SType: vk.STypeRenderingAttachmentInfo, ImageLayout: vk.IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
		LoadOp: vk.ATTACHMENT_LOAD_OP_DONT_CARE, StoreOp: vk.ATTACHMENT_STORE_OP_STORE}
	e.rendering = vk.RenderingInfo{SType: vk.STypeRenderingInfo, LayerCount: 1, ColorAttachmentCount: 1, PColorAttachments: &e.attachment}

	e.laneCommand = vk.CommandBufferSubmitInfo{SType: vk.STypeCommandBufferSubmitInfo, CommandBuffer: e.uploadCB}
	e.laneSignal = vk.SemaphoreSubmitInfo{SType: vk.STypeSemaphoreSubmitInfo, StageMask: vk.PIPELINE_STAGE_2_ALL_COMMANDS_BIT}
	e.laneSubmit = vk.SubmitInfo2{SType: vk.STypeSubmitInfo2, CommandBufferInfoCount: 1, PCommandBufferInfos: &e.laneCommand,
		SignalSemaphoreInfoCount: 1, PSignalSemaphoreInfos: &e.laneSignal}
	e.drawCommand = vk.CommandBufferSubmitInfo{SType: vk.STypeCommandBufferSubmitInfo, CommandBuffer: e.drawCB}
	for i := range e.drawWaits {
		e.drawWaits[i] = vk.SemaphoreSubmitInfo{SType: vk.STypeSemaphoreSubmitInfo}
	}
	for i := range e.drawSignals {
		e.drawSignals[i] = vk.SemaphoreSubmitInfo{SType: vk.STypeSemaphoreSubmitInfo, StageMask: vk.PIPELINE_STAGE_2_ALL_COMMANDS_BIT}
	}
	e.drawSubmit = vk.SubmitInfo2{SType: vk.STypeSubmitInfo2, CommandBufferInfoCount: 1, PCommandBufferInfos: &e.drawCommand,
		PWaitSemaphoreInfos: &e.drawWaits[0], PSignalSemaphoreInfos: &e.drawSignals[0]}
	for i := range e.writes {
		e.writes[i] = vk.WriteDescriptorSet{SType: vk.STypeWriteDescriptorSet, DescriptorCount: 1}
	}
	return nil
}
