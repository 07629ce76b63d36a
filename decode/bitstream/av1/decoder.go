package av1

import (
	"bytes"
	"math/bits"

	"github.com/scanout-av/scanout/decode/bitstream"
)

// Config says what a [Decoder] gets.
type Config struct {
	// ExtraData is what the container says about the stream: an av1C record or OBUs; may
	// be empty.
	ExtraData []byte
	// OperatingPoint is the index of the operating point to decode; one that the stream
	// has not got is 0.
	OperatingPoint int
}

// Decoder is the AV1 decoding process without pixels.
type Decoder struct {
	cfg       Config
	seqOBU    []byte // payload of the sequence header
	seq       *Sequence
	sequences uint32
	fresh     bool // no frame came since the sequence header
	op        int
	idc       uint16
	spatial   bool // only the last shown picture of a temporal unit is meant

	refs    [NumRefFrames]reference
	scratch [NumRefFrames]reference
	parser  headerParser
	header  Frame // for headers of frames that do not come to be
	nextID  bitstream.PictureID
	joined  bool // a frame was decoded since the start or Reset
	dropped int

	pictures []Picture
	cur      *Picture
	curBytes []byte // the frame header, to know its copies by
	tiles    int    // that came
	held     bitstream.Slots
	lost     bool // a frame header was lost, with it what it replaced
}

var (
	errNoSequence = &bitstream.SyntaxError{Unit: "AV1 frame", Reason: "comes before a sequence header"}
	errNoHeader   = &bitstream.SyntaxError{Unit: "AV1 tile group", Reason: "comes without frame header"}
	errNoKey      = &bitstream.SyntaxError{Unit: "AV1 frame", Reason: "refers to frames before the first key frame"}
	errTiles      = &bitstream.SyntaxError{Unit: "AV1 frame", Reason: "has lost tiles"}
	errGroup      = &bitstream.SyntaxError{Unit: "AV1 tile group", Field: "tg_start", Reason: "does not go on where the last one ended"}
	errTileSize   = &bitstream.SyntaxError{Unit: "AV1 tile group", Field: "tile_size_minus_1", Reason: "exceeds the data"}
	errMany       = &bitstream.SyntaxError{Unit: frameUnit, Reason: "is one too many for a temporal unit"}
	errScale      = &bitstream.SyntaxError{Unit: frameUnit, Field: "frame size", Reason: "is too different from that of a reference frame"}

	errTileList = &bitstream.UnsupportedError{Codec: "AV1", Feature: bitstream.LargeScaleTile}
)

// NewDecoder makes a decoder.
// Errors: bitstream.SyntaxError for extra data that cannot be read.
func NewDecoder(cfg Config) (*Decoder, error) {
	d := &Decoder{cfg: cfg}
	if err := d.configure(cfg.ExtraData); err != nil {
		return nil, err
	}
	return d, nil
}

// Sequence returns the sequence header, nil for none.
func (d *Decoder) Sequence() *Sequence { return d.seq }

// OperatingPoint returns the operating point that is decoded.
func (d *Decoder) OperatingPoint() int { return d.op }

// Dropped returns how many frames were left out because decoding began behind the frames
// that they refer to.
func (d *Decoder) Dropped() int { return d.dropped }

// configure takes an av1C record (AV1 Codec ISO Media File Format Binding, 2.3) or OBUs.
func (d *Decoder) configure(extra []byte) error {
	if len(extra) == 0 {
		return nil
	}
	if extra[0]&0x80 != 0 { // marker and version; the first bit of an OBU is 0
		if len(extra) < 4 || extra[0] != 0x81 {
			return &bitstream.SyntaxError{Unit: "av1C", Reason: "is not of version 1"}
		}
		extra = extra[4:]
	}
	for pos := 0; ; {
		o, ok, err := NextOBU(extra, pos)
		if err != nil || !ok {
			return err
		}
		if o.Type == OBUSequenceHeader {
			if err := d.sequence(o.Payload(extra)); err != nil {
				return err
			}
		}
		pos = o.End
	}
}

