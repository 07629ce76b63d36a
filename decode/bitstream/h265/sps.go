package h265

import (
	"math/bits"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/media"
)

// SPS is a sequence parameter set. It is not changed once it was parsed.
// Source: 7.3.2.2.
type SPS struct {
	SpsVideoParameterSetID   uint8
	SpsMaxSubLayersMinus1    uint8
	SpsTemporalIDNestingFlag bool
	ProfileTierLevel         ProfileTierLevel
	SpsSeqParameterSetID     uint8

	ChromaFormatIdc             uint8
	SeparateColourPlaneFlag     bool
	PicWidthInLumaSamples       uint32
	PicHeightInLumaSamples      uint32
	ConformanceWindowFlag       bool
	ConfWinLeftOffset           uint32
	ConfWinRightOffset          uint32
	ConfWinTopOffset            uint32
	ConfWinBottomOffset         uint32
	BitDepthLumaMinus8          uint8
	BitDepthChromaMinus8        uint8
	Log2MaxPicOrderCntLsbMinus4 uint8

	SpsSubLayerOrderingInfoPresentFlag bool
	Ordering                           SubLayerOrdering

	Log2MinLumaCodingBlockSizeMinus3     uint8
	Log2DiffMaxMinLumaCodingBlockSize    uint8
	Log2MinLumaTransformBlockSizeMinus2  uint8
	Log2DiffMaxMinLumaTransformBlockSize uint8
	MaxTransformHierarchyDepthInter      uint8
	MaxTransformHierarchyDepthIntra      uint8
	ScalingListEnabledFlag               bool
	SpsScalingListDataPresentFlag        bool
	ScalingLists                         ScalingLists // valid if ScalingListEnabledFlag
	AmpEnabledFlag                       bool
	SampleAdaptiveOffsetEnabledFlag      bool
	PcmEnabledFlag                       bool
	PcmSampleBitDepthLumaMinus1          uint8
	PcmSampleBitDepthChromaMinus1        uint8
	Log2MinPcmLumaCodingBlockSizeMinus3  uint8
	Log2DiffMaxMinPcmLumaCodingBlockSize uint8
	PcmLoopFilterDisabledFlag            bool

	NumShortTermRefPicSets          uint8
	ShortTermRefPicSets             [64]ShortTermRefPicSet
	LongTermRefPicsPresentFlag      bool
	NumLongTermRefPicsSps           uint8
	LtRefPicPocLsbSps               [32]uint32
	UsedByCurrPicLtSpsFlag          uint32 // bit i
	SpsTemporalMvpEnabledFlag       bool
	StrongIntraSmoothingEnabledFlag bool
	VuiParametersPresentFlag        bool
	VUI                             VUI

	SpsExtensionPresentFlag    bool
	SpsRangeExtensionFlag      bool
	SpsMultilayerExtensionFlag bool
	Sps3dExtensionFlag         bool
	SpsSccExtensionFlag        bool
	SpsExtension4bits          uint8
	// Range extension.
	TransformSkipRotationEnabledFlag    bool
	TransformSkipContextEnabledFlag     bool
	ImplicitRdpcmEnabledFlag            bool
	ExplicitRdpcmEnabledFlag            bool
	ExtendedPrecisionProcessingFlag     bool
	IntraSmoothingDisabledFlag          bool
	HighPrecisionOffsetsEnabledFlag     bool
	PersistentRiceAdaptationEnabledFlag bool
	CabacBypassAlignmentEnabledFlag     bool
}

// VUI is the video usability information; a field that was not transmitted has the
// value that the standard infers.
// Source: E.2.1, E.3.1.
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
	MatrixCoeffs                   uint8
	ChromaLocInfoPresentFlag       bool
	ChromaSampleLocTypeTopField    uint8
	ChromaSampleLocTypeBottomField uint8
	NeutralChromaIndicationFlag    bool
	FieldSeqFlag                   bool
	FrameFieldInfoPresentFlag      bool
	DefaultDisplayWindowFlag       bool
	DefDispWinLeftOffset           uint32
	DefDispWinRightOffset          uint32
	DefDispWinTopOffset            uint32
	DefDispWinBottomOffset         uint32
	VuiTimingInfoPresentFlag       bool
	VuiNumUnitsInTick              uint32
	VuiTimeScale                   uint32
	VuiPocProportionalToTimingFlag bool
	VuiNumTicksPocDiffOneMinus1    uint32
	VuiHrdParametersPresentFlag    bool
	BitstreamRestrictionFlag       bool
	TilesFixedStructureFlag        bool
	MotionVectorsOverPicBoundaries bool
	RestrictedRefPicListsFlag      bool
	MinSpatialSegmentationIdc      uint16
	MaxBytesPerPicDenom            uint8
	MaxBitsPerMinCuDenom           uint8
	Log2MaxMvLengthHorizontal      uint8
	Log2MaxMvLengthVertical        uint8
}

