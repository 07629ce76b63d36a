package h265

import "github.com/scanout-av/scanout/decode/bitstream"

// Profiles, general_profile_idc.
const (
	ProfileMain             = 1
	ProfileMain10           = 2
	ProfileMainStillPicture = 3
	ProfileRangeExtensions  = 4
	ProfileScreenContent    = 9
)

// ProfileTierLevel is profile_tier_level() without what it says of sub-layers.
// Source: 7.3.3.
type ProfileTierLevel struct {
	GeneralProfileSpace              uint8
	GeneralTierFlag                  bool
	GeneralProfileIdc                uint8
	GeneralProfileCompatibilityFlags uint32 // bit 31 is flag 0
	GeneralProgressiveSourceFlag     bool
	GeneralInterlacedSourceFlag      bool
	GeneralNonPackedConstraintFlag   bool
	GeneralFrameOnlyConstraintFlag   bool
	GeneralConstraintFlags           uint64 // the 44 bits that follow
	GeneralLevelIdc                  uint8  // 30 times the level
}

func (p *ProfileTierLevel) parse(r *bitstream.Reader, maxSubLayersMinus1 int) {
	p.GeneralProfileSpace = uint8(r.U(2))
	p.GeneralTierFlag = r.Flag()
	p.GeneralProfileIdc = uint8(r.U(5))
	p.GeneralProfileCompatibilityFlags = r.U(32)
	p.GeneralProgressiveSourceFlag = r.Flag()
	p.GeneralInterlacedSourceFlag = r.Flag()
	p.GeneralNonPackedConstraintFlag = r.Flag()
	p.GeneralFrameOnlyConstraintFlag = r.Flag()
	p.GeneralConstraintFlags = uint64(r.U(12))<<32 | uint64(r.U(32))
	p.GeneralLevelIdc = uint8(r.U(8))
	var profile, level [8]bool
	for i := range maxSubLayersMinus1 {
		profile[i], level[i] = r.Flag(), r.Flag()
	}
	if maxSubLayersMinus1 > 0 {
		r.Skip(2 * (8 - maxSubLayersMinus1))
	}
	for i := range maxSubLayersMinus1 {
		if profile[i] {
			r.Skip(88)
		}
		if level[i] {
			r.Skip(8)
		}
	}
}

// Profile is the profile that the stream conforms to, by its compatibility flags where
// general_profile_idc does not say.
func (p *ProfileTierLevel) Profile() uint8 {
	if p.GeneralProfileIdc != 0 {
		return p.GeneralProfileIdc
	}
	for i := uint8(1); i < 32; i++ {
		if p.GeneralProfileCompatibilityFlags>>(31-i)&1 != 0 {
			return i
		}
	}
	return 0
}

// SubLayerOrdering is what a stream says of its DPB, an entry a temporal sub-layer.
// Source: 7.4.3.1, 7.4.3.2.1.
type SubLayerOrdering struct {
	MaxDecPicBufferingMinus1 [7]uint8
	MaxNumReorderPics        [7]uint8
	MaxLatencyIncreasePlus1  [7]uint32
}

func (o *SubLayerOrdering) parse(r *bitstream.Reader, maxSubLayersMinus1 int) (present bool) {
	present = r.Flag()
	first := maxSubLayersMinus1
	if present {
		first = 0
	}
	for i := first; i <= maxSubLayersMinus1; i++ {
		o.MaxDecPicBufferingMinus1[i] = uint8(r.UEMax(15, "max_dec_pic_buffering_minus1"))
		o.MaxNumReorderPics[i] = uint8(r.UEMax(uint32(o.MaxDecPicBufferingMinus1[i]), "max_num_reorder_pics"))
		o.MaxLatencyIncreasePlus1[i] = r.UE()
	}
	for i := range first {
		o.MaxDecPicBufferingMinus1[i] = o.MaxDecPicBufferingMinus1[first]
		o.MaxNumReorderPics[i] = o.MaxNumReorderPics[first]
		o.MaxLatencyIncreasePlus1[i] = o.MaxLatencyIncreasePlus1[first]
	}
	return present
}

// VPS is a video parameter set, without its extension. It is not changed once it was
// parsed.
// Source: 7.3.2.1.
type VPS struct {
	VpsVideoParameterSetID         uint8
	VpsMaxLayersMinus1             uint8
	VpsMaxSubLayersMinus1          uint8
	VpsTemporalIDNestingFlag       bool
	ProfileTierLevel               ProfileTierLevel
	VpsSubLayerOrderingInfoPresent bool
	Ordering                       SubLayerOrdering
	VpsTimingInfoPresentFlag       bool
	VpsNumUnitsInTick              uint32
	VpsTimeScale                   uint32
	VpsPocProportionalToTimingFlag bool
	VpsNumTicksPocDiffOneMinus1    uint32
}

// ParseVPS parses a video parameter set; nal begins with the NAL unit's header.
// Errors: bitstream.SyntaxError.
func ParseVPS(nal []byte) (*VPS, error) {
	const unit = "H.265 VPS"
	if len(nal) < 2 {
		return nil, &bitstream.SyntaxError{Unit: unit, Reason: "is empty"}
	}
	var r bitstream.Reader
	r.Reset(nal[2:])
	v := &VPS{}
	v.VpsVideoParameterSetID = uint8(r.U(4))
	r.U(2)
	v.VpsMaxLayersMinus1 = uint8(r.U(6))
	v.VpsMaxSubLayersMinus1 = uint8(r.U(3))
	if v.VpsMaxSubLayersMinus1 > 6 {
		r.Fail("vps_max_sub_layers_minus1", "is out of range")
		v.VpsMaxSubLayersMinus1 = 0
	}
	v.VpsTemporalIDNestingFlag = r.Flag()
	r.U(16)
	v.ProfileTierLevel.parse(&r, int(v.VpsMaxSubLayersMinus1))
	v.VpsSubLayerOrderingInfoPresent = v.Ordering.parse(&r, int(v.VpsMaxSubLayersMinus1))
	maxLayerID := int(r.U(6))
	sets := r.UEMax(1023, "vps_num_layer_sets_minus1")
	r.Skip(int(sets) * (maxLayerID + 1))
	if v.VpsTimingInfoPresentFlag = r.Flag(); v.VpsTimingInfoPresentFlag {
		v.VpsNumUnitsInTick, v.VpsTimeScale = r.U(32), r.U(32)
		if v.VpsPocProportionalToTimingFlag = r.Flag(); v.VpsPocProportionalToTimingFlag {
			v.VpsNumTicksPocDiffOneMinus1 = r.UE()
		}
	}
	if r.Failed() { // HRD parameters and extensions follow; nothing needs them
		return nil, r.Err(unit)
	}
	return v, nil
}
