package udp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// sockaddr is an address as the kernel reads and writes it, for either family.
type sockaddr [nameRoom]byte

// nameRoom is a sockaddr_in6, rounded up.
const nameRoom = 32

// set fills in a, for a socket of the given family, and returns how long it is.
func (s *sockaddr) set(a netip.AddrPort, v6 bool) (n int, err error) {
	ip := a.Addr()
	switch {
	case v6:
		binary.NativeEndian.PutUint16(s[:], unix.AF_INET6)
		binary.BigEndian.PutUint16(s[2:], a.Port())
		b := ip.As16() // IPv4 becomes mapped
		copy(s[8:24], b[:])
		if z := ip.Zone(); z != "" {
			id, err := strconv.Atoi(z)
			if err != nil {
				ifi, err := net.InterfaceByName(z)
				if err != nil {
					return 0, err
				}
				id = ifi.Index
			}
			binary.NativeEndian.PutUint32(s[24:], uint32(id))
		}
		return unix.SizeofSockaddrInet6, nil
	case ip.Is4() || ip.Is4In6():
		binary.NativeEndian.PutUint16(s[:], unix.AF_INET)
		binary.BigEndian.PutUint16(s[2:], a.Port())
		b := ip.As4()
		copy(s[4:8], b[:])
		return unix.SizeofSockaddrInet4, nil
	}
	return 0, errFamily
}

// senders turns the kernel's addresses into netip's. The last one is remembered: packets
// of one source follow each other, and an IPv6 zone costs a look-up.
type senders struct {
	raw   sockaddr
	n     int
	addr  netip.AddrPort
	zones [4]zone
}

type zone struct {
	id   uint32
	name string
}

// address reads a sockaddr_in or sockaddr_in6; anything else gives the zero AddrPort.
func (s *senders) address(raw []byte) netip.AddrPort {
	if len(raw) > nameRoom || len(raw) < unix.SizeofSockaddrInet4 {
		return netip.AddrPort{}
	}
	if len(raw) == s.n && string(raw) == string(s.raw[:s.n]) {
		return s.addr
	}
	port := binary.BigEndian.Uint16(raw[2:])
	var ip netip.Addr
	switch family := binary.NativeEndian.Uint16(raw); {
	case family == unix.AF_INET:
		ip = netip.AddrFrom4([4]byte(raw[4:8]))
	case family == unix.AF_INET6 && len(raw) >= unix.SizeofSockaddrInet6:
		ip = netip.AddrFrom16([16]byte(raw[8:24])).Unmap()
		if id := binary.NativeEndian.Uint32(raw[24:]); id != 0 && ip.Is6() {
			ip = ip.WithZone(s.zone(id))
		}
	default:
		return netip.AddrPort{}
	}
	s.n = copy(s.raw[:], raw)
	s.addr = netip.AddrPortFrom(ip, port)
	return s.addr
}

// zone is the name of an interface, as package net calls it.
func (s *senders) zone(id uint32) string {
	for i := range s.zones {
		if s.zones[i].id == id {
			return s.zones[i].name
		}
	}
	name := strconv.FormatUint(uint64(id), 10)
	if ifi, err := net.InterfaceByIndex(int(id)); err == nil {
		name = ifi.Name
	}
	copy(s.zones[1:], s.zones[:])
	s.zones[0] = zone{id, name}
	return name
}
