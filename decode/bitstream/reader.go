package bitstream

// Reader reads the bits of a NAL unit's payload and skips its emulation prevention
// bytes. After a failure every read returns 0 and [Reader.Err] says what was wrong
// first, so that a parser need check only once, and before it uses a count.
// The zero value is an empty payload.
// Source: ITU-T H.264 7.2, 7.3.1 and 9.1; ITU-T H.265 7.2, 7.3.1.1 and 9.2.
type Reader struct {
	data  []byte
	end   int    // data[:end] holds the payload without what trails its last one bit
	pos   int    // next byte
	zeros int    // zero bytes before pos
	acc   uint64 // bits that were read ahead, at the top
	n     int    // how many
	bytes int    // of payload that went into acc
	plain bool   // there are no emulation prevention bytes

	field, reason string // of the first failure
}

const (
	reasonTruncated = "is missing: the unit ends before it"
	reasonGolomb    = "is not an exp-Golomb code of 32 bits"
	reasonRange     = "is out of range"
)

// Reset starts over at the first byte of payload, which is a NAL unit without its
// header.
// Ownership: borrows payload until the next Reset.
func (r *Reader) Reset(payload []byte) {
	end := len(payload)
	for end > 0 { // cabac_zero_words, trailing_zero_8bits
		if payload[end-1] == 0 {
			end--
		} else if end > 2 && payload[end-1] == 3 && payload[end-2] == 0 && payload[end-3] == 0 {
			end -= 3
		} else {
			break
		}
	}
	*r = Reader{data: payload, end: end}
}

// ResetPlain starts over at the first byte of data of a standard without emulation
// prevention (AV1, VP9).
// Ownership: borrows data until the next Reset.
func (r *Reader) ResetPlain(data []byte) { *r = Reader{data: data, end: len(data), plain: true} }

func (r *Reader) fill() {
	for r.n <= 56 && r.pos < r.end {
		c := r.data[r.pos]
		r.pos++
		if c == 3 && r.zeros >= 2 && !r.plain {
			r.zeros = 0
			continue
		}
		if c == 0 {
			r.zeros++
		} else {
			r.zeros = 0
		}
		r.acc |= uint64(c) << (56 - r.n)
		r.n += 8
		r.bytes++
	}
}

// Fail records a failure, unless there was one before, and ends the payload. The texts
// complete a sentence: "num_ref_frames", "is out of range".
func (r *Reader) Fail(field, reason string) {
	if r.reason == "" {
		r.field, r.reason = field, reason
	}
	r.acc, r.n, r.pos = 0, 0, r.end
}

// Failed reports whether a read failed.
func (r *Reader) Failed() bool { return r.reason != "" }

// Err returns the first failure as an error of unit, nil if there was none.
func (r *Reader) Err(unit string) error {
	if r.reason == "" {
		return nil
	}
	return &SyntaxError{Unit: unit, Field: r.field, Reason: r.reason}
}

// U reads n bits, at most 32.
func (r *Reader) U(n int) uint32 {
	if n <= 0 {
		return 0
	}
	if r.n < n {
		r.fill()
		if r.n < n {
			r.Fail("a fixed-length field", reasonTruncated)
			return 0
		}
	}
	v := uint32(r.acc >> (64 - n))
	r.acc <<= n
	r.n -= n
	return v
}

// Flag reads one bit.
func (r *Reader) Flag() bool { return r.U(1) != 0 }

// Skip passes over n bits.
func (r *Reader) Skip(n int) {
	for ; n > 32 && r.reason == ""; n -= 32 {
		r.U(32)
	}
	r.U(min(n, 32))
}

// UE reads an unsigned exp-Golomb code, 2³²−2 at most.
func (r *Reader) UE() uint32 {
	zeros := 0
	for r.U(1) == 0 {
		zeros++
		if zeros > 31 || r.reason != "" {
			r.Fail("an exp-Golomb code", reasonGolomb)
			return 0
		}
	}
	v := 1<<zeros - 1 + r.U(zeros)
	if r.reason != "" {
		return 0
	}
	return v
}

// SE reads a signed exp-Golomb code.
func (r *Reader) SE() int32 {
	v := r.UE()
	if v&1 != 0 {
		return int32(v>>1 + 1)
	}
	return -int32(v >> 1)
}

// UEMax reads an unsigned exp-Golomb code that may be highest at most; field is its
// name.
func (r *Reader) UEMax(highest uint32, field string) uint32 {
	v := r.UE()
	if r.reason != "" {
		r.name(field)
		return 0
	}
	if v > highest {
		r.Fail(field, reasonRange)
		return 0
	}
	return v
}

// SERange reads a signed exp-Golomb code from low to high; field is its name.
func (r *Reader) SERange(low, high int32, field string) int32 {
	v := r.SE()
	if r.reason != "" {
		r.name(field)
		return 0
	}
	if v < low || v > high {
		r.Fail(field, reasonRange)
		return 0
	}
	return v
}

// name gives the failure that just happened the name of the field.
func (r *Reader) name(field string) {
	if r.field == "an exp-Golomb code" || r.field == "a fixed-length field" {
		r.field = field
	}
}

// Position returns how many bits of the payload were read, emulation prevention bytes
// not counted.
func (r *Reader) Position() int { return r.bytes*8 - r.n }

// Aligned reports whether the next bit begins a byte.
func (r *Reader) Aligned() bool { return r.n&7 == 0 }

// MoreData is more_rbsp_data(): there is something before the trailing bits.
func (r *Reader) MoreData() bool {
	if r.reason != "" || r.end == 0 {
		return false
	}
	r.fill()
	// Behind the bits at hand lies a byte that is not zero, or the last one bit at hand
	// is the stop bit.
	return r.pos < r.end || r.acc<<1 != 0
}
