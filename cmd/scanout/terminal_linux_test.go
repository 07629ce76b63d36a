package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/scanout-av/scanout/clock"
)

// pseudoTerminal opens a terminal that nobody reads.
func pseudoTerminal(t *testing.T) *os.File {
	t.Helper()
	m, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("needs /dev/ptmx: ", err)
	}
	t.Cleanup(func() { m.Close() })
	if err := unix.IoctlSetPointerInt(int(m.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	// By its own name it may be out of sight: /dev/pts is mounted or not.
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, m.Fd(), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY)
	if errno != 0 {
		t.Skip("needs terminals: ", errno)
	}
	f := os.NewFile(fd, "terminal")
	t.Cleanup(func() { f.Close() })
	return f
}

// TestPicturesToTerminal: what no terminal can show is not written to one, and everywhere else it
// is, also where progress would be printed to.
func TestPicturesToTerminal(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, c := range []struct {
		name, output string
		to           *os.File
		code         int
	}{
		{"pictures to a terminal", "y4m:-", pseudoTerminal(t), exitUsage},
		{"pictures to nowhere", "y4m:-", null, exitOK},
		{"checksums to a terminal", "framemd5:-", pseudoTerminal(t), exitOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			var said bytes.Buffer
			code := run([]string{"play", "-o", c.output, "pattern:size=16x16,duration=100ms"},
				environment{context.Background(), strings.NewReader(""), c.to, &said, clock.Now()})
			if code != c.code || (code == exitUsage) != strings.Contains(said.String(), "is a terminal") {
				t.Errorf("code %d, want %d: %s", code, c.code, said.String())
			}
		})
	}
	if isTerminal(null) || isTerminal(&bytes.Buffer{}) || !isTerminal(pseudoTerminal(t)) {
		t.Error("terminals are not told from other files")
	}
}
