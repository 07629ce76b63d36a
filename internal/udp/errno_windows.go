package udp

import (
	"errors"

	"golang.org/x/sys/windows"
)

// tooLong reports whether a datagram did not fit.
func tooLong(err error) bool { return errors.Is(err, windows.WSAEMSGSIZE) }

// unreachable reports whether an ICMP message about an earlier datagram of ours came back.
func unreachable(err error) bool { return errors.Is(err, windows.WSAECONNRESET) }
