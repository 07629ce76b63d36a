package vkvideo

import (
	"fmt"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/decode/bitstream/h265"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// hevc is H.265.
type hevc struct {
	dec  *h265.Decoder
	rest []h265.Picture // not yet returned by next
	cur  *h265.Picture
	p    picture

	// What Vulkan reads of the current picture; index 0 of the slots is its own.
	info   vk.VideoDecodeH265PictureInfoKHR
	std    vk.StdVideoDecodeH265PictureInfo
	slots  [maxSlots + 1]vk.VideoDecodeH265DpbSlotInfoKHR
	refs   [maxSlots + 1]vk.StdVideoDecodeH265ReferenceInfo
	sets   vk.VideoDecodeH265InlineSessionParametersInfoKHR
	inSets bool
	vps    *h265.VPS // that sets.PStdVPS was made of
	sps    *h265.SPS
	pps    *h265.PPS
}

func newH265(s *media.Stream) (codec, error) {
	dec, err := h265.NewDecoder(h265.Config{ExtraData: s.ExtraData})
	if err != nil {
		return nil, fmt.Errorf("vkvideo: %w", err)
	}
	c := &hevc{dec: dec}
	c.p.slices, c.p.refs = make([]slice, 0, 64), make([]reference, 0, maxSlots)
	c.info = vk.VideoDecodeH265PictureInfoKHR{SType: vk.STypeVideoDecodeH265PictureInfoKHR, PStdPictureInfo: &c.std}
	for i := range c.slots {
		c.slots[i] = vk.VideoDecodeH265DpbSlotInfoKHR{SType: vk.STypeVideoDecodeH265DpbSlotInfoKHR, PStdReferenceInfo: &c.refs[i]}
	}
	c.sets.SType = vk.STypeVideoDecodeH265InlineSessionParametersInfoKHR
	return c, nil
}

func (c *hevc) profile(k *kind) *gpu.VideoProfile { return gpu.H265Profile(k.profile, k.bits) }

func (c *hevc) usual() int { return h265.ProfileMain }

func (c *hevc) known() (k kind, level int32, ok bool) {
	for id := range 16 {
		if s := c.dec.SPS(uint8(id)); s != nil {
			return hevcKind(s), int32(hevcLevel(s.ProfileTierLevel.GeneralLevelIdc)), true
		}
	}
	return kind{}, 0, false
}

func (c *hevc) level() int32 { return int32(hevcLevel(c.cur.SPS.ProfileTierLevel.GeneralLevelIdc)) }

func hevcKind(s *h265.SPS) kind {
	k := kind{profile: int(s.ProfileTierLevel.Profile()), bits: int(max(s.BitDepthLumaMinus8, s.BitDepthChromaMinus8)) + 8,
		width: s.CodedWidth(), height: s.CodedHeight(), slots: s.MaxDecPicBuffering() + 1}
	k.references = min(max(s.MaxDecPicBuffering(), 1), 16)
	if k.profile == h265.ProfileMain10 && k.bits == 8 { // which Main decodes just as well
		k.profile = h265.ProfileMain
	}
	return k
}

// hevcRefuse says why no video queue decodes pictures of s, nil when one may.
func hevcRefuse(s *h265.SPS) error {
	refuse := func(what string) error {
		return fmt.Errorf("vkvideo: H.265 with %s: %w", what, media.ErrNotSupported)
	}
	switch {
	case s.ChromaFormatIdc != 1:
		return refuse("chroma that is not 4:2:0")
	case s.BitDepthLumaMinus8 != s.BitDepthChromaMinus8 || s.BitDepthLumaMinus8 != 0 && s.BitDepthLumaMinus8 != 2:
		return refuse(fmt.Sprintf("%d bits luma, %d chroma", s.BitDepthLumaMinus8+8, s.BitDepthChromaMinus8+8))
	}
	return nil
}

func (c *hevc) annexB() bool { return c.dec.Framing().LengthSize == 0 }

func (c *hevc) parse(data []byte) (err error) {
	c.rest, err = c.dec.Decode(data)
	return err
}

func (c *hevc) next() *picture {
	if len(c.rest) == 0 {
		return nil
	}
	q := &c.rest[0]
	c.rest, c.cur = c.rest[1:], q
	p := &c.p
	*p = picture{id: q.ID, newSequence: q.NewSequence, kind: hevcKind(q.SPS), slot: q.Slot, output: q.Output, freed: q.Freed,
		slices: p.slices[:0], refs: p.refs[:0], key: q.IRAP, intra: q.Intra, reference: q.Reference, hidden: !q.PicOutputFlag,
		corrupt: q.Corrupt, recovering: q.SEI.RecoveryPoint, refuse: hevcRefuse(q.SPS)}
	p.kind.slots = max(p.kind.slots, q.DpbSlots)
	v := &q.SPS.VUI
	p.view = view{crop: q.SPS.Crop(), color: q.SPS.Color(), sar: media.Rational{Num: int32(v.SarWidth), Den: int32(v.SarHeight)}}
	for i := range q.Segments {
		n := &q.Segments[i].NAL
		p.slices = append(p.slices, slice{n.Start, n.Begin, n.End})
	}
	for i := range q.Refs {
		p.refs = append(p.refs, reference{slot: q.Refs[i].Slot})
	}
	return p
}

func (c *hevc) flush() []bitstream.Output     { return c.dec.Flush() }
func (c *hevc) reset()                        { c.dec.Reset() }
func (c *hevc) damage(id bitstream.PictureID) { c.dec.Damage(id) }
func (c *hevc) version() uint32               { return c.cur.ParameterSets }

func (c *hevc) chain(q *vk.VideoInlineQueryInfoKHR) {
	if c.inSets {
		c.sets.PNext = vk.Pointer(q)
	} else {
		c.info.PNext = vk.Pointer(q)
	}
}

func (c *hevc) attach(info *vk.VideoDecodeInfoKHR, offsets []uint32) {
	q := c.cur
	c.std = vk.StdVideoDecodeH265PictureInfo{SpsVideoParameterSetId: q.SPS.SpsVideoParameterSetID, PpsSeqParameterSetId: q.PPS.PpsSeqParameterSetID,
		PpsPicParameterSetId: q.PPS.PpsPicParameterSetID, PicOrderCntVal: q.PicOrderCntVal}
	f := &c.std.Flags
	f.SetIrapPicFlag(bit(q.IRAP))
	f.SetIdrPicFlag(bit(q.IDR))
	f.SetIsReference(bit(q.Reference))
	if len(q.Segments) > 0 && !q.IDR {
		h := &q.Segments[0].Header
		f.SetShortTermRefPicSetSpsFlag(bit(h.ShortTermRefPicSetSpsFlag))
		if !h.ShortTermRefPicSetSpsFlag {
			c.std.NumDeltaPocsOfRefRpsIdx = h.ShortTermRefPicSet.RefNumDeltaPocs
			c.std.NumBitsForSTRefPicSetInSlice = h.ShortTermRefPicSet.Bits
		}
	}
	c.set(&c.std.RefPicSetStCurrBefore, &q.StCurrBefore)
	c.set(&c.std.RefPicSetStCurrAfter, &q.StCurrAfter)
	c.set(&c.std.RefPicSetLtCurr, &q.LtCurr)
	c.info.PNext, c.sets.PNext = nil, nil
	if c.inSets {
		c.info.PNext = vk.Pointer(&c.sets)
	}
	c.info.SliceSegmentCount, c.info.PSliceSegmentOffsets = uint32(len(offsets)), &offsets[0]
	info.PNext = vk.Pointer(&c.info)
}

// noReference stands for a picture that is missing, and for the end of a set.
const noReference = 0xff

// set names a subset of the reference picture set by slots.
func (c *hevc) set(to *[8]uint8, from *h265.RefSet) {
	for i := range to {
		to[i] = noReference
	}
	for i, at := range from.Entries() {
		if i < len(to) && at >= 0 {
			to[i] = uint8(c.cur.Refs[at].Slot)
		}
	}
}

func (c *hevc) reference(i int, info *vk.VideoReferenceSlotInfoKHR) {
	r := &c.refs[i+1]
	*r = vk.StdVideoDecodeH265ReferenceInfo{PicOrderCntVal: c.cur.PicOrderCntVal}
	if i >= 0 {
		q := &c.cur.Refs[i]
		r.PicOrderCntVal = q.PicOrderCntVal
		r.Flags.SetUsedForLongTermReference(bit(q.LongTerm))
	}
	info.PNext = vk.Pointer(&c.slots[i+1])
}

func (c *hevc) inline() error {
	c.inSets = true
	q := c.cur
	if c.sps != q.SPS || c.vps != q.VPS {
		c.sps, c.vps = q.SPS, q.VPS
		c.sets.PStdSPS, c.sets.PStdVPS = hevcSPS(q.SPS), hevcVPS(q.VPS, q.SPS)
	}
	if c.pps != q.PPS {
		c.pps, c.sets.PStdPPS = q.PPS, hevcPPS(q.PPS, q.SPS)
	}
	return nil
}

// create makes an object of all parameter sets that there are.
func (c *hevc) create(s *gpu.VideoSession) (vk.VideoSessionParametersKHR, error) {
	c.inSets = false
	vps, sps, pps := c.all()
	add := &vk.VideoDecodeH265SessionParametersAddInfoKHR{SType: vk.STypeVideoDecodeH265SessionParametersAddInfoKHR,
		StdVPSCount: uint32(len(vps)), PStdVPSs: &vps[0], StdSPSCount: uint32(len(sps)), PStdSPSs: &sps[0], StdPPSCount: uint32(len(pps)), PStdPPSs: &pps[0]}
	return s.NewParameters(vk.Pointer(&vk.VideoDecodeH265SessionParametersCreateInfoKHR{SType: vk.STypeVideoDecodeH265SessionParametersCreateInfoKHR,
		MaxStdVPSCount: uint32(len(vps)), MaxStdSPSCount: uint32(len(sps)), MaxStdPPSCount: uint32(len(pps)), PParametersAddInfo: add}))
}

// all translates all parameter sets, the picture's own among them: see [avc.all].
func (c *hevc) all() (vps []vk.StdVideoH265VideoParameterSet, sps []vk.StdVideoH265SequenceParameterSet, pps []vk.StdVideoH265PictureParameterSet) {
	cur := c.cur
	own := func(id uint8) *h265.SPS {
		if id == cur.SPS.SpsSeqParameterSetID {
			return cur.SPS
		}
		return c.dec.SPS(id)
	}
	var have [16]bool
	have[cur.SPS.SpsVideoParameterSetID&15] = true
	vps = append(vps, *hevcVPS(cur.VPS, cur.SPS))
	for id := range uint8(16) {
		q := own(id)
		if q == nil {
			continue
		}
		sps = append(sps, *hevcSPS(q))
		if v := q.SpsVideoParameterSetID & 15; !have[v] {
			have[v] = true
			vps = append(vps, *hevcVPS(c.dec.VPS(v), q))
		}
	}
	for id := range uint8(64) {
		q := c.dec.PPS(id)
		if id == cur.PPS.PpsPicParameterSetID {
			q = cur.PPS
		}
		if q != nil {
			if of := own(q.PpsSeqParameterSetID); of != nil {
				pps = append(pps, *hevcPPS(q, of))
			}
		}
	}
	return vps, sps, pps
}

// hevcLevels are general_level_idc by StdVideoH265LevelIdc.
var hevcLevels = [...]uint8{30, 60, 63, 90, 93, 120, 123, 150, 153, 156, 180, 183, 186}

// hevcLevel is the level as the video headers number it; one that does not exist is the
// next that does.
func hevcLevel(idc uint8) vk.StdVideoH265LevelIdc {
	for i, l := range hevcLevels {
		if idc <= l {
			return vk.StdVideoH265LevelIdc(i)
		}
	}
	return vk.STD_VIDEO_H265_LEVEL_IDC_6_2
}

func hevcPTL(p *h265.ProfileTierLevel) *vk.StdVideoH265ProfileTierLevel {
	o := &vk.StdVideoH265ProfileTierLevel{GeneralProfileIdc: vk.StdVideoH265ProfileIdc(p.Profile()), GeneralLevelIdc: hevcLevel(p.GeneralLevelIdc)}
	f := &o.Flags
	f.SetGeneralTierFlag(bit(p.GeneralTierFlag))
	f.SetGeneralProgressiveSourceFlag(bit(p.GeneralProgressiveSourceFlag))
	f.SetGeneralInterlacedSourceFlag(bit(p.GeneralInterlacedSourceFlag))
	f.SetGeneralNonPackedConstraintFlag(bit(p.GeneralNonPackedConstraintFlag))
	f.SetGeneralFrameOnlyConstraintFlag(bit(p.GeneralFrameOnlyConstraintFlag))
	return o
}

func hevcOrdering(o *h265.SubLayerOrdering) *vk.StdVideoH265DecPicBufMgr {
	return &vk.StdVideoH265DecPicBufMgr{MaxLatencyIncreasePlus1: o.MaxLatencyIncreasePlus1,
		MaxDecPicBufferingMinus1: o.MaxDecPicBufferingMinus1, MaxNumReorderPics: o.MaxNumReorderPics}
}

// hevcVPS translates a video parameter set. Nothing of it matters to decoding one layer:
// where it has not arrived the sequence parameter set stands for it.
func hevcVPS(v *h265.VPS, s *h265.SPS) *vk.StdVideoH265VideoParameterSet {
	if v == nil {
		o := &vk.StdVideoH265VideoParameterSet{VpsVideoParameterSetId: s.SpsVideoParameterSetID, VpsMaxSubLayersMinus1: s.SpsMaxSubLayersMinus1,
			PDecPicBufMgr: hevcOrdering(&s.Ordering), PProfileTierLevel: hevcPTL(&s.ProfileTierLevel)}
		o.Flags.SetVpsTemporalIdNestingFlag(bit(s.SpsTemporalIDNestingFlag))
		o.Flags.SetVpsSubLayerOrderingInfoPresentFlag(bit(s.SpsSubLayerOrderingInfoPresentFlag))
		return o
	}
	o := &vk.StdVideoH265VideoParameterSet{VpsVideoParameterSetId: v.VpsVideoParameterSetID, VpsMaxSubLayersMinus1: v.VpsMaxSubLayersMinus1,
		PDecPicBufMgr: hevcOrdering(&v.Ordering), PProfileTierLevel: hevcPTL(&v.ProfileTierLevel)}
	o.Flags.SetVpsTemporalIdNestingFlag(bit(v.VpsTemporalIDNestingFlag))
	o.Flags.SetVpsSubLayerOrderingInfoPresentFlag(bit(v.VpsSubLayerOrderingInfoPresent))
	return o
}

func hevcLists(l *h265.ScalingLists) *vk.StdVideoH265ScalingLists {
	o := &vk.StdVideoH265ScalingLists{ScalingList4x4: l.ScalingList4x4, ScalingList8x8: l.ScalingList8x8, ScalingList16x16: l.ScalingList16x16,
		ScalingListDCCoef16x16: l.ScalingListDCCoef16x16}
	for i := range o.ScalingList32x32 { // for luma, intra and inter
		o.ScalingList32x32[i], o.ScalingListDCCoef32x32[i] = l.ScalingList32x32[3*i], l.ScalingListDCCoef32x32[3*i]
	}
	return o
}

// hevcSets translates the short-term reference picture sets.
func hevcSets(sets []h265.ShortTermRefPicSet) []vk.StdVideoH265ShortTermRefPicSet {
	out := make([]vk.StdVideoH265ShortTermRefPicSet, len(sets))
	for i := range sets {
		s, o := &sets[i], &out[i]
		o.Flags.SetInterRefPicSetPredictionFlag(bit(s.InterRefPicSetPredictionFlag))
		o.Flags.SetDeltaRpsSign(bit(s.DeltaRpsSign))
		o.DeltaIdxMinus1, o.AbsDeltaRpsMinus1 = uint32(s.DeltaIdxMinus1), s.AbsDeltaRpsMinus1
		o.UseDeltaFlag, o.UsedByCurrPicFlag = uint16(s.UseDeltaFlag), uint16(s.UsedByCurrPicFlag)
		o.NumNegativePics, o.NumPositivePics = s.NumNegativePics, s.NumPositivePics
		o.UsedByCurrPicS0Flag, o.UsedByCurrPicS1Flag = s.UsedByCurrPicS0, s.UsedByCurrPicS1
		var before int32
		for k := range s.NumNegativePics {
			o.DeltaPocS0Minus1[k] = uint16(before - s.DeltaPocS0[k] - 1)
			before = s.DeltaPocS0[k]
		}
		before = 0
		for k := range s.NumPositivePics {
			o.DeltaPocS1Minus1[k] = uint16(s.DeltaPocS1[k] - before - 1)
			before = s.DeltaPocS1[k]
		}
	}
	return out
}

// hevcSPS translates a sequence parameter set. The VUI is left out: it says nothing about
// decoding.
func hevcSPS(s *h265.SPS) *vk.StdVideoH265SequenceParameterSet {
	o := &vk.StdVideoH265SequenceParameterSet{
		ChromaFormatIdc: vk.StdVideoH265ChromaFormatIdc(s.ChromaFormatIdc), PicWidthInLumaSamples: s.PicWidthInLumaSamples, PicHeightInLumaSamples: s.PicHeightInLumaSamples,
		SpsVideoParameterSetId: s.SpsVideoParameterSetID, SpsMaxSubLayersMinus1: s.SpsMaxSubLayersMinus1, SpsSeqParameterSetId: s.SpsSeqParameterSetID,
		BitDepthLumaMinus8: s.BitDepthLumaMinus8, BitDepthChromaMinus8: s.BitDepthChromaMinus8, Log2MaxPicOrderCntLsbMinus4: s.Log2MaxPicOrderCntLsbMinus4,
		Log2MinLumaCodingBlockSizeMinus3: s.Log2MinLumaCodingBlockSizeMinus3, Log2DiffMaxMinLumaCodingBlockSize: s.Log2DiffMaxMinLumaCodingBlockSize,
		Log2MinLumaTransformBlockSizeMinus2: s.Log2MinLumaTransformBlockSizeMinus2, Log2DiffMaxMinLumaTransformBlockSize: s.Log2DiffMaxMinLumaTransformBlockSize,
		MaxTransformHierarchyDepthInter: s.MaxTransformHierarchyDepthInter, MaxTransformHierarchyDepthIntra: s.MaxTransformHierarchyDepthIntra,
		NumShortTermRefPicSets: s.NumShortTermRefPicSets, NumLongTermRefPicsSps: s.NumLongTermRefPicsSps,
		PcmSampleBitDepthLumaMinus1: s.PcmSampleBitDepthLumaMinus1, PcmSampleBitDepthChromaMinus1: s.PcmSampleBitDepthChromaMinus1,
		Log2MinPcmLumaCodingBlockSizeMinus3: s.Log2MinPcmLumaCodingBlockSizeMinus3, Log2DiffMaxMinPcmLumaCodingBlockSize: s.Log2DiffMaxMinPcmLumaCodingBlockSize,
		ConfWinLeftOffset: s.ConfWinLeftOffset, ConfWinRightOffset: s.ConfWinRightOffset, ConfWinTopOffset: s.ConfWinTopOffset, ConfWinBottomOffset: s.ConfWinBottomOffset,
		PProfileTierLevel: hevcPTL(&s.ProfileTierLevel), PDecPicBufMgr: hevcOrdering(&s.Ordering),
	}
	f := &o.Flags
	f.SetSpsTemporalIdNestingFlag(bit(s.SpsTemporalIDNestingFlag))
	f.SetSeparateColourPlaneFlag(bit(s.SeparateColourPlaneFlag))
	f.SetConformanceWindowFlag(bit(s.ConformanceWindowFlag))
	f.SetSpsSubLayerOrderingInfoPresentFlag(bit(s.SpsSubLayerOrderingInfoPresentFlag))
	f.SetScalingListEnabledFlag(bit(s.ScalingListEnabledFlag))
	f.SetSpsScalingListDataPresentFlag(bit(s.SpsScalingListDataPresentFlag))
	f.SetAmpEnabledFlag(bit(s.AmpEnabledFlag))
	f.SetSampleAdaptiveOffsetEnabledFlag(bit(s.SampleAdaptiveOffsetEnabledFlag))
	f.SetPcmEnabledFlag(bit(s.PcmEnabledFlag))
	f.SetPcmLoopFilterDisabledFlag(bit(s.PcmLoopFilterDisabledFlag))
	f.SetLongTermRefPicsPresentFlag(bit(s.LongTermRefPicsPresentFlag))
	f.SetSpsTemporalMvpEnabledFlag(bit(s.SpsTemporalMvpEnabledFlag))
	f.SetStrongIntraSmoothingEnabledFlag(bit(s.StrongIntraSmoothingEnabledFlag))
	f.SetSpsExtensionPresentFlag(bit(s.SpsExtensionPresentFlag))
	f.SetSpsRangeExtensionFlag(bit(s.SpsRangeExtensionFlag))
	f.SetTransformSkipRotationEnabledFlag(bit(s.TransformSkipRotationEnabledFlag))
	f.SetTransformSkipContextEnabledFlag(bit(s.TransformSkipContextEnabledFlag))
	f.SetImplicitRdpcmEnabledFlag(bit(s.ImplicitRdpcmEnabledFlag))
	f.SetExplicitRdpcmEnabledFlag(bit(s.ExplicitRdpcmEnabledFlag))
	f.SetExtendedPrecisionProcessingFlag(bit(s.ExtendedPrecisionProcessingFlag))
	f.SetIntraSmoothingDisabledFlag(bit(s.IntraSmoothingDisabledFlag))
	f.SetHighPrecisionOffsetsEnabledFlag(bit(s.HighPrecisionOffsetsEnabledFlag))
	f.SetPersistentRiceAdaptationEnabledFlag(bit(s.PersistentRiceAdaptationEnabledFlag))
	f.SetCabacBypassAlignmentEnabledFlag(bit(s.CabacBypassAlignmentEnabledFlag))
	if s.ScalingListEnabledFlag {
		o.PScalingLists = hevcLists(&s.ScalingLists)
	}
	if n := s.NumShortTermRefPicSets; n > 0 {
		o.PShortTermRefPicSet = &hevcSets(s.ShortTermRefPicSets[:n])[0]
	}
	if s.LongTermRefPicsPresentFlag {
		o.PLongTermRefPicsSps = &vk.StdVideoH265LongTermRefPicsSps{UsedByCurrPicLtSpsFlag: s.UsedByCurrPicLtSpsFlag, LtRefPicPocLsbSps: s.LtRefPicPocLsbSps}
	}
	return o
}

// hevcPPS translates a picture parameter set of s.
func hevcPPS(p *h265.PPS, s *h265.SPS) *vk.StdVideoH265PictureParameterSet {
	o := &vk.StdVideoH265PictureParameterSet{
		PpsPicParameterSetId: p.PpsPicParameterSetID, PpsSeqParameterSetId: p.PpsSeqParameterSetID, SpsVideoParameterSetId: s.SpsVideoParameterSetID,
		NumExtraSliceHeaderBits: p.NumExtraSliceHeaderBits, NumRefIdxL0DefaultActiveMinus1: p.NumRefIdxL0DefaultActiveMinus1,
		NumRefIdxL1DefaultActiveMinus1: p.NumRefIdxL1DefaultActiveMinus1, InitQpMinus26: p.InitQpMinus26, DiffCuQpDeltaDepth: p.DiffCuQpDeltaDepth,
		PpsCbQpOffset: p.PpsCbQpOffset, PpsCrQpOffset: p.PpsCrQpOffset, PpsBetaOffsetDiv2: p.PpsBetaOffsetDiv2, PpsTcOffsetDiv2: p.PpsTcOffsetDiv2,
		Log2ParallelMergeLevelMinus2: p.Log2ParallelMergeLevelMinus2, Log2MaxTransformSkipBlockSizeMinus2: p.Log2MaxTransformSkipBlockSizeMinus2,
		DiffCuChromaQpOffsetDepth: p.DiffCuChromaQpOffsetDepth, ChromaQpOffsetListLenMinus1: p.ChromaQpOffsetListLenMinus1,
		CbQpOffsetList: p.CbQpOffsetList, CrQpOffsetList: p.CrQpOffsetList, Log2SaoOffsetScaleLuma: p.Log2SaoOffsetScaleLuma,
		Log2SaoOffsetScaleChroma: p.Log2SaoOffsetScaleChroma, NumTileColumnsMinus1: p.NumTileColumnsMinus1, NumTileRowsMinus1: p.NumTileRowsMinus1,
		ColumnWidthMinus1: p.ColumnWidthMinus1, RowHeightMinus1: p.RowHeightMinus1,
	}
	f := &o.Flags
	f.SetDependentSliceSegmentsEnabledFlag(bit(p.DependentSliceSegmentsEnabledFlag))
	f.SetOutputFlagPresentFlag(bit(p.OutputFlagPresentFlag))
	f.SetSignDataHidingEnabledFlag(bit(p.SignDataHidingEnabledFlag))
	f.SetCabacInitPresentFlag(bit(p.CabacInitPresentFlag))
	f.SetConstrainedIntraPredFlag(bit(p.ConstrainedIntraPredFlag))
	f.SetTransformSkipEnabledFlag(bit(p.TransformSkipEnabledFlag))
	f.SetCuQpDeltaEnabledFlag(bit(p.CuQpDeltaEnabledFlag))
	f.SetPpsSliceChromaQpOffsetsPresentFlag(bit(p.PpsSliceChromaQpOffsetsPresent))
	f.SetWeightedPredFlag(bit(p.WeightedPredFlag))
	f.SetWeightedBipredFlag(bit(p.WeightedBipredFlag))
	f.SetTransquantBypassEnabledFlag(bit(p.TransquantBypassEnabledFlag))
	f.SetTilesEnabledFlag(bit(p.TilesEnabledFlag))
	f.SetEntropyCodingSyncEnabledFlag(bit(p.EntropyCodingSyncEnabledFlag))
	f.SetUniformSpacingFlag(bit(p.UniformSpacingFlag))
	f.SetLoopFilterAcrossTilesEnabledFlag(bit(p.LoopFilterAcrossTilesEnabled))
	f.SetPpsLoopFilterAcrossSlicesEnabledFlag(bit(p.LoopFilterAcrossSlicesEnabled))
	f.SetDeblockingFilterControlPresentFlag(bit(p.DeblockingFilterControlPresentFlag))
	f.SetDeblockingFilterOverrideEnabledFlag(bit(p.DeblockingFilterOverrideEnabledFlag))
	f.SetPpsDeblockingFilterDisabledFlag(bit(p.PpsDeblockingFilterDisabledFlag))
	f.SetPpsScalingListDataPresentFlag(bit(p.PpsScalingListDataPresentFlag))
	f.SetListsModificationPresentFlag(bit(p.ListsModificationPresentFlag))
	f.SetSliceSegmentHeaderExtensionPresentFlag(bit(p.SliceSegmentHeaderExtensionPresent))
	f.SetPpsExtensionPresentFlag(bit(p.PpsExtensionPresentFlag))
	f.SetPpsRangeExtensionFlag(bit(p.PpsRangeExtensionFlag))
	f.SetCrossComponentPredictionEnabledFlag(bit(p.CrossComponentPredictionEnabledFlag))
	f.SetChromaQpOffsetListEnabledFlag(bit(p.ChromaQpOffsetListEnabledFlag))
	if p.PpsScalingListDataPresentFlag {
		o.PScalingLists = hevcLists(&p.ScalingLists)
	}
	return o
}
