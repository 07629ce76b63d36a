package main

import (
	"context"
	"errors"
	"testing"

	"github.com/scanout-av/scanout/media"
)

// TestGlassScreen reads the picture memory of a real X server, on which nobody has drawn.
func TestGlassScreen(t *testing.T) {
	s, err := openGlassScreen(context.Background(), t.TempDir())
	if errors.Is(err, media.ErrNotSupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if s.stride != 4*glassWidth || s.name == "" {
		t.Errorf("display %q with rows of %d bytes", s.name, s.stride)
	}
	if n, ok := s.number(); ok {
		t.Errorf("number %d on an empty screen", n)
	}
}
