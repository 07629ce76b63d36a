package player

import (
	"time"

	"github.com/scanout-av/scanout/media"
)

// stillBelow is the duration from which a media of a single picture has one of its own: a
// picture that a film shows for seconds goes when they are over. Images have none, or that of
// one frame at a rate that FFmpeg made up.
const stillBelow = time.Second

// still reports whether the media, at its end, was an image: one picture without sound, that
// nobody said a time for. It stays one when it is sought.
func (s *presenter) still() bool {
	p := s.p
	if !s.image {
		st := &p.stats
		s.image = s.ended && s.count == 1 && st.decoded.Load() == 1 && st.decodeErrors.Load() == 0 && st.readErrors.Load() == 0 &&
			p.info.Best(media.KindAudio) == nil && p.info.Duration < stillBelow && p.info.Format != "pattern" && !p.live()
	}
	return s.image
}

// lingers reports whether the picture on the screen stays although the media is at its end:
// an image in a window does until the user closes that, or for the duration that was asked for.
func (s *presenter) lingers(now media.Instant) bool {
	p := s.p
	if !p.stats.window() || p.cfg.MaxSpeed || !s.still() {
		return false
	}
	limit := p.cfg.Duration
	return limit == 0 || now < s.began.Add(limit)
}

// lingersUntil is when to look again whether it does.
func (s *presenter) lingersUntil(now media.Instant) media.Instant {
	t := now.Add(watchInterval)
	if limit := s.p.cfg.Duration; limit != 0 {
		t = min(t, s.began.Add(limit))
	}
	return t
}
