package h264

import "github.com/scanout-av/scanout/decode/bitstream"

// PPS is a picture parameter set. It is not changed once it was parsed.
// Source: 7.3.2.2.
type PPS struct {
	PicParameterSetID                     uint8
	SeqParameterSetID                     uint8
	EntropyCodingModeFlag                 bool
	BottomFieldPicOrderInFramePresentFlag bool

	NumSliceGroupsMinus1       uint8
	SliceGroupMapType          uint8
	SliceGroupChangeRateMinus1 uint32
	PicSizeInMapUnitsMinus1    uint32

	NumRefIdxL0DefaultActiveMinus1     uint8
	NumRefIdxL1DefaultActiveMinus1     uint8
	WeightedPredFlag                   bool
	WeightedBipredIdc                  uint8
	PicInitQpMinus26                   int8
	PicInitQsMinus26                   int8
	ChromaQpIndexOffset                int8
	DeblockingFilterControlPresentFlag bool
	ConstrainedIntraPredFlag           bool
	RedundantPicCntPresentFlag         bool

	Transform8x8ModeFlag        bool
	PicScalingMatrixPresentFlag bool
	ScalingLists                ScalingLists
	SecondChromaQpIndexOffset   int8
}

// ParsePPS parses a picture parameter set; nal begins with the NAL unit's header. sps
// returns the sequence parameter set of an id, or nil: how many scaling lists there are
// depends on its chroma_format_idc.
// Errors: bitstream.SyntaxError.
func ParsePPS(nal []byte, sps func(id uint8) *SPS) (*PPS, error) {
	const unit = "H.264 PPS"
	if len(nal) == 0 {
		return nil, &bitstream.SyntaxError{Unit: unit, Reason: "is empty"}
	}
	var r bitstream.Reader
	r.Reset(nal[1:])
	p := &PPS{}
	p.PicParameterSetID = uint8(r.UEMax(255, "pic_parameter_set_id"))
	p.SeqParameterSetID = uint8(r.UEMax(31, "seq_parameter_set_id"))
	p.EntropyCodingModeFlag = r.Flag()
	p.BottomFieldPicOrderInFramePresentFlag = r.Flag()
	p.NumSliceGroupsMinus1 = uint8(r.UEMax(7, "num_slice_groups_minus1"))
	if p.NumSliceGroupsMinus1 > 0 {
		p.parseSliceGroups(&r)
	}
	p.NumRefIdxL0DefaultActiveMinus1 = uint8(r.UEMax(31, "num_ref_idx_l0_default_active_minus1"))
	p.NumRefIdxL1DefaultActiveMinus1 = uint8(r.UEMax(31, "num_ref_idx_l1_default_active_minus1"))
	p.WeightedPredFlag = r.Flag()
	p.WeightedBipredIdc = uint8(r.U(2))
	p.PicInitQpMinus26 = int8(r.SERange(-(26 + 36), 25, "pic_init_qp_minus26"))
	p.PicInitQsMinus26 = int8(r.SERange(-26, 25, "pic_init_qs_minus26"))
	p.ChromaQpIndexOffset = int8(r.SERange(-12, 12, "chroma_qp_index_offset"))
	p.DeblockingFilterControlPresentFlag = r.Flag()
	p.ConstrainedIntraPredFlag = r.Flag()
	p.RedundantPicCntPresentFlag = r.Flag()
	p.SecondChromaQpIndexOffset = p.ChromaQpIndexOffset
	if r.MoreData() {
		p.Transform8x8ModeFlag = r.Flag()
		p.PicScalingMatrixPresentFlag = r.Flag()
		if p.PicScalingMatrixPresentFlag {
			n := 6
			if p.Transform8x8ModeFlag {
				n += 2
				if s := sps(p.SeqParameterSetID); s != nil && s.ChromaFormatIdc == 3 {
					n += 4
				}
			}
			p.ScalingLists.parse(&r, n)
		}
		p.SecondChromaQpIndexOffset = int8(r.SERange(-12, 12, "second_chroma_qp_index_offset"))
	}
	if r.Failed() {
		return nil, r.Err(unit)
	}
	return p, nil
}

// parseSliceGroups reads over the map of slice groups: only the slice header's length
// depends on it.
func (p *PPS) parseSliceGroups(r *bitstream.Reader) {
	p.SliceGroupMapType = uint8(r.UEMax(6, "slice_group_map_type"))
	switch p.SliceGroupMapType {
	case 0:
		for range p.NumSliceGroupsMinus1 + 1 {
			r.UE()
		}
	case 2:
		for range p.NumSliceGroupsMinus1 {
			r.UE()
			r.UE()
		}
	case 3, 4, 5:
		r.Flag()
		p.SliceGroupChangeRateMinus1 = r.UE()
	case 6:
		p.PicSizeInMapUnitsMinus1 = r.UEMax(maxMbs*maxMbs-1, "pic_size_in_map_units_minus1")
		bits := 1
		if p.NumSliceGroupsMinus1 > 3 {
			bits = 3
		} else if p.NumSliceGroupsMinus1 > 1 {
			bits = 2
		}
		for i := uint32(0); i <= p.PicSizeInMapUnitsMinus1 && !r.Failed(); i++ {
			r.U(bits)
		}
	}
}
