package pattern

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

// Source yields the pattern's pictures and sound as fast as the pool has free slots, or, live,
// as they come.
//
// Concurrency: ReadFrame on one goroutine, ReadAudio on another; Seek with both at rest;
// Interrupt from any.
type Source struct {
	cfg    Config
	info   media.Info
	paint  *painter
	slots  []painted // by Frame.Slot
	loose  painted   // for frames without a slot: never ok
	frame  int64     // next
	frames int64     // in all, −1 without end

	sample  int64 // next
	samples int64 // in all, −1 without end
	beep    []float32
	block   []float32

	// Of a live pattern: when it began, where its two readers sleep, and the pictures that
	// nobody had room for.
	epoch        media.Instant
	video, sound *rt.Waiter
	missed       atomic.Int64

	interrupted chan struct{}
	once        sync.Once
}

// New makes a pattern source.
// Errors: what is wrong with cfg; media.ErrNotSupported for packed formats.
func New(cfg Config) (*Source, error) {
	name := cfg.URL()
	cfg, err := cfg.Resolve()
	if err != nil {
		return nil, fmt.Errorf("pattern: %w", err)
	}
	s := &Source{cfg: cfg, paint: newPainter(&cfg), frames: -1, samples: -1, interrupted: make(chan struct{})}
	if cfg.Live {
		s.epoch, s.video, s.sound = rt.Now(), rt.NewWaiter(rt.SleepKernel), rt.NewWaiter(rt.SleepGo)
	}
	tb := s.timebase()
	s.info = media.Info{Name: name, Format: "pattern", Duration: cfg.Duration, Seekable: true, Streams: []media.Stream{{
		Kind: media.KindVideo, Codec: "rawvideo", Timebase: tb, Duration: media.NoTimestamp, Default: true,
		Width: cfg.Width, Height: cfg.Height, FrameRate: cfg.Rate, SAR: media.Rational{Num: 1, Den: 1},
		Format: cfg.Format, FormatName: cfg.Format.String(), Color: cfg.Color,
	}}}
	if cfg.Live {
		s.info.Live, s.info.Seekable, s.info.LocalTime = true, false, true
	}
	if cfg.Beep {
		s.info.Streams = append(s.info.Streams, media.Stream{
			Index: 1, Kind: media.KindAudio, Codec: "pcm_f32le", Timebase: media.Timebase{Num: 1, Den: int32(cfg.SampleRate)},
			Duration: media.NoTimestamp, Default: true, SampleRate: cfg.SampleRate, Channels: cfg.Channels,
		})
		s.beep = newBeep(cfg.SampleRate, cfg.Channels)
		s.block = make([]float32, cfg.SampleRate/blocksPerSecond*cfg.Channels)
	}
	if cfg.Duration > 0 {
		// Pictures and samples that begin before the end.
		s.frames = mulDivUp(int64(cfg.Duration), int64(cfg.Rate.Num), int64(cfg.Rate.Den)*1e9)
		s.samples = mulDivUp(int64(cfg.Duration), int64(cfg.SampleRate), 1e9)
		for i := range s.info.Streams {
			st := &s.info.Streams[i]
			st.Duration = media.Timestamp(s.frames)
			if st.Kind == media.KindAudio {
				st.Duration = media.Timestamp(s.samples)
			}
		}
	}
	return s, nil
}

// Info describes the source.
func (s *Source) Info() *media.Info { return &s.info }

// UsePool gives the source the pool to take frames from, before the first ReadFrame.
// Ownership: the pool stays the caller's.
func (s *Source) UsePool(p Pool) { s.cfg.Pool = p }

// Config returns the configuration with its defaults filled in.
func (s *Source) Config() Config { return s.cfg }

func (s *Source) timebase() media.Timebase {
	return media.Timebase{Num: s.cfg.Rate.Den, Den: s.cfg.Rate.Num}
}

// second returns the whole seconds that have passed when frame n begins.
func (s *Source) second(n int64) int64 {
	return mulDivDown(n, int64(s.cfg.Rate.Den), int64(s.cfg.Rate.Num))
}

// firstFrame returns the first frame that begins in second sec or later.
func (s *Source) firstFrame(sec int64) int64 {
	return mulDivUp(sec, int64(s.cfg.Rate.Num), int64(s.cfg.Rate.Den))
}

// Flash reports whether the white square is lit in frame n: for the first 40 ms of every
// second, at least one frame.
func (s *Source) Flash(n int64) bool {
	return n-s.firstFrame(s.second(n)) < max(1, int64(s.cfg.Rate.Num)/(25*int64(s.cfg.Rate.Den)))
}

