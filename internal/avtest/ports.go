package avtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

// Ports are taken from a range below the one that Linux takes the ports from of those who
// don't ask for one (32768 and up). Who looks for a free port by asking for any and closing
// it again may find that another program has been given it meanwhile.
const (
	portsFrom = 20000
	portsTo   = 32000
)

// portsTaken counts blocks of ports. No two calls in a process get the same, and processes
// begin at different places.
var portsTaken atomic.Uint32

// Ports returns the first of n ports in a row of 127.0.0.1, at most 8, that nobody uses, by
// UDP or TCP. It is even, as RTP wants it.
func Ports(t testing.TB, n int) int {
	t.Helper()
	const block, blocks = 8, (portsTo - portsFrom) / 8
	if n > block {
		t.Fatalf("%d ports in a row, %d at most", n, block)
	}
	for range blocks {
		first := portsFrom + block*int((uint32(os.Getpid())*16+portsTaken.Add(1))%blocks)
		if free(first, n) {
			return first
		}
	}
	t.Fatalf("no %d free ports in a row", n)
	return 0
}

func free(first, n int) bool {
	for port := first; port < first+n; port++ {
		address := fmt.Sprintf("127.0.0.1:%d", port)
		u, err := net.ListenPacket("udp4", address)
		if err != nil {
			return false
		}
		u.Close()
		l, err := net.Listen("tcp4", address)
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

// Bound waits until a program has bound the UDP port. It may be called on any goroutine,
// and returns early, with an error, once stop is closed; nil is never.
func Bound(port int, stop <-chan struct{}) error {
	stopped := false
	err := Eventually(func() bool {
		select {
		case <-stop:
			stopped = true
		default:
		}
		return stopped || bound(port)
	})
	if stopped {
		return errors.New("stopped")
	}
	if err != nil {
		return fmt.Errorf("UDP port %d is bound: %w", port, err)
	}
	return nil
}

// bound asks the kernel, where it tells: to bind the port for a try could take it from the
// program that is waited for.
func bound(port int) bool {
	known := false
	for _, table := range []string{"/proc/net/udp", "/proc/net/udp6"} {
		b, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		known = true
		if boundIn(b, port) {
			return true
		}
	}
	if known {
		return false
	}
	c, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return true
	}
	c.Close()
	return false
}

// boundIn looks for a port among the local addresses: those who send to it have it as their
// remote one. Source: proc_net_udp(5): "sl local_address rem_address …", address:port in
// hexadecimal.
func boundIn(table []byte, port int) bool {
	for line := range bytes.Lines(table) {
		f := strings.Fields(string(line))
		if len(f) > 2 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
			return true
		}
	}
	return false
}
