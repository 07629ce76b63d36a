package render

import (
	"fmt"

	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// placed says where in a buffer the planes of a frame lie.
type placed struct {
	buffer  vk.Buffer
	size    uint64 // of the buffer
	offsets [3]uint64
	strides [3]int
	start   uint64 // of all planes
	end     uint64
	mode    UploadMode
	slot    int32 // of the pool, for linear images
	staged  bool
}

// locate finds f's planes in the imported pool. It fails for frames from elsewhere and
// for planes at places that copies into images do not allow.
func (r *renderer) locate(f *media.Frame, p *placed) bool {
	if r.late && f.Slot >= 0 {
		r.late = false
		r.importPool()
	}
	if r.imported == nil || r.stageAll || f.Slot < 0 {
		return false
	}
	n := f.Format.Info().Planes
	for i := range n {
		pl := &f.Planes[i]
		if pl.Offset < 0 || pl.Offset+int64(len(pl.Data)) > int64(len(r.mapping)) || &pl.Data[0] != &r.mapping[pl.Offset] {
			return false // another pool's
		}
	}
	*p = placed{buffer: r.imported.Handle, size: r.imported.Size, mode: r.mode, slot: f.Slot, start: ^uint64(0)}
	for i := range n {
		p.add(f, i, uint64(f.Planes[i].Offset), f.Planes[i].Stride)
	}
	return p.aligned(f.Format, f.Width, f.Height)
}

func (p *placed) add(f *media.Frame, i int, offset uint64, stride int) {
	row, rows := f.Format.PlaneSize(i, f.Width, f.Height)
	p.offsets[i], p.strides[i] = offset, stride
	p.start = min(p.start, offset)
	p.end = max(p.end, offset+uint64((rows-1)*stride+row))
}

// aligned reports whether offsets and strides are multiples of what copies to images
// need: 4 bytes on a copy engine, and whole texels. Words of 16 bits must not straddle
// for a shader that reads the buffer.
func (p *placed) aligned(f media.PixelFormat, w, h int) bool {
	planes, n := planeImages(f, w, h)
	for i, im := range planes[:n] {
		if p.mode.images() && (p.offsets[i]%max(4, uint64(im.texel)) != 0 || p.strides[i]%im.texel != 0) {
			return false
		}
		if b := f.Info().SampleBytes; int(p.offsets[i])%b != 0 || p.strides[i]%b != 0 {
			return false
		}
	}
	return true
}

// stage copies f's planes to e's staging buffer with the CPU and returns how many it
// copied.
func (r *renderer) stage(e *entry, f *media.Frame, p *placed) (int, error) {
	n := f.Format.Info().Planes
	var offsets [3]uint64
	var strides [3]int
	size := uint64(0)
	for i := range n {
		row, rows := f.Format.PlaneSize(i, f.Width, f.Height)
		offsets[i], strides[i] = size, (row+15)&^15
		size += uint64(rows*strides[i]+63) &^ 63
	}
	if e.staging == nil || e.staging.Size < size {
		r.d.FreeBuffer(e.staging)
		var err error
		if e.staging, err = r.d.NewBuffer(size, vk.BUFFER_USAGE_TRANSFER_SRC_BIT|vk.BUFFER_USAGE_STORAGE_BUFFER_BIT, stagingPlace); err != nil {
			return 0, err
		}
	}
	mode := r.mode
	if mode == UploadLinear {
		mode = UploadGraphicsImage
	}
	*p = placed{buffer: e.staging.Handle, size: e.staging.Size, mode: mode, slot: -1, staged: true, start: ^uint64(0)}
	for i := range n {
		p.add(f, i, offsets[i], strides[i])
		row, rows := f.Format.PlaneSize(i, f.Width, f.Height)
		src, dst := &f.Planes[i], e.staging.Mapped[offsets[i]:]
		for y := range rows {
			copy(dst[y*strides[i]:y*strides[i]+row], src.Data[y*src.Stride:])
		}
	}
	return n, nil
}

// upload gets f to where e's draw reads it. What the graphics queue must copy is left to
// the draw.
// Ownership: takes f.
func (r *renderer) upload(e *entry, f *media.Frame) (copies int, err error) {
	defer func() {
		if err != nil {
			e.drop()
		}
	}()
	e.frame = f
	if f.GPU != nil {
		return 0, r.adopt(e, f)
	}
	if err := f.Check(); err != nil {
		return 0, fmt.Errorf("render: %w", err)
	}
	if m := int(r.d.MaxImageDimension); f.Width > m || f.Height > m {
		return 0, fmt.Errorf("render: %dx%d: %s takes pictures up to %dx%d: %w", f.Width, f.Height, r.d.Name, m, m, media.ErrNotSupported)
	}
	e.pic = pictureOf(f)
	s := shape{format: f.Format, width: f.Width, height: f.Height, images: r.mode.images()}
	if s.images && r.cfg.Sampling == SampleYCbCr {
		s.chroma = e.pic.color.Chroma
	}
	if err := r.adapt(s); err != nil {
		return 0, err
	}
	p := &e.from
	if !r.locate(f, p) {
		if copies, err = r.stage(e, f, p); err != nil {
			return 0, err
		}
	}
	e.lane, e.inPlace = nil, false
	if err := r.reserve(e, p); err != nil {
		return copies, err
	}
	switch p.mode {
	case UploadDirect, UploadLinear:
		e.inPlace = !p.staged
	case UploadTransferBuffer, UploadTransferBufferImage, UploadTransferImage:
		if err := r.transfer(e, p); err != nil {
			return copies, err
		}
	}
	if p.staged {
		e.drop() // the copy is all that the GPU needs
	}
	return copies, nil
}

// reserve sees to it that e's buffer in GPU memory holds p, and prepares the copies.
func (r *renderer) reserve(e *entry, p *placed) error {
	base := p.start &^ 15
	size := min((p.end+15)&^15, p.size) - base
	if p.mode.local() {
		if e.local == nil || e.local.Size < size {
			r.d.FreeBuffer(e.local)
			var err error
			if e.local, err = r.d.NewBuffer((size+4095)&^4095, vk.BUFFER_USAGE_TRANSFER_SRC_BIT|vk.BUFFER_USAGE_TRANSFER_DST_BIT|
				vk.BUFFER_USAGE_STORAGE_BUFFER_BIT, localPlace); err != nil {
				return err
			}
		}
		e.region.SrcOffset, e.region.Size = base, size
		e.copyBuffer.SrcBuffer, e.copyBuffer.DstBuffer = p.buffer, e.local.Handle
	}
	if !p.mode.images() || p.mode == UploadLinear {
		return nil
	}
	from := p.buffer
	if p.mode == UploadTransferBufferImage {
		from = e.local.Handle
	} else {
		base = 0
	}
	res := &r.res
	for i, im := range res.planes[:res.planeCount] {
		c, g := &e.copyImages[i], &e.regions[i]
		g.BufferOffset, g.BufferRowLength = p.offsets[i]-base, uint32(p.strides[i]/im.texel)
		g.ImageExtent = vk.Extent3D{Width: uint32(im.width), Height: uint32(im.height), Depth: 1}
		g.ImageSubresource = vk.ImageSubresourceLayers{AspectMask: vk.IMAGE_ASPECT_COLOR_BIT, LayerCount: 1}
		image := e.images[i]
		if res.source == sourceYCbCr {
			g.ImageSubresource.AspectMask = vk.IMAGE_ASPECT_PLANE_0_BIT << i
			image = e.images[0]
		}
		c.SrcBuffer, c.DstImage = from, image.Handle
		e.toCopy[i].Image, e.toRead[i].Image = image.Handle, image.Handle
	}
	n := uint32(res.planeCount)
	if res.source == sourceYCbCr {
		n = 1
	}
	e.dependToDst.ImageMemoryBarrierCount, e.dependRead.ImageMemoryBarrierCount = n, n
	return nil
}

// transfer hands the copy to the copy engine.
func (r *renderer) transfer(e *entry, p *placed) error {
	l := &r.lanes[r.nextLane]
	r.nextLane = (r.nextLane + 1) % len(r.lanes)
	k, c, cb := r.d.Commands, r.c, e.uploadCB
	if err := k.BeginCommandBuffer(c, cb, &e.begin).Err(); err != nil {
		return r.fail(fmt.Errorf("render: record a copy: %w", err))
	}
	if p.mode == UploadTransferImage {
		r.recordImageCopies(e, cb, vk.PIPELINE_STAGE_2_ALL_COMMANDS_BIT, 0)
	} else {
		k.CmdCopyBuffer2(c, cb, &e.copyBuffer)
	}
	err := k.EndCommandBuffer(c, cb).Err()
	if err == nil {
		e.laneSignal.Semaphore, e.laneSignal.Value = l.done.Handle, l.done.Next+1
		err = l.queue.Submit(r.d, c, &e.laneSubmit).Err()
	}
	if err != nil {
		return r.fail(fmt.Errorf("render: submit a copy: %w", err))
	}
	l.done.Next++
	e.lane, e.laneValue = l, l.done.Next
	return nil
}

// recordImageCopies records the copies of e's planes to images, and the barrier that
// makes them readable for stage and access.
func (r *renderer) recordImageCopies(e *entry, cb vk.CommandBuffer, stage vk.PipelineStageFlags2, access vk.AccessFlags2) {
	k, c := r.d.Commands, r.c
	k.CmdPipelineBarrier2(c, cb, &e.dependToDst)
	for i := range r.res.planeCount {
		k.CmdCopyBufferToImage2(c, cb, &e.copyImages[i])
		e.toRead[i].DstStageMask, e.toRead[i].DstAccessMask = stage, access
	}
	k.CmdPipelineBarrier2(c, cb, &e.dependRead)
}
