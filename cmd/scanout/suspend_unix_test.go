//go:build unix

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestSuspended stops the whole program for 3 s while it plays, as a machine that sleeps does
// to it: what comes then is shown, nothing is caught up with for long, every picture is
// accounted for, and playback ends.
func TestSuspended(t *testing.T) {
	procOnly(t)
	const pictures = 6 * 25
	path := generate(t, "suspended.mkv", join(picture("6"), sound("6"), h264, []string{"-c:a", "pcm_s16le"})...)
	for _, c := range []struct {
		name string
		args []string
		anew bool
	}{
		{"file", []string{"--audio", "none", path}, true},
		{"file with sound", []string{"--audio", "null", path}, false},
		{"balanced", []string{"--audio", "none", "--latency", "balanced", "pattern:size=64x48,rate=25,duration=6s,live=1"}, false},
		{"freshest", []string{"--audio", "null", "--latency", "freshest", "pattern:size=64x48,rate=25,duration=6s,live=1"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			trace := filepath.Join(t.TempDir(), "trace.json")
			w := play(append([]string{"-o", "null", "--report", "-", "--trace", trace}, c.args...)...).start(t, nil)
			w.until(t, "pictures", func() bool {
				b, _ := os.ReadFile(trace)
				return bytes.Count(b, []byte(`"shown"`)) > 10
			})
			for _, s := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
				if err := w.cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
				if s == syscall.SIGSTOP {
					<-time.After(3 * time.Second)
				}
			}
			r := w.end(t)
			if r.code != exitOK || r.err != "" {
				t.Fatalf("code %d: %s", r.code, r.err)
			}
			f := r.report(t).Frames
			t.Logf("%+v", f)
			dropped := int64(0)
			for _, n := range f.Drops {
				dropped += n
			}
			if f.Presented+dropped != f.Decoded {
				t.Errorf("%d decoded, %d shown, %d dropped", f.Decoded, f.Presented, dropped)
			}
			if f.Presented < pictures/4 {
				t.Errorf("%d of %d shown", f.Presented, pictures)
			}
			if c.anew && f.Reanchored == 0 {
				t.Error("time did not start anew")
			}
		})
	}
}
