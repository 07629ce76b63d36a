//go:build (amd64 || arm64) && (linux || freebsd || netbsd || openbsd || dragonfly)

package wl

// dispatchPC is the address of the dispatcher in assembly.
var dispatchPC uintptr

func dispatcher() uintptr { return dispatchPC }
