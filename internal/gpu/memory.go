package gpu

import (
	"fmt"
	"unsafe"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// Place is where memory lies.
type Place uint8

// Places.
const (
	// Local memory is the GPU's own; the CPU does not see it.
	Local Place = iota
	// Staging memory is the CPU's, written in order and read by the GPU.
	Staging
	// ReadBack memory is the CPU's, cached, written by the GPU.
	ReadBack
)

// memoryType finds a type among bits with the wanted properties, the preferred ones
// included if possible.
func (d *Device) memoryType(bits uint32, need, prefer vk.MemoryPropertyFlags) (uint32, bool) {
	for _, want := range [2]vk.MemoryPropertyFlags{need | prefer, need} {
		for i := range d.memory.MemoryTypeCount {
			if bits>>i&1 != 0 && d.memory.MemoryTypes[i].PropertyFlags&want == want {
				return i, true
			}
		}
	}
	return 0, false
}

func (d *Device) typeFor(bits uint32, p Place) (uint32, bool) {
	const host = vk.MEMORY_PROPERTY_HOST_VISIBLE_BIT | vk.MEMORY_PROPERTY_HOST_COHERENT_BIT
	switch p {
	case Staging:
		return d.memoryType(bits, host, 0)
	case ReadBack:
		return d.memoryType(bits, host, vk.MEMORY_PROPERTY_HOST_CACHED_BIT)
	}
	return d.memoryType(bits, 0, vk.MEMORY_PROPERTY_DEVICE_LOCAL_BIT)
}

// sharing lists the queue families that use a resource. Everything that the copy engine
// writes and the graphics queue reads is shared between them rather than handed over: a
// hand-over costs two barriers a frame and gains nothing for buffers and plain images.
func (d *Device) sharing() (vk.SharingMode, []uint32) {
	if len(d.Transfer) == 0 || d.Transfer[0].Family == d.Graphics.Family {
		return vk.SHARING_MODE_EXCLUSIVE, nil
	}
	return vk.SHARING_MODE_CONCURRENT, []uint32{d.Graphics.Family, d.Transfer[0].Family}
}

// Buffer is a buffer with memory of its own.
type Buffer struct {
	Handle vk.Buffer
	Size   uint64
	// Mapped is the buffer's memory where the CPU sees it.
	Mapped []byte

	memory vk.DeviceMemory
}

func (d *Device) createBuffer(c *dl.Caller, size uint64, usage vk.BufferUsageFlags, next unsafe.Pointer) (*Buffer, vk.MemoryRequirements, error) {
	b := &Buffer{Size: size}
	mode, families := d.sharing()
	info := &vk.BufferCreateInfo{SType: vk.STypeBufferCreateInfo, PNext: next, Size: size, Usage: usage, SharingMode: mode}
	if len(families) > 0 {
		info.QueueFamilyIndexCount, info.PQueueFamilyIndices = uint32(len(families)), &families[0]
	}
	if err := d.Commands.CreateBuffer(c, d.Handle, info, nil, &b.Handle).Err(); err != nil {
		return nil, vk.MemoryRequirements{}, fmt.Errorf("gpu: buffer of %d bytes: %w", size, err)
	}
	req := &vk.MemoryRequirements2{SType: vk.STypeMemoryRequirements2}
	d.Commands.GetBufferMemoryRequirements2(c, d.Handle, &vk.BufferMemoryRequirementsInfo2{SType: vk.STypeBufferMemoryRequirementsInfo2, Buffer: b.Handle}, req)
	return b, req.MemoryRequirements, nil
}

func (d *Device) bindBuffer(c *dl.Caller, b *Buffer, alloc *vk.MemoryAllocateInfo) error {
	err := d.Commands.AllocateMemory(c, d.Handle, alloc, nil, &b.memory).Err()
	if err == nil {
		err = d.Commands.BindBufferMemory(c, d.Handle, b.Handle, b.memory, 0).Err()
	}
	if err != nil {
		d.FreeBuffer(b)
		return fmt.Errorf("gpu: memory of %d bytes: %w", alloc.AllocationSize, err)
	}
	return nil
}

// NewBuffer makes a buffer; those that the CPU sees are mapped.
func (d *Device) NewBuffer(size uint64, usage vk.BufferUsageFlags, p Place) (*Buffer, error) {
	c := new(dl.Caller)
	b, req, err := d.createBuffer(c, size, usage, nil)
	if err != nil {
		return nil, err
	}
	if err := d.backBufferWith(c, b, req, p); err != nil {
		return nil, err
	}
	return b, nil
}

// backBuffer gives b memory of its own.
func (d *Device) backBuffer(c *dl.Caller, b *Buffer, p Place) error {
	req := &vk.MemoryRequirements2{SType: vk.STypeMemoryRequirements2}
	d.Commands.GetBufferMemoryRequirements2(c, d.Handle, &vk.BufferMemoryRequirementsInfo2{SType: vk.STypeBufferMemoryRequirementsInfo2, Buffer: b.Handle}, req)
	return d.backBufferWith(c, b, req.MemoryRequirements, p)
}

// backBufferWith gives b memory that meets req, and maps it unless it is the GPU's own.
func (d *Device) backBufferWith(c *dl.Caller, b *Buffer, req vk.MemoryRequirements, p Place) error {
	t, ok := d.typeFor(req.MemoryTypeBits, p)
	if !ok {
		d.FreeBuffer(b)
		return fmt.Errorf("gpu: no memory type for a buffer: %w", media.ErrNotSupported)
	}
	if err := d.bindBuffer(c, b, &vk.MemoryAllocateInfo{SType: vk.STypeMemoryAllocateInfo, AllocationSize: req.Size, MemoryTypeIndex: t}); err != nil {
		return err
	}
	if p != Local {
		addr := new(unsafe.Pointer)
		if err := d.Commands.MapMemory(c, d.Handle, b.memory, 0, vk.WHOLE_SIZE, 0, addr).Err(); err != nil {
			d.FreeBuffer(b)
			return fmt.Errorf("gpu: map a buffer: %w", err)
		}
		b.Mapped = unsafe.Slice((*byte)(*addr), b.Size)
	}
	return nil
}

// ImportBuffer makes a buffer of memory that the caller owns, without a copy.
// Ownership: mem must outlive the buffer.
// Shape: mem starts at a multiple of HostImportAlign and is a multiple of it long.
// Errors: media.ErrNotSupported when the device cannot or will not.
func (d *Device) ImportBuffer(mem []byte, usage vk.BufferUsageFlags) (*Buffer, error) {
	if !d.HostImport {
		return nil, fmt.Errorf("gpu: %s has no VK_EXT_external_memory_host: %w", d.Name, media.ErrNotSupported)
	}
	if len(mem) == 0 || uint64(uintptr(unsafe.Pointer(&mem[0])))%d.HostImportAlign != 0 || uint64(len(mem))%d.HostImportAlign != 0 {
		return nil, fmt.Errorf("gpu: import of %d bytes: %s wants multiples of %d: %w", len(mem), d.Name, d.HostImportAlign, media.ErrNotSupported)
	}
	c := new(dl.Caller)
	const handle = vk.EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT
	b, req, err := d.createBuffer(c, uint64(len(mem)), usage, vk.Pointer(&vk.ExternalMemoryBufferCreateInfo{
		SType: vk.STypeExternalMemoryBufferCreateInfo, HandleTypes: handle}))
	if err != nil {
		return nil, err
	}
	alloc, err := d.hostAllocation(c, mem, req.MemoryTypeBits)
	if err != nil {
		d.FreeBuffer(b)
		return nil, err
	}
	if err := d.bindBuffer(c, b, alloc); err != nil {
		return nil, fmt.Errorf("%w: %w", media.ErrNotSupported, err)
	}
	return b, nil
}

// hostAllocation describes an allocation that takes mem as it is.
func (d *Device) hostAllocation(c *dl.Caller, mem []byte, bits uint32) (*vk.MemoryAllocateInfo, error) {
	const handle = vk.EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT
	props := &vk.MemoryHostPointerPropertiesEXT{SType: vk.STypeMemoryHostPointerPropertiesEXT}
	if err := d.Commands.GetMemoryHostPointerPropertiesEXT(c, d.Handle, handle, unsafe.Pointer(&mem[0]), props).Err(); err != nil {
		return nil, fmt.Errorf("gpu: import of %d bytes: %w: %w", len(mem), media.ErrNotSupported, err)
	}
	t, ok := d.memoryType(bits&props.MemoryTypeBits, 0, vk.MEMORY_PROPERTY_HOST_VISIBLE_BIT|vk.MEMORY_PROPERTY_HOST_COHERENT_BIT)
	if !ok {
		return nil, fmt.Errorf("gpu: no memory type for imported memory: %w", media.ErrNotSupported)
	}
	return &vk.MemoryAllocateInfo{SType: vk.STypeMemoryAllocateInfo, AllocationSize: uint64(len(mem)), MemoryTypeIndex: t,
		PNext: vk.Pointer(&vk.ImportMemoryHostPointerInfoEXT{SType: vk.STypeImportMemoryHostPointerInfoEXT, HandleType: handle, PHostPointer: unsafe.Pointer(&mem[0])})}, nil
}

// FreeBuffer destroys b; nil is fine.
func (d *Device) FreeBuffer(b *Buffer) {
	if b == nil {
		return
	}
	c := new(dl.Caller)
	d.Commands.DestroyBuffer(c, d.Handle, b.Handle, nil)
	d.Commands.FreeMemory(c, d.Handle, b.memory, nil)
	*b = Buffer{}
}
