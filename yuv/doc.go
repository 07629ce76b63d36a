// Package yuv converts video pictures between YCbCr and RGB on the CPU, at the speed of
// memory: I420, NV12, 10-bit, camera layouts and image.YCbCr to image.RGBA and back.
//
// One fixed-point model defines every output byte, and every implementation (Go, AVX2,
// AVX-512, NEON) gives exactly these bytes. For 8-bit samples they are within one level of the
// exactly rounded result for all 2²⁴ inputs, in BT.601, BT.709 and BT.2020, limited and
// full range.
//
// Chroma that pixels share is interpolated when asked for ([Chroma]), at any siting and
// before anything is rounded, within the same bound.
//
//	c, err := yuv.New(yuv.Config{Matrix: yuv.BT709, From: yuv.NV12, To: yuv.BGRA})
//	…
//	err = c.Convert(pixels, stride, &picture, 0, picture.Height)
//
// A [Converter] keeps no state and allocates nothing, so goroutines may share it and
// split a picture by rows. [ToRGBA] and [ToYCbCr] are the short way for the types of
// package image.
//
// Errors are reported before a byte is written, and nothing outside the destination's
// rows is touched, whatever the size, stride or alignment.
//
// amd64 and arm64 have assembly, other CPUs run Go. arm64's is tested under emulation, and
// its speed has not been measured. The build tag purego leaves all assembly out.
package yuv
