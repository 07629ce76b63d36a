//go:build !darwin

package libav

const eagain = 11
