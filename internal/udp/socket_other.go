//go:build !linux

package udp

import (
	"fmt"
	"net"

	"github.com/scanout-av/scanout/media"
)

func (c *Conn) open(cfg *Config, uc *net.UDPConn) error {
	if cfg.Receive != PathAuto && cfg.Receive != PathNet {
		uc.Close()
		return fmt.Errorf("receive path %s: %w: it needs Linux; use auto or net", cfg.Receive, media.ErrNotSupported)
	}
	return c.openNet(cfg, uc)
}

// setReceiveBuffer asks for the whole and then for less: systems refuse what is too much.
func (c *Conn) setReceiveBuffer(uc *net.UDPConn, n int) {
	for want := n; want >= 64<<10; want /= 2 {
		if uc.SetReadBuffer(want) == nil {
			if want < n {
				c.warnings = append(c.warnings, fmt.Sprintf("the system granted %d KiB of receive buffer instead of %d: bursts may be lost", want>>10, n>>10))
			}
			return
		}
	}
	c.warnings = append(c.warnings, "the system refuses to set the receive buffer: bursts may be lost")
}

func socketCounters(*net.UDPConn) kernelCounters { return kernelCounters{} }

// onlyJoined has nothing to do: other systems deliver the groups that a socket joined.
func onlyJoined(*net.UDPConn) {}
