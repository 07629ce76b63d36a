package vkvideo

import (
	"fmt"

	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// readBack copies pictures from GPU memory to frames of a pool, planar as software
// decoders make them. It waits for the GPU and is for files and tests.
type readBack struct {
	d    *gpu.Device
	c    *dl.Caller
	to   *framepool.Pool
	done *gpu.Timeline
	pool vk.CommandPool
	cb   vk.CommandBuffer
	mem  *gpu.Buffer

	begin   vk.CommandBufferBeginInfo
	image   vk.ImageMemoryBarrier2
	host    vk.MemoryBarrier2
	depend  vk.DependencyInfo
	regions [2]vk.BufferImageCopy2
	copy    vk.CopyImageToBufferInfo2
	command vk.CommandBufferSubmitInfo
	wait    vk.SemaphoreSubmitInfo
	signal  vk.SemaphoreSubmitInfo
	submit  vk.SubmitInfo2
}

func newReadBack(d *gpu.Device, to *framepool.Pool) (*readBack, error) {
	r := &readBack{d: d, c: new(dl.Caller), to: to}
	var err error
	if r.done, err = d.NewTimeline(); err != nil {
		return nil, err
	}
	k := d.Commands
	if err = k.CreateCommandPool(r.c, d.Handle, &vk.CommandPoolCreateInfo{SType: vk.STypeCommandPoolCreateInfo,
		Flags: vk.COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT, QueueFamilyIndex: d.Graphics.Family}, nil, &r.pool).Err(); err == nil {
		err = k.AllocateCommandBuffers(r.c, d.Handle, &vk.CommandBufferAllocateInfo{SType: vk.STypeCommandBufferAllocateInfo,
			CommandPool: r.pool, CommandBufferCount: 1}, &r.cb).Err()
	}
	if err != nil {
		r.close()
		return nil, fmt.Errorf("vkvideo: command buffer: %w", err)
	}
	r.begin = vk.CommandBufferBeginInfo{SType: vk.STypeCommandBufferBeginInfo, Flags: vk.COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT}
	r.host = vk.MemoryBarrier2{SType: vk.STypeMemoryBarrier2, SrcStageMask: vk.PIPELINE_STAGE_2_COPY_BIT, SrcAccessMask: vk.ACCESS_2_TRANSFER_WRITE_BIT,
		DstStageMask: vk.PIPELINE_STAGE_2_HOST_BIT, DstAccessMask: vk.ACCESS_2_HOST_READ_BIT}
	r.depend = vk.DependencyInfo{SType: vk.STypeDependencyInfo, ImageMemoryBarrierCount: 1, PImageMemoryBarriers: &r.image, PMemoryBarriers: &r.host}
	r.copy = vk.CopyImageToBufferInfo2{SType: vk.STypeCopyImageToBufferInfo2, RegionCount: 2, PRegions: &r.regions[0]}
	r.command = vk.CommandBufferSubmitInfo{SType: vk.STypeCommandBufferSubmitInfo, CommandBuffer: r.cb}
	r.wait = vk.SemaphoreSubmitInfo{SType: vk.STypeSemaphoreSubmitInfo, StageMask: vk.PIPELINE_STAGE_2_ALL_COMMANDS_BIT}
	r.signal = r.wait
	r.submit = vk.SubmitInfo2{SType: vk.STypeSubmitInfo2, CommandBufferInfoCount: 1, PCommandBufferInfos: &r.command,
		WaitSemaphoreInfoCount: 1, PWaitSemaphoreInfos: &r.wait, SignalSemaphoreInfoCount: 1, PSignalSemaphoreInfos: &r.signal}
	return r, nil
}

// read returns a copy of f, which it borrows.
func (r *readBack) read(f *media.Frame) (*media.Frame, error) {
	pic := f.GPU.(*gpu.Picture)
	info := f.Format.Info()
	format := media.I420
	if f.Format == media.P010 {
		format = media.I010
	}
	out, err := r.to.Get()
	if err != nil {
		return nil, err
	}
	if err := r.to.Layout(out, format, f.Width, f.Height, 0); err != nil {
		out.Release()
		return nil, err
	}
	// Chroma of the rounded-up size, as the planes have it.
	var rows, bytes [2]int
	offset, size := 0, 0
	for i := range r.regions {
		bytes[i], rows[i] = f.Format.PlaneSize(i, f.Width, f.Height)
		texel := info.Components[i] * info.SampleBytes
		offset = size
		size = align(size+bytes[i]*rows[i], 16)
		r.regions[i] = vk.BufferImageCopy2{SType: vk.STypeBufferImageCopy2, BufferOffset: uint64(offset),
			ImageSubresource: vk.ImageSubresourceLayers{AspectMask: vk.IMAGE_ASPECT_PLANE_0_BIT << i, BaseArrayLayer: pic.Layer, LayerCount: 1},
			ImageOffset:      vk.Offset3D{X: int32(pic.X >> i), Y: int32(pic.Y >> i)},
			ImageExtent:      vk.Extent3D{Width: uint32(bytes[i] / texel), Height: uint32(rows[i]), Depth: 1}}
	}
	if err := r.download(pic, uint64(size)); err != nil {
		out.Release()
		return nil, fmt.Errorf("vkvideo: read a picture back: %w", err)
	}
	y := r.mem.Mapped[:bytes[0]*rows[0]]
	for i := range rows[0] {
		copyLow(out.Planes[0].Data[i*out.Planes[0].Stride:][:bytes[0]], y[i*bytes[0]:][:bytes[0]], info)
	}
	uv := r.mem.Mapped[offset : offset+bytes[1]*rows[1]]
	for i := range rows[1] {
		split(out.Planes[1].Data[i*out.Planes[1].Stride:][:bytes[1]/2], out.Planes[2].Data[i*out.Planes[2].Stride:][:bytes[1]/2], uv[i*bytes[1]:][:bytes[1]], info)
	}
	out.Color, out.SAR, out.Orientation = f.Color, f.SAR, f.Orientation
	out.PTS, out.Duration, out.Timebase, out.Serial, out.Key = f.PTS, f.Duration, f.Timebase, f.Serial, f.Key
	out.Received, out.Assembled, out.Decoded = f.Received, f.Assembled, f.Decoded
	return out, nil
}

// copyLow copies a row of luma; samples of more than 8 bits move from the high to the low
// bits of their words.
func copyLow(dst, src []byte, info *media.FormatInfo) {
	if info.SampleBytes == 1 {
		copy(dst, src)
		return
	}
	for i := 0; i+1 < len(src); i += 2 {
		v := (uint16(src[i]) | uint16(src[i+1])<<8) >> info.Shift
		dst[i], dst[i+1] = byte(v), byte(v>>8)
	}
}

// split takes a row of interleaved chroma apart.
func split(u, v, src []byte, info *media.FormatInfo) {
	if info.SampleBytes == 1 {
		for i := range u {
			u[i], v[i] = src[2*i], src[2*i+1]
		}
		return
	}
	for i := 0; i+1 < len(u); i += 2 {
		a := (uint16(src[2*i]) | uint16(src[2*i+1])<<8) >> info.Shift
		b := (uint16(src[2*i+2]) | uint16(src[2*i+3])<<8) >> info.Shift
		u[i], u[i+1], v[i], v[i+1] = byte(a), byte(a>>8), byte(b), byte(b>>8)
	}
}

// download copies the regions of pic to r.mem.
func (r *readBack) download(pic *gpu.Picture, size uint64) error {
	if r.mem == nil || r.mem.Size < size {
		r.d.FreeBuffer(r.mem)
		var err error
		if r.mem, err = r.d.NewBuffer(size, vk.BUFFER_USAGE_TRANSFER_DST_BIT, gpu.ReadBack); err != nil {
			return err
		}
	}
	k, c := r.d.Commands, r.c
	if err := k.BeginCommandBuffer(c, r.cb, &r.begin).Err(); err != nil {
		return err
	}
	from := vk.IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL
	if pic.Layout == vk.IMAGE_LAYOUT_GENERAL {
		from = vk.IMAGE_LAYOUT_GENERAL // the decoder may be reading it, too
	}
	b := &r.image
	*b = vk.ImageMemoryBarrier2{SType: vk.STypeImageMemoryBarrier2, SrcQueueFamilyIndex: vk.QUEUE_FAMILY_IGNORED, DstQueueFamilyIndex: vk.QUEUE_FAMILY_IGNORED,
		Image: pic.Image, SubresourceRange: gpu.ColorRange, OldLayout: pic.Layout, NewLayout: from,
		SrcStageMask: vk.PIPELINE_STAGE_2_ALL_COMMANDS_BIT, DstStageMask: vk.PIPELINE_STAGE_2_COPY_BIT, DstAccessMask: vk.ACCESS_2_TRANSFER_READ_BIT}
	b.SubresourceRange.BaseArrayLayer = pic.Layer
	r.depend.MemoryBarrierCount = 0
	k.CmdPipelineBarrier2(c, r.cb, &r.depend)
	r.copy.SrcImage, r.copy.SrcImageLayout, r.copy.DstBuffer = pic.Image, from, r.mem.Handle
	k.CmdCopyImageToBuffer2(c, r.cb, &r.copy)
	b.OldLayout, b.NewLayout = b.NewLayout, b.OldLayout
	b.SrcStageMask, b.SrcAccessMask, b.DstStageMask, b.DstAccessMask = vk.PIPELINE_STAGE_2_COPY_BIT, 0, vk.PIPELINE_STAGE_2_ALL_COMMANDS_BIT, 0
	r.depend.MemoryBarrierCount = 1
	k.CmdPipelineBarrier2(c, r.cb, &r.depend)
	if err := k.EndCommandBuffer(c, r.cb).Err(); err != nil {
		return err
	}
	r.wait.Semaphore, r.wait.Value = pic.Ready, pic.Value
	r.signal.Semaphore, r.signal.Value = r.done.Handle, r.done.Next+1
	if err := r.d.Graphics.Submit(r.d, c, &r.submit).Err(); err != nil {
		return err
	}
	r.done.Next++
	if err := r.done.Wait(c, r.done.Next, hang); err != nil {
		if err == media.ErrAgain {
			err = media.ErrDeviceLost
		}
		return err
	}
	return nil
}

// close destroys everything; nil is fine.
func (r *readBack) close() {
	if r == nil {
		return
	}
	r.done.Close()
	r.d.Commands.DestroyCommandPool(r.c, r.d.Handle, r.pool, nil)
	r.d.FreeBuffer(r.mem)
}
