package annexb

import (
	"bufio"
	"encoding/binary"
	"fmt"

	"github.com/scanout-av/scanout/media"
)

// ivfHeader is what stands before each frame in an IVF file: its size and its time.
const ivfHeader = 12

// ivf is an IVF file, the simplest of containers: a header of 32 bytes and frames. Frames
// are numbered; their times make the frame rate.
type ivf struct {
	text
	timebase media.Timebase
	atHeader bool // the next bytes are the file's header
	count    int64
	from, to int64 // times of the first and the last frame that was looked at
}

// newIVF reads the header of a file.
func newIVF(path string, head []byte) (*ivf, media.Codec, error) {
	if len(head) < 32 || string(head[:4]) != "DKIF" || binary.LittleEndian.Uint16(head[6:]) != 32 {
		return nil, "", fmt.Errorf("annexb: %s is not an IVF file: %w", path, media.ErrNotSupported)
	}
	f := &ivf{timebase: media.Timebase{Num: int32(binary.LittleEndian.Uint32(head[20:])), Den: int32(binary.LittleEndian.Uint32(head[16:]))}}
	switch fourCC := string(head[8:12]); fourCC {
	case "AV01":
		f.text = aom{}
		return f, "av1", nil
	case "VP90":
		f.text = &vpx{}
		return f, "vp9", nil
	default:
		return nil, "", fmt.Errorf("annexb: %s is an IVF file of %q: %w", path, fourCC, media.ErrNotSupported)
	}
}

// split cuts frames with their headers.
func (f *ivf) split() bufio.SplitFunc {
	return func(data []byte, atEOF bool) (int, []byte, error) {
		if f.atHeader {
			if len(data) < 32 {
				return 0, nil, nil
			}
			f.atHeader = false
			return 32, nil, nil
		}
		if len(data) < ivfHeader {
			return 0, nil, nil // what is left at the end is no frame
		}
		n := int64(binary.LittleEndian.Uint32(data)) + ivfHeader
		if n > maxUnit {
			return 0, nil, fmt.Errorf("a frame of %d bytes: %w", n, bufio.ErrTooLong)
		}
		if int64(len(data)) < n {
			if atEOF {
				return len(data), data, nil // what there is of it
			}
			return 0, nil, nil
		}
		return int(n), data[:n], nil
	}
}

// look notes the time of a frame.
func (f *ivf) look(unit []byte) {
	t := int64(binary.LittleEndian.Uint64(unit[4:]))
	if f.count == 0 {
		f.from = t
	}
	f.to = max(f.to, t)
	f.count++
}

// rate is the frame rate of the frames that were looked at.
func (f *ivf) rate() media.Rational {
	if n := f.to - f.from; f.count > 1 && n > 0 && n < 1<<31 && f.timebase.Valid() {
		return ratio(uint64(f.count-1)*uint64(f.timebase.Den), uint64(n)*uint64(f.timebase.Num))
	}
	return media.Rational{}
}

func (f *ivf) describe(unit []byte, s *media.Stream) bool {
	return f.text.describe(unit[ivfHeader:], s)
}
func (f *ivf) key(unit []byte) (key, first bool) { return f.text.key(unit[ivfHeader:]) }
