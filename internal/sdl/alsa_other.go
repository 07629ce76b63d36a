//go:build !linux

package sdl

func quietALSA() {}
