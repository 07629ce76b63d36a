package h264

import (
	"bytes"

	"github.com/scanout-av/scanout/decode/bitstream"
)

// Config says what a [Decoder] gets.
type Config struct {
	// ExtraData is what the container says about the stream: an avcC record, whose units
	// have lengths, or Annex B parameter sets; may be empty.
	ExtraData []byte
	// Framing is how units are told apart when ExtraData does not say; the zero value
	// is Annex B.
	Framing bitstream.Framing
	// IgnoreNoOutput shows pictures that a stream wants to be dropped at an IDR picture
	// (no_output_of_prior_pics_flag).
	IgnoreNoOutput bool
}

// Decoder is the H.264 decoding process without pixels.
type Decoder struct {
	cfg     Config
	framing bitstream.Framing

	spsNAL  [32][]byte
	spsSet  [32]*SPS
	ppsNAL  [256][]byte
	ppsSet  [256]*PPS
	sets    uint32 // counts changes
	lastSPS *SPS   // parsed last, for SEI before a slice
	getPPS  func(id uint8) *PPS
	getSPS  func(id uint8) *SPS

	sps     *SPS // active
	dpb     dpb
	poc     pocState
	nextID  bitstream.PictureID
	started bool // a picture was decoded since the start or Reset
	// prevRefFrameNum is PrevRefFrameNum (7.4.3).
	prevRefFrameNum uint32
	prev            SliceHeader // of the last slice, to find where pictures begin
	prevValid       bool

	signalled    bool   // a recovery point message was seen
	recovering   bool   // a recovery point was seen, recoveryFrame is not reached
	recoverAt    uint32 // frame_num at which the pictures are right again
	recovered    bool   // pictures from recoveredPOC on are right
	recoveredPOC int32

	sei      SEI
	pictures []Picture
	slices   int             // in pictures
	cur      *Picture        // being collected
	held     bitstream.Slots // occupied before cur

	pending []bitstream.Output // of pictures that no longer are in the DPB
	scratch Slice
}

var (
	errNoPPS = &bitstream.SyntaxError{Unit: sliceUnit, Field: "pic_parameter_set_id", Reason: "names a parameter set that has not arrived"}
	errNoSPS = &bitstream.SyntaxError{Unit: sliceUnit, Field: "seq_parameter_set_id", Reason: "names a parameter set that has not arrived"}
	errMany  = &bitstream.SyntaxError{Unit: sliceUnit, Reason: "is one too many for an access unit"}
	errSplit = &bitstream.SyntaxError{Unit: sliceUnit, Reason: "belongs to a picture that was decoded already: units arrived twice, or access units in parts"}

	errInterlaced   = &bitstream.UnsupportedError{Codec: "H.264", Feature: bitstream.Interlaced}
	errPartitioning = &bitstream.UnsupportedError{Codec: "H.264", Feature: bitstream.DataPartitioning}
	unsupported     = [...]*bitstream.UnsupportedError{
		bitstream.SliceGroups:         {Codec: "H.264", Feature: bitstream.SliceGroups},
		bitstream.ArbitrarySliceOrder: {Codec: "H.264", Feature: bitstream.ArbitrarySliceOrder},
		bitstream.SwitchingSlices:     {Codec: "H.264", Feature: bitstream.SwitchingSlices},
		bitstream.SeparatePlanes:      {Codec: "H.264", Feature: bitstream.SeparatePlanes},
	}
)

// NewDecoder makes a decoder.
// Errors: bitstream.SyntaxError for extra data that cannot be read.
func NewDecoder(cfg Config) (*Decoder, error) {
	d := &Decoder{cfg: cfg, framing: cfg.Framing}
	d.getPPS = func(id uint8) *PPS { return d.ppsSet[id] }
	d.getSPS = func(id uint8) *SPS { return d.spsSet[id&31] }
	d.dpb.maxLong = -1
	if err := d.configure(cfg.ExtraData); err != nil {
		return nil, err
	}
	return d, nil
}

