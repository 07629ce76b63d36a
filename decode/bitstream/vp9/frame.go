package vp9

import (
	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/media"
)

// Sizes of arrays (3).
const (
	NumRefFrames  = 8 // kept frames
	RefsPerFrame  = 3 // LAST_FRAME, GOLDEN_FRAME, ALTREF_FRAME
	MaxSegments   = 8
	SegLvlMax     = 4
	maxRefFrames  = 4 // with INTRA_FRAME
	allFrames     = 1<<NumRefFrames - 1
	minTileWidth  = 4  // superblocks
	maxTileWidth  = 64 // superblocks
	frameSyncCode = 0x498342
	colorSpaceRGB = 7
	colorBT601    = 1
	maxProb       = 255
)

// InterpolationFilter is interpolation_filter (7.2.7).
type InterpolationFilter uint8

// Interpolation filters.
const (
	EightTapSmooth InterpolationFilter = iota
	EightTap
	EightTapSharp
	Bilinear
	Switchable
)

// Frame is an uncompressed header: its syntax elements, with the values that the standard
// infers or keeps from earlier frames where they are not transmitted, and what follows
// from them.
// Source: 6.2, 7.2.
type Frame struct {
	Profile                     uint8
	ShowExistingFrame           bool
	FrameToShowMapIdx           uint8
	KeyFrame                    bool // frame_type is KEY_FRAME
	ShowFrame                   bool
	ErrorResilientMode          bool
	IntraOnly                   bool
	ResetFrameContext           uint8
	ColorConfig                 ColorConfig
	RefreshFrameFlags           uint8
	RefFrameIdx                 [RefsPerFrame]uint8
	RefFrameSignBias            [RefsPerFrame]bool
	FoundRef                    [RefsPerFrame]bool
	FrameWidth, FrameHeight     int
	RenderAndFrameSizeDifferent bool
	RenderWidth, RenderHeight   int
	AllowHighPrecisionMv        bool
	IsFilterSwitchable          bool
	InterpolationFilter         InterpolationFilter
	RefreshFrameContext         bool
	FrameParallelDecodingMode   bool
	// FrameContextIdx is the probability tables' number, as it was read: decoders of
	// intra and error resilient frames use 0.
	FrameContextIdx   uint8
	LoopFilter        LoopFilter
	Quantization      Quantization
	Segmentation      Segmentation
	TileColsLog2      uint8
	TileRowsLog2      uint8
	HeaderSizeInBytes uint16
	// UsePrevFrameMvs is derived: motion vectors of the frame before are candidates.
	UsePrevFrameMvs bool

	// HeaderBits is the length of uncompressed_header().
	HeaderBits int
}

// ColorConfig is 6.2.2.
type ColorConfig struct {
	TenOrTwelveBit bool
	BitDepth       uint8
	ColorSpace     uint8
	ColorRange     bool
	SubsamplingX   bool
	SubsamplingY   bool
}

// LoopFilter is 6.2.8. Bits of UpdateRefDelta and UpdateModeDelta say which deltas this
// frame transmits.
type LoopFilter struct {
	LoopFilterLevel        uint8
	LoopFilterSharpness    uint8
	LoopFilterDeltaEnabled bool
	LoopFilterDeltaUpdate  bool
	UpdateRefDelta         uint8
	UpdateModeDelta        uint8
	LoopFilterRefDeltas    [maxRefFrames]int8
	LoopFilterModeDeltas   [2]int8
}

// Quantization is 6.2.9.
type Quantization struct {
	BaseQIdx   uint8
	DeltaQYDc  int8
	DeltaQUVDc int8
	DeltaQUVAc int8
}

// Segmentation is 6.2.11. Bit j of FeatureEnabled[i] belongs to FeatureData[i][j].
type Segmentation struct {
	SegmentationEnabled          bool
	SegmentationUpdateMap        bool
	SegmentationTreeProbs        [7]uint8
	SegmentationTemporalUpdate   bool
	SegmentationPredProb         [3]uint8
	SegmentationUpdateData       bool
	SegmentationAbsOrDeltaUpdate bool
	FeatureEnabled               [MaxSegments]uint8
	FeatureData                  [MaxSegments][SegLvlMax]int16
}

