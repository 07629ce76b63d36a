package payload

// What shows that nothing of a unit is missing before a packet, although packets are.
//
// Where that is not certain the answer is no, and the unit counts as damaged. A key frame
// whose parameter sets may have been lost is not certain: pictures would wait for it and
// then not be decoded.

// Further NAL unit types.
const (
	h264Slice     = 1
	h264Sequence  = 7
	h264Delimiter = 9

	h265VPS       = 32
	h265Sequence  = 33
	h265Delimiter = 35
)

// Begins implements [Depacketizer]: a delimiter, a sequence parameter set, or the slice of
// macroblock 0 that is not of a key frame.
// Source: ITU-T H.264, 7.4.1.2.3 and 7.3.3.
func (d *H264) Begins(p []byte) bool {
	if len(p) < 2 {
		return false
	}
	t, body := p[0]&31, p[1:]
	switch t {
	case h264STAPA:
		nal, _, ok := size16(body)
		if !ok || len(nal) < 2 {
			return false
		}
		t, body = nal[0]&31, nal[1:]
	case h264FUA:
		if body[0]&0x80 == 0 || len(body) < 2 {
			return false
		}
		t, body = body[0]&31, body[1:]
	}
	switch t {
	case h264Delimiter, h264Sequence:
		return true
	case h264Slice:
		return body[0]&0x80 != 0 // first_mb_in_slice is 0
	}
	return false
}

// Begins implements [Depacketizer]: a delimiter, a parameter set of video or sequence, or
// the first slice segment of a picture where decoding cannot begin.
// Source: ITU-T H.265, 7.4.2.4.4 and 7.3.6.1.
func (d *H265) Begins(p []byte) bool {
	if len(p) < 4 {
		return false
	}
	t, body := p[0]>>1&63, p[2:]
	switch t {
	case h265Packets:
		if len(body) < d.donl {
			return false
		}
		nal, _, ok := size16(body[d.donl:])
		if !ok || len(nal) < 3 {
			return false
		}
		t, body = nal[0]>>1&63, nal[2:]
	case h265FU:
		if body[0]&0x80 == 0 {
			return false
		}
		t, body = body[0]&63, body[1:]
		fallthrough
	default:
		if len(body) <= d.donl {
			return false
		}
		body = body[d.donl:]
	}
	switch {
	case t == h265Delimiter, t == h265VPS, t == h265Sequence:
		return true
	case t < h265IRAP:
		return body[0]&0x80 != 0 // first_slice_segment_in_pic_flag
	}
	return false
}

// Begins implements [Depacketizer]: partition 0 begins with the frame.
func (d *VP8) Begins(p []byte) bool {
	_, start, ok := vp8Descriptor(p)
	return ok && start
}

// Begins implements [Depacketizer]: the frame of the lowest layer.
func (d *VP9) Begins(p []byte) bool {
	_, h, ok := vp9Descriptor(p)
	return ok && h.begin && h.spatial == 0
}

// Begins implements [Depacketizer]: a sequence header, which stands before everything but a
// delimiter. Any other OBU may follow another of its temporal unit.
// Source: AV1 bitstream specification, 7.5.
func (d *AV1) Begins(p []byte) bool {
	if len(p) < 2 || p[0]&0x80 != 0 {
		return false
	}
	if p[0]&0x08 != 0 { // N
		return true
	}
	b := p[1:]
	if p[0]>>4&3 != 1 { // elements have lengths, the only one of one element has none
		size, n, ok := leb128(b)
		if !ok || size == 0 || size > uint64(len(b)-n) {
			return false
		}
		b = b[n:]
	}
	return b[0]>>3&15 == obuSequence
}

// Begins implements [Depacketizer]: every packet.
func (Plain) Begins([]byte) bool { return true }

// Begins implements [Depacketizer]; Lose knows.
func (d *AAC) Begins([]byte) bool { return false }

// Begins implements [Depacketizer]; Lose knows.
func (d *LATM) Begins([]byte) bool { return false }
