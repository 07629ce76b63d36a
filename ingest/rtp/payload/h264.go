package payload

// H264 is the payload format of H.264: single NAL units, STAP-A and FU-A, the
// non-interleaved mode. What belongs to the interleaved mode is unsupported.
//
// Source: RFC 6184.
type H264 struct {
	nals   nalUnits
	header [1]byte
}

// NewH264 returns a depacketizer. Partial keeps slices whose end is lost, for decoders
// that conceal.
func NewH264(partial bool) *H264 { return &H264{nals: nalUnits{partial: partial}} }

// NAL unit types. Source: ITU-T H.264, table 7-1; RFC 6184, table 1.
const (
	h264IDR    = 5
	h264SEI    = 6
	h264Filler = 12
	h264STAPA  = 24
	h264FUA    = 28

	seiRecoveryPoint = 6
)

// Add implements [Depacketizer].
func (d *H264) Add(u *Unit, p []byte, marker bool) (bool, error) {
	err := d.add(u, p)
	u.Complete = marker
	return false, err
}

func (d *H264) add(u *Unit, p []byte) error {
	if len(p) == 0 {
		return u.malformed()
	}
	switch t := p[0] & 31; t {
	case 0, 30, 31:
		return u.malformed()
	case h264STAPA:
		for p = p[1:]; len(p) > 0; {
			nal, rest, ok := size16(p)
			if !ok {
				return u.malformed()
			}
			if err := d.nal(u, nal[0]&31, nal); err != nil {
				return err
			}
			p = rest
		}
		return nil
	case h264FUA:
		if len(p) < 3 {
			return u.malformed()
		}
		indicator, fu, rest := p[0], p[1], p[2:]
		first, last := fu&0x80 != 0, fu&0x40 != 0
		if first && last {
			return u.malformed() // RFC 6184, 5.8: one fragment is no fragment
		}
		if !first {
			return d.nals.fragment(u, rest, last)
		}
		d.header[0] = indicator&0xe0 | fu&31
		d.see(u, fu&31, rest)
		return d.nals.begin(u, d.header[:], rest)
	case 25, 26, 27, 29:
		return u.unsupported()
	default:
		return d.nal(u, t, p)
	}
}

func (d *H264) nal(u *Unit, t byte, nal []byte) error {
	if t == 0 || t >= h264STAPA {
		return u.malformed()
	}
	if t == h264Filler {
		d.nals.close(u)
		return nil
	}
	d.see(u, t, nal[1:])
	return d.nals.nal(u, nal, nil)
}

// see notes what a NAL unit of type t says about the unit.
func (d *H264) see(u *Unit, t byte, body []byte) {
	switch {
	case t == h264IDR:
		u.Key = true
	case t == h264SEI && len(body) > 0 && body[0] == seiRecoveryPoint:
		u.Key = true // open groups of pictures, and intra refresh
	}
}

// Lose implements [Depacketizer].
func (d *H264) Lose(u *Unit) { d.nals.close(u); u.Damaged = true }

// Finish implements [Depacketizer].
func (d *H264) Finish(u *Unit) { d.nals.close(u) }

// Reset implements [Depacketizer].
func (d *H264) Reset() { d.nals.open = false }

// H265 is the payload format of H.265: single NAL units, aggregation packets and
// fragmentation units, with decoding order numbers read over. A sender that changes the
// order of NAL units is not put right.
//
// Source: RFC 7798.
type H265 struct {
	nals   nalUnits
	donl   int // bytes of a DONL field
	header [2]byte
}

// NewH265 returns a depacketizer. Donl says that packets have decoding order numbers:
// sprop-max-don-diff is above 0. Partial keeps slices whose end is lost, for decoders that
// conceal.
func NewH265(donl, partial bool) *H265 {
	d := &H265{nals: nalUnits{partial: partial}}
	if donl {
		d.donl = 2
	}
	return d
}

// NAL unit types. Source: ITU-T H.265, table 7-1; RFC 7798, 4.4.
const (
	h265IRAP    = 16 // to 23
	h265Filler  = 38
	h265Packets = 48
	h265FU      = 49
	h265PACI    = 50
)

// Add implements [Depacketizer].
func (d *H265) Add(u *Unit, p []byte, marker bool) (bool, error) {
	err := d.add(u, p)
	u.Complete = marker
	return false, err
}

func (d *H265) add(u *Unit, p []byte) error {
	if len(p) < 3 {
		return u.malformed()
	}
	switch t := p[0] >> 1 & 63; {
	case t == h265Packets:
		p = p[2:]
		for skip := d.donl; len(p) > 0; skip = min(d.donl, 1) { // DONL first, DOND of one byte then
			if len(p) < skip {
				return u.malformed()
			}
			nal, rest, ok := size16(p[skip:])
			if !ok || len(nal) < 3 {
				return u.malformed()
			}
			if err := d.nal(u, nal, nil); err != nil {
				return err
			}
			p = rest
		}
		return nil
	case t == h265FU:
		fu, rest := p[2], p[3:]
		first, last := fu&0x80 != 0, fu&0x40 != 0
		if first && last {
			return u.malformed()
		}
		if first {
			if len(rest) <= d.donl {
				return u.malformed()
			}
			rest = rest[d.donl:]
		}
		if len(rest) == 0 {
			return u.malformed()
		}
		if !first {
			return d.nals.fragment(u, rest, last)
		}
		d.header[0] = p[0]&0x81 | fu&63<<1
		d.header[1] = p[1]
		d.see(u, fu&63)
		return d.nals.begin(u, d.header[:], rest)
	case t == h265PACI:
		return u.unsupported()
	case t > h265PACI:
		return u.malformed()
	default:
		if len(p) < 3+d.donl {
			return u.malformed()
		}
		return d.nal(u, p[:2], p[2+d.donl:])
	}
}

// nal appends a NAL unit that lies in one piece (rest is nil), or in two because a DONL
// was between its header and its body.
func (d *H265) nal(u *Unit, head, rest []byte) error {
	t := head[0] >> 1 & 63
	if t >= h265Packets {
		return u.malformed()
	}
	if t == h265Filler {
		d.nals.close(u)
		return nil
	}
	d.see(u, t)
	return d.nals.nal(u, head, rest)
}

func (d *H265) see(u *Unit, t byte) {
	if t >= h265IRAP && t < h265IRAP+8 {
		u.Key = true
	}
}

// Lose implements [Depacketizer].
func (d *H265) Lose(u *Unit) { d.nals.close(u); u.Damaged = true }

// Finish implements [Depacketizer].
func (d *H265) Finish(u *Unit) { d.nals.close(u) }

// Reset implements [Depacketizer].
func (d *H265) Reset() { d.nals.open = false }
