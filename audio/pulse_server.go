package audio

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/scanout-av/scanout/media"
)

// address is where a PulseAudio server may listen.
type address struct{ network, addr string }

func (a address) String() string { return a.network + ":" + a.addr }

// defaultPort is that of PulseAudio's native protocol.
const defaultPort = "4713"

// parseServer translates a server string; addresses meant for other machines are left
// out.
// Source: PulseAudio documentation, "Server String Format".
func parseServer(s string, isThis func(machine string) bool) []address {
	var out []address
	for _, f := range strings.Fields(s) {
		if f[0] == '{' {
			end := strings.IndexByte(f, '}')
			if end < 0 || !isThis(f[1:end]) {
				continue
			}
			f = f[end+1:]
		}
		network, addr := "tcp", f
		switch {
		case f == "":
			continue
		case f[0] == '/':
			network = "unix"
		case strings.HasPrefix(f, "unix:"):
			network, addr = "unix", f[len("unix:"):]
		case strings.HasPrefix(f, "tcp4:"), strings.HasPrefix(f, "tcp6:"):
			network, addr = f[:4], f[5:]
		case strings.HasPrefix(f, "tcp:"):
			addr = f[4:]
		}
		if addr == "" {
			continue
		}
		if network != "unix" {
			if _, _, err := net.SplitHostPort(addr); err != nil {
				addr = net.JoinHostPort(strings.Trim(addr, "[]"), defaultPort)
			}
		}
		out = append(out, address{network, addr})
	}
	return out
}

// isThisMachine compares with what libpulse writes into server strings: the machine-id
// or the host name.
func isThisMachine(machine string) bool {
	if h, err := os.Hostname(); err == nil && h == machine {
		return true
	}
	for _, f := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if b, err := os.ReadFile(f); err == nil && strings.TrimSpace(string(b)) == machine {
			return true
		}
	}
	return false
}

// addresses returns where to look for a server, in libpulse's order: what was asked for,
// else PULSE_SERVER, else the sockets of the user and of the system.
func addresses(server string, getenv func(string) string) []address {
	if server == "" {
		server = getenv("PULSE_SERVER")
	}
	if server != "" {
		return parseServer(server, isThisMachine)
	}
	var out []address
	if d := getenv("PULSE_RUNTIME_PATH"); d != "" {
		out = append(out, address{"unix", filepath.Join(d, "native")})
	}
	if d := getenv("XDG_RUNTIME_DIR"); d != "" {
		out = append(out, address{"unix", filepath.Join(d, "pulse", "native")})
	}
	if h, err := os.Hostname(); err == nil && getenv("HOME") != "" {
		// macOS
		out = append(out, address{"unix", filepath.Join(getenv("HOME"), ".config", "pulse", h+"-runtime", "native")})
	}
	return append(out, address{"unix", "/var/run/pulse/native"})
}

// dialPulse connects to the first server that answers.
func dialPulse(server string) (net.Conn, address, error) {
	list := addresses(server, os.Getenv)
	if len(list) == 0 {
		return nil, address{}, fmt.Errorf("audio: no usable address in the server string: set PULSE_SERVER to unix:/path or tcp:host: %w", media.ErrNotSupported)
	}
	var errs []error
	for _, a := range list {
		c, err := net.DialTimeout(a.network, a.addr, 2*time.Second)
		if err == nil {
			return c, a, nil
		}
		errs = append(errs, err)
	}
	return nil, address{}, fmt.Errorf("audio: no PulseAudio or PipeWire server: start one or set PULSE_SERVER: %w: %w", media.ErrNotSupported, errors.Join(errs...))
}

// cookieLength is what servers expect; one that lets anybody in takes any.
const cookieLength = 256

// cookie returns the secret that the user's programs share with the server.
func cookie(getenv func(string) string) []byte {
	paths := []string{getenv("PULSE_COOKIE")}
	if h := getenv("HOME"); h != "" {
		paths = append(paths, filepath.Join(h, ".config", "pulse", "cookie"), filepath.Join(h, ".pulse-cookie"))
	}
	for _, p := range paths {
		if p == "" {
			continue
		}
		if b, err := os.ReadFile(p); err == nil && len(b) == cookieLength {
			return b
		}
	}
	return make([]byte, cookieLength)
}
