//go:build !(amd64 || arm64) || !(linux || darwin || windows)

package libav

import (
	"sync"

	"github.com/scanout-av/scanout/internal/dl"
)

var interruptCallback = sync.OnceValue(func() uintptr {
	return dl.NewCallback(func(in uintptr) uintptr {
		if at := dl.Load[uintptr](in, 16); at != 0 {
			left := dl.Load[int32](in, 4) - 1
			dl.Store(in, 4, left)
			if left == 0 {
				dl.Store(at, 0, dl.Load[int32](in, 8))
			}
		}
		return uintptr(dl.Load[uint32](in, 0) | dl.Load[uint32](in, 12))
	})
})