// maxSamples bounds each dimension.
const maxSamples = 65536

// ParseSPS parses a sequence parameter set of the base layer; nal begins with the NAL
// unit's header.
// Errors: bitstream.SyntaxError.
func ParseSPS(nal []byte) (*SPS, error) {
	const unit = "H.265 SPS"
	if len(nal) < 2 {
		return nil, &bitstream.SyntaxError{Unit: unit, Reason: "is empty"}
	}
	var r bitstream.Reader
	r.Reset(nal[2:])
	s := &SPS{}
	s.SpsVideoParameterSetID = uint8(r.U(4))
	s.SpsMaxSubLayersMinus1 = uint8(r.U(3))
	if s.SpsMaxSubLayersMinus1 > 6 {
		r.Fail("sps_max_sub_layers_minus1", "is out of range")
		s.SpsMaxSubLayersMinus1 = 0
	}
	s.SpsTemporalIDNestingFlag = r.Flag()
	s.ProfileTierLevel.parse(&r, int(s.SpsMaxSubLayersMinus1))
	s.SpsSeqParameterSetID = uint8(r.UEMax(15, "sps_seq_parameter_set_id"))
	s.parseFormat(&r)
	s.Log2MaxPicOrderCntLsbMinus4 = uint8(r.UEMax(12, "log2_max_pic_order_cnt_lsb_minus4"))
	s.SpsSubLayerOrderingInfoPresentFlag = s.Ordering.parse(&r, int(s.SpsMaxSubLayersMinus1))
	s.parseBlocks(&r)
	s.parseReferences(&r)
	s.SpsTemporalMvpEnabledFlag = r.Flag()
	s.StrongIntraSmoothingEnabledFlag = r.Flag()
	s.VUI.infer()
	if s.VuiParametersPresentFlag = r.Flag(); s.VuiParametersPresentFlag {
		s.VUI.parse(&r, int(s.SpsMaxSubLayersMinus1))
	}
	if s.SpsExtensionPresentFlag = r.Flag(); s.SpsExtensionPresentFlag {
		s.parseExtensions(&r)
	}
	if r.Failed() {
		return nil, r.Err(unit)
	}
	return s, nil
}

func (s *SPS) parseFormat(r *bitstream.Reader) {
	s.ChromaFormatIdc = uint8(r.UEMax(3, "chroma_format_idc"))
	if s.ChromaFormatIdc == 3 {
		s.SeparateColourPlaneFlag = r.Flag()
	}
	s.PicWidthInLumaSamples = r.UEMax(maxSamples, "pic_width_in_luma_samples")
	s.PicHeightInLumaSamples = r.UEMax(maxSamples, "pic_height_in_luma_samples")
	if s.ConformanceWindowFlag = r.Flag(); s.ConformanceWindowFlag {
		s.ConfWinLeftOffset = r.UEMax(maxSamples, "conf_win_left_offset")
		s.ConfWinRightOffset = r.UEMax(maxSamples, "conf_win_right_offset")
		s.ConfWinTopOffset = r.UEMax(maxSamples, "conf_win_top_offset")
		s.ConfWinBottomOffset = r.UEMax(maxSamples, "conf_win_bottom_offset")
	}
	if c := s.Crop(); c.Width <= 0 || c.Height <= 0 {
		r.Fail("conformance window", "leaves nothing of the picture")
	}
	s.BitDepthLumaMinus8 = uint8(r.UEMax(8, "bit_depth_luma_minus8"))
	s.BitDepthChromaMinus8 = uint8(r.UEMax(8, "bit_depth_chroma_minus8"))
}

