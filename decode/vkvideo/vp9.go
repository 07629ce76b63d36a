package vkvideo

import (
	"fmt"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/decode/bitstream/vp9"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// vpx is VP9. It has no parameter sets, and devices keep what they need of reference
// frames themselves.
type vpx struct {
	dec    *vp9.Decoder
	stream media.Stream
	rest   []vp9.Picture // not yet returned by next
	cur    *vp9.Picture
	p      picture

	// What Vulkan reads of the current picture.
	info     vk.VideoDecodeVP9PictureInfoKHR
	std      vk.StdVideoDecodeVP9PictureInfo
	color    vk.StdVideoVP9ColorConfig
	filter   vk.StdVideoVP9LoopFilter
	segments vk.StdVideoVP9Segmentation
}

func newVP9(s *media.Stream) (codec, error) {
	c := &vpx{dec: vp9.NewDecoder(), stream: *s}
	c.p.slices, c.p.refs = make([]slice, 0, 1), make([]reference, 0, vp9.RefsPerFrame)
	c.info = vk.VideoDecodeVP9PictureInfoKHR{SType: vk.STypeVideoDecodeVP9PictureInfoKHR, PStdPictureInfo: &c.std}
	return c, nil
}

func (c *vpx) profile(k *kind) *gpu.VideoProfile { return gpu.VP9Profile(k.profile, k.bits) }

func (c *vpx) usual() int { return 0 }

func (c *vpx) known() (k kind, level int32, ok bool) { return kind{}, 0, false }

// level is that of the smallest pictures: streams do not say it.
func (c *vpx) level() int32 { return 0 }

func vpxKind(q *vp9.Picture) kind {
	return kind{profile: int(q.Frame.Profile), bits: int(q.Frame.ColorConfig.BitDepth), noSets: true,
		width: q.MaxWidth, height: q.MaxHeight, slots: vp9.MaxSlots, references: vp9.RefsPerFrame}
}

// vpxRefuse says why no video queue decodes a picture, nil when one may.
func vpxRefuse(q *vp9.Picture) error {
	refuse := func(what string) error {
		return fmt.Errorf("vkvideo: VP9 with %s: %w", what, media.ErrNotSupported)
	}
	f := &q.Frame
	switch c := &f.ColorConfig; {
	case !c.SubsamplingX || !c.SubsamplingY:
		return refuse("chroma that is not 4:2:0")
	case c.BitDepth > 10:
		return refuse("12 bits")
	case f.FrameWidth > q.MaxWidth || f.FrameHeight > q.MaxHeight:
		return refuse("frames larger than their key frame")
	}
	return nil
}

// annexB says that access units can be read where they lie.
func (c *vpx) annexB() bool { return true }

func (c *vpx) parse(data []byte) (err error) {
	c.rest, err = c.dec.Decode(data)
	return err
}

func (c *vpx) next() *picture {
	if len(c.rest) == 0 {
		return nil
	}
	q := &c.rest[0]
	c.rest, c.cur = c.rest[1:], q
	p, f := &c.p, &q.Frame
	*p = picture{id: q.ID, slot: q.Slot, output: q.Output, freed: q.Freed, slices: p.slices[:0], refs: p.refs[:0],
		corrupt: q.Corrupt, raw: true, needsAll: true, keep: true, existing: q.Existing}
	if q.Existing {
		return p
	}
	p.newSequence, p.kind, p.refuse = q.NewSequence, vpxKind(q), vpxRefuse(q)
	p.key, p.intra, p.reference, p.head = f.KeyFrame, f.Intra(), f.RefreshFrameFlags != 0, q.Begin
	p.width, p.height = f.FrameWidth, f.FrameHeight
	p.view = view{crop: bitstream.Rect{Width: f.FrameWidth, Height: f.FrameHeight}, color: f.ColorConfig.Color(), sar: media.Rational{Num: 1, Den: 1}}
	if o := c.stream.Color; p.view.color.Matrix == media.ColorUnspecified.Matrix { // what the container says
		o.Range = p.view.color.Range
		p.view.color = o
	}
	if !q.Missing.Any() {
		p.slices = append(p.slices, slice{q.Tiles, q.Tiles, q.End})
	}
	for i := range q.Refs {
		p.refs = append(p.refs, reference{slot: q.Refs[i].Slot})
	}
	return p
}

func (c *vpx) flush() []bitstream.Output     { return c.dec.Flush() }
func (c *vpx) reset()                        { c.dec.Reset() }
func (c *vpx) damage(id bitstream.PictureID) { c.dec.Damage(id) }

func (c *vpx) version() uint32 { return 0 }
func (c *vpx) inline() error   { return nil }

func (c *vpx) create(*gpu.VideoSession) (vk.VideoSessionParametersKHR, error) { return 0, nil }

func (c *vpx) chain(q *vk.VideoInlineQueryInfoKHR) { c.info.PNext = vk.Pointer(q) }

func (c *vpx) reference(int, *vk.VideoReferenceSlotInfoKHR) {}

func (c *vpx) attach(info *vk.VideoDecodeInfoKHR, offsets []uint32) {
	q := c.cur
	c.info.PNext = nil
	c.info.TilesOffset = offsets[0]
	c.info.CompressedHeaderOffset = offsets[0] - uint32(q.Tiles-q.Compressed)
	c.info.UncompressedHeaderOffset = offsets[0] - uint32(q.Tiles-q.Begin)
	for i, at := range q.RefIndex {
		c.info.ReferenceNameSlotIndices[i] = -1
		if at >= 0 {
			c.info.ReferenceNameSlotIndices[i] = int32(q.Refs[at].Slot)
		}
	}
	c.picture(&q.Frame)
	info.PNext = vk.Pointer(&c.info)
}

var vpxFilters = [...]vk.StdVideoVP9InterpolationFilter{vp9.EightTapSmooth: vk.STD_VIDEO_VP9_INTERPOLATION_FILTER_EIGHTTAP_SMOOTH,
	vp9.EightTap: vk.STD_VIDEO_VP9_INTERPOLATION_FILTER_EIGHTTAP, vp9.EightTapSharp: vk.STD_VIDEO_VP9_INTERPOLATION_FILTER_EIGHTTAP_SHARP,
	vp9.Bilinear: vk.STD_VIDEO_VP9_INTERPOLATION_FILTER_BILINEAR, vp9.Switchable: vk.STD_VIDEO_VP9_INTERPOLATION_FILTER_SWITCHABLE}

// picture fills in what is said of a frame.
func (c *vpx) picture(f *vp9.Frame) {
	o, n := &c.std, &f.Quantization
	*o = vk.StdVideoDecodeVP9PictureInfo{Profile: vk.StdVideoVP9Profile(f.Profile), FrameType: vk.STD_VIDEO_VP9_FRAME_TYPE_NON_KEY,
		FrameContextIdx: f.FrameContextIdx, ResetFrameContext: f.ResetFrameContext, RefreshFrameFlags: f.RefreshFrameFlags,
		InterpolationFilter: vpxFilters[f.InterpolationFilter], BaseQIdx: n.BaseQIdx, DeltaQYDc: n.DeltaQYDc, DeltaQUvDc: n.DeltaQUVDc, DeltaQUvAc: n.DeltaQUVAc,
		TileColsLog2: f.TileColsLog2, TileRowsLog2: f.TileRowsLog2, PColorConfig: &c.color, PLoopFilter: &c.filter}
	if f.KeyFrame {
		o.FrameType = vk.STD_VIDEO_VP9_FRAME_TYPE_KEY
	}
	if f.Intra() || f.ErrorResilientMode {
		o.FrameContextIdx = 0
	}
	for i, b := range f.RefFrameSignBias {
		o.RefFrameSignBiasMask |= uint8(bit(b)) << (1 + i) // by name, LAST_FRAME is 1
	}
	b := &o.Flags
	b.SetErrorResilientMode(bit(f.ErrorResilientMode))
	b.SetIntraOnly(bit(f.IntraOnly))
	b.SetAllowHighPrecisionMv(bit(f.AllowHighPrecisionMv))
	b.SetRefreshFrameContext(bit(f.RefreshFrameContext))
	b.SetFrameParallelDecodingMode(bit(f.FrameParallelDecodingMode))
	b.SetSegmentationEnabled(bit(f.Segmentation.SegmentationEnabled))
	b.SetShowFrame(bit(f.ShowFrame))
	b.SetUsePrevFrameMvs(bit(f.UsePrevFrameMvs))

	k := &f.ColorConfig
	c.color = vk.StdVideoVP9ColorConfig{BitDepth: k.BitDepth, SubsamplingX: uint8(bit(k.SubsamplingX)), SubsamplingY: uint8(bit(k.SubsamplingY)),
		ColorSpace: vk.StdVideoVP9ColorSpace(k.ColorSpace)}
	c.color.Flags.SetColorRange(bit(k.ColorRange))

	l := &f.LoopFilter
	c.filter = vk.StdVideoVP9LoopFilter{LoopFilterLevel: l.LoopFilterLevel, LoopFilterSharpness: l.LoopFilterSharpness, UpdateRefDelta: l.UpdateRefDelta,
		LoopFilterRefDeltas: l.LoopFilterRefDeltas, UpdateModeDelta: l.UpdateModeDelta, LoopFilterModeDeltas: l.LoopFilterModeDeltas}
	c.filter.Flags.SetLoopFilterDeltaEnabled(bit(l.LoopFilterDeltaEnabled))
	c.filter.Flags.SetLoopFilterDeltaUpdate(bit(l.LoopFilterDeltaUpdate))

	s := &f.Segmentation
	if !s.SegmentationEnabled {
		return
	}
	o.PSegmentation = &c.segments
	c.segments = vk.StdVideoVP9Segmentation{SegmentationTreeProbs: s.SegmentationTreeProbs, SegmentationPredProb: s.SegmentationPredProb,
		FeatureEnabled: s.FeatureEnabled, FeatureData: s.FeatureData}
	c.segments.Flags.SetSegmentationUpdateMap(bit(s.SegmentationUpdateMap))
	c.segments.Flags.SetSegmentationTemporalUpdate(bit(s.SegmentationTemporalUpdate))
	c.segments.Flags.SetSegmentationUpdateData(bit(s.SegmentationUpdateData))
	c.segments.Flags.SetSegmentationAbsOrDeltaUpdate(bit(s.SegmentationAbsOrDeltaUpdate))
}