// Framing returns how the decoder tells units apart.
func (d *Decoder) Framing() bitstream.Framing { return d.framing }

// SPS returns the sequence parameter set with an id, nil for none.
func (d *Decoder) SPS(id uint8) *SPS { return d.spsSet[id&31] }

// PPS returns the picture parameter set with an id, nil for none.
func (d *Decoder) PPS(id uint8) *PPS { return d.ppsSet[id] }

// ParameterSets changes whenever a parameter set was added or replaced by another one.
func (d *Decoder) ParameterSets() uint32 { return d.sets }

// configure takes an avcC record (ISO/IEC 14496-15, 5.3.3.1) or Annex B units.
func (d *Decoder) configure(extra []byte) error {
	if len(extra) == 0 {
		return nil
	}
	if extra[0] != 1 { // Annex B begins with zeros
		var f bitstream.Framing
		for pos := 0; ; {
			n, ok, _ := f.Next(extra, pos)
			if !ok {
				return nil
			}
			if err := d.parameterSet(n.Bytes(extra)); err != nil {
				return err
			}
			pos = n.After()
		}
	}
	const unit = "avcC"
	short := &bitstream.SyntaxError{Unit: unit, Reason: "ends early"}
	if len(extra) < 7 {
		return short
	}
	d.framing = bitstream.Framing{LengthSize: int(extra[4]&3) + 1}
	rest := extra[5:]
	for i, mask := range [2]byte{31, 255} { // SPS, PPS
		if len(rest) == 0 {
			if i == 1 {
				return nil
			}
			return short
		}
		n := int(rest[0] & mask)
		rest = rest[1:]
		for range n {
			if len(rest) < 2 {
				return short
			}
			size := int(rest[0])<<8 | int(rest[1])
			if rest = rest[2:]; size > len(rest) {
				return short
			}
			if size > 0 {
				if err := d.parameterSet(rest[:size]); err != nil {
					return err
				}
			}
			rest = rest[size:]
		}
	}
	return nil
}

// parameterSet takes an SPS or PPS; a repetition costs nothing. A damaged one leaves
// what there was.
func (d *Decoder) parameterSet(nal []byte) error {
	var r bitstream.Reader
	r.Reset(nal[1:])
	switch nal[0] & 31 {
	case NALSPS:
		r.Skip(24)
		id := r.UEMax(31, "seq_parameter_set_id")
		if !r.Failed() && bytes.Equal(d.spsNAL[id], nal) {
			d.lastSPS = d.spsSet[id]
			return nil
		}
		s, err := ParseSPS(nal)
		if err != nil {
			return err
		}
		d.spsSet[id], d.spsNAL[id] = s, bytes.Clone(nal)
		d.lastSPS = s
		d.sets++
		for i, p := range d.ppsSet {
			// The lists of such a PPS may have been read by another chroma_format_idc.
			if p != nil && p.SeqParameterSetID == s.SeqParameterSetID && p.Transform8x8ModeFlag && p.PicScalingMatrixPresentFlag {
				d.ppsSet[i], _ = ParsePPS(d.ppsNAL[i], d.getSPS)
			}
		}
	case NALPPS:
		id := r.UEMax(255, "pic_parameter_set_id")
		if !r.Failed() && bytes.Equal(d.ppsNAL[id], nal) && d.ppsSet[id] != nil {
			return nil
		}
		p, err := ParsePPS(nal, d.getSPS)
		if err != nil {
			return err
		}
		d.ppsSet[id], d.ppsNAL[id] = p, bytes.Clone(nal)
		d.sets++
	}
	return nil
}

