package h264

import (
	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/media"
)

// NAL unit types.
// Source: table 7-1.
const (
	NALSlice           = 1
	NALPartitionA      = 2
	NALPartitionB      = 3
	NALPartitionC      = 4
	NALIDR             = 5
	NALSEI             = 6
	NALSPS             = 7
	NALPPS             = 8
	NALAUD             = 9
	NALEndOfSequence   = 10
	NALEndOfStream     = 11
	NALFiller          = 12
	NALSPSExtension    = 13
	NALPrefix          = 14
	NALSubsetSPS       = 15
	NALAuxiliarySlice  = 19
	NALSliceExtension  = 20
	NALSliceExtension3 = 21
)

// Profiles, profile_idc.
const (
	ProfileBaseline = 66
	ProfileMain     = 77
	ProfileExtended = 88
	ProfileHigh     = 100
	ProfileHigh10   = 110
	ProfileHigh422  = 122
	ProfileHigh444  = 244
	ProfileCAVLC444 = 44
)

// ScalingLists are the scaling lists that a parameter set carries, in the zig-zag order
// in which they are transmitted. Fall-back rules are not applied: a list whose bit in
// PresentMask is clear is zero, as is one whose bit in UseDefaultMask is set.
// Source: 7.3.2.1.1.1, 7.4.2.1.1.1.
type ScalingLists struct {
	PresentMask    uint16 // bit i: scaling_list_present_flag[i]; 0 to 5 are 4x4
	UseDefaultMask uint16 // bit i: UseDefaultScalingMatrixFlag
	ScalingList4x4 [6][16]uint8
	ScalingList8x8 [6][64]uint8
}

// SPS is a sequence parameter set. It is not changed once it was parsed.
// Source: 7.3.2.1.1.
type SPS struct {
	ProfileIdc         uint8
	ConstraintSetFlags uint8 // as in the stream: bit 7 is constraint_set0_flag
	LevelIdc           uint8
	SeqParameterSetID  uint8

	ChromaFormatIdc                 uint8
	SeparateColourPlaneFlag         bool
	BitDepthLumaMinus8              uint8
	BitDepthChromaMinus8            uint8
	QpprimeYZeroTransformBypassFlag bool
	SeqScalingMatrixPresentFlag     bool
	ScalingLists                    ScalingLists

	Log2MaxFrameNumMinus4          uint8
	PicOrderCntType                uint8
	Log2MaxPicOrderCntLsbMinus4    uint8
	DeltaPicOrderAlwaysZeroFlag    bool
	OffsetForNonRefPic             int32
	OffsetForTopToBottomField      int32
	NumRefFramesInPicOrderCntCycle uint8
	OffsetForRefFrame              [255]int32

	MaxNumRefFrames                uint8
	GapsInFrameNumValueAllowedFlag bool
	PicWidthInMbsMinus1            uint32
	PicHeightInMapUnitsMinus1      uint32
	FrameMbsOnlyFlag               bool
	MbAdaptiveFrameFieldFlag       bool
	Direct8x8InferenceFlag         bool
	FrameCroppingFlag              bool
	FrameCropLeftOffset            uint32
	FrameCropRightOffset           uint32
	FrameCropTopOffset             uint32
	FrameCropBottomOffset          uint32
	VuiParametersPresentFlag       bool
	VUI                            VUI
}

// VUI is the video usability information; a field that was not transmitted has the
// value that the standard infers.
// Source: E.1.1, E.2.1.
type VUI struct {
	AspectRatioInfoPresentFlag     bool
	AspectRatioIdc                 uint8
	SarWidth, SarHeight            uint16
	OverscanInfoPresentFlag        bool
	OverscanAppropriateFlag        bool
	VideoSignalTypePresentFlag     bool
	VideoFormat                    uint8
	VideoFullRangeFlag             bool
	ColourDescriptionPresentFlag   bool
	ColourPrimaries                uint8
	TransferCharacteristics        uint8
	MatrixCoefficients             uint8
	ChromaLocInfoPresentFlag       bool
	ChromaSampleLocTypeTopField    uint8
	ChromaSampleLocTypeBottomField uint8
	TimingInfoPresentFlag          bool
	NumUnitsInTick                 uint32
	TimeScale                      uint32
	FixedFrameRateFlag             bool
	NalHrdParametersPresentFlag    bool
	VclHrdParametersPresentFlag    bool
	NalHrd, VclHrd                 HRD
	LowDelayHrdFlag                bool
	PicStructPresentFlag           bool

	BitstreamRestrictionFlag           bool
	MotionVectorsOverPicBoundariesFlag bool
	MaxBytesPerPicDenom                uint8
	MaxBitsPerMbDenom                  uint8
	Log2MaxMvLengthHorizontal          uint8
	Log2MaxMvLengthVertical            uint8
	MaxNumReorderFrames                uint8
	MaxDecFrameBuffering               uint8
}

