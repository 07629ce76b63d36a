package gpu

import (
	"fmt"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// Picture is a decoded picture in GPU memory: what travels as [media.Frame.GPU] from a
// decoder to a renderer on the same device.
//
// The image is shared between the decode and the graphics queues, so that no hand-over is
// needed: a reference picture that is on the screen belongs to both.
//
// Ownership: the decoder's. Whoever has a reference to the frame may read the picture.
type Picture struct {
	Device *Device
	Image  vk.Image
	Layer  uint32
	Format vk.Format // multi-planar: luma, then both chromas interleaved
	// Layout is the one in which the picture is read, and in which it must be left.
	Layout        vk.ImageLayout
	Width, Height int // of the image; the frame says what of it is visible
	// X and Y are where the visible part begins.
	X, Y int
	// Planes are views of both planes as integers, 0 where the device has none.
	Planes [2]vk.ImageView
	// Ready and Value are the timeline semaphore of the decoder and what it reaches when
	// the picture is there.
	Ready vk.Semaphore
	Value uint64

	converted  vk.ImageView
	conversion vk.SamplerYcbcrConversion
}

// Lost reports that the picture went with its device.
func (p *Picture) Lost() bool { return p.Device.Lost() }

// Converted returns a view of the whole picture through conv.
// Concurrency: the renderer's goroutine, with nothing in flight that reads another view.
func (p *Picture) Converted(c *dl.Caller, conv vk.SamplerYcbcrConversion) (vk.ImageView, error) {
	if p.converted != 0 && p.conversion == conv {
		return p.converted, nil
	}
	d := p.Device
	d.Commands.DestroyImageView(c, d.Handle, p.converted, nil)
	p.converted = 0
	v, err := d.pictureView(c, p.Image, p.Format, vk.IMAGE_ASPECT_COLOR_BIT, p.Layer, vk.IMAGE_USAGE_SAMPLED_BIT, conv)
	if err != nil {
		return 0, err
	}
	p.converted, p.conversion = v, conv
	return v, nil
}

// PicturesConfig describes images for decoded pictures.
type PicturesConfig struct {
	Profile              *VideoProfile
	Width, Height, Count int
	// Usage is one or both of VIDEO_DECODE_DPB and VIDEO_DECODE_DST, or TRANSFER_DST.
	Usage vk.ImageUsageFlags
	// Sampled says that shaders read the pictures.
	Sampled bool
	// Layered makes layers of one image instead of an image each.
	Layered bool
}

// Pictures are images of one kind.
type Pictures struct {
	// Pictures[i] can be decoded to through Decode[i].
	Pictures []Picture
	Decode   []vk.ImageView

	d      *Device
	images []vk.Image
	memory []vk.DeviceMemory
}

const videoUsage = vk.IMAGE_USAGE_VIDEO_DECODE_DPB_BIT_KHR | vk.IMAGE_USAGE_VIDEO_DECODE_DST_BIT_KHR

// NewPictures makes images. Sampled ones have plane views where the device allows them;
// else they can be read through a YCbCr conversion only.
func (d *Device) NewPictures(cfg PicturesConfig) (ps *Pictures, err error) {
	ps = &Pictures{d: d}
	defer func() {
		if err != nil {
			ps.Close()
			ps = nil
		}
	}()
	usage := cfg.Usage
	if cfg.Sampled {
		usage |= vk.IMAGE_USAGE_SAMPLED_BIT | vk.IMAGE_USAGE_TRANSFER_SRC_BIT
	}
	layers := 1
	if cfg.Layered {
		layers = cfg.Count
	}
	format := cfg.Profile.Format()
	families := []uint32{d.Graphics.Family, d.Decode.Family}
	info := &vk.ImageCreateInfo{SType: vk.STypeImageCreateInfo, ImageType: vk.IMAGE_TYPE_2D, Format: format,
		Extent:    vk.Extent3D{Width: uint32(cfg.Width), Height: uint32(cfg.Height), Depth: 1},
		MipLevels: 1, ArrayLayers: uint32(layers), Samples: vk.SAMPLE_COUNT_1_BIT, Usage: usage}
	if cfg.Sampled && families[0] != families[1] {
		info.SharingMode, info.QueueFamilyIndexCount, info.PQueueFamilyIndices = vk.SHARING_MODE_CONCURRENT, 2, &families[0]
	}
	planes := d.choosePictureFlags(cfg, info)
	c := new(dl.Caller)
	for range cfg.Count / layers {
		if err := ps.add(c, info); err != nil {
			return ps, fmt.Errorf("gpu: image %dx%d for video: %w", cfg.Width, cfg.Height, err)
		}
	}
	for i := range cfg.Count {
		im, layer := ps.images[0], uint32(i)
		if !cfg.Layered {
			im, layer = ps.images[i], 0
		}
		p := Picture{Device: d, Image: im, Layer: layer, Format: format, Width: cfg.Width, Height: cfg.Height}
		var view vk.ImageView
		if u := usage & videoUsage; u != 0 {
			if view, err = d.pictureView(c, im, format, vk.IMAGE_ASPECT_COLOR_BIT, layer, u, 0); err != nil {
				return ps, err
			}
		}
		ps.Pictures, ps.Decode = append(ps.Pictures, p), append(ps.Decode, view)
		if !planes {
			continue
		}
		formats := [2]vk.Format{vk.FORMAT_R8_UINT, vk.FORMAT_R8G8_UINT}
		if format != vk.FORMAT_G8_B8R8_2PLANE_420_UNORM {
			formats = [2]vk.Format{vk.FORMAT_R16_UINT, vk.FORMAT_R16G16_UINT}
		}
		for k, f := range formats {
			if ps.Pictures[i].Planes[k], err = d.pictureView(c, im, f, vk.IMAGE_ASPECT_PLANE_0_BIT<<k, layer, vk.IMAGE_USAGE_SAMPLED_BIT, 0); err != nil {
				return ps, err
			}
		}
	}
	return ps, nil
}

// choosePictureFlags completes info and reports whether planes can have views of other
// formats. A profile binds an image to what the driver lists for it, which seldom
// includes such views; images without one (video_maintenance1) are free of that.
func (d *Device) choosePictureFlags(cfg PicturesConfig, info *vk.ImageCreateInfo) (planes bool) {
	video := info.Usage&videoUsage != 0
	if !video {
		info.Flags = vk.IMAGE_CREATE_MUTABLE_FORMAT_BIT
		return cfg.Sampled
	}
	if cfg.Sampled && d.Decode.Maintenance1 && info.Usage&vk.IMAGE_USAGE_VIDEO_DECODE_DST_BIT_KHR != 0 {
		info.Flags = vk.IMAGE_CREATE_VIDEO_PROFILE_INDEPENDENT_BIT_KHR | vk.IMAGE_CREATE_MUTABLE_FORMAT_BIT
		if d.imagePossible(info) {
			return true
		}
		info.Flags = 0
	}
	info.PNext = vk.Pointer(&cfg.Profile.list)
	if flags, ok := d.VideoFormat(cfg.Profile, info.Usage); cfg.Sampled && ok && flags&vk.IMAGE_CREATE_MUTABLE_FORMAT_BIT != 0 {
		info.Flags = vk.IMAGE_CREATE_MUTABLE_FORMAT_BIT
		return true
	}
	return false
}

func (d *Device) imagePossible(info *vk.ImageCreateInfo) bool {
	q := &vk.PhysicalDeviceImageFormatInfo2{SType: vk.STypePhysicalDeviceImageFormatInfo2, Format: info.Format, Type: info.ImageType,
		Tiling: info.Tiling, Usage: info.Usage, Flags: info.Flags}
	p := &vk.ImageFormatProperties2{SType: vk.STypeImageFormatProperties2}
	if d.Instance.Commands.GetPhysicalDeviceImageFormatProperties2(new(dl.Caller), d.Physical, q, p) < 0 {
		return false
	}
	m := &p.ImageFormatProperties
	return m.MaxExtent.Width >= info.Extent.Width && m.MaxExtent.Height >= info.Extent.Height && m.MaxArrayLayers >= info.ArrayLayers
}

// add makes one image with memory.
func (ps *Pictures) add(c *dl.Caller, info *vk.ImageCreateInfo) error {
	d, k := ps.d, ps.d.Commands
	im := new(vk.Image)
	if err := k.CreateImage(c, d.Handle, info, nil, im).Err(); err != nil {
		return err
	}
	ps.images = append(ps.images, *im)
	req := &vk.MemoryRequirements2{SType: vk.STypeMemoryRequirements2}
	k.GetImageMemoryRequirements2(c, d.Handle, &vk.ImageMemoryRequirementsInfo2{SType: vk.STypeImageMemoryRequirementsInfo2, Image: *im}, req)
	t, ok := d.typeFor(req.MemoryRequirements.MemoryTypeBits, Local)
	if !ok {
		return fmt.Errorf("no memory type: %w", media.ErrNotSupported)
	}
	m := new(vk.DeviceMemory)
	if err := k.AllocateMemory(c, d.Handle, &vk.MemoryAllocateInfo{SType: vk.STypeMemoryAllocateInfo, AllocationSize: req.MemoryRequirements.Size, MemoryTypeIndex: t}, nil, m).Err(); err != nil {
		return err
	}
	ps.memory = append(ps.memory, *m)
	return k.BindImageMemory(c, d.Handle, *im, *m, 0).Err()
}

// pictureView makes a view that is used for usage only.
func (d *Device) pictureView(c *dl.Caller, im vk.Image, f vk.Format, aspect vk.ImageAspectFlags, layer uint32, usage vk.ImageUsageFlags, conv vk.SamplerYcbcrConversion) (vk.ImageView, error) {
	use := &vk.ImageViewUsageCreateInfo{SType: vk.STypeImageViewUsageCreateInfo, Usage: usage}
	if conv != 0 {
		use.PNext = vk.Pointer(&vk.SamplerYcbcrConversionInfo{SType: vk.STypeSamplerYcbcrConversionInfo, Conversion: conv})
	}
	info := &vk.ImageViewCreateInfo{SType: vk.STypeImageViewCreateInfo, PNext: vk.Pointer(use), Image: im, ViewType: vk.IMAGE_VIEW_TYPE_2D,
		Format: f, SubresourceRange: vk.ImageSubresourceRange{AspectMask: aspect, LevelCount: 1, BaseArrayLayer: layer, LayerCount: 1}}
	v := new(vk.ImageView)
	if err := d.Commands.CreateImageView(c, d.Handle, info, nil, v).Err(); err != nil {
		return 0, fmt.Errorf("gpu: view of a decoded picture: %w", err)
	}
	return *v, nil
}

// Close destroys the images; nil is fine. Nothing may be in flight.
func (ps *Pictures) Close() {
	if ps == nil {
		return
	}
	d, k, c := ps.d, ps.d.Commands, new(dl.Caller)
	for i := range ps.Pictures {
		p := &ps.Pictures[i]
		for _, v := range []vk.ImageView{ps.Decode[i], p.Planes[0], p.Planes[1], p.converted} {
			k.DestroyImageView(c, d.Handle, v, nil)
		}
	}
	for _, im := range ps.images {
		k.DestroyImage(c, d.Handle, im, nil)
	}
	for _, m := range ps.memory {
		k.FreeMemory(c, d.Handle, m, nil)
	}
	*ps = Pictures{d: d}
}