// Decode takes data of whole access units, one as a rule, and returns the pictures in
// decoding order: those coded in it, and those inferred before them. With an error the
// pictures that could be had are returned all the same; what is damaged in them they
// say themselves. A consumer that cannot decode a picture goes through its Output and
// Freed nevertheless.
// Ownership: borrows data; the result is valid until the next call.
// Errors: bitstream.SyntaxError for the first unit that is damaged (the others are
// used), bitstream.UnsupportedError, bitstream.ErrLength.
func (d *Decoder) Decode(data []byte) ([]Picture, error) {
	d.pictures, d.slices = d.pictures[:0], 0
	var first error
	for pos := 0; ; {
		n, ok, err := d.framing.Next(data, pos)
		first = bitstream.Graver(first, err)
		if !ok {
			break
		}
		first = bitstream.Graver(first, d.unit(data, n))
		pos = n.After()
	}
	return d.pictures, bitstream.Graver(first, d.finish())
}

// unit takes a NAL unit.
func (d *Decoder) unit(data []byte, n bitstream.NAL) error {
	nal := n.Bytes(data)
	if nal[0]&0x80 != 0 {
		d.damaged()
		return &bitstream.SyntaxError{Unit: "H.264 NAL unit", Field: "forbidden_zero_bit", Reason: "is set"}
	}
	switch nal[0] & 31 {
	case NALSlice, NALIDR:
		return d.slice(n, nal)
	case NALPartitionA, NALPartitionB, NALPartitionC:
		return errPartitioning
	case NALSEI:
		err := d.finish()
		sps := d.sps
		if sps == nil || d.lastSPS != nil && d.lastSPS.SeqParameterSetID == sps.SeqParameterSetID {
			sps = d.lastSPS
		}
		if e := d.sei.Parse(nal, sps); err == nil {
			err = e
		}
		return err
	case NALSPS, NALPPS:
		err := d.finish()
		if e := d.parameterSet(nal); err == nil {
			err = e
		}
		return err
	case NALAUD, NALEndOfSequence, NALEndOfStream:
		return d.finish()
	}
	return nil // other layers, auxiliary pictures, filler, what is reserved
}

// damaged notes a unit that cannot be used and may have been part of the picture.
func (d *Decoder) damaged() {
	if d.cur != nil {
		d.cur.Missing.Slices++
	}
}

func (d *Decoder) slice(n bitstream.NAL, nal []byte) error {
	s := &d.scratch
	h := &s.Header
	if err := h.Parse(nal, d.getPPS, d.getSPS); err != nil {
		d.damaged()
		return err
	}
	if h.RedundantPicCnt > 0 {
		return nil // the primary picture has it all
	}
	s.NAL, s.PPS = n, d.ppsSet[h.PicParameterSetID]
	sps := d.spsSet[s.PPS.SeqParameterSetID]
	var err error
	begins := !d.prevValid || h.startsPicture(&d.prev)
	if d.cur != nil {
		begins = begins || sps != d.cur.SPS
	} else {
		// Encoders in the field number all their IDR pictures alike.
		begins = begins || h.IdrPicFlag && h.FirstMbInSlice == 0
	}
	if begins {
		err = d.finish()
		if h.FieldPicFlag {
			// Without the fields nothing that follows can be told: begin anew with an IDR
			// picture or a recovery point.
			d.prev, d.prevValid = *h, true
			return errInterlaced
		}
		// Whole frames may have been left out before it.
		if len(d.pictures)+MaxSlots > bitstream.MaxPictures {
			d.prev, d.prevValid = *h, true
			return bitstream.Graver(err, errMany)
		}
		if e := d.begin(h, s.PPS, sps); err == nil {
			err = e
		}
	} else if d.cur == nil {
		if h.FieldPicFlag {
			return errInterlaced
		}
		return errSplit
	}
	d.prev, d.prevValid = *h, true
	if e := d.add(s); err == nil {
		err = e
	}
	return err
}

