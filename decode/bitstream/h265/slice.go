package h265

import "github.com/scanout-av/scanout/decode/bitstream"

// SliceType is slice_type.
type SliceType uint8

// Slice types.
// Source: table 7-7.
const (
	SliceB SliceType = iota
	SliceP
	SliceI
)

func (t SliceType) String() string {
	if t > SliceI {
		return "?"
	}
	return [...]string{"B", "P", "I"}[t]
}

// Weights are the explicit prediction weights of one reference index, as transmitted:
// luma, Cb, Cr. Weight is delta_luma_weight and delta_chroma_weight.
type Weights struct {
	LumaFlag, ChromaFlag bool
	Weight, Offset       [3]int16
}

// SliceHeader is a slice segment header; a dependent slice segment has the fields of
// the slice it belongs to.
// Source: 7.3.6.
type SliceHeader struct {
	NalUnitType NALType
	NuhLayerID  uint8
	TemporalID  uint8

	FirstSliceSegmentInPicFlag bool
	NoOutputOfPriorPicsFlag    bool
	SlicePicParameterSetID     uint8
	DependentSliceSegmentFlag  bool
	SliceSegmentAddress        uint32

	SliceType                 SliceType
	PicOutputFlag             bool
	ColourPlaneID             uint8
	SlicePicOrderCntLsb       uint32
	ShortTermRefPicSetSpsFlag bool
	ShortTermRefPicSetIdx     uint8
	ShortTermRefPicSet        ShortTermRefPicSet // the one in effect

	NumLongTermSps              uint8
	NumLongTermPics             uint8           // those of the slice header
	LongTerm                    [33]LongTermPic // both kinds
	SliceTemporalMvpEnabledFlag bool
	SliceSaoLumaFlag            bool
	SliceSaoChromaFlag          bool
	NumRefIdxActive             [2]uint8 // num_ref_idx_lX_active_minus1 + 1; 0 where there is no list
	RefPicListModificationFlag  [2]bool
	ListEntry                   [2][16]uint8
	MvdL1ZeroFlag               bool
	CabacInitFlag               bool
	CollocatedFromL0Flag        bool
	CollocatedRefIdx            uint8

	LumaLog2WeightDenom   uint8
	ChromaLog2WeightDenom uint8
	PredWeights           [2][16]Weights

	FiveMinusMaxNumMergeCand               uint8
	SliceQpDelta                           int8
	SliceCbQpOffset                        int8
	SliceCrQpOffset                        int8
	CuChromaQpOffsetEnabledFlag            bool
	SliceDeblockingFilterDisabledFlag      bool
	SliceBetaOffsetDiv2                    int8
	SliceTcOffsetDiv2                      int8
	SliceLoopFilterAcrossSlicesEnabledFlag bool
	NumEntryPointOffsets                   uint32

	// HeaderBits is how many bits of the payload, emulation prevention bytes not
	// counted, the header takes behind the NAL unit's two bytes.
	HeaderBits int
}

// LongTermPic is an entry of the long-term reference picture set of a slice.
type LongTermPic struct {
	PocLsbLt               uint32
	UsedByCurrPicLt        bool
	DeltaPocMsbPresentFlag bool
	DeltaPocMsbCycleLt     int64 // accumulated, (7-52)
}

// Intra reports whether the slice refers to no other picture.
func (h *SliceHeader) Intra() bool { return h.SliceType == SliceI }

// NumLongTerm is how many entries of LongTerm there are.
func (h *SliceHeader) NumLongTerm() int { return int(h.NumLongTermSps + h.NumLongTermPics) }

// NumPicTotalCurr is how many pictures the current one may refer to (7-55).
func (h *SliceHeader) NumPicTotalCurr() (n int) {
	s := &h.ShortTermRefPicSet
	for i := range s.NumNegativePics {
		n += int(s.UsedByCurrPicS0 >> i & 1)
	}
	for i := range s.NumPositivePics {
		n += int(s.UsedByCurrPicS1 >> i & 1)
	}
	for i := range h.NumLongTerm() {
		if h.LongTerm[i].UsedByCurrPicLt {
			n++
		}
	}
	return n
}

const sliceUnit = "H.265 slice segment header"