// Intra is FrameIsIntra.
func (f *Frame) Intra() bool { return f.KeyFrame || f.IntraOnly }

// Color is the colour description. VP9 has one number for matrix, primaries and transfer.
// Source: 7.2.2.
func (c *ColorConfig) Color() media.Color {
	// By color_space: matrix_coefficients of H.273; its primaries and transfer follow.
	code := [8][3]uint8{{2, 2, 2}, {5, 6, 5}, {1, 1, 1}, {6, 6, 6}, {7, 7, 7}, {9, 14, 9}, {2, 2, 2}, {1, 13, 0}}[c.ColorSpace&7]
	return bitstream.Colour(code[0], code[1], code[2], c.ColorRange, -1)
}

// headerParser reads uncompressed headers. What a header changes of the kept values is in
// the Frame: the decoder takes it over once the header is found good.
type headerParser struct {
	bitstream.Reader
	refs  *[NumRefFrames]reference
	last  *Frame      // the frame before, for what is kept
	color ColorConfig // of the last frame that said it
	any   bool        // there was a frame before
}

const frameUnit = "VP9 uncompressed header"

// parse reads uncompressed_header().
func (f *Frame) parse(r *headerParser) {
	*f = Frame{}
	defer func() { f.HeaderBits = r.Position() }()
	if r.U(2) != 2 {
		r.Fail("frame_marker", "is not 2")
	}
	f.Profile = uint8(r.U(1))
	if f.Profile |= uint8(r.U(1)) << 1; f.Profile == 3 && r.Flag() {
		r.Fail("profile", "is reserved")
	}
	if f.ShowExistingFrame = r.Flag(); f.ShowExistingFrame {
		f.FrameToShowMapIdx = uint8(r.U(3))
		if !r.Failed() && !r.refs[f.FrameToShowMapIdx].valid {
			r.Fail("frame_to_show_map_idx", "names a frame that is missing")
		}
		return
	}
	f.KeyFrame = !r.Flag()
	f.ShowFrame = r.Flag()
	f.ErrorResilientMode = r.Flag()
	f.ColorConfig = r.color
	switch {
	case f.KeyFrame:
		f.syncCode(r)
		f.ColorConfig.parse(r, f.Profile)
		f.RefreshFrameFlags = allFrames
		f.frameSize(r)
		f.renderSize(r)
	default:
		if !f.ShowFrame {
			f.IntraOnly = r.Flag()
		}
		if !f.ErrorResilientMode {
			f.ResetFrameContext = uint8(r.U(2))
		}
		if f.IntraOnly {
			f.syncCode(r)
			if f.Profile > 0 {
				f.ColorConfig.parse(r, f.Profile)
			} else {
				f.ColorConfig = ColorConfig{BitDepth: 8, ColorSpace: colorBT601, SubsamplingX: true, SubsamplingY: true}
			}
			f.RefreshFrameFlags = uint8(r.U(8))
			f.frameSize(r)
			f.renderSize(r)
		} else {
			f.parseReferences(r)
		}
	}
	f.FrameParallelDecodingMode = true
	if !f.ErrorResilientMode {
		f.RefreshFrameContext, f.FrameParallelDecodingMode = r.Flag(), r.Flag()
	}
	f.FrameContextIdx = uint8(r.U(2))
	if r.Failed() {
		return
	}
	f.LoopFilter.parse(r, f)
	f.Quantization.parse(r)
	f.Segmentation.parse(r, f)
	f.tileInfo(r)
	if f.HeaderSizeInBytes = uint16(r.U(16)); f.HeaderSizeInBytes == 0 {
		r.Fail("header_size_in_bytes", "is 0")
	}
	l := r.last
	f.UsePrevFrameMvs = r.any && !f.Intra() && f.FrameWidth == l.FrameWidth && f.FrameHeight == l.FrameHeight && l.ShowFrame && !f.ErrorResilientMode && !l.IntraOnly
}

