package gpu

import (
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

const validationLayer = "VK_LAYER_KHRONOS_validation"

// Instance is a connection to the Vulkan loader.
type Instance struct {
	Commands *vk.InstanceCommands
	Handle   vk.Instance
	Version  uint32 // of the loader
	// Validated says that the validation layer is active.
	Validated bool
	// Surfaces says that windows of every system that the loader knows can be drawn to.
	Surfaces bool

	messenger vk.DebugUtilsMessengerEXT
	// maintained says that surface_maintenance1 is on.
	maintained bool
	// capabilities2 says that surfaces can be asked about extensions.
	capabilities2 bool
	log           *messageLog
	logID         uintptr
}

// InstanceConfig says what an instance must have.
type InstanceConfig struct {
	// Extensions are instance extensions that a window needs.
	Extensions []string
	// Surfaces asks for the extensions of every window system that the loader knows, for
	// when the window comes later.
	Surfaces bool
	// Validation turns the validation layer on and collects its messages. It is an error
	// when the layer is missing.
	Validation bool
}

// windowSystems are the extensions that make a surface of a window.
var windowSystems = []string{"VK_KHR_xlib_surface", "VK_KHR_xcb_surface", "VK_KHR_wayland_surface", vk.KHR_DISPLAY_EXTENSION_NAME,
	"VK_KHR_win32_surface", "VK_EXT_metal_surface"}

func libraryNames() []string {
	switch runtime.GOOS {
	case "windows":
		return []string{"vulkan-1.dll"}
	case "darwin":
		return []string{"libvulkan.1.dylib", "libvulkan.dylib", "libMoltenVK.dylib",
			"/opt/homebrew/lib/libvulkan.1.dylib", "/usr/local/lib/libvulkan.1.dylib", "/opt/homebrew/lib/libMoltenVK.dylib"}
	}
	return []string{"libvulkan.so.1", "libvulkan.so"}
}

func installHint() string {
	switch runtime.GOOS {
	case "windows":
		return "install your GPU's driver"
	case "darwin":
		return "install MoltenVK: brew install molten-vk vulkan-loader"
	}
	return "install the Vulkan loader and a driver: apt-get install libvulkan1 mesa-vulkan-drivers"
}

// NewInstance opens the loader and creates an instance.
// Errors: media.ErrNotSupported when there is no Vulkan here.
func NewInstance(cfg InstanceConfig) (*Instance, error) {
	lib, err := dl.Open(libraryNames()...)
	if err != nil {
		return nil, fmt.Errorf("gpu: no Vulkan loader; %s: %w (%w)", installHint(), media.ErrNotSupported, err)
	}
	get, err := lib.Symbol("vkGetInstanceProcAddr")
	if err != nil {
		return nil, fmt.Errorf("gpu: %w (%w)", media.ErrNotSupported, err)
	}
	global := vk.LoadGlobal(get)
	if global.PfnCreateInstance == 0 || global.PfnEnumerateInstanceVersion == 0 {
		return nil, fmt.Errorf("gpu: the Vulkan loader is older than 1.1; %s: %w", installHint(), media.ErrNotSupported)
	}
	in := new(Instance)
	c := new(dl.Caller)
	if err := global.EnumerateInstanceVersion(c, &in.Version).Err(); err != nil {
		return nil, fmt.Errorf("gpu: version of the Vulkan loader: %w", err)
	}
	available := map[string]bool{}
	for _, e := range list(func(n *uint32, p *vk.ExtensionProperties) vk.Result {
		return global.EnumerateInstanceExtensionProperties(c, nil, n, p)
	}) {
		available[vk.String(e.ExtensionName[:])] = true
	}
	extensions := slices.Clone(cfg.Extensions)
	for _, e := range extensions {
		if !available[e] {
			return nil, fmt.Errorf("gpu: the Vulkan loader has no %s, which the window needs: %w", e, media.ErrNotSupported)
		}
	}
	if cfg.Surfaces && available[vk.KHR_SURFACE_EXTENSION_NAME] {
		extensions = append(extensions, vk.KHR_SURFACE_EXTENSION_NAME)
		for _, e := range windowSystems {
			if available[e] {
				extensions = append(extensions, e)
				in.Surfaces = true
			}
		}
	}
	info := &vk.InstanceCreateInfo{SType: vk.STypeInstanceCreateInfo, PApplicationInfo: &vk.ApplicationInfo{
		SType: vk.STypeApplicationInfo, PApplicationName: dl.CString("scanout"), ApiVersion: vk.Version(1, 3, 0)}}
	if slices.Contains(extensions, vk.KHR_SURFACE_EXTENSION_NAME) && available[vk.KHR_GET_SURFACE_CAPABILITIES2_EXTENSION_NAME] {
		// What the device's swapchain_maintenance1 stands on.
		extensions = append(extensions, vk.KHR_GET_SURFACE_CAPABILITIES2_EXTENSION_NAME)
		in.capabilities2 = true
		for _, e := range []string{vk.KHR_SURFACE_MAINTENANCE1_EXTENSION_NAME, vk.EXT_SURFACE_MAINTENANCE1_EXTENSION_NAME} {
			if available[e] {
				extensions = append(extensions, e)
				in.maintained = true
			}
		}
	}
	if available[vk.KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME] {
		extensions = append(extensions, vk.KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME)
		info.Flags |= vk.INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR
	}
	var layers []string
	var messenger *vk.DebugUtilsMessengerCreateInfoEXT
	if cfg.Validation {
		if !hasLayer(global, c) {
			return nil, fmt.Errorf("gpu: no %s; install it: apt-get install vulkan-validationlayers: %w", validationLayer, media.ErrNotSupported)
		}
		layers = append(layers, validationLayer)
		extensions = append(extensions, vk.EXT_DEBUG_UTILS_EXTENSION_NAME)
		in.log, in.logID = newMessageLog()
		messenger = messengerInfo(in.logID)
		info.PNext = vk.Pointer(messenger)
	}
	layerNames, extensionNames := cstrings(layers), cstrings(extensions)
	if len(layers) > 0 {
		info.EnabledLayerCount, info.PpEnabledLayerNames = uint32(len(layers)), &layerNames[0]
	}
	if len(extensions) > 0 {
		info.EnabledExtensionCount, info.PpEnabledExtensionNames = uint32(len(extensions)), &extensionNames[0]
	}
	if err := global.CreateInstance(c, info, nil, &in.Handle).Err(); err != nil {
		in.log.close(in.logID)
		return nil, fmt.Errorf("gpu: create a Vulkan instance; %s: %w", installHint(), err)
	}
	in.Commands = vk.LoadInstance(get, in.Handle)
	if messenger != nil {
		if err := in.Commands.CreateDebugUtilsMessengerEXT(c, in.Handle, messenger, nil, &in.messenger).Err(); err != nil {
			in.Close()
			return nil, fmt.Errorf("gpu: collect validation messages: %w", err)
		}
		in.Validated = true
	}
	return in, nil
}

func hasLayer(g *vk.GlobalCommands, c *dl.Caller) bool {
	for _, l := range list(func(n *uint32, p *vk.LayerProperties) vk.Result {
		return g.EnumerateInstanceLayerProperties(c, n, p)
	}) {
		if vk.String(l.LayerName[:]) == validationLayer {
			return true
		}
	}
	return false
}

// Messages returns what the validation layer has said so far.
func (in *Instance) Messages() []string { return in.log.all() }

// driversKept says that an instance was left alive so that the drivers stay loaded.
var driversKept atomic.Bool

// Close destroys the instance. Everything made from it must be gone.
//
// The first plain one of a process stays: with the last instance the loader unloads the
// drivers, which makes the next one as slow as the first, and not every driver survives
// being loaded a few dozen times.
func (in *Instance) Close() {
	if in.messenger == 0 && !in.Validated && driversKept.CompareAndSwap(false, true) {
		return
	}
	c := new(dl.Caller)
	if in.messenger != 0 {
		in.Commands.DestroyDebugUtilsMessengerEXT(c, in.Handle, in.messenger, nil)
	}
	in.Commands.DestroyInstance(c, in.Handle, nil)
	in.log.close(in.logID)
}

// list calls a Vulkan enumeration twice: for the count, and for the values.
func list[T any](get func(n *uint32, p *T) vk.Result) []T {
	n := new(uint32)
	if get(n, nil) < 0 || *n == 0 {
		return nil
	}
	s := make([]T, *n)
	if get(n, &s[0]) < 0 {
		return nil
	}
	return s[:*n]
}

func cstrings(s []string) []*byte {
	p := make([]*byte, len(s))
	for i := range s {
		p[i] = dl.CString(s[i])
	}
	return p
}

// DestroySurface destroys a window's surface.
func (in *Instance) DestroySurface(s vk.SurfaceKHR) {
	if s != 0 {
		in.Commands.DestroySurfaceKHR(new(dl.Caller), in.Handle, s, nil)
	}
}