// sequence takes a sequence header; a repetition costs nothing. A damaged one leaves what
// there was.
func (d *Decoder) sequence(payload []byte) error {
	if d.seq != nil && bytes.Equal(payload, d.seqOBU) {
		return nil
	}
	s, err := ParseSequence(payload)
	if err != nil {
		return err
	}
	d.seq, d.seqOBU = s, bytes.Clone(payload)
	d.sequences++
	d.fresh = true
	if d.op = d.cfg.OperatingPoint; d.op < 0 || d.op > int(s.OperatingPointsCntMinus1) {
		d.op = 0
	}
	d.idc, d.spatial = s.OperatingPoints[d.op].OperatingPointIdc, s.OperatingPoints[d.op].Spatial() > 1
	return nil
}

// Decode takes data of a whole temporal unit, or several, and returns the pictures coded
// in it in decoding order. With an error the pictures that could be had are returned all
// the same; what is damaged in them they say themselves. A consumer that cannot decode a
// picture goes through its Output and Freed nevertheless.
// Ownership: borrows data; the result is valid until the next call.
// Errors: bitstream.SyntaxError for the first unit that is damaged (the others are used,
// if they can be found), bitstream.UnsupportedError.
func (d *Decoder) Decode(data []byte) ([]Picture, error) {
	d.pictures = d.pictures[:0]
	var first error
	for pos := 0; ; {
		o, ok, err := NextOBU(data, pos)
		if err != nil {
			d.lost = true // whatever the rest held
			first = bitstream.Graver(first, err)
		}
		if !ok {
			break
		}
		if o.InOperatingPoint(d.idc) {
			first = bitstream.Graver(first, d.unit(data, o))
		}
		pos = o.End
	}
	first = bitstream.Graver(first, d.finish())
	if d.spatial {
		d.showHighest()
	}
	return d.pictures, first
}

// showHighest leaves of the shown pictures of a temporal unit the last: the highest layer
// (7.18.1).
func (d *Decoder) showHighest() {
	shown := false
	for i := len(d.pictures) - 1; i >= 0; i-- {
		p := &d.pictures[i]
		if shown {
			p.Output = p.Output[:0]
		}
		shown = shown || len(p.Output) > 0
	}
}

func (d *Decoder) unit(data []byte, o OBU) error {
	switch o.Type {
	case OBUSequenceHeader:
		err := d.finish()
		return bitstream.Graver(err, d.sequence(o.Payload(data)))
	case OBUTemporalDelimiter:
		return d.finish()
	case OBUFrameHeader, OBURedundantFrameHeader:
		if p := d.cur; p != nil && isCopy(o.Payload(data), d.curBytes) {
			return nil
		}
		if o.Type == OBURedundantFrameHeader {
			return nil // a copy of what has been decoded or is lost
		}
		err := d.finish()
		return bitstream.Graver(err, d.frame(data, o))
	case OBUFrame:
		err := d.finish()
		err = bitstream.Graver(err, d.frame(data, o))
		if d.cur == nil {
			return err
		}
		return bitstream.Graver(err, d.tileGroup(data, o.Begin+(d.cur.Frame.HeaderBits+7)/8, o.End))
	case OBUTileGroup:
		if d.cur == nil {
			return errNoHeader
		}
		return d.tileGroup(data, o.Begin, o.End)
	case OBUTileList:
		return errTileList
	}
	return nil
}

// isCopy reports whether payload begins with header, whose last byte may have unused bits.
func isCopy(payload, header []byte) bool {
	n := len(header)
	return n > 0 && len(payload) >= n && bytes.Equal(payload[:n-1], header[:n-1])
}

// frame begins the frame whose header o holds.
func (d *Decoder) frame(data []byte, o OBU) error {
	if d.seq == nil {
		d.dropped++
		return errNoSequence
	}
	r := &d.parser
	d.scratch = d.refs
	if d.fresh && d.joined {
		// Another sequence begins with a key frame: what came before is no reference.
		for i := range d.scratch {
			d.scratch[i].valid = false
		}
	}
	r.ResetPlain(o.Payload(data))
	r.seq, r.refs = d.seq, &d.scratch
	f := &d.header
	f.parse(r, o.TemporalID, o.SpatialID)
	if err := r.Err(frameUnit); err != nil {
		if !f.ShowExistingFrame {
			d.lost = true
		}
		return d.refused(err)
	}
	if len(d.pictures) == bitstream.MaxPictures {
		d.lost = d.lost || !f.ShowExistingFrame
		return d.refused(errMany)
	}
	if f.ShowExistingFrame {
		d.show(f, o)
		return nil
	}
	if !f.Intra() {
		valid := 0
		for _, at := range f.RefFrameIdx {
			e := &d.scratch[at]
			if e.valid {
				valid++
			}
			if e.valid && !f.scales(&e.Ref) {
				d.lost = true
				return d.refused(errScale)
			}
		}
		if valid == 0 && !d.joined {
			d.dropped++
			return errNoKey
		}
	}
	d.begin(f, o)
	n := (f.HeaderBits + 7) / 8
	d.curBytes = append(d.curBytes[:0], data[o.Begin:o.Begin+min(n, o.End-o.Begin)]...)
	return nil
}

