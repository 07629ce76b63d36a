package gpu

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// Info describes a physical device: what doctor shows, and what decides how pictures
// are uploaded.
type Info struct {
	Index         int
	Name          string
	Type          string // "discrete", "integrated", "virtual", "cpu" or "other"
	Driver        string
	API           string // "1.3.239"
	Usable        bool   // has what drawing needs
	Missing       []string
	UnifiedMemory bool // the GPU reads the CPU's memory at full speed
	TransferQueue bool // a copy engine with a queue of its own
	VideoDecode   bool
	// Decode says what the decode queues can do that Vulkan reaches.
	Decode Video

	HostImport        bool // VK_EXT_external_memory_host
	HostImportAlign   uint64
	YCbCrSampler      bool
	HostImageCopy     bool
	PresentWait       bool // VK_KHR_present_id and VK_KHR_present_wait
	PresentWait2      bool // their second version, which each surface has to have, too
	PresentTiming     bool // VK_EXT_present_timing; each surface has to have it, too
	DisplayTiming     bool // VK_GOOGLE_display_timing
	CalibratedStamps  bool
	SwapchainMaint1   bool // fences that say when a presented image is free
	LatestReady       bool // VK_KHR_present_mode_fifo_latest_ready
	MaxImageDimension uint32
	MaxStorageRange   uint64
	// StorageAlign is the alignment of a storage buffer's offset in a descriptor.
	StorageAlign uint64
	Families     []Family
}

// Family is a queue family.
type Family struct {
	Flags vk.QueueFlags
	Count int
}

// physical is a physical device with what was found out about it.
type physical struct {
	Info
	handle     vk.PhysicalDevice
	memory     vk.PhysicalDeviceMemoryProperties
	extensions map[string]bool
	rank       int

	maintenance1, maintenance2, unified bool
}

// physicals lists the devices, best first: discrete, integrated, virtual, CPU.
func (in *Instance) physicals() ([]*physical, error) {
	c := new(dl.Caller)
	handles := list(func(n *uint32, p *vk.PhysicalDevice) vk.Result {
		return in.Commands.EnumeratePhysicalDevices(c, in.Handle, n, p)
	})
	var ps []*physical
	for i, h := range handles {
		p := in.inspect(c, h)
		p.Index = i
		ps = append(ps, p)
	}
	if len(ps) == 0 {
		return nil, fmt.Errorf("gpu: no Vulkan device; %s: %w", installHint(), media.ErrNotSupported)
	}
	slices.SortStableFunc(ps, func(a, b *physical) int { return a.rank - b.rank })
	return ps, nil
}

func (in *Instance) inspect(c *dl.Caller, h vk.PhysicalDevice) *physical {
	p := &physical{handle: h, extensions: map[string]bool{}}
	for _, e := range list(func(n *uint32, x *vk.ExtensionProperties) vk.Result {
		return in.Commands.EnumerateDeviceExtensionProperties(c, h, nil, n, x)
	}) {
		p.extensions[vk.String(e.ExtensionName[:])] = true
	}
	p.HostImport = p.extensions[vk.EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME]
	host := &vk.PhysicalDeviceExternalMemoryHostPropertiesEXT{SType: vk.STypePhysicalDeviceExternalMemoryHostPropertiesEXT}
	driver := &vk.PhysicalDeviceDriverProperties{SType: vk.STypePhysicalDeviceDriverProperties}
	if p.HostImport {
		driver.PNext = vk.Pointer(host)
	}
	props := &vk.PhysicalDeviceProperties2{SType: vk.STypePhysicalDeviceProperties2}
	in.Commands.GetPhysicalDeviceProperties2(c, h, props)
	api := props.Properties.ApiVersion
	if api >= vk.Version(1, 2, 0) {
		props.PNext = vk.Pointer(driver)
		in.Commands.GetPhysicalDeviceProperties2(c, h, props)
	}
	limits := &props.Properties.Limits
	p.Name = vk.String(props.Properties.DeviceName[:])
	p.Driver = strings.TrimSpace(vk.String(driver.DriverName[:]) + " " + vk.String(driver.DriverInfo[:]))
	p.API = fmt.Sprintf("%d.%d.%d", api>>22&0x7f, api>>12&0x3ff, api&0xfff)
	p.HostImportAlign = host.MinImportedHostPointerAlignment
	p.MaxImageDimension = limits.MaxImageDimension2D
	p.MaxStorageRange = uint64(limits.MaxStorageBufferRange)
	p.StorageAlign = max(limits.MinStorageBufferOffsetAlignment, 4)
	switch props.Properties.DeviceType {
	case vk.PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
		p.Type, p.rank = "discrete", 0
	case vk.PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
		p.Type, p.rank = "integrated", 1
	case vk.PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
		p.Type, p.rank = "virtual", 2
	case vk.PHYSICAL_DEVICE_TYPE_CPU:
		p.Type, p.rank = "cpu", 3
	default:
		p.Type, p.rank = "other", 4
	}
	p.UnifiedMemory = p.Type == "integrated" || p.Type == "cpu"
	mem := &vk.PhysicalDeviceMemoryProperties2{SType: vk.STypePhysicalDeviceMemoryProperties2}
	in.Commands.GetPhysicalDeviceMemoryProperties2(c, h, mem)
	p.memory = mem.MemoryProperties
	p.families(in, c)
	p.features(in, c, api)
	p.video(in, c)
	if !p.Usable {
		p.rank += 10
	}
	return p
}

