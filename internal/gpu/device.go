package gpu

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// Config says which device to open.
type Config struct {
	// Device is an index or a part of a name; "" takes the best one.
	Device string
	// Surface is a surface that the graphics queue must be able to present to.
	Surface vk.SurfaceKHR
}

// Queue is a queue of a device.
// Concurrency: one goroutine at a time.
type Queue struct {
	Handle vk.Queue
	Family uint32
}

// Device is an open device.
type Device struct {
	Info
	Instance *Instance
	Physical vk.PhysicalDevice
	Handle   vk.Device
	Commands *vk.DeviceCommands
	Graphics Queue
	// Transfer are the queues of the dedicated copy engine; none when there is no such
	// engine.
	Transfer []Queue
	// Swapchain says that VK_KHR_swapchain is enabled.
	Swapchain bool

	memory vk.PhysicalDeviceMemoryProperties
}

// features is the chain of feature structures that this package knows.
type features struct {
	head        *vk.PhysicalDeviceFeatures2
	v11         *vk.PhysicalDeviceVulkan11Features
	v12         *vk.PhysicalDeviceVulkan12Features
	v13         *vk.PhysicalDeviceVulkan13Features
	hostCopy    *vk.PhysicalDeviceHostImageCopyFeatures
	presentID   *vk.PhysicalDevicePresentIdFeaturesKHR
	presentWait *vk.PhysicalDevicePresentWaitFeaturesKHR
}

func newFeatures(extensions map[string]bool) *features {
	f := &features{
		v11:         &vk.PhysicalDeviceVulkan11Features{SType: vk.STypePhysicalDeviceVulkan11Features},
		v12:         &vk.PhysicalDeviceVulkan12Features{SType: vk.STypePhysicalDeviceVulkan12Features},
		v13:         &vk.PhysicalDeviceVulkan13Features{SType: vk.STypePhysicalDeviceVulkan13Features},
		hostCopy:    &vk.PhysicalDeviceHostImageCopyFeatures{SType: vk.STypePhysicalDeviceHostImageCopyFeatures},
		presentID:   &vk.PhysicalDevicePresentIdFeaturesKHR{SType: vk.STypePhysicalDevicePresentIdFeaturesKHR},
		presentWait: &vk.PhysicalDevicePresentWaitFeaturesKHR{SType: vk.STypePhysicalDevicePresentWaitFeaturesKHR},
	}
	f.head = &vk.PhysicalDeviceFeatures2{SType: vk.STypePhysicalDeviceFeatures2, PNext: vk.Pointer(f.v11)}
	f.v11.PNext, f.v12.PNext = vk.Pointer(f.v12), vk.Pointer(f.v13)
	next := &f.v13.PNext
	if extensions[vk.EXT_HOST_IMAGE_COPY_EXTENSION_NAME] {
		*next, next = vk.Pointer(f.hostCopy), &f.hostCopy.PNext
	}
	if extensions[vk.KHR_PRESENT_ID_EXTENSION_NAME] && extensions[vk.KHR_PRESENT_WAIT_EXTENSION_NAME] {
		*next, next = vk.Pointer(f.presentID), &f.presentID.PNext
		*next = vk.Pointer(f.presentWait)
	}
	return f
}