// refused says why a frame is left out: before the first key frame everything is missing.
func (d *Decoder) refused(err error) error {
	d.dropped++
	if !d.joined {
		return errNoKey
	}
	return err
}

// occupied are the slots of kept frames.
func (d *Decoder) occupied() (s bitstream.Slots) {
	for i := range d.refs {
		if e := &d.refs[i]; e.valid && e.ID != 0 {
			s |= 1 << e.Slot
		}
	}
	return s
}

// picture appends an empty picture to the result; its lists keep their memory.
func (d *Decoder) picture(f *Frame, o OBU) *Picture {
	if len(d.pictures) == cap(d.pictures) {
		d.pictures = append(d.pictures, Picture{})
	} else {
		d.pictures = d.pictures[:len(d.pictures)+1]
	}
	p := &d.pictures[len(d.pictures)-1]
	*p = Picture{Tiles: p.Tiles[:0], Refs: p.Refs[:0], Output: p.Output[:0]}
	if p.Refs == nil {
		p.Refs = make([]Ref, 0, RefsPerFrame)
		p.Output = make([]bitstream.Output, 0, 1)
		p.Tiles = make([]Tile, 0, 16)
	}
	p.Sequence, p.OperatingPoint, p.Sequences, p.Frame = d.seq, d.op, d.sequences, *f
	p.TemporalID, p.SpatialID, p.HeaderOBU, p.Header = o.TemporalID, o.SpatialID, o.Start, o.Begin
	p.NewSequence, d.fresh = d.fresh, false
	return p
}

// show shows a kept frame (7.21).
func (d *Decoder) show(f *Frame, o OBU) {
	d.held = d.occupied()
	p := d.picture(f, o)
	e := d.refs[f.FrameToShowMapIdx]
	p.Existing, p.Slot, p.Corrupt = true, e.Slot, e.Corrupt
	p.Output = append(p.Output, bitstream.Output{ID: e.ID, PicOrderCnt: int32(e.OrderHint), Slot: int8(e.Slot)})
	if f.FrameType == KeyFrame { // decoding goes on as behind this key frame
		e.showable = false
		for i := range d.refs {
			d.refs[i] = e
		}
		d.lost = false
	}
	p.Freed = d.held &^ d.occupied()
}

// begin starts the picture of a frame header.
func (d *Decoder) begin(f *Frame, o OBU) {
	// What the header makes invalid is free from now on, but not for this picture.
	d.held = d.occupied()
	d.refs = d.scratch
	if f.FrameType == KeyFrame && f.ShowFrame {
		d.lost = false
	}
	if d.lost {
		for i := range d.refs {
			d.refs[i].Corrupt = true
		}
		d.lost = false
	}
	p := d.picture(f, o)
	d.nextID++
	p.ID = d.nextID
	d.cur, d.tiles, d.joined = p, 0, true
	for i := range p.RefIndex {
		p.RefIndex[i] = -1
	}
	if !f.Intra() {
		d.refer(p)
	}
	p.Slot = bits.TrailingZeros32(^uint32(d.held))
	if f.ShowFrame {
		p.Output = append(p.Output, bitstream.Output{ID: p.ID, PicOrderCnt: int32(f.OrderHint), Slot: int8(p.Slot)})
	}
}

// refer lists what an inter frame may refer to.
func (d *Decoder) refer(p *Picture) {
	for i, at := range p.Frame.RefFrameIdx {
		e := &d.refs[at]
		if !e.valid || e.ID == 0 {
			p.Missing.References++
			continue
		}
		for k := range p.Refs {
			if p.Refs[k].ID == e.ID {
				p.RefIndex[i] = int8(k)
			}
		}
		if p.RefIndex[i] < 0 {
			p.RefIndex[i] = int8(len(p.Refs))
			p.Refs = append(p.Refs, e.Ref)
			p.Corrupt = p.Corrupt || e.Corrupt
		}
	}
}