// HRD are the parameters of the hypothetical reference decoder.
// Source: E.1.2.
type HRD struct {
	CpbCntMinus1                       uint8
	BitRateScale, CpbSizeScale         uint8
	BitRateValueMinus1                 [32]uint32
	CpbSizeValueMinus1                 [32]uint32
	CbrFlag                            uint32 // bit SchedSelIdx
	InitialCpbRemovalDelayLengthMinus1 uint8
	CpbRemovalDelayLengthMinus1        uint8
	DpbOutputDelayLengthMinus1         uint8
	TimeOffsetLength                   uint8
}

// highSyntax reports whether an SPS of this profile has the fields of the High profiles.
func highSyntax(profile uint8) bool {
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		return true
	}
	return false
}

// maxMbs bounds each dimension: a coded picture of 65,536 samples.
const maxMbs = 4096

// ParseSPS parses a sequence parameter set; nal begins with the NAL unit's header.
// Errors: bitstream.SyntaxError.
func ParseSPS(nal []byte) (*SPS, error) {
	const unit = "H.264 SPS"
	if len(nal) == 0 {
		return nil, &bitstream.SyntaxError{Unit: unit, Reason: "is empty"}
	}
	var r bitstream.Reader
	r.Reset(nal[1:])
	s := &SPS{ChromaFormatIdc: 1}
	s.ProfileIdc = uint8(r.U(8))
	s.ConstraintSetFlags = uint8(r.U(8))
	s.LevelIdc = uint8(r.U(8))
	s.SeqParameterSetID = uint8(r.UEMax(31, "seq_parameter_set_id"))
	if highSyntax(s.ProfileIdc) {
		s.ChromaFormatIdc = uint8(r.UEMax(3, "chroma_format_idc"))
		if s.ChromaFormatIdc == 3 {
			s.SeparateColourPlaneFlag = r.Flag()
		}
		s.BitDepthLumaMinus8 = uint8(r.UEMax(6, "bit_depth_luma_minus8"))
		s.BitDepthChromaMinus8 = uint8(r.UEMax(6, "bit_depth_chroma_minus8"))
		s.QpprimeYZeroTransformBypassFlag = r.Flag()
		s.SeqScalingMatrixPresentFlag = r.Flag()
		if s.SeqScalingMatrixPresentFlag {
			n := 8
			if s.ChromaFormatIdc == 3 {
				n = 12
			}
			s.ScalingLists.parse(&r, n)
		}
	}
	s.Log2MaxFrameNumMinus4 = uint8(r.UEMax(12, "log2_max_frame_num_minus4"))
	s.PicOrderCntType = uint8(r.UEMax(2, "pic_order_cnt_type"))
	switch s.PicOrderCntType {
	case 0:
		s.Log2MaxPicOrderCntLsbMinus4 = uint8(r.UEMax(12, "log2_max_pic_order_cnt_lsb_minus4"))
	case 1:
		s.DeltaPicOrderAlwaysZeroFlag = r.Flag()
		s.OffsetForNonRefPic = r.SE()
		s.OffsetForTopToBottomField = r.SE()
		s.NumRefFramesInPicOrderCntCycle = uint8(r.UEMax(255, "num_ref_frames_in_pic_order_cnt_cycle"))
		for i := range s.NumRefFramesInPicOrderCntCycle {
			s.OffsetForRefFrame[i] = r.SE()
		}
	}
	s.MaxNumRefFrames = uint8(r.UEMax(16, "max_num_ref_frames"))
	s.GapsInFrameNumValueAllowedFlag = r.Flag()
	s.PicWidthInMbsMinus1 = r.UEMax(maxMbs-1, "pic_width_in_mbs_minus1")
	s.PicHeightInMapUnitsMinus1 = r.UEMax(maxMbs-1, "pic_height_in_map_units_minus1")
	s.FrameMbsOnlyFlag = r.Flag()
	if !s.FrameMbsOnlyFlag {
		s.MbAdaptiveFrameFieldFlag = r.Flag()
	}
	s.Direct8x8InferenceFlag = r.Flag()
	s.FrameCroppingFlag = r.Flag()
	if s.FrameCroppingFlag {
		const most = 16 * maxMbs
		s.FrameCropLeftOffset = r.UEMax(most, "frame_crop_left_offset")
		s.FrameCropRightOffset = r.UEMax(most, "frame_crop_right_offset")
		s.FrameCropTopOffset = r.UEMax(most, "frame_crop_top_offset")
		s.FrameCropBottomOffset = r.UEMax(most, "frame_crop_bottom_offset")
	}
	s.VuiParametersPresentFlag = r.Flag()
	if r.Failed() {
		return nil, r.Err(unit)
	}
	s.inferVUI()
	if s.VuiParametersPresentFlag {
		s.parseVUI(&r)
		if r.Failed() { // as encoders in the field do it: a VUI that ends early is no VUI
			s.VuiParametersPresentFlag = false
			s.VUI = VUI{}
			s.inferVUI()
		}
	}
	if !s.cropFits() {
		return nil, &bitstream.SyntaxError{Unit: unit, Field: "frame_crop offsets", Reason: "leave nothing of the picture"}
	}
	return s, nil
}

