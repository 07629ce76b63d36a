package raw

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scanout-av/scanout/media"
)

// Pool lends memory for frames; *framepool.Pool is one.
type Pool = interface {
	// Wait returns a free frame, and os.ErrClosed once cancel is closed.
	Wait(cancel <-chan struct{}) (*media.Frame, error)
	// Layout describes f as a w×h picture.
	Layout(f *media.Frame, format media.PixelFormat, w, h, align int) error
}

// Limits of a picture; what is larger is refused before memory is asked for.
const (
	MaxSize  = 32768
	MaxBytes = 1 << 30
)

// Config says where the video comes from and, for headerless video, what it is.
type Config struct {
	// Reader yields the stream. An *os.File may be a pipe that is not in the poller, as
	// os.Stdin is: it is taken over so that Interrupt works.
	// Ownership: Close closes it when it is an io.Closer, but not os.Stdin.
	Reader io.Reader
	Name   string // for reports
	// Pool may be given later, once the size is known: see [Source.UsePool].
	Pool Pool

	// Format, Width and Height describe headerless video. When all are zero the stream
	// begins with a Y4M header.
	Format        media.PixelFormat
	Width, Height int
	Rate          media.Rational // 25 when not given
	// Color of headerless video; the zero value leaves all open.
	Color media.Color
	SAR   media.Rational
}

// Stats counts what a source has read.
type Stats struct {
	Frames    int64
	Truncated int64 // pictures that were cut off, and dropped
	Moved     int64 // planes whose rows were moved apart after reading
}

// Source reads raw video.
//
// Concurrency: Open, ReadFrame and Seek on one goroutine; Interrupt and Stats from any.
type Source struct {
	cfg   Config
	r     io.Reader
	pool  Pool
	info  media.Info
	h     header
	y4m   bool
	align int
	size  int // bytes of a picture

	begin    []byte // what Open read
	frame    int64  // next
	marker   [6]byte
	marked   bool // the next picture's marker has been read
	finished bool

	seeker io.Seeker // nil when the stream cannot be sought
	first  int64     // offset of the first picture or its marker
	frames int64     // in all, −1 when not known

	counted, truncated, moved atomic.Int64

	restore     func() error // undoes what takeOver did
	interrupted chan struct{}
	once        sync.Once
	closed      bool // by Interrupt
}

// New makes a source that is not open yet, so that Interrupt can end a blocked Open.
func New(cfg Config) (*Source, error) {
	if cfg.Reader == nil {
		return nil, errors.New("raw: no reader")
	}
	s := &Source{cfg: cfg, pool: cfg.Pool, frames: -1, interrupted: make(chan struct{})}
	s.y4m = cfg.Format == media.FormatUnknown && cfg.Width == 0 && cfg.Height == 0
	if !s.y4m {
		s.h = header{w: cfg.Width, h: cfg.Height, rate: cfg.Rate, sar: cfg.SAR, format: cfg.Format, color: cfg.Color}
		if s.h.color == (media.Color{}) && !cfg.Format.Info().RGB {
			s.h.color = media.ColorUnspecified
		}
		if cfg.Format.Info().Planes == 0 {
			return nil, errors.New("raw: headerless video needs a pixel format, as yuv420p")
		}
		if err := s.h.check(); err != nil {
			return nil, fmt.Errorf("raw: %w", err)
		}
	}
	var err error
	if s.r, s.restore, err = takeOver(cfg.Reader); err != nil {
		return nil, fmt.Errorf("raw: %s: %w", s.name(), err)
	}
	return s, nil
}

func (s *Source) name() string {
	if s.cfg.Name != "" {
		return s.cfg.Name
	}
	return "stream"
}

// Open reads the header, if there is one. It blocks until it has come.
// Errors: what is wrong with the header; os.ErrClosed after Interrupt.
func (s *Source) Open() error {
	if s.y4m {
		line, err := s.readHeader()
		if err != nil {
			return fmt.Errorf("raw: %s: %w", s.name(), err)
		}
		if s.h, err = parseHeader(line); err != nil {
			return fmt.Errorf("raw: %s: %w", s.name(), err)
		}
	}
	h := &s.h
	if !h.rate.Valid() {
		h.rate = media.Rational{Num: 25, Den: 1}
	}
	s.size = h.format.Size(h.w, h.h)
	s.align = alignment(h.format, h.w, h.h)
	format := "rawvideo"
	if s.y4m {
		format = "yuv4mpegpipe"
	}
	tb := media.Timebase{Num: h.rate.Den, Den: h.rate.Num}
	s.findEnd()
	s.info = media.Info{Name: s.cfg.Name, Format: format, Seekable: s.seeker != nil, Streams: []media.Stream{{
		Kind: media.KindVideo, Codec: "rawvideo", Timebase: tb, Duration: media.NoTimestamp, Default: true,
		Width: h.w, Height: h.h, FrameRate: h.rate, SAR: h.sar, Format: h.format, FormatName: h.format.String(), Color: h.color,
	}}}
	if s.frames >= 0 {
		s.info.Duration = tb.Duration(media.Timestamp(s.frames))
		s.info.Streams[0].Duration = media.Timestamp(s.frames)
	}
	return nil
}

