package gpu

import "path/filepath"

// Present reports whether the system has a device file of a GPU. Without one, all that
// Vulkan can find is a driver that draws on the CPU, and loading it takes 60 ms and more.
// Paths: DRM render nodes; NVIDIA's driver; WSL; Qualcomm's and Arm's drivers on Android
// kernels.
func Present() bool {
	for _, pattern := range []string{"/dev/dri/renderD*", "/dev/nvidia[0-9]*", "/dev/dxg", "/dev/kgsl-3d0", "/dev/mali0"} {
		if m, err := filepath.Glob(pattern); err == nil && len(m) > 0 {
			return true
		}
	}
	return false
}
