package av1

import "github.com/scanout-av/scanout/decode/bitstream"

// FrameType is frame_type.
// Source: 6.8.2.
type FrameType uint8

// Types of frames.
const (
	KeyFrame FrameType = iota
	InterFrame
	IntraOnlyFrame
	SwitchFrame
)

func (t FrameType) String() string {
	return [...]string{"key", "inter", "intra-only", "switch"}[t&3]
}

// Sizes of arrays (3).
const (
	NumRefFrames       = 8 // kept frames
	RefsPerFrame       = 7 // names of references: LAST_FRAME to ALTREF_FRAME
	TotalRefsPerFrame  = 8 // with INTRA_FRAME
	MaxSegments        = 8
	SegLvlMax          = 8
	MaxTileCols        = 64
	MaxTileRows        = 64
	MaxTiles           = 512 // of any level (annex A.3)
	PrimaryRefNone     = 7
	maxTileWidth       = 4096
	maxTileArea        = 4096 * 2304
	superresNum        = 8
	superresDenomMin   = 9
	warpedModelPrec    = 16
	allFrames          = 1<<NumRefFrames - 1
	restorationMaxSize = 256
)

// Names of references.
const (
	IntraFrame = iota
	LastFrame
	Last2Frame
	Last3Frame
	GoldenFrame
	BwdrefFrame
	Altref2Frame
	AltrefFrame
)

// InterpolationSwitchable is the interpolation_filter of frames whose blocks choose one.
const InterpolationSwitchable = 4

// Transform modes, TxMode.
const (
	TxOnly4x4 = iota
	TxModeLargest
	TxModeSelect
)

// Kinds of loop restoration, FrameRestorationType.
const (
	RestoreNone = iota
	RestoreWiener
	RestoreSgrproj
	RestoreSwitchable
)

// Kinds of global motion, GmType.
const (
	GmIdentity = iota
	GmTranslation
	GmRotZoom
	GmAffine
)

// Frame is a frame header: its syntax elements, with the values that the standard infers
// or loads from earlier frames where they are not transmitted, and what follows from
// them.
// Source: 5.9, 6.8.
type Frame struct {
	ShowExistingFrame            bool
	FrameToShowMapIdx            uint8
	FramePresentationTime        uint32
	DisplayFrameID               uint32
	FrameType                    FrameType
	ShowFrame                    bool
	ShowableFrame                bool
	ErrorResilientMode           bool
	DisableCdfUpdate             bool
	AllowScreenContentTools      bool
	ForceIntegerMv               bool
	CurrentFrameID               uint32
	FrameSizeOverrideFlag        bool
	OrderHint                    uint8
	PrimaryRefFrame              uint8
	BufferRemovalTimePresentFlag bool
	BufferRemovalTime            [32]uint32
	RefreshFrameFlags            uint8
	RefOrderHint                 [NumRefFrames]uint8
	AllowIntrabc                 bool
	FrameRefsShortSignaling      bool
	LastFrameIdx                 uint8
	GoldFrameIdx                 uint8
	RefFrameIdx                  [RefsPerFrame]uint8
	DeltaFrameIDMinus1           [RefsPerFrame]uint32
	ExpectedFrameID              [RefsPerFrame]uint32
	FoundRef                     [RefsPerFrame]bool

	// Size of the frame: width_minus_1 and so on, and what follows.
	FrameWidthMinus1            uint16
	FrameHeightMinus1           uint16
	UseSuperres                 bool
	CodedDenom                  uint8
	RenderAndFrameSizeDifferent bool
	RenderWidthMinus1           uint16
	RenderHeightMinus1          uint16
	UpscaledWidth               int // of the frame that is kept and shown
	FrameWidth, FrameHeight     int // coded
	RenderWidth, RenderHeight   int
	MiCols, MiRows              int
	AllowHighPrecisionMv        bool
	IsFilterSwitchable          bool
	InterpolationFilter         uint8
	IsMotionModeSwitchable      bool
	UseRefFrameMvs              bool
	OrderHints                  [TotalRefsPerFrame]uint8 // by name
	RefFrameSignBias            [TotalRefsPerFrame]bool  // by name
	DisableFrameEndUpdateCdf    bool
	TileInfo                    TileInfo
	Quantization                Quantization
	Segmentation                Segmentation
	DeltaQPresent               bool
	DeltaQRes                   uint8
	DeltaLfPresent              bool
	DeltaLfRes                  uint8
	DeltaLfMulti                bool
	CodedLossless, AllLossless  bool
	LoopFilter                  LoopFilter
	Cdef                        Cdef
	LoopRestoration             LoopRestoration
	TxModeSelect                bool
	TxMode                      uint8
	ReferenceSelect             bool
	SkipModeFrame               [2]uint8 // names, 0 where skip mode is not possible
	SkipModePresent             bool
	AllowWarpedMotion           bool
	ReducedTxSet                bool
	GmType                      [TotalRefsPerFrame]uint8
	GlobalMotion                [TotalRefsPerFrame][6]int32 // gm_params
	FilmGrain                   FilmGrain
	// HeaderBits is the length of uncompressed_header().
	HeaderBits int

	temporalID, spatialID uint8
}