// Parse parses the header of a slice segment into h; nal begins with the NAL unit's
// header and pps and sps return parameter sets by id, or nil. A dependent slice segment
// keeps of h what it holds of the segment before. It does not allocate.
// Errors: bitstream.SyntaxError, bitstream.UnsupportedError; h is not usable then.
func (h *SliceHeader) Parse(nal []byte, pps func(id uint8) *PPS, sps func(id uint8) *SPS) error {
	if len(nal) < 3 {
		return &bitstream.SyntaxError{Unit: sliceUnit, Reason: "is empty"}
	}
	var r bitstream.Reader
	r.Reset(nal[2:])
	h.NalUnitType = NALType(nal[0] >> 1 & 63)
	h.NuhLayerID = nal[0]&1<<5 | nal[1]>>3
	h.TemporalID = nal[1]&7 - 1
	if nal[1]&7 == 0 {
		r.Fail("nuh_temporal_id_plus1", "is 0")
	}
	h.FirstSliceSegmentInPicFlag = r.Flag()
	h.NoOutputOfPriorPicsFlag = h.NalUnitType.IRAP() && r.Flag()
	h.SlicePicParameterSetID = uint8(r.UEMax(63, "slice_pic_parameter_set_id"))
	if r.Failed() {
		return r.Err(sliceUnit)
	}
	p := pps(h.SlicePicParameterSetID)
	if p == nil {
		return errNoPPS
	}
	s := sps(p.PpsSeqParameterSetID)
	switch {
	case s == nil:
		return errNoSPS
	case s.SpsSccExtensionFlag || p.PpsSccExtensionFlag:
		return errScreen
	case s.SeparateColourPlaneFlag:
		return errPlanes
	case !p.fits(s):
		return errTiles
	}
	h.DependentSliceSegmentFlag, h.SliceSegmentAddress = false, 0
	if !h.FirstSliceSegmentInPicFlag {
		ctbs := s.PicWidthInCtbs() * s.PicHeightInCtbs()
		h.DependentSliceSegmentFlag = p.DependentSliceSegmentsEnabledFlag && r.Flag()
		h.SliceSegmentAddress = r.U(ceilLog2(ctbs))
		if int(h.SliceSegmentAddress) >= ctbs {
			r.Fail("slice_segment_address", "lies outside of the picture")
		} else if h.SliceSegmentAddress == 0 {
			r.Fail("slice_segment_address", "is 0 in a segment that is not the first")
		}
	}
	if !h.DependentSliceSegmentFlag {
		h.parseIndependent(&r, p, s)
	}
	h.NumEntryPointOffsets = 0
	if p.TilesEnabledFlag || p.EntropyCodingSyncEnabledFlag {
		h.parseEntryPoints(&r, p, s)
	}
	if p.SliceSegmentHeaderExtensionPresent {
		r.Skip(8 * int(r.UEMax(256, "slice_segment_header_extension_length")))
	}
	if !r.Failed() && !r.Flag() { // byte_alignment()
		r.Fail("alignment_bit_equal_to_one", "is 0")
	}
	for !r.Aligned() && !r.Failed() {
		r.Flag()
	}
	h.HeaderBits = r.Position()
	return r.Err(sliceUnit)
}

func (h *SliceHeader) parseIndependent(r *bitstream.Reader, p *PPS, s *SPS) {
	r.U(int(p.NumExtraSliceHeaderBits))
	h.SliceType = SliceType(r.UEMax(2, "slice_type"))
	h.PicOutputFlag = !p.OutputFlagPresentFlag || r.Flag()
	h.ColourPlaneID = 0
	if s.SeparateColourPlaneFlag {
		h.ColourPlaneID = uint8(r.U(2))
	}
	h.SlicePicOrderCntLsb, h.ShortTermRefPicSetSpsFlag, h.ShortTermRefPicSetIdx = 0, false, 0
	h.NumLongTermSps, h.NumLongTermPics, h.SliceTemporalMvpEnabledFlag = 0, 0, false
	if h.NalUnitType.IDR() {
		h.ShortTermRefPicSet = ShortTermRefPicSet{}
	} else {
		h.SlicePicOrderCntLsb = r.U(int(s.Log2MaxPicOrderCntLsbMinus4) + 4)
		h.parseSets(r, s)
		h.SliceTemporalMvpEnabledFlag = s.SpsTemporalMvpEnabledFlag && r.Flag()
	}
	h.SliceSaoLumaFlag, h.SliceSaoChromaFlag = false, false
	if s.SampleAdaptiveOffsetEnabledFlag {
		h.SliceSaoLumaFlag = r.Flag()
		h.SliceSaoChromaFlag = s.ChromaArrayType() != 0 && r.Flag()
	}
	h.parseReferences(r, p, s)
	h.SliceQpDelta = int8(r.SERange(-(51 + 48), 51+48, "slice_qp_delta"))
	h.SliceCbQpOffset, h.SliceCrQpOffset = 0, 0
	if p.PpsSliceChromaQpOffsetsPresent {
		h.SliceCbQpOffset = int8(r.SERange(-12, 12, "slice_cb_qp_offset"))
		h.SliceCrQpOffset = int8(r.SERange(-12, 12, "slice_cr_qp_offset"))
	}
	h.CuChromaQpOffsetEnabledFlag = p.ChromaQpOffsetListEnabledFlag && r.Flag()
	override := p.DeblockingFilterOverrideEnabledFlag && r.Flag()
	h.SliceDeblockingFilterDisabledFlag = p.PpsDeblockingFilterDisabledFlag
	h.SliceBetaOffsetDiv2, h.SliceTcOffsetDiv2 = p.PpsBetaOffsetDiv2, p.PpsTcOffsetDiv2
	if override {
		if h.SliceDeblockingFilterDisabledFlag = r.Flag(); !h.SliceDeblockingFilterDisabledFlag {
			h.SliceBetaOffsetDiv2 = int8(r.SERange(-6, 6, "slice_beta_offset_div2"))
			h.SliceTcOffsetDiv2 = int8(r.SERange(-6, 6, "slice_tc_offset_div2"))
		}
	}
	h.SliceLoopFilterAcrossSlicesEnabledFlag = p.LoopFilterAcrossSlicesEnabled
	if p.LoopFilterAcrossSlicesEnabled && (h.SliceSaoLumaFlag || h.SliceSaoChromaFlag || !h.SliceDeblockingFilterDisabledFlag) {
		h.SliceLoopFilterAcrossSlicesEnabledFlag = r.Flag()
	}
}

