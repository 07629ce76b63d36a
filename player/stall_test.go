package player_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

// stallingReader blocks once, when after bytes of it have been read.
type stallingReader struct {
	io.Reader
	after int
	wait  time.Duration
}

func (r *stallingReader) Read(b []byte) (int, error) {
	if r.after > 0 {
		b = b[:min(len(b), r.after)]
	} else if r.wait > 0 {
		<-time.After(r.wait)
		r.wait = 0
	}
	n, err := r.Reader.Read(b)
	r.after -= n
	return n, err
}

// TestStallingSource plays pictures without sound from a pipe that gives nothing for longer
// than can be caught up with: time starts anew, no picture is lost to it, and playback ends.
func TestStallingSource(t *testing.T) {
	const frames, w, h = 60, 64, 64
	var b bytes.Buffer
	fmt.Fprintf(&b, "YUV4MPEG2 W%d H%d F30:1 C420\n", w, h)
	for i := range frames {
		b.WriteString("FRAME\n")
		b.Write(bytes.Repeat([]byte{byte(16 + i)}, w*h*3/2))
	}
	in := &stallingReader{Reader: &b, after: b.Len() / 3, wait: 1500 * time.Millisecond}
	s := play(t, player.Config{Media: "-", Input: in, Output: player.OutputNull, Refresh: 60})
	dropped := int64(0)
	for _, n := range s.Drops {
		dropped += n
	}
	if s.Decoded != frames || s.Presented+dropped != frames {
		t.Errorf("%d decoded, %d shown, %d dropped: %v", s.Decoded, s.Presented, dropped, s.Drops)
	}
	if s.Reanchored == 0 || s.Drops[media.DropNone] != 0 {
		t.Errorf("time started anew %d times: %v", s.Reanchored, s.Drops)
	}
	if s.Presented < frames/2 {
		t.Errorf("only %d of %d shown: %v", s.Presented, frames, s.Drops)
	}
}