// Intra is FrameIsIntra.
func (f *Frame) Intra() bool { return f.FrameType == KeyFrame || f.FrameType == IntraOnlyFrame }

// reference is a kept frame with what later frames load of it (7.20).
type reference struct {
	Ref
	valid    bool
	showable bool

	frameID                   uint32
	frameWidth                int
	renderWidth, renderHeight int
	gm                        [TotalRefsPerFrame][6]int32
	lfRefDeltas               [TotalRefsPerFrame]int8
	lfModeDeltas              [2]int8
	segEnabled                [MaxSegments]uint8
	segData                   [MaxSegments][SegLvlMax]int16
	grain                     FilmGrain
}

// headerParser reads a frame header. It changes its copy of the references' states only
// where the standard does so while a header is read.
type headerParser struct {
	bitstream.Reader
	seq  *Sequence
	refs *[NumRefFrames]reference
}

const frameUnit = "AV1 frame header"

// parse reads uncompressed_header().
// Source: 5.9.2.
func (f *Frame) parse(r *headerParser, temporalID, spatialID uint8) {
	*f = Frame{temporalID: temporalID, spatialID: spatialID}
	s := r.seq
	defer func() { f.HeaderBits = r.Position() }()
	if s.ReducedStillPictureHeader {
		f.FrameType, f.ShowFrame, f.ErrorResilientMode = KeyFrame, true, true
	} else {
		if f.ShowExistingFrame = r.Flag(); f.ShowExistingFrame {
			f.parseExisting(r)
			return
		}
		f.FrameType = FrameType(r.U(2))
		if f.ShowFrame = r.Flag(); f.ShowFrame {
			f.temporalPointInfo(r)
			f.ShowableFrame = f.FrameType != KeyFrame
		} else {
			f.ShowableFrame = r.Flag()
		}
		f.ErrorResilientMode = f.FrameType == SwitchFrame || f.FrameType == KeyFrame && f.ShowFrame || r.Flag()
	}
	if f.FrameType == KeyFrame && f.ShowFrame {
		for i := range r.refs {
			r.refs[i].valid, r.refs[i].OrderHint = false, 0
		}
	}
	f.DisableCdfUpdate = r.Flag()
	f.AllowScreenContentTools = s.SeqForceScreenContentTools == 1
	if s.SeqForceScreenContentTools == SelectScreenContentTools {
		f.AllowScreenContentTools = r.Flag()
	}
	if f.AllowScreenContentTools {
		f.ForceIntegerMv = s.SeqForceIntegerMv == 1
		if s.SeqForceIntegerMv == SelectIntegerMv {
			f.ForceIntegerMv = r.Flag()
		}
	}
	if f.Intra() {
		f.ForceIntegerMv = true
	}
	if s.FrameIDNumbersPresentFlag {
		f.CurrentFrameID = r.U(s.idLen())
		f.markRefFrames(r)
	}
	switch {
	case f.FrameType == SwitchFrame:
		f.FrameSizeOverrideFlag = true
	case !s.ReducedStillPictureHeader:
		f.FrameSizeOverrideFlag = r.Flag()
	}
	f.OrderHint = uint8(r.U(s.OrderHintBits()))
	f.PrimaryRefFrame = PrimaryRefNone
	if !f.Intra() && !f.ErrorResilientMode {
		f.PrimaryRefFrame = uint8(r.U(3))
	}
	if s.DecoderModelInfoPresentFlag {
		f.bufferRemoval(r)
	}
	f.RefreshFrameFlags = allFrames
	if f.FrameType != SwitchFrame && !(f.FrameType == KeyFrame && f.ShowFrame) {
		f.RefreshFrameFlags = uint8(r.U(8))
		if f.FrameType == IntraOnlyFrame && f.RefreshFrameFlags == allFrames {
			r.Fail("refresh_frame_flags", "replaces all frames by an intra-only frame")
		}
	}
	if (!f.Intra() || f.RefreshFrameFlags != allFrames) && f.ErrorResilientMode && s.EnableOrderHint {
		for i := range f.RefOrderHint {
			f.RefOrderHint[i] = uint8(r.U(s.OrderHintBits()))
			if f.RefOrderHint[i] != r.refs[i].OrderHint || !r.refs[i].valid {
				r.refs[i].valid, r.refs[i].OrderHint = false, f.RefOrderHint[i]
			}
		}
	}
	if f.Intra() {
		f.frameSize(r)
		f.renderSize(r)
		if f.AllowScreenContentTools && f.UpscaledWidth == f.FrameWidth {
			f.AllowIntrabc = r.Flag()
		}
	} else {
		f.parseReferences(r)
	}
	f.DisableFrameEndUpdateCdf = s.ReducedStillPictureHeader || f.DisableCdfUpdate || r.Flag()
	if r.Failed() {
		return
	}
	f.parseCoding(r)
	f.parseGlobalMotion(r)
	f.parseFilmGrain(r)
}