// add puts a slice into the current picture.
func (d *Decoder) add(s *Slice) error {
	p := d.cur
	h := &s.Header
	if d.slices == bitstream.MaxSlices {
		p.Missing.Slices++
		return errMany
	}
	d.slices++
	feature := bitstream.FeatureNone
	switch {
	case s.PPS.NumSliceGroupsMinus1 > 0:
		feature = bitstream.SliceGroups
	case h.SliceType == SliceSP || h.SliceType == SliceSI:
		feature = bitstream.SwitchingSlices
	case p.SPS.SeparateColourPlaneFlag:
		feature = bitstream.SeparatePlanes
	case len(p.Slices) > 0 && h.FirstMbInSlice < p.Slices[len(p.Slices)-1].Header.FirstMbInSlice:
		feature = bitstream.ArbitrarySliceOrder
	case len(p.Slices) > 0 && h.FirstMbInSlice == p.Slices[len(p.Slices)-1].Header.FirstMbInSlice:
		p.Missing.Slices++
		return errSplit
	case len(p.Slices) == 0 && h.FirstMbInSlice != 0:
		p.Missing.Slices++
	}
	if feature != bitstream.FeatureNone && p.Unsupported == bitstream.FeatureNone {
		p.Unsupported = feature
	}
	p.Intra = p.Intra && h.Intra()
	p.buildLists(s)
	if len(p.Slices) < cap(p.Slices) {
		p.Slices = p.Slices[:len(p.Slices)+1]
		p.Slices[len(p.Slices)-1] = *s
	} else {
		p.Slices = append(p.Slices, *s)
	}
	return nil
}

// keptSlices is how many slices' memory the pictures of a unit keep but for the first two:
// there are no others in a unit that is in order.
const keptSlices = 16

// picture appends an empty picture to the result; its lists keep their memory.
func (d *Decoder) picture() *Picture {
	if len(d.pictures) == cap(d.pictures) {
		d.pictures = append(d.pictures, Picture{})
	} else {
		d.pictures = d.pictures[:len(d.pictures)+1]
	}
	p := &d.pictures[len(d.pictures)-1]
	if len(d.pictures) > 2 && cap(p.Slices) > keptSlices {
		p.Slices = nil
	}
	*p = Picture{Slices: p.Slices[:0], Refs: p.Refs[:0], Output: p.Output[:0]}
	if p.Refs == nil {
		p.Refs = make([]Ref, 0, MaxSlots)
		p.Output = make([]bitstream.Output, 0, 2*MaxSlots)
	}
	d.nextID++
	p.ID, p.SPS, p.ParameterSets = d.nextID, d.sps, d.sets
	return p
}

// begin starts the picture that h is the first slice of.
func (d *Decoder) begin(h *SliceHeader, pps *PPS, sps *SPS) error {
	newSequence := d.activate(sps, h.IdrPicFlag)
	missing := 0
	if !h.IdrPicFlag && d.started {
		missing = d.fillGap(h, sps)
	}
	p := d.picture()
	d.cur = p
	p.PPS, p.NewSequence = pps, newSequence
	p.IDR, p.IdrPicID, p.Reference, p.Intra = h.IdrPicFlag, uint16(h.IdrPicID), h.NalRefIdc != 0, true
	p.FrameNum, p.MMCO5 = h.FrameNum, h.hasMMCO5()
	p.Missing.Frames = missing
	p.SEI, d.sei = d.sei, SEI{}
	d.enter(p)
	if p.IDR {
		// All that waits goes out, or is dropped, and no reference is left (8.2.5.1, C.4.4).
		if !h.NoOutputOfPriorPicsFlag || d.cfg.IgnoreNoOutput {
			p.Output = d.dpb.flush(p.Output, -1)
		}
		for i := range d.dpb.slot {
			d.dpb.slot[i] = frame{}
		}
		d.poc = pocState{}
	}
	p.PicOrderCnt = d.poc.next(h, sps)
	d.dpb.updateNums(h.FrameNum, sps.MaxFrameNum())
	for i := range d.dpb.slot {
		f := &d.dpb.slot[i]
		if f.marking == unused {
			continue
		}
		p.Refs = append(p.Refs, Ref{
			ID: f.id, Slot: i, LongTerm: f.marking == longTerm, NonExisting: f.nonExisting, Corrupt: f.corrupt,
			FrameNum: f.frameNum, FrameNumWrap: f.frameNumWrap, LongTermFrameIdx: f.longTermIdx, PicOrderCnt: f.fieldPOC,
		})
	}
	d.started = true
	return nil
}

