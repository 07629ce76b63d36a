package rtp

import (
	"encoding/binary"
	"errors"

	"github.com/pion/rtp/codecs"

	"github.com/scanout-av/scanout/media"
)

// headerSize is an RTP header without extensions.
const headerSize = 12

// unit is an access unit cut into packets, each with room for its header in front.
type unit struct {
	memory []byte
	ends   []int // of the packets in memory

	from, until media.Instant // first packet, and when the last one is due at the latest
	packets     [][]byte
	sent        int

	repair []byte   // packets of error correction
	mixed  [][]byte // memory for a list of all
}

func (u *unit) reset() {
	u.memory, u.ends, u.packets, u.sent = u.memory[:0], u.ends[:0], u.packets[:0], 0
	u.repair = u.repair[:0]
}

// add appends a packet whose payload is the parts.
func (u *unit) add(parts ...[]byte) {
	var header [headerSize]byte
	u.memory = append(u.memory, header[:]...)
	for _, p := range parts {
		u.memory = append(u.memory, p...)
	}
	u.ends = append(u.ends, len(u.memory))
}

// cut lists the packets, once memory does not move any more.
func (u *unit) cut() {
	begin := 0
	for _, end := range u.ends {
		u.packets = append(u.packets, u.memory[begin:end:end])
		begin = end
	}
}

// A packetizer adds the packets of an access unit to u; payloads have at most size bytes.
type packetizer func(u *unit, au *media.AccessUnit, size int) error

// avc is H.264. Parameter sets and other small units that hold no slice are sent
// together (STAP-A), slices alone or in pieces (FU-A).
// Source: RFC 6184, 5.6, 5.7.1, 5.8.
func avc(p parameterSets) packetizer {
	const sps, pps, stapA, fuA = 7, 8, 24, 28
	var pending [][]byte // small units
	return func(u *unit, au *media.AccessUnit, size int) error {
		total := 1
		pending = pending[:0]
		flush := func() {
			if len(pending) == 1 {
				u.add(pending[0])
			} else if len(pending) > 1 {
				nri := byte(0)
				payload := make([]byte, 1, total)
				for _, n := range pending {
					nri = max(nri, n[0]&0x60)
					payload = append(binary.BigEndian.AppendUint16(payload, uint16(len(n))), n...)
				}
				payload[0] = nri | stapA
				u.add(payload)
			}
			pending, total = pending[:0], 1
		}
		one := func(nal []byte) {
			kind := nal[0] & 31
			if kind == 0 || kind >= stapA {
				return // would be taken for a packet of RFC 6184's own kinds
			}
			if kind >= 6 && kind <= 16 && 3+len(nal) <= size {
				if total+2+len(nal) > size {
					flush()
				}
				pending = append(pending, nal)
				total += 2 + len(nal)
				return
			}
			flush()
			if len(nal) <= size {
				u.add(nal)
				return
			}
			indicator, header := nal[0]&0xe0|fuA, nal[0]&31
			pieces(nal[1:], size-2, func(piece []byte, first, last bool) {
				u.add([]byte{indicator, header | bit(first, 7) | bit(last, 6)}, piece)
			})
		}
		if au.Key && !has(au.Data, p.prefix, func(nal []byte) bool { return nal[0]&31 == sps }) {
			for _, n := range p.sets {
				if k := n[0] & 31; k == sps || k == pps || k == 13 || k == 15 {
					one(n)
				}
			}
		}
		nals(au.Data, p.prefix, one)
		flush()
		return whole(u, au)
	}
}

// hevc is H.265, in the same manner: aggregation packets and fragmentation units.
// Source: RFC 7798, 4.4.2, 4.4.3.
func hevc(p parameterSets) packetizer {
	const vps, sps, ap, fu = 32, 33, 48, 49
	kindOf := func(nal []byte) byte { return nal[0] >> 1 & 63 }
	var pending [][]byte
	return func(u *unit, au *media.AccessUnit, size int) error {
		total := 2
		pending = pending[:0]
		flush := func() {
			if len(pending) == 1 {
				u.add(pending[0])
			} else if len(pending) > 1 {
				payload := append(make([]byte, 0, total), ap<<1, pending[0][1])
				for _, n := range pending {
					// The lowest layer and temporal identifier of all.
					payload[0] = ap<<1 | min(payload[0]&1, n[0]&1)
					payload[1] = min(payload[1], n[1])
					payload = append(binary.BigEndian.AppendUint16(payload, uint16(len(n))), n...)
				}
				u.add(payload)
			}
			pending, total = pending[:0], 2
		}
		one := func(nal []byte) {
			if len(nal) < 3 || kindOf(nal) >= ap {
				return // a header without content, or one of RFC 7798's own kinds
			}
			if kindOf(nal) >= vps && 4+len(nal) <= size {
				if total+2+len(nal) > size {
					flush()
				}
				pending = append(pending, nal)
				total += 2 + len(nal)
				return
			}
			flush()
			if len(nal) <= size {
				u.add(nal)
				return
			}
			kind := kindOf(nal)
			pieces(nal[2:], size-3, func(piece []byte, first, last bool) {
				u.add([]byte{nal[0]&0x81 | fu<<1, nal[1], kind | bit(first, 7) | bit(last, 6)}, piece)
			})
		}
		if au.Key && !has(au.Data, p.prefix, func(nal []byte) bool { return kindOf(nal) == sps }) {
			for _, n := range p.sets {
				if k := kindOf(n); k >= vps && k <= 34 {
					one(n)
				}
			}
		}
		nals(au.Data, p.prefix, one)
		flush()
		return whole(u, au)
	}
}

