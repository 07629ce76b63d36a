package vk

import "github.com/scanout-av/scanout/media"

// Err returns r as an error, nil when r is a success (which positive codes are, too).
func (r Result) Err() error {
	if r >= 0 {
		return nil
	}
	return r
}

func (r Result) Error() string {
	switch r {
	case ERROR_OUT_OF_DEVICE_MEMORY:
		return "the GPU is out of memory (" + r.String() + ")"
	case ERROR_DEVICE_LOST:
		return "the GPU was lost: it was reset or removed (" + r.String() + ")"
	case ERROR_INCOMPATIBLE_DRIVER:
		return "no Vulkan driver is installed (" + r.String() + ")"
	}
	return r.String()
}

// Is relates results to the errors that the stages know.
func (r Result) Is(target error) bool {
	switch r {
	case ERROR_DEVICE_LOST:
		return target == media.ErrDeviceLost
	case ERROR_OUT_OF_DATE_KHR, ERROR_SURFACE_LOST_KHR:
		return target == media.ErrOutOfDate
	case ERROR_FEATURE_NOT_PRESENT, ERROR_EXTENSION_NOT_PRESENT, ERROR_LAYER_NOT_PRESENT,
		ERROR_FORMAT_NOT_SUPPORTED, ERROR_INCOMPATIBLE_DRIVER, ERROR_INVALID_EXTERNAL_HANDLE:
		return target == media.ErrNotSupported
	}
	return false
}