// enter gives p its slot and takes over what is left to output of sequences that ended.
func (d *Decoder) enter(p *Picture) {
	d.held = d.dpb.occupied()
	p.DpbSlots = d.dpb.frames + 1
	p.Slot = d.dpb.free(d.held)
	p.Output = append(p.Output, d.pending...)
	d.pending = d.pending[:0]
}

// leave stores p, which is decoded, and notes what got free.
func (d *Decoder) leave(p *Picture) {
	p.Output = d.dpb.store(p.Output, p.Slot)
	p.Freed = (d.held | 1<<p.Slot) &^ d.dpb.occupied()
}

// activate makes sps the active parameter set; true says that pictures of another kind
// begin.
func (d *Decoder) activate(sps *SPS, idr bool) (newSequence bool) {
	if sps == d.sps {
		return false
	}
	old := d.sps
	d.sps = sps
	if old != nil && (idr && old.compatible(sps) || old.continues(sps)) {
		d.dpb.configure(sps)
		return false
	}
	// Pictures of the old kind cannot be references any more. Where no IDR picture
	// says so the stream is damaged: its references are missing.
	d.pending = d.dpb.flush(d.pending, -1)
	for i := range d.dpb.slot {
		d.dpb.slot[i] = frame{}
	}
	d.poc, d.started = pocState{}, false
	d.dpb.configure(sps)
	return true
}

// fillGap infers the frames between the last reference picture and a picture with the
// header h (8.2.5.2). It returns how many of them the stream should have contained.
func (d *Decoder) fillGap(h *SliceHeader, sps *SPS) (missing int) {
	mask := sps.MaxFrameNum() - 1
	next := (d.prevRefFrameNum + 1) & mask
	if h.FrameNum == d.prevRefFrameNum || h.FrameNum == next {
		return 0
	}
	gap := int((h.FrameNum - next) & mask)
	if !sps.GapsInFrameNumValueAllowedFlag {
		missing = gap
	}
	// Of a long gap the last frames do: they push all others out.
	inferred := min(gap, d.dpb.refs)
	num := (h.FrameNum - uint32(inferred)) & mask
	if skipped := gap - inferred; skipped > 0 && (num-1)&mask < d.poc.prevFrameNum {
		d.poc.prevOffset += mask + 1
		d.poc.prevFrameNum = (num - 1) & mask
	}
	for ; num != h.FrameNum; num = (num + 1) & mask {
		p := d.picture()
		p.NonExisting, p.Reference, p.FrameNum = true, true, num
		p.Corrupt = missing > 0
		d.enter(p)
		inferredHeader := SliceHeader{FrameNum: num, NalRefIdc: 1}
		if sps.PicOrderCntType != 0 {
			p.PicOrderCnt = d.poc.next(&inferredHeader, sps)
		}
		d.dpb.updateNums(num, sps.MaxFrameNum())
		d.dpb.slide(p.Slot)
		d.dpb.slot[p.Slot] = frame{
			id: p.ID, marking: shortTerm, nonExisting: true, corrupt: p.Corrupt,
			frameNum: num, frameNumWrap: int32(num), fieldPOC: p.PicOrderCnt,
		}
		// Where all references are long-term ones, which no stream may have before a gap,
		// nothing slides out.
		p.Missing.Operations = d.dpb.limit(p.Slot)
		d.leave(p)
		d.prevRefFrameNum = num
	}
	return missing
}

