package vp9

import (
	"math/bits"

	"github.com/scanout-av/scanout/decode/bitstream"
)

// MaxSlots is how many DPB slots a [Decoder] uses: the frames that are kept and the one
// being decoded.
const MaxSlots = NumRefFrames + 1

// Picture is a coded frame, or the order to show one that was decoded before (Existing).
// A consumer does with each, in this order:
//
//  1. when NewSequence is set, set up for p.Frame's size and format: the slots hold
//     nothing any more that a later frame refers to. Later frames of the sequence may be
//     smaller, or larger;
//  2. unless Existing is set, decode the frame into an image of its choice and let Slot
//     stand for it from now on, with Refs as reference frames;
//  3. show the pictures of Output. A picture may be shown long after it was decoded, and
//     more than once, as long as its slot has not been freed;
//  4. forget the images of the slots in Freed.
//
// An image may be used again when its slot was freed and the consumer itself needs it no
// longer. Slot is never one that was occupied before this picture.
//
// Ownership: a Picture and all it holds is valid until the next call of the decoder.
type Picture struct {
	// ID is the frame's; 0 when Existing.
	ID bitstream.PictureID
	// NewSequence is set at a key frame of another size or format than the one before, whose
	// size is MaxWidth and MaxHeight: other frames of the sequence seldom are larger.
	NewSequence         bool
	MaxWidth, MaxHeight int
	// Existing is show_existing_frame: there is nothing to decode.
	Existing bool
	Frame    Frame

	// Begin is where the frame begins, Compressed its compressed header, Tiles what is
	// behind that; it ends at End.
	// Units: byte offsets in the data given to Decode.
	Begin, Compressed, Tiles, End int

	Slot int
	// Refs are the frames that this one may refer to, each once.
	Refs []Ref
	// RefIndex says for each name from LAST_FRAME on which of Refs it is, −1 where that
	// frame is missing or the frame is intra.
	RefIndex [RefsPerFrame]int8
	// Output are the pictures to be shown once this one is decoded; VP9 has no order count,
	// the number of the frame stands for it.
	Output []bitstream.Output
	// Freed are the slots that no later frame can refer to or show.
	Freed bitstream.Slots

	Missing Missing
	// Corrupt says that the pixels cannot be right: it may refer to something that is
	// missing or corrupt, or is cut.
	Corrupt bool
}

// Missing counts what a picture lacks.
type Missing struct {
	References int // names
	Tiles      int // 1 when tiles do not lie where they should
}

// Any reports whether anything is missing.
func (m Missing) Any() bool { return m != Missing{} }

// Ref is a kept frame.
type Ref struct {
	ID                         bitstream.PictureID
	Slot                       int
	Corrupt                    bool
	Width, Height              int
	BitDepth                   uint8
	SubsamplingX, SubsamplingY bool
}

// reference is a kept frame.
type reference struct {
	Ref
	valid bool
}

// Decoder is the VP9 decoding process without pixels.
type Decoder struct {
	refs    [NumRefFrames]reference
	parser  headerParser
	header  Frame
	last    Frame // the frame before, with all values that are kept
	color   ColorConfig
	any     bool  // there is one
	seq     Frame // the key frame that began the sequence
	begun   bool
	nextID  bitstream.PictureID
	dropped int
	lost    bool // a frame was lost, with it what it replaced

	pictures []Picture
}

var (
	errNoKey = &bitstream.SyntaxError{Unit: "VP9 frame", Reason: "refers to frames before the first key frame"}
	errSize  = &bitstream.SyntaxError{Unit: frameUnit, Field: "header_size_in_bytes", Reason: "exceeds the data"}
	errTiles = &bitstream.SyntaxError{Unit: "VP9 frame", Field: "tile_size", Reason: "exceeds the data"}
	errScale = &bitstream.SyntaxError{Unit: frameUnit, Field: "frame size", Reason: "or format is too different from that of a reference frame"}
)

// NewDecoder makes a decoder. No container says anything that it needs.
func NewDecoder() *Decoder { return &Decoder{} }

// Dropped returns how many frames were left out because decoding began behind the frames
// that they refer to, or because of damage.
func (d *Decoder) Dropped() int { return d.dropped }

// Decode takes a frame or a superframe and returns the pictures coded in it in decoding
// order. With an error the pictures that could be had are returned all the same; what is
// damaged in them they say themselves. A consumer that cannot decode a picture goes
// through its Output and Freed nevertheless.
// Ownership: borrows data; the result is valid until the next call.
// Errors: bitstream.SyntaxError for the first frame that is damaged.
func (d *Decoder) Decode(data []byte) ([]Picture, error) {
	d.pictures = d.pictures[:0]
	var first error
	parts, n := Frames(data)
	for i := range n {
		if err := d.frame(data, parts[i], parts[i+1]); err != nil && first == nil {
			first = err
		}
	}
	return d.pictures, first
}

