package bitstream

// Boundary knows where access units begin.
type Boundary interface {
	// Begins reports whether nal is the first unit of another access unit than the units
	// noted before.
	Begins(nal []byte) bool
	// Note takes in a unit of the current access unit.
	Note(nal []byte)
	// Restart forgets the units noted before.
	Restart()
}

// SplitAnnexB is the work of a bufio.SplitFunc that cuts an Annex B stream into access
// units: it returns how far to go, and the unit with its start codes or nil. scanned is
// 0, or what the call before returned as next.
func SplitAnnexB(data []byte, atEOF bool, scanned int, b Boundary) (advance int, unit []byte, next int) {
	var f Framing
	start, pos := -1, scanned
	if pos > 0 {
		start = 0
	}
	for {
		n, ok, _ := f.Next(data, pos)
		if !ok || !atEOF && n.End+4 > len(data) {
			break // the unit may go on behind the data
		}
		if start < 0 {
			start = n.Start
			if start > 0 && data[start-1] == 0 { // zero_byte
				start--
			}
		}
		if b.Begins(n.Bytes(data)) {
			end := n.Start
			if data[end-1] == 0 {
				end--
			}
			// The unit is looked at again as the first of the next access unit.
			b.Restart()
			return end, data[start:end], 0
		}
		b.Note(n.Bytes(data))
		pos = n.After()
	}
	switch {
	case atEOF && start >= 0:
		b.Restart()
		return len(data), data[start:], 0
	case atEOF:
		return len(data), nil, 0
	case start > 0: // rubbish before the first unit
		b.Restart()
		return start, nil, 0
	case start == 0:
		return 0, nil, pos
	}
	return 0, nil, 0
}
