package main

import (
	"errors"
	"testing"

	"github.com/scanout-av/scanout/media"
)

func TestPush(t *testing.T) {
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	if err := push(30); errors.Is(err, media.ErrNotSupported) {
		t.Skipf("needs a Vulkan device (apt-get install mesa-vulkan-drivers): %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
}
