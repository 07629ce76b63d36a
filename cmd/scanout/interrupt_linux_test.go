package main

import (
	"bytes"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A reader of standard output that reads no more does not keep the program from ending.
func TestTerminateStalled(t *testing.T) {
	pattern := "pattern:size=640x360,duration=1h"
	for _, c := range []struct {
		name string
		sig  syscall.Signal
		code int
		cmd  command
	}{
		{"pictures", syscall.SIGTERM, exitTerminated, play("-o", "y4m:-", pattern)},
		{"pictures, Ctrl-C", syscall.SIGINT, exitInterrupted, play("-o", "y4m:-", pattern)},
		{"hashes", syscall.SIGTERM, exitTerminated, play("-o", "framemd5:-", "pattern:size=16x16,duration=1h,rate=1000")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			size, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, os.Getpagesize())
			if err != nil {
				t.Fatal(err)
			}
			p := c.cmd.prepare(t.Context(), t)
			p.Stdout = w
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			w.Close()
			const line = 256 // that there is no room for is not in it
			(&watched{cmd: p}).until(t, "a full pipe", func() bool {
				n, err := unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
				return err == nil && n > size-line
			})
			if err := p.Process.Signal(c.sig); err != nil {
				t.Fatal(err)
			}
			_ = p.Wait() // the code says it; it never ends where the pipe holds it up
			if code := p.ProcessState.ExitCode(); code != c.code {
				t.Errorf("code %d, want %d", code, c.code)
			}
		})
	}
}

// A reader that has read enough of a text is no error that is worth a line.
func TestTextIsCutOff(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	for _, args := range [][]string{{"probe", "pattern:"}, {"probe", "--json", "pattern:"}, {"version"}, {"bench", "--list"}, {"--help"}, {"play", "--help"}} {
		cmd := command{args: args}.prepare(t.Context(), t)
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = w, &said
		_ = cmd.Run() // the code says it
		if code := cmd.ProcessState.ExitCode(); code != exitFailed || said.Len() > 0 {
			t.Errorf("%v: code %d: %s", args, code, said.String())
		}
	}
}
