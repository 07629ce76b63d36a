package gpu

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// Config says which device to open.
type Config struct {
	// Device is an index or a part of a name; "" takes the best one.
	Device string
	// Hardware refuses devices that are a CPU.
	Hardware bool
	// Surface is a surface that the graphics queue must be able to present to.
	Surface vk.SurfaceKHR
	// Present asks for what windows need before there is one, where the device has it; see
	// [Device.CanPresent].
	Present bool
	// Video asks for the decode queues.
	Video bool
}

// Queue is a queue of a device. Copies of it are the same queue.
// Concurrency: any goroutine, through the methods.
type Queue struct {
	Handle vk.Queue
	Family uint32

	mu *sync.Mutex
}

// Submit hands work to the queue.
func (q Queue) Submit(d *Device, c *dl.Caller, s *vk.SubmitInfo2) vk.Result {
	q.mu.Lock()
	r := d.Commands.QueueSubmit2(c, q.Handle, 1, s, 0)
	q.mu.Unlock()
	return r
}

// Present queues pictures of a swapchain for display.
func (q Queue) Present(d *Device, c *dl.Caller, p *vk.PresentInfoKHR) vk.Result {
	q.mu.Lock()
	r := d.Commands.QueuePresentKHR(c, q.Handle, p)
	q.mu.Unlock()
	return r
}

// WaitIdle waits until the queue has nothing to do.
func (q Queue) WaitIdle(d *Device, c *dl.Caller) vk.Result {
	q.mu.Lock()
	r := d.Commands.QueueWaitIdle(c, q.Handle)
	q.mu.Unlock()
	return r
}

// Device is an open device.
//
// Ownership: reference counted. Whoever shares a device holds it with [Device.Retain];
// each holder closes it, and the last one destroys it.
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

	videoMu     sync.Mutex
	videoQueues []*VideoQueue

	refs       atomic.Int32
	lost       atomic.Bool
	ownsParent bool // the instance goes with the device
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
	latestReady *vk.PhysicalDevicePresentModeFifoLatestReadyFeaturesKHR

	presentID2    *vk.PhysicalDevicePresentId2FeaturesKHR
	presentWait2  *vk.PhysicalDevicePresentWait2FeaturesKHR
	presentTiming *vk.PhysicalDevicePresentTimingFeaturesEXT
	swapchain1    *vk.PhysicalDeviceSwapchainMaintenance1FeaturesKHR

	maintenance1 *vk.PhysicalDeviceVideoMaintenance1FeaturesKHR
	maintenance2 *vk.PhysicalDeviceVideoMaintenance2FeaturesKHR
	unified      *vk.PhysicalDeviceUnifiedImageLayoutsFeaturesKHR
}

