package h264

import (
	"github.com/scanout-av/scanout/decode/bitstream"
)

// SliceType is slice_type modulo 5.
type SliceType uint8

// Slice types.
// Source: table 7-6.
const (
	SliceP SliceType = iota
	SliceB
	SliceI
	SliceSP
	SliceSI
)

func (t SliceType) String() string {
	if t > SliceSI {
		return "?"
	}
	return [...]string{"P", "B", "I", "SP", "SI"}[t]
}

// ListModification is one command of ref_pic_list_modification().
type ListModification struct {
	ModificationOfPicNumsIdc uint8  // 0 to 2; 3 ends the list and is not kept
	Value                    uint32 // abs_diff_pic_num_minus1 or long_term_pic_num
}

// MMCO is a memory management control operation.
type MMCO struct {
	Op                        uint8  // 1 to 6; 0 ends the list and is not kept
	DifferenceOfPicNumsMinus1 uint32 // 1, 3
	LongTermPicNum            uint32 // 2
	LongTermFrameIdx          uint32 // 3, 6
	MaxLongTermFrameIdxPlus1  uint32 // 4
}

// Weights are the explicit prediction weights of one reference index: luma, Cb, Cr.
type Weights struct {
	Weight, Offset [3]int16
}

// SliceHeader is a slice header.
// Source: 7.3.3.
type SliceHeader struct {
	NalRefIdc, NalUnitType uint8
	IdrPicFlag             bool

	FirstMbInSlice         uint32
	SliceType              SliceType
	PicParameterSetID      uint8
	ColourPlaneID          uint8
	FrameNum               uint32
	FieldPicFlag           bool
	BottomFieldFlag        bool
	IdrPicID               uint32
	PicOrderCntLsb         uint32
	DeltaPicOrderCntBottom int32
	DeltaPicOrderCnt       [2]int32
	RedundantPicCnt        uint8

	DirectSpatialMvPredFlag bool
	NumRefIdxActive         [2]uint8 // num_ref_idx_lX_active_minus1 + 1; 0 where there is no list

	NumModifications [2]uint8
	Modifications    [2][66]ListModification

	LumaLog2WeightDenom   uint8
	ChromaLog2WeightDenom uint8
	PredWeights           [2][32]Weights // valid if WeightedPrediction

	NoOutputOfPriorPicsFlag       bool
	LongTermReferenceFlag         bool
	AdaptiveRefPicMarkingModeFlag bool
	NumMMCO                       uint8
	MMCO                          [66]MMCO

	CabacInitIdc               uint8
	SliceQpDelta               int32
	DisableDeblockingFilterIdc uint8
	SliceAlphaC0OffsetDiv2     int8
	SliceBetaOffsetDiv2        int8

	// HeaderBits is how many bits of the payload, emulation prevention bytes not
	// counted, the header takes behind the NAL unit's first byte.
	HeaderBits int
}

// Intra reports whether the slice refers to no other picture.
func (h *SliceHeader) Intra() bool { return h.SliceType == SliceI || h.SliceType == SliceSI }

const sliceUnit = "H.264 slice header"

// Parse parses the header of a slice into h; nal begins with the NAL unit's
// header and pps and sps return parameter sets by id, or nil. It does not allocate.
// Errors: bitstream.SyntaxError; h is not usable then.
func (h *SliceHeader) Parse(nal []byte, pps func(id uint8) *PPS, sps func(id uint8) *SPS) error {
	if len(nal) == 0 {
		return &bitstream.SyntaxError{Unit: sliceUnit, Reason: "is empty"}
	}
	var r bitstream.Reader
	r.Reset(nal[1:])
	h.start(nal[0], &r)
	p := pps(h.PicParameterSetID)
	if r.Failed() {
		return r.Err(sliceUnit)
	}
	if p == nil {
		return errNoPPS
	}
	s := sps(p.SeqParameterSetID)
	if s == nil {
		return errNoSPS
	}
	h.parse(&r, p, s)
	return r.Err(sliceUnit)
}

// start reads what comes before anything depends on parameter sets.
func (h *SliceHeader) start(header byte, r *bitstream.Reader) {
	h.NalRefIdc, h.NalUnitType = header>>5&3, header&31
	h.IdrPicFlag = h.NalUnitType == NALIDR
	h.FirstMbInSlice = r.UEMax(maxMbs*maxMbs-1, "first_mb_in_slice")
	h.SliceType = SliceType(r.UEMax(9, "slice_type") % 5)
	h.PicParameterSetID = uint8(r.UEMax(255, "pic_parameter_set_id"))
}

