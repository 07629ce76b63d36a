package rtp

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// nals calls f for each NAL unit of an access unit: after start codes when prefix is 0,
// else after lengths of prefix bytes. What is damaged ends the unit.
func nals(b []byte, prefix int, f func(nal []byte)) {
	if prefix > 0 {
		for len(b) >= prefix {
			n := 0
			for _, c := range b[:prefix] {
				n = n<<8 | int(c)
			}
			b = b[prefix:]
			if n < 0 || n > len(b) {
				return
			}
			if n > 0 {
				f(b[:n])
			}
			b = b[n:]
		}
		return
	}
	at, n := startCode(b)
	for at >= 0 {
		b = b[at+n:]
		at, n = startCode(b)
		nal := b
		if at >= 0 {
			nal = b[:at]
		}
		// Zero bytes at the end belong to the byte stream. Source: H.264, B.1.1.
		if nal = bytes.TrimRight(nal, "\x00"); len(nal) > 0 {
			f(nal)
		}
	}
}

// startCode returns where the first 00 00 01 stands, -1 when there is none.
func startCode(b []byte) (at, n int) { return bytes.Index(b, []byte{0, 0, 1}), 3 }

// parameterSets are the sets of a stream's configuration, in the order in which they must
// be sent, and how its access units are cut.
type parameterSets struct {
	prefix int // length of the lengths, 0 for start codes
	sets   [][]byte
}

var errConfiguration = errors.New("the stream's configuration record is damaged")

// avcSets reads an AVCDecoderConfigurationRecord, or parameter sets after start codes.
// Source: ISO/IEC 14496-15, 5.3.3.1.
func avcSets(b []byte) (p parameterSets, err error) {
	if len(b) == 0 || b[0] != 1 {
		return annexB(b), nil
	}
	if len(b) < 7 {
		return p, errConfiguration
	}
	p.prefix = int(b[4]&3) + 1
	rest := b[6:]
	for _, count := range []int{int(b[5] & 31), -1} {
		if count < 0 {
			if len(rest) < 1 {
				return p, errConfiguration
			}
			count, rest = int(rest[0]), rest[1:]
		}
		if rest, err = p.take(rest, count); err != nil {
			return p, err
		}
	}
	return p, nil
}

// hevcSets reads an HEVCDecoderConfigurationRecord, or parameter sets after start codes.
// Source: ISO/IEC 14496-15, 8.3.3.1.
func hevcSets(b []byte) (p parameterSets, err error) {
	if len(b) == 0 || b[0] != 1 {
		return annexB(b), nil
	}
	if len(b) < 23 {
		return p, errConfiguration
	}
	p.prefix = int(b[21]&3) + 1
	arrays, rest := int(b[22]), b[23:]
	for range arrays {
		if len(rest) < 3 {
			return p, errConfiguration
		}
		count := int(binary.BigEndian.Uint16(rest[1:]))
		if rest, err = p.take(rest[3:], count); err != nil {
			return p, err
		}
	}
	return p, nil
}

// take reads count NAL units that follow their 16-bit lengths.
func (p *parameterSets) take(b []byte, count int) (rest []byte, err error) {
	for range count {
		if len(b) < 2 {
			return nil, errConfiguration
		}
		n := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; n > len(b) {
			return nil, errConfiguration
		}
		if n > 0 {
			p.sets = append(p.sets, b[:n])
		}
		b = b[n:]
	}
	return b, nil
}

func annexB(b []byte) (p parameterSets) {
	nals(b, 0, func(nal []byte) { p.sets = append(p.sets, nal) })
	return p
}