// Begin is what Open has read, for a stream that it did not take for video.
func (s *Source) Begin() []byte { return s.begin }

// Rest returns the whole stream, for one that Open did not take for video; it blocks until
// that has ended.
// Errors: os.ErrClosed after Interrupt; more than limit bytes.
func (s *Source) Rest(limit int) ([]byte, error) {
	b := s.begin
	rest, err := io.ReadAll(io.LimitReader(s.r, int64(max(limit-len(b), 0))+1))
	switch b = append(b, rest...); {
	case s.isInterrupted():
		return nil, os.ErrClosed
	case err != nil:
		return nil, fmt.Errorf("raw: %s: %w", s.name(), err)
	case len(b) > limit:
		return nil, fmt.Errorf("raw: %s: more than %d bytes", s.name(), limit)
	}
	return b, nil
}

// Info describes the source, after Open.
func (s *Source) Info() *media.Info { return &s.info }

// FieldOrder is the header's interlace flag: 'p' progressive, 't' top field first, 'b'
// bottom field first, 'm' mixed, 0 not known. Pictures are passed on as they are.
func (s *Source) FieldOrder() byte { return s.h.field }

// Stats returns the source's counters.
func (s *Source) Stats() Stats {
	return Stats{Frames: s.counted.Load(), Truncated: s.truncated.Load(), Moved: s.moved.Load()}
}

// UsePool gives the source the pool to read into, before the first ReadFrame.
// Ownership: the pool stays the caller's.
func (s *Source) UsePool(p Pool) { s.pool = p }

// ReadFrame returns the next picture; its PTS is its number. It blocks for a free slot
// and for data.
// Ownership: the frame is the caller's.
// Errors: io.EOF at the end, wrapped with what is missing when the last picture was cut
// off; os.ErrClosed after Interrupt.
func (s *Source) ReadFrame() (*media.Frame, error) {
	if s.isInterrupted() {
		return nil, os.ErrClosed
	}
	if s.finished {
		return nil, io.EOF
	}
	if s.pool == nil || s.size == 0 {
		return nil, fmt.Errorf("raw: %s: not open, or no pool to read into", s.name())
	}
	if s.y4m && !s.marked {
		if err := s.readMarker(); err != nil {
			return nil, err
		}
	}
	s.marked = false
	f, err := s.pool.Wait(s.interrupted)
	if err != nil {
		s.marked = s.y4m
		return nil, fmt.Errorf("raw: %w", err)
	}
	if err := s.pool.Layout(f, s.h.format, s.h.w, s.h.h, s.align); err != nil {
		f.Release()
		s.marked = s.y4m
		return nil, fmt.Errorf("raw: %w", err)
	}
	got := 0
	for p := range f.Format.Info().Planes {
		n, err := s.readPlane(f, p)
		if got += n; err != nil {
			f.Release()
			return nil, s.ended(got, err)
		}
	}
	f.Color, f.SAR, f.Key = s.h.color, s.h.sar, true
	f.PTS, f.Duration = media.Timestamp(s.frame), 1
	f.Timebase = media.Timebase{Num: s.h.rate.Den, Den: s.h.rate.Num}
	s.frame++
	s.counted.Add(1)
	return f, nil
}

// readPlane fills plane p of f and returns the bytes read.
func (s *Source) readPlane(f *media.Frame, p int) (int, error) {
	rb, rows := f.Format.PlaneSize(p, f.Width, f.Height)
	pl := &f.Planes[p]
	if pl.Stride == rb {
		return io.ReadFull(s.r, pl.Data[:rb*rows])
	}
	if pl.Stride*rows > len(pl.Data) { // a pool without padding behind the last row
		got := 0
		for y := range rows {
			n, err := io.ReadFull(s.r, pl.Data[y*pl.Stride:][:rb])
			if got += n; err != nil {
				return got, err
			}
		}
		return got, nil
	}
	// Each row moves down or stays, and never past the rows that are still to move.
	packed := pl.Data[(pl.Stride-rb)*rows:][:rb*rows]
	n, err := io.ReadFull(s.r, packed)
	if err != nil {
		return n, err
	}
	for y := range rows {
		copy(pl.Data[y*pl.Stride:][:rb], packed[y*rb:])
	}
	s.moved.Add(1)
	return n, nil
}