// inferVUI gives fields of a VUI that is absent their inferred values.
func (s *SPS) inferVUI() {
	v := &s.VUI
	v.VideoFormat = 5
	v.ColourPrimaries, v.TransferCharacteristics, v.MatrixCoefficients = 2, 2, 2
	v.inferRestriction(s)
}

func (v *VUI) inferRestriction(s *SPS) {
	v.MotionVectorsOverPicBoundariesFlag = true
	v.MaxBytesPerPicDenom, v.MaxBitsPerMbDenom = 2, 1
	v.Log2MaxMvLengthHorizontal, v.Log2MaxMvLengthVertical = 15, 15
	n := uint8(s.MaxDpbFrames())
	if s.intraOnlyProfile() {
		n = 0
	}
	v.MaxNumReorderFrames, v.MaxDecFrameBuffering = n, n
}

// intraOnlyProfile reports whether the stream conforms to a profile of intra pictures
// only.
func (s *SPS) intraOnlyProfile() bool {
	switch s.ProfileIdc {
	case 44, 86, 100, 110, 122, 244:
		return s.ConstraintSetFlags&0x10 != 0
	}
	return false
}

func (s *SPS) parseVUI(r *bitstream.Reader) {
	v := &s.VUI
	if v.AspectRatioInfoPresentFlag = r.Flag(); v.AspectRatioInfoPresentFlag {
		v.AspectRatioIdc = uint8(r.U(8))
		if v.AspectRatioIdc == bitstream.ExtendedSAR {
			v.SarWidth, v.SarHeight = uint16(r.U(16)), uint16(r.U(16))
		} else {
			v.SarWidth, v.SarHeight = bitstream.SampleAspect(v.AspectRatioIdc)
		}
	}
	if v.OverscanInfoPresentFlag = r.Flag(); v.OverscanInfoPresentFlag {
		v.OverscanAppropriateFlag = r.Flag()
	}
	if v.VideoSignalTypePresentFlag = r.Flag(); v.VideoSignalTypePresentFlag {
		v.VideoFormat = uint8(r.U(3))
		v.VideoFullRangeFlag = r.Flag()
		if v.ColourDescriptionPresentFlag = r.Flag(); v.ColourDescriptionPresentFlag {
			v.ColourPrimaries = uint8(r.U(8))
			v.TransferCharacteristics = uint8(r.U(8))
			v.MatrixCoefficients = uint8(r.U(8))
		}
	}
	if v.ChromaLocInfoPresentFlag = r.Flag(); v.ChromaLocInfoPresentFlag {
		v.ChromaSampleLocTypeTopField = uint8(r.UEMax(5, "chroma_sample_loc_type_top_field"))
		v.ChromaSampleLocTypeBottomField = uint8(r.UEMax(5, "chroma_sample_loc_type_bottom_field"))
	}
	if v.TimingInfoPresentFlag = r.Flag(); v.TimingInfoPresentFlag {
		v.NumUnitsInTick = r.U(32)
		v.TimeScale = r.U(32)
		v.FixedFrameRateFlag = r.Flag()
	}
	if v.NalHrdParametersPresentFlag = r.Flag(); v.NalHrdParametersPresentFlag {
		v.NalHrd.parse(r)
	}
	if v.VclHrdParametersPresentFlag = r.Flag(); v.VclHrdParametersPresentFlag {
		v.VclHrd.parse(r)
	}
	if v.NalHrdParametersPresentFlag || v.VclHrdParametersPresentFlag {
		v.LowDelayHrdFlag = r.Flag()
	}
	v.PicStructPresentFlag = r.Flag()
	if v.BitstreamRestrictionFlag = r.Flag(); v.BitstreamRestrictionFlag {
		v.MotionVectorsOverPicBoundariesFlag = r.Flag()
		v.MaxBytesPerPicDenom = uint8(r.UEMax(16, "max_bytes_per_pic_denom"))
		v.MaxBitsPerMbDenom = uint8(r.UEMax(16, "max_bits_per_mb_denom"))
		v.Log2MaxMvLengthHorizontal = uint8(r.UEMax(32, "log2_max_mv_length_horizontal"))
		v.Log2MaxMvLengthVertical = uint8(r.UEMax(32, "log2_max_mv_length_vertical"))
		v.MaxNumReorderFrames = uint8(r.UEMax(16, "max_num_reorder_frames"))
		v.MaxDecFrameBuffering = uint8(r.UEMax(16, "max_dec_frame_buffering"))
	}
}