// tileGroup takes the tiles in data[from:end], 5.11.1.
func (d *Decoder) tileGroup(data []byte, from, end int) error {
	p := d.cur
	t := &p.Frame.TileInfo
	all := int(t.TileCols) * int(t.TileRows)
	if from > end {
		return errTileSize
	}
	var r bitstream.Reader
	r.ResetPlain(data[from:end])
	first, last := 0, all-1
	if all > 1 && r.Flag() {
		n := int(t.TileColsLog2 + t.TileRowsLog2)
		first, last = int(r.U(n)), int(r.U(n))
	}
	if r.Failed() || last >= all || last < first {
		return errTileSize
	}
	if first != d.tiles {
		return errGroup
	}
	from += (r.Position() + 7) / 8
	for i := first; i <= last; i++ {
		size := end - from
		if i < last {
			n := int(t.TileSizeBytesMinus1) + 1
			if size < n {
				return errTileSize
			}
			coded := 0
			for k := range n { // le(n), 4.10.4
				coded |= int(data[from+k]) << (8 * k)
			}
			from += n
			if size = coded + 1; size > end-from {
				return errTileSize
			}
		}
		if size == 0 {
			return errTileSize
		}
		p.Tiles = append(p.Tiles, Tile{from, from + size})
		from += size
		d.tiles++
	}
	if d.tiles == all {
		return d.finish()
	}
	return nil
}

// finish ends the current picture: the frame replaces kept ones (7.20).
func (d *Decoder) finish() (err error) {
	p := d.cur
	if p == nil {
		return nil
	}
	d.cur = nil
	f := &p.Frame
	if n := int(f.TileInfo.TileCols)*int(f.TileInfo.TileRows) - d.tiles; n > 0 {
		p.Missing.Tiles, err = n, errTiles
	}
	p.Corrupt = p.Corrupt || p.Missing.Any()
	for i := range d.refs {
		if f.RefreshFrameFlags>>i&1 != 0 {
			d.refs[i].keep(p)
		}
	}
	p.Freed = (d.held | 1<<p.Slot) &^ d.occupied()
	return err
}

// keep makes e the frame of p.
func (e *reference) keep(p *Picture) {
	f := &p.Frame
	*e = reference{
		Ref: Ref{ID: p.ID, Slot: p.Slot, Corrupt: p.Corrupt, Width: f.UpscaledWidth, Height: f.FrameHeight, FrameType: f.FrameType,
			OrderHint: f.OrderHint, OrderHints: f.OrderHints, RefFrameSignBias: f.RefFrameSignBias,
			DisableFrameEndUpdateCdf: f.DisableFrameEndUpdateCdf, SegmentationEnabled: f.Segmentation.SegmentationEnabled},
		valid: true, showable: f.ShowableFrame, frameID: f.CurrentFrameID, frameWidth: f.FrameWidth,
		renderWidth: f.RenderWidth, renderHeight: f.RenderHeight, gm: f.GlobalMotion,
		lfRefDeltas: f.LoopFilter.LoopFilterRefDeltas, lfModeDeltas: f.LoopFilter.LoopFilterModeDeltas,
		segEnabled: f.Segmentation.FeatureEnabled, segData: f.Segmentation.FeatureData, grain: f.FilmGrain,
	}
}

// Damage tells the decoder that a picture could not be decoded, so that those that refer
// to it are Corrupt.
func (d *Decoder) Damage(id bitstream.PictureID) {
	for i := range d.refs {
		if d.refs[i].ID == id {
			d.refs[i].Corrupt = true
		}
	}
}

// Flush ends the stream and frees all slots: no picture waits for output but such as were
// not meant to be shown.
func (d *Decoder) Flush() []bitstream.Output {
	d.Reset()
	return nil
}

// Reset forgets all frames, as before a seek; all slots are free. The sequence header
// stays.
func (d *Decoder) Reset() {
	d.refs = [NumRefFrames]reference{}
	d.cur, d.held, d.joined, d.lost = nil, 0, false, false
}
