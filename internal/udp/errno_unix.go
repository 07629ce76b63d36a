//go:build !windows

package udp

import (
	"errors"
	"syscall"
)

// tooLong reports whether a datagram did not fit: here it is cut and its length tells.
func tooLong(error) bool { return false }

// unreachable reports whether an ICMP message about an earlier datagram of ours came back.
func unreachable(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
