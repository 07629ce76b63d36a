package h265

import "github.com/scanout-av/scanout/decode/bitstream"

// Splitter cuts an Annex B stream into access units.
// Source: 7.4.2.4.4.
type Splitter struct {
	seen    bool // the unit holds a slice segment
	scanned int  // of the data of an earlier call that was too short
}

// NewSplitter makes a splitter.
func NewSplitter() *Splitter { return &Splitter{} }

// Reset starts anew at another place of the stream.
func (s *Splitter) Reset() { *s = Splitter{} }

// Split is a bufio.SplitFunc: the tokens are access units with their start codes. What
// stands before the first start code is left out. It is called with data from where the
// last token ended.
func (s *Splitter) Split(data []byte, atEOF bool) (advance int, token []byte, err error) {
	advance, token, s.scanned = bitstream.SplitAnnexB(data, atEOF, s.scanned, s)
	return advance, token, nil
}

// Begins reports whether nal is the first unit of another access unit.
func (s *Splitter) Begins(nal []byte) bool {
	if !s.seen || len(nal) < 2 || nal[0]&1 != 0 || nal[1]>>3 != 0 {
		return false
	}
	t := NALType(nal[0] >> 1 & 63)
	if t.VCL() {
		return len(nal) > 2 && nal[2]&0x80 != 0 // first_slice_segment_in_pic_flag
	}
	return t >= NALVPS && t <= NALAUD || t == PrefixSEI || t >= 41 && t <= 44 || t >= 48 && t <= 55
}

// Note takes in a unit of the current access unit.
func (s *Splitter) Note(nal []byte) {
	s.seen = s.seen || len(nal) > 1 && nal[0]&1 == 0 && nal[1]>>3 == 0 && NALType(nal[0]>>1&63).VCL()
}

// Restart forgets the units of the current access unit.
func (s *Splitter) Restart() { s.seen = false }