// parseSets reads the short-term and the long-term reference picture set.
func (h *SliceHeader) parseSets(r *bitstream.Reader, s *SPS) {
	n := int(s.NumShortTermRefPicSets)
	most := s.MaxDecPicBuffering() - 1
	if h.ShortTermRefPicSetSpsFlag = r.Flag(); !h.ShortTermRefPicSetSpsFlag {
		h.ShortTermRefPicSet.parse(r, s.ShortTermRefPicSets[:n], n, most, true)
	} else {
		if n > 1 {
			h.ShortTermRefPicSetIdx = uint8(r.U(ceilLog2(n)))
		}
		if int(h.ShortTermRefPicSetIdx) >= n {
			r.Fail("short_term_ref_pic_set_idx", "names a set that the SPS lacks")
			return
		}
		h.ShortTermRefPicSet = s.ShortTermRefPicSets[h.ShortTermRefPicSetIdx]
	}
	if !s.LongTermRefPicsPresentFlag {
		return
	}
	most -= h.ShortTermRefPicSet.NumDeltaPocs()
	if s.NumLongTermRefPicsSps > 0 {
		h.NumLongTermSps = uint8(r.UEMax(uint32(min(int(s.NumLongTermRefPicsSps), most)), "num_long_term_sps"))
	}
	h.NumLongTermPics = uint8(r.UEMax(uint32(most)-uint32(h.NumLongTermSps), "num_long_term_pics"))
	if r.Failed() {
		h.NumLongTermSps, h.NumLongTermPics = 0, 0
		return
	}
	for i := range h.NumLongTerm() {
		l := &h.LongTerm[i]
		*l = LongTermPic{}
		if i < int(h.NumLongTermSps) {
			idx := uint32(0)
			if s.NumLongTermRefPicsSps > 1 {
				idx = r.U(ceilLog2(int(s.NumLongTermRefPicsSps)))
			}
			if idx >= uint32(s.NumLongTermRefPicsSps) {
				r.Fail("lt_idx_sps", "is out of range")
				return
			}
			l.PocLsbLt = s.LtRefPicPocLsbSps[idx]
			l.UsedByCurrPicLt = s.UsedByCurrPicLtSpsFlag>>idx&1 != 0
		} else {
			l.PocLsbLt = r.U(int(s.Log2MaxPicOrderCntLsbMinus4) + 4)
			l.UsedByCurrPicLt = r.Flag()
		}
		if l.DeltaPocMsbPresentFlag = r.Flag(); l.DeltaPocMsbPresentFlag {
			l.DeltaPocMsbCycleLt = int64(r.UE())
		}
		if i > 0 && i != int(h.NumLongTermSps) {
			l.DeltaPocMsbCycleLt += h.LongTerm[i-1].DeltaPocMsbCycleLt
		}
	}
}

