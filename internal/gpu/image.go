package gpu

import (
	"fmt"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// ImageConfig describes a two-dimensional image.
type ImageConfig struct {
	Width, Height int
	Format        vk.Format
	Usage         vk.ImageUsageFlags
	// Shared images are written by the copy engine and read by the graphics queue.
	Shared bool
	// Conversion is the YCbCr conversion of the view, 0 for none.
	Conversion vk.SamplerYcbcrConversion
}

// Image is an image with memory and a view.
type Image struct {
	Handle vk.Image
	View   vk.ImageView
	Format vk.Format
	Width  int
	Height int

	memory vk.DeviceMemory
}

// ColorRange is the whole of an image with one layer.
var ColorRange = vk.ImageSubresourceRange{AspectMask: vk.IMAGE_ASPECT_COLOR_BIT, LevelCount: 1, LayerCount: 1}

func (d *Device) imageInfo(cfg *ImageConfig) *vk.ImageCreateInfo {
	return &vk.ImageCreateInfo{SType: vk.STypeImageCreateInfo, ImageType: vk.IMAGE_TYPE_2D, Format: cfg.Format,
		Extent:    vk.Extent3D{Width: uint32(cfg.Width), Height: uint32(cfg.Height), Depth: 1},
		MipLevels: 1, ArrayLayers: 1, Samples: vk.SAMPLE_COUNT_1_BIT, Usage: cfg.Usage}
}

// NewImage makes an image in the GPU's memory.
func (d *Device) NewImage(cfg ImageConfig) (*Image, error) {
	c := new(dl.Caller)
	info := d.imageInfo(&cfg)
	if mode, families := d.sharing(); cfg.Shared && len(families) > 0 {
		info.SharingMode, info.QueueFamilyIndexCount, info.PQueueFamilyIndices = mode, uint32(len(families)), &families[0]
	}
	im := &Image{Format: cfg.Format, Width: cfg.Width, Height: cfg.Height}
	if err := d.Commands.CreateImage(c, d.Handle, info, nil, &im.Handle).Err(); err != nil {
		return nil, fmt.Errorf("gpu: image %dx%d %v: %w", cfg.Width, cfg.Height, cfg.Format, err)
	}
	req := &vk.MemoryRequirements2{SType: vk.STypeMemoryRequirements2}
	d.Commands.GetImageMemoryRequirements2(c, d.Handle, &vk.ImageMemoryRequirementsInfo2{SType: vk.STypeImageMemoryRequirementsInfo2, Image: im.Handle}, req)
	t, ok := d.typeFor(req.MemoryRequirements.MemoryTypeBits, Local)
	if !ok {
		d.FreeImage(im)
		return nil, fmt.Errorf("gpu: no memory type for an image: %w", media.ErrNotSupported)
	}
	alloc := &vk.MemoryAllocateInfo{SType: vk.STypeMemoryAllocateInfo, AllocationSize: req.MemoryRequirements.Size, MemoryTypeIndex: t}
	return im, d.finishImage(c, im, alloc, 0, cfg.Conversion)
}

func (d *Device) finishImage(c *dl.Caller, im *Image, alloc *vk.MemoryAllocateInfo, offset uint64, conv vk.SamplerYcbcrConversion) error {
	err := d.Commands.AllocateMemory(c, d.Handle, alloc, nil, &im.memory).Err()
	if err == nil {
		err = d.Commands.BindImageMemory(c, d.Handle, im.Handle, im.memory, offset).Err()
	}
	if err == nil {
		err = d.newView(c, im, conv).Err()
	}
	if err != nil {
		d.FreeImage(im)
		return fmt.Errorf("gpu: memory of an image: %w", err)
	}
	return nil
}

func (d *Device) newView(c *dl.Caller, im *Image, conv vk.SamplerYcbcrConversion) vk.Result {
	info := &vk.ImageViewCreateInfo{SType: vk.STypeImageViewCreateInfo, Image: im.Handle, ViewType: vk.IMAGE_VIEW_TYPE_2D,
		Format: im.Format, SubresourceRange: ColorRange}
	if conv != 0 {
		info.PNext = vk.Pointer(&vk.SamplerYcbcrConversionInfo{SType: vk.STypeSamplerYcbcrConversionInfo, Conversion: conv})
	}
	return d.Commands.CreateImageView(c, d.Handle, info, nil, &im.View)
}

// NewView makes a view of an image that somebody else owns, such as a swapchain's.
func (d *Device) NewView(image vk.Image, f vk.Format, w, h int) (*Image, error) {
	im := &Image{Handle: image, Format: f, Width: w, Height: h}
	if err := d.newView(new(dl.Caller), im, 0).Err(); err != nil {
		return nil, fmt.Errorf("gpu: view of an image: %w", err)
	}
	return im, nil
}

// FreeView destroys a view that NewView made, but not its image.
func (d *Device) FreeView(im *Image) {
	d.Commands.DestroyImageView(new(dl.Caller), d.Handle, im.View, nil)
	*im = Image{}
}

// FreeImage destroys im; nil is fine.
func (d *Device) FreeImage(im *Image) {
	if im == nil {
		return
	}
	c := new(dl.Caller)
	d.Commands.DestroyImageView(c, d.Handle, im.View, nil)
	d.Commands.DestroyImage(c, d.Handle, im.Handle, nil)
	d.Commands.FreeMemory(c, d.Handle, im.memory, nil)
	*im = Image{}
}

// ImportImage makes a linear image of memory that the caller owns, for sampling without
// any copy. rowPitch is what the memory has; the device decides what it accepts.
// Errors: media.ErrNotSupported when the device wants another pitch or alignment.
func (d *Device) ImportImage(mem []byte, offset, rowPitch int, cfg ImageConfig) (*Image, error) {
	if !d.HostImport {
		return nil, fmt.Errorf("gpu: %s has no VK_EXT_external_memory_host: %w", d.Name, media.ErrNotSupported)
	}
	c := new(dl.Caller)
	info := d.imageInfo(&cfg)
	info.Tiling = vk.IMAGE_TILING_LINEAR
	info.PNext = vk.Pointer(&vk.ExternalMemoryImageCreateInfo{SType: vk.STypeExternalMemoryImageCreateInfo,
		HandleTypes: vk.EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT})
	im := &Image{Format: cfg.Format, Width: cfg.Width, Height: cfg.Height}
	if err := d.Commands.CreateImage(c, d.Handle, info, nil, &im.Handle).Err(); err != nil {
		return nil, fmt.Errorf("gpu: linear image %dx%d %v: %w: %w", cfg.Width, cfg.Height, cfg.Format, media.ErrNotSupported, err)
	}
	layout := new(vk.SubresourceLayout)
	d.Commands.GetImageSubresourceLayout(c, d.Handle, im.Handle, &vk.ImageSubresource{AspectMask: vk.IMAGE_ASPECT_COLOR_BIT}, layout)
	req := &vk.MemoryRequirements2{SType: vk.STypeMemoryRequirements2}
	d.Commands.GetImageMemoryRequirements2(c, d.Handle, &vk.ImageMemoryRequirementsInfo2{SType: vk.STypeImageMemoryRequirementsInfo2, Image: im.Handle}, req)
	r := req.MemoryRequirements
	// The import starts at a page; the rest of the way to the plane is the image's offset.
	start := offset / int(d.HostImportAlign) * int(d.HostImportAlign)
	within := uint64(offset - start)
	end := min((uint64(offset)+r.Size+d.HostImportAlign-1)/d.HostImportAlign*d.HostImportAlign, uint64(len(mem)))
	if layout.RowPitch != uint64(rowPitch) || layout.Offset != 0 || within%r.Alignment != 0 || uint64(offset)+r.Size > end {
		d.FreeImage(im)
		return nil, fmt.Errorf("gpu: linear image %dx%d: %s wants rows of %d bytes at multiples of %d, the plane has %d at %d: %w",
			cfg.Width, cfg.Height, d.Name, layout.RowPitch, r.Alignment, rowPitch, offset, media.ErrNotSupported)
	}
	alloc, err := d.hostAllocation(c, mem[start:end], r.MemoryTypeBits)
	if err != nil {
		d.FreeImage(im)
		return nil, err
	}
	if err := d.finishImage(c, im, alloc, within, 0); err != nil {
		return nil, fmt.Errorf("%w: %w", media.ErrNotSupported, err)
	}
	return im, nil
}
