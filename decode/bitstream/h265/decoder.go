package h265

import (
	"bytes"
	"math/bits"

	"github.com/scanout-av/scanout/decode/bitstream"
)

// Config says what a [Decoder] gets.
type Config struct {
	// ExtraData is what the container says about the stream: an hvcC record, whose units
	// have lengths, or Annex B parameter sets; may be empty.
	ExtraData []byte
	// Framing is how units are told apart when ExtraData does not say; the zero value
	// is Annex B.
	Framing bitstream.Framing
	// IgnoreNoOutput shows pictures that a stream wants to be dropped where decoding
	// begins anew (NoOutputOfPriorPicsFlag).
	IgnoreNoOutput bool
}

// Decoder is the H.265 decoding process without pixels.
type Decoder struct {
	cfg     Config
	framing bitstream.Framing

	vpsNAL [16][]byte
	vpsSet [16]*VPS
	spsNAL [16][]byte
	spsSet [16]*SPS
	ppsNAL [64][]byte
	ppsSet [64]*PPS
	sets   uint32 // counts changes
	getPPS func(id uint8) *PPS
	getSPS func(id uint8) *SPS

	sps    *SPS // active
	dpb    dpb
	nextID bitstream.PictureID
	// first is set until an IRAP picture was decoded: since the start, Reset or an end of
	// sequence.
	first    bool
	any      bool // pictures were decoded since the start or Reset
	begun    bool // an IRAP picture was among them
	skipRASL bool // NoRaslOutputFlag of the last IRAP picture
	prevTid0 int32
	prevPOC  int32 // of the last picture
	dropped  int

	recovering   bool // a recovery point was seen and is not reached
	recoverAt    int32
	recovered    bool // pictures from recoveredPOC on are right
	recoveredPOC int32

	sei      SEI
	pictures []Picture
	segments int // in pictures
	cur      *Picture
	held     bitstream.Slots // occupied before cur
	dropping bool            // the slices that come belong to a picture that is left out
	broken   int             // segments that could not be read, before cur began
	pending  []bitstream.Output
	scratch  Segment
	whole    bool // scratch holds a slice that dependent segments can go on with
}

var (
	errNoPPS = &bitstream.SyntaxError{Unit: sliceUnit, Field: "slice_pic_parameter_set_id", Reason: "names a parameter set that has not arrived"}
	errNoSPS = &bitstream.SyntaxError{Unit: sliceUnit, Field: "pps_seq_parameter_set_id", Reason: "names a parameter set that has not arrived"}
	errTiles = &bitstream.SyntaxError{Unit: sliceUnit, Field: "tiles", Reason: "of the PPS do not fit into the picture"}
	errMany  = &bitstream.SyntaxError{Unit: sliceUnit, Reason: "is one too many for an access unit"}
	errSplit = &bitstream.SyntaxError{Unit: sliceUnit, Reason: "belongs to a picture that was decoded already: units arrived twice, or access units in parts"}
	errAlone = &bitstream.SyntaxError{Unit: sliceUnit, Field: "dependent_slice_segment_flag", Reason: "is set, but the segment before is missing"}

	errScreen = &bitstream.UnsupportedError{Codec: "H.265", Feature: bitstream.ScreenContent}
	errPlanes = &bitstream.UnsupportedError{Codec: "H.265", Feature: bitstream.SeparatePlanes}
	errFields = &bitstream.UnsupportedError{Codec: "H.265", Feature: bitstream.Interlaced}
)

// NewDecoder makes a decoder.
// Errors: bitstream.SyntaxError for extra data that cannot be read.
func NewDecoder(cfg Config) (*Decoder, error) {
	d := &Decoder{cfg: cfg, framing: cfg.Framing, first: true}
	d.getPPS = d.PPS
	d.getSPS = d.SPS
	if err := d.configure(cfg.ExtraData); err != nil {
		return nil, err
	}
	return d, nil
}

// Framing returns how the decoder tells units apart.
func (d *Decoder) Framing() bitstream.Framing { return d.framing }

// VPS returns the video parameter set with an id, nil for none.
func (d *Decoder) VPS(id uint8) *VPS { return d.vpsSet[id&15] }

// SPS returns the sequence parameter set with an id, nil for none.
func (d *Decoder) SPS(id uint8) *SPS { return d.spsSet[id&15] }

// PPS returns the picture parameter set with an id, nil for none.
func (d *Decoder) PPS(id uint8) *PPS { return d.ppsSet[id&63] }

// ParameterSets changes whenever a parameter set was added or replaced by another one.
func (d *Decoder) ParameterSets() uint32 { return d.sets }

