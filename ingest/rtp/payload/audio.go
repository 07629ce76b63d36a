package payload

// Plain is the payload format of codecs whose packets are access units: Opus (RFC 7587),
// and PCM, L16, L24 and G.722 (RFC 3551).
type Plain struct{}

// Add implements [Depacketizer].
func (Plain) Add(u *Unit, p []byte, _ bool) (bool, error) {
	u.Complete, u.Key = true, true
	if len(p) == 0 {
		return false, u.malformed()
	}
	return false, u.put(p)
}

// Lose implements [Depacketizer]. What comes next is whole.
func (Plain) Lose(*Unit) {}

// Finish implements [Depacketizer].
func (Plain) Finish(*Unit) {}

// Reset implements [Depacketizer].
func (Plain) Reset() {}

// AACConfig is what a session description says about MPEG-4 audio: lengths of the fields of
// an AU header in bits.
// Source: RFC 3640, 4.1.
type AACConfig struct {
	SizeLength, IndexLength, IndexDeltaLength int
	CTSDeltaLength, DTSDeltaLength            int
	RandomAccess                              bool
	StreamStateLength                         int
	AuxiliaryLength                           int
	ConstantSize                              int
	// Duration is how long one unit is, in ticks.
	Duration uint32
}

// AAC is the payload format of MPEG-4 audio, AAC-hbr and AAC-lbr, without interleaving.
//
// Source: RFC 3640.
type AAC struct {
	cfg AACConfig
	// What is left of the payload that is being taken apart.
	next int // which AU of it comes
	data int // where it lies
	want int // bytes that a fragmented unit still needs
}

// NewAAC returns a depacketizer.
func NewAAC(cfg AACConfig) *AAC { return &AAC{cfg: cfg} }

// maxUnits bounds the AUs of a packet.
const maxUnits = 256

// Add implements [Depacketizer].
func (d *AAC) Add(u *Unit, p []byte, marker bool) (bool, error) {
	headers, data, ok := d.sections(p)
	if !ok {
		d.Reset()
		u.Complete = true
		return false, u.malformed()
	}
	u.Key = true
	if d.want > 0 {
		// RFC 3640, 3.2.3: every fragment repeats the header of its unit.
		return false, d.fragment(u, data, marker)
	}
	r := bits{b: headers.b, n: headers.n}
	size, interleaved, ok := d.header(&r, d.next)
	if !ok {
		d.Reset()
		u.Complete = true
		return false, u.malformed()
	}
	if interleaved {
		d.Reset()
		u.Complete = true
		return false, u.unsupported()
	}
	if d.next == 0 {
		d.data = 0
	}
	rest := data[min(d.data, len(data)):]
	if size > len(rest) {
		if d.next > 0 || marker {
			d.Reset()
			u.Complete = true
			return false, u.malformed()
		}
		d.want = size
		return false, d.fragment(u, rest, marker)
	}
	u.Complete = true
	u.Offset = uint32(d.next) * d.cfg.Duration
	d.next++
	d.data += size
	err := u.put(rest[:size])
	more := d.next < maxUnits && d.another(r) && d.data < len(data)
	if !more {
		d.next = 0
	}
	return more, err
}

func (d *AAC) fragment(u *Unit, b []byte, marker bool) error {
	if len(b) > d.want {
		d.Reset()
		u.Complete = true
		return u.malformed()
	}
	d.want -= len(b)
	err := u.put(b)
	if marker || d.want == 0 {
		u.Complete = true
		u.Damaged = u.Damaged || d.want > 0
		d.want = 0
	}
	return err
}

// sections finds the AU headers and the data of a payload.
func (d *AAC) sections(p []byte) (h bits, data []byte, ok bool) {
	if d.headerBits(true) == 0 {
		h = bits{}
	} else {
		if len(p) < 2 {
			return h, nil, false
		}
		n := int(p[0])<<8 | int(p[1])
		p = p[2:]
		bytes := (n + 7) / 8
		if bytes > len(p) {
			return h, nil, false
		}
		h, p = bits{b: p[:bytes], n: n}, p[bytes:]
	}
	if a := d.cfg.AuxiliaryLength; a > 0 {
		r := bits{b: p, n: len(p) * 8}
		n := int(r.read(a))
		skip := (a + n + 7) / 8
		if r.bad || skip > len(p) {
			return h, nil, false
		}
		p = p[skip:]
	}
	return h, p, len(p) > 0
}

