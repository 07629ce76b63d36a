package vkvideo

import (
	"errors"
	"fmt"

	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// arena holds every structure that Vulkan reads while a picture is recorded and
// submitted. It is one heap object for the life of the decoder: nothing is allocated for
// a picture, and nothing that C sees moves.
type arena struct {
	begin   vk.CommandBufferBeginInfo
	coding  vk.VideoBeginCodingInfoKHR
	control vk.VideoCodingControlInfoKHR
	end     vk.VideoEndCodingInfoKHR
	decode  vk.VideoDecodeInfoKHR
	query   vk.VideoInlineQueryInfoKHR

	slots     [maxSlots + 1]vk.VideoReferenceSlotInfoKHR
	resources [maxSlots + 1]vk.VideoPictureResourceInfoKHR
	setup     vk.VideoReferenceSlotInfoKHR
	offsets   []uint32

	memory   vk.MemoryBarrier2
	before   [maxSlots + 2]vk.ImageMemoryBarrier2
	after    [2]vk.ImageMemoryBarrier2
	copied   [2]vk.ImageMemoryBarrier2
	depend   vk.DependencyInfo
	regions  [2]vk.ImageCopy2
	copyInfo vk.CopyImageInfo2

	command vk.CommandBufferSubmitInfo
	signal  vk.SemaphoreSubmitInfo
	submit  vk.SubmitInfo2
	status  [inFlight]int32
}

const (
	decodeStage  = vk.PIPELINE_STAGE_2_VIDEO_DECODE_BIT_KHR
	decodeAccess = vk.ACCESS_2_VIDEO_DECODE_READ_BIT_KHR | vk.ACCESS_2_VIDEO_DECODE_WRITE_BIT_KHR
)

func newArena() *arena {
	a := &arena{
		begin:   vk.CommandBufferBeginInfo{SType: vk.STypeCommandBufferBeginInfo, Flags: vk.COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT},
		coding:  vk.VideoBeginCodingInfoKHR{SType: vk.STypeVideoBeginCodingInfoKHR},
		control: vk.VideoCodingControlInfoKHR{SType: vk.STypeVideoCodingControlInfoKHR, Flags: vk.VIDEO_CODING_CONTROL_RESET_BIT_KHR},
		end:     vk.VideoEndCodingInfoKHR{SType: vk.STypeVideoEndCodingInfoKHR},
		decode:  vk.VideoDecodeInfoKHR{SType: vk.STypeVideoDecodeInfoKHR},
		query:   vk.VideoInlineQueryInfoKHR{SType: vk.STypeVideoInlineQueryInfoKHR, QueryCount: 1},
		memory: vk.MemoryBarrier2{SType: vk.STypeMemoryBarrier2, SrcStageMask: decodeStage, SrcAccessMask: vk.ACCESS_2_VIDEO_DECODE_WRITE_BIT_KHR,
			DstStageMask: decodeStage, DstAccessMask: decodeAccess},
		depend:   vk.DependencyInfo{SType: vk.STypeDependencyInfo},
		copyInfo: vk.CopyImageInfo2{SType: vk.STypeCopyImageInfo2, RegionCount: 2},
		command:  vk.CommandBufferSubmitInfo{SType: vk.STypeCommandBufferSubmitInfo},
		signal:   vk.SemaphoreSubmitInfo{SType: vk.STypeSemaphoreSubmitInfo, StageMask: vk.PIPELINE_STAGE_2_ALL_COMMANDS_BIT},
		submit:   vk.SubmitInfo2{SType: vk.STypeSubmitInfo2, CommandBufferInfoCount: 1, SignalSemaphoreInfoCount: 1},
		offsets:  make([]uint32, 0, 64),
	}
	for i := range a.resources {
		a.resources[i].SType = vk.STypeVideoPictureResourceInfoKHR
	}
	a.coding.PReferenceSlots = &a.slots[0]
	a.decode.PSetupReferenceSlot = &a.setup
	a.decode.DstPictureResource.SType = vk.STypeVideoPictureResourceInfoKHR
	a.copyInfo.PRegions = &a.regions[0]
	for i := range a.regions {
		a.regions[i] = vk.ImageCopy2{SType: vk.STypeImageCopy2,
			SrcSubresource: vk.ImageSubresourceLayers{AspectMask: vk.IMAGE_ASPECT_PLANE_0_BIT << i, LayerCount: 1},
			DstSubresource: vk.ImageSubresourceLayers{AspectMask: vk.IMAGE_ASPECT_PLANE_0_BIT << i, LayerCount: 1}}
	}
	a.submit.PCommandBufferInfos, a.submit.PSignalSemaphoreInfos = &a.command, &a.signal
	return a
}

// barrier fills in b: im goes from one layout, stage and access to another.
func barrier(b *vk.ImageMemoryBarrier2, im *image, from, to vk.ImageLayout, src vk.PipelineStageFlags2, srcAccess vk.AccessFlags2, dst vk.PipelineStageFlags2, dstAccess vk.AccessFlags2) {
	*b = vk.ImageMemoryBarrier2{SType: vk.STypeImageMemoryBarrier2, SrcStageMask: src, SrcAccessMask: srcAccess, DstStageMask: dst, DstAccessMask: dstAccess,
		OldLayout: from, NewLayout: to, SrcQueueFamilyIndex: vk.QUEUE_FAMILY_IGNORED, DstQueueFamilyIndex: vk.QUEUE_FAMILY_IGNORED,
		Image: im.pic.Image, SubresourceRange: gpu.ColorRange}
	b.SubresourceRange.BaseArrayLayer = im.pic.Layer
}

// resource fills in r: pictures are decoded to im from its top left corner.
func resource(r *vk.VideoPictureResourceInfoKHR, im *image) {
	// The view has one layer, its first.
	r.CodedExtent = vk.Extent2D{Width: uint32(im.width), Height: uint32(im.height)}
	r.ImageViewBinding = im.view
}

// submit decodes p to im, with the others of its batch.
func (v *Video) submit(au *media.AccessUnit, p *picture, im *image) error {
	s := v.seq
	index := int(v.done.Next % inFlight)
	j := &s.jobs[index]
	if j.value != 0 {
		until := j.value
		if done, err := v.done.Done(v.c, until); err == nil && !done {
			// For as many as come next, since every wait costs a sleep.
			until += uint64(max(1, min(v.cfg.Batch, inFlight/2))) - 1
		}
		if err := v.wait(until); err != nil {
			return err
		}
		v.results(s, index, 1)
	}
	segment, err := v.bitstream(au, p)
	if err != nil {
		return err
	}
	ring := s.ring
	if err := v.parameters(); err != nil {
		ring.release(segment)
		return err
	}
	slot := v.slots[p.slot] // what becomes the reference picture
	v.bind(p, im, slot)
	if err := v.record(p, im, slot, j, index); err != nil {
		ring.release(segment)
		return v.fail(err)
	}
	v.done.Next++
	v.batch++
	j.value, j.id, j.corrupt, j.ring, j.segment = v.done.Next, p.id, p.corrupt, ring, segment
	s.reset = false
	if v.batch < v.cfg.Batch {
		return nil
	}
	return v.Submit()
}

// Submit hands what is left of a batch to the device; without one it does nothing.
// Errors: media.ErrDeviceLost, also for what else fails: what was recorded is gone, and
// frames that are out wait for it.
func (v *Video) Submit() error {
	if v.batch == 0 {
		return nil
	}
	v.batch = 0
	a := v.a
	a.signal.Semaphore, a.signal.Value = v.done.Handle, v.done.Next
	err := v.dev.Commands.EndCommandBuffer(v.c, a.command.CommandBuffer).Err()
	if err == nil {
		err = v.queue.Submit(v.dev, v.c, &a.submit).Err()
	}
	if err != nil {
		v.dev.MarkLost()
		if errors.Is(err, media.ErrDeviceLost) {
			return fmt.Errorf("vkvideo: submit pictures: %w", err)
		}
		return fmt.Errorf("vkvideo: submit pictures: %w: %w", err, media.ErrDeviceLost)
	}
	v.sent = v.done.Next
	v.stats.submits.Add(1)
	return nil
}

// bitstream brings p's slices to where the GPU reads them, each with a start code: without
// one hardware looks for it until it gives up.
func (v *Video) bitstream(au *media.AccessUnit, p *picture) (segment int, err error) {
	s, a := v.seq, v.a
	a.offsets = a.offsets[:0]
	first, last := p.slices[0].start, p.slices[len(p.slices)-1].end
	prefix := startCode
	if p.raw {
		first, prefix = p.head, ""
	}
	if segment, ok := s.ring.holds(au); ok && v.codec.annexB() {
		// It lies there already: only its end is padded, behind its last byte.
		for _, sl := range p.slices {
			a.offsets = append(a.offsets, uint32(sl.start))
		}
		end := align(last, int(s.caps.SizeAlign))
		if end <= s.ring.size {
			clear(s.ring.mem[segment*s.ring.size+len(au.Data) : segment*s.ring.size+max(end, len(au.Data))])
			s.ring.retain(segment)
			v.locate(segment, end)
			return segment, nil
		}
		a.offsets = a.offsets[:0]
	}
	need := align(last-first+len(prefix)*len(p.slices), int(s.caps.SizeAlign))
	if need > s.ring.size {
		if err := v.enlarge(need); err != nil {
			return 0, err
		}
	}
	segment, mem, ok := s.ring.Acquire()
	if !ok {
		return 0, fmt.Errorf("vkvideo: all %d segments of bitstream memory are in use", len(s.ring.refs))
	}
	n := 0
	if p.raw {
		n = copy(mem, au.Data[first:last])
	}
	for _, sl := range p.slices {
		if p.raw {
			a.offsets = append(a.offsets, uint32(sl.begin-first))
			continue
		}
		a.offsets = append(a.offsets, uint32(n))
		n += copy(mem[n:], prefix)
		n += copy(mem[n:], au.Data[sl.begin:sl.end])
	}
	end := align(n, int(s.caps.SizeAlign))
	clear(mem[n:end])
	v.locate(segment, end)
	v.stats.copies.Add(1)
	v.stats.copyBytes.Add(int64(n))
	return segment, nil
}

const startCode = "\x00\x00\x01"

// locate says where in bitstream memory the picture lies.
func (v *Video) locate(segment, bytes int) {
	v.a.decode.SrcBuffer = v.seq.ring.buffer.Handle
	v.a.decode.SrcBufferOffset, v.a.decode.SrcBufferRange = uint64(segment*v.seq.ring.size), uint64(bytes)
}

// enlarge makes segments of at least n bytes. The old ring must be out of use.
func (v *Video) enlarge(n int) error {
	s := v.seq
	const limit = 64 << 20
	if n > limit {
		return fmt.Errorf("vkvideo: a picture of %d bytes: no level allows that much", n)
	}
	if err := v.wait(v.done.Next); err != nil {
		return err
	}
	if err := v.harvest(); err != nil {
		return err
	}
	if s.ring.inUse() > 0 {
		return fmt.Errorf("vkvideo: a picture of %d bytes does not fit into segments of %d", n, s.ring.size)
	}
	ring, err := s.makeRing(align(n*3/2, int(max(s.caps.OffsetAlign, s.caps.SizeAlign, 4096))))
	if err != nil {
		return err
	}
	v.dev.FreeBuffer(s.ring.buffer)
	s.ring = ring
	return nil
}

// parameters sees to it that the device has the parameter sets of the picture.
func (v *Video) parameters() error {
	s := v.seq
	if s.kind.noSets {
		return nil
	}
	if s.inlineP {
		return v.codec.inline()
	}
	if s.parameters != 0 && s.version == v.codec.version() {
		return nil
	}
	p, err := v.codec.create(s.session)
	if err != nil {
		return err
	}
	if s.parameters != 0 {
		s.retired = append(s.retired, retired{s.parameters, v.done.Next})
	}
	s.parameters, s.version = p, v.codec.version()
	return nil
}

// bind fills in where the picture goes and what it refers to.
func (v *Video) bind(p *picture, im, slot *image) {
	s, a := v.seq, v.a
	n := 0
	for i, r := range p.refs {
		from := v.slots[r.slot]
		if r.nonExisting || from == nil || r.slot == p.slot {
			continue
		}
		resource(&a.resources[n], from)
		a.slots[n] = vk.VideoReferenceSlotInfoKHR{SType: vk.STypeVideoReferenceSlotInfoKHR, SlotIndex: int32(r.slot), PPictureResource: &a.resources[n]}
		v.codec.reference(i, &a.slots[n])
		n++
	}
	a.decode.ReferenceSlotCount, a.decode.PReferenceSlots = uint32(n), nil
	if n > 0 {
		a.decode.PReferenceSlots = &a.slots[0]
	}
	resource(&a.resources[n], slot)
	a.setup = vk.VideoReferenceSlotInfoKHR{SType: vk.STypeVideoReferenceSlotInfoKHR, SlotIndex: int32(p.slot), PPictureResource: &a.resources[n]}
	v.codec.reference(-1, &a.setup)
	a.slots[n] = a.setup
	a.slots[n].SlotIndex = -1 // bound here, active once it is decoded
	a.coding.ReferenceSlotCount = uint32(n + 1)
	a.coding.VideoSession, a.coding.VideoSessionParameters = s.session.Handle, s.parameters
	if s.inlineP {
		a.coding.VideoSessionParameters = 0
	}
	to := slot
	if s.mode == ImagesDistinct || p.grain {
		to = im
	}
	resource(&a.decode.DstPictureResource, to)
	v.codec.attach(&a.decode, a.offsets)
}

// record records the commands of a picture behind those of its batch.
func (v *Video) record(p *picture, im, slot *image, j *job, index int) error {
	s, a, c, k := v.seq, v.a, v.c, v.dev.Commands
	if v.batch == 0 {
		if err := k.BeginCommandBuffer(c, j.cb, &a.begin).Err(); err != nil {
			return fmt.Errorf("vkvideo: record a picture: %w", err)
		}
		a.command.CommandBuffer = j.cb
	}
	cb := a.command.CommandBuffer
	if s.queries != 0 {
		k.CmdResetQueryPool(c, cb, s.queries, uint32(index), 1)
	}
	v.recordBefore(cb, im, slot, p.grain)
	k.CmdBeginVideoCodingKHR(c, cb, &a.coding)
	if s.reset {
		k.CmdControlVideoCodingKHR(c, cb, &a.control)
	}
	switch {
	case s.queries == 0:
		k.CmdDecodeVideoKHR(c, cb, &a.decode)
	case s.inlineQ:
		a.query.QueryPool, a.query.FirstQuery, a.query.PNext = s.queries, uint32(index), nil
		v.codec.chain(&a.query)
		k.CmdDecodeVideoKHR(c, cb, &a.decode)
	default:
		k.CmdBeginQuery(c, cb, s.queries, uint32(index), 0)
		k.CmdDecodeVideoKHR(c, cb, &a.decode)
		k.CmdEndQuery(c, cb, s.queries, uint32(index))
	}
	k.CmdEndVideoCodingKHR(c, cb, &a.end)
	v.recordAfter(cb, im, slot)
	return nil
}

// reference layout of a mode.
func (s *sequence) layout() vk.ImageLayout {
	if s.mode == ImagesShared {
		return vk.IMAGE_LAYOUT_GENERAL
	}
	return vk.IMAGE_LAYOUT_VIDEO_DECODE_DPB_KHR
}

// recordBefore makes earlier pictures visible and brings images to the layouts in which
// they are written. What the consumer has read it has finished reading: it said so.
func (v *Video) recordBefore(cb vk.CommandBuffer, im, slot *image, grain bool) {
	s, a := v.seq, v.a
	n := uint32(0)
	if slot.fresh || slot == im && s.mode == ImagesCopied { // the consumer's image: another layout, other contents
		barrier(&a.before[n], slot, vk.IMAGE_LAYOUT_UNDEFINED, s.layout(), vk.PIPELINE_STAGE_2_NONE, 0, decodeStage, decodeAccess)
		slot.fresh = false
		n++
	}
	if grain && im.fresh && s.mode == ImagesShared {
		barrier(&a.before[n], im, vk.IMAGE_LAYOUT_UNDEFINED, s.layout(), vk.PIPELINE_STAGE_2_NONE, 0, decodeStage, decodeAccess)
		im.fresh = false
		n++
	}
	if s.mode == ImagesDistinct {
		barrier(&a.before[n], im, vk.IMAGE_LAYOUT_UNDEFINED, vk.IMAGE_LAYOUT_VIDEO_DECODE_DST_KHR, vk.PIPELINE_STAGE_2_NONE, 0, decodeStage, decodeAccess)
		n++
	}
	a.depend.MemoryBarrierCount, a.depend.PMemoryBarriers = 1, &a.memory
	a.depend.ImageMemoryBarrierCount, a.depend.PImageMemoryBarriers = n, &a.before[0]
	v.dev.Commands.CmdPipelineBarrier2(v.c, cb, &a.depend)
}

// recordAfter brings the picture to where and how the consumer reads it; the semaphore
// makes it visible.
func (v *Video) recordAfter(cb vk.CommandBuffer, im, slot *image) {
	s, a, k := v.seq, v.a, v.dev.Commands
	a.depend.MemoryBarrierCount = 0
	switch s.mode {
	case ImagesDistinct:
		barrier(&a.after[0], im, vk.IMAGE_LAYOUT_VIDEO_DECODE_DST_KHR, im.pic.Layout, decodeStage, vk.ACCESS_2_VIDEO_DECODE_WRITE_BIT_KHR, vk.PIPELINE_STAGE_2_NONE, 0)
		a.depend.ImageMemoryBarrierCount, a.depend.PImageMemoryBarriers = 1, &a.after[0]
		k.CmdPipelineBarrier2(v.c, cb, &a.depend)
	case ImagesCopied:
		if slot == im { // no reference picture
			barrier(&a.after[0], im, s.layout(), im.pic.Layout, decodeStage, vk.ACCESS_2_VIDEO_DECODE_WRITE_BIT_KHR, vk.PIPELINE_STAGE_2_NONE, 0)
			a.depend.ImageMemoryBarrierCount, a.depend.PImageMemoryBarriers = 1, &a.after[0]
			k.CmdPipelineBarrier2(v.c, cb, &a.depend)
			return
		}
		const copying = vk.PIPELINE_STAGE_2_COPY_BIT
		barrier(&a.after[0], slot, s.layout(), vk.IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, decodeStage, vk.ACCESS_2_VIDEO_DECODE_WRITE_BIT_KHR, copying, vk.ACCESS_2_TRANSFER_READ_BIT)
		barrier(&a.after[1], im, vk.IMAGE_LAYOUT_UNDEFINED, vk.IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, vk.PIPELINE_STAGE_2_NONE, 0, copying, vk.ACCESS_2_TRANSFER_WRITE_BIT)
		a.depend.ImageMemoryBarrierCount, a.depend.PImageMemoryBarriers = 2, &a.after[0]
		k.CmdPipelineBarrier2(v.c, cb, &a.depend)
		for i := range a.regions {
			r := &a.regions[i]
			r.SrcSubresource.BaseArrayLayer, r.DstSubresource.BaseArrayLayer = slot.pic.Layer, im.pic.Layer
			// Chroma planes count in their own samples.
			r.Extent = vk.Extent3D{Width: uint32(s.kind.width+i) >> i, Height: uint32(s.kind.height+i) >> i, Depth: 1}
		}
		a.copyInfo.SrcImage, a.copyInfo.SrcImageLayout = slot.pic.Image, vk.IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL
		a.copyInfo.DstImage, a.copyInfo.DstImageLayout = im.pic.Image, vk.IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL
		k.CmdCopyImage2(v.c, cb, &a.copyInfo)
		barrier(&a.copied[0], slot, vk.IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, s.layout(), copying, 0, decodeStage, decodeAccess)
		barrier(&a.copied[1], im, vk.IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, im.pic.Layout, copying, vk.ACCESS_2_TRANSFER_WRITE_BIT, vk.PIPELINE_STAGE_2_NONE, 0)
		a.depend.ImageMemoryBarrierCount, a.depend.PImageMemoryBarriers = 2, &a.copied[0]
		k.CmdPipelineBarrier2(v.c, cb, &a.depend)
	}
}