// alignment returns the largest row alignment that needs no padding, or 0, the pool's own,
// when that would be less than what a GPU's copies ask for.
func alignment(format media.PixelFormat, w, h int) int {
	a := 64
	for p := range format.Info().Planes {
		rb, _ := format.PlaneSize(p, w, h)
		for rb%a != 0 {
			a /= 2
		}
	}
	if a < 4 {
		return 0
	}
	return a
}

// ended says why reading stopped after got bytes of a picture.
func (s *Source) ended(got int, err error) error {
	switch {
	case s.isInterrupted():
		return os.ErrClosed
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("raw: read frame %d of %s: %w", s.frame, s.name(), err)
	}
	s.finished = true
	if got == 0 && !s.y4m {
		return io.EOF
	}
	s.truncated.Add(1)
	return fmt.Errorf("raw: frame %d of %s is cut off after %d of %d bytes, and was dropped: %w", s.frame, s.name(), got, s.size, io.EOF)
}

func (s *Source) isInterrupted() bool {
	select {
	case <-s.interrupted:
		return true
	default:
		return false
	}
}

// findEnd learns whether the stream can be sought and how many pictures follow.
func (s *Source) findEnd() {
	seeker, ok := s.r.(io.Seeker)
	if !ok {
		return
	}
	at, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil {
		return // a pipe
	}
	end, err := seeker.Seek(0, io.SeekEnd)
	if err != nil {
		return
	}
	if _, err = seeker.Seek(at, io.SeekStart); err != nil || end < at {
		return
	}
	s.seeker, s.first = seeker, at
	s.frames = (end - at) / s.stride()
}

// stride is the distance of two pictures in the stream, their markers without parameters.
func (s *Source) stride() int64 {
	if s.y4m {
		return int64(s.size) + int64(len(s.marker))
	}
	return int64(s.size)
}

// Seek makes the picture that is shown at t the next.
// Errors: media.ErrNotSupported for pipes and for Y4M whose FRAME lines vary in length.
func (s *Source) Seek(t time.Duration) error {
	if s.isInterrupted() {
		return os.ErrClosed
	}
	if s.seeker == nil {
		return fmt.Errorf("raw: seek in %s: it is no regular file: %w", s.name(), media.ErrNotSupported)
	}
	tb := media.Timebase{Num: s.h.rate.Den, Den: s.h.rate.Num}
	n := int64(tb.Ticks(max(t, 0)))
	if n > 0 && tb.Duration(media.Timestamp(n)) > t {
		n-- // Ticks rounds to nearest
	}
	n = min(n, s.frames)
	at, err := s.seeker.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = s.seeker.Seek(s.first+n*s.stride(), io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("raw: seek in %s: %w", s.name(), err)
	}
	marked := false
	if s.y4m && n < s.frames {
		if _, err = io.ReadFull(s.r, s.marker[:]); err != nil || string(s.marker[:]) != frameMarker {
			_, err = s.seeker.Seek(at, io.SeekStart)
			return errors.Join(fmt.Errorf("raw: seek in %s: its FRAME lines vary in length: %w", s.name(), media.ErrNotSupported), err)
		}
		marked = true
	}
	s.frame, s.marked, s.finished = n, marked, false
	return nil
}

// ReadAudio returns io.EOF: raw video has no sound.
func (s *Source) ReadAudio(*media.AudioBlock) error { return io.EOF }

// Interrupt makes Open, ReadFrame and Seek return os.ErrClosed, also one that waits for
// a slot. One that waits for data is woken where the reader has a read deadline or is an
// io.Closer (files, pipes, connections); else it returns when its data has come.
func (s *Source) Interrupt() {
	s.once.Do(func() {
		close(s.interrupted)
		if d, ok := s.r.(interface{ SetReadDeadline(time.Time) error }); ok && d.SetReadDeadline(time.Unix(1, 0)) == nil {
			return
		}
		if f, ok := s.r.(*os.File); ok && isRegular(f) {
			return // reads of regular files end by themselves; Close closes
		}
		if c, ok := s.r.(io.Closer); ok && s.r != io.Reader(os.Stdin) {
			c.Close()
			s.closed = true
		}
	})
}

func isRegular(f *os.File) bool {
	fi, err := f.Stat()
	return err == nil && fi.Mode().IsRegular()
}

// Close ends the source. Frames that are out stay valid. No other call may be running:
// Interrupt first.
func (s *Source) Close() error {
	s.Interrupt()
	var err error
	if s.restore != nil {
		err = s.restore()
		s.restore = nil
	}
	if c, ok := s.r.(io.Closer); ok && !s.closed && s.r != io.Reader(os.Stdin) {
		s.closed = true
		err = errors.Join(err, c.Close())
	}
	if err != nil {
		return fmt.Errorf("raw: close %s: %w", s.name(), err)
	}
	return nil
}
