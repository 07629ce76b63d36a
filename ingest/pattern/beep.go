package pattern

import (
	"io"
	"math"
	"os"
	"time"

	"github.com/scanout-av/scanout/media"
)

const (
	blocksPerSecond = 100
	beepHz          = 1000
	beepLevel       = 0.5
)

// newBeep returns a tenth of a second of 1 kHz, interleaved. The phase begins half a
// sample in, so that the first sample is not silent.
func newBeep(rate, channels int) []float32 {
	b := make([]float32, rate/10*channels)
	for i := range rate / 10 {
		v := float32(beepLevel * math.Sin(2*math.Pi*beepHz*(float64(i)+0.5)/float64(rate)))
		for c := range channels {
			b[i*channels+c] = v
		}
	}
	return b
}

// sampleOf returns the sample that is heard when frame n begins: exact where frames
// begin on whole samples, else the nearest.
func (s *Source) sampleOf(n int64) int64 {
	return int64(media.Rescale(media.Timestamp(n), s.timebase(), media.Timebase{Num: 1, Den: int32(s.cfg.SampleRate)}))
}

// beepAt returns where the last beep begins that is due when sample i is heard.
func (s *Source) beepAt(i int64) int64 {
	n := mulDivDown(i, int64(s.cfg.Rate.Num), int64(s.cfg.Rate.Den)*int64(s.cfg.SampleRate))
	return s.sampleOf(s.firstFrame(s.second(n)))
}

// ReadAudio fills b with the next 10 ms.
// Ownership: b's samples are borrowed until the next call.
// Errors: io.EOF at the end and without sound, os.ErrClosed after Interrupt.
func (s *Source) ReadAudio(b *media.AudioBlock) error {
	select {
	case <-s.interrupted:
		return os.ErrClosed
	default:
	}
	count := int64(s.cfg.SampleRate / blocksPerSecond)
	if s.samples >= 0 {
		count = min(count, s.samples-s.sample)
	}
	if !s.cfg.Beep || count <= 0 {
		return io.EOF
	}
	ch := int64(s.cfg.Channels)
	from, to := s.sample, s.sample+count
	if s.cfg.Live {
		// What has been recorded by the end of the block; nobody misses sound, it waits.
		if err := s.wait(s.sound, s.epoch.Add(time.Duration(mulDivUp(to, 1e9, int64(s.cfg.SampleRate))))); err != nil {
			return err
		}
	}
	out := s.block[:count*ch]
	clear(out)
	// One beep may still sound at the beginning, another begin before the end.
	first, last := s.beepAt(from), s.beepAt(to)
	s.mix(out, first-from)
	if last != first {
		s.mix(out, last-from)
	}
	*b = media.AudioBlock{
		Samples: out, Channels: s.cfg.Channels, Rate: s.cfg.SampleRate,
		PTS: media.Timestamp(from), Timebase: media.Timebase{Num: 1, Den: int32(s.cfg.SampleRate)},
	}
	s.sample = to
	return nil
}

// mix puts the beep into out, beginning at sample at of it; parts outside are cut.
func (s *Source) mix(out []float32, at int64) {
	at *= int64(s.cfg.Channels)
	src := s.beep
	if at < 0 {
		src = src[min(-at, int64(len(src))):]
		at = 0
	}
	if at < int64(len(out)) {
		copy(out[at:], src)
	}
}
