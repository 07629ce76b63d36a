package player

import (
	"time"

	"github.com/scanout-av/scanout/media"
)

// maxJump is how far the timestamps of a stream may be off what they should be before
// they are taken for a new beginning, or for damage.
const maxJump = 10 * time.Second

// timeline makes the timestamps of a source one unbroken line. Recordings of broadcasts
// and joined files start anew in the middle, and damaged ones name any time: neither hours
// of waiting nor of dropped pictures are what their viewer wants. All streams move
// together, so that they stay in sync.
type timeline struct {
	restarts bool          // a long step forward is a new beginning, not a picture that stays
	end      time.Duration // nothing lies beyond it; 0: not known

	last  [2]time.Duration // where the last unit ended: of the picture, of the sound
	known [2]bool
	shift time.Duration
}

func newTimeline(info *media.Info) timeline {
	l := timeline{restarts: info.Live}
	switch info.Format {
	case "mpegts", "mpeg", "rtsp", "rtp", "sdp", "flv", "live_flv":
		l.restarts = true
	}
	if info.Duration > 0 {
		l.end = info.Start + info.Duration
	}
	return l
}

// reset forgets what it saw, after a seek.
func (l *timeline) reset() { l.known, l.shift = [2]bool{}, 0 }

// adjust moves the timestamps of au; stream is 0 for the picture, 1 for the sound.
func (l *timeline) adjust(au *media.AccessUnit, stream int) {
	t := au.DTS
	if !t.Valid() {
		t = au.PTS
	}
	if !t.Valid() {
		return
	}
	at := au.Timebase.Duration(t) + l.shift
	if step := at - l.last[stream]; l.known[stream] {
		if step < -maxJump || step > maxJump && (l.restarts || l.end > 0 && at-l.shift > l.end+maxJump) {
			l.shift -= step
			at -= step
		}
	}
	l.last[stream], l.known[stream] = at, true
	if d := au.Duration; d.Valid() && d > 0 {
		l.last[stream] += min(au.Timebase.Duration(d), maxJump)
	}
	if l.shift != 0 {
		s := au.Timebase.Ticks(l.shift)
		if au.PTS.Valid() {
			au.PTS += s
		}
		if au.DTS.Valid() {
			au.DTS += s
		}
	}
}
