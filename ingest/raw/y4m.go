package raw

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/scanout-av/scanout/media"
)

const (
	signature   = "YUV4MPEG2"
	frameMarker = "FRAME\n"
	maxLine     = 4096 // comments (X) may be long
)

// header is what a Y4M header, or the caller, says about the pictures.
type header struct {
	w, h      int
	rate, sar media.Rational
	format    media.PixelFormat
	color     media.Color
	field     byte
}

func (h *header) check() error {
	switch {
	case h.w < 1 || h.h < 1 || h.w > MaxSize || h.h > MaxSize:
		return fmt.Errorf("picture of %dx%d: want 1x1 to %dx%d", h.w, h.h, MaxSize, MaxSize)
	case h.format.Size(h.w, h.h) > MaxBytes:
		return fmt.Errorf("picture of %dx%d %v: more than %d MiB", h.w, h.h, h.format, MaxBytes>>20)
	}
	return nil
}

// colourspaces are the values of C, and of XYSCSS in lower case.
var colourspaces = map[string]struct {
	format media.PixelFormat
	chroma media.ChromaLocation
}{
	"420":      {media.I420, media.ChromaCenter},
	"420jpeg":  {media.I420, media.ChromaCenter},
	"420mpeg2": {media.I420, media.ChromaLeft},
	"420paldv": {media.I420, media.ChromaTopLeft},
	"422":      {media.I422, media.ChromaUnspecified},
	"444":      {media.I444, media.ChromaUnspecified},
	"mono":     {media.Gray8, media.ChromaUnspecified},
	"420p10":   {media.I010, media.ChromaUnspecified},
	"422p10":   {media.I210, media.ChromaUnspecified},
	"444p10":   {media.I410, media.ChromaUnspecified},
	"420p12":   {media.I012, media.ChromaUnspecified},
	"422p12":   {media.I212, media.ChromaUnspecified},
	"444p12":   {media.I412, media.ChromaUnspecified},
	"mono10":   {media.Gray10, media.ChromaUnspecified},
}

// parseHeader reads a header line without its newline.
// Source: the manual page yuv4mpeg(5) of mjpegtools; XYSCSS and XCOLORRANGE as FFmpeg
// writes them.
func parseHeader(line string) (header, error) {
	h := header{color: media.ColorUnspecified}
	rest, ok := strings.CutPrefix(line, signature)
	if !ok || rest != "" && rest[0] != ' ' {
		return h, notY4M(line)
	}
	space, ext := "", ""
	for field := range strings.FieldsSeq(rest) {
		value := field[1:]
		var err error
		switch field[0] {
		case 'W':
			h.w, err = strconv.Atoi(value)
		case 'H':
			h.h, err = strconv.Atoi(value)
		case 'F':
			h.rate, err = parseRatio(value)
		case 'A':
			h.sar, err = parseRatio(value)
		case 'I':
			switch value {
			case "p", "t", "b", "m":
				h.field = value[0]
			case "?":
			default:
				err = errors.New("want p, t, b, m or ?")
			}
		case 'C':
			space = value
		case 'X':
			if v, ok := strings.CutPrefix(value, "YSCSS="); ok {
				ext = strings.ToLower(v)
			}
			switch value {
			case "COLORRANGE=FULL":
				h.color.Range = media.RangeFull
			case "COLORRANGE=LIMITED":
				h.color.Range = media.RangeLimited
			}
		}
		if err != nil {
			return h, fmt.Errorf("Y4M header: %q: %w", field, err)
		}
	}
	if space == "" {
		space = ext
	}
	if space == "" {
		space = "420"
	}
	c, ok := colourspaces[space]
	if !ok {
		return h, fmt.Errorf("Y4M header: colour space %q: %w; convert it first, as with ffmpeg -pix_fmt yuv420p", space, media.ErrNotSupported)
	}
	h.format, h.color.Chroma = c.format, c.chroma
	if h.w == 0 || h.h == 0 {
		return h, errors.New("Y4M header: no width (W) or no height (H)")
	}
	if err := h.check(); err != nil {
		return h, fmt.Errorf("Y4M header: %w", err)
	}
	return h, nil
}

// notY4M is the error of a stream that is something else, by how it begins. It is
// media.ErrNotSupported.
type notY4M string

func (e notY4M) Error() string {
	return fmt.Sprintf("not Y4M: it begins with %q, not %q; give size and format for headerless video, and play other formats from a file or /dev/stdin", string(e[:min(len(e), 16)]), signature)
}

func (e notY4M) Is(target error) bool { return target == media.ErrNotSupported }

// parseRatio reads NUM:DEN; 0 on either side means not known.
func parseRatio(s string) (media.Rational, error) {
	num, den, ok := strings.Cut(s, ":")
	n, err1 := strconv.ParseUint(num, 10, 31)
	d, err2 := strconv.ParseUint(den, 10, 31)
	if !ok || err1 != nil || err2 != nil {
		return media.Rational{}, errors.New("want two numbers, as 30000:1001")
	}
	if n == 0 || d == 0 {
		return media.Rational{}, nil
	}
	return media.Rational{Num: int32(n), Den: int32(d)}.Reduce(), nil
}

// readHeader reads the first line. Byte by byte: what follows must go into slots.
func (s *Source) readHeader() (string, error) {
	line := make([]byte, 0, 128)
	defer func() { s.begin = line }()
	var b [1]byte
	for {
		if _, err := io.ReadFull(s.r, b[:]); err != nil {
			switch {
			case s.isInterrupted():
				return "", os.ErrClosed
			case !errors.Is(err, io.EOF):
				return "", fmt.Errorf("read the header: %w", err)
			case len(line) == 0:
				return "", errors.New("empty: nothing was sent")
			}
			return "", fmt.Errorf("the header is cut off: %w", notY4MOr(line, io.ErrUnexpectedEOF))
		}
		line = append(line, b[0])
		if b[0] == '\n' {
			return string(line[:len(line)-1]), nil
		}
		// Don't wait for a newline that a stream of another kind may never send.
		if n := min(len(line), len(signature)); string(line[:n]) != signature[:n] && n == len(signature) {
			return "", notY4M(string(line))
		}
		if len(line) > maxLine {
			return "", fmt.Errorf("Y4M header of more than %d bytes", maxLine)
		}
	}
}

func notY4MOr(line []byte, err error) error {
	if !strings.HasPrefix(string(line), signature) {
		return notY4M(string(line))
	}
	return err
}

// readMarker reads the FRAME line before a picture; its parameters are skipped.
func (s *Source) readMarker() error {
	n, err := io.ReadFull(s.r, s.marker[:])
	if err == nil && string(s.marker[:]) == frameMarker {
		return nil
	}
	if n == 0 && errors.Is(err, io.EOF) && !s.isInterrupted() {
		s.finished = true
		return io.EOF
	}
	if err != nil {
		return s.ended(0, err)
	}
	if string(s.marker[:5]) != "FRAME" || s.marker[5] != ' ' {
		s.finished = true
		return fmt.Errorf("raw: frame %d of %s: expected FRAME, found %q: the stream is damaged, or its header says the wrong size or format",
			s.frame, s.name(), s.marker[:])
	}
	for range maxLine {
		if _, err := io.ReadFull(s.r, s.marker[:1]); err != nil {
			return s.ended(0, err)
		}
		if s.marker[0] == '\n' {
			return nil
		}
	}
	s.finished = true
	return fmt.Errorf("raw: frame %d of %s: FRAME line of more than %d bytes", s.frame, s.name(), maxLine)
}
