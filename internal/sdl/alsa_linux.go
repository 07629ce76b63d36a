package sdl

import (
	"sync"

	"github.com/scanout-av/scanout/internal/dl"
)

// quietALSA keeps ALSA's library from writing to standard error: it prints a page where
// there is no sound card, and what matters of it comes back through SDL's own error.
var quietALSA = sync.OnceFunc(func() {
	lib, err := dl.Open("libasound.so.2")
	if err != nil {
		return
	}
	set, err := lib.Symbol("snd_lib_error_set_handler")
	if err != nil {
		return
	}
	// snd_lib_error_handler_t(file, line, function, err, format, ...); the variable part
	// is not looked at.
	dl.Call(set, dl.NewCallback(func(file, line, function, code, format uintptr) {}))
})
