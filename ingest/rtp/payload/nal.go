package payload

import "encoding/binary"

var startCode = []byte{0, 0, 0, 1}

// nalUnits appends NAL units to an access unit, in the byte stream format of Annex B.
type nalUnits struct {
	// partial keeps the beginning of a NAL unit whose end is lost. A decoder in software
	// conceals the rest; one in hardware must not see it.
	partial bool
	open    bool // a fragmented NAL unit has begun
	start   int  // where
}

// nal appends a whole NAL unit: its header and the rest of it.
func (n *nalUnits) nal(u *Unit, header, rest []byte) error {
	n.close(u)
	if len(header)+len(rest)+len(startCode) > cap(u.Data)-len(u.Data) {
		u.Damaged = true
		return ErrTooLarge
	}
	u.Data = append(append(append(u.Data, startCode...), header...), rest...)
	return nil
}

// begin appends the first fragment of a NAL unit.
func (n *nalUnits) begin(u *Unit, header, rest []byte) error {
	n.close(u)
	at := len(u.Data)
	if err := n.nal(u, header, rest); err != nil {
		return err
	}
	n.open, n.start = true, at
	return nil
}

// fragment appends a further one.
func (n *nalUnits) fragment(u *Unit, b []byte, last bool) error {
	if !n.open {
		u.Damaged = true // its beginning was lost, which has been counted
		return nil
	}
	if err := u.put(b); err != nil {
		u.Data = u.Data[:n.start]
		n.open = false
		return err
	}
	if last {
		n.open = false
	}
	return nil
}

// close ends a fragmented NAL unit whose end never came.
func (n *nalUnits) close(u *Unit) {
	if !n.open {
		return
	}
	n.open = false
	u.Damaged = true
	if !n.partial {
		u.Data = u.Data[:n.start]
	}
}

// size16 takes a NAL unit of an aggregation packet off b.
func size16(b []byte) (nal, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	if n == 0 || n > len(b) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}
