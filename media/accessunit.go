package media

// AccessUnitOwner gets an access unit's memory back.
type AccessUnitOwner interface {
	ReclaimAccessUnit(native uintptr)
}

// AccessUnit is the coded data of one picture, or of a run of audio samples.
//
// Ownership: one holder at a time. Passing it to a decoder gives it away, even on
// error; the holder calls Release. Data is valid until then.
type AccessUnit struct {
	Data     []byte
	Stream   int
	PTS      Timestamp
	DTS      Timestamp
	Duration Timestamp
	Timebase Timebase
	Serial   uint32
	Key      bool
	// Discontinuity says that data is missing between this unit and the one before.
	Discontinuity bool

	Received, Assembled Instant

	// Native is the owner's own handle (an AVPacket's address), 0 for none.
	Native uintptr
	Owner  AccessUnitOwner
}

// Release gives the data back to its owner. Releasing an empty unit does nothing.
func (au *AccessUnit) Release() {
	o, n := au.Owner, au.Native
	au.Owner, au.Native, au.Data = nil, 0, nil
	if o != nil {
		o.ReclaimAccessUnit(n)
	}
}
