package player

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

// lateSource is a live source that had to wait for its sender: its time has passed meanwhile.
type lateSource struct {
	Source
	info media.Info
}

func (s *lateSource) Info() *media.Info { return &s.info }

func (s *lateSource) Read(au *media.AccessUnit) error {
	err := s.Source.Read(au)
	if err == nil {
		au.PTS += au.Timebase.Ticks(time.Hour)
		au.DTS = media.NoTimestamp
	}
	return err
}

// TestDurationOfLive: how long a live source is to play does not count the time before its
// sender began.
func TestDurationOfLive(t *testing.T) {
	path := badClip(t)
	for _, frames := range []int64{badRate / 2, badRate} {
		cfg := Config{Media: path, Output: OutputFrameMD5 + "-", Writer: io.Discard, Threads: 1, Decoder: DecoderFFmpeg,
			Duration: time.Duration(frames) * time.Second / badRate,
			aroundSource: func(src Source) Source {
				s := &lateSource{src, *src.Info()}
				s.info.Live, s.info.LocalTime, s.info.Seekable, s.info.Duration = true, true, false, 0
				return s
			}}
		p, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(p.Run(t.Context()), p.Close()); err != nil {
			t.Error(err)
		}
		if s := p.Stats(); s.Presented != frames {
			t.Errorf("%d pictures in the time of %d", s.Presented, frames)
		}
	}
}
