package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/scanout-av/scanout/internal/libav"
	"github.com/scanout-av/scanout/media"
)

var (
	errEmpty   = errors.New("the file is empty")
	errFolder  = errors.New("is a folder: name a file in it")
	errText    = errors.New("is a text file, not a media file")
	errNothing = errors.New("has neither pictures nor sound")
)

// locate turns what the user wrote into what FFmpeg opens. A path that exists is a file
// whatever it looks like, so that "12:30.mp4" is not a protocol.
func (s *Source) locate(url string) (ffurl string, local bool, err error) {
	if url == "" {
		return "", false, errors.New("no file was named")
	}
	if strings.ContainsRune(url, 0) {
		return "", false, errors.New("a NUL byte is part of the name")
	}
	path := strings.TrimPrefix(url, "file:")
	if url == "-" {
		path = "/dev/stdin"
	}
	st, err := os.Stat(path)
	switch {
	case err == nil && st.IsDir():
		return "", true, errFolder
	case err == nil && st.Mode()&(fs.ModeNamedPipe|fs.ModeCharDevice) != 0:
		if u, err := s.openPipe(path); err != nil || u != "" {
			return u, true, err
		}
		return "file:" + path, true, nil
	case err == nil && st.Mode()&fs.ModeSocket != 0 && url == "-": // a socket cannot be opened again
		return "pipe:0", true, nil
	case err == nil:
		if st.Mode().IsRegular() && st.Size() == 0 {
			return "", true, errEmpty
		}
		return "file:" + path, true, nil
	case url == "-":
		return "pipe:0", true, nil
	case scheme(url) || strings.ContainsRune(url, '%'): // a protocol, or a pattern of pictures
		return url, false, nil
	case errors.Is(err, fs.ErrNotExist):
		return "", true, fmt.Errorf("%w: check the path", fs.ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return "", true, fmt.Errorf("%w: this user may not read it", fs.ErrPermission)
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return "", true, err
}

// literally has a picture that exists read by its name, also where that looks like the pattern
// of a sequence. Other formats do not know the option.
func (s *Source) literally(local bool) map[string]string {
	if !local || !strings.ContainsAny(s.cfg.URL, "%*?[{") {
		return nil
	}
	return map[string]string{"pattern_type": "none"}
}

// scheme reports whether url begins like "http:".
func scheme(url string) bool {
	s, _, ok := strings.Cut(url, ":")
	if !ok || len(s) < 2 {
		return false
	}
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+-.,", r)) {
			return false
		}
	}
	return true
}

// explain says what an error of FFmpeg's means for the user.
func (s *Source) explain(err error, local bool) error {
	switch {
	case s.stop.Load() == stopUser || errors.Is(err, os.ErrClosed):
		return os.ErrClosed
	case errors.Is(err, libav.ErrNoMemory):
		return fmt.Errorf("%w: it asks for more than a stream needs, or than there is: damaged, or hostile", err)
	case s.net.remote:
		return explainNetwork(err, s.net, s.cfg.Network.timeout(s.net))
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: this user may not read it", err)
	case errors.Is(err, libav.ErrProtocol):
		return fmt.Errorf("%w: this FFmpeg does not speak that protocol", err)
	case errors.Is(err, libav.ErrInvalidData) && local:
		return fmt.Errorf("not a media file that FFmpeg knows, or its beginning is damaged: %w", err)
	case err == io.EOF:
		return errors.New("it ends before anything could be found in it: is it complete?")
	}
	return err
}