func (f *Frame) parseExisting(r *headerParser) {
	s := r.seq
	f.FrameToShowMapIdx = uint8(r.U(3))
	f.temporalPointInfo(r)
	if s.FrameIDNumbersPresentFlag {
		f.DisplayFrameID = r.U(s.idLen())
	}
	if r.Failed() {
		return
	}
	e := &r.refs[f.FrameToShowMapIdx]
	switch {
	case !e.valid || e.ID == 0:
		r.Fail("frame_to_show_map_idx", "names a frame that is missing")
	case !e.showable:
		r.Fail("frame_to_show_map_idx", "names a frame that is not to be shown")
	case s.FrameIDNumbersPresentFlag && e.frameID != f.DisplayFrameID:
		r.Fail("display_frame_id", "is another frame's")
	}
	if f.FrameType = e.FrameType; f.FrameType == KeyFrame {
		f.RefreshFrameFlags = allFrames
	}
	f.OrderHint, f.FilmGrain = e.OrderHint, e.grain
}

// temporalPointInfo reads when the frame is shown (5.9.31).
func (f *Frame) temporalPointInfo(r *headerParser) {
	if r.seq.DecoderModelInfoPresentFlag && !r.seq.EqualPictureInterval {
		f.FramePresentationTime = r.U(int(r.seq.FramePresentationTimeLengthMinus1) + 1)
	}
}

// markRefFrames invalidates frames by their numbers (5.9.4).
func (f *Frame) markRefFrames(r *headerParser) {
	diff, all := uint32(1)<<(r.seq.DeltaFrameIDLengthMinus2+2), uint32(1)<<r.seq.idLen()
	for i := range r.refs {
		e, id := &r.refs[i], f.CurrentFrameID
		if id > diff {
			if e.frameID > id || e.frameID < id-diff {
				e.valid = false
			}
		} else if e.frameID > id && e.frameID < all+id-diff {
			e.valid = false
		}
	}
}