// frame takes the frame data[begin:end].
func (d *Decoder) frame(data []byte, begin, end int) error {
	r, f := &d.parser, &d.header
	r.ResetPlain(data[begin:end])
	r.refs, r.last, r.any, r.color = &d.refs, &d.last, d.any, d.color
	f.parse(r)
	if err := r.Err(frameUnit); err != nil {
		return d.refused(err, f)
	}
	if f.ShowExistingFrame {
		d.show(f, begin, end)
		return nil
	}
	if !f.Intra() {
		valid := 0
		for _, at := range f.RefFrameIdx {
			e := &d.refs[at]
			if e.valid {
				valid++
			}
			if e.valid && !f.fits(&e.Ref) {
				return d.refused(errScale, f)
			}
		}
		if valid == 0 {
			return d.refused(errNoKey, f)
		}
	}
	compressed := begin + (f.HeaderBits+7)/8
	tiles := compressed + int(f.HeaderSizeInBytes)
	if tiles >= end {
		return d.refused(errSize, f)
	}
	p := d.begin(f)
	p.Begin, p.Compressed, p.Tiles, p.End = begin, compressed, tiles, end
	if !f.tilesIn(data[tiles:end]) {
		p.Missing.Tiles = 1
	}
	d.finish(p)
	if p.Missing.Tiles > 0 {
		return errTiles
	}
	return nil
}

// refused leaves a frame out: what it would have replaced is not what it should be.
func (d *Decoder) refused(err error, f *Frame) error {
	d.dropped++
	if !d.begun {
		return errNoKey
	}
	d.lost = d.lost || !f.ShowExistingFrame
	return err
}

// tilesIn reports whether the tiles lie in data as their sizes say (6.4).
func (f *Frame) tilesIn(data []byte) bool {
	tiles := 1 << (f.TileColsLog2 + f.TileRowsLog2)
	for range tiles - 1 {
		if len(data) < 4 {
			return false
		}
		size := int(data[0])<<24 | int(data[1])<<16 | int(data[2])<<8 | int(data[3])
		if data = data[4:]; size > len(data) || size == 0 {
			return false
		}
		data = data[size:]
	}
	return len(data) > 0
}

// occupied are the slots of kept frames.
func (d *Decoder) occupied() (s bitstream.Slots) {
	for i := range d.refs {
		if e := &d.refs[i]; e.valid {
			s |= 1 << e.Slot
		}
	}
	return s
}

// picture appends an empty picture to the result; its lists keep their memory.
func (d *Decoder) picture(f *Frame) *Picture {
	if len(d.pictures) == cap(d.pictures) {
		d.pictures = append(d.pictures, Picture{})
	} else {
		d.pictures = d.pictures[:len(d.pictures)+1]
	}
	p := &d.pictures[len(d.pictures)-1]
	*p = Picture{Frame: *f, Refs: p.Refs[:0], Output: p.Output[:0], RefIndex: [RefsPerFrame]int8{-1, -1, -1}}
	if p.Refs == nil {
		p.Refs = make([]Ref, 0, RefsPerFrame)
		p.Output = make([]bitstream.Output, 0, 1)
	}
	return p
}

// show shows a kept frame.
func (d *Decoder) show(f *Frame, begin, end int) {
	e := &d.refs[f.FrameToShowMapIdx]
	p := d.picture(f)
	p.Existing, p.Slot, p.Corrupt, p.Begin, p.End = true, e.Slot, e.Corrupt, begin, end
	p.Output = append(p.Output, bitstream.Output{ID: e.ID, PicOrderCnt: int32(e.ID), Slot: int8(e.Slot)})
}

// begin starts the picture of a header.
func (d *Decoder) begin(f *Frame) *Picture {
	p := d.picture(f)
	d.nextID++
	p.ID = d.nextID
	if f.KeyFrame || !d.begun {
		s := &d.seq
		p.NewSequence = !d.begun || s.FrameWidth != f.FrameWidth || s.FrameHeight != f.FrameHeight || s.ColorConfig != f.ColorConfig || s.Profile != f.Profile
		d.seq, d.begun, d.lost = *f, true, false
	}
	p.MaxWidth, p.MaxHeight = d.seq.FrameWidth, d.seq.FrameHeight
	if d.lost {
		for i := range d.refs {
			d.refs[i].Corrupt = true
		}
		d.lost = false
	}
	if f.Intra() {
		return p
	}
	for i, at := range f.RefFrameIdx {
		e := &d.refs[at]
		if !e.valid {
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
	return p
}

// finish lets the frame replace kept ones (8.10).
func (d *Decoder) finish(p *Picture) {
	f := &p.Frame
	held := d.occupied()
	p.Slot = bits.TrailingZeros32(^uint32(held))
	p.Corrupt = p.Corrupt || p.Missing.Any()
	if f.ShowFrame {
		p.Output = append(p.Output, bitstream.Output{ID: p.ID, PicOrderCnt: int32(p.ID), Slot: int8(p.Slot)})
	}
	c := &f.ColorConfig
	for i := range d.refs {
		if f.RefreshFrameFlags>>i&1 != 0 {
			d.refs[i] = reference{Ref{ID: p.ID, Slot: p.Slot, Corrupt: p.Corrupt, Width: f.FrameWidth, Height: f.FrameHeight,
				BitDepth: c.BitDepth, SubsamplingX: c.SubsamplingX, SubsamplingY: c.SubsamplingY}, true}
		}
	}
	p.Freed = (held | 1<<p.Slot) &^ d.occupied()
	d.last, d.any = *f, true
	if f.Intra() {
		d.color = f.ColorConfig
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

// Reset forgets all frames, as before a seek; all slots are free.
func (d *Decoder) Reset() {
	d.refs = [NumRefFrames]reference{}
	d.last, d.any, d.begun, d.lost = Frame{}, false, false, false
}
