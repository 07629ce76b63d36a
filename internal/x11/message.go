package x11

import (
	"encoding/binary"

	"github.com/scanout-av/scanout/media"
)

// Messages, in little-endian order, which the server is asked for.

var le = binary.LittleEndian

// Opcodes of requests.
const (
	queryExtension = 98

	presentQueryVersion = 0
	presentNotifyMSC    = 2
	presentSelectInput  = 3

	maskComplete = 2 // of PresentSelectInput
)

// Kinds of what a server sends, and of what Present says.
const (
	kindError   = 0
	kindReply   = 1
	kindGeneric = 35

	eventComplete = 1

	completePixmap = 0
	completeMSC    = 1

	modeFlip = 1
	modeSkip = 2
)

// smallest is the size of the shortest message after the connection's set-up.
const smallest = 32

// roundUp fills a length up to words.
func roundUp(n int) int { return (n + 3) &^ 3 }

// hello begins a connection.
func hello(key []byte) []byte {
	name := ""
	if key != nil {
		name = cookieName
	}
	b := make([]byte, 12+roundUp(len(name))+roundUp(len(key)))
	b[0] = 'l' // little-endian
	le.PutUint16(b[2:], 11)
	le.PutUint16(b[6:], uint16(len(name)))
	le.PutUint16(b[8:], uint16(len(key)))
	copy(b[12:], name)
	copy(b[12+roundUp(len(name)):], key)
	return b
}

// askExtension asks for an extension's opcode.
func askExtension(name string) []byte {
	b := make([]byte, 8+roundUp(len(name)))
	b[0] = queryExtension
	le.PutUint16(b[2:], uint16(len(b)/4))
	le.PutUint16(b[4:], uint16(len(name)))
	copy(b[8:], name)
	return b
}

// askVersion asks Present for its version, and says that 1.0 will do.
func askVersion(opcode byte) []byte {
	b := make([]byte, 12)
	b[0], b[1] = opcode, presentQueryVersion
	le.PutUint16(b[2:], 3)
	le.PutUint32(b[4:], 1)
	return b
}

// selectInput asks to be told what becomes of what window shows.
func selectInput(opcode byte, id, window uint32) []byte {
	b := make([]byte, 16)
	b[0], b[1] = opcode, presentSelectInput
	le.PutUint16(b[2:], 4)
	le.PutUint32(b[4:], id)
	le.PutUint32(b[8:], window)
	le.PutUint32(b[12:], maskComplete)
	return b
}

// notifySize is the length of a request for the next refresh.
const notifySize = 40

// notify asks in b to be told the next refresh: a divisor of 1 is "the first from now on".
func notify(b *[notifySize]byte, opcode byte, window, serial uint32) {
	*b = [notifySize]byte{}
	b[0], b[1] = opcode, presentNotifyMSC
	le.PutUint16(b[2:], notifySize/4)
	le.PutUint32(b[4:], window)
	le.PutUint32(b[8:], serial)
	le.PutUint64(b[24:], 1) // divisor
}

// complete is what Present says when something was shown.
type complete struct {
	kind, mode byte
	window     uint32
	serial     uint32
	at         media.Instant
	msc        uint64 // the display's count of its refreshes
}

// length is how long the message is that b begins with, which holds 32 bytes at least.
func length(b []byte) uint64 {
	if k := b[0] &^ 0x80; k == kindReply || k == kindGeneric {
		return smallest + 4*uint64(le.Uint32(b[4:]))
	}
	return smallest
}

// parseComplete reads an event of Present's; false for any other message.
func parseComplete(b []byte, opcode byte) (c complete, ok bool) {
	if len(b) < 40 || b[0]&^0x80 != kindGeneric || b[1] != opcode || le.Uint16(b[8:]) != eventComplete {
		return c, false
	}
	us := le.Uint64(b[24:])
	if us > 1<<53 {
		us = 0 // no clock says that
	}
	return complete{kind: b[10], mode: b[11], window: le.Uint32(b[16:]), serial: le.Uint32(b[20:]),
		at: media.Instant(us * 1000), msc: le.Uint64(b[32:])}, true
}
