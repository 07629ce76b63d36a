//go:build !(amd64 || arm64) || !(linux || darwin || windows)

package libav

import (
	"sync"

	"github.com/scanout-av/scanout/internal/dl"
)

var interruptCallback = sync.OnceValue(func() uintptr {
	return dl.NewCallback(func(flag uintptr) uintptr { return uintptr(dl.Load[uint32](flag, 0)) })
})