func (f *Frame) bufferRemoval(r *headerParser) {
	s := r.seq
	if f.BufferRemovalTimePresentFlag = r.Flag(); !f.BufferRemovalTimePresentFlag {
		return
	}
	for i := range int(s.OperatingPointsCntMinus1) + 1 {
		o := &s.OperatingPoints[i]
		idc := o.OperatingPointIdc
		if o.DecoderModelPresentForThisOp && (idc == 0 || idc>>f.temporalID&1 != 0 && idc>>(f.spatialID+8)&1 != 0) {
			f.BufferRemovalTime[i] = r.U(int(s.BufferRemovalTimeLengthMinus1) + 1)
		}
	}
}

// parseReferences reads the part of inter frames.
func (f *Frame) parseReferences(r *headerParser) {
	s := r.seq
	if s.EnableOrderHint {
		if f.FrameRefsShortSignaling = r.Flag(); f.FrameRefsShortSignaling {
			f.LastFrameIdx, f.GoldFrameIdx = uint8(r.U(3)), uint8(r.U(3))
			f.setFrameRefs(r)
		}
	}
	for i := range f.RefFrameIdx {
		if !f.FrameRefsShortSignaling {
			f.RefFrameIdx[i] = uint8(r.U(3))
		}
		if s.FrameIDNumbersPresentFlag {
			f.DeltaFrameIDMinus1[i] = r.U(int(s.DeltaFrameIDLengthMinus2) + 2)
			all := uint32(1) << s.idLen()
			f.ExpectedFrameID[i] = (f.CurrentFrameID + all - f.DeltaFrameIDMinus1[i] - 1) % all
			if e := &r.refs[f.RefFrameIdx[i]]; e.frameID != f.ExpectedFrameID[i] {
				e.valid = false // the frame that is meant was lost
			}
		}
	}
	if f.FrameSizeOverrideFlag && !f.ErrorResilientMode {
		f.frameSizeWithRefs(r)
	} else {
		f.frameSize(r)
		f.renderSize(r)
	}
	if !f.ForceIntegerMv {
		f.AllowHighPrecisionMv = r.Flag()
	}
	f.InterpolationFilter = InterpolationSwitchable
	if f.IsFilterSwitchable = r.Flag(); !f.IsFilterSwitchable {
		f.InterpolationFilter = uint8(r.U(2))
	}
	f.IsMotionModeSwitchable = r.Flag()
	if !f.ErrorResilientMode && s.EnableRefFrameMvs {
		f.UseRefFrameMvs = r.Flag()
	}
	for i, at := range f.RefFrameIdx {
		hint := r.refs[at].OrderHint
		f.OrderHints[LastFrame+i] = hint
		f.RefFrameSignBias[LastFrame+i] = s.relativeDist(hint, f.OrderHint) > 0
	}
}

