//go:build !amd64 || purego

package yuvbench

// limits are measured on amd64 only.
func limits() []contestant { return nil }
