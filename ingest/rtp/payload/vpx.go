package payload

// VP8 is the payload format of VP8.
//
// Source: RFC 7741.
type VP8 struct{ whole }

// Add implements [Depacketizer].
func (d *VP8) Add(u *Unit, p []byte, marker bool) (bool, error) {
	u.Complete = marker
	if d.broken {
		return false, nil
	}
	b, start, ok := vp8Descriptor(p)
	if !ok || len(b) == 0 {
		d.broken = true
		return false, u.malformed()
	}
	if (len(u.Data) == 0) != start {
		// The beginning is missing, or a second one comes: of no use either way.
		d.broken = true
		u.Damaged = true
		return false, nil
	}
	if start {
		u.Key = b[0]&1 == 0 // RFC 6386, 9.1
	}
	if err := u.put(b); err != nil {
		d.broken = true
		return false, err
	}
	return false, nil
}

// vp8Descriptor reads over the descriptor. Start says that a frame begins in b.
func vp8Descriptor(p []byte) (b []byte, start, ok bool) {
	if len(p) == 0 {
		return nil, false, false
	}
	first := p[0]
	n := 1
	if first&0x80 != 0 { // X
		if len(p) < 2 {
			return nil, false, false
		}
		ext := p[1]
		n = 2
		if ext&0x80 != 0 { // I: picture ID
			if len(p) <= n {
				return nil, false, false
			}
			if p[n]&0x80 != 0 {
				n++
			}
			n++
		}
		if ext&0x40 != 0 { // L: TL0PICIDX
			n++
		}
		if ext&0x30 != 0 { // T, K
			n++
		}
	}
	if n > len(p) {
		return nil, false, false
	}
	// S with partition index 0 begins a frame.
	return p[n:], first&0x17 == 0x10, true
}

// Lose implements [Depacketizer].
func (d *VP8) Lose(u *Unit) { d.lose(u) }

// Finish implements [Depacketizer].
func (d *VP8) Finish(*Unit) { d.broken = false }

// Reset implements [Depacketizer].
func (d *VP8) Reset() { d.broken = false }

// VP9 is the payload format of VP9. The layers of a picture become one superframe.
//
// Source: RFC 9628.
type VP9 struct {
	whole
	begun bool // a layer's frame has begun and not ended
	start int
	sizes [8]int // of the finished frames of this picture
	count int
}

// Add implements [Depacketizer].
func (d *VP9) Add(u *Unit, p []byte, marker bool) (bool, error) {
	u.Complete = marker
	if d.broken {
		return false, nil
	}
	b, h, ok := vp9Descriptor(p)
	if !ok || len(b) == 0 {
		d.broken = true
		return false, u.malformed()
	}
	if h.begin == d.begun { // a frame that begins twice, or not at all
		d.broken = true
		u.Damaged = true
		return false, nil
	}
	if h.begin {
		if d.count == len(d.sizes) {
			d.broken = true
			return false, u.malformed()
		}
		if d.count == 0 {
			u.Key = !h.predicted
		}
		d.start, d.begun = len(u.Data), true
	}
	if err := u.put(b); err != nil {
		d.broken = true
		return false, err
	}
	if h.end {
		d.sizes[d.count], d.begun = len(u.Data)-d.start, false
		d.count++
	}
	return false, nil
}

type vp9Header struct {
	begin, end, predicted bool
	spatial               int // layer, 0 where there is one only
}

// vp9Descriptor reads over the descriptor.
func vp9Descriptor(p []byte) (b []byte, h vp9Header, ok bool) {
	if len(p) == 0 {
		return nil, h, false
	}
	first := p[0]
	h.predicted, h.begin, h.end = first&0x40 != 0, first&0x08 != 0, first&0x04 != 0
	flexible := first&0x10 != 0
	p = p[1:]
	skip := func(n int) bool {
		if len(p) < n {
			return false
		}
		p = p[n:]
		return true
	}
	if first&0x80 != 0 { // I
		n := 1
		if len(p) > 0 && p[0]&0x80 != 0 {
			n = 2
		}
		if !skip(n) {
			return nil, h, false
		}
	}
	if first&0x20 != 0 { // L
		n := 2
		if flexible {
			n = 1
		}
		if len(p) > 0 {
			h.spatial = int(p[0] >> 1 & 7)
		}
		if !skip(n) {
			return nil, h, false
		}
	}
	if flexible && h.predicted {
		for i := 0; ; i++ { // up to three P_DIFF
			if len(p) == 0 || i == 3 {
				return nil, h, false
			}
			more := p[0]&1 != 0
			p = p[1:]
			if !more {
				break
			}
		}
	}
	if first&0x02 != 0 { // V: scalability structure
		if len(p) == 0 {
			return nil, h, false
		}
		ss := p[0]
		p = p[1:]
		if ss&0x10 != 0 && !skip(4*(int(ss>>5)+1)) { // Y
			return nil, h, false
		}
		if ss&0x08 != 0 { // G
			if len(p) == 0 {
				return nil, h, false
			}
			n := int(p[0])
			p = p[1:]
			for range n {
				if len(p) == 0 || !skip(1+int(p[0]>>2&3)) {
					return nil, h, false
				}
			}
		}
	}
	return p, h, true
}

// Lose implements [Depacketizer].
func (d *VP9) Lose(u *Unit) {
	d.lose(u)
	d.broken = d.broken || d.begun || d.count > 0
}

// Finish implements [Depacketizer].
func (d *VP9) Finish(u *Unit) {
	if d.begun {
		u.Damaged = true
	}
	if d.count > 1 && !u.Damaged {
		d.index(u)
	}
	d.Reset()
}

// index appends a superframe index. Source: VP9 bitstream specification, annex B.
func (d *VP9) index(u *Unit) {
	marker := byte(0xc0 | 3<<3 | (d.count - 1)) // sizes of 4 bytes
	var b [2 + 4*8]byte
	b[0] = marker
	n := 1
	for _, s := range d.sizes[:d.count] {
		b[n], b[n+1], b[n+2], b[n+3] = byte(s), byte(s>>8), byte(s>>16), byte(s>>24)
		n += 4
	}
	b[n] = marker
	_ = u.put(b[:n+1]) // marks the unit as damaged when it is full
}

// Reset implements [Depacketizer].
func (d *VP9) Reset() { d.broken, d.begun, d.count = false, false, 0 }