// Open opens a device of the instance.
// Errors: media.ErrNotSupported.
func (in *Instance) Open(cfg Config) (*Device, error) {
	ps, err := in.physicals()
	if err != nil {
		return nil, err
	}
	p, err := pick(ps, cfg.Device)
	if err != nil {
		return nil, err
	}
	c := new(dl.Caller)
	graphics, err := in.graphicsFamily(c, p, cfg.Surface)
	if err != nil {
		return nil, err
	}
	d := &Device{Info: p.Info, Instance: in, Physical: p.handle, memory: p.memory, Swapchain: cfg.Surface != 0}
	priorities := [2]float32{1, 1}
	queues := []vk.DeviceQueueCreateInfo{{SType: vk.STypeDeviceQueueCreateInfo, QueueFamilyIndex: uint32(graphics), QueueCount: 1, PQueuePriorities: &priorities[0]}}
	for i, f := range p.Families {
		if isTransfer(f.Flags) {
			queues = append(queues, vk.DeviceQueueCreateInfo{SType: vk.STypeDeviceQueueCreateInfo, QueueFamilyIndex: uint32(i), QueueCount: uint32(min(f.Count, 2)), PQueuePriorities: &priorities[0]})
			break
		}
	}
	want := []string{vk.EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME, vk.KHR_PORTABILITY_SUBSET_EXTENSION_NAME}
	if d.Swapchain {
		want = append(want, vk.KHR_SWAPCHAIN_EXTENSION_NAME)
		if p.PresentWait {
			want = append(want, vk.KHR_PRESENT_ID_EXTENSION_NAME, vk.KHR_PRESENT_WAIT_EXTENSION_NAME)
		}
	}
	on := map[string]bool{}
	var extensions []string
	for _, e := range want {
		if p.extensions[e] {
			on[e] = true
			extensions = append(extensions, e)
		}
	}
	if d.Swapchain && !on[vk.KHR_SWAPCHAIN_EXTENSION_NAME] {
		return nil, fmt.Errorf("gpu: %s cannot present to a window: %w", p.Name, media.ErrNotSupported)
	}
	f := newFeatures(on)
	f.v11.SamplerYcbcrConversion = vk.Bool(p.YCbCrSampler)
	f.v12.TimelineSemaphore, f.v13.Synchronization2, f.v13.DynamicRendering = 1, 1, 1
	f.presentID.PresentId, f.presentWait.PresentWait = 1, 1
	names := cstrings(extensions)
	info := &vk.DeviceCreateInfo{SType: vk.STypeDeviceCreateInfo, PNext: vk.Pointer(f.head),
		QueueCreateInfoCount: uint32(len(queues)), PQueueCreateInfos: &queues[0], EnabledExtensionCount: uint32(len(names))}
	if len(names) > 0 {
		info.PpEnabledExtensionNames = &names[0]
	}
	if err := in.Commands.CreateDevice(c, p.handle, info, nil, &d.Handle).Err(); err != nil {
		return nil, fmt.Errorf("gpu: open %s: %w", p.Name, err)
	}
	d.Commands = vk.LoadDevice(in.Commands.PfnGetDeviceProcAddr, d.Handle)
	d.Graphics = d.queue(c, uint32(graphics), 0)
	for _, q := range queues[1:] {
		for i := range q.QueueCount {
			d.Transfer = append(d.Transfer, d.queue(c, q.QueueFamilyIndex, i))
		}
	}
	return d, nil
}

func (d *Device) queue(c *dl.Caller, family, index uint32) Queue {
	q := Queue{Family: family}
	d.Commands.GetDeviceQueue(c, d.Handle, family, index, &q.Handle)
	return q
}

// graphicsFamily finds the family that draws, computes and presents.
func (in *Instance) graphicsFamily(c *dl.Caller, p *physical, s vk.SurfaceKHR) (int, error) {
	for i, f := range p.Families {
		const need = vk.QUEUE_GRAPHICS_BIT | vk.QUEUE_COMPUTE_BIT
		if f.Flags&need != need || f.Count == 0 {
			continue
		}
		if s == 0 {
			return i, nil
		}
		ok := new(vk.Bool32)
		if err := in.Commands.GetPhysicalDeviceSurfaceSupportKHR(c, p.handle, uint32(i), s, ok).Err(); err == nil && *ok != 0 {
			return i, nil
		}
	}
	return 0, fmt.Errorf("gpu: %s has no queue that draws to this window: %w", p.Name, media.ErrNotSupported)
}

// WaitIdle waits until the device has nothing to do.
func (d *Device) WaitIdle() error {
	if err := d.Commands.DeviceWaitIdle(new(dl.Caller), d.Handle).Err(); err != nil {
		return fmt.Errorf("gpu: wait for the device: %w", err)
	}
	return nil
}

// Close destroys the device; everything made from it must be gone.
func (d *Device) Close() error {
	err := d.WaitIdle()
	d.Commands.DestroyDevice(new(dl.Caller), d.Handle, nil)
	if errors.Is(err, media.ErrDeviceLost) {
		return nil // the loss has been reported where it was met
	}
	return err
}

// PushConstants records the constants *p, which the caller keeps on the heap.
func PushConstants[T any](d *Device, c *dl.Caller, cb vk.CommandBuffer, layout vk.PipelineLayout, stages vk.ShaderStageFlags, p *T) {
	d.Commands.CmdPushConstants(c, cb, layout, stages, 0, uint32(unsafe.Sizeof(*p)), unsafe.Pointer(p))
}
