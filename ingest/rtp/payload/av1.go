package payload

// AV1 is the payload format of AV1. Units are temporal units in the low-overhead format:
// every OBU has a size.
//
// Source: RTP Payload Format For AV1 (AOM), version 1.0; AV1 bitstream specification, 5.3.
type AV1 struct {
	open  bool // an OBU goes on in the next packet
	start int  // where it begins in the unit
	body  int  // where what its size counts begins; 0: it has a size of its own
}

// OBU types.
const (
	obuSequence  = 1
	obuDelimiter = 2
	obuTileList  = 8
)

// sizeBytes is how long the sizes are that are written here. A size may be longer than it
// needs to be, so that it can be filled in when it is known.
const sizeBytes = 4

// Add implements [Depacketizer].
func (d *AV1) Add(u *Unit, p []byte, marker bool) (bool, error) {
	u.Complete = marker
	if len(p) < 2 {
		d.drop(u)
		return false, u.malformed()
	}
	h := p[0]
	p = p[1:]
	continues, goesOn, count := h&0x80 != 0, h&0x40 != 0, int(h>>4&3)
	if h&0x08 != 0 && continues {
		d.drop(u)
		return false, u.malformed()
	}
	if continues != d.open {
		// The other part of an OBU is missing. What follows here is whole again.
		d.drop(u)
		u.Damaged = true
	}
	for i := 0; len(p) > 0; i++ {
		n := len(p)
		if count == 0 || i < count-1 {
			size, used, ok := leb128(p)
			if !ok || size > uint64(len(p)-used) {
				d.drop(u)
				return false, u.malformed()
			}
			p, n = p[used:], int(size)
		}
		element := p[:n]
		p = p[n:]
		last := len(p) == 0
		if count != 0 && i == count-1 && !last {
			return false, u.malformed()
		}
		if i == 0 && continues {
			if d.open {
				if err := u.put(element); err != nil {
					d.drop(u)
					return false, err
				}
				if !last || !goesOn {
					d.finish(u)
				}
			}
			continue
		}
		if len(element) == 0 {
			continue
		}
		if err := d.begin(u, element); err != nil {
			return false, err
		}
		if d.open && (!last || !goesOn) {
			d.finish(u)
		}
	}
	return false, nil
}

// begin appends the first part of an OBU.
func (d *AV1) begin(u *Unit, b []byte) error {
	header := b[0]
	t := header >> 3 & 15
	if header&0x80 != 0 {
		return u.malformed()
	}
	if t == obuDelimiter || t == obuTileList {
		return nil // RTP does without; the delimiter is written here
	}
	hlen := 1
	if header&0x04 != 0 {
		hlen = 2
	}
	if len(b) < hlen {
		return u.malformed()
	}
	if t == obuSequence {
		u.Key = true
	}
	if len(u.Data)+2+len(b)+sizeBytes > cap(u.Data) {
		u.Damaged = true
		return ErrTooLarge
	}
	if len(u.Data) == 0 {
		u.Data = append(u.Data, obuDelimiter<<3|2, 0)
	}
	d.start, d.body, d.open = len(u.Data), 0, true
	if header&0x02 != 0 { // it has a size
		u.Data = append(u.Data, b...)
		return nil
	}
	u.Data = append(u.Data, header|0x02)
	u.Data = append(u.Data, b[1:hlen]...)
	u.Data = append(u.Data, 0, 0, 0, 0)
	d.body = len(u.Data)
	u.Data = append(u.Data, b[hlen:]...)
	return nil
}

// finish fills in the size of the OBU that has ended.
func (d *AV1) finish(u *Unit) {
	d.open = false
	if d.body == 0 {
		return
	}
	n := len(u.Data) - d.body
	if n >= 1<<(7*sizeBytes) {
		u.Data, u.Damaged = u.Data[:d.start], true
		return
	}
	s := u.Data[d.body-sizeBytes:]
	for i := range sizeBytes - 1 {
		s[i] = byte(n>>(7*i)) | 0x80
	}
	s[sizeBytes-1] = byte(n >> (7 * (sizeBytes - 1)))
}

// drop takes back an OBU that will not be complete.
func (d *AV1) drop(u *Unit) {
	if d.open {
		u.Data, u.Damaged = u.Data[:d.start], true
	}
	d.open = false
}

// leb128 reads a size. Source: AV1 bitstream specification, 4.10.5.
func leb128(b []byte) (v uint64, n int, ok bool) {
	for i := 0; i < 8 && i < len(b); i++ {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			return v, i + 1, v < 1<<32
		}
	}
	return 0, 0, false
}

// Lose implements [Depacketizer].
func (d *AV1) Lose(u *Unit) { d.drop(u); u.Damaged = true }

// Finish implements [Depacketizer].
func (d *AV1) Finish(u *Unit) { d.drop(u) }

// Reset implements [Depacketizer].
func (d *AV1) Reset() { d.open = false }
