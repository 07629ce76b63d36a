package udp

import (
	"encoding/binary"
	"math/bits"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

// controlRoom is what control messages may take: a timestamp (32 bytes on 64-bit
// systems) and a segment size (24), with some to spare.
const controlRoom = 80

// noted is what the kernel says beside a packet.
type noted struct {
	wall    int64 // ns of CLOCK_REALTIME, 0 when not told
	segment int   // length of the packets in a train, 0 for none
}

// parseControl reads control messages.
// Source: bits/socket.h, struct cmsghdr; RFC 3542, 20.
func parseControl(b []byte) (o noted) {
	const header = unix.SizeofCmsghdr
	const word = bits.UintSize / 8
	for len(b) >= header {
		n := int(native(b))
		if n < header || n > len(b) {
			return o
		}
		data := b[header:n]
		switch level, kind := native32(b[word:]), native32(b[word+4:]); {
		case level == unix.SOL_SOCKET && kind == unix.SO_TIMESTAMPNS && len(data) >= 2*word:
			o.wall = int64(native(data))*1e9 + int64(native(data[word:]))
		case level == unix.SOL_UDP && kind == unix.UDP_GRO && len(data) >= 4:
			// int, of which a datagram has 16 bits.
			o.segment = int(native32(data)) & 0xffff
		}
		b = b[min(roundUp(n, word), len(b)):]
	}
	return o
}

func native(b []byte) uint {
	if bits.UintSize == 64 {
		return uint(binary.NativeEndian.Uint64(b))
	}
	return uint(binary.NativeEndian.Uint32(b))
}

func native32(b []byte) uint32 { return binary.NativeEndian.Uint32(b) }

// stamper turns the kernel's stamps, which are of the wall clock, into instants. Both
// clocks are read once for a batch.
type stamper struct {
	now  media.Instant
	wall int64
}

func newStamper() stamper { return stamper{rt.Now(), time.Now().UnixNano()} }

// instant converts a stamp. One from the future, or from more than ten seconds ago, was
// taken before the wall clock was set: then now is the better answer.
func (s *stamper) instant(wall int64) media.Instant {
	ago := s.wall - wall
	if wall == 0 || ago < 0 || ago > 10e9 {
		return s.now
	}
	return s.now - media.Instant(ago)
}
