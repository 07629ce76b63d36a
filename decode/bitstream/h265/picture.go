package h265

import "github.com/scanout-av/scanout/decode/bitstream"

// MaxSlots is how many DPB slots a [Decoder] uses at most: 16 pictures and one more, so
// that a picture that is to be shown is not overwritten by the next.
const MaxSlots = 17

// Picture is a coded picture. A consumer does with each, in this order:
//
//  1. when NewSequence is set, set up for p.SPS (size, format, p.DpbSlots slots): the
//     slots hold nothing any more that a later picture refers to;
//  2. decode Segments into an image of its choice and let Slot stand for it from now on,
//     with Refs as reference pictures;
//  3. show the pictures of Output, in order; this one may be among them, and pictures
//     from before a NewSequence as well;
//  4. forget the images of the slots in Freed.
//
// An image may be used again when its slot was freed and the consumer itself needs it no
// longer: a picture that stays on screen holds up nothing here, as long as the consumer
// has more images than slots. Slot is never one that was occupied before this picture.
//
// Ownership: a Picture and all it holds, but not the parameter sets, is valid until the
// next call of the decoder.
type Picture struct {
	ID  bitstream.PictureID
	VPS *VPS // nil where it did not arrive
	SPS *SPS
	PPS *PPS
	// NewSequence is set when pictures of another size, format or DPB begin.
	NewSequence bool
	// ParameterSets changes whenever a parameter set of the decoder was added or
	// replaced by a different one.
	ParameterSets uint32
	Segments      []Segment

	NalUnitType    NALType
	TemporalID     uint8
	IRAP           bool
	IDR            bool
	NoRaslOutput   bool // NoRaslOutputFlag: decoding begins anew at this IRAP picture
	Reference      bool // other pictures may refer to it
	Intra          bool // all slices are I
	PicOrderCntVal int32
	PicOutputFlag  bool

	// DpbSlots is how many slots this sequence uses: Slot < DpbSlots.
	DpbSlots int
	Slot     int
	// Refs are all pictures marked as used for reference while this one is decoded, by
	// rising slot.
	Refs []Ref
	// RefPicSet names the references that this picture may use; an entry is the index of
	// a member of Refs, −1 where the picture is missing.
	StCurrBefore, StCurrAfter, LtCurr RefSet
	// Output are the pictures to be shown once this one is decoded.
	Output []bitstream.Output
	// Freed are the slots that hold neither a reference picture nor one that waits for
	// output, once this picture is decoded and Output is shown.
	Freed bitstream.Slots

	SEI     SEI
	Missing Missing
	// Corrupt says that the pixels cannot be right: parts of the picture are missing, or
	// it may refer to something that is missing or corrupt.
	Corrupt bool
	// Unsupported is what keeps the picture from being decoded in hardware; Decode
	// returned the error that says so.
	Unsupported bitstream.Feature
}

// RefSet is one of the subsets of the reference picture set.
type RefSet struct {
	N     int
	Index [16]int8
}

func (s *RefSet) add(i int8) {
	s.Index[s.N] = i
	s.N++
}

// Entries are the indices of Picture.Refs, −1 where a picture is missing.
func (s *RefSet) Entries() []int8 { return s.Index[:s.N] }

// Missing counts what a picture lacks.
type Missing struct {
	// References is how many pictures that it may refer to are not there.
	References int
	// Kept is how many are not there that only later pictures may refer to.
	Kept int
	// Segments is how many slice segments were recognized as damaged or lost.
	Segments int
}

// Any reports whether anything is missing.
func (m Missing) Any() bool { return m != Missing{} }

// Ref is a picture that is used for reference.
type Ref struct {
	ID             bitstream.PictureID
	Slot           int
	LongTerm       bool
	Corrupt        bool
	PicOrderCntVal int32
}

// Segment is a slice segment of a picture.
type Segment struct {
	// NAL is where the segment lies in the data given to Decode. In Annex B data
	// data[NAL.Start:NAL.End] begins with a 3-byte start code; in other data the
	// consumer puts 0, 0, 1 before data[NAL.Begin:NAL.End].
	NAL    bitstream.NAL
	Header SliceHeader
	// RefPicList has NumRefIdxActive entries a list: indices of Picture.Refs, −1 where
	// the picture is missing.
	RefPicList [2][16]int8
}

// buildLists fills the reference picture lists of a segment (8.3.4).
func (p *Picture) buildLists(s *Segment) {
	h := &s.Header
	for l, n := range h.NumRefIdxActive {
		if n == 0 {
			continue
		}
		sets := [3]*RefSet{&p.StCurrBefore, &p.StCurrAfter, &p.LtCurr}
		if l == 1 {
			sets[0], sets[1] = sets[1], sets[0]
		}
		var all [3 * 16]int8
		total := 0
		for _, set := range sets {
			total += copy(all[total:], set.Entries())
		}
		for i := range n {
			s.RefPicList[l][i] = -1
			if total == 0 {
				continue
			}
			at := int(i) % total
			if h.RefPicListModificationFlag[l] {
				at = min(int(h.ListEntry[l][i]), total-1)
			}
			s.RefPicList[l][i] = all[at]
		}
	}
}