var errNothing = errors.New("nothing in it can be sent: it is damaged")

func whole(u *unit, au *media.AccessUnit) error {
	if len(u.ends) == 0 && len(au.Data) > 0 {
		return errNothing
	}
	return nil
}

func has(b []byte, prefix int, is func(nal []byte) bool) (found bool) {
	nals(b, prefix, func(nal []byte) { found = found || is(nal) })
	return found
}

func bit(set bool, n int) byte {
	if set {
		return 1 << n
	}
	return 0
}

// pieces cuts b into pieces of size bytes, of which the last may be shorter.
func pieces(b []byte, size int, f func(piece []byte, first, last bool)) {
	for first := true; first || len(b) > 0; first = false {
		n := min(size, len(b))
		f(b[:n], first, n == len(b))
		b = b[n:]
	}
}

// vp9 sends a superframe as one picture, as FFmpeg does, with a picture number of 15 bits.
// Source: RFC 9628, 4.2.
func vp9() packetizer {
	picture := uint16(0)
	return func(u *unit, au *media.AccessUnit, size int) error {
		picture = (picture + 1) & 0x7fff
		pieces(au.Data, size-3, func(piece []byte, first, last bool) {
			u.add([]byte{0x80 | bit(!au.Key, 6) | bit(first, 3) | bit(last, 2), 0x80 | byte(picture>>8), byte(picture)}, piece)
		})
		return nil
	}
}

// payloader is one of pion's.
func payloader(p interface {
	Payload(mtu uint16, payload []byte) [][]byte
}) packetizer {
	return func(u *unit, au *media.AccessUnit, size int) error {
		for _, b := range p.Payload(uint16(size), au.Data) {
			u.add(b)
		}
		return whole(u, au)
	}
}

func vp8() packetizer { return payloader(&codecs.VP8Payloader{EnablePictureID: true}) }
func av1() packetizer { return payloader(&codecs.AV1Payloader{}) }

var errTooLong = errors.New("a packet of sound is longer than a datagram")

// opus sends one packet in each.
// Source: RFC 7587, 4.2.
func opus(u *unit, au *media.AccessUnit, _ int) error {
	if len(au.Data) > maxPayloadSize {
		return errTooLong
	}
	u.add(au.Data)
	return nil
}

// aac sends one access unit in a packet, or in several; a header of ADTS stays behind.
// Source: RFC 3640, 3.2.1, 3.3.6.
func aac(u *unit, au *media.AccessUnit, size int) error {
	b := au.Data
	if _, n, ok := adts(b); ok {
		b = b[n:]
	}
	if len(b) >= 1<<13 {
		return errTooLong
	}
	pieces(b, size-4, func(piece []byte, _, _ bool) {
		u.add([]byte{0, 16, byte(len(b) >> 5), byte(len(b) << 3)}, piece)
	})
	return nil
}

// adts reads the header of an AAC frame in MPEG-2 or MPEG-4 streams: the configuration
// that it stands for, and how long it is.
// Source: ISO/IEC 14496-3, 1.A.2.2; for the configuration 1.6.2.1.
func adts(b []byte) (config []byte, n int, ok bool) {
	if len(b) < 7 || b[0] != 0xff || b[1]&0xf6 != 0xf0 {
		return nil, 0, false
	}
	object, rate, channels := b[2]>>6+1, b[2]>>2&15, b[2]&1<<2|b[3]>>6
	n = 7
	if b[1]&1 == 0 {
		n = 9
	}
	return []byte{object<<3 | rate>>1, rate<<7 | channels<<3}, n, len(b) >= n
}
