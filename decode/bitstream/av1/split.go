package av1

// Splitter cuts a stream of OBUs with sizes (5.2) into temporal units.
type Splitter struct {
	// scanned is how much of the data of an earlier call, which were too short, has been
	// looked at.
	scanned int
}

// NewSplitter makes a splitter.
func NewSplitter() *Splitter { return &Splitter{} }

// Split is a bufio.SplitFunc: the tokens are temporal units with their delimiters. It is
// called with data from where the last token ended. Behind a damaged unit nothing can be
// found any more: the rest is one token.
func (s *Splitter) Split(data []byte, atEOF bool) (advance int, token []byte, err error) {
	pos := s.scanned
	for pos < len(data) {
		o, ok, err := NextOBU(data, pos)
		if !ok || err != nil || data[pos]&2 == 0 {
			break // the unit goes on behind the data, or is damaged
		}
		if o.Type == OBUTemporalDelimiter && pos > 0 {
			s.scanned = 0
			return pos, data[:pos], nil
		}
		pos = o.End
	}
	if atEOF && len(data) > 0 {
		s.scanned = 0
		return len(data), data, nil
	}
	s.scanned = pos
	return 0, nil, nil
}