func (s *SPS) parseBlocks(r *bitstream.Reader) {
	s.Log2MinLumaCodingBlockSizeMinus3 = uint8(r.UEMax(3, "log2_min_luma_coding_block_size_minus3"))
	s.Log2DiffMaxMinLumaCodingBlockSize = uint8(r.UEMax(3, "log2_diff_max_min_luma_coding_block_size"))
	if l := s.CtbLog2Size(); l < 4 || l > 6 {
		r.Fail("coding tree block size", "is not 16, 32 or 64")
	}
	if unit := uint32(1)<<(s.Log2MinLumaCodingBlockSizeMinus3+3) - 1; (s.PicWidthInLumaSamples|s.PicHeightInLumaSamples)&unit != 0 {
		r.Fail("picture size", "is not a multiple of the smallest coding block")
	}
	s.Log2MinLumaTransformBlockSizeMinus2 = uint8(r.UEMax(3, "log2_min_luma_transform_block_size_minus2"))
	s.Log2DiffMaxMinLumaTransformBlockSize = uint8(r.UEMax(3, "log2_diff_max_min_luma_transform_block_size"))
	s.MaxTransformHierarchyDepthInter = uint8(r.UEMax(4, "max_transform_hierarchy_depth_inter"))
	s.MaxTransformHierarchyDepthIntra = uint8(r.UEMax(4, "max_transform_hierarchy_depth_intra"))
	if s.ScalingListEnabledFlag = r.Flag(); s.ScalingListEnabledFlag {
		if s.SpsScalingListDataPresentFlag = r.Flag(); s.SpsScalingListDataPresentFlag {
			s.ScalingLists.parse(r, s.ChromaFormatIdc)
		} else {
			s.ScalingLists.SetDefault()
		}
	}
	s.AmpEnabledFlag = r.Flag()
	s.SampleAdaptiveOffsetEnabledFlag = r.Flag()
	if s.PcmEnabledFlag = r.Flag(); s.PcmEnabledFlag {
		s.PcmSampleBitDepthLumaMinus1 = uint8(r.U(4))
		s.PcmSampleBitDepthChromaMinus1 = uint8(r.U(4))
		s.Log2MinPcmLumaCodingBlockSizeMinus3 = uint8(r.UEMax(2, "log2_min_pcm_luma_coding_block_size_minus3"))
		s.Log2DiffMaxMinPcmLumaCodingBlockSize = uint8(r.UEMax(2, "log2_diff_max_min_pcm_luma_coding_block_size"))
		s.PcmLoopFilterDisabledFlag = r.Flag()
	}
}

func (s *SPS) parseReferences(r *bitstream.Reader) {
	s.NumShortTermRefPicSets = uint8(r.UEMax(64, "num_short_term_ref_pic_sets"))
	most := s.MaxDecPicBuffering() - 1
	for i := range int(s.NumShortTermRefPicSets) {
		s.ShortTermRefPicSets[i].parse(r, s.ShortTermRefPicSets[:i], i, most, false)
		if r.Failed() {
			return
		}
	}
	if s.LongTermRefPicsPresentFlag = r.Flag(); s.LongTermRefPicsPresentFlag {
		s.NumLongTermRefPicsSps = uint8(r.UEMax(32, "num_long_term_ref_pics_sps"))
		for i := range s.NumLongTermRefPicsSps {
			s.LtRefPicPocLsbSps[i] = r.U(int(s.Log2MaxPicOrderCntLsbMinus4) + 4)
			s.UsedByCurrPicLtSpsFlag |= r.U(1) << i
		}
	}
}

func (s *SPS) parseExtensions(r *bitstream.Reader) {
	s.SpsRangeExtensionFlag = r.Flag()
	s.SpsMultilayerExtensionFlag = r.Flag()
	s.Sps3dExtensionFlag = r.Flag()
	s.SpsSccExtensionFlag = r.Flag()
	s.SpsExtension4bits = uint8(r.U(4))
	if s.SpsRangeExtensionFlag {
		s.TransformSkipRotationEnabledFlag = r.Flag()
		s.TransformSkipContextEnabledFlag = r.Flag()
		s.ImplicitRdpcmEnabledFlag = r.Flag()
		s.ExplicitRdpcmEnabledFlag = r.Flag()
		s.ExtendedPrecisionProcessingFlag = r.Flag()
		s.IntraSmoothingDisabledFlag = r.Flag()
		s.HighPrecisionOffsetsEnabledFlag = r.Flag()
		s.PersistentRiceAdaptationEnabledFlag = r.Flag()
		s.CabacBypassAlignmentEnabledFlag = r.Flag()
	}
	// What the other extensions hold the base layer does not need.
}

