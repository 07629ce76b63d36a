package bitstream

import (
	"bytes"
	"errors"
)

// Framing is how NAL units are told apart: by start codes (Annex B, the zero value) or
// by a length before each (ISO/IEC 14496-15: mp4, mkv).
type Framing struct {
	// LengthSize is the size of the length field, 1 to 4; 0 is Annex B.
	LengthSize int
}

// NAL is where a NAL unit lies in the data that it was found in.
// Units: byte offsets.
type NAL struct {
	// Start is where the 3-byte start code or the length field begins.
	Start int
	// Begin is the first byte of the NAL unit's header.
	Begin int
	// End is behind its last byte; trailing zero bytes are not part of it.
	End int
}

// Bytes returns the unit without start code.
func (n NAL) Bytes(data []byte) []byte { return data[n.Begin:n.End] }

// Len returns the bytes of the unit without start code.
func (n NAL) Len() int { return n.End - n.Begin }

// ErrLength says that a length field points behind the data. The units before it are
// good.
var ErrLength = errors.New("bitstream: a NAL unit's length exceeds the data")

// Next finds the first NAL unit at or behind pos. A unit has one byte at least; empty
// ones are passed over. It returns ok = false when there is no more. A length that
// exceeds the data gives what there is of the unit and ErrLength.
func (f Framing) Next(data []byte, pos int) (n NAL, ok bool, err error) {
	if pos < 0 {
		pos = 0
	}
	if f.LengthSize == 0 {
		n, ok = nextAnnexB(data, pos)
		return n, ok, nil
	}
	for {
		if pos >= len(data) {
			return NAL{}, false, nil
		}
		if len(data)-pos < f.LengthSize {
			if len(bytes.TrimRight(data[pos:], "\x00")) == 0 {
				return NAL{}, false, nil // padding
			}
			return NAL{}, false, ErrLength
		}
		size := 0
		for i := range f.LengthSize {
			size = size<<8 | int(data[pos+i])
		}
		n = NAL{Start: pos, Begin: pos + f.LengthSize}
		if size == 0 {
			pos = n.Begin
			continue
		}
		if size > len(data)-n.Begin || size < 0 {
			n.End = len(data)
			return n, n.End > n.Begin, ErrLength
		}
		n.End = n.Begin + size
		return n, true, nil
	}
}

// After returns where Next goes on behind n.
func (n NAL) After() int { return n.End }

// startCode returns the offset of the first 00 00 01 at or behind pos, -1 for none.
func startCode(data []byte, pos int) int {
	for {
		// The one byte is rarer than zeros are in most data, and IndexByte is fast.
		i := bytes.IndexByte(data[min(pos+2, len(data)):], 1)
		if i < 0 {
			return -1
		}
		i += pos + 2
		if data[i-1] == 0 && data[i-2] == 0 {
			return i - 2
		}
		pos = i - 1
	}
}

func nextAnnexB(data []byte, pos int) (NAL, bool) {
	for {
		s := startCode(data, pos)
		if s < 0 {
			return NAL{}, false
		}
		n := NAL{Start: s, Begin: s + 3}
		n.End = startCode(data, n.Begin)
		if n.End < 0 {
			n.End = len(data)
		}
		next := n.End
		for n.End > n.Begin && data[n.End-1] == 0 {
			n.End--
		}
		if n.End > n.Begin {
			return n, true
		}
		pos = next
	}
}

// Unescape appends payload without its emulation prevention bytes to dst.
func Unescape(dst, payload []byte) []byte {
	zeros := 0
	for _, c := range payload {
		if c == 3 && zeros >= 2 {
			zeros = 0
			continue
		}
		if c == 0 {
			zeros++
		} else {
			zeros = 0
		}
		dst = append(dst, c)
	}
	return dst
}

// SEIHeader reads the type and the size of an SEI message.
// Units: size is bytes without emulation prevention.
// Source: ITU-T H.264 and H.265 7.3.2.3.1 and 7.3.5.
func SEIHeader(r *Reader) (kind, size int) {
	for _, v := range [...]*int{&kind, &size} {
		for {
			b := int(r.U(8))
			*v += b
			if b != 255 || r.Failed() {
				break
			}
		}
	}
	return kind, size
}