func (f *Frame) syncCode(r *headerParser) {
	if r.U(24) != frameSyncCode {
		r.Fail("frame_sync_code", "is wrong")
	}
}

func (c *ColorConfig) parse(r *headerParser, profile uint8) {
	*c = ColorConfig{BitDepth: 8}
	if profile >= 2 {
		c.BitDepth = 10
		if c.TenOrTwelveBit = r.Flag(); c.TenOrTwelveBit {
			c.BitDepth = 12
		}
	}
	c.ColorSpace = uint8(r.U(3))
	if c.ColorSpace != colorSpaceRGB {
		c.ColorRange = r.Flag()
		if profile&1 == 0 {
			c.SubsamplingX, c.SubsamplingY = true, true
			return
		}
		c.SubsamplingX, c.SubsamplingY = r.Flag(), r.Flag()
		if c.SubsamplingX && c.SubsamplingY {
			r.Fail("subsampling_x", "is 4:2:0 in a profile for other formats")
		}
	} else {
		c.ColorRange = true
		if profile&1 == 0 {
			r.Fail("color_space", "is RGB in a 4:2:0 profile")
			return
		}
	}
	if r.Flag() {
		r.Fail("reserved_zero", "is set")
	}
}

func (f *Frame) frameSize(r *headerParser) {
	f.FrameWidth, f.FrameHeight = int(r.U(16))+1, int(r.U(16))+1
}

func (f *Frame) renderSize(r *headerParser) {
	f.RenderWidth, f.RenderHeight = f.FrameWidth, f.FrameHeight
	if f.RenderAndFrameSizeDifferent = r.Flag(); f.RenderAndFrameSizeDifferent {
		f.RenderWidth, f.RenderHeight = int(r.U(16))+1, int(r.U(16))+1
	}
}

// parseReferences reads the part of inter frames.
func (f *Frame) parseReferences(r *headerParser) {
	f.RefreshFrameFlags = uint8(r.U(8))
	for i := range f.RefFrameIdx {
		f.RefFrameIdx[i] = uint8(r.U(3))
		f.RefFrameSignBias[i] = r.Flag()
	}
	f.sizeWithRefs(r)
	f.AllowHighPrecisionMv = r.Flag()
	f.InterpolationFilter = Switchable
	if f.IsFilterSwitchable = r.Flag(); !f.IsFilterSwitchable {
		f.InterpolationFilter = InterpolationFilter(r.U(2)) // literal_to_type is the identity
	}
}

// sizeWithRefs is frame_size_with_refs (6.2.5).
func (f *Frame) sizeWithRefs(r *headerParser) {
	found := false
	for i, at := range f.RefFrameIdx {
		if f.FoundRef[i] = r.Flag(); !f.FoundRef[i] {
			continue
		}
		e := &r.refs[at]
		if !e.valid {
			r.Fail("found_ref", "names a frame that is missing")
			return
		}
		f.FrameWidth, f.FrameHeight = e.Width, e.Height
		found = true
		break
	}
	if !found {
		f.frameSize(r)
	}
	f.renderSize(r)
}

// fits reports whether a frame can be predicted from e (7.2.5).
func (f *Frame) fits(e *Ref) bool {
	c := &f.ColorConfig
	return 2*f.FrameWidth >= e.Width && 2*f.FrameHeight >= e.Height && f.FrameWidth <= 16*e.Width && f.FrameHeight <= 16*e.Height &&
		c.BitDepth == e.BitDepth && c.SubsamplingX == e.SubsamplingX && c.SubsamplingY == e.SubsamplingY
}

// independent reports whether the frame starts over with the values that are kept
// (setup_past_independence).
func (f *Frame) independent() bool { return f.Intra() || f.ErrorResilientMode }

// signed reads n bits and a sign (su(n), 4.10.6).
func signed(r *headerParser, n int) int {
	v := int(r.U(n))
	if r.Flag() {
		return -v
	}
	return v
}