func (h *HRD) parse(r *bitstream.Reader) {
	h.CpbCntMinus1 = uint8(r.UEMax(31, "cpb_cnt_minus1"))
	h.BitRateScale = uint8(r.U(4))
	h.CpbSizeScale = uint8(r.U(4))
	for i := range h.CpbCntMinus1 + 1 {
		h.BitRateValueMinus1[i] = r.UE()
		h.CpbSizeValueMinus1[i] = r.UE()
		h.CbrFlag |= r.U(1) << i
	}
	h.InitialCpbRemovalDelayLengthMinus1 = uint8(r.U(5))
	h.CpbRemovalDelayLengthMinus1 = uint8(r.U(5))
	h.DpbOutputDelayLengthMinus1 = uint8(r.U(5))
	h.TimeOffsetLength = uint8(r.U(5))
}

func (l *ScalingLists) parse(r *bitstream.Reader, n int) {
	for i := range n {
		if !r.Flag() {
			continue
		}
		l.PresentMask |= 1 << i
		var list []uint8
		if i < 6 {
			list = l.ScalingList4x4[i][:]
		} else {
			list = l.ScalingList8x8[i-6][:]
		}
		last, next := int32(8), int32(8)
		for j := range list {
			if next != 0 {
				next = (last + r.SERange(-128, 127, "delta_scale") + 256) % 256
				if j == 0 && next == 0 {
					l.UseDefaultMask |= 1 << i
				}
			}
			if next != 0 {
				last = next
			}
			list[j] = uint8(last)
		}
		if l.UseDefaultMask&(1<<i) != 0 {
			clear(list)
		}
	}
}

// ChromaArrayType is 0 for monochrome and separately coded planes.
func (s *SPS) ChromaArrayType() uint8 {
	if s.SeparateColourPlaneFlag {
		return 0
	}
	return s.ChromaFormatIdc
}

// MaxFrameNum is one more than the highest frame_num.
func (s *SPS) MaxFrameNum() uint32 { return 1 << (s.Log2MaxFrameNumMinus4 + 4) }

// CodedWidth returns the width in luma samples before cropping.
func (s *SPS) CodedWidth() int { return int(s.PicWidthInMbsMinus1+1) * 16 }

// CodedHeight returns the height of a frame in luma samples before cropping.
func (s *SPS) CodedHeight() int {
	return int(s.PicHeightInMapUnitsMinus1+1) * 16 * s.fieldFactor()
}

func (s *SPS) fieldFactor() int {
	if s.FrameMbsOnlyFlag {
		return 1
	}
	return 2
}

// Crop returns the part of the coded picture that is shown.
func (s *SPS) Crop() bitstream.Rect {
	ux, uy := s.cropUnits()
	return bitstream.Rect{
		X:      ux * int(s.FrameCropLeftOffset),
		Y:      uy * int(s.FrameCropTopOffset),
		Width:  s.CodedWidth() - ux*int(s.FrameCropLeftOffset+s.FrameCropRightOffset),
		Height: s.CodedHeight() - uy*int(s.FrameCropTopOffset+s.FrameCropBottomOffset),
	}
}

