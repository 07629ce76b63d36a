//go:build unix

package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/avtest"
)

// watched is a running command.
type watched struct {
	cmd      *exec.Cmd
	mu       sync.Mutex
	out, err bytes.Buffer
	command  command
}

// Write takes what the program says on standard error.
func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err.Write(b)
}

func (c command) start(t *testing.T, stdin io.Reader) *watched {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	w := &watched{cmd: c.prepare(ctx, t), command: c}
	w.cmd.Stdin = stdin
	w.cmd.Stdout, w.cmd.Stderr = &w.out, w
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return w
}

// end waits for the program.
func (w *watched) end(t *testing.T) result {
	t.Helper()
	w.cmd.Wait()
	r := result{w.cmd.ProcessState.ExitCode(), w.out.String(), w.err.String()}
	r.sane(t, w.command)
	return r
}

// opened waits until the program has path open, so that it is known to be busy with it.
func (w *watched) opened(t *testing.T, path string) {
	t.Helper()
	w.until(t, "open "+path, func() bool {
		fds, _ := filepath.Glob("/proc/" + itoa(w.cmd.Process.Pid) + "/fd/*")
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && strings.Contains(to, path) {
				return true
			}
		}
		return false
	})
}

func (w *watched) until(t *testing.T, what string, ready func() bool) {
	t.Helper()
	if err := avtest.Eventually(ready); err != nil {
		w.cmd.Process.Kill()
		t.Fatalf("%s: %v", what, err)
	}
}

// procOnly skips where a program cannot be watched from outside.
func procOnly(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("needs /proc (Linux), to see what the program is at")
	}
}

// Ctrl-C while playing ends with code 130, SIGTERM with 143, and everything is given back.
func TestInterruptPlaying(t *testing.T) {
	procOnly(t)
	path := generate(t, "av.mp4", join(picture("1"), sound("1"), h264, []string{"-c:a", "aac"})...)
	audio := generate(t, "audio.m4a", join(sound("1"), []string{"-c:a", "aac"})...)
	for _, c := range []struct {
		name string
		sig  os.Signal
		cmd  command
		open string // what it has open while it plays
	}{
		{"null", os.Interrupt, play("-o", "null", "--audio", "null", "--loop", "--report", "-", path), "av.mp4"},
		{"terminate", syscall.SIGTERM, play("-o", "null", "--audio", "null", "--loop", "--report", "-", path), "av.mp4"},
		{"offscreen", os.Interrupt, play("-o", "offscreen", "--renderer", "cpu", "--audio", "null", "--loop", "--report", "-", path), "av.mp4"},
		{"hashes", os.Interrupt, play("-o", "framemd5:loop.md5", "--loop", "--report", "-", path), "loop.md5"},
		{"sound", os.Interrupt, play("-o", "null", "--audio", "null", "--loop", "--report", "-", audio), "audio.m4a"},
		{"paced pattern", os.Interrupt, play("-o", "y4m:loop.y4m", "--loop", "--report", "-", "pattern:size=64x48"), "loop.y4m"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := c.cmd.start(t, nil)
			w.opened(t, c.open)
			start := time.Now()
			if err := w.cmd.Process.Signal(c.sig); err != nil {
				t.Fatal(err)
			}
			r := w.end(t)
			want := exitInterrupted
			if c.sig == syscall.SIGTERM {
				want = exitTerminated
			}
			if r.code != want || r.err != "" {
				t.Errorf("code %d, want %d: %s", r.code, want, r.err)
			}
			r.report(t)
			// A second is the promise; the machine may have other things to do.
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("it took %v to end", took)
			}
		})
	}
}