func (l *LoopFilter) parse(r *headerParser, f *Frame) {
	l.LoopFilterRefDeltas = [maxRefFrames]int8{1, 0, -1, -1}
	if !f.independent() {
		l.LoopFilterRefDeltas, l.LoopFilterModeDeltas = r.last.LoopFilter.LoopFilterRefDeltas, r.last.LoopFilter.LoopFilterModeDeltas
	}
	l.LoopFilterLevel, l.LoopFilterSharpness = uint8(r.U(6)), uint8(r.U(3))
	if l.LoopFilterDeltaEnabled = r.Flag(); !l.LoopFilterDeltaEnabled {
		return
	}
	if l.LoopFilterDeltaUpdate = r.Flag(); !l.LoopFilterDeltaUpdate {
		return
	}
	for i := range l.LoopFilterRefDeltas {
		if r.Flag() {
			l.UpdateRefDelta |= 1 << i
			l.LoopFilterRefDeltas[i] = int8(signed(r, 6))
		}
	}
	for i := range l.LoopFilterModeDeltas {
		if r.Flag() {
			l.UpdateModeDelta |= 1 << i
			l.LoopFilterModeDeltas[i] = int8(signed(r, 6))
		}
	}
}

func (q *Quantization) parse(r *headerParser) {
	q.BaseQIdx = uint8(r.U(8))
	for _, d := range [...]*int8{&q.DeltaQYDc, &q.DeltaQUVDc, &q.DeltaQUVAc} {
		if r.Flag() {
			*d = int8(signed(r, 4))
		}
	}
}

// Source: 6.2.11.
var (
	segmentationBits   = [SegLvlMax]int{8, 6, 2, 0}
	segmentationSigned = [SegLvlMax]bool{true, true, false, false}
)

func (s *Segmentation) parse(r *headerParser, f *Frame) {
	if old := &r.last.Segmentation; !f.independent() {
		s.FeatureEnabled, s.FeatureData, s.SegmentationAbsOrDeltaUpdate = old.FeatureEnabled, old.FeatureData, old.SegmentationAbsOrDeltaUpdate
		s.SegmentationTreeProbs, s.SegmentationPredProb = old.SegmentationTreeProbs, old.SegmentationPredProb
	}
	if s.SegmentationEnabled = r.Flag(); !s.SegmentationEnabled {
		return
	}
	prob := func() uint8 {
		if r.Flag() {
			return uint8(r.U(8))
		}
		return maxProb
	}
	if s.SegmentationUpdateMap = r.Flag(); s.SegmentationUpdateMap {
		for i := range s.SegmentationTreeProbs {
			s.SegmentationTreeProbs[i] = prob()
		}
		s.SegmentationTemporalUpdate = r.Flag()
		for i := range s.SegmentationPredProb {
			s.SegmentationPredProb[i] = maxProb
			if s.SegmentationTemporalUpdate {
				s.SegmentationPredProb[i] = prob()
			}
		}
	}
	if s.SegmentationUpdateData = r.Flag(); !s.SegmentationUpdateData {
		return
	}
	s.SegmentationAbsOrDeltaUpdate = r.Flag()
	s.FeatureEnabled, s.FeatureData = [MaxSegments]uint8{}, [MaxSegments][SegLvlMax]int16{}
	for i := range MaxSegments {
		for j := range SegLvlMax {
			if !r.Flag() {
				continue
			}
			s.FeatureEnabled[i] |= 1 << j
			v := int(r.U(segmentationBits[j]))
			if segmentationSigned[j] && r.Flag() {
				v = -v
			}
			s.FeatureData[i][j] = int16(v)
		}
	}
}

// tileInfo is 6.2.13 and 6.2.14.
func (f *Frame) tileInfo(r *headerParser) {
	sb := (f.FrameWidth + 63) >> 6
	for maxTileWidth<<f.TileColsLog2 < sb {
		f.TileColsLog2++
	}
	highest := uint8(1)
	for sb>>highest >= minTileWidth {
		highest++
	}
	for highest--; f.TileColsLog2 < highest && r.Flag(); {
		f.TileColsLog2++
	}
	if r.Flag() {
		f.TileRowsLog2 = 1 + uint8(r.U(1))
	}
}