func newFeatures(extensions map[string]bool) *features {
	f := &features{
		v11:         &vk.PhysicalDeviceVulkan11Features{SType: vk.STypePhysicalDeviceVulkan11Features},
		v12:         &vk.PhysicalDeviceVulkan12Features{SType: vk.STypePhysicalDeviceVulkan12Features},
		v13:         &vk.PhysicalDeviceVulkan13Features{SType: vk.STypePhysicalDeviceVulkan13Features},
		hostCopy:    &vk.PhysicalDeviceHostImageCopyFeatures{SType: vk.STypePhysicalDeviceHostImageCopyFeatures},
		presentID:   &vk.PhysicalDevicePresentIdFeaturesKHR{SType: vk.STypePhysicalDevicePresentIdFeaturesKHR},
		presentWait: &vk.PhysicalDevicePresentWaitFeaturesKHR{SType: vk.STypePhysicalDevicePresentWaitFeaturesKHR},
		latestReady: &vk.PhysicalDevicePresentModeFifoLatestReadyFeaturesKHR{SType: vk.STypePhysicalDevicePresentModeFifoLatestReadyFeaturesKHR},

		presentID2:    &vk.PhysicalDevicePresentId2FeaturesKHR{SType: vk.STypePhysicalDevicePresentId2FeaturesKHR},
		presentWait2:  &vk.PhysicalDevicePresentWait2FeaturesKHR{SType: vk.STypePhysicalDevicePresentWait2FeaturesKHR},
		presentTiming: &vk.PhysicalDevicePresentTimingFeaturesEXT{SType: vk.STypePhysicalDevicePresentTimingFeaturesEXT},
		swapchain1:    &vk.PhysicalDeviceSwapchainMaintenance1FeaturesKHR{SType: vk.STypePhysicalDeviceSwapchainMaintenance1FeaturesKHR},

		maintenance1: &vk.PhysicalDeviceVideoMaintenance1FeaturesKHR{SType: vk.STypePhysicalDeviceVideoMaintenance1FeaturesKHR},
		maintenance2: &vk.PhysicalDeviceVideoMaintenance2FeaturesKHR{SType: vk.STypePhysicalDeviceVideoMaintenance2FeaturesKHR},
		unified:      &vk.PhysicalDeviceUnifiedImageLayoutsFeaturesKHR{SType: vk.STypePhysicalDeviceUnifiedImageLayoutsFeaturesKHR},
	}
	f.head = &vk.PhysicalDeviceFeatures2{SType: vk.STypePhysicalDeviceFeatures2, PNext: vk.Pointer(f.v11)}
	f.v11.PNext, f.v12.PNext = vk.Pointer(f.v12), vk.Pointer(f.v13)
	next := &f.v13.PNext
	if extensions[vk.EXT_HOST_IMAGE_COPY_EXTENSION_NAME] {
		*next, next = vk.Pointer(f.hostCopy), &f.hostCopy.PNext
	}
	if extensions[vk.KHR_PRESENT_ID_EXTENSION_NAME] && extensions[vk.KHR_PRESENT_WAIT_EXTENSION_NAME] {
		*next, next = vk.Pointer(f.presentID), &f.presentID.PNext
		*next, next = vk.Pointer(f.presentWait), &f.presentWait.PNext
	}
	if extensions[vk.KHR_PRESENT_ID2_EXTENSION_NAME] {
		*next, next = vk.Pointer(f.presentID2), &f.presentID2.PNext
		if extensions[vk.KHR_PRESENT_WAIT2_EXTENSION_NAME] {
			*next, next = vk.Pointer(f.presentWait2), &f.presentWait2.PNext
		}
		if hasPresentTiming(extensions) {
			*next, next = vk.Pointer(f.presentTiming), &f.presentTiming.PNext
		}
	}
	if hasLatestReady(extensions) {
		*next, next = vk.Pointer(f.latestReady), &f.latestReady.PNext
	}
	if hasSwapchainMaintenance(extensions) {
		*next, next = vk.Pointer(f.swapchain1), &f.swapchain1.PNext
	}
	if extensions[vk.KHR_VIDEO_MAINTENANCE1_EXTENSION_NAME] {
		*next, next = vk.Pointer(f.maintenance1), &f.maintenance1.PNext
	}
	if extensions[vk.KHR_VIDEO_MAINTENANCE2_EXTENSION_NAME] {
		*next, next = vk.Pointer(f.maintenance2), &f.maintenance2.PNext
	}
	if extensions[vk.KHR_UNIFIED_IMAGE_LAYOUTS_EXTENSION_NAME] {
		*next = vk.Pointer(f.unified)
	}
	return f
}

// The EXT forms of these were the same before they became KHR.
const latestReadyEXT = "VK_EXT_present_mode_fifo_latest_ready"

func hasLatestReady(extensions map[string]bool) bool {
	return extensions[vk.KHR_PRESENT_MODE_FIFO_LATEST_READY_EXTENSION_NAME] || extensions[latestReadyEXT]
}

// hasPresentTiming reports whether there is present_timing with what it stands on.
func hasPresentTiming(extensions map[string]bool) bool {
	return extensions[vk.EXT_PRESENT_TIMING_EXTENSION_NAME] && extensions[vk.KHR_CALIBRATED_TIMESTAMPS_EXTENSION_NAME]
}

