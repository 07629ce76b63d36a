package h265

import "github.com/scanout-av/scanout/decode/bitstream"

// ShortTermRefPicSet is st_ref_pic_set(), as transmitted and as derived.
// Source: 7.3.7, 7.4.8.
type ShortTermRefPicSet struct {
	InterRefPicSetPredictionFlag bool
	DeltaIdxMinus1               uint8
	DeltaRpsSign                 bool
	AbsDeltaRpsMinus1            uint16
	UsedByCurrPicFlag            uint32 // bit j; with inter prediction only
	UseDeltaFlag                 uint32

	// Derived, with and without prediction.
	NumNegativePics, NumPositivePics uint8
	DeltaPocS0, DeltaPocS1           [16]int32
	UsedByCurrPicS0, UsedByCurrPicS1 uint16 // bit i

	// RefNumDeltaPocs is NumDeltaPocs of the set that this one was predicted from, 0
	// without prediction.
	RefNumDeltaPocs uint8
	// Bits is the length of the structure.
	Bits uint16
}

// NumDeltaPocs is how many pictures the set names.
func (s *ShortTermRefPicSet) NumDeltaPocs() int { return int(s.NumNegativePics + s.NumPositivePics) }

// parse reads set idx of those that sets begins with; idx = len(sets) is that of a slice
// header. most is how many pictures there may be.
func (s *ShortTermRefPicSet) parse(r *bitstream.Reader, sets []ShortTermRefPicSet, idx, most int, inSlice bool) {
	begin := r.Position()
	*s = ShortTermRefPicSet{}
	if idx > 0 {
		s.InterRefPicSetPredictionFlag = r.Flag()
	}
	if s.InterRefPicSetPredictionFlag {
		s.parsePredicted(r, sets, idx, most, inSlice)
	} else {
		s.NumNegativePics = uint8(r.UEMax(uint32(most), "num_negative_pics"))
		s.NumPositivePics = uint8(r.UEMax(uint32(most)-uint32(s.NumNegativePics), "num_positive_pics"))
		var poc int32
		for i := range s.NumNegativePics {
			poc -= int32(r.UEMax(1<<15-1, "delta_poc_s0_minus1")) + 1
			s.DeltaPocS0[i] = poc
			s.UsedByCurrPicS0 |= uint16(r.U(1)) << i
		}
		poc = 0
		for i := range s.NumPositivePics {
			poc += int32(r.UEMax(1<<15-1, "delta_poc_s1_minus1")) + 1
			s.DeltaPocS1[i] = poc
			s.UsedByCurrPicS1 |= uint16(r.U(1)) << i
		}
	}
	if r.Failed() {
		s.NumNegativePics, s.NumPositivePics = 0, 0
	}
	s.Bits = uint16(r.Position() - begin)
}

// parsePredicted derives a set from another one (7-61, 7-62).
func (s *ShortTermRefPicSet) parsePredicted(r *bitstream.Reader, sets []ShortTermRefPicSet, idx, most int, inSlice bool) {
	if inSlice {
		s.DeltaIdxMinus1 = uint8(r.UEMax(uint32(idx)-1, "delta_idx_minus1"))
	}
	s.DeltaRpsSign = r.Flag()
	s.AbsDeltaRpsMinus1 = uint16(r.UEMax(1<<15-1, "abs_delta_rps_minus1"))
	if r.Failed() {
		return
	}
	delta := int32(s.AbsDeltaRpsMinus1) + 1
	if s.DeltaRpsSign {
		delta = -delta
	}
	ref := &sets[idx-1-int(s.DeltaIdxMinus1)]
	n := ref.NumDeltaPocs()
	s.RefNumDeltaPocs = uint8(n)
	for j := range n + 1 {
		if r.Flag() {
			s.UsedByCurrPicFlag |= 1 << j
			s.UseDeltaFlag |= 1 << j
		} else {
			s.UseDeltaFlag |= r.U(1) << j
		}
	}
	neg, pos := int(ref.NumNegativePics), int(ref.NumPositivePics)
	var n0, n1 int
	add := func(negative bool, poc int32, j int) {
		if s.UseDeltaFlag>>j&1 == 0 || negative && poc >= 0 || !negative && poc <= 0 {
			return
		}
		if n0+n1 >= most {
			r.Fail("short-term reference picture set", "names more pictures than the DPB holds")
			return
		}
		used := uint16(s.UsedByCurrPicFlag >> j & 1)
		if negative {
			s.DeltaPocS0[n0] = poc
			s.UsedByCurrPicS0 |= used << n0
			n0++
		} else {
			s.DeltaPocS1[n1] = poc
			s.UsedByCurrPicS1 |= used << n1
			n1++
		}
	}
	for i := pos - 1; i >= 0; i-- {
		add(true, ref.DeltaPocS1[i]+delta, neg+i)
	}
	add(true, delta, n)
	for i := range neg {
		add(true, ref.DeltaPocS0[i]+delta, i)
	}
	for i := neg - 1; i >= 0; i-- {
		add(false, ref.DeltaPocS0[i]+delta, i)
	}
	add(false, delta, n)
	for i := range pos {
		add(false, ref.DeltaPocS1[i]+delta, neg+i)
	}
	s.NumNegativePics, s.NumPositivePics = uint8(n0), uint8(n1)
}
