package vkvideo

import (
	"fmt"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/decode/bitstream/h264"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// avc is H.264.
type avc struct {
	dec  *h264.Decoder
	rest []h264.Picture // not yet returned by next
	cur  *h264.Picture
	p    picture

	// What Vulkan reads of the current picture; index 0 of the slots is its own.
	info   vk.VideoDecodeH264PictureInfoKHR
	std    vk.StdVideoDecodeH264PictureInfo
	slots  [maxSlots + 1]vk.VideoDecodeH264DpbSlotInfoKHR
	refs   [maxSlots + 1]vk.StdVideoDecodeH264ReferenceInfo
	sets   vk.VideoDecodeH264InlineSessionParametersInfoKHR
	inSets bool
	sps    *h264.SPS // that sets.PStdSPS was made of
	pps    *h264.PPS
}

func newH264(s *media.Stream) (codec, error) {
	dec, err := h264.NewDecoder(h264.Config{ExtraData: s.ExtraData})
	if err != nil {
		return nil, fmt.Errorf("vkvideo: %w", err)
	}
	c := &avc{dec: dec}
	c.p.slices, c.p.refs = make([]slice, 0, 64), make([]reference, 0, maxSlots)
	c.info = vk.VideoDecodeH264PictureInfoKHR{SType: vk.STypeVideoDecodeH264PictureInfoKHR, PStdPictureInfo: &c.std}
	for i := range c.slots {
		c.slots[i] = vk.VideoDecodeH264DpbSlotInfoKHR{SType: vk.STypeVideoDecodeH264DpbSlotInfoKHR, PStdReferenceInfo: &c.refs[i]}
	}
	c.sets.SType = vk.STypeVideoDecodeH264InlineSessionParametersInfoKHR
	return c, nil
}

func (c *avc) profile(k *kind) *gpu.VideoProfile { return gpu.H264Profile(k.profile, k.interlaced) }

func (c *avc) usual() int { return h264.ProfileHigh }

func (c *avc) known() (k kind, level int32, ok bool) {
	for id := range 32 {
		if s := c.dec.SPS(uint8(id)); s != nil {
			return avcKind(s), int32(avcLevel(s)), true
		}
	}
	return kind{}, 0, false
}

func (c *avc) level() int32 { return int32(avcLevel(c.cur.SPS)) }

func avcKind(s *h264.SPS) kind {
	return kind{profile: int(s.ProfileIdc), bits: int(s.BitDepthLumaMinus8) + 8, interlaced: !s.FrameMbsOnlyFlag,
		width: s.CodedWidth(), height: s.CodedHeight(), slots: s.DpbFrames() + 1, references: max(int(s.MaxNumRefFrames), 1)}
}

// avcRefuse says why no video queue decodes pictures of s and p, nil when one may.
func avcRefuse(s *h264.SPS, p *h264.Picture) error {
	refuse := func(what string) error {
		return fmt.Errorf("vkvideo: H.264 with %s: %w", what, media.ErrNotSupported)
	}
	switch {
	case s.ChromaFormatIdc != 1:
		return refuse("chroma that is not 4:2:0")
	case s.BitDepthLumaMinus8 != 0 || s.BitDepthChromaMinus8 != 0:
		return refuse("more than 8 bits a sample")
	}
	for i := range p.Slices {
		if p.Slices[i].PPS != p.PPS {
			return refuse("several parameter sets in a picture")
		}
	}
	for i := range p.Refs {
		// Hardware orders the reference lists itself, and would do so without the frames that
		// were never sent.
		if p.Refs[i].NonExisting && !p.Refs[i].Corrupt && !p.Intra {
			return refuse("gaps between frame numbers")
		}
	}
	return nil
}

func (c *avc) annexB() bool { return c.dec.Framing().LengthSize == 0 }

func (c *avc) parse(data []byte) (err error) {
	c.rest, err = c.dec.Decode(data)
	return err
}

func (c *avc) next() *picture {
	if len(c.rest) == 0 {
		return nil
	}
	q := &c.rest[0]
	c.rest, c.cur = c.rest[1:], q
	p := &c.p
	*p = picture{id: q.ID, newSequence: q.NewSequence, kind: avcKind(q.SPS), slot: q.Slot, output: q.Output, freed: q.Freed,
		slices: p.slices[:0], refs: p.refs[:0], key: q.IDR || q.SEI.RecoveryPoint, intra: q.Intra, reference: q.Reference, nonExisting: q.NonExisting,
		corrupt: q.Corrupt, recovering: q.SEI.RecoveryPoint, refuse: avcRefuse(q.SPS, q)}
	p.kind.slots = max(p.kind.slots, q.DpbSlots)
	v := &q.SPS.VUI
	p.view = view{crop: q.SPS.Crop(), color: q.SPS.Color(), sar: media.Rational{Num: int32(v.SarWidth), Den: int32(v.SarHeight)}}
	for i := range q.Slices {
		n := &q.Slices[i].NAL
		p.slices = append(p.slices, slice{n.Start, n.Begin, n.End})
	}
	for i := range q.Refs {
		p.refs = append(p.refs, reference{q.Refs[i].Slot, q.Refs[i].NonExisting})
	}
	return p
}

func (c *avc) flush() []bitstream.Output     { return c.dec.Flush() }
func (c *avc) reset()                        { c.dec.Reset() }
func (c *avc) damage(id bitstream.PictureID) { c.dec.Damage(id) }
func (c *avc) version() uint32               { return c.cur.ParameterSets }
func (c *avc) chain(q *vk.VideoInlineQueryInfoKHR) {
	if c.inSets {
		c.sets.PNext = vk.Pointer(q)
	} else {
		c.info.PNext = vk.Pointer(q)
	}
}

func (c *avc) attach(info *vk.VideoDecodeInfoKHR, offsets []uint32) {
	q := c.cur
	c.std = vk.StdVideoDecodeH264PictureInfo{SeqParameterSetId: q.SPS.SeqParameterSetID, PicParameterSetId: q.PPS.PicParameterSetID,
		FrameNum: uint16(q.FrameNum), IdrPicId: q.IdrPicID, PicOrderCnt: q.PicOrderCnt}
	f := &c.std.Flags
	f.SetIsIntra(bit(q.Intra))
	f.SetIdrPicFlag(bit(q.IDR))
	f.SetIsReference(bit(q.Reference))
	c.info.PNext, c.sets.PNext = nil, nil
	if c.inSets {
		c.info.PNext = vk.Pointer(&c.sets)
	}
	c.info.SliceCount, c.info.PSliceOffsets = uint32(len(offsets)), &offsets[0]
	info.PNext = vk.Pointer(&c.info)
}

func (c *avc) reference(i int, info *vk.VideoReferenceSlotInfoKHR) {
	r := &c.refs[i+1]
	*r = vk.StdVideoDecodeH264ReferenceInfo{FrameNum: uint16(c.cur.FrameNum), PicOrderCnt: c.cur.PicOrderCnt}
	if i >= 0 {
		q := &c.cur.Refs[i]
		r.FrameNum, r.PicOrderCnt = uint16(q.FrameNum), q.PicOrderCnt
		if q.LongTerm {
			r.Flags.SetUsedForLongTermReference(1)
			r.FrameNum = uint16(q.LongTermFrameIdx)
		}
	}
	info.PNext = vk.Pointer(&c.slots[i+1])
}

// inline hangs the picture's own parameter sets on it. They are translated when they
// change.
func (c *avc) inline() error {
	c.inSets = true
	if c.sps != c.cur.SPS {
		c.sps, c.sets.PStdSPS = c.cur.SPS, avcSPS(c.cur.SPS)
	}
	if c.pps != c.cur.PPS {
		c.pps, c.sets.PStdPPS = c.cur.PPS, avcPPS(c.cur.PPS)
	}
	return nil
}

// create makes an object of all parameter sets that there are.
func (c *avc) create(s *gpu.VideoSession) (vk.VideoSessionParametersKHR, error) {
	c.inSets = false
	sps, pps := c.all()
	add := &vk.VideoDecodeH264SessionParametersAddInfoKHR{SType: vk.STypeVideoDecodeH264SessionParametersAddInfoKHR,
		StdSPSCount: uint32(len(sps)), PStdSPSs: &sps[0], StdPPSCount: uint32(len(pps)), PStdPPSs: &pps[0]}
	return s.NewParameters(vk.Pointer(&vk.VideoDecodeH264SessionParametersCreateInfoKHR{SType: vk.STypeVideoDecodeH264SessionParametersCreateInfoKHR,
		MaxStdSPSCount: uint32(len(sps)), MaxStdPPSCount: uint32(len(pps)), PParametersAddInfo: add}))
}

// all translates all parameter sets. Those of the picture are its own: where a unit holds
// several pictures, the decoder may have newer ones of the same number by now.
func (c *avc) all() (sps []vk.StdVideoH264SequenceParameterSet, pps []vk.StdVideoH264PictureParameterSet) {
	own := func(id uint8) *h264.SPS {
		if id == c.cur.SPS.SeqParameterSetID {
			return c.cur.SPS
		}
		return c.dec.SPS(id)
	}
	for id := range uint8(32) {
		if q := own(id); q != nil {
			sps = append(sps, *avcSPS(q))
		}
	}
	for id := range 256 {
		q := c.dec.PPS(uint8(id))
		if uint8(id) == c.cur.PPS.PicParameterSetID {
			q = c.cur.PPS
		}
		if q != nil && own(q.SeqParameterSetID) != nil {
			pps = append(pps, *avcPPS(q))
		}
	}
	return sps, pps
}

func bit(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// avcLevels are level_idc by StdVideoH264LevelIdc.
var avcLevels = [...]uint8{10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52, 60, 61, 62}

// avcLevel is the level as the video headers number it; one that does not exist is the
// next that does.
func avcLevel(s *h264.SPS) vk.StdVideoH264LevelIdc {
	for i, l := range avcLevels {
		if s.LevelIdc <= l {
			return vk.StdVideoH264LevelIdc(i)
		}
	}
	return vk.STD_VIDEO_H264_LEVEL_IDC_6_2
}

func avcLists(l *h264.ScalingLists) *vk.StdVideoH264ScalingLists {
	return &vk.StdVideoH264ScalingLists{ScalingListPresentMask: l.PresentMask, UseDefaultScalingMatrixMask: l.UseDefaultMask,
		ScalingList4x4: l.ScalingList4x4, ScalingList8x8: l.ScalingList8x8}
}

// avcSPS translates a sequence parameter set. The VUI is left out: it says nothing about
// decoding.
func avcSPS(s *h264.SPS) *vk.StdVideoH264SequenceParameterSet {
	o := &vk.StdVideoH264SequenceParameterSet{
		ProfileIdc: vk.StdVideoH264ProfileIdc(s.ProfileIdc), LevelIdc: avcLevel(s), ChromaFormatIdc: vk.StdVideoH264ChromaFormatIdc(s.ChromaFormatIdc),
		SeqParameterSetId: s.SeqParameterSetID, BitDepthLumaMinus8: s.BitDepthLumaMinus8, BitDepthChromaMinus8: s.BitDepthChromaMinus8,
		Log2MaxFrameNumMinus4: s.Log2MaxFrameNumMinus4, PicOrderCntType: vk.StdVideoH264PocType(s.PicOrderCntType),
		OffsetForNonRefPic: s.OffsetForNonRefPic, OffsetForTopToBottomField: s.OffsetForTopToBottomField,
		Log2MaxPicOrderCntLsbMinus4: s.Log2MaxPicOrderCntLsbMinus4, NumRefFramesInPicOrderCntCycle: s.NumRefFramesInPicOrderCntCycle,
		MaxNumRefFrames: s.MaxNumRefFrames, PicWidthInMbsMinus1: s.PicWidthInMbsMinus1, PicHeightInMapUnitsMinus1: s.PicHeightInMapUnitsMinus1,
		FrameCropLeftOffset: s.FrameCropLeftOffset, FrameCropRightOffset: s.FrameCropRightOffset,
		FrameCropTopOffset: s.FrameCropTopOffset, FrameCropBottomOffset: s.FrameCropBottomOffset,
	}
	f := &o.Flags
	f.SetConstraintSet0Flag(uint32(s.ConstraintSetFlags >> 7 & 1))
	f.SetConstraintSet1Flag(uint32(s.ConstraintSetFlags >> 6 & 1))
	f.SetConstraintSet2Flag(uint32(s.ConstraintSetFlags >> 5 & 1))
	f.SetConstraintSet3Flag(uint32(s.ConstraintSetFlags >> 4 & 1))
	f.SetConstraintSet4Flag(uint32(s.ConstraintSetFlags >> 3 & 1))
	f.SetConstraintSet5Flag(uint32(s.ConstraintSetFlags >> 2 & 1))
	f.SetDirect8x8InferenceFlag(bit(s.Direct8x8InferenceFlag))
	f.SetMbAdaptiveFrameFieldFlag(bit(s.MbAdaptiveFrameFieldFlag))
	f.SetFrameMbsOnlyFlag(bit(s.FrameMbsOnlyFlag))
	f.SetDeltaPicOrderAlwaysZeroFlag(bit(s.DeltaPicOrderAlwaysZeroFlag))
	f.SetSeparateColourPlaneFlag(bit(s.SeparateColourPlaneFlag))
	f.SetGapsInFrameNumValueAllowedFlag(bit(s.GapsInFrameNumValueAllowedFlag))
	f.SetQpprimeYZeroTransformBypassFlag(bit(s.QpprimeYZeroTransformBypassFlag))
	f.SetFrameCroppingFlag(bit(s.FrameCroppingFlag))
	f.SetSeqScalingMatrixPresentFlag(bit(s.SeqScalingMatrixPresentFlag))
	if s.NumRefFramesInPicOrderCntCycle > 0 {
		o.POffsetForRefFrame = &s.OffsetForRefFrame[0]
	}
	if s.SeqScalingMatrixPresentFlag {
		o.PScalingLists = avcLists(&s.ScalingLists)
	}
	return o
}

// avcPPS translates a picture parameter set.
func avcPPS(p *h264.PPS) *vk.StdVideoH264PictureParameterSet {
	o := &vk.StdVideoH264PictureParameterSet{
		SeqParameterSetId: p.SeqParameterSetID, PicParameterSetId: p.PicParameterSetID,
		NumRefIdxL0DefaultActiveMinus1: p.NumRefIdxL0DefaultActiveMinus1, NumRefIdxL1DefaultActiveMinus1: p.NumRefIdxL1DefaultActiveMinus1,
		WeightedBipredIdc: vk.StdVideoH264WeightedBipredIdc(p.WeightedBipredIdc), PicInitQpMinus26: p.PicInitQpMinus26, PicInitQsMinus26: p.PicInitQsMinus26,
		ChromaQpIndexOffset: p.ChromaQpIndexOffset, SecondChromaQpIndexOffset: p.SecondChromaQpIndexOffset,
	}
	f := &o.Flags
	f.SetTransform8x8ModeFlag(bit(p.Transform8x8ModeFlag))
	f.SetRedundantPicCntPresentFlag(bit(p.RedundantPicCntPresentFlag))
	f.SetConstrainedIntraPredFlag(bit(p.ConstrainedIntraPredFlag))
	f.SetDeblockingFilterControlPresentFlag(bit(p.DeblockingFilterControlPresentFlag))
	f.SetWeightedPredFlag(bit(p.WeightedPredFlag))
	f.SetBottomFieldPicOrderInFramePresentFlag(bit(p.BottomFieldPicOrderInFramePresentFlag))
	f.SetEntropyCodingModeFlag(bit(p.EntropyCodingModeFlag))
	f.SetPicScalingMatrixPresentFlag(bit(p.PicScalingMatrixPresentFlag))
	if p.PicScalingMatrixPresentFlag {
		o.PScalingLists = avcLists(&p.ScalingLists)
	}
	return o
}
