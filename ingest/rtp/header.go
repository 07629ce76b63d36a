package rtp

import "encoding/binary"

// header is what is of interest in an RTP header.
//
// pion/rtp has a parser, too; it makes an error value for every malformed packet, which a
// flood of garbage would turn into a flood of garbage collection, and lists the header
// extensions, of which none is read here.
type header struct {
	pt     uint8
	marker bool
	seq    uint16
	ts     uint32
	ssrc   uint32
}

// parseHeader reads the header of b and returns its payload without padding; ok is false
// for what is no RTP packet.
//
// Source: RFC 3550, 5.1 and A.1.
func parseHeader(b []byte) (h header, payload []byte, ok bool) {
	if len(b) < 12 || b[0]>>6 != 2 {
		return h, nil, false
	}
	h.pt, h.marker = b[1]&0x7f, b[1]&0x80 != 0
	h.seq = binary.BigEndian.Uint16(b[2:])
	h.ts = binary.BigEndian.Uint32(b[4:])
	h.ssrc = binary.BigEndian.Uint32(b[8:])
	n := 12 + 4*int(b[0]&15)
	if b[0]&0x10 != 0 {
		if len(b) < n+4 {
			return h, nil, false
		}
		n += 4 + 4*int(binary.BigEndian.Uint16(b[n+2:]))
	}
	if len(b) < n {
		return h, nil, false
	}
	payload = b[n:]
	if b[0]&0x20 != 0 {
		if len(payload) == 0 {
			return h, nil, false
		}
		pad := int(payload[len(payload)-1])
		if pad == 0 || pad > len(payload) {
			return h, nil, false
		}
		payload = payload[:len(payload)-pad]
	}
	return h, payload, true
}

// isRTCP tells RTCP from RTP where they share a port. Source: RFC 5761, 4.
func isRTCP(b []byte) bool { return len(b) >= 2 && b[0]>>6 == 2 && b[1] >= 192 && b[1] <= 223 }
