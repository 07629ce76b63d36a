package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// reportFields are the fields that users of the report may count on.
var reportFields = strings.Fields(`media video.codec video.width video.height video.fps video.pix_fmt video.color
	frames.decoded frames.presented frames.dropped frames.late frames.repeated
	copies_per_frame allocs_per_frame gc_cycles pool.slots pool.peak pool.in_use_at_close pool.fallbacks
	av_offset_ms.mean av_offset_ms.p99 av_offset_ms.max interval_ms.mean interval_ms.p50 interval_ms.p99 interval_ms.max
	first_picture_ms cpu.user_s cpu.sys_s cpu.percent_of_core rss_mb presentation.source renderer decoder audio`)

// checkFields checks that JSON has fields, whose names are paths.
func checkFields(t *testing.T, text string, fields []string) {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for _, path := range fields {
		at := all
		names := strings.Split(path, ".")
		for i, n := range names {
			v, ok := at[n]
			if !ok {
				t.Errorf("no field %s", path)
				break
			}
			if at, ok = v.(map[string]any); !ok && i < len(names)-1 {
				t.Errorf("%s is no object", n)
				break
			}
		}
	}
}

// In steady playback of 1080p H.264 no plane is copied, nothing is allocated and nothing
// is collected; everything is given back.
func TestSteady(t *testing.T) {
	path := generate(t, "1080p60.mp4", "-f", "lavfi", "-i", "testsrc2=s=1920x1080:r=60:d=4", "-c:v", "libx264",
		"-preset", "ultrafast", "-pix_fmt", "yuv420p")
	for _, speed := range []string{"1", "max"} {
		t.Run("speed "+speed, func(t *testing.T) {
			for try := 1; ; try++ {
				r := play("-o", "null", "--audio", "none", "--speed", speed, "--report", "-", path).run(t)
				if r.code != exitOK || r.err != "" {
					t.Fatalf("code %d: %s", r.code, r.err)
				}
				p := r.report(t)
				checkFields(t, r.out, reportFields)
				if n := p.Frames.Presented + p.Frames.Dropped; n != 240 || p.Frames.Decoded != 240 {
					t.Errorf("%+v, want 240 pictures", p.Frames)
				}
				if p.Frames.Presented < 60 && try < 3 {
					continue // the machine stood still
				}
				if p.Frames.Presented < 60 {
					t.Fatalf("%d of 240 pictures were shown: too few to judge", p.Frames.Presented)
				}
				if p.CopiesPerFrame != 0 || p.GCCycles != 0 || p.Pool.Fallbacks != 0 || p.Pool.Peak > p.Pool.Slots {
					t.Errorf("copies %v, collections %d, pool %+v", p.CopiesPerFrame, p.GCCycles, p.Pool)
				}
				if p.Video.Width != 1920 || p.Video.Height != 1080 || p.Video.FPS != 60 || p.Video.PixFmt != "yuv420p" || p.Video.Codec != "h264" {
					t.Errorf("%+v", *p.Video)
				}
				if p.AllocsPerFrame == 0 {
					break
				}
				// The runtime itself may need one thing more when the machine is busy. What
				// playback allocates, it allocates each time.
				if try == 3 {
					t.Errorf("%v allocations a frame, three times in a row", p.AllocsPerFrame)
					break
				}
			}
		})
	}
}
