package h265

import "github.com/scanout-av/scanout/decode/bitstream"

// PPS is a picture parameter set. It is not changed once it was parsed.
// Source: 7.3.2.3.
type PPS struct {
	PpsPicParameterSetID              uint8
	PpsSeqParameterSetID              uint8
	DependentSliceSegmentsEnabledFlag bool
	OutputFlagPresentFlag             bool
	NumExtraSliceHeaderBits           uint8
	SignDataHidingEnabledFlag         bool
	CabacInitPresentFlag              bool
	NumRefIdxL0DefaultActiveMinus1    uint8
	NumRefIdxL1DefaultActiveMinus1    uint8
	InitQpMinus26                     int8
	ConstrainedIntraPredFlag          bool
	TransformSkipEnabledFlag          bool
	CuQpDeltaEnabledFlag              bool
	DiffCuQpDeltaDepth                uint8
	PpsCbQpOffset                     int8
	PpsCrQpOffset                     int8
	PpsSliceChromaQpOffsetsPresent    bool
	WeightedPredFlag                  bool
	WeightedBipredFlag                bool
	TransquantBypassEnabledFlag       bool
	TilesEnabledFlag                  bool
	EntropyCodingSyncEnabledFlag      bool

	NumTileColumnsMinus1          uint8
	NumTileRowsMinus1             uint8
	UniformSpacingFlag            bool
	ColumnWidthMinus1             [19]uint16
	RowHeightMinus1               [21]uint16
	LoopFilterAcrossTilesEnabled  bool
	LoopFilterAcrossSlicesEnabled bool

	DeblockingFilterControlPresentFlag  bool
	DeblockingFilterOverrideEnabledFlag bool
	PpsDeblockingFilterDisabledFlag     bool
	PpsBetaOffsetDiv2                   int8
	PpsTcOffsetDiv2                     int8
	PpsScalingListDataPresentFlag       bool
	ScalingLists                        ScalingLists // valid if PpsScalingListDataPresentFlag
	ListsModificationPresentFlag        bool
	Log2ParallelMergeLevelMinus2        uint8
	SliceSegmentHeaderExtensionPresent  bool

	PpsExtensionPresentFlag    bool
	PpsRangeExtensionFlag      bool
	PpsMultilayerExtensionFlag bool
	Pps3dExtensionFlag         bool
	PpsSccExtensionFlag        bool
	PpsExtension4bits          uint8
	// Range extension.
	Log2MaxTransformSkipBlockSizeMinus2 uint8
	CrossComponentPredictionEnabledFlag bool
	ChromaQpOffsetListEnabledFlag       bool
	DiffCuChromaQpOffsetDepth           uint8
	ChromaQpOffsetListLenMinus1         uint8
	CbQpOffsetList                      [6]int8
	CrQpOffsetList                      [6]int8
	Log2SaoOffsetScaleLuma              uint8
	Log2SaoOffsetScaleChroma            uint8
}

// ParsePPS parses a picture parameter set; nal begins with the NAL unit's header. sps
// returns the sequence parameter set of an id, or nil: where scaling lists are for 4:4:4
// more of them are derived.
// Errors: bitstream.SyntaxError.
func ParsePPS(nal []byte, sps func(id uint8) *SPS) (*PPS, error) {
	const unit = "H.265 PPS"
	if len(nal) < 2 {
		return nil, &bitstream.SyntaxError{Unit: unit, Reason: "is empty"}
	}
	var r bitstream.Reader
	r.Reset(nal[2:])
	p := &PPS{}
	p.PpsPicParameterSetID = uint8(r.UEMax(63, "pps_pic_parameter_set_id"))
	p.PpsSeqParameterSetID = uint8(r.UEMax(15, "pps_seq_parameter_set_id"))
	p.DependentSliceSegmentsEnabledFlag = r.Flag()
	p.OutputFlagPresentFlag = r.Flag()
	p.NumExtraSliceHeaderBits = uint8(r.U(3))
	p.SignDataHidingEnabledFlag = r.Flag()
	p.CabacInitPresentFlag = r.Flag()
	p.NumRefIdxL0DefaultActiveMinus1 = uint8(r.UEMax(14, "num_ref_idx_l0_default_active_minus1"))
	p.NumRefIdxL1DefaultActiveMinus1 = uint8(r.UEMax(14, "num_ref_idx_l1_default_active_minus1"))
	p.InitQpMinus26 = int8(r.SERange(-(26 + 48), 25, "init_qp_minus26"))
	p.ConstrainedIntraPredFlag = r.Flag()
	p.TransformSkipEnabledFlag = r.Flag()
	if p.CuQpDeltaEnabledFlag = r.Flag(); p.CuQpDeltaEnabledFlag {
		p.DiffCuQpDeltaDepth = uint8(r.UEMax(3, "diff_cu_qp_delta_depth"))
	}
	p.PpsCbQpOffset = int8(r.SERange(-12, 12, "pps_cb_qp_offset"))
	p.PpsCrQpOffset = int8(r.SERange(-12, 12, "pps_cr_qp_offset"))
	p.PpsSliceChromaQpOffsetsPresent = r.Flag()
	p.WeightedPredFlag = r.Flag()
	p.WeightedBipredFlag = r.Flag()
	p.TransquantBypassEnabledFlag = r.Flag()
	p.TilesEnabledFlag = r.Flag()
	p.EntropyCodingSyncEnabledFlag = r.Flag()
	p.UniformSpacingFlag, p.LoopFilterAcrossTilesEnabled = true, true
	if p.TilesEnabledFlag {
		p.parseTiles(&r)
	}
	p.LoopFilterAcrossSlicesEnabled = r.Flag()
	if p.DeblockingFilterControlPresentFlag = r.Flag(); p.DeblockingFilterControlPresentFlag {
		p.DeblockingFilterOverrideEnabledFlag = r.Flag()
		if p.PpsDeblockingFilterDisabledFlag = r.Flag(); !p.PpsDeblockingFilterDisabledFlag {
			p.PpsBetaOffsetDiv2 = int8(r.SERange(-6, 6, "pps_beta_offset_div2"))
			p.PpsTcOffsetDiv2 = int8(r.SERange(-6, 6, "pps_tc_offset_div2"))
		}
	}
	if p.PpsScalingListDataPresentFlag = r.Flag(); p.PpsScalingListDataPresentFlag {
		format := uint8(1)
		if s := sps(p.PpsSeqParameterSetID); s != nil {
			format = s.ChromaFormatIdc
		}
		p.ScalingLists.parse(&r, format)
	}
	p.ListsModificationPresentFlag = r.Flag()
	p.Log2ParallelMergeLevelMinus2 = uint8(r.UEMax(4, "log2_parallel_merge_level_minus2"))
	p.SliceSegmentHeaderExtensionPresent = r.Flag()
	if p.PpsExtensionPresentFlag = r.Flag(); p.PpsExtensionPresentFlag {
		p.PpsRangeExtensionFlag = r.Flag()
		p.PpsMultilayerExtensionFlag = r.Flag()
		p.Pps3dExtensionFlag = r.Flag()
		p.PpsSccExtensionFlag = r.Flag()
		p.PpsExtension4bits = uint8(r.U(4))
		if p.PpsRangeExtensionFlag {
			p.parseRange(&r)
		}
		// What the other extensions hold the base layer does not need.
	}
	if r.Failed() {
		return nil, r.Err(unit)
	}
	return p, nil
}

