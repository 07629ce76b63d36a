package rtp

import (
	"crypto/subtle"
	"encoding/binary"
)

const (
	// correctionType is the payload type of error correction, above those of streams.
	correctionType = 110
	// mostCovered is how many packets a mask has room for.
	mostCovered = 109
	// correctionWindow is how long after the first packet what protects it comes at most.
	correctionWindow = maxSpread
)

// corrector makes packets of forward error correction for one stream: for each access unit by
// itself, so that what was lost of a picture is there again when its last packet is.
//
// Of k packets for n, packet i of the stream is covered by the one of number i mod k: k packets
// in a row may be lost.
//
// Source: draft-ietf-payload-flexible-fec-scheme-03, 4.2 and 6.2.
type corrector struct {
	percent int
	ssrc    uint32
	seq     uint16
}

// protect puts packets of error correction behind those that they cover.
func (c *corrector) protect(u *unit) {
	n := len(u.packets)
	blocks := (n + mostCovered - 1) / mostCovered
	all := u.mixed[:0]
	for i := range blocks {
		block := u.packets[n*i/blocks : n*(i+1)/blocks]
		all = append(all, block...)
		k := max(1, (len(block)*c.percent+50)/100)
		for j := range k {
			begin := len(u.repair)
			u.repair = c.repair(u.repair, block, j, k)
			all = append(all, u.repair[begin:len(u.repair):len(u.repair)])
		}
	}
	u.packets, u.mixed = all, u.packets
}

// repair appends the packet that covers packets j, j + k and so on of a block.
func (c *corrector) repair(to []byte, block [][]byte, j, k int) []byte {
	var mask [2]uint64
	longest, last := 0, 0
	for i := j; i < len(block); i += k {
		mask[i/64] |= 1 << 63 >> (i % 64)
		longest, last = max(longest, len(block[i])-headerSize), i
	}
	// The mask is of 15, 31 and 63 bits, each behind one that says whether it ends there.
	fixed := 32
	first, second, third := uint16(mask[0]>>49), uint32(mask[0]>>18)&(1<<31-1), mask[0]<<46>>1|mask[1]>>19|1<<63
	if last < 15 {
		fixed, first = 20, first|1<<15
	} else if last < 46 {
		fixed, second = 24, second|1<<31
	}
	start := len(to)
	to = append(to, make([]byte, headerSize+fixed+longest)...)
	header, b := to[start:start+headerSize], to[start+headerSize:]
	header[0], header[1] = 0x80, correctionType
	binary.BigEndian.PutUint16(header[2:], c.seq)
	copy(header[4:8], block[0][4:8])
	binary.BigEndian.PutUint32(header[8:], c.ssrc)
	c.seq++
	payload, length := b[fixed:], uint16(0)
	for i := j; i < len(block); i += k {
		p := block[i]
		subtle.XORBytes(b[:2], b[:2], p)
		subtle.XORBytes(b[4:8], b[4:8], p[4:])
		length ^= uint16(len(p) - headerSize)
		subtle.XORBytes(payload, payload, p[headerSize:])
	}
	b[0] &= 0x3f // the version
	binary.BigEndian.PutUint16(b[2:], length)
	b[8] = 1 // one stream
	copy(b[12:16], block[0][8:12])
	copy(b[16:18], block[0][2:4])
	binary.BigEndian.PutUint16(b[18:], first)
	if fixed > 20 {
		binary.BigEndian.PutUint32(b[20:], second)
	}
	if fixed > 24 {
		binary.BigEndian.PutUint64(b[24:], third)
	}
	return to
}

// own reports whether a packet is the stream's own, and no error correction.
func (st *stream) own(packet []byte) bool { return binary.BigEndian.Uint32(packet[8:]) == st.ssrc }