// setFrameRefs derives the references from two of them (7.8).
func (f *Frame) setFrameRefs(r *headerParser) {
	var idx [RefsPerFrame]int
	for i := range idx {
		idx[i] = -1
	}
	idx[0], idx[GoldenFrame-LastFrame] = int(f.LastFrameIdx), int(f.GoldFrameIdx)
	var used [NumRefFrames]bool
	used[f.LastFrameIdx], used[f.GoldFrameIdx] = true, true
	current := 1 << (r.seq.OrderHintBits() - 1)
	var hints [NumRefFrames]int
	for i := range hints {
		hints[i] = current + r.seq.relativeDist(r.refs[i].OrderHint, f.OrderHint)
	}
	if hints[f.LastFrameIdx] >= current {
		r.Fail("last_frame_idx", "names a frame that comes later")
	}
	if hints[f.GoldFrameIdx] >= current {
		r.Fail("gold_frame_idx", "names a frame that comes later")
	}
	// find returns the unused frame that better prefers, of those before the current frame
	// or of the others.
	find := func(before bool, better func(hint, best int) bool) int {
		ref := -1
		for i, h := range hints {
			if !used[i] && h < current == before && (ref < 0 || better(h, hints[ref])) {
				ref = i
			}
		}
		return ref
	}
	latest := func(hint, best int) bool { return hint >= best }
	earliest := func(hint, best int) bool { return hint < best }
	set := func(name, ref int) {
		if ref >= 0 {
			idx[name-LastFrame], used[ref] = ref, true
		}
	}
	set(AltrefFrame, find(false, latest))
	set(BwdrefFrame, find(false, earliest))
	set(Altref2Frame, find(false, earliest))
	for _, name := range [...]int{Last2Frame, Last3Frame, BwdrefFrame, Altref2Frame, AltrefFrame} {
		if idx[name-LastFrame] < 0 {
			set(name, find(true, latest))
		}
	}
	first := 0
	for i, h := range hints {
		if h < hints[first] {
			first = i
		}
	}
	for i, at := range idx {
		if at < 0 {
			at = first
		}
		f.RefFrameIdx[i] = uint8(at)
	}
}

// frameSize is 5.9.5.
func (f *Frame) frameSize(r *headerParser) {
	s := r.seq
	f.FrameWidth, f.FrameHeight = s.MaxWidth(), s.MaxHeight()
	if f.FrameSizeOverrideFlag {
		f.FrameWidthMinus1 = uint16(r.U(int(s.FrameWidthBitsMinus1) + 1))
		f.FrameHeightMinus1 = uint16(r.U(int(s.FrameHeightBitsMinus1) + 1))
		f.FrameWidth, f.FrameHeight = int(f.FrameWidthMinus1)+1, int(f.FrameHeightMinus1)+1
		if f.FrameWidth > s.MaxWidth() || f.FrameHeight > s.MaxHeight() {
			r.Fail("frame_width_minus_1", "exceeds the size in the sequence header")
		}
	}
	f.superres(r)
}

// superres is 5.9.8 with compute_image_size (5.9.9).
func (f *Frame) superres(r *headerParser) {
	denom := superresNum
	if r.seq.EnableSuperres {
		if f.UseSuperres = r.Flag(); f.UseSuperres {
			f.CodedDenom = uint8(r.U(3))
			denom = int(f.CodedDenom) + superresDenomMin
		}
	}
	f.UpscaledWidth = f.FrameWidth
	f.FrameWidth = (f.UpscaledWidth*superresNum + denom/2) / denom
	f.MiCols, f.MiRows = 2*((f.FrameWidth+7)>>3), 2*((f.FrameHeight+7)>>3)
}

// renderSize is 5.9.6.
func (f *Frame) renderSize(r *headerParser) {
	f.RenderWidth, f.RenderHeight = f.UpscaledWidth, f.FrameHeight
	if f.RenderAndFrameSizeDifferent = r.Flag(); f.RenderAndFrameSizeDifferent {
		f.RenderWidthMinus1, f.RenderHeightMinus1 = uint16(r.U(16)), uint16(r.U(16))
		f.RenderWidth, f.RenderHeight = int(f.RenderWidthMinus1)+1, int(f.RenderHeightMinus1)+1
	}
}

// frameSizeWithRefs is 5.9.7.
func (f *Frame) frameSizeWithRefs(r *headerParser) {
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
		f.RenderWidth, f.RenderHeight = e.renderWidth, e.renderHeight
		f.superres(r)
		return
	}
	f.frameSize(r)
	f.renderSize(r)
}

// scales reports whether a frame can be predicted from e (6.8.6).
func (f *Frame) scales(e *Ref) bool {
	return 2*f.FrameWidth >= e.Width && 2*f.FrameHeight >= e.Height && f.FrameWidth <= 16*e.Width && f.FrameHeight <= 16*e.Height
}