// headerBits is the least length of an AU header.
func (d *AAC) headerBits(first bool) int {
	c := &d.cfg
	n := c.SizeLength + c.StreamStateLength
	if first {
		n += c.IndexLength
	} else {
		n += c.IndexDeltaLength
	}
	for _, l := range []int{c.CTSDeltaLength, c.DTSDeltaLength} {
		if l > 0 {
			n++
		}
	}
	if c.RandomAccess {
		n++
	}
	return n
}

// header reads AU headers up to number k, and its size.
func (d *AAC) header(r *bits, k int) (size int, interleaved, ok bool) {
	c := &d.cfg
	if d.headerBits(true) == 0 {
		return c.ConstantSize, false, c.ConstantSize > 0
	}
	for i := range k + 1 {
		size = c.ConstantSize
		if c.SizeLength > 0 {
			size = int(r.read(c.SizeLength))
		}
		index := c.IndexLength
		if i > 0 {
			index = c.IndexDeltaLength
		}
		if v := r.read(index); i > 0 && v != 0 {
			interleaved = true
		}
		for _, l := range []int{c.CTSDeltaLength, c.DTSDeltaLength} {
			if l > 0 && r.read(1) == 1 {
				r.read(l)
			}
		}
		if c.RandomAccess {
			r.read(1)
		}
		r.read(c.StreamStateLength)
	}
	return size, interleaved, !r.bad && size > 0
}

// another reports whether there is an AU header behind what r has read.
func (d *AAC) another(r bits) bool {
	if n := d.headerBits(true); n == 0 {
		return true
	}
	return r.n-r.at >= max(d.headerBits(false), 1)
}

// Lose implements [Depacketizer].
func (d *AAC) Lose(u *Unit) {
	if d.want > 0 || len(u.Data) > 0 {
		u.Damaged = true
	}
	d.Reset()
}

// Finish implements [Depacketizer].
func (d *AAC) Finish(u *Unit) {
	if d.want > 0 {
		d.want = 0
		u.Damaged = true
	}
}

// Reset implements [Depacketizer].
func (d *AAC) Reset() { d.next, d.data, d.want = 0, 0, 0 }

// LATM is the payload format of MPEG-4 audio in LATM.
//
// Source: RFC 6416; ISO/IEC 14496-3, 1.7.
type LATM struct {
	// InBand says that every packet begins with the stream's configuration (cpresent=1):
	// units are then LOAS frames for a LATM decoder. Otherwise they are bare AAC.
	InBand bool
	want   int
}

// Add implements [Depacketizer].
func (d *LATM) Add(u *Unit, p []byte, marker bool) (bool, error) {
	u.Complete, u.Key = marker, true
	if len(p) == 0 {
		return false, u.malformed()
	}
	if d.InBand {
		if len(u.Data) == 0 {
			if err := u.put([]byte{0x56, 0xe0, 0}); err != nil { // the length comes at the end
				return false, err
			}
		}
		return false, u.put(p)
	}
	if len(u.Data) == 0 {
		n, i := 0, 0
		for ; ; i++ {
			if i == len(p) {
				u.Complete = true
				return false, u.malformed()
			}
			n += int(p[i])
			if p[i] != 255 {
				break
			}
		}
		d.want, p = n, p[i+1:]
	}
	if len(p) > d.want {
		p = p[:d.want] // numSubFrames above 0 is not sent by anyone
	}
	d.want -= len(p)
	return false, u.put(p)
}

// Lose implements [Depacketizer].
func (d *LATM) Lose(u *Unit) {
	if len(u.Data) > 0 {
		u.Damaged = true
	}
}

// Finish implements [Depacketizer].
func (d *LATM) Finish(u *Unit) {
	switch n := len(u.Data) - 3; {
	case !d.InBand:
		u.Damaged = u.Damaged || d.want > 0
	case n <= 0 || n >= 1<<13:
		u.Damaged = true
	default:
		u.Data[1] |= byte(n >> 8)
		u.Data[2] = byte(n)
	}
	d.want = 0
}

// Reset implements [Depacketizer].
func (d *LATM) Reset() { d.want = 0 }
