package vk

import (
	"runtime"
	"unsafe"

	"github.com/scanout-av/scanout/internal/dl"
)

// LoadGlobal finds the commands that need no instance.
func LoadGlobal(getInstanceProcAddr uintptr) *GlobalCommands {
	t := new(GlobalCommands)
	load(getInstanceProcAddr, 0, globalNames[:], unsafe.Slice((*uintptr)(unsafe.Pointer(t)), len(globalNames)))
	return t
}

// LoadInstance finds the commands of an instance and its physical devices.
func LoadInstance(getInstanceProcAddr uintptr, instance Instance) *InstanceCommands {
	t := new(InstanceCommands)
	load(getInstanceProcAddr, uintptr(instance), instanceNames[:], unsafe.Slice((*uintptr)(unsafe.Pointer(t)), len(instanceNames)))
	return t
}

// LoadDevice finds the commands of a device, its queues and its command buffers. They go
// straight to the driver, past the loader's dispatch.
func LoadDevice(getDeviceProcAddr uintptr, device Device) *DeviceCommands {
	t := new(DeviceCommands)
	load(getDeviceProcAddr, uintptr(device), deviceNames[:], unsafe.Slice((*uintptr)(unsafe.Pointer(t)), len(deviceNames)))
	return t
}

func load(get, parent uintptr, names [][]string, pfn []uintptr) {
	c := new(dl.Caller)
	for i, aliases := range names {
		for _, n := range aliases {
			s := dl.CString(n)
			pfn[i] = c.Call(get, parent, dl.Addr(s))
			runtime.KeepAlive(s)
			if pfn[i] != 0 {
				break
			}
		}
	}
}

// Bool32 is C's truth value.
type Bool32 uint32

// Bool turns b into a Bool32.
func Bool(b bool) Bool32 {
	if b {
		return 1
	}
	return 0
}

// Version packs an API version.
func Version(major, minor, patch uint32) uint32 { return major<<22 | minor<<12 | patch }

// String returns the text of a fixed-size, NUL-terminated array.
func String(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// Pointer returns p for a field that holds a pointer to anything, such as PNext.
func Pointer[T any](p *T) unsafe.Pointer { return unsafe.Pointer(p) }
