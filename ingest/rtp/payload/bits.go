package payload

// bits reads a bit string, most significant bit first. Reading beyond its end gives zeros
// and sets bad.
type bits struct {
	b   []byte
	n   int // length
	at  int
	bad bool
}

// read returns the next n ≤ 32 bits.
func (r *bits) read(n int) uint32 {
	if n < 0 || n > 32 || n > r.n-r.at {
		r.bad = true
		r.at = r.n
		return 0
	}
	var v uint32
	for ; n > 0; n-- {
		v = v<<1 | uint32(r.b[r.at>>3]>>(7-r.at&7)&1)
		r.at++
	}
	return v
}

func (r *bits) flag() bool { return r.read(1) == 1 }

func (r *bits) skip(n int) {
	if n < 0 || n > r.n-r.at {
		r.bad, r.at = true, r.n
		return
	}
	r.at += n
}

// ue and se read Exp-Golomb codes. Source: ITU-T H.264, 9.1.
func (r *bits) ue() uint32 {
	zeros := 0
	for !r.bad && !r.flag() {
		if zeros++; zeros > 31 {
			r.bad = true
		}
	}
	if r.bad {
		return 0
	}
	return 1<<zeros - 1 + r.read(zeros)
}

func (r *bits) se() int32 {
	v := r.ue()
	if v&1 == 1 {
		return int32(v/2 + 1)
	}
	return -int32(v / 2)
}
