package av1

import "github.com/scanout-av/scanout/decode/bitstream"

// TileInfo is how a frame is divided into tiles.
// Units: MiColStarts and MiRowStarts are blocks of 4x4 luma samples, with the frame's end
// behind the last tile; the sizes are superblocks.
// Source: 5.9.15, 6.8.14.
type TileInfo struct {
	UniformTileSpacingFlag     bool
	TileColsLog2, TileRowsLog2 uint8
	TileCols, TileRows         uint8
	MiColStarts                [MaxTileCols + 1]uint16
	MiRowStarts                [MaxTileRows + 1]uint16
	WidthInSbsMinus1           [MaxTileCols]uint16
	HeightInSbsMinus1          [MaxTileRows]uint16
	ContextUpdateTileID        uint16
	TileSizeBytesMinus1        uint8
}

// Quantization is 5.9.12.
type Quantization struct {
	BaseQIdx     uint8
	DeltaQYDc    int8
	DiffUVDelta  bool
	DeltaQUDc    int8
	DeltaQUAc    int8
	DeltaQVDc    int8
	DeltaQVAc    int8
	UsingQmatrix bool
	QmY          uint8
	QmU          uint8
	QmV          uint8
}

// Segmentation is 5.9.14. Bit j of FeatureEnabled[i] belongs to FeatureData[i][j].
type Segmentation struct {
	SegmentationEnabled        bool
	SegmentationUpdateMap      bool
	SegmentationTemporalUpdate bool
	SegmentationUpdateData     bool
	FeatureEnabled             [MaxSegments]uint8
	FeatureData                [MaxSegments][SegLvlMax]int16
}

// LoopFilter is 5.9.11. Bits of UpdateRefDelta and UpdateModeDelta say which deltas this
// frame transmits.
type LoopFilter struct {
	LoopFilterLevel        [4]uint8
	LoopFilterSharpness    uint8
	LoopFilterDeltaEnabled bool
	LoopFilterDeltaUpdate  bool
	UpdateRefDelta         uint8
	UpdateModeDelta        uint8
	LoopFilterRefDeltas    [TotalRefsPerFrame]int8
	LoopFilterModeDeltas   [2]int8
}

// Cdef is 5.9.19, with the strengths as they are transmitted: a secondary strength of 3
// means 4.
type Cdef struct {
	CdefDampingMinus3 uint8
	CdefBits          uint8
	CdefYPriStrength  [8]uint8
	CdefYSecStrength  [8]uint8
	CdefUVPriStrength [8]uint8
	CdefUVSecStrength [8]uint8
}

// LoopRestoration is 5.9.20.
// Units: LoopRestorationSize is samples, 64, 128 or 256.
type LoopRestoration struct {
	FrameRestorationType [3]uint8
	LrUnitShift          uint8
	LrUVShift            uint8
	LoopRestorationSize  [3]uint16
	UsesLr, UsesChromaLr bool
}

var lfRefDeltaDefaults = [TotalRefsPerFrame]int8{IntraFrame: 1, GoldenFrame: -1, AltrefFrame: -1, Altref2Frame: -1}

// Source: 5.9.14.
var (
	segmentationBits   = [SegLvlMax]int{8, 6, 6, 6, 6, 3, 0, 0}
	segmentationSigned = [SegLvlMax]bool{true, true, true, true, true, false, false, false}
	segmentationMax    = [SegLvlMax]int{255, 63, 63, 63, 63, 7, 0, 0}
	remapLrType        = [4]uint8{RestoreNone, RestoreSwitchable, RestoreWiener, RestoreSgrproj}
)

// previous is the frame whose settings the frame goes on with, nil for none.
func (f *Frame) previous(r *headerParser) *reference {
	if f.PrimaryRefFrame == PrimaryRefNone {
		return nil
	}
	return &r.refs[f.RefFrameIdx[f.PrimaryRefFrame]]
}

