package main

import (
	"context"
	"testing"
)

func TestPlay(t *testing.T) {
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	if err := play(context.Background(), []string{"pattern:size=160x90,duration=500ms"}); err != nil {
		t.Fatal(err)
	}
}