func (p *PPS) parseTiles(r *bitstream.Reader) {
	p.NumTileColumnsMinus1 = uint8(r.UEMax(19, "num_tile_columns_minus1"))
	p.NumTileRowsMinus1 = uint8(r.UEMax(21, "num_tile_rows_minus1"))
	if p.UniformSpacingFlag = r.Flag(); !p.UniformSpacingFlag {
		for i := range p.NumTileColumnsMinus1 {
			p.ColumnWidthMinus1[i] = uint16(r.UEMax(maxSamples/16, "column_width_minus1"))
		}
		for i := range p.NumTileRowsMinus1 {
			p.RowHeightMinus1[i] = uint16(r.UEMax(maxSamples/16, "row_height_minus1"))
		}
	}
	p.LoopFilterAcrossTilesEnabled = r.Flag()
}

func (p *PPS) parseRange(r *bitstream.Reader) {
	if p.TransformSkipEnabledFlag {
		p.Log2MaxTransformSkipBlockSizeMinus2 = uint8(r.UEMax(3, "log2_max_transform_skip_block_size_minus2"))
	}
	p.CrossComponentPredictionEnabledFlag = r.Flag()
	if p.ChromaQpOffsetListEnabledFlag = r.Flag(); p.ChromaQpOffsetListEnabledFlag {
		p.DiffCuChromaQpOffsetDepth = uint8(r.UEMax(3, "diff_cu_chroma_qp_offset_depth"))
		p.ChromaQpOffsetListLenMinus1 = uint8(r.UEMax(5, "chroma_qp_offset_list_len_minus1"))
		for i := range p.ChromaQpOffsetListLenMinus1 + 1 {
			p.CbQpOffsetList[i] = int8(r.SERange(-12, 12, "cb_qp_offset_list"))
			p.CrQpOffsetList[i] = int8(r.SERange(-12, 12, "cr_qp_offset_list"))
		}
	}
	p.Log2SaoOffsetScaleLuma = uint8(r.UEMax(8, "log2_sao_offset_scale_luma"))
	p.Log2SaoOffsetScaleChroma = uint8(r.UEMax(8, "log2_sao_offset_scale_chroma"))
}

// TileColumns returns the widths of the tile columns in pictures of s.
// Units: coding tree blocks.
// Source: (6-3).
func (p *PPS) TileColumns(s *SPS) (widths [20]int, n int) {
	n = int(p.NumTileColumnsMinus1) + 1
	p.spread(widths[:n], p.ColumnWidthMinus1[:], s.PicWidthInCtbs())
	return widths, n
}

// TileRows returns the heights of the tile rows in pictures of s.
// Units: coding tree blocks.
// Source: (6-4).
func (p *PPS) TileRows(s *SPS) (heights [22]int, n int) {
	n = int(p.NumTileRowsMinus1) + 1
	p.spread(heights[:n], p.RowHeightMinus1[:], s.PicHeightInCtbs())
	return heights, n
}

func (p *PPS) spread(out []int, minus1 []uint16, total int) {
	if p.UniformSpacingFlag {
		for i := range out {
			out[i] = (i+1)*total/len(out) - i*total/len(out)
		}
		return
	}
	left := total
	for i := range out[:len(out)-1] {
		out[i] = int(minus1[i]) + 1
		left -= out[i]
	}
	out[len(out)-1] = left
}

// fits reports whether the tiles fit into pictures of s.
func (p *PPS) fits(s *SPS) bool {
	if !p.TilesEnabledFlag {
		return true
	}
	w, n := p.TileColumns(s)
	for _, v := range w[:n] {
		if v <= 0 {
			return false
		}
	}
	h, n := p.TileRows(s)
	for _, v := range h[:n] {
		if v <= 0 {
			return false
		}
	}
	return true
}