// cropUnits is CropUnitX and CropUnitY (7-19 to 7-22).
func (s *SPS) cropUnits() (x, y int) {
	x, y = 1, 1
	switch s.ChromaArrayType() {
	case 1:
		x, y = 2, 2
	case 2:
		x = 2
	}
	return x, y * s.fieldFactor()
}

func (s *SPS) cropFits() bool {
	c := s.Crop()
	return c.Width > 0 && c.Height > 0
}

// Color is the colour description; what the stream leaves open is unspecified.
func (s *SPS) Color() media.Color {
	v := &s.VUI
	loc := -1
	if v.ChromaLocInfoPresentFlag {
		loc = int(v.ChromaSampleLocTypeTopField)
	}
	c := bitstream.Colour(v.ColourPrimaries, v.TransferCharacteristics, v.MatrixCoefficients, v.VideoFullRangeFlag, loc)
	if !v.VideoSignalTypePresentFlag {
		c.Range = media.RangeUnspecified
	}
	return c
}

// MaxDpbFrames is the capacity of the DPB that the level allows for this size, 16 for a
// level that is not known.
// Source: A.3.1 h, table A-1.
func (s *SPS) MaxDpbFrames() int {
	var mbs int
	switch s.LevelIdc {
	case 9, 10:
		mbs = 396
	case 11:
		mbs = 900
		if s.ConstraintSetFlags&0x10 != 0 && !highSyntax(s.ProfileIdc) { // level 1b
			mbs = 396
		}
	case 12, 13, 20:
		mbs = 2376
	case 21:
		mbs = 4752
	case 22, 30:
		mbs = 8100
	case 31:
		mbs = 18000
	case 32:
		mbs = 20480
	case 40, 41:
		mbs = 32768
	case 42:
		mbs = 34816
	case 50:
		mbs = 110400
	case 51, 52:
		mbs = 184320
	case 60, 61, 62:
		mbs = 696320
	default:
		return 16
	}
	frame := s.CodedWidth() / 16 * s.CodedHeight() / 16
	return min(mbs/frame, 16)
}

// DpbFrames is how many frames the DPB of this stream holds: max_dec_frame_buffering, and
// never fewer than the reference frames that it promises, though its level may deny them.
// Source: C.4.5.3, E.2.1.
func (s *SPS) DpbFrames() int {
	return min(max(int(s.VUI.MaxDecFrameBuffering), int(s.MaxNumRefFrames), 1), 16)
}

// ReorderFrames is how many frames may precede a frame in decoding order and follow it
// in output order: max_num_reorder_frames. Where a stream does not say, 0 is taken for
// POC type 2, for intra profiles and for the Baseline profile (whose encoders do not
// reorder, though they might), and the capacity of the DPB otherwise.
func (s *SPS) ReorderFrames() int {
	switch {
	case s.PicOrderCntType == 2:
		return 0
	case s.VUI.BitstreamRestrictionFlag:
		return min(int(s.VUI.MaxNumReorderFrames), s.DpbFrames())
	case s.ProfileIdc == ProfileBaseline:
		return 0
	}
	return min(int(s.VUI.MaxNumReorderFrames), s.DpbFrames())
}

// compatible reports whether pictures of s and o may share a DPB: o only repeats s, or
// changes what is outside of decoding.
func (s *SPS) compatible(o *SPS) bool {
	return s.CodedWidth() == o.CodedWidth() && s.CodedHeight() == o.CodedHeight() &&
		s.FrameMbsOnlyFlag == o.FrameMbsOnlyFlag &&
		s.ChromaFormatIdc == o.ChromaFormatIdc && s.SeparateColourPlaneFlag == o.SeparateColourPlaneFlag &&
		s.BitDepthLumaMinus8 == o.BitDepthLumaMinus8 && s.BitDepthChromaMinus8 == o.BitDepthChromaMinus8 &&
		s.DpbFrames() == o.DpbFrames()
}

// continues reports whether pictures of o can follow those of s without an IDR picture
// between them.
func (s *SPS) continues(o *SPS) bool {
	return s.compatible(o) && s.Log2MaxFrameNumMinus4 == o.Log2MaxFrameNumMinus4 &&
		s.PicOrderCntType == o.PicOrderCntType && s.Log2MaxPicOrderCntLsbMinus4 == o.Log2MaxPicOrderCntLsbMinus4 &&
		s.MaxNumRefFrames == o.MaxNumRefFrames
}