func (v *VUI) infer() {
	v.VideoFormat = 5
	v.ColourPrimaries, v.TransferCharacteristics, v.MatrixCoeffs = 2, 2, 2
	v.MotionVectorsOverPicBoundaries = true
	v.MaxBytesPerPicDenom, v.MaxBitsPerMinCuDenom = 2, 1
	v.Log2MaxMvLengthHorizontal, v.Log2MaxMvLengthVertical = 15, 15
}

func (v *VUI) parse(r *bitstream.Reader, maxSubLayersMinus1 int) {
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
			v.MatrixCoeffs = uint8(r.U(8))
		}
	}
	if v.ChromaLocInfoPresentFlag = r.Flag(); v.ChromaLocInfoPresentFlag {
		v.ChromaSampleLocTypeTopField = uint8(r.UEMax(5, "chroma_sample_loc_type_top_field"))
		v.ChromaSampleLocTypeBottomField = uint8(r.UEMax(5, "chroma_sample_loc_type_bottom_field"))
	}
	v.NeutralChromaIndicationFlag = r.Flag()
	v.FieldSeqFlag = r.Flag()
	v.FrameFieldInfoPresentFlag = r.Flag()
	if v.DefaultDisplayWindowFlag = r.Flag(); v.DefaultDisplayWindowFlag {
		v.DefDispWinLeftOffset, v.DefDispWinRightOffset = r.UE(), r.UE()
		v.DefDispWinTopOffset, v.DefDispWinBottomOffset = r.UE(), r.UE()
	}
	if v.VuiTimingInfoPresentFlag = r.Flag(); v.VuiTimingInfoPresentFlag {
		v.VuiNumUnitsInTick, v.VuiTimeScale = r.U(32), r.U(32)
		if v.VuiPocProportionalToTimingFlag = r.Flag(); v.VuiPocProportionalToTimingFlag {
			v.VuiNumTicksPocDiffOneMinus1 = r.UE()
		}
		if v.VuiHrdParametersPresentFlag = r.Flag(); v.VuiHrdParametersPresentFlag {
			skipHRD(r, maxSubLayersMinus1)
		}
	}
	if v.BitstreamRestrictionFlag = r.Flag(); v.BitstreamRestrictionFlag {
		v.TilesFixedStructureFlag = r.Flag()
		v.MotionVectorsOverPicBoundaries = r.Flag()
		v.RestrictedRefPicListsFlag = r.Flag()
		v.MinSpatialSegmentationIdc = uint16(r.UEMax(4095, "min_spatial_segmentation_idc"))
		v.MaxBytesPerPicDenom = uint8(r.UEMax(16, "max_bytes_per_pic_denom"))
		v.MaxBitsPerMinCuDenom = uint8(r.UEMax(16, "max_bits_per_min_cu_denom"))
		v.Log2MaxMvLengthHorizontal = uint8(r.UEMax(16, "log2_max_mv_length_horizontal"))
		v.Log2MaxMvLengthVertical = uint8(r.UEMax(15, "log2_max_mv_length_vertical"))
	}
}

// skipHRD reads over hrd_parameters(1, maxSubLayersMinus1): nothing needs them.
// Source: E.2.2, E.2.3.
func skipHRD(r *bitstream.Reader, maxSubLayersMinus1 int) {
	nal, vcl, subPic := r.Flag(), r.Flag(), false
	if nal || vcl {
		if subPic = r.Flag(); subPic {
			r.Skip(8 + 5 + 1 + 5)
		}
		r.Skip(4 + 4)
		if subPic {
			r.Skip(4)
		}
		r.Skip(5 + 5 + 5)
	}
	for range maxSubLayersMinus1 + 1 {
		fixed := r.Flag() // fixed_pic_rate_general_flag
		if !fixed {
			fixed = r.Flag() // fixed_pic_rate_within_cvs_flag
		}
		lowDelay, cpbs := false, uint32(0)
		if fixed {
			r.UEMax(2047, "elemental_duration_in_tc_minus1")
		} else {
			lowDelay = r.Flag()
		}
		if !lowDelay {
			cpbs = r.UEMax(31, "cpb_cnt_minus1")
		}
		for _, present := range [...]bool{nal, vcl} {
			if !present {
				continue
			}
			for i := uint32(0); i <= cpbs && !r.Failed(); i++ {
				r.UE()
				r.UE()
				if subPic {
					r.UE()
					r.UE()
				}
				r.Flag()
			}
		}
	}
}