func (h *SliceHeader) parse(r *bitstream.Reader, p *PPS, s *SPS) {
	h.ColourPlaneID = 0
	if s.SeparateColourPlaneFlag {
		h.ColourPlaneID = uint8(r.U(2))
	}
	h.FrameNum = r.U(int(s.Log2MaxFrameNumMinus4) + 4)
	h.FieldPicFlag, h.BottomFieldFlag = false, false
	if !s.FrameMbsOnlyFlag {
		if h.FieldPicFlag = r.Flag(); h.FieldPicFlag {
			h.BottomFieldFlag = r.Flag()
		}
	}
	h.IdrPicID = 0
	if h.IdrPicFlag {
		h.IdrPicID = r.UEMax(65535, "idr_pic_id")
	}
	h.PicOrderCntLsb, h.DeltaPicOrderCntBottom, h.DeltaPicOrderCnt = 0, 0, [2]int32{}
	switch s.PicOrderCntType {
	case 0:
		h.PicOrderCntLsb = r.U(int(s.Log2MaxPicOrderCntLsbMinus4) + 4)
		if p.BottomFieldPicOrderInFramePresentFlag && !h.FieldPicFlag {
			h.DeltaPicOrderCntBottom = r.SE()
		}
	case 1:
		if !s.DeltaPicOrderAlwaysZeroFlag {
			h.DeltaPicOrderCnt[0] = r.SE()
			if p.BottomFieldPicOrderInFramePresentFlag && !h.FieldPicFlag {
				h.DeltaPicOrderCnt[1] = r.SE()
			}
		}
	}
	h.RedundantPicCnt = 0
	if p.RedundantPicCntPresentFlag {
		h.RedundantPicCnt = uint8(r.UEMax(127, "redundant_pic_cnt"))
	}
	h.DirectSpatialMvPredFlag = h.SliceType == SliceB && r.Flag()
	h.parseNumRefIdx(r, p)
	h.parseModifications(r)
	if p.WeightedPredFlag && (h.SliceType == SliceP || h.SliceType == SliceSP) ||
		p.WeightedBipredIdc == 1 && h.SliceType == SliceB {
		h.parseWeights(r, s)
	}
	h.NoOutputOfPriorPicsFlag, h.LongTermReferenceFlag, h.AdaptiveRefPicMarkingModeFlag, h.NumMMCO = false, false, false, 0
	if h.NalRefIdc != 0 {
		h.parseMarking(r)
	}
	h.CabacInitIdc = 0
	if p.EntropyCodingModeFlag && !h.Intra() {
		h.CabacInitIdc = uint8(r.UEMax(2, "cabac_init_idc"))
	}
	h.SliceQpDelta = r.SERange(-87, 87, "slice_qp_delta")
	if h.SliceType == SliceSP || h.SliceType == SliceSI {
		if h.SliceType == SliceSP {
			r.Flag()
		}
		r.SERange(-51, 51, "slice_qs_delta")
	}
	h.DisableDeblockingFilterIdc, h.SliceAlphaC0OffsetDiv2, h.SliceBetaOffsetDiv2 = 0, 0, 0
	if p.DeblockingFilterControlPresentFlag {
		h.DisableDeblockingFilterIdc = uint8(r.UEMax(2, "disable_deblocking_filter_idc"))
		if h.DisableDeblockingFilterIdc != 1 {
			h.SliceAlphaC0OffsetDiv2 = int8(r.SERange(-6, 6, "slice_alpha_c0_offset_div2"))
			h.SliceBetaOffsetDiv2 = int8(r.SERange(-6, 6, "slice_beta_offset_div2"))
		}
	}
	if t := p.SliceGroupMapType; p.NumSliceGroupsMinus1 > 0 && t >= 3 && t <= 5 {
		// slice_group_change_cycle: Ceil(Log2(PicSizeInMapUnits ÷ SliceGroupChangeRate + 1)) bits
		units := uint64(s.PicWidthInMbsMinus1+1) * uint64(s.PicHeightInMapUnitsMinus1+1)
		rate := uint64(p.SliceGroupChangeRateMinus1) + 1
		n, bits := (units+rate-1)/rate, 0
		for n+1 > 1<<bits {
			bits++
		}
		r.U(bits)
	}
	// The header is followed by the slice's data, one bit of it at least.
	h.HeaderBits = r.Position()
	// first_mb_in_slice counts macroblock pairs in an MBAFF frame.
	mbs := (s.PicWidthInMbsMinus1 + 1) * (s.PicHeightInMapUnitsMinus1 + 1) * uint32(s.fieldFactor())
	if h.FieldPicFlag || s.MbAdaptiveFrameFieldFlag {
		mbs /= 2
	}
	if h.FirstMbInSlice >= mbs {
		r.Fail("first_mb_in_slice", "lies outside of the picture")
	}
	if h.IdrPicFlag && !h.Intra() {
		r.Fail("slice_type", "is not I in an IDR picture")
	}
}

func (h *SliceHeader) parseNumRefIdx(r *bitstream.Reader, p *PPS) {
	h.NumRefIdxActive = [2]uint8{}
	if h.Intra() {
		return
	}
	h.NumRefIdxActive[0] = p.NumRefIdxL0DefaultActiveMinus1 + 1
	if h.SliceType == SliceB {
		h.NumRefIdxActive[1] = p.NumRefIdxL1DefaultActiveMinus1 + 1
	}
	if r.Flag() { // num_ref_idx_active_override_flag
		h.NumRefIdxActive[0] = uint8(r.UEMax(31, "num_ref_idx_l0_active_minus1")) + 1
		if h.SliceType == SliceB {
			h.NumRefIdxActive[1] = uint8(r.UEMax(31, "num_ref_idx_l1_active_minus1")) + 1
		}
	}
	most := uint8(16)
	if h.FieldPicFlag {
		most = 32
	}
	if h.NumRefIdxActive[0] > most || h.NumRefIdxActive[1] > most {
		r.Fail("num_ref_idx_active", "exceeds 16 in a frame")
	}
}

