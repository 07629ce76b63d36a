package fec

import (
	"encoding/binary"
	"math/bits"
)

// Scheme is how packets of error correction are laid out.
type Scheme uint8

const (
	// ULP is ULPFEC. Source: RFC 5109, 7.3 and 7.4.
	ULP Scheme = iota + 1
	// Flex03 is FlexFEC as libwebrtc and pion have it. RFC 8627 came out with another
	// layout, which nobody is known to send.
	// Source: draft-ietf-payload-flexible-fec-scheme-03, 4.2.
	Flex03
)

// Span is by how many numbers the packets that one of error correction covers are apart at
// most.
const Span = 110

// repair is a packet of error correction: the exclusive or of those that it covers.
type repair struct {
	used    bool
	base    uint16    // number of the first bit
	mask    [2]uint64 // which it covers, from the highest bit on
	missing int       // of these
	head    [2]byte   // P, X, CC, M, PT
	ts      uint32
	length  uint16
	payload []byte // of what follows the fixed header of 12 bytes
}

// parse reads one that protects the stream of ssrc; false for what makes no sense.
// Ownership: payload is b's.
func (r *repair) parse(s Scheme, b []byte, ssrc uint32) (payload []byte, ok bool) {
	if s == Flex03 {
		payload, ok = r.parseFlex03(b, ssrc)
	} else {
		payload, ok = r.parseULP(b)
	}
	return payload, ok && r.mask != [2]uint64{} && len(payload) <= maxPacket-headerSize
}

// parseULP reads level 0. Levels that protect the rest of longer packets less are passed over:
// a packet whose end is missing is of no use here.
func (r *repair) parseULP(b []byte) (payload []byte, ok bool) {
	const fixed, short, long = 10, 4, 8
	if len(b) < fixed+short {
		return nil, false
	}
	r.head, r.base = [2]byte{b[0] & 0x3f, b[1]}, binary.BigEndian.Uint16(b[2:])
	r.ts, r.length = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint16(b[8:])
	protected := int(binary.BigEndian.Uint16(b[10:]))
	r.mask = [2]uint64{uint64(binary.BigEndian.Uint16(b[12:])) << 48}
	payload = b[fixed+short:]
	if b[0]&0x40 != 0 { // long mask
		if len(b) < fixed+long {
			return nil, false
		}
		r.mask[0] |= uint64(binary.BigEndian.Uint32(b[14:])) << 16
		payload = b[fixed+long:]
	}
	if protected > len(payload) {
		return nil, false
	}
	return payload[:protected], true
}

// parseFlex03 reads one with a mask for one stream. Fixed rows and columns, retransmissions and
// several streams at a time are not taken: nobody is known to send them.
func (r *repair) parseFlex03(b []byte, ssrc uint32) (payload []byte, ok bool) {
	if len(b) < 20 || b[0]&0xc0 != 0 || b[8] != 1 || binary.BigEndian.Uint32(b[12:]) != ssrc {
		return nil, false
	}
	r.head, r.length = [2]byte{b[0], b[1]}, binary.BigEndian.Uint16(b[2:])
	r.ts, r.base = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint16(b[16:])
	// 15, 31 and 63 bits; one before each says that the mask ends with them.
	first := binary.BigEndian.Uint16(b[18:])
	r.mask = [2]uint64{uint64(first&0x7fff) << 49}
	if first&0x8000 != 0 {
		return b[20:], true
	}
	if len(b) < 24 {
		return nil, false
	}
	second := binary.BigEndian.Uint32(b[20:])
	r.mask[0] |= uint64(second&0x7fffffff) << 18
	if second&0x80000000 != 0 {
		return b[24:], true
	}
	if len(b) < 32 {
		return nil, false
	}
	third := binary.BigEndian.Uint64(b[24:])
	r.mask[0] |= third & (1<<63 - 1) >> 45
	r.mask[1] = third << 19
	return b[32:], third&(1<<63) != 0
}

// covers reports whether packet seq is one of those.
func (r *repair) covers(seq uint16) bool {
	d := seq - r.base
	return d < 128 && r.mask[d/64]<<(d%64)>>63 != 0
}

// next is the first packet covered that is i or more behind base, and how far; i is 128 when
// there is none.
func (r *repair) next(i int) (seq uint16, at int) {
	for ; i < 128; i = i/64*64 + 64 {
		if rest := r.mask[i/64] << (i % 64); rest != 0 {
			i += bits.LeadingZeros64(rest)
			return r.base + uint16(i), i
		}
	}
	return 0, 128
}