func hasSwapchainMaintenance(extensions map[string]bool) bool {
	return extensions[vk.KHR_SWAPCHAIN_MAINTENANCE1_EXTENSION_NAME] || extensions[vk.EXT_SWAPCHAIN_MAINTENANCE1_EXTENSION_NAME]
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
	if cfg.Hardware && p.Type == "cpu" {
		return nil, fmt.Errorf("gpu: the only Vulkan device is a CPU (%s): %w", p.Name, media.ErrNotSupported)
	}
	c := new(dl.Caller)
	graphics, err := in.graphicsFamily(c, p, cfg.Surface)
	if err != nil {
		return nil, err
	}
	d := &Device{Info: p.Info, Instance: in, Physical: p.handle, memory: p.memory,
		Swapchain: cfg.Surface != 0 || cfg.Present && p.extensions[vk.KHR_SWAPCHAIN_EXTENSION_NAME] && in.Surfaces}
	d.refs.Store(1)
	priorities := make([]float32, maxQueues)
	for i := range priorities {
		priorities[i] = 1
	}
	queues := []vk.DeviceQueueCreateInfo{{SType: vk.STypeDeviceQueueCreateInfo, QueueFamilyIndex: uint32(graphics), QueueCount: 1, PQueuePriorities: &priorities[0]}}
	for i, f := range p.Families {
		if isTransfer(f.Flags) {
			queues = append(queues, vk.DeviceQueueCreateInfo{SType: vk.STypeDeviceQueueCreateInfo, QueueFamilyIndex: uint32(i), QueueCount: uint32(min(f.Count, 2)), PQueuePriorities: &priorities[0]})
			break
		}
	}
	transfers := queues[1:]
	decode := cfg.Video && p.Decode.Queues > 0
	if decode {
		queues = append(queues, vk.DeviceQueueCreateInfo{SType: vk.STypeDeviceQueueCreateInfo, QueueFamilyIndex: p.Decode.Family,
			QueueCount: uint32(min(p.Decode.Queues, maxQueues)), PQueuePriorities: &priorities[0]})
	}
	want := []string{vk.EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME, vk.KHR_PORTABILITY_SUBSET_EXTENSION_NAME}
	if d.Swapchain {
		want = append(want, vk.KHR_SWAPCHAIN_EXTENSION_NAME)
		if p.PresentWait {
			want = append(want, vk.KHR_PRESENT_ID_EXTENSION_NAME, vk.KHR_PRESENT_WAIT_EXTENSION_NAME)
		}
		// Whether a surface has these is asked by another extension, of the instance.
		d.PresentWait2, d.PresentTiming = p.PresentWait2 && in.capabilities2, p.PresentTiming && in.capabilities2
		if d.PresentWait2 || d.PresentTiming {
			want = append(want, vk.KHR_PRESENT_ID2_EXTENSION_NAME)
		}
		if d.PresentWait2 {
			want = append(want, vk.KHR_PRESENT_WAIT2_EXTENSION_NAME)
		}
		if d.PresentTiming {
			want = append(want, vk.EXT_PRESENT_TIMING_EXTENSION_NAME, vk.KHR_CALIBRATED_TIMESTAMPS_EXTENSION_NAME)
		}
		if p.DisplayTiming {
			want = append(want, vk.GOOGLE_DISPLAY_TIMING_EXTENSION_NAME)
		}
		if p.LatestReady {
			want = append(want, firstOf(p.extensions, vk.KHR_PRESENT_MODE_FIFO_LATEST_READY_EXTENSION_NAME, latestReadyEXT))
		}
		if d.SwapchainMaint1 = p.SwapchainMaint1 && in.maintained; d.SwapchainMaint1 {
			want = append(want, firstOf(p.extensions, vk.KHR_SWAPCHAIN_MAINTENANCE1_EXTENSION_NAME, vk.EXT_SWAPCHAIN_MAINTENANCE1_EXTENSION_NAME))
		}
	}
	if decode {
		want = append(want, vk.KHR_VIDEO_QUEUE_EXTENSION_NAME, vk.KHR_VIDEO_DECODE_QUEUE_EXTENSION_NAME,
			vk.KHR_VIDEO_MAINTENANCE1_EXTENSION_NAME, vk.KHR_VIDEO_MAINTENANCE2_EXTENSION_NAME, vk.KHR_UNIFIED_IMAGE_LAYOUTS_EXTENSION_NAME)
		for _, e := range videoExtensions {
			want = append(want, e.name)
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
	f.presentID2.PresentId2, f.presentWait2.PresentWait2, f.presentTiming.PresentTiming = 1, 1, 1
	f.latestReady.PresentModeFifoLatestReady, f.swapchain1.SwapchainMaintenance1 = 1, 1
	f.maintenance1.VideoMaintenance1, f.maintenance2.VideoMaintenance2 = vk.Bool(p.maintenance1), vk.Bool(p.maintenance2)
	f.unified.UnifiedImageLayouts, f.unified.UnifiedImageLayoutsVideo = vk.Bool(p.unified), vk.Bool(p.unified)
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
	for _, q := range transfers {
		for i := range q.QueueCount {
			d.Transfer = append(d.Transfer, d.queue(c, q.QueueFamilyIndex, i))
		}
	}
	if decode {
		for i := range min(p.Decode.Queues, maxQueues) {
			d.videoQueues = append(d.videoQueues, &VideoQueue{Queue: d.queue(c, p.Decode.Family, uint32(i))})
		}
	}
	return d, nil
}

// maxQueues is how many queues of a family are taken at most.
const maxQueues = 16

// OpenDevice opens a device with an instance of its own, which goes with it.
// Errors: media.ErrNotSupported.
func OpenDevice(ic InstanceConfig, cfg Config) (*Device, error) {
	in, err := NewInstance(ic)
	if err != nil {
		return nil, err
	}
	d, err := in.Open(cfg)
	if err != nil {
		in.Close()
		return nil, err
	}
	d.ownsParent = true
	return d, nil
}

// CanPresent reports whether a device that was opened with Present can present to s.
func (d *Device) CanPresent(s vk.SurfaceKHR) bool {
	ok := new(vk.Bool32)
	return d.Swapchain && d.Instance.Commands.GetPhysicalDeviceSurfaceSupportKHR(new(dl.Caller), d.Physical, d.Graphics.Family, s, ok) >= 0 && *ok != 0
}

// Retain adds a holder and returns d. It panics when the last one has closed it.
func (d *Device) Retain() *Device {
	if d.refs.Add(1) == 1 {
		panic("gpu: device held after it was closed")
	}
	return d
}

// MarkLost remembers that the device was lost.
func (d *Device) MarkLost() { d.lost.Store(true) }

// Lost reports whether the device was lost: nothing on it ends well any more.
func (d *Device) Lost() bool { return d.lost.Load() }

// firstOf returns the first of names that there is.
func firstOf(have map[string]bool, names ...string) string {
	for _, n := range names {
		if have[n] {
			return n
		}
	}
	return ""
}

func (d *Device) queue(c *dl.Caller, family, index uint32) Queue {
	q := Queue{Family: family, mu: new(sync.Mutex)}
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

// Close gives d up. The last holder destroys it; everything made from it must be gone.
func (d *Device) Close() error {
	switch n := d.refs.Add(-1); {
	case n > 0:
		return nil
	case n < 0:
		panic("gpu: device closed twice")
	}
	c := new(dl.Caller)
	err := d.Commands.DeviceWaitIdle(c, d.Handle).Err()
	d.Commands.DestroyDevice(c, d.Handle, nil)
	if d.ownsParent {
		d.Instance.Close()
	}
	if err == nil || errors.Is(err, media.ErrDeviceLost) {
		return nil // the loss has been reported where it was met
	}
	return fmt.Errorf("gpu: wait for the device: %w", err)
}

// PushConstants records the constants *p, which the caller keeps on the heap.
func PushConstants[T any](d *Device, c *dl.Caller, cb vk.CommandBuffer, layout vk.PipelineLayout, stages vk.ShaderStageFlags, p *T) {
	d.Commands.CmdPushConstants(c, cb, layout, stages, 0, uint32(unsafe.Sizeof(*p)), unsafe.Pointer(p))
}
