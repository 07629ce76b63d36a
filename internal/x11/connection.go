//go:build linux || freebsd || netbsd || openbsd || dragonfly

package x11

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scanout-av/scanout/media"
)

// connection is a connection to an X server: a socket and what has been read of it.
type connection struct {
	fd      int
	poll    [1]unix.PollFd
	buf     [4096]byte
	n       int    // bytes of buf that hold something
	skip    uint64 // bytes to come of a message that nobody wants
	present byte   // Present's opcode
	base    uint32 // of identifiers that are ours to give
}

// patience is how long a server may take to answer while a connection is made.
const patience = 2 * time.Second

// dial connects to the server of a display.
func dial(display string) (*connection, error) {
	p, ok := parseDisplay(display)
	if !ok {
		return nil, fmt.Errorf("x11: display %q is not on this machine: %w", display, media.ErrNotSupported)
	}
	var err error
	for _, path := range p.paths {
		c := &connection{}
		if c.fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); err != nil {
			return nil, fmt.Errorf("x11: %w", os.NewSyscallError("socket", err))
		}
		unix.CloseOnExec(c.fd)
		if err = unix.Connect(c.fd, &unix.SockaddrUnix{Name: path}); err == nil {
			if err = unix.SetNonblock(c.fd, true); err == nil {
				err = c.begin(key(p.number))
			}
			if err == nil {
				return c, nil
			}
			c.close()
			return nil, err
		}
		c.close()
	}
	return nil, fmt.Errorf("x11: no server at %s: %w: %w", display, err, media.ErrNotSupported)
}

// key is the cookie of a display of this machine, nil when there is none.
func key(number string) []byte {
	path := os.Getenv("XAUTHORITY")
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil
		}
		path = filepath.Join(home, ".Xauthority")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil // servers without access control take everybody
	}
	host, _ := os.Hostname()
	return cookie(b, host, number)
}

// begin says hello and finds Present.
func (c *connection) begin(key []byte) error {
	if err := c.send(hello(key)); err != nil {
		return err
	}
	b, err := c.take(8, nil)
	if err != nil {
		return err
	}
	status, more := b[0], 4*int(le.Uint16(b[6:]))
	reason := int(b[1])
	if b, err = c.take(more, b[:0]); err != nil {
		return err
	}
	if status != 1 {
		return fmt.Errorf("x11: the server refuses: %q: %w", b[:min(reason, len(b))], media.ErrNotSupported)
	}
	if len(b) < 12 {
		return fmt.Errorf("x11: the server's greeting of %d bytes: %w", len(b), media.ErrNotSupported)
	}
	c.base = le.Uint32(b[4:])
	if b, err = c.ask(askExtension("Present")); err != nil {
		return err
	}
	if b[8] == 0 {
		return fmt.Errorf("x11: this server has no Present extension: %w", media.ErrNotSupported)
	}
	c.present = b[9]
	_, err = c.ask(askVersion(c.present))
	return err
}

// ask sends a request and waits for its reply's first 32 bytes.
func (c *connection) ask(request []byte) ([]byte, error) {
	if err := c.send(request); err != nil {
		return nil, err
	}
	b, err := c.take(smallest, nil)
	if err != nil {
		return nil, err
	}
	if b[0] != kindReply {
		return nil, fmt.Errorf("x11: the server answers with %d, error %d: %w", b[0], b[1], media.ErrNotSupported)
	}
	_, err = c.take(int(min(length(b)-smallest, 1<<20)), nil)
	return b, err
}

// take reads n bytes, appended to b; while the connection is made only.
func (c *connection) take(n int, b []byte) ([]byte, error) {
	b = append(b, make([]byte, n)...)
	begun := time.Now()
	for k := 0; k < n; {
		m, err := unix.Read(c.fd, b[k:])
		switch {
		case err == unix.EAGAIN:
			left := patience - time.Since(begun)
			if left <= 0 {
				return nil, fmt.Errorf("x11: the server does not answer: %w", media.ErrNotSupported)
			}
			if err := c.wait(left); err != nil {
				return nil, err
			}
		case err == unix.EINTR:
		case err != nil || m == 0:
			return nil, fmt.Errorf("x11: the server hung up: %w", media.ErrNotSupported)
		default:
			k += m
		}
	}
	return b, nil
}

// send writes a request. They are few and short: a socket without room for one belongs to a
// server that is stuck.
func (c *connection) send(b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(c.fd, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("x11: %w: %w", os.NewSyscallError("write", err), media.ErrDeviceLost)
		}
		b = b[n:]
	}
	return nil
}

// wait waits up to d for something to read; below 0 for ever.
func (c *connection) wait(d time.Duration) error {
	c.poll[0] = unix.PollFd{Fd: int32(c.fd), Events: unix.POLLIN}
	var ts *unix.Timespec
	if d >= 0 {
		t := unix.NsecToTimespec(int64(d))
		ts = &t
	}
	if _, err := unix.Ppoll(c.poll[:], ts, nil); err != nil && err != unix.EINTR {
		return fmt.Errorf("x11: %w", os.NewSyscallError("ppoll", err))
	}
	return nil
}

// fill reads what there is without waiting; false when there is nothing.
func (c *connection) fill() (bool, error) {
	for {
		n, err := unix.Read(c.fd, c.buf[c.n:])
		switch {
		case err == unix.EAGAIN:
			return false, nil
		case err == unix.EINTR:
			continue
		case err != nil || n == 0:
			return false, fmt.Errorf("x11: the server went away: %w", media.ErrDeviceLost)
		}
		c.n += n
		return true, nil
	}
}

// each hands whole messages to f and keeps the rest. Of a message that does not fit, only
// the beginning is handed over.
func (c *connection) each(f func([]byte)) {
	b := c.buf[:c.n]
	for {
		if c.skip > 0 {
			k := min(c.skip, uint64(len(b)))
			b, c.skip = b[k:], c.skip-k
		}
		if len(b) < smallest {
			break
		}
		n := length(b)
		if n > uint64(len(c.buf)) {
			f(b[:smallest])
			c.skip = n
			continue
		}
		if uint64(len(b)) < n {
			break
		}
		f(b[:n])
		b = b[n:]
	}
	c.n = copy(c.buf[:], b)
}

func (c *connection) close() {
	if c.fd > 0 {
		unix.Close(c.fd)
		c.fd = -1
	}
}
