package av1

import "github.com/scanout-av/scanout/decode/bitstream"

// OBUType is obu_type.
// Source: 6.2.2.
type OBUType uint8

// Types of OBUs.
const (
	OBUSequenceHeader       OBUType = 1
	OBUTemporalDelimiter    OBUType = 2
	OBUFrameHeader          OBUType = 3
	OBUTileGroup            OBUType = 4
	OBUMetadata             OBUType = 5
	OBUFrame                OBUType = 6
	OBURedundantFrameHeader OBUType = 7
	OBUTileList             OBUType = 8
	OBUPadding              OBUType = 15
)

var obuNames = [16]string{
	OBUSequenceHeader: "sequence header", OBUTemporalDelimiter: "temporal delimiter", OBUFrameHeader: "frame header",
	OBUTileGroup: "tile group", OBUMetadata: "metadata", OBUFrame: "frame", OBURedundantFrameHeader: "redundant frame header",
	OBUTileList: "tile list", OBUPadding: "padding",
}

func (t OBUType) String() string {
	if s := obuNames[t&15]; s != "" {
		return s
	}
	return "reserved OBU"
}

// OBU is where an open bitstream unit lies in the data that it was found in.
// Units: byte offsets.
type OBU struct {
	Start int // of its header
	Begin int // of its payload
	End   int // behind it
	Type  OBUType
	// Extension says that there are layer numbers.
	Extension             bool
	TemporalID, SpatialID uint8
}

// Payload returns the unit without header.
func (o OBU) Payload(data []byte) []byte { return data[o.Begin:o.End] }

// InOperatingPoint reports whether a decoder of an operating point needs the unit.
// Source: 5.3.1.
func (o OBU) InOperatingPoint(idc uint16) bool {
	if o.Type == OBUSequenceHeader || o.Type == OBUTemporalDelimiter || idc == 0 || !o.Extension {
		return true
	}
	return idc>>o.TemporalID&1 != 0 && idc>>(o.SpatialID+8)&1 != 0
}

var (
	errForbidden = &bitstream.SyntaxError{Unit: "OBU", Field: "obu_forbidden_bit", Reason: "is set"}
	errSize      = &bitstream.SyntaxError{Unit: "OBU", Field: "obu_size", Reason: "exceeds the data"}
)

// NextOBU reads the header of the unit at pos. A unit without size goes on to the end of
// the data. There is no way to find the next unit behind a damaged header.
// Errors: bitstream.SyntaxError.
// Source: 5.3.
func NextOBU(data []byte, pos int) (o OBU, ok bool, err error) {
	if pos >= len(data) {
		return OBU{}, false, nil
	}
	o = OBU{Start: pos, Begin: pos + 1, Type: OBUType(data[pos] >> 3 & 15), Extension: data[pos]&4 != 0}
	if data[pos]&0x80 != 0 {
		return OBU{}, false, errForbidden
	}
	sized := data[pos]&2 != 0
	if o.Extension {
		if o.Begin >= len(data) {
			return OBU{}, false, errSize
		}
		o.TemporalID, o.SpatialID = data[o.Begin]>>5, data[o.Begin]>>3&3
		o.Begin++
	}
	o.End = len(data)
	if sized {
		size, n := leb128(data[o.Begin:])
		if n == 0 || size > uint64(len(data)-o.Begin-n) {
			return OBU{}, false, errSize
		}
		o.Begin += n
		o.End = o.Begin + int(size)
	}
	return o, true, nil
}

// leb128 reads a number of 32 bits and returns its length, 0 when it is damaged.
// Source: 4.10.5.
func leb128(data []byte) (v uint64, n int) {
	for i := range min(8, len(data)) {
		v |= uint64(data[i]&0x7f) << (7 * i)
		if data[i]&0x80 == 0 {
			if v > 1<<32-1 {
				return 0, 0
			}
			return v, i + 1
		}
	}
	return 0, 0
}

// ns reads a number below n (4.10.7).
func ns(r *bitstream.Reader, n int) int {
	w := 0
	for x := n; x != 0; x >>= 1 {
		w++
	}
	if w == 0 {
		return 0
	}
	m := 1<<w - n
	v := int(r.U(w - 1))
	if v < m {
		return v
	}
	return v<<1 - m + int(r.U(1))
}

// su reads a signed number of n bits (4.10.6).
func su(r *bitstream.Reader, n int) int {
	v := int(r.U(n))
	if v >= 1<<(n-1) {
		v -= 1 << n
	}
	return v
}