// MaxDecPicBuffering is how many pictures the DPB holds, the current one counted.
func (s *SPS) MaxDecPicBuffering() int {
	return int(s.Ordering.MaxDecPicBufferingMinus1[s.SpsMaxSubLayersMinus1]) + 1
}

// ChromaArrayType is 0 for monochrome and separately coded planes.
func (s *SPS) ChromaArrayType() uint8 {
	if s.SeparateColourPlaneFlag {
		return 0
	}
	return s.ChromaFormatIdc
}

// CtbLog2Size is CtbLog2SizeY.
func (s *SPS) CtbLog2Size() int {
	return int(s.Log2MinLumaCodingBlockSizeMinus3+s.Log2DiffMaxMinLumaCodingBlockSize) + 3
}

// PicWidthInCtbs is PicWidthInCtbsY.
func (s *SPS) PicWidthInCtbs() int { return ceilShift(s.PicWidthInLumaSamples, s.CtbLog2Size()) }

// PicHeightInCtbs is PicHeightInCtbsY.
func (s *SPS) PicHeightInCtbs() int { return ceilShift(s.PicHeightInLumaSamples, s.CtbLog2Size()) }

func ceilShift(v uint32, n int) int { return int((v + 1<<n - 1) >> n) }

// ceilLog2 is Ceil(Log2(v)) for v of 1 or more.
func ceilLog2(v int) int { return bits.Len(uint(v - 1)) }

// MaxPicOrderCntLsb is one more than the highest slice_pic_order_cnt_lsb.
func (s *SPS) MaxPicOrderCntLsb() int32 { return 1 << (s.Log2MaxPicOrderCntLsbMinus4 + 4) }

// CodedWidth returns the width in luma samples before cropping.
func (s *SPS) CodedWidth() int { return int(s.PicWidthInLumaSamples) }

// CodedHeight returns the height in luma samples before cropping.
func (s *SPS) CodedHeight() int { return int(s.PicHeightInLumaSamples) }

// Crop returns the part of the coded picture that is shown, the conformance window.
func (s *SPS) Crop() bitstream.Rect {
	x, y := 1, 1 // SubWidthC, SubHeightC
	switch s.ChromaFormatIdc {
	case 1:
		x, y = 2, 2
	case 2:
		x = 2
	}
	return bitstream.Rect{
		X:      x * int(s.ConfWinLeftOffset),
		Y:      y * int(s.ConfWinTopOffset),
		Width:  s.CodedWidth() - x*int(s.ConfWinLeftOffset+s.ConfWinRightOffset),
		Height: s.CodedHeight() - y*int(s.ConfWinTopOffset+s.ConfWinBottomOffset),
	}
}

// Color is the colour description; what the stream leaves open is unspecified.
func (s *SPS) Color() media.Color {
	v := &s.VUI
	loc := -1
	if v.ChromaLocInfoPresentFlag {
		loc = int(v.ChromaSampleLocTypeTopField)
	}
	c := bitstream.Colour(v.ColourPrimaries, v.TransferCharacteristics, v.MatrixCoeffs, v.VideoFullRangeFlag, loc)
	if !v.VideoSignalTypePresentFlag {
		c.Range = media.RangeUnspecified
	}
	return c
}

// compatible reports whether pictures of s and o can share one DPB.
func (s *SPS) compatible(o *SPS) bool {
	return s.PicWidthInLumaSamples == o.PicWidthInLumaSamples && s.PicHeightInLumaSamples == o.PicHeightInLumaSamples &&
		s.ChromaFormatIdc == o.ChromaFormatIdc && s.SeparateColourPlaneFlag == o.SeparateColourPlaneFlag &&
		s.BitDepthLumaMinus8 == o.BitDepthLumaMinus8 && s.BitDepthChromaMinus8 == o.BitDepthChromaMinus8 &&
		s.MaxDecPicBuffering() == o.MaxDecPicBuffering()
}
