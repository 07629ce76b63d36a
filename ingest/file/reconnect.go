package file

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"time"

	"github.com/scanout-av/scanout/media"
)

const (
	// firstWait is how long to wait after a connection that failed at once; it doubles up
	// to maxWait, and begins anew after a connection that held for steadyAfter.
	firstWait   = 250 * time.Millisecond
	maxWait     = 8 * time.Second
	steadyAfter = 10 * time.Second
)

// findStreams reads ahead until every stream is described.
func (s *Source) findStreams(limit time.Duration) error {
	s.watch.beginFrom(limit, anonymousMemory())
	if s.net.counted {
		s.interrupt.Bound()
	}
	err := s.calls.FindStreamInfo(s.ctx)
	s.endless = s.interrupt.Unbound() || s.endless
	late := s.watch.end()
	switch {
	case late == errLate && s.described():
		return nil // what else was announced does not come
	case late != nil:
		return late
	case s.endless && s.described():
		return nil // what has come can be played
	case s.endless:
		return errFlood
	}
	return err
}

// described reports whether there is something that can be played.
func (s *Source) described() bool {
	for i := range s.lib.StreamCount(s.ctx) {
		if st := s.stream(i); st.Kind == media.KindVideo && st.Width > 0 || st.Kind == media.KindAudio && st.SampleRate > 0 {
			return true
		}
	}
	return false
}

// reconnect opens a live source again that broke off with cause. It tries at once, then
// after waits that double, each shortened by up to a quarter by chance, so that a hundred
// players do not come back in step.
// Errors: os.ErrClosed after Interrupt; media.ErrStreamChanged when it goes on with other
// parameters; cause, when it cannot be reached in time.
func (s *Source) reconnect(cause error) error {
	limit := s.cfg.Network.Reconnect
	if limit == 0 {
		limit = reconnectFor
	}
	why := explainBreak(cause, s.silence())
	if why == nil {
		why = s.explain(cause, false)
	}
	if limit < 0 || s.stop.Load() == stopUser {
		return s.readError(cause)
	}
	log := s.cfg.Network.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	log.Warn(fmt.Sprintf("%s broke off, connecting again: %v", s.name, why))
	if time.Since(s.connected) > steadyAfter {
		s.wait = 0
	}
	began := time.Now()
	for {
		s.disconnect()
		if !s.rest(s.wait) {
			return os.ErrClosed
		}
		s.wait = min(max(2*s.wait, firstWait), maxWait)
		err := s.connect(false)
		changed := false
		if err == nil {
			changed, err = s.resume()
		}
		switch {
		case s.stop.Load() == stopUser:
			return os.ErrClosed
		case err == nil:
			s.connected = time.Now()
			s.counts.reconnects.Add(1)
			log.Warn(fmt.Sprintf("%s is connected again, after %v", s.name, time.Since(began).Round(100*time.Millisecond)))
			if changed {
				return media.ErrStreamChanged
			}
			return nil
		case errors.Is(err, media.ErrNotSupported):
			return fmt.Errorf("file: read %s: connected again after it broke off: %w", s.name, err)
		case time.Since(began)+s.wait > limit:
			return fmt.Errorf("file: read %s: it broke off (%w) and could not be opened again within %v: %w", s.name, why, limit, err)
		}
	}
}

// rest waits; false after Interrupt.
func (s *Source) rest(d time.Duration) bool {
	if d <= 0 {
		return s.stop.Load() != stopUser
	}
	t := time.NewTimer(d - rand.N(d/4+1))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.quit:
		return false
	}
}

// resume goes on with a new connection. Streams keep their numbers: each is the stream of
// its kind and order.
func (s *Source) resume() (changed bool, err error) {
	now, err := s.describe(false)
	if err != nil {
		return false, err
	}
	before := s.Info()
	if now.LocalTime != before.LocalTime {
		return false, fmt.Errorf("it was live before and is not now: %w", media.ErrNotSupported)
	}
	next := *before
	next.Format, next.Streams = now.Format, append([]media.Stream{}, before.Streams...)
	s.places = s.places[:0]
	taken := make([]bool, len(before.Streams))
	for j := range now.Streams {
		st := now.Streams[j]
		place := -1
		for i := range before.Streams {
			if !taken[i] && before.Streams[i].Kind == st.Kind {
				place = i
				break
			}
		}
		s.places = append(s.places, place)
		if place < 0 {
			continue
		}
		taken[place] = true
		st.Index = place
		if s.selected[place] && different(&before.Streams[place], &st) {
			changed = true
		}
		next.Streams[place] = st
	}
	for i := range next.Streams {
		if !taken[i] {
			next.Streams[i].Native = 0 // of the connection that is gone
		}
	}
	s.discard()
	s.info.Store(&next)
	if s.live != nil {
		s.live.restart(&next)
	}
	return changed, nil
}

// different reports whether a decoder for a will not do for b.
func different(a, b *media.Stream) bool {
	return a.Codec != b.Codec || a.Width != b.Width || a.Height != b.Height || a.Format != b.Format || a.Timebase != b.Timebase ||
		a.SampleRate != b.SampleRate || a.Channels != b.Channels || !bytes.Equal(a.ExtraData, b.ExtraData)
}