// Ctrl-C while something that is being opened does not answer.
func TestInterruptOpening(t *testing.T) {
	procOnly(t)
	needFFmpeg(t)
	for _, name := range []string{"idle", "idle.y4m", "lonely", "lonely.y4m", "lonely.md5"} {
		if err := syscall.Mkfifo(filepath.Join(scratch, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"idle", "idle.y4m"} { // these have a writer, who says nothing
		f, err := os.OpenFile(filepath.Join(scratch, name), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	asked := make(chan struct{})
	go func() {
		if c, err := l.Accept(); err == nil {
			defer c.Close()
			c.Read(make([]byte, 1))
			close(asked)
			<-t.Context().Done()
		}
	}()
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); feed.Close() })
	for _, c := range []struct {
		name  string
		cmd   command
		ready func(t *testing.T, w *watched)
	}{
		{"pipe with a silent writer", play("-o", "null", "idle"), func(t *testing.T, w *watched) { w.opened(t, "/idle") }},
		{"Y4M pipe with a silent writer", play("-o", "null", "idle.y4m"), func(t *testing.T, w *watched) { w.opened(t, "/idle.y4m") }},
		{"pipe without a writer", play("-o", "null", "lonely"), nil},
		{"Y4M pipe without a writer", play("-o", "null", "lonely.y4m"), nil},
		{"probe of a pipe", command{args: []string{"probe", "lonely"}}, nil},
		{"output to a pipe without a reader", play("-o", "framemd5:lonely.md5", "pattern:size=64x48"), nil},
		{"silent standard input", play("-o", "null", "-"), nil},
		{"silent server", play("-o", "null", "http://"+l.Addr().String()+"/a.mp4"), func(*testing.T, *watched) { <-asked }},
		{"benchmark", command{args: []string{"bench", "queue", "--duration", "1m"}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Nothing outside shows that a program waits for a pipe to be opened. A signal
			// that comes too early kills it, and then the next try waits longer.
			for patience := 50 * time.Millisecond; ; patience *= 2 {
				w := c.cmd.start(t, in)
				if c.ready != nil {
					c.ready(t, w)
				} else {
					time.Sleep(patience)
				}
				start := time.Now()
				if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
					t.Fatal(err)
				}
				w.cmd.Wait()
				if w.cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() && c.ready == nil && patience < 5*time.Second {
					continue
				}
				if r := w.end(t); r.code != exitInterrupted || r.err != "" {
					t.Errorf("code %d: %s", r.code, r.err)
				}
				// A second is the promise; the machine may have other things to do.
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("it took %v to end", took)
				}
				break
			}
		})
	}
}

// What is written to a named pipe ends with its reader, and with Ctrl-C where that reads no
// more.
func TestOutputToPipe(t *testing.T) {
	procOnly(t)
	path := filepath.Join(t.TempDir(), "pipe.y4m")
	c := play("-o", "y4m:"+path, "--audio", "none", "pattern:size=640x480")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, leaves := range []bool{true, false} {
		w := c.start(t, nil)
		f, err := os.Open(path) // waits for the program
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b := make([]byte, 9)
		if _, err := io.ReadFull(f, b); err != nil || string(b) != "YUV4MPEG2" {
			t.Errorf("the pipe says %q, %v", b, err)
		}
		want, says := exitFailed, "broken pipe"
		if leaves {
			f.Close()
		} else {
			want, says = exitInterrupted, "timeout"
			if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
		if r := w.end(t); r.code != want || !strings.Contains(r.err, says) {
			t.Errorf("the reader leaves: %v; code %d, want %d, and %q in: %s", leaves, r.code, want, says, r.err)
		}
	}
}

// Lines that are printed and do not arrive are an error, whatever prints them.
func TestFullOutput(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("needs /dev/full (Linux)")
	}
	defer full.Close()
	path := generate(t, "video.mp4", join(picture("1"), h264)...)
	for _, args := range [][]string{{"probe", path}, {"probe", "--json", path}, {"doctor"}, {"version"}, {"bench", "--list"}, {"play", "--help"}} {
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		cmd := command{args: args}.prepare(ctx, t)
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &said
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code <= 0 || !strings.Contains(said.String(), "no space left") {
			t.Errorf("scanout %q: code %d: %s", args, code, said.String())
		}
	}
}

// A reader that goes away, as `| head` does, ends playback with a line.
func TestClosedOutput(t *testing.T) {
	path := generate(t, "video.mp4", join(picture("1"), h264)...)
	for _, output := range []string{"y4m:-", "framemd5:-"} {
		t.Run(output, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			defer w.Close()
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			c := play("-o", output, "--loop", "--report", "closed-"+output[:3]+".json", path)
			cmd := c.prepare(ctx, t)
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = w, &said
			cmd.Run()
			res := result{code: cmd.ProcessState.ExitCode(), err: said.String()}
			res.sane(t, c)
			if res.code != exitFailed || !strings.Contains(res.err, "broken pipe") {
				t.Errorf("code %d: %s", res.code, res.err)
			}
			res.clear(t, res.code)
			res.out = string(read(t, filepath.Join(scratch, "closed-"+output[:3]+".json")))
			res.report(t)
		})
	}
}
