package uring

import "encoding/binary"

// RecvmsgHeader is the length of what the kernel puts in front of the address.
const RecvmsgHeader = 16

// Recvmsg is a datagram that a multishot receive has put into a provided buffer: header,
// room for the address, room for control messages, payload.
// Source: linux/io_uring.h, struct io_uring_recvmsg_out.
type Recvmsg struct {
	Name, Control, Payload []byte
	Truncated              bool // the datagram was longer than the room for it
}

const msgTrunc = 0x20

// ParseRecvmsg reads a buffer of which the kernel has filled in b. nameRoom and
// controlRoom are what the receive was armed with.
// Ownership: the result refers to b.
func ParseRecvmsg(b []byte, nameRoom, controlRoom int) (m Recvmsg, ok bool) {
	if len(b) < RecvmsgHeader+nameRoom+controlRoom || nameRoom < 0 || controlRoom < 0 {
		return m, false
	}
	name := binary.NativeEndian.Uint32(b)
	control := binary.NativeEndian.Uint32(b[4:])
	payload := binary.NativeEndian.Uint32(b[8:])
	flags := binary.NativeEndian.Uint32(b[12:])
	b = b[RecvmsgHeader:]
	m.Name = b[:min(uint64(name), uint64(nameRoom))]
	b = b[nameRoom:]
	m.Control = b[:min(uint64(control), uint64(controlRoom))]
	b = b[controlRoom:]
	m.Truncated = flags&msgTrunc != 0 || uint64(payload) > uint64(len(b))
	n := int(min(uint64(payload), uint64(len(b))))
	m.Payload = b[:n:n]
	return m, true
}
