package bitstream

// PictureID tells pictures of one decoder apart; it grows with each picture and is
// never used again. 0 is no picture.
type PictureID uint64

// Output is a picture that is to be shown.
type Output struct {
	ID          PictureID
	PicOrderCnt int32
	// Slot is where the picture lies until it is among the freed ones.
	Slot int8
}

// Slots is a set of DPB slots, bit i for slot i.
type Slots uint32

// Has reports whether slot i is in the set.
func (s Slots) Has(i int) bool { return s>>i&1 != 0 }