// parseCoding reads from tile_info() to reduced_tx_set.
func (f *Frame) parseCoding(r *headerParser) {
	s := r.seq
	f.TileInfo.parse(r, f.MiCols, f.MiRows)
	f.Quantization.parse(r)
	f.parseSegmentation(r)
	if f.Quantization.BaseQIdx > 0 {
		f.DeltaQPresent = r.Flag()
	}
	if f.DeltaQPresent {
		f.DeltaQRes = uint8(r.U(2))
		if !f.AllowIntrabc {
			f.DeltaLfPresent = r.Flag()
		}
		if f.DeltaLfPresent {
			f.DeltaLfRes = uint8(r.U(2))
			f.DeltaLfMulti = r.Flag()
		}
	}
	f.CodedLossless = f.lossless()
	f.AllLossless = f.CodedLossless && f.FrameWidth == f.UpscaledWidth
	f.parseLoopFilter(r)
	if !f.CodedLossless && !f.AllowIntrabc && s.EnableCdef {
		f.Cdef.parse(r)
	}
	if !f.AllLossless && !f.AllowIntrabc && s.EnableRestoration {
		f.LoopRestoration.parse(r)
	}
	if !f.CodedLossless {
		f.TxMode = TxModeLargest
		if f.TxModeSelect = r.Flag(); f.TxModeSelect {
			f.TxMode = TxModeSelect
		}
	}
	if !f.Intra() {
		f.ReferenceSelect = r.Flag()
	}
	if f.skipModeAllowed(r) {
		f.SkipModePresent = r.Flag()
	}
	if !f.Intra() && !f.ErrorResilientMode && s.EnableWarpedMotion {
		f.AllowWarpedMotion = r.Flag()
	}
	f.ReducedTxSet = r.Flag()
}

// tileLog2 is the smallest k with size << k ≥ target (5.9.16).
func tileLog2(size, target int) (k int) {
	for size<<k < target {
		k++
	}
	return k
}

func (t *TileInfo) parse(r *headerParser, miCols, miRows int) {
	shift := 4
	if r.seq.Use128x128Superblock {
		shift = 5
	}
	sbCols, sbRows := (miCols+1<<shift-1)>>shift, (miRows+1<<shift-1)>>shift
	size := shift + 2
	maxWidth, maxArea := maxTileWidth>>size, maxTileArea>>(2*size)
	minLog2Cols := tileLog2(maxWidth, sbCols)
	maxLog2Cols, maxLog2Rows := tileLog2(1, min(sbCols, MaxTileCols)), tileLog2(1, min(sbRows, MaxTileRows))
	minLog2 := max(minLog2Cols, tileLog2(maxArea, sbRows*sbCols))
	count := func(from, to int) int {
		for from < to && r.Flag() {
			from++
		}
		return from
	}
	cols, rows := 0, 0
	if t.UniformTileSpacingFlag = r.Flag(); t.UniformTileSpacingFlag {
		log2 := count(minLog2Cols, maxLog2Cols)
		w := (sbCols + 1<<log2 - 1) >> log2
		for at := 0; at < sbCols; at += w {
			t.MiColStarts[cols], t.WidthInSbsMinus1[cols] = uint16(at<<shift), uint16(min(w, sbCols-at)-1)
			cols++
		}
		t.TileColsLog2 = uint8(log2)
		log2 = count(max(minLog2-log2, 0), maxLog2Rows)
		h := (sbRows + 1<<log2 - 1) >> log2
		for at := 0; at < sbRows; at += h {
			t.MiRowStarts[rows], t.HeightInSbsMinus1[rows] = uint16(at<<shift), uint16(min(h, sbRows-at)-1)
			rows++
		}
		t.TileRowsLog2 = uint8(log2)
	} else {
		widest := 1
		for at := 0; at < sbCols && cols < MaxTileCols; cols++ {
			w := ns(&r.Reader, min(sbCols-at, maxWidth))
			t.MiColStarts[cols], t.WidthInSbsMinus1[cols] = uint16(at<<shift), uint16(w)
			widest = max(widest, w+1)
			if at += w + 1; cols == MaxTileCols-1 && at < sbCols {
				r.Fail("width_in_sbs_minus_1", "makes too many tiles")
			}
		}
		area := sbRows * sbCols
		if minLog2 > 0 {
			area >>= minLog2 + 1
		}
		highest := max(area/widest, 1)
		for at := 0; at < sbRows && rows < MaxTileRows; rows++ {
			h := ns(&r.Reader, min(sbRows-at, highest))
			t.MiRowStarts[rows], t.HeightInSbsMinus1[rows] = uint16(at<<shift), uint16(h)
			if at += h + 1; rows == MaxTileRows-1 && at < sbRows {
				r.Fail("height_in_sbs_minus_1", "makes too many tiles")
			}
		}
		t.TileColsLog2, t.TileRowsLog2 = uint8(tileLog2(1, cols)), uint8(tileLog2(1, rows))
	}
	t.MiColStarts[cols], t.MiRowStarts[rows] = uint16(miCols), uint16(miRows)
	t.TileCols, t.TileRows = uint8(cols), uint8(rows)
	if cols*rows > MaxTiles {
		r.Fail("tile_info", "has more tiles than any level allows")
	}
	if t.TileColsLog2 > 0 || t.TileRowsLog2 > 0 {
		t.ContextUpdateTileID = uint16(r.U(int(t.TileRowsLog2 + t.TileColsLog2)))
		if int(t.ContextUpdateTileID) >= cols*rows {
			r.Fail("context_update_tile_id", "is out of range")
		}
		t.TileSizeBytesMinus1 = uint8(r.U(2))
	}
}

