package libav

import (
	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/media"
)

// Packet is the address of an AVPacket.
type Packet uintptr

// Packet flags. Source: libavcodec/packet.h.
const (
	PacketKey     = 1
	PacketCorrupt = 2
	PacketDiscard = 4 // is decoded, and its picture does not come out
)

// PacketOwner is implemented by owners of access units whose Native is a [Packet].
type PacketOwner interface {
	media.AccessUnitOwner
	NativeIsPacket()
}

// PacketProps is what an AVPacket says.
type PacketProps struct {
	Data          uintptr
	Size          int
	PTS, DTS      int64
	Duration      int64
	Stream, Flags int32
}

// NewPacket allocates an empty packet, 0 when memory is out.
func (c *Calls) NewPacket() Packet { return Packet(c.c.Call(c.fn.packetAlloc)) }

// UnrefPacket drops p's data; p stays usable.
func (c *Calls) UnrefPacket(p Packet) { c.c.Call(c.fn.packetUnref, uintptr(p)) }

// FreePacket frees p and its data.
func (c *Calls) FreePacket(p Packet) {
	c.out[0] = uint64(p)
	c.c.Call(c.fn.packetFree, c.addr(0))
}

// PacketProps reads p.
func (l *Lib) PacketProps(p Packet, v *PacketProps) {
	a, o := uintptr(p), l.o
	v.Data = dl.Load[uintptr](a, o.packetData)
	v.Size = int(dl.Load[int32](a, o.packetSize))
	v.PTS = dl.Load[int64](a, o.packetPts)
	v.DTS = dl.Load[int64](a, o.packetDts)
	v.Duration = dl.Load[int64](a, o.packetDuration)
	v.Stream = dl.Load[int32](a, o.packetStreamIndex)
	v.Flags = dl.Load[int32](a, o.packetFlags)
}

// PacketSize returns how many bytes p holds.
func (l *Lib) PacketSize(p Packet) int { return int(dl.Load[int32](uintptr(p), l.o.packetSize)) }

// SetPacketTimes replaces the timestamps and the duration of p; 0 is a duration that is
// not known.
func (l *Lib) SetPacketTimes(p Packet, pts, dts, duration int64) {
	dl.Store(uintptr(p), l.o.packetPts, pts)
	dl.Store(uintptr(p), l.o.packetDts, dts)
	dl.Store(uintptr(p), l.o.packetDuration, duration)
}

// SetPacketFlags replaces the flags of p.
func (l *Lib) SetPacketFlags(p Packet, flags int32) { dl.Store(uintptr(p), l.o.packetFlags, flags) }

// LendPacket makes p describe data for the next SendPacket, which copies it because
// nobody counts its references. Clear it with UnrefPacket before data goes away.
func (l *Lib) LendPacket(p Packet, data []byte, pts, dts, duration int64, key bool) {
	a, o := uintptr(p), l.o
	var flags int32
	if key {
		flags = PacketKey
	}
	dl.Store(a, o.packetData, AddressOf(data))
	dl.Store(a, o.packetSize, int32(len(data)))
	dl.Store(a, o.packetPts, pts)
	dl.Store(a, o.packetDts, dts)
	dl.Store(a, o.packetDuration, duration)
	dl.Store(a, o.packetFlags, flags)
}
