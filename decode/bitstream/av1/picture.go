package av1

import "github.com/scanout-av/scanout/decode/bitstream"

// MaxSlots is how many DPB slots a [Decoder] uses: the frames that are kept and the one
// being decoded.
const MaxSlots = NumRefFrames + 1

// Picture is a coded frame, or the order to show one that was decoded before (Existing).
// A consumer does with each, in this order:
//
//  1. when NewSequence is set, set up for p.Sequence: the slots hold nothing any more
//     that a later frame refers to;
//  2. unless Existing is set, decode Tiles into an image of its choice and let Slot stand
//     for it from now on, with Refs as reference frames;
//  3. show the pictures of Output. A picture may be shown long after it was decoded, and
//     more than once, as long as its slot has not been freed;
//  4. forget the images of the slots in Freed.
//
// An image may be used again when its slot was freed and the consumer itself needs it no
// longer. Slot is never one that was occupied before this picture.
//
// Ownership: a Picture and all it holds, but not the sequence header, is valid until the
// next call of the decoder.
type Picture struct {
	// ID is the frame's; 0 when Existing.
	ID       bitstream.PictureID
	Sequence *Sequence
	// OperatingPoint is the index of the operating point that is decoded.
	OperatingPoint int
	// NewSequence is set when frames with another sequence header begin.
	NewSequence bool
	// Sequences changes with the sequence header.
	Sequences uint32
	// Existing is show_existing_frame: there is nothing to decode.
	Existing bool
	Frame    Frame

	// HeaderOBU is where the OBU with the frame header begins, Header where
	// uncompressed_header() does.
	// Units: byte offsets in the data given to Decode.
	HeaderOBU, Header int
	// Tiles are in the order of the frame.
	Tiles []Tile

	Slot int
	// Refs are the frames that this one may refer to, each once.
	Refs []Ref
	// RefIndex says for each name from LAST_FRAME on which of Refs it is, −1 where that
	// frame is missing or the frame is intra.
	RefIndex [RefsPerFrame]int8
	// Output are the pictures to be shown once this one is decoded.
	Output []bitstream.Output
	// Freed are the slots that no later frame can refer to or show.
	Freed bitstream.Slots

	TemporalID, SpatialID uint8
	Missing               Missing
	// Corrupt says that the pixels cannot be right: tiles are missing, or it may refer to
	// something that is missing or corrupt.
	Corrupt bool
}

// Key reports whether decoding can begin with the picture: a key frame that is shown.
func (p *Picture) Key() bool {
	return p.Frame.FrameType == KeyFrame && (p.Existing || p.Frame.ShowFrame)
}

// Missing counts what a picture lacks.
type Missing struct {
	References int // names
	Tiles      int
}

// Any reports whether anything is missing.
func (m Missing) Any() bool { return m != Missing{} }

// Tile is where the coded data of a tile lie.
// Units: byte offsets in the data given to Decode.
type Tile struct{ Begin, End int }

// Ref is a kept frame.
type Ref struct {
	ID      bitstream.PictureID
	Slot    int
	Corrupt bool
	// Width and Height are the frame's, UpscaledWidth and FrameHeight.
	Width, Height            int
	FrameType                FrameType
	OrderHint                uint8
	OrderHints               [TotalRefsPerFrame]uint8 // SavedOrderHints
	RefFrameSignBias         [TotalRefsPerFrame]bool
	DisableFrameEndUpdateCdf bool
	SegmentationEnabled      bool
}