// parseReferences reads what P and B slices say of their references.
func (h *SliceHeader) parseReferences(r *bitstream.Reader, p *PPS, s *SPS) {
	h.NumRefIdxActive, h.RefPicListModificationFlag = [2]uint8{}, [2]bool{}
	h.MvdL1ZeroFlag, h.CabacInitFlag, h.CollocatedFromL0Flag, h.CollocatedRefIdx = false, false, true, 0
	h.FiveMinusMaxNumMergeCand = 0
	if h.Intra() {
		return
	}
	b := h.SliceType == SliceB
	h.NumRefIdxActive[0] = p.NumRefIdxL0DefaultActiveMinus1 + 1
	if b {
		h.NumRefIdxActive[1] = p.NumRefIdxL1DefaultActiveMinus1 + 1
	}
	if r.Flag() { // num_ref_idx_active_override_flag
		h.NumRefIdxActive[0] = uint8(r.UEMax(14, "num_ref_idx_l0_active_minus1")) + 1
		if b {
			h.NumRefIdxActive[1] = uint8(r.UEMax(14, "num_ref_idx_l1_active_minus1")) + 1
		}
	}
	total := h.NumPicTotalCurr()
	if total == 0 {
		r.Fail("slice_type", "is not I though there is no reference picture")
		return
	}
	if p.ListsModificationPresentFlag && total > 1 {
		bits := ceilLog2(total)
		for l, n := range h.NumRefIdxActive {
			if n == 0 {
				continue
			}
			if h.RefPicListModificationFlag[l] = r.Flag(); !h.RefPicListModificationFlag[l] {
				continue
			}
			for i := range n {
				e := r.U(bits)
				if int(e) >= total {
					r.Fail("list_entry", "is out of range")
					return
				}
				h.ListEntry[l][i] = uint8(e)
			}
		}
	}
	h.MvdL1ZeroFlag = b && r.Flag()
	h.CabacInitFlag = p.CabacInitPresentFlag && r.Flag()
	if h.SliceTemporalMvpEnabledFlag {
		h.CollocatedFromL0Flag = !b || r.Flag()
		n := h.NumRefIdxActive[1]
		if h.CollocatedFromL0Flag {
			n = h.NumRefIdxActive[0]
		}
		if n > 1 {
			h.CollocatedRefIdx = uint8(r.UEMax(uint32(n)-1, "collocated_ref_idx"))
		}
	}
	if p.WeightedPredFlag && !b || p.WeightedBipredFlag && b {
		h.parseWeights(r, s)
	}
	h.FiveMinusMaxNumMergeCand = uint8(r.UEMax(4, "five_minus_max_num_merge_cand"))
}

func (h *SliceHeader) parseWeights(r *bitstream.Reader, s *SPS) {
	h.LumaLog2WeightDenom, h.ChromaLog2WeightDenom = uint8(r.UEMax(7, "luma_log2_weight_denom")), 0
	chroma := s.ChromaArrayType() != 0
	if chroma {
		d := int32(h.LumaLog2WeightDenom)
		h.ChromaLog2WeightDenom = uint8(d + r.SERange(-d, 7-d, "delta_chroma_log2_weight_denom"))
	}
	// WpOffsetHalfRange, (7-31) and (7-32).
	luma, chromaHalf := int32(128), int32(128)
	if s.HighPrecisionOffsetsEnabledFlag {
		luma, chromaHalf = 1<<(s.BitDepthLumaMinus8+7), 1<<(s.BitDepthChromaMinus8+7)
	}
	for l, n := range h.NumRefIdxActive {
		w := h.PredWeights[l][:n]
		for i := range w {
			w[i] = Weights{LumaFlag: r.Flag()}
		}
		if chroma {
			for i := range w {
				w[i].ChromaFlag = r.Flag()
			}
		}
		for i := range w {
			if w[i].LumaFlag {
				w[i].Weight[0] = int16(r.SERange(-128, 127, "delta_luma_weight"))
				w[i].Offset[0] = int16(r.SERange(-luma, luma-1, "luma_offset"))
			}
			if w[i].ChromaFlag {
				for c := 1; c < 3; c++ {
					w[i].Weight[c] = int16(r.SERange(-128, 127, "delta_chroma_weight"))
					w[i].Offset[c] = int16(clamp16(r.SERange(-4*chromaHalf, 4*chromaHalf-1, "delta_chroma_offset")))
				}
			}
		}
	}
}

func clamp16(v int32) int32 { return min(max(v, -1<<15), 1<<15-1) }

func (h *SliceHeader) parseEntryPoints(r *bitstream.Reader, p *PPS, s *SPS) {
	rows, cols, tiles := s.PicHeightInCtbs(), int(p.NumTileColumnsMinus1)+1, int(p.NumTileRowsMinus1)+1
	most := cols*tiles - 1
	if p.EntropyCodingSyncEnabledFlag {
		most = cols*rows - 1
	}
	h.NumEntryPointOffsets = r.UEMax(uint32(most), "num_entry_point_offsets")
	if h.NumEntryPointOffsets > 0 {
		size := int(r.UEMax(31, "offset_len_minus1")) + 1
		r.Skip(size * int(h.NumEntryPointOffsets))
	}
}