// ReadFrame returns the next picture; its PTS is its number. It blocks for a free slot.
// Ownership: the frame is the caller's.
// Errors: io.EOF at the end, os.ErrClosed after Interrupt.
func (s *Source) ReadFrame() (*media.Frame, error) {
	select {
	case <-s.interrupted:
		return nil, os.ErrClosed
	default:
	}
	if s.cfg.Pool == nil {
		return nil, errors.New("pattern: no pool to take frames from")
	}
	f, err := s.cfg.Pool.Wait(s.interrupted)
	if err != nil {
		return nil, fmt.Errorf("pattern: %w", err)
	}
	n := s.frame
	if s.cfg.Live {
		if n, err = s.exposure(); err != nil {
			f.Release()
			return nil, err
		}
	}
	if s.frames >= 0 && n >= s.frames {
		f.Release()
		return nil, io.EOF
	}
	if err := s.cfg.Pool.Layout(f, s.cfg.Format, s.cfg.Width, s.cfg.Height, 0); err != nil {
		f.Release()
		return nil, fmt.Errorf("pattern: %w", err)
	}
	f.Color, f.SAR, f.Key = s.cfg.Color, media.Rational{Num: 1, Den: 1}, true
	f.PTS, f.Duration, f.Timebase = media.Timestamp(n), 1, s.timebase()
	if s.cfg.Live {
		f.Received = rt.Now()
	}

	state := &s.loose
	if f.Slot >= 0 {
		for int(f.Slot) >= len(s.slots) { // the first time round only
			s.slots = append(s.slots, painted{})
		}
		state = &s.slots[f.Slot]
	} else {
		s.loose.ok = false
	}
	var text [timecodeLen + numberLen]byte
	s.text(&text, n)
	s.paint.paint(f, state, n, &text, s.Flash(n))
	s.frame = n + 1
	return f, nil
}

// moment is when frame n of a live pattern is painted.
func (s *Source) moment(n int64) media.Instant {
	return s.epoch.Add(time.Duration(mulDivUp(n, int64(s.cfg.Rate.Den)*1e9, int64(s.cfg.Rate.Num))))
}

// exposure waits for the moment of the next picture and returns its number. Pictures whose
// time has passed are missed.
func (s *Source) exposure() (n int64, err error) {
	n = s.frame
	if now := rt.Now(); now >= s.moment(n+1) {
		n = mulDivDown(int64(now.Sub(s.epoch)), int64(s.cfg.Rate.Num), int64(s.cfg.Rate.Den)*1e9)
		if s.frames >= 0 {
			n = min(n, s.frames) // the end
		}
		s.missed.Add(n - s.frame)
	}
	return n, s.wait(s.video, s.moment(n))
}

// wait sleeps until t.
// Errors: os.ErrClosed after Interrupt.
func (s *Source) wait(w *rt.Waiter, t media.Instant) error {
	for {
		select {
		case <-s.interrupted:
			return os.ErrClosed
		default:
		}
		if rt.Now() >= t {
			return nil
		}
		w.Wait(t)
	}
}

// Missed returns how many pictures of a live pattern nobody had room for.
func (s *Source) Missed() int64 { return s.missed.Load() }

// text writes the timecode, hours:minutes:seconds:frame of the second, and the number.
func (s *Source) text(t *[timecodeLen + numberLen]byte, n int64) {
	sec := s.second(n)
	put := func(at, width int, v int64) {
		for i := width - 1; i >= 0; i-- {
			t[at+i] = byte('0' + v%10)
			v /= 10
		}
	}
	put(0, 2, sec/3600)
	put(3, 2, sec/60%60)
	put(6, 2, sec%60)
	t[2], t[5], t[8], t[11] = ':', ':', ':', ' '
	width := 2
	if s.cfg.Rate.Float() > 100 {
		width = 3
	}
	put(9, width, n-s.firstFrame(sec))
	put(timecodeLen, numberLen, n)
}

// Seek makes the frame that is shown at t, and the sound that begins with it, the next.
// Errors: media.ErrNotSupported for a live pattern.
func (s *Source) Seek(t time.Duration) error {
	if s.cfg.Live {
		return fmt.Errorf("pattern: a live picture cannot be sought: %w", media.ErrNotSupported)
	}
	select {
	case <-s.interrupted:
		return os.ErrClosed
	default:
	}
	s.frame = mulDivDown(max(int64(t), 0), int64(s.cfg.Rate.Num), int64(s.cfg.Rate.Den)*1e9)
	s.sample = s.sampleOf(s.frame)
	return nil
}

// Interrupt makes ReadFrame, ReadAudio and Seek return os.ErrClosed, also one that waits.
func (s *Source) Interrupt() {
	s.once.Do(func() {
		close(s.interrupted)
		if s.cfg.Live {
			s.video.Wake()
			s.sound.Wake()
		}
	})
}

// Close ends the source. Frames that are out stay valid.
func (s *Source) Close() error {
	s.Interrupt()
	return nil
}

// mulDivDown returns ⌊a·b/c⌋ for a ≥ 0, b ≥ 0 and c > 0, saturating.
func mulDivDown(a, b, c int64) int64 { return mulDiv(a, b, c, 0) }

// mulDivUp returns ⌈a·b/c⌉ for a ≥ 0, b ≥ 0 and c > 0, saturating.
func mulDivUp(a, b, c int64) int64 { return mulDiv(a, b, c, uint64(c)-1) }

func mulDiv(a, b, c int64, add uint64) int64 {
	const most = 1<<63 - 1
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	lo, carry := bits.Add64(lo, add, 0)
	hi += carry
	if hi >= uint64(c) {
		return most
	}
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(min(q, most))
}
