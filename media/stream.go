package media

import "time"

// Kind is what a stream carries.
type Kind uint8

// Stream kinds.
const (
	KindOther Kind = iota
	KindVideo
	KindAudio
	KindSubtitle
)

func (k Kind) String() string {
	if k > KindSubtitle {
		k = KindOther
	}
	return [...]string{"other", "video", "audio", "subtitle"}[k]
}

// Codec names a coding format by FFmpeg's codec name: "h264", "hevc", "vp9", "av1",
// "aac", "opus", "rawvideo".
type Codec string

// Stream describes one elementary stream of a source.
type Stream struct {
	Index    int
	Kind     Kind
	Codec    Codec
	Profile  string // as the codec names it, "" when not known
	Timebase Timebase
	Start    Timestamp
	Duration Timestamp // NoTimestamp when not known
	BitRate  int64     // bit/s, 0 when not known
	Language string
	Default  bool
	// CoverArt marks a single attached picture rather than a video stream.
	CoverArt bool

	// Video
	Width, Height int
	FrameRate     Rational
	SAR           Rational
	Format        PixelFormat
	FormatName    string // the source's own name of a format that Format does not know
	Color         Color
	Orientation   Orientation

	// Audio
	SampleRate int
	Channels   int

	// ExtraData is the codec's out-of-band configuration (avcC, hvcC, AudioSpecificConfig…).
	ExtraData []byte
	// Native is the source's own parameter object (an AVCodecParameters address) for a
	// decoder of the same library, 0 for none. Valid until the source is closed.
	Native uintptr
}

// Info describes an opened source.
type Info struct {
	Name     string        // as it was asked for
	Format   string        // container or protocol
	Duration time.Duration // 0 when not known
	Start    time.Duration // timestamp of the beginning
	Live     bool          // cannot be paused or sought without losing what is sent meanwhile
	Seekable bool
	// LocalTime says that timestamps are this machine's: ns of its monotonic clock since
	// the source was opened, at which each unit would have come if the way had always been
	// at its quickest. The sender's clock, its drift and its new beginnings are gone by
	// then. Live sources that send what they make as they make it have it; those that hand
	// out pieces of some seconds (HLS), and pipes, keep their own timestamps.
	LocalTime bool
	Streams   []Stream
}

// Best returns the stream of the given kind that plays by default, nil when there is
// none: default disposition first, then the largest picture, cover art last.
func (in *Info) Best(k Kind) *Stream {
	var best *Stream
	score := func(s *Stream) int64 {
		n := int64(s.Width)*int64(s.Height) + int64(s.Channels)
		if !s.CoverArt {
			n += 1 << 40
		}
		if s.Default {
			n += 1 << 36
		}
		return n
	}
	for i := range in.Streams {
		s := &in.Streams[i]
		if s.Kind == k && (best == nil || score(s) > score(best)) {
			best = s
		}
	}
	return best
}
