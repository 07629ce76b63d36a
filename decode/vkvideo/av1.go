package vkvideo

import (
	"fmt"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/decode/bitstream/av1"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// aom is AV1.
type aom struct {
	dec  *av1.Decoder
	rest []av1.Picture // not yet returned by next
	cur  *av1.Picture
	p    picture

	// What Vulkan reads of the current picture; index 0 of the slots is its own.
	info     vk.VideoDecodeAV1PictureInfoKHR
	std      vk.StdVideoDecodeAV1PictureInfo
	tiles    vk.StdVideoAV1TileInfo
	quant    vk.StdVideoAV1Quantization
	segments vk.StdVideoAV1Segmentation
	filter   vk.StdVideoAV1LoopFilter
	cdef     vk.StdVideoAV1CDEF
	restore  vk.StdVideoAV1LoopRestoration
	motion   vk.StdVideoAV1GlobalMotion
	grain    vk.StdVideoAV1FilmGrain
	starts   [2][av1.MaxTileCols + 1]uint16 // of tile columns and rows
	sizes    []uint32                       // of tiles
	slots    [av1.MaxSlots]vk.VideoDecodeAV1DpbSlotInfoKHR
	refs     [av1.MaxSlots]vk.StdVideoDecodeAV1ReferenceInfo
	set      vk.VideoDecodeAV1InlineSessionParametersInfoKHR
	inSet    bool
	seq      *av1.Sequence // that set.PStdSequenceHeader was made of
}

func newAV1(s *media.Stream) (codec, error) {
	dec, err := av1.NewDecoder(av1.Config{ExtraData: s.ExtraData})
	if err != nil {
		return nil, fmt.Errorf("vkvideo: %w", err)
	}
	c := &aom{dec: dec}
	c.p.slices, c.p.refs = make([]slice, 0, 64), make([]reference, 0, av1.RefsPerFrame)
	c.sizes = make([]uint32, 0, 64)
	c.info = vk.VideoDecodeAV1PictureInfoKHR{SType: vk.STypeVideoDecodeAV1PictureInfoKHR, PStdPictureInfo: &c.std}
	for i := range c.slots {
		c.slots[i] = vk.VideoDecodeAV1DpbSlotInfoKHR{SType: vk.STypeVideoDecodeAV1DpbSlotInfoKHR, PStdReferenceInfo: &c.refs[i]}
	}
	c.set.SType = vk.STypeVideoDecodeAV1InlineSessionParametersInfoKHR
	return c, nil
}

func (c *aom) profile(k *kind) *gpu.VideoProfile { return gpu.AV1Profile(k.profile, k.bits, k.grain) }

func (c *aom) usual() int { return av1.ProfileMain }

func (c *aom) known() (k kind, level int32, ok bool) {
	s := c.dec.Sequence()
	if s == nil {
		return kind{}, 0, false
	}
	return aomKind(s), aomLevel(s, c.dec.OperatingPoint()), true
}

func (c *aom) level() int32 { return aomLevel(c.cur.Sequence, c.cur.OperatingPoint) }

// aomLevel is the level as the video headers number it, which is seq_level_idx; a stream
// without promises is judged by its size alone.
func aomLevel(s *av1.Sequence, op int) int32 {
	if l := int32(s.OperatingPoints[op].SeqLevelIdx); l <= int32(vk.STD_VIDEO_AV1_LEVEL_7_3) {
		return l
	}
	return 0
}

func aomKind(s *av1.Sequence) kind {
	return kind{profile: int(s.SeqProfile), bits: s.ColorConfig.BitDepth(), grain: s.FilmGrainParamsPresent,
		width: s.MaxWidth(), height: s.MaxHeight(), slots: av1.MaxSlots, references: av1.RefsPerFrame}
}

// aomRefuse says why no video queue decodes pictures of s, nil when one may.
func aomRefuse(s *av1.Sequence) error {
	refuse := func(what string) error {
		return fmt.Errorf("vkvideo: AV1 with %s: %w", what, media.ErrNotSupported)
	}
	switch c := &s.ColorConfig; {
	case c.MonoChrome || !c.SubsamplingX || !c.SubsamplingY:
		return refuse("chroma that is not 4:2:0")
	case c.BitDepth() > 10:
		return refuse("12 bits")
	}
	return nil
}

// annexB says that access units can be read where they lie.
func (c *aom) annexB() bool { return true }

func (c *aom) parse(data []byte) (err error) {
	c.rest, err = c.dec.Decode(data)
	return err
}

func (c *aom) next() *picture {
	if len(c.rest) == 0 {
		return nil
	}
	q := &c.rest[0]
	c.rest, c.cur = c.rest[1:], q
	p, f := &c.p, &q.Frame
	*p = picture{id: q.ID, newSequence: q.NewSequence, kind: aomKind(q.Sequence), slot: q.Slot, output: q.Output, freed: q.Freed,
		slices: p.slices[:0], refs: p.refs[:0], key: q.Key(), intra: f.Intra(), reference: f.RefreshFrameFlags != 0,
		corrupt: q.Corrupt, refuse: aomRefuse(q.Sequence), width: f.UpscaledWidth, height: f.FrameHeight,
		raw: true, head: q.HeaderOBU, needsAll: true, grain: f.FilmGrain.ApplyGrain, keep: true, existing: q.Existing}
	p.view = view{crop: bitstream.Rect{Width: f.UpscaledWidth, Height: f.FrameHeight}, color: q.Sequence.Color()}
	p.view.sar = sampleAspect(f.FrameHeight*f.RenderWidth, f.UpscaledWidth*f.RenderHeight) // render_size has square samples
	if !q.Missing.Any() {
		for _, t := range q.Tiles {
			p.slices = append(p.slices, slice{t.Begin, t.Begin, t.End})
		}
	}
	for i := range q.Refs {
		p.refs = append(p.refs, reference{slot: q.Refs[i].Slot})
	}
	return p
}

// sampleAspect is num:den in lowest terms, or nearly so where those are too large.
func sampleAspect(num, den int) media.Rational {
	a, b := num, den
	for b != 0 {
		a, b = b, a%b
	}
	if a > 1 {
		num, den = num/a, den/a
	}
	for num > 1<<31-1 || den > 1<<31-1 {
		num, den = num>>1, den>>1
	}
	return media.Rational{Num: int32(num), Den: int32(den)}
}

func (c *aom) flush() []bitstream.Output     { return c.dec.Flush() }
func (c *aom) reset()                        { c.dec.Reset() }
func (c *aom) damage(id bitstream.PictureID) { c.dec.Damage(id) }
func (c *aom) version() uint32               { return c.cur.Sequences }

func (c *aom) chain(q *vk.VideoInlineQueryInfoKHR) {
	if c.inSet {
		c.set.PNext = vk.Pointer(q)
	} else {
		c.info.PNext = vk.Pointer(q)
	}
}

func (c *aom) attach(info *vk.VideoDecodeInfoKHR, offsets []uint32) {
	q := c.cur
	c.info.PNext, c.set.PNext = nil, nil
	if c.inSet {
		c.info.PNext = vk.Pointer(&c.set)
	}
	// Offsets count from where the range that the GPU reads begins.
	c.info.FrameHeaderOffset = offsets[0] - uint32(q.Tiles[0].Begin-q.Header)
	c.sizes = c.sizes[:0]
	for _, t := range q.Tiles {
		c.sizes = append(c.sizes, uint32(t.End-t.Begin))
	}
	c.info.TileCount, c.info.PTileOffsets, c.info.PTileSizes = uint32(len(offsets)), &offsets[0], &c.sizes[0]
	for i, at := range q.RefIndex {
		c.info.ReferenceNameSlotIndices[i] = -1
		if at >= 0 {
			c.info.ReferenceNameSlotIndices[i] = int32(q.Refs[at].Slot)
		}
	}
	c.picture(&q.Frame)
	c.coding(&q.Frame)
	info.PNext = vk.Pointer(&c.info)
}

// picture fills in what is said of a frame as a whole.
func (c *aom) picture(f *av1.Frame) {
	o := &c.std
	*o = vk.StdVideoDecodeAV1PictureInfo{FrameType: vk.StdVideoAV1FrameType(f.FrameType), CurrentFrameId: f.CurrentFrameID, OrderHint: f.OrderHint,
		PrimaryRefFrame: f.PrimaryRefFrame, RefreshFrameFlags: f.RefreshFrameFlags, InterpolationFilter: vk.StdVideoAV1InterpolationFilter(f.InterpolationFilter),
		TxMode: vk.StdVideoAV1TxMode(f.TxMode), DeltaQRes: f.DeltaQRes, DeltaLfRes: f.DeltaLfRes, SkipModeFrame: f.SkipModeFrame,
		CodedDenom: f.CodedDenom, OrderHints: f.OrderHints, PTileInfo: &c.tiles, PQuantization: &c.quant, PSegmentation: &c.segments,
		PLoopFilter: &c.filter, PCDEF: &c.cdef, PLoopRestoration: &c.restore, PGlobalMotion: &c.motion}
	copy(o.ExpectedFrameId[av1.LastFrame:], f.ExpectedFrameID[:])
	b := &o.Flags
	b.SetErrorResilientMode(bit(f.ErrorResilientMode))
	b.SetDisableCdfUpdate(bit(f.DisableCdfUpdate))
	b.SetUseSuperres(bit(f.UseSuperres))
	b.SetRenderAndFrameSizeDifferent(bit(f.RenderAndFrameSizeDifferent))
	b.SetAllowScreenContentTools(bit(f.AllowScreenContentTools))
	b.SetIsFilterSwitchable(bit(f.IsFilterSwitchable))
	b.SetForceIntegerMv(bit(f.ForceIntegerMv))
	b.SetFrameSizeOverrideFlag(bit(f.FrameSizeOverrideFlag))
	b.SetBufferRemovalTimePresentFlag(bit(f.BufferRemovalTimePresentFlag))
	b.SetAllowIntrabc(bit(f.AllowIntrabc))
	b.SetFrameRefsShortSignaling(bit(f.FrameRefsShortSignaling))
	b.SetAllowHighPrecisionMv(bit(f.AllowHighPrecisionMv))
	b.SetIsMotionModeSwitchable(bit(f.IsMotionModeSwitchable))
	b.SetUseRefFrameMvs(bit(f.UseRefFrameMvs))
	b.SetDisableFrameEndUpdateCdf(bit(f.DisableFrameEndUpdateCdf))
	b.SetAllowWarpedMotion(bit(f.AllowWarpedMotion))
	b.SetReducedTxSet(bit(f.ReducedTxSet))
	b.SetReferenceSelect(bit(f.ReferenceSelect))
	b.SetSkipModePresent(bit(f.SkipModePresent))
	b.SetDeltaQPresent(bit(f.DeltaQPresent))
	b.SetDeltaLfPresent(bit(f.DeltaLfPresent))
	b.SetDeltaLfMulti(bit(f.DeltaLfMulti))
	b.SetSegmentationEnabled(bit(f.Segmentation.SegmentationEnabled))
	b.SetSegmentationUpdateMap(bit(f.Segmentation.SegmentationUpdateMap))
	b.SetSegmentationTemporalUpdate(bit(f.Segmentation.SegmentationTemporalUpdate))
	b.SetSegmentationUpdateData(bit(f.Segmentation.SegmentationUpdateData))
	b.SetUsesLr(bit(f.LoopRestoration.UsesLr))
	b.SetUsesChromaLr(bit(f.LoopRestoration.UsesChromaLr))
	if g := &f.FilmGrain; g.ApplyGrain {
		b.SetApplyGrain(1)
		o.PFilmGrain = &c.grain
		c.filmGrain(g)
	}
}

// coding fills in the parameters of the coding tools.
func (c *aom) coding(f *av1.Frame) {
	t := &f.TileInfo
	c.tiles = vk.StdVideoAV1TileInfo{TileCols: t.TileCols, TileRows: t.TileRows, ContextUpdateTileId: t.ContextUpdateTileID, TileSizeBytesMinus1: t.TileSizeBytesMinus1,
		PMiColStarts: &c.starts[0][0], PMiRowStarts: &c.starts[1][0], PWidthInSbsMinus1: &t.WidthInSbsMinus1[0], PHeightInSbsMinus1: &t.HeightInSbsMinus1[0]}
	c.tiles.Flags.SetUniformTileSpacingFlag(bit(t.UniformTileSpacingFlag))
	// In superblocks, though the names say blocks of 4x4 samples: an assumption about what
	// drivers want that no device here has confirmed. See Proven.
	shift := 4
	if c.cur.Sequence.Use128x128Superblock {
		shift = 5
	}
	for i := range t.TileCols {
		c.starts[0][i] = t.MiColStarts[i] >> shift
	}
	for i := range t.TileRows {
		c.starts[1][i] = t.MiRowStarts[i] >> shift
	}

	n := &f.Quantization
	c.quant = vk.StdVideoAV1Quantization{BaseQIdx: n.BaseQIdx, DeltaQYDc: n.DeltaQYDc, DeltaQUDc: n.DeltaQUDc, DeltaQUAc: n.DeltaQUAc,
		DeltaQVDc: n.DeltaQVDc, DeltaQVAc: n.DeltaQVAc, QmY: n.QmY, QmU: n.QmU, QmV: n.QmV}
	c.quant.Flags.SetUsingQmatrix(bit(n.UsingQmatrix))
	c.quant.Flags.SetDiffUvDelta(bit(n.DiffUVDelta))

	c.segments = vk.StdVideoAV1Segmentation{FeatureEnabled: f.Segmentation.FeatureEnabled, FeatureData: f.Segmentation.FeatureData}

	l := &f.LoopFilter
	c.filter = vk.StdVideoAV1LoopFilter{LoopFilterLevel: l.LoopFilterLevel, LoopFilterSharpness: l.LoopFilterSharpness, UpdateRefDelta: l.UpdateRefDelta,
		LoopFilterRefDeltas: l.LoopFilterRefDeltas, UpdateModeDelta: l.UpdateModeDelta, LoopFilterModeDeltas: l.LoopFilterModeDeltas}
	c.filter.Flags.SetLoopFilterDeltaEnabled(bit(l.LoopFilterDeltaEnabled))
	c.filter.Flags.SetLoopFilterDeltaUpdate(bit(l.LoopFilterDeltaUpdate))

	d := &f.Cdef
	c.cdef = vk.StdVideoAV1CDEF{CdefDampingMinus3: d.CdefDampingMinus3, CdefBits: d.CdefBits, CdefYPriStrength: d.CdefYPriStrength,
		CdefYSecStrength: d.CdefYSecStrength, CdefUvPriStrength: d.CdefUVPriStrength, CdefUvSecStrength: d.CdefUVSecStrength}

	// Another such assumption: the size is counted as 1 for 64 samples, 2 for 128 and 3 for
	// 256.
	r := &f.LoopRestoration
	c.restore = vk.StdVideoAV1LoopRestoration{}
	for i, kind := range r.FrameRestorationType {
		c.restore.FrameRestorationType[i] = vk.StdVideoAV1FrameRestorationType(kind)
		c.restore.LoopRestorationSize[i] = uint16(1 + r.LrUnitShift)
		if i > 0 {
			c.restore.LoopRestorationSize[i] -= uint16(r.LrUVShift)
		}
	}

	c.motion = vk.StdVideoAV1GlobalMotion{GmType: f.GmType, GmParams: f.GlobalMotion}
}

func (c *aom) filmGrain(g *av1.FilmGrain) {
	o := &c.grain
	*o = vk.StdVideoAV1FilmGrain{GrainScalingMinus8: g.GrainScalingMinus8, ArCoeffLag: g.ArCoeffLag, ArCoeffShiftMinus6: g.ArCoeffShiftMinus6,
		GrainScaleShift: g.GrainScaleShift, GrainSeed: g.GrainSeed, FilmGrainParamsRefIdx: g.FilmGrainParamsRefIdx,
		NumYPoints: g.NumYPoints, PointYValue: g.PointYValue, PointYScaling: g.PointYScaling,
		NumCbPoints: g.NumCbPoints, PointCbValue: g.PointCbValue, PointCbScaling: g.PointCbScaling,
		NumCrPoints: g.NumCrPoints, PointCrValue: g.PointCrValue, PointCrScaling: g.PointCrScaling,
		CbMult: g.CbMult, CbLumaMult: g.CbLumaMult, CbOffset: g.CbOffset, CrMult: g.CrMult, CrLumaMult: g.CrLumaMult, CrOffset: g.CrOffset}
	for i, v := range g.ArCoeffsYPlus128 {
		o.ArCoeffsYPlus128[i] = int8(v)
	}
	for i := range g.ArCoeffsCbPlus128 {
		o.ArCoeffsCbPlus128[i], o.ArCoeffsCrPlus128[i] = int8(g.ArCoeffsCbPlus128[i]), int8(g.ArCoeffsCrPlus128[i])
	}
	o.Flags.SetChromaScalingFromLuma(bit(g.ChromaScalingFromLuma))
	o.Flags.SetOverlapFlag(bit(g.OverlapFlag))
	o.Flags.SetClipToRestrictedRange(bit(g.ClipToRestrictedRange))
	o.Flags.SetUpdateGrain(bit(g.UpdateGrain))
}

func (c *aom) reference(i int, info *vk.VideoReferenceSlotInfoKHR) {
	r := &c.refs[i+1]
	if i < 0 {
		f := &c.cur.Frame
		aomReference(r, f.FrameType, f.OrderHint, &f.OrderHints, &f.RefFrameSignBias, f.DisableFrameEndUpdateCdf, f.Segmentation.SegmentationEnabled)
	} else {
		q := &c.cur.Refs[i]
		aomReference(r, q.FrameType, q.OrderHint, &q.OrderHints, &q.RefFrameSignBias, q.DisableFrameEndUpdateCdf, q.SegmentationEnabled)
	}
	info.PNext = vk.Pointer(&c.slots[i+1])
}

func aomReference(o *vk.StdVideoDecodeAV1ReferenceInfo, kind av1.FrameType, hint uint8, hints *[8]uint8, bias *[8]bool, noUpdate, segments bool) {
	*o = vk.StdVideoDecodeAV1ReferenceInfo{FrameType: uint8(kind), OrderHint: hint, SavedOrderHints: *hints}
	for i, b := range bias {
		o.RefFrameSignBias |= uint8(bit(b)) << i
	}
	o.Flags.SetDisableFrameEndUpdateCdf(bit(noUpdate))
	o.Flags.SetSegmentationEnabled(bit(segments))
}

func (c *aom) inline() error {
	c.inSet = true
	if c.seq != c.cur.Sequence {
		c.seq, c.set.PStdSequenceHeader = c.cur.Sequence, aomSequence(c.cur.Sequence)
	}
	return nil
}

func (c *aom) create(s *gpu.VideoSession) (vk.VideoSessionParametersKHR, error) {
	c.inSet = false
	return s.NewParameters(vk.Pointer(&vk.VideoDecodeAV1SessionParametersCreateInfoKHR{SType: vk.STypeVideoDecodeAV1SessionParametersCreateInfoKHR,
		PStdSequenceHeader: aomSequence(c.cur.Sequence)}))
}

// aomSequence translates a sequence header.
func aomSequence(s *av1.Sequence) *vk.StdVideoAV1SequenceHeader {
	c := &s.ColorConfig
	color := &vk.StdVideoAV1ColorConfig{BitDepth: uint8(c.BitDepth()), SubsamplingX: uint8(bit(c.SubsamplingX)), SubsamplingY: uint8(bit(c.SubsamplingY)),
		ColorPrimaries: vk.StdVideoAV1ColorPrimaries(c.ColorPrimaries), TransferCharacteristics: vk.StdVideoAV1TransferCharacteristics(c.TransferCharacteristics),
		MatrixCoefficients: vk.StdVideoAV1MatrixCoefficients(c.MatrixCoefficients), ChromaSamplePosition: vk.StdVideoAV1ChromaSamplePosition(c.ChromaSamplePosition)}
	color.Flags.SetMonoChrome(bit(c.MonoChrome))
	color.Flags.SetColorRange(bit(c.ColorRange))
	color.Flags.SetSeparateUvDeltaQ(bit(c.SeparateUVDeltaQ))
	color.Flags.SetColorDescriptionPresentFlag(bit(c.ColorDescriptionPresentFlag))
	o := &vk.StdVideoAV1SequenceHeader{SeqProfile: vk.StdVideoAV1Profile(s.SeqProfile), FrameWidthBitsMinus1: s.FrameWidthBitsMinus1, FrameHeightBitsMinus1: s.FrameHeightBitsMinus1,
		MaxFrameWidthMinus1: s.MaxFrameWidthMinus1, MaxFrameHeightMinus1: s.MaxFrameHeightMinus1, DeltaFrameIdLengthMinus2: s.DeltaFrameIDLengthMinus2,
		AdditionalFrameIdLengthMinus1: s.AdditionalFrameIDLengthMinus1, OrderHintBitsMinus1: s.OrderHintBitsMinus1,
		SeqForceIntegerMv: s.SeqForceIntegerMv, SeqForceScreenContentTools: s.SeqForceScreenContentTools, PColorConfig: color}
	f := &o.Flags
	f.SetStillPicture(bit(s.StillPicture))
	f.SetReducedStillPictureHeader(bit(s.ReducedStillPictureHeader))
	f.SetUse128x128Superblock(bit(s.Use128x128Superblock))
	f.SetEnableFilterIntra(bit(s.EnableFilterIntra))
	f.SetEnableIntraEdgeFilter(bit(s.EnableIntraEdgeFilter))
	f.SetEnableInterintraCompound(bit(s.EnableInterintraCompound))
	f.SetEnableMaskedCompound(bit(s.EnableMaskedCompound))
	f.SetEnableWarpedMotion(bit(s.EnableWarpedMotion))
	f.SetEnableDualFilter(bit(s.EnableDualFilter))
	f.SetEnableOrderHint(bit(s.EnableOrderHint))
	f.SetEnableJntComp(bit(s.EnableJntComp))
	f.SetEnableRefFrameMvs(bit(s.EnableRefFrameMvs))
	f.SetFrameIdNumbersPresentFlag(bit(s.FrameIDNumbersPresentFlag))
	f.SetEnableSuperres(bit(s.EnableSuperres))
	f.SetEnableCdef(bit(s.EnableCdef))
	f.SetEnableRestoration(bit(s.EnableRestoration))
	f.SetFilmGrainParamsPresent(bit(s.FilmGrainParamsPresent))
	f.SetTimingInfoPresentFlag(bit(s.TimingInfoPresentFlag))
	f.SetInitialDisplayDelayPresentFlag(bit(s.InitialDisplayDelayPresentFlag))
	if s.TimingInfoPresentFlag {
		o.PTimingInfo = &vk.StdVideoAV1TimingInfo{NumUnitsInDisplayTick: s.NumUnitsInDisplayTick, TimeScale: s.TimeScale, NumTicksPerPictureMinus1: s.NumTicksPerPictureMinus1}
		o.PTimingInfo.Flags.SetEqualPictureInterval(bit(s.EqualPictureInterval))
	}
	return o
}
