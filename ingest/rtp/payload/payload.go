// Package payload turns the payloads of RTP packets into access units.
//
// A [Depacketizer] is a pure state machine: packets come in their sequence, without
// duplicates, and Lose says where some are missing. What a packet carries is appended to
// memory that the caller owns and that never moves, so that it may as well be memory
// which a GPU reads. That append is the only copy.
//
// Damage stays inside its unit: a packet that cannot be read is an error and marks the
// unit as damaged, and everything that was complete before it stays.
//
// Concurrency: one goroutine for each depacketizer.
// Errors: [ErrMalformed], [ErrTooLarge], [ErrUnsupported], as they are, so that a flood of
// garbage allocates nothing.
package payload

import (
	"errors"

	"github.com/scanout-av/scanout/media"
)

var (
	// ErrMalformed says that a payload breaks its format's rules.
	ErrMalformed = errors.New("malformed payload")
	// ErrTooLarge says that the unit's memory is full.
	ErrTooLarge = errors.New("access unit too large")
	// ErrUnsupported says that a payload uses a part of its format that no known sender
	// uses: interleaving, mostly.
	ErrUnsupported = errors.New("unsupported packetization")
)

// Unit is an access unit in the making. The zero value with Data set to empty memory of
// some capacity is a new one.
type Unit struct {
	// Data is what there is so far. It grows inside its capacity only.
	Data []byte
	// Key says that decoding can begin here.
	Key bool
	// Damaged says that something of the unit is missing.
	Damaged bool
	// Complete says that no more packets belong to the unit.
	Complete bool
	// Offset is how much later than its packet's timestamp the unit is, in ticks.
	Offset uint32
}

// Depacketizer puts the payloads of one payload format together.
type Depacketizer interface {
	// Add appends to u what the payload of the next packet carries. More says that the
	// payload carries another unit: finish u and call again with a new unit and the same
	// payload.
	Add(u *Unit, payload []byte, marker bool) (more bool, err error)
	// Lose says that packets are missing before the next one.
	Lose(u *Unit)
	// Begins reports whether a unit certainly begins with the packet of this payload, so
	// that packets which are missing before it are of other units. It changes nothing.
	Begins(payload []byte) bool
	// Finish completes u: no more packets belong to it.
	Finish(u *Unit)
	// Reset forgets everything that is unfinished.
	Reset()
}

// Tolerant reports whether decoders of a codec show something of use for a damaged unit:
// those whose pictures consist of slices.
func Tolerant(c media.Codec) bool { return c == "h264" || c == "hevc" }

// put appends b to u.
func (u *Unit) put(b []byte) error {
	if len(b) > cap(u.Data)-len(u.Data) {
		u.Damaged = true
		return ErrTooLarge
	}
	u.Data = append(u.Data, b...)
	return nil
}

func (u *Unit) malformed() error {
	u.Damaged = true
	return ErrMalformed
}

func (u *Unit) unsupported() error {
	u.Damaged = true
	return ErrUnsupported
}

// whole is the state of formats whose fragments have no marks of their own: once one is
// missing, the rest of the unit is of no use.
type whole struct{ broken bool }

func (w *whole) lose(u *Unit) {
	if len(u.Data) > 0 {
		w.broken = true
	}
	u.Damaged = true
}