func (h *SliceHeader) parseModifications(r *bitstream.Reader) {
	h.NumModifications = [2]uint8{}
	lists := 0
	switch {
	case h.SliceType == SliceB:
		lists = 2
	case !h.Intra():
		lists = 1
	}
	for l := range lists {
		if !r.Flag() { // ref_pic_list_modification_flag_lX
			continue
		}
		for {
			idc := r.UEMax(3, "modification_of_pic_nums_idc")
			if r.Failed() || idc == 3 {
				break
			}
			n := h.NumModifications[l]
			if int(n) == len(h.Modifications[l]) {
				r.Fail("ref_pic_list_modification", "has too many commands")
				break
			}
			h.Modifications[l][n] = ListModification{uint8(idc), r.UE()}
			h.NumModifications[l]++
		}
	}
}

func (h *SliceHeader) parseWeights(r *bitstream.Reader, s *SPS) {
	h.LumaLog2WeightDenom = uint8(r.UEMax(7, "luma_log2_weight_denom"))
	h.ChromaLog2WeightDenom = 0
	chroma := s.ChromaArrayType() != 0
	if chroma {
		h.ChromaLog2WeightDenom = uint8(r.UEMax(7, "chroma_log2_weight_denom"))
	}
	luma1, chroma1 := int16(1)<<h.LumaLog2WeightDenom, int16(1)<<h.ChromaLog2WeightDenom
	for l := range h.NumRefIdxActive {
		for i := range h.NumRefIdxActive[l] {
			w := &h.PredWeights[l][i]
			*w = Weights{Weight: [3]int16{luma1, chroma1, chroma1}}
			if r.Flag() {
				w.Weight[0] = int16(r.SERange(-128, 127, "luma_weight"))
				w.Offset[0] = int16(r.SERange(-128, 127, "luma_offset"))
			}
			if chroma && r.Flag() {
				for c := 1; c < 3; c++ {
					w.Weight[c] = int16(r.SERange(-128, 127, "chroma_weight"))
					w.Offset[c] = int16(r.SERange(-128, 127, "chroma_offset"))
				}
			}
		}
	}
}

// parseMarking is dec_ref_pic_marking() (7.3.3.3).
func (h *SliceHeader) parseMarking(r *bitstream.Reader) {
	if h.IdrPicFlag {
		h.NoOutputOfPriorPicsFlag = r.Flag()
		h.LongTermReferenceFlag = r.Flag()
		return
	}
	if h.AdaptiveRefPicMarkingModeFlag = r.Flag(); !h.AdaptiveRefPicMarkingModeFlag {
		return
	}
	for {
		m := MMCO{Op: uint8(r.UEMax(6, "memory_management_control_operation"))}
		if r.Failed() || m.Op == 0 {
			return
		}
		switch m.Op {
		case 1:
			m.DifferenceOfPicNumsMinus1 = r.UE()
		case 2:
			m.LongTermPicNum = r.UE()
		case 3:
			m.DifferenceOfPicNumsMinus1 = r.UE()
			m.LongTermFrameIdx = r.UEMax(15, "long_term_frame_idx")
		case 4:
			m.MaxLongTermFrameIdxPlus1 = r.UEMax(16, "max_long_term_frame_idx_plus1")
		case 6:
			m.LongTermFrameIdx = r.UEMax(15, "long_term_frame_idx")
		}
		if int(h.NumMMCO) == len(h.MMCO) {
			r.Fail("dec_ref_pic_marking", "has too many operations")
			return
		}
		h.MMCO[h.NumMMCO] = m
		h.NumMMCO++
	}
}

// hasMMCO5 reports whether the slice resets picture order and frame numbers.
func (h *SliceHeader) hasMMCO5() bool {
	for i := range h.NumMMCO {
		if h.MMCO[i].Op == 5 {
			return true
		}
	}
	return false
}

// startsPicture reports whether h belongs to another primary coded picture than the
// slice prev before it. A pic_parameter_set_id that differs is no reason here: two
// pictures always differ in something else, and streams exist whose slices of one picture
// use several parameter sets.
// Source: 7.4.1.2.4.
func (h *SliceHeader) startsPicture(prev *SliceHeader) bool {
	return h.FrameNum != prev.FrameNum ||
		h.FieldPicFlag != prev.FieldPicFlag || h.BottomFieldFlag != prev.BottomFieldFlag ||
		(h.NalRefIdc == 0) != (prev.NalRefIdc == 0) ||
		h.PicOrderCntLsb != prev.PicOrderCntLsb || h.DeltaPicOrderCntBottom != prev.DeltaPicOrderCntBottom ||
		h.DeltaPicOrderCnt != prev.DeltaPicOrderCnt ||
		h.IdrPicFlag != prev.IdrPicFlag || h.IdrPicID != prev.IdrPicID
}