// Dropped returns how many RASL pictures were left out because decoding began at their
// IRAP picture: they refer to what came before.
func (d *Decoder) Dropped() int { return d.dropped }

// configure takes an hvcC record (ISO/IEC 14496-15, 8.3.3.1) or Annex B units.
func (d *Decoder) configure(extra []byte) error {
	if len(extra) == 0 {
		return nil
	}
	if len(extra) > 2 && extra[0] == 0 && extra[1] == 0 && extra[2] <= 1 { // Annex B
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
	short := &bitstream.SyntaxError{Unit: "hvcC", Reason: "ends early"}
	if len(extra) < 23 {
		return short
	}
	d.framing = bitstream.Framing{LengthSize: int(extra[21]&3) + 1}
	arrays, rest := int(extra[22]), extra[23:]
	for range arrays {
		if len(rest) < 3 {
			return short
		}
		units := int(rest[1])<<8 | int(rest[2])
		rest = rest[3:]
		for range units {
			if len(rest) < 2 {
				return short
			}
			size := int(rest[0])<<8 | int(rest[1])
			if rest = rest[2:]; size > len(rest) {
				return short
			}
			if err := d.parameterSet(rest[:size]); err != nil {
				return err
			}
			rest = rest[size:]
		}
	}
	return nil
}

// parameterSet takes a VPS, SPS or PPS; a repetition costs nothing. A damaged one leaves
// what there was. Those of other layers are not looked at.
func (d *Decoder) parameterSet(nal []byte) error {
	if len(nal) < 2 || nal[0]&1 != 0 || nal[1]>>3 != 0 {
		return nil
	}
	var r bitstream.Reader
	r.Reset(nal[2:])
	switch NALType(nal[0] >> 1 & 63) {
	case NALVPS:
		id := r.U(4)
		if bytes.Equal(d.vpsNAL[id], nal) {
			return nil
		}
		v, err := ParseVPS(nal)
		if err != nil {
			return err
		}
		d.vpsSet[id], d.vpsNAL[id] = v, bytes.Clone(nal)
		d.sets++
	case NALSPS:
		return d.newSPS(nal, &r)
	case NALPPS:
		id := r.UEMax(63, "pps_pic_parameter_set_id")
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

func (d *Decoder) newSPS(nal []byte, r *bitstream.Reader) error {
	for _, old := range d.spsNAL { // the id stands deep inside
		if old != nil && bytes.Equal(old, nal) {
			return nil
		}
	}
	s, err := ParseSPS(nal)
	if err != nil {
		return err
	}
	id := s.SpsSeqParameterSetID
	d.spsSet[id], d.spsNAL[id] = s, bytes.Clone(nal)
	d.sets++
	for i, p := range d.ppsSet {
		// The lists of such a PPS may have been read by another chroma_format_idc.
		if p != nil && p.PpsSeqParameterSetID == id && p.PpsScalingListDataPresentFlag {
			d.ppsSet[i], _ = ParsePPS(d.ppsNAL[i], d.getSPS)
		}
	}
	return nil
}

// Decode takes data of whole access units, one as a rule, and returns the pictures coded
// in it in decoding order; RASL pictures that cannot be decoded are left out. With an
// error the pictures that could be had are returned all the same; what is damaged in
// them they say themselves. A consumer that cannot decode a picture goes through its
// Output and Freed nevertheless.
// Ownership: borrows data; the result is valid until the next call.
// Errors: bitstream.SyntaxError for the first unit that is damaged (the others are
// used), bitstream.UnsupportedError, bitstream.ErrLength.
func (d *Decoder) Decode(data []byte) ([]Picture, error) {
	d.pictures, d.segments = d.pictures[:0], 0
	d.dropping = false
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
	if len(nal) < 2 || nal[0]&0x80 != 0 {
		d.damaged()
		return &bitstream.SyntaxError{Unit: "H.265 NAL unit", Field: "header", Reason: "is damaged"}
	}
	if nal[0]&1 != 0 || nal[1]>>3 != 0 { // nuh_layer_id > 0
		return nil
	}
	switch t := NALType(nal[0] >> 1 & 63); {
	case t.VCL():
		return d.segment(n, nal)
	case t == NALVPS || t == NALSPS || t == NALPPS:
		err := d.finish()
		return bitstream.Graver(err, d.parameterSet(nal))
	case t == PrefixSEI:
		err := d.finish()
		sps := d.sps
		if sps == nil {
			for _, s := range d.spsSet {
				if s != nil {
					sps = s
				}
			}
		}
		return bitstream.Graver(err, d.sei.Parse(nal, sps))
	case t == NALAUD:
		return d.finish()
	case t == NALEOS || t == NALEOB:
		err := d.finish()
		d.first = true
		return err
	}
	return nil
}

// damaged notes a unit that cannot be used and may have been part of the picture.
func (d *Decoder) damaged() {
	if d.cur != nil {
		d.cur.Missing.Segments++
	} else {
		d.broken++
	}
}

func (d *Decoder) segment(n bitstream.NAL, nal []byte) error {
	s := &d.scratch
	h := &s.Header
	t := NALType(nal[0] >> 1 & 63)
	firstSegment := len(nal) > 2 && nal[2]&0x80 != 0
	var err error
	if firstSegment {
		d.dropping = false
		err = d.finish()
	} else if d.dropping {
		return nil
	}
	if e := h.Parse(nal, d.getPPS, d.getSPS); e != nil {
		d.damaged()
		d.whole = false
		return bitstream.Graver(err, e)
	}
	if h.DependentSliceSegmentFlag && (d.cur == nil || !d.whole) {
		d.damaged()
		return errAlone
	}
	d.whole = true
	s.NAL = n
	return bitstream.Graver(err, d.place(s, t))
}

// place puts a segment into the current picture, or begins one with it.
func (d *Decoder) place(s *Segment, t NALType) error {
	h := &s.Header
	firstSegment := h.FirstSliceSegmentInPicFlag
	pps := d.PPS(h.SlicePicParameterSetID)
	sps := d.SPS(pps.PpsSeqParameterSetID)
	if !firstSegment && d.cur != nil && !h.DependentSliceSegmentFlag &&
		(h.SlicePicOrderCntLsb != d.cur.lsb() || sps != d.cur.SPS || t.IRAP() != d.cur.IRAP) {
		// Its first segment was lost.
		if err := d.finish(); err != nil {
			return err
		}
	}
	if d.cur == nil {
		if t.RASL() && d.skipRASL {
			d.dropped++
			d.dropping = true
			d.sei = SEI{}
			return nil
		}
		if !firstSegment {
			if d.any && !t.IRAP() && d.pictureOrder(h, sps, false) == d.prevPOC {
				return errSplit
			}
			d.broken++
		}
		if len(d.pictures) == bitstream.MaxPictures {
			d.broken = 0
			d.dropping = true
			return errMany
		}
		d.begin(h, pps, sps)
	}
	p := d.cur
	if len(p.Segments) > 0 && h.SliceSegmentAddress <= p.Segments[len(p.Segments)-1].Header.SliceSegmentAddress {
		p.Missing.Segments++
		return errSplit
	}
	if d.segments == bitstream.MaxSlices {
		p.Missing.Segments++
		return errMany
	}
	d.segments++
	p.Intra = p.Intra && h.Intra()
	p.buildLists(s)
	if len(p.Segments) < cap(p.Segments) {
		p.Segments = p.Segments[:len(p.Segments)+1]
		p.Segments[len(p.Segments)-1] = *s
	} else {
		p.Segments = append(p.Segments, *s)
	}
	return nil
}

func (p *Picture) lsb() uint32 {
	if p.IDR {
		return 0
	}
	return uint32(p.PicOrderCntVal) & uint32(p.SPS.MaxPicOrderCntLsb()-1)
}

// keptSegments is how many segments' memory the pictures of a unit keep but for the first
// two: there are no others in a unit that is in order.
const keptSegments = 16

// picture appends an empty picture to the result; its lists keep their memory.
func (d *Decoder) picture() *Picture {
	if len(d.pictures) == cap(d.pictures) {
		d.pictures = append(d.pictures, Picture{})
	} else {
		d.pictures = d.pictures[:len(d.pictures)+1]
	}
	p := &d.pictures[len(d.pictures)-1]
	if len(d.pictures) > 2 && cap(p.Segments) > keptSegments {
		p.Segments = nil
	}
	*p = Picture{Segments: p.Segments[:0], Refs: p.Refs[:0], Output: p.Output[:0]}
	if p.Refs == nil {
		p.Refs = make([]Ref, 0, MaxSlots)
		p.Output = make([]bitstream.Output, 0, 2*MaxSlots)
	}
	d.nextID++
	p.ID = d.nextID
	return p
}

// pictureOrder returns the order count of a picture (8.3.1).
func (d *Decoder) pictureOrder(h *SliceHeader, sps *SPS, restart bool) int32 {
	lsb := int32(h.SlicePicOrderCntLsb)
	if restart {
		return lsb
	}
	size := sps.MaxPicOrderCntLsb()
	prevLsb := d.prevTid0 & (size - 1)
	msb := d.prevTid0 - prevLsb
	if lsb < prevLsb && prevLsb-lsb >= size/2 {
		msb += size
	} else if lsb > prevLsb && lsb-prevLsb > size/2 {
		msb -= size
	}
	return msb + lsb
}

// begin starts the picture that h belongs to.
func (d *Decoder) begin(h *SliceHeader, pps *PPS, sps *SPS) {
	t := h.NalUnitType
	restart := t.IRAP() && (t.IDR() || t.BLA() || d.first)
	newSequence := d.activate(sps)
	p := d.picture()
	d.cur = p
	p.SPS, p.PPS, p.VPS, p.NewSequence, p.ParameterSets = sps, pps, d.VPS(sps.SpsVideoParameterSetID), newSequence, d.sets
	p.NalUnitType, p.TemporalID, p.IRAP, p.IDR, p.NoRaslOutput, p.Intra = t, h.TemporalID, t.IRAP(), t.IDR(), restart, true
	p.Reference = !t.SubLayerNonReference() || h.TemporalID < sps.SpsMaxSubLayersMinus1
	p.Missing.Segments, d.broken = d.broken, 0
	p.SEI, d.sei = d.sei, SEI{}
	if sps.VUI.FieldSeqFlag {
		p.Unsupported = bitstream.Interlaced
	}
	p.PicOrderCntVal = d.pictureOrder(h, sps, restart)
	if h.TemporalID == 0 && !t.RASL() && !t.RADL() && !t.SubLayerNonReference() {
		d.prevTid0 = p.PicOrderCntVal
	}
	d.prevPOC = p.PicOrderCntVal
	p.PicOutputFlag = h.PicOutputFlag // RASL pictures that may not be shown do not get here

	d.held = d.dpb.occupied()
	p.DpbSlots = d.dpb.size + 1
	p.Slot = bits.TrailingZeros32(^uint32(d.held))
	p.Output = append(p.Output, d.pending...)
	d.pending = d.pending[:0]
	if restart {
		// NoOutputOfPriorPicsFlag, C.5.2.2. What a stream that is joined has before its
		// first IRAP picture is not meant.
		drop := d.begun && (h.NoOutputOfPriorPicsFlag || t == Cra)
		if !drop || d.cfg.IgnoreNoOutput {
			p.Output = d.dpb.flush(p.Output)
		}
		d.dpb.clear()
	}
	if t.IRAP() {
		d.skipRASL, d.first, d.begun = restart, false, true
	}
	d.applySet(p, h)
	if !restart {
		p.Output = d.dpb.makeRoom(p.Output)
	}
	d.any = true
}

// activate makes sps the active parameter set; true says that pictures of another kind
// begin.
func (d *Decoder) activate(sps *SPS) (newSequence bool) {
	if sps == d.sps {
		return false
	}
	old := d.sps
	d.sps = sps
	if old != nil && old.compatible(sps) {
		d.dpb.configure(sps)
		return false
	}
	// Pictures that wait are shown, whatever NoOutputOfPriorPicsFlag says: it may be
	// inferred here, which is of no use to who looks at them.
	d.pending = d.dpb.flush(d.pending)
	d.dpb.clear()
	d.dpb.configure(sps)
	return true
}

// applySet derives the reference picture set and marks all pictures by it (8.3.2).
func (d *Decoder) applySet(p *Picture, h *SliceHeader) {
	var keep bitstream.Slots
	size := p.SPS.MaxPicOrderCntLsb()
	// Slots first: their order in Refs comes at the end.
	var curr [3]RefSet // before, after, long-term
	for i := range h.NumLongTerm() {
		l := &h.LongTerm[i]
		poc, mask := int32(l.PocLsbLt), size-1
		if l.DeltaPocMsbPresentFlag {
			poc += p.PicOrderCntVal - int32(l.DeltaPocMsbCycleLt)*size - (p.PicOrderCntVal & (size - 1))
			mask = -1
		}
		at := d.dpb.find(poc, mask, false)
		if at >= 0 && keep.Has(at) {
			at = -1
		}
		if at >= 0 {
			keep |= 1 << at
		}
		d.note(p, &curr[2], at, l.UsedByCurrPicLt)
	}
	long := keep
	s := &h.ShortTermRefPicSet
	for i := range s.NumNegativePics {
		d.shortTerm(p, &curr[0], &keep, s.DeltaPocS0[i], s.UsedByCurrPicS0>>i&1 != 0)
	}
	for i := range s.NumPositivePics {
		d.shortTerm(p, &curr[1], &keep, s.DeltaPocS1[i], s.UsedByCurrPicS1>>i&1 != 0)
	}
	var index [MaxSlots]int8
	for i := range d.dpb.slot {
		e := &d.dpb.slot[i]
		switch {
		case !keep.Has(i):
			e.marking = unused
			continue
		case long.Has(i):
			e.marking = longTerm
		}
		index[i] = int8(len(p.Refs))
		p.Refs = append(p.Refs, Ref{ID: e.id, Slot: i, LongTerm: e.marking == longTerm, Corrupt: e.corrupt, PicOrderCntVal: e.poc})
	}
	for i, set := range [3]*RefSet{&p.StCurrBefore, &p.StCurrAfter, &p.LtCurr} {
		for _, slot := range curr[i].Entries() {
			if slot >= 0 {
				slot = index[slot]
			}
			set.add(slot)
		}
	}
}

func (d *Decoder) shortTerm(p *Picture, set *RefSet, keep *bitstream.Slots, delta int32, used bool) {
	at := d.dpb.find(p.PicOrderCntVal+delta, -1, true)
	if at >= 0 && keep.Has(at) {
		at = -1
	}
	if at >= 0 {
		*keep |= 1 << at
	}
	d.note(p, set, at, used)
}

// note enters a slot into a set, or counts it as missing.
func (d *Decoder) note(p *Picture, set *RefSet, at int, used bool) {
	switch {
	case used:
		set.add(int8(at))
		if at < 0 {
			p.Missing.References++
		}
	case at < 0:
		p.Missing.Kept++
	}
}

// finish ends the current picture.
func (d *Decoder) finish() error {
	p := d.cur
	if p == nil {
		return nil
	}
	d.cur = nil
	d.judge(p)
	p.Output = d.dpb.store(p.Output, p.Slot, entry{
		id: p.ID, poc: p.PicOrderCntVal, marking: shortTerm, needOutput: p.PicOutputFlag, corrupt: p.Corrupt,
	})
	p.Freed = (d.held | 1<<p.Slot) &^ d.dpb.occupied()
	if p.Unsupported != bitstream.FeatureNone {
		return errFields
	}
	return nil
}

// judge decides whether the picture's pixels can be right.
func (d *Decoder) judge(p *Picture) {
	poc := p.PicOrderCntVal
	uncertain := p.Missing.References > 0
	for _, set := range [3]*RefSet{&p.StCurrBefore, &p.StCurrAfter, &p.LtCurr} {
		for _, i := range set.Entries() {
			uncertain = uncertain || i >= 0 && p.Refs[i].Corrupt
		}
	}
	if p.IRAP {
		d.recovering, d.recovered = false, p.Missing.Segments == 0
		d.recoveredPOC = poc
		p.Corrupt = !d.recovered
		return
	}
	if p.SEI.RecoveryPoint {
		d.recovering, d.recoverAt = true, poc+p.SEI.RecoveryPocCnt
	}
	if d.recovering && poc >= d.recoverAt && p.Missing.Segments == 0 {
		d.recovering, d.recovered = false, true
		d.recoveredPOC = d.recoverAt
	}
	// Behind an IRAP picture or a recovery point all is right, in output order, until
	// something is lost again. What a recovery point lets missing is not needed.
	p.Corrupt = p.Missing.Segments > 0 || uncertain && !(d.recovered && poc >= d.recoveredPOC && p.Missing.References == 0)
	if p.Corrupt && poc >= d.recoveredPOC {
		d.recovered = false
	}
}

// Damage tells the decoder that a picture could not be decoded, so that those that refer
// to it are Corrupt.
func (d *Decoder) Damage(id bitstream.PictureID) {
	for i := range d.dpb.slot {
		if e := &d.dpb.slot[i]; e.id == id && e.marking != unused {
			e.corrupt = true
			if e.poc >= d.recoveredPOC {
				d.recovered = false
			}
		}
	}
}

// Flush ends the stream: it returns the pictures that still wait, in output order, and
// frees all slots.
// Ownership: the result is valid until the next call.
func (d *Decoder) Flush() []bitstream.Output {
	d.pending = d.dpb.flush(d.pending)
	out := d.pending
	d.Reset()
	return out
}

// Reset forgets all pictures, as before a seek; all slots are free. Parameter sets stay.
func (d *Decoder) Reset() {
	d.dpb.clear()
	d.first, d.any, d.begun, d.skipRASL, d.cur = true, false, false, false, nil
	d.prevTid0, d.prevPOC, d.broken, d.dropping = 0, 0, 0, false
	d.recovering, d.recovered = false, false
	d.sei = SEI{}
	d.pending = d.pending[:0]
}
