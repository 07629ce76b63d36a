package file

import (
	"fmt"
	"os"
	"time"

	"github.com/scanout-av/scanout/internal/libav"
	"github.com/scanout-av/scanout/media"
)

// Seek moves to the last keyframe at or before t of the first selected video stream, or
// of the streams' own choice when there is none, and to the first keyframe when t lies
// before it.
// Units: t is on the timeline of the timestamps, which begins at Info().Start.
// Errors: os.ErrClosed after Interrupt; media.ErrNotSupported when the source cannot seek.
func (s *Source) Seek(t time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop.Load() == stopUser || s.ctx == 0 {
		return os.ErrClosed
	}
	if !s.Info().Seekable {
		return fmt.Errorf("file: seek %s: it can only be played from where it is: %w", s.name, media.ErrNotSupported)
	}
	err := s.seek(max(t, s.Info().Start))
	if s.stop.Load() == stopUser {
		return os.ErrClosed
	}
	if err != nil {
		return fmt.Errorf("file: seek %s to %v: %w", s.name, t, err)
	}
	return nil
}

func (s *Source) seek(t time.Duration) error {
	for i := range s.Info().Streams {
		st := &s.Info().Streams[i]
		if st.Kind == media.KindVideo && !st.CoverArt && s.selected[i] {
			// The least timestamp is NoTimestamp: a start that is not known changes nothing.
			return s.seekVideo(i, int64(max(st.Timebase.Ticks(t), st.Start)), int64(max(st.Timebase.Ticks(firstStep), 1)))
		}
	}
	s.drop()
	return s.land(-1, int64(t/time.Microsecond))
}

const (
	// firstStep is how far a search goes back that found no keyframe; it doubles.
	firstStep = time.Second
	// maxSteps reaches back 17 minutes.
	maxSteps = 10
	// maxAhead bounds the packets that a search holds: a keyframe interval of some
	// seconds with its sound.
	maxAhead = 4096
)

// seekVideo positions on the last keyframe of a stream whose timestamp is at most target.
// Demuxers alone do not do that: an index goes by decoding time, so that the picture it
// finds may lie after the target, and a format without one lands between keyframes.
func (s *Source) seekVideo(stream int, target, step int64) error {
	ts := target
	after := libav.NoTimestamp // of a keyframe that lies after the target
	between := false           // a seek landed between keyframes
	for range maxSteps {
		s.drop()
		if s.calls.Seek(s.ctx, stream, ts, libav.SeekBackward) != nil {
			break // nothing lies before
		}
		found, ok := s.readAhead(stream)
		if !ok || found.PTS == libav.NoTimestamp {
			return nil
		}
		key := found.Flags&libav.PacketKey != 0
		switch {
		case key && found.PTS <= target && !between, key && found.PTS == after:
			return nil
		case key && found.PTS > target && !between:
			after = found.PTS
			before := found.PTS
			if found.DTS != libav.NoTimestamp {
				before = min(before, found.DTS)
			}
			ts = min(ts, before) - 1
		default:
			between = true
			if s.scan(stream, target) {
				return nil
			}
			ts -= step
			step *= 2
		}
		if s.stop.Load() == stopUser {
			return os.ErrClosed
		}
	}
	// No keyframe lies before the target: begin with what comes first, or near it.
	s.drop()
	return s.land(stream, target)
}

// land seeks to ts or to what comes after it.
func (s *Source) land(stream int, ts int64) error {
	if err := s.calls.Seek(s.ctx, stream, ts, libav.SeekBackward); err != nil {
		return s.calls.Seek(s.ctx, stream, ts, 0)
	}
	return nil
}

// scan goes on from the packet that was queued last, reads ahead to target and drops what lies before the last keyframe on the way;
// false when there is none.
func (s *Source) scan(stream int, target int64) bool {
	last := -1
	v, ok := s.props, true // what readAhead queued last
	for ; ; v, ok = s.readAhead(stream) {
		if !ok || v.PTS != libav.NoTimestamp && v.PTS > target && v.DTS > target {
			break
		}
		if v.Flags&libav.PacketKey != 0 && v.PTS != libav.NoTimestamp && v.PTS <= target {
			last = len(s.queue) - 1
		}
	}
	if last < 0 {
		return false
	}
	for _, p := range s.queue[:last] {
		s.packets.put(p)
	}
	s.head = last
	return true
}

// readAhead queues packets until the next one of a stream, and returns that.
func (s *Source) readAhead(stream int) (libav.PacketProps, bool) {
	for len(s.queue) < maxAhead {
		p := s.packets.get()
		if p == 0 {
			break
		}
		if s.calls.ReadPacket(s.ctx, p) != nil {
			s.packets.put(p)
			break
		}
		s.queue = append(s.queue, p)
		s.lib.PacketProps(p, &s.props)
		if int(s.props.Stream) == stream {
			return s.props, true
		}
	}
	return libav.PacketProps{}, false
}

// drop empties the queue.
func (s *Source) drop() {
	for _, p := range s.queue[s.head:] {
		s.packets.put(p)
	}
	s.queue, s.head = s.queue[:0], 0
}
