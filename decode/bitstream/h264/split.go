package h264

import "github.com/scanout-av/scanout/decode/bitstream"

// Splitter cuts an Annex B stream into access units. It is told parameter sets by the
// stream itself.
// Source: 7.4.1.2.3, 7.4.1.2.4.
type Splitter struct {
	sets       Decoder
	prev, next SliceHeader
	seen       bool // prev is valid: the unit holds a slice of a primary picture
	scanned    int  // of the data of an earlier call that was too short
}

// NewSplitter makes a splitter.
func NewSplitter() *Splitter {
	s := &Splitter{}
	s.sets.getPPS, s.sets.getSPS = s.sets.PPS, s.sets.SPS
	return s
}

// Reset starts anew at another place of the stream; parameter sets stay.
func (s *Splitter) Reset() { s.seen, s.scanned = false, 0 }

// Split is a bufio.SplitFunc: the tokens are access units with their start codes. What
// stands before the first start code is left out. It is called with data from where the
// last token ended.
func (s *Splitter) Split(data []byte, atEOF bool) (advance int, token []byte, err error) {
	advance, token, s.scanned = bitstream.SplitAnnexB(data, atEOF, s.scanned, s)
	return advance, token, nil
}

// Begins reports whether nal is the first unit of another access unit than those before
// it.
func (s *Splitter) Begins(nal []byte) bool {
	if !s.seen {
		return false
	}
	switch t := nal[0] & 31; {
	// Prefix units come before each slice of a base layer. One that goes with the unit before
	// does no harm: this decoder has no use for them.
	case t == NALAUD, t == NALSPS, t == NALPPS, t == NALSEI, t > NALPrefix && t <= 18:
		return true
	case t == NALSlice, t == NALPartitionA, t == NALIDR:
		switch s.next.Parse(nal, s.sets.getPPS, s.sets.getSPS) {
		case nil:
			return s.next.RedundantPicCnt == 0 && s.next.startsPicture(&s.prev)
		case errNoPPS, errNoSPS: // they come by another way
			return s.next.FirstMbInSlice == 0
		}
	}
	return false
}

// Note takes in a unit of the current access unit.
func (s *Splitter) Note(nal []byte) {
	switch t := nal[0] & 31; t {
	case NALSPS, NALPPS:
		_ = s.sets.parameterSet(nal) // a damaged one makes its slices unreadable: they cut nothing
	case NALSlice, NALPartitionA, NALIDR:
		switch s.next.Parse(nal, s.sets.getPPS, s.sets.getSPS) {
		case nil:
			if s.next.RedundantPicCnt == 0 {
				s.prev, s.seen = s.next, true
			}
		case errNoPPS, errNoSPS:
			s.seen = true
		}
	}
}

// Restart forgets the units of the current access unit.
func (s *Splitter) Restart() { s.seen = false }
