package h264

import "github.com/scanout-av/scanout/decode/bitstream"

// MaxSlots is how many DPB slots a [Decoder] uses at most: 16 frames and the one being
// decoded.
const MaxSlots = 17

// Picture is a coded frame, or one that the decoder inferred in a gap of frame_num.
// A consumer does with each picture, in this order:
//
//  1. when NewSequence is set, set up for p.SPS (size, format, p.DpbSlots slots): the
//     slots hold nothing any more that a later picture refers to;
//  2. decode Slices into an image of its choice and let Slot stand for it from now on,
//     with Refs as reference pictures. NonExisting pictures have no slices: nothing
//     refers to them in an intact stream, and after a loss the consumer chooses the
//     image that stands in for them;
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
	SPS *SPS
	PPS *PPS // of the first slice; each slice has its own
	// NewSequence is set when pictures of another size, format or DPB begin.
	NewSequence bool
	// ParameterSets changes whenever a parameter set of the decoder was added or
	// replaced by a different one.
	ParameterSets uint32
	Slices        []Slice

	IDR         bool
	IdrPicID    uint16
	Reference   bool // nal_ref_idc is not 0
	Intra       bool // all slices are I or SI
	NonExisting bool // inferred (8.2.5.2)
	FrameNum    uint32
	// PicOrderCnt is TopFieldOrderCnt and BottomFieldOrderCnt, as they are while the
	// picture is decoded; operation 5 changes them afterwards.
	PicOrderCnt [2]int32
	MMCO5       bool // memory_management_control_operation 5

	// DpbSlots is how many slots this sequence uses: Slot < DpbSlots.
	DpbSlots int
	Slot     int
	// Refs are all pictures marked as used for reference while this one is decoded, by
	// rising slot.
	Refs []Ref
	// Output are the pictures to be shown once this one is decoded.
	Output []bitstream.Output
	// Freed are the slots that hold neither a reference picture nor one that waits for
	// output, once this picture is decoded and Output is shown.
	Freed bitstream.Slots

	SEI     SEI
	Missing Missing
	// Corrupt says that the pixels cannot be right: parts of the picture are missing, or
	// it may refer to something that is missing or corrupt. It ends with an IDR picture or
	// a recovery point.
	Corrupt bool
	// Unsupported is what keeps the picture from being decoded in hardware; Decode
	// returned the error that says so.
	Unsupported bitstream.Feature

	uncertain bool // a list has a reference whose pixels are not right
}

// Missing counts what a picture lacks.
type Missing struct {
	// Frames is how many reference frames did not arrive before this picture: a gap of
	// frame_num in a stream that must not have gaps.
	Frames int
	// Entries is how many entries of reference picture lists are empty.
	Entries int
	// Modifications is how many commands of ref_pic_list_modification name a picture
	// that is not there.
	Modifications int
	// Operations is how many memory management control operations do.
	Operations int
	// Slices is how many slices were recognized as damaged or lost.
	Slices int
}

// Any reports whether anything is missing.
func (m Missing) Any() bool { return m != Missing{} }

// Ref is a picture that is used for reference.
type Ref struct {
	ID               bitstream.PictureID
	Slot             int
	LongTerm         bool
	NonExisting      bool
	Corrupt          bool
	FrameNum         uint32
	FrameNumWrap     int32  // short-term: PicNum of a frame
	LongTermFrameIdx uint32 // long-term: LongTermPicNum of a frame
	PicOrderCnt      [2]int32
}

// Slice is a slice of a picture.
type Slice struct {
	// NAL is where the slice lies in the data given to Decode. In Annex B data
	// data[NAL.Start:NAL.End] begins with a 3-byte start code; in other data the
	// consumer puts 0, 0, 1 before data[NAL.Begin:NAL.End].
	NAL    bitstream.NAL
	Header SliceHeader
	PPS    *PPS
	// RefPicList has NumRefIdxActive entries a list: indices of Picture.Refs, −1 for "no
	// reference picture". In an MBAFF frame field macroblocks refer to its fields
	// (8.4.2.1).
	RefPicList [2][32]int8
}