func (p *physical) families(in *Instance, c *dl.Caller) {
	n := new(uint32)
	in.Commands.GetPhysicalDeviceQueueFamilyProperties2(c, p.handle, n, nil)
	fs := make([]vk.QueueFamilyProperties2, max(*n, 1))
	for i := range fs {
		fs[i].SType = vk.STypeQueueFamilyProperties2
	}
	in.Commands.GetPhysicalDeviceQueueFamilyProperties2(c, p.handle, n, &fs[0])
	for _, f := range fs[:*n] {
		fl := f.QueueFamilyProperties.QueueFlags
		p.Families = append(p.Families, Family{fl, int(f.QueueFamilyProperties.QueueCount)})
		p.TransferQueue = p.TransferQueue || isTransfer(fl)
		p.VideoDecode = p.VideoDecode || fl&vk.QUEUE_VIDEO_DECODE_BIT_KHR != 0
	}
}

// isTransfer reports whether a family is a copy engine and nothing else.
func isTransfer(f vk.QueueFlags) bool {
	const others = vk.QUEUE_GRAPHICS_BIT | vk.QUEUE_COMPUTE_BIT |
		vk.QUEUE_VIDEO_DECODE_BIT_KHR | 0x40 /* video encode */ | 0x100 /* optical flow */
	return f&vk.QUEUE_TRANSFER_BIT != 0 && f&others == 0
}

func (p *physical) features(in *Instance, c *dl.Caller, api uint32) {
	if api < vk.Version(1, 3, 0) {
		p.Missing = append(p.Missing, "Vulkan 1.3 (has "+p.API+")")
		return
	}
	f := newFeatures(p.extensions)
	in.Commands.GetPhysicalDeviceFeatures2(c, p.handle, f.head)
	for name, ok := range map[string]vk.Bool32{"timelineSemaphore": f.v12.TimelineSemaphore,
		"synchronization2": f.v13.Synchronization2, "dynamicRendering": f.v13.DynamicRendering} {
		if ok == 0 {
			p.Missing = append(p.Missing, name)
		}
	}
	if p.family(vk.QUEUE_GRAPHICS_BIT|vk.QUEUE_COMPUTE_BIT) < 0 {
		p.Missing = append(p.Missing, "graphics queue")
	}
	p.Usable = len(p.Missing) == 0
	p.YCbCrSampler = f.v11.SamplerYcbcrConversion != 0
	p.HostImageCopy = f.hostCopy.HostImageCopy != 0
	p.maintenance1, p.maintenance2 = f.maintenance1.VideoMaintenance1 != 0, f.maintenance2.VideoMaintenance2 != 0
	p.unified = f.unified.UnifiedImageLayouts != 0 && f.unified.UnifiedImageLayoutsVideo != 0
	p.PresentWait = f.presentID.PresentId != 0 && f.presentWait.PresentWait != 0
	p.SwapchainMaint1 = f.swapchain1.SwapchainMaintenance1 != 0
	p.LatestReady = f.latestReady.PresentModeFifoLatestReady != 0
	p.PresentWait2 = f.presentID2.PresentId2 != 0 && f.presentWait2.PresentWait2 != 0
	p.PresentTiming = f.presentID2.PresentId2 != 0 && f.presentTiming.PresentTiming != 0
	p.DisplayTiming = p.extensions[vk.GOOGLE_DISPLAY_TIMING_EXTENSION_NAME]
	p.CalibratedStamps = p.extensions[vk.KHR_CALIBRATED_TIMESTAMPS_EXTENSION_NAME] || p.extensions[vk.EXT_CALIBRATED_TIMESTAMPS_EXTENSION_NAME]
}

// family returns the first family with all of flags, −1 when there is none.
func (p *physical) family(flags vk.QueueFlags) int {
	return slices.IndexFunc(p.Families, func(f Family) bool { return f.Flags&flags == flags && f.Count > 0 })
}

// pick returns the device that want names by its place in Vulkan's list or by a part of
// its name, the best one when want is empty.
func pick(ps []*physical, want string) (*physical, error) {
	var names []string
	for _, p := range ps {
		names = append(names, fmt.Sprintf("%d: %s", p.Index, p.Name))
		if n, err := strconv.Atoi(want); want == "" || err == nil && n == p.Index ||
			err != nil && strings.Contains(strings.ToLower(p.Name), strings.ToLower(want)) {
			if !p.Usable {
				return nil, fmt.Errorf("gpu: %s lacks %s: %w", p.Name, strings.Join(p.Missing, ", "), media.ErrNotSupported)
			}
			return p, nil
		}
	}
	return nil, fmt.Errorf("gpu: no device %q; choose by number or name from: %s: %w", want, strings.Join(names, "; "), media.ErrNotSupported)
}

// Probe lists the devices of this machine, best first.
func Probe() ([]Info, error) {
	in, err := NewInstance(InstanceConfig{})
	if err != nil {
		return nil, err
	}
	defer in.Close()
	ps, err := in.physicals()
	if err != nil {
		return nil, err
	}
	infos := make([]Info, len(ps))
	for i, p := range ps {
		infos[i] = p.Info
	}
	return infos, nil
}