// describe says what is in the source.
func (s *Source) describe(local bool) (*media.Info, error) {
	p := s.lib.FormatProps(s.ctx)
	if p.Name == "tty" {
		return nil, errText // FFmpeg would draw it as a picture
	}
	in := &media.Info{Name: s.name, Format: p.Name}
	if p.Duration != libav.NoTimestamp && p.Duration > 0 {
		in.Duration = micros(p.Duration)
	}
	if p.Start != libav.NoTimestamp {
		in.Start = micros(p.Start)
	}
	size := s.lib.IOSize(s.ctx)
	in.Live = s.pipe != nil || in.Duration == 0 && size < 0
	in.Seekable = !p.Unseekable && !in.Live && (size > 0 || in.Duration > 0)
	// A server's stream without an end is sent as it is made, unless it is handed out in
	// pieces.
	in.LocalTime = in.Live && s.net.remote && !local && !s.recorded && !pieces(p.Name)
	known, playable := false, false
	s.bases = s.bases[:0]
	for i := range p.Streams {
		st := s.stream(i)
		s.bases = append(s.bases, st.Timebase)
		if in.LocalTime {
			st.Timebase, st.Start = media.Nanoseconds, media.NoTimestamp
		}
		in.Streams = append(in.Streams, st)
		if st.Kind == media.KindVideo || st.Kind == media.KindAudio {
			playable = true
			known = known || st.Codec != ""
		}
	}
	if in.LocalTime {
		in.Start = 0
	}
	switch {
	case !playable:
		return nil, errNothing
	case !known:
		return nil, fmt.Errorf("no stream is in a coding format that this FFmpeg (%s) knows: %w", s.lib.Version, media.ErrNotSupported)
	}
	return in, nil
}

// pieces reports whether a format hands out pieces of some seconds.
func pieces(format string) bool {
	return strings.HasPrefix(format, "hls") || strings.HasPrefix(format, "dash")
}

// segmented reports whether the source is live and comes in pieces.
func (s *Source) segmented() bool {
	in := s.info.Load()
	return in != nil && in.Live && s.net.remote && pieces(in.Format)
}

func micros(us int64) time.Duration {
	const most = int64(1<<63-1) / 1000
	return time.Duration(min(max(us, -most), most)) * time.Microsecond
}

// stream describes stream i.
func (s *Source) stream(i int) media.Stream {
	p := s.lib.StreamProps(s.ctx, i)
	st := media.Stream{
		Index:    i,
		Profile:  p.Profile,
		Timebase: media.Timebase{Num: p.TimebaseNum, Den: p.TimebaseDen},
		Start:    media.Timestamp(p.Start),
		Duration: media.NoTimestamp,
		BitRate:  max(p.BitRate, 0),
		Default:  p.Disposition&libav.DispositionDefault != 0,
		CoverArt: p.Disposition&libav.DispositionAttachedPic != 0,

		ExtraData: p.Extra,
		Native:    uintptr(p.Parameters),
	}
	if p.CodecID != 0 {
		st.Codec = media.Codec(p.Codec)
	}
	if p.Duration > 0 {
		st.Duration = media.Timestamp(p.Duration)
	}
	if l := p.Metadata["language"]; l != "und" {
		st.Language = l
	}
	switch p.Type {
	case libav.TypeVideo:
		st.Kind = media.KindVideo
		st.Width, st.Height = int(p.Width), int(p.Height)
		if !st.CoverArt { // FFmpeg makes a rate of the time base, 90,000 pictures a second
			st.FrameRate = libav.Rational(p.RateNum, p.RateDen)
		}
		st.SAR = libav.Rational(p.SARNum, p.SARDen)
		st.Color = libav.Color(p.Primaries, p.Transfer, p.Matrix, p.Range, p.Chroma)
		if p.Format >= 0 {
			name := s.lib.PixelFormatName(p.Format)
			f, full := libav.MediaFormat(name)
			st.Format = f
			if full {
				st.Color.Range = media.RangeFull
			}
			if f.String() != name {
				st.FormatName = name
			}
		}
		if p.HasMatrix3x3 {
			st.Orientation = libav.Orientation(&p.Matrix3x3)
		} else if r, err := strconv.Atoi(p.Metadata["rotate"]); err == nil && r%90 == 0 {
			st.Orientation.Rotation = media.Rotation((r%360 + 360) % 360)
		}
	case libav.TypeAudio:
		st.Kind = media.KindAudio
		st.SampleRate, st.Channels = int(p.SampleRate), int(p.Channels)
	case libav.TypeSubtitle:
		st.Kind = media.KindSubtitle
	}
	return st
}