// deltaQ is read_delta_q (5.9.13).
func deltaQ(r *bitstream.Reader) int8 {
	if !r.Flag() {
		return 0
	}
	return int8(su(r, 7))
}

func (q *Quantization) parse(r *headerParser) {
	separate := r.seq.ColorConfig.SeparateUVDeltaQ
	q.BaseQIdx = uint8(r.U(8))
	q.DeltaQYDc = deltaQ(&r.Reader)
	if !r.seq.ColorConfig.MonoChrome {
		if separate {
			q.DiffUVDelta = r.Flag()
		}
		q.DeltaQUDc, q.DeltaQUAc = deltaQ(&r.Reader), deltaQ(&r.Reader)
		q.DeltaQVDc, q.DeltaQVAc = q.DeltaQUDc, q.DeltaQUAc
		if q.DiffUVDelta {
			q.DeltaQVDc, q.DeltaQVAc = deltaQ(&r.Reader), deltaQ(&r.Reader)
		}
	}
	if q.UsingQmatrix = r.Flag(); q.UsingQmatrix {
		q.QmY, q.QmU = uint8(r.U(4)), uint8(r.U(4))
		if q.QmV = q.QmU; separate {
			q.QmV = uint8(r.U(4))
		}
	}
}

func (f *Frame) parseSegmentation(r *headerParser) {
	s := &f.Segmentation
	if s.SegmentationEnabled = r.Flag(); !s.SegmentationEnabled {
		return
	}
	prev := f.previous(r)
	s.SegmentationUpdateMap, s.SegmentationUpdateData = true, true
	if prev != nil {
		if s.SegmentationUpdateMap = r.Flag(); s.SegmentationUpdateMap {
			s.SegmentationTemporalUpdate = r.Flag()
		}
		s.SegmentationUpdateData = r.Flag()
	}
	if !s.SegmentationUpdateData {
		s.FeatureEnabled, s.FeatureData = prev.segEnabled, prev.segData
		return
	}
	for i := range MaxSegments {
		for j := range SegLvlMax {
			if !r.Flag() {
				continue
			}
			s.FeatureEnabled[i] |= 1 << j
			n, limit, v := segmentationBits[j], segmentationMax[j], 0
			if segmentationSigned[j] {
				v = max(su(&r.Reader, 1+n), -limit)
			} else {
				v = int(r.U(n))
			}
			s.FeatureData[i][j] = int16(min(v, limit))
		}
	}
}

// lossless is CodedLossless: no segment is quantized.
func (f *Frame) lossless() bool {
	q := &f.Quantization
	if q.DeltaQYDc != 0 || q.DeltaQUAc != 0 || q.DeltaQUDc != 0 || q.DeltaQVAc != 0 || q.DeltaQVDc != 0 {
		return false
	}
	for i := range MaxSegments {
		idx := int(q.BaseQIdx) // get_qindex(1, i), 7.12.2
		if f.Segmentation.SegmentationEnabled && f.Segmentation.FeatureEnabled[i]&1 != 0 {
			idx += int(f.Segmentation.FeatureData[i][0])
		}
		if idx > 0 {
			return false
		}
	}
	return true
}

