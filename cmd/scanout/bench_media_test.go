package main

import (
	"strings"
	"testing"

	"github.com/scanout-av/scanout/internal/avtest"
)

// TestBenchMedia: decode and headline measure what this machine has and say in a line what it
// has not.
func TestBenchMedia(t *testing.T) {
	t.Parallel()
	clip := avtest.Encode(t, "264", 60, "-c:v", "libx264", "-g", "15", "-bf", "2", "-pix_fmt", "yuv420p")
	for _, c := range []struct {
		args        []string
		soft, vkRow string
	}{
		{[]string{"bench", "decode", "--duration", "50ms", "--streams", "1"}, "FFmpeg, 1 threads", "  vulkan"},
		{[]string{"bench", "headline", "--duration", "50ms"}, "decode in software, draw", "play: decode on the GPU"},
	} {
		r := command{args: append(c.args, "--media", clip)}.run(t)
		if r.code != exitOK || !strings.Contains(r.out, c.soft) {
			t.Errorf("%q: code %d: %s%s", c.args, r.code, r.out, r.err)
		}
		for _, line := range strings.Split(r.out, "\n") {
			if strings.Contains(line, c.vkRow) && !strings.Contains(line, "MHz") && !strings.Contains(line, "not supported") {
				t.Errorf("%q: neither measured nor said why not: %s", c.args, line)
			}
		}
		if !strings.Contains(r.out, c.vkRow) {
			t.Errorf("%q: nothing about the GPU: %s", c.args, r.out)
		}
		if r := (command{args: c.args}).run(t); r.code == exitOK || !strings.Contains(r.err, "--media") {
			t.Errorf("%q without media: code %d: %s", c.args, r.code, r.err)
		}
	}
}