// finish ends the current picture: it is marked, stored, and others are output.
func (d *Decoder) finish() error {
	p := d.cur
	if p == nil {
		return nil
	}
	d.cur = nil
	if len(p.Slices) == 0 {
		p.Missing.Slices++
	}
	f := &d.dpb.slot[p.Slot]
	*f = frame{id: p.ID, frameNum: p.FrameNum, frameNumWrap: int32(p.FrameNum), fieldPOC: p.PicOrderCnt}
	h := &d.prev
	if p.Reference {
		if p.MMCO5 {
			p.Output = d.dpb.flush(p.Output, p.Slot)
		}
		p.Missing.Operations = d.dpb.mark(p.Slot, h)
		d.prevRefFrameNum = p.FrameNum
	}
	d.judge(p)
	f.corrupt = p.Corrupt
	if p.MMCO5 {
		f.fieldPOC = d.poc.reset(p.PicOrderCnt)
		f.frameNum, f.frameNumWrap = 0, 0
		d.prevRefFrameNum = 0
	}
	f.needOutput = true
	d.leave(p)
	if p.Unsupported != bitstream.FeatureNone {
		return unsupported[p.Unsupported]
	}
	return nil
}

// judge decides whether the picture's pixels can be right.
func (d *Decoder) judge(p *Picture) {
	poc := min(p.PicOrderCnt[0], p.PicOrderCnt[1])
	lost := p.Missing.Frames > 0 || p.Missing.Slices > 0
	uncertain := p.uncertain || p.Missing.Entries > 0 || p.Missing.Modifications > 0 || p.Missing.Operations > 0
	if p.IDR {
		d.recovering, d.recovered = false, true
		d.recoveredPOC = poc
		p.Corrupt = p.Missing.Slices > 0
	} else {
		if p.SEI.RecoveryPoint {
			d.recovering, d.signalled = true, true
			d.recoverAt = (p.FrameNum + p.SEI.RecoveryFrameCnt) & (p.SPS.MaxFrameNum() - 1)
		}
		// Streams without a single such message recover where all is intra.
		if (d.recovering && p.FrameNum == d.recoverAt || p.Intra && !d.signalled) && p.Missing.Slices == 0 {
			d.recovering, d.recovered = false, true
			d.recoveredPOC = poc
			lost = false
		}
		// Behind a recovery point all is right in output order, whatever lists and
		// operations name, until something is lost again.
		p.Corrupt = lost || uncertain && !(d.recovered && poc >= d.recoveredPOC)
	}
	if p.Corrupt && poc >= d.recoveredPOC {
		d.recovered = false
	}
	if p.MMCO5 {
		d.recoveredPOC = 0
	}
}

// Damage tells the decoder that a picture could not be decoded, so that those that refer
// to it are Corrupt.
func (d *Decoder) Damage(id bitstream.PictureID) {
	for i := range d.dpb.slot {
		if f := &d.dpb.slot[i]; f.id == id && f.marking != unused {
			f.corrupt = true
			if f.poc() >= d.recoveredPOC {
				d.recovered = false
			}
		}
	}
}

// Flush ends the stream: it returns the pictures that still wait, in output order, and
// frees all slots.
// Ownership: the result is valid until the next call.
func (d *Decoder) Flush() []bitstream.Output {
	d.pending = d.dpb.flush(d.pending, -1)
	out := d.pending
	d.Reset()
	return out
}

// Reset forgets all pictures, as before a seek; all slots are free. Parameter sets stay.
func (d *Decoder) Reset() {
	for i := range d.dpb.slot {
		d.dpb.slot[i] = frame{}
	}
	d.poc, d.started, d.prevValid, d.cur = pocState{}, false, false, nil
	d.dpb.maxLong = -1
	d.recovering, d.recovered = false, false
	d.sei = SEI{}
	d.pending = d.pending[:0]
}