func (f *Frame) parseLoopFilter(r *headerParser) {
	l := &f.LoopFilter
	l.LoopFilterRefDeltas = lfRefDeltaDefaults
	if f.CodedLossless || f.AllowIntrabc {
		return
	}
	if prev := f.previous(r); prev != nil {
		l.LoopFilterRefDeltas, l.LoopFilterModeDeltas = prev.lfRefDeltas, prev.lfModeDeltas
	}
	l.LoopFilterLevel[0], l.LoopFilterLevel[1] = uint8(r.U(6)), uint8(r.U(6))
	if !r.seq.ColorConfig.MonoChrome && l.LoopFilterLevel[0]|l.LoopFilterLevel[1] != 0 {
		l.LoopFilterLevel[2], l.LoopFilterLevel[3] = uint8(r.U(6)), uint8(r.U(6))
	}
	l.LoopFilterSharpness = uint8(r.U(3))
	if l.LoopFilterDeltaEnabled = r.Flag(); !l.LoopFilterDeltaEnabled {
		return
	}
	if l.LoopFilterDeltaUpdate = r.Flag(); !l.LoopFilterDeltaUpdate {
		return
	}
	for i := range l.LoopFilterRefDeltas {
		if r.Flag() {
			l.UpdateRefDelta |= 1 << i
			l.LoopFilterRefDeltas[i] = int8(su(&r.Reader, 7))
		}
	}
	for i := range l.LoopFilterModeDeltas {
		if r.Flag() {
			l.UpdateModeDelta |= 1 << i
			l.LoopFilterModeDeltas[i] = int8(su(&r.Reader, 7))
		}
	}
}

func (c *Cdef) parse(r *headerParser) {
	c.CdefDampingMinus3, c.CdefBits = uint8(r.U(2)), uint8(r.U(2))
	for i := range 1 << c.CdefBits {
		c.CdefYPriStrength[i], c.CdefYSecStrength[i] = uint8(r.U(4)), uint8(r.U(2))
		if !r.seq.ColorConfig.MonoChrome {
			c.CdefUVPriStrength[i], c.CdefUVSecStrength[i] = uint8(r.U(4)), uint8(r.U(2))
		}
	}
}

func (l *LoopRestoration) parse(r *headerParser) {
	c := &r.seq.ColorConfig
	for i := range c.NumPlanes() {
		l.FrameRestorationType[i] = remapLrType[r.U(2)]
		if l.FrameRestorationType[i] != RestoreNone {
			l.UsesLr = true
			l.UsesChromaLr = l.UsesChromaLr || i > 0
		}
	}
	if !l.UsesLr {
		return
	}
	l.LrUnitShift = uint8(r.U(1))
	if r.seq.Use128x128Superblock {
		l.LrUnitShift++
	} else if l.LrUnitShift != 0 {
		l.LrUnitShift += uint8(r.U(1))
	}
	if c.SubsamplingX && c.SubsamplingY && l.UsesChromaLr {
		l.LrUVShift = uint8(r.U(1))
	}
	size := uint16(restorationMaxSize >> (2 - l.LrUnitShift))
	l.LoopRestorationSize = [3]uint16{size, size >> l.LrUVShift, size >> l.LrUVShift}
}

// skipModeAllowed derives the references of skip mode (5.9.22).
func (f *Frame) skipModeAllowed(r *headerParser) bool {
	s := r.seq
	if f.Intra() || !f.ReferenceSelect || !s.EnableOrderHint {
		return false
	}
	forward, backward := -1, -1
	hint := func(i int) uint8 { return f.OrderHints[LastFrame+i] }
	for i := range RefsPerFrame {
		switch d := s.relativeDist(hint(i), f.OrderHint); {
		case d < 0:
			if forward < 0 || s.relativeDist(hint(i), hint(forward)) > 0 {
				forward = i
			}
		case d > 0:
			if backward < 0 || s.relativeDist(hint(i), hint(backward)) < 0 {
				backward = i
			}
		}
	}
	if forward < 0 {
		return false
	}
	second := backward
	if second < 0 {
		for i := range RefsPerFrame {
			if s.relativeDist(hint(i), hint(forward)) < 0 && (second < 0 || s.relativeDist(hint(i), hint(second)) > 0) {
				second = i
			}
		}
		if second < 0 {
			return false
		}
	}
	f.SkipModeFrame = [2]uint8{uint8(LastFrame + min(forward, second)), uint8(LastFrame + max(forward, second))}
	return true
}
