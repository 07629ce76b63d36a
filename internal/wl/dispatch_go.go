//go:build !amd64 && !arm64 && (linux || freebsd || netbsd || openbsd || dragonfly)

package wl

import (
	"sync"

	"github.com/scanout-av/scanout/internal/dl"
)

// dispatcher is the address of the dispatcher that enters Go, which allocates.
var dispatcher = sync.OnceValue(func() uintptr {
	return dl.NewCallback(func(in *inbox, target, opcode, _ uintptr, args *[7]uint64) uintptr {
		if in.n == inboxSize {
			in.lost++
			return 0
		}
		in.events[in.n] = event{target, uint64(opcode), *args}
		in.n++
		return 0
	})
})
