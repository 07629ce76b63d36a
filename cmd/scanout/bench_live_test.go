package main

import (
	"context"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/avtest"
)

// TestBenchLive plays two rows of the benchmark: the pictures' numbers and checksums are
// read back, and a sender that is started again with another size is followed.
func TestBenchLive(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("needs ffmpeg: apt-get install ffmpeg")
	}
	dir := t.TempDir()
	var clips [2]*liveClip
	for i, h := range []int{180, 240} {
		c, err := makeClip(context.Background(), dir, h*16/9, h)
		if err != nil {
			t.Fatal(err)
		}
		clips[i] = c
	}
	for _, f := range []liveFault{{name: "nothing"}, {name: "source restart", restart: true}} {
		avtest.Try(t, func() error {
			r := &liveRun{fault: f, clips: clips, length: 4 * time.Second, dir: dir}
			if err := r.run(context.Background()); err != nil {
				return err
			}
			t.Log(r.row()...)
			if r.shown == 0 || r.whole == 0 || len(r.delays) == 0 {
				return fmt.Errorf("%s: %d shown, %d whole, %d delays: %+v", f.name, r.shown, r.whole, len(r.delays), r.stats.Live)
			}
			if l := r.stats.Live[0]; l.Lost == 0 && l.Skipped == 0 && r.stats.Fallbacks == 0 && r.whole < r.shown {
				return fmt.Errorf("%s: nothing was lost, and %d of %d pictures are not as they were sent", f.name, r.shown-r.whole, r.shown)
			}
			if f.restart && (r.recovery == 0 || r.stats.Live[0].Sources != 2) {
				return fmt.Errorf("%s: recovery %v, %+v", f.name, r.recovery, r.stats.Live[0])
			}
			return nil
		})
	}
}

func TestBenchRows(t *testing.T) {
	if err := knownRows([]string{"twice", "RTSP", "do nothing"}); err != nil {
		t.Error(err)
	}
	if knownRows([]string{"twice", "7 %"}) == nil {
		t.Error("a row that there is not was taken")
	}
	all, some := &benchOptions{}, &benchOptions{Rows: []string{"5 % loss", "twice"}}
	for name, want := range map[string]bool{"5 % loss, NACK": true, "5 % twice": true, "1 % loss": false} {
		if !all.wants(name) || some.wants(name) != want {
			t.Errorf("%s: %v with all, %v with some", name, all.wants(name), some.wants(name))
		}
	}
}
