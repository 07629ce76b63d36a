package avtest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// Process is a program that runs until the test ends.
type Process struct {
	PID int

	cmd  *exec.Cmd
	out  logBuffer
	done chan struct{} // closed when it has ended
}

// logBuffer keeps what a program prints.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.b.Len() > 1<<16 {
		return len(p), nil
	}
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// need returns the path of a program and skips the test when it is not installed.
func need(t testing.TB, program, debianPackage string) string {
	t.Helper()
	p, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("needs %s (Debian: apt install %s)", program, debianPackage)
	}
	return p
}

// tempDir makes a directory with a short path, because socket paths end at 107 bytes.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "avtest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// start runs cmd until the end of the test. Its output is shown when the test fails.
func start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{cmd: cmd, done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &p.out
	}
	cmd.WaitDelay = time.Second // grandchildren may keep the pipes open
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	p.PID = cmd.Process.Pid
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() && p.out.String() != "" {
			t.Logf("%s printed:\n%s", cmd.Path, p.out.String())
		}
	})
	return p
}

// Kill ends the program and returns when it has ended. Killing twice does nothing.
func (p *Process) Kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// Signal sends a signal, to stop and continue the program.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// waitFor waits until ready returns true and fails the test when p ends before that.
func (p *Process) waitFor(t testing.TB, what string, ready func() bool) {
	t.Helper()
	if err := Eventually(func() bool {
		select {
		case <-p.done:
			t.Fatalf("%s ended before %s:\n%s", p.cmd.Path, what, p.out.String())
		default:
		}
		return ready()
	}); err != nil {
		t.Fatalf("%s: %s: %v\n%s", p.cmd.Path, what, err, p.out.String())
	}
}

// Eventually waits, up to a minute, until ready returns true.
func Eventually(ready func() bool) error {
	for end := time.Now().Add(time.Minute); !ready(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			return errors.New("did not happen within a minute")
		}
	}
	return nil
}

// Try runs f until it returns nil, three times at most, and fails the test with the last
// error. It is for what a machine that stands still for a moment spoils, and a bug does
// every time: measurements in real time, and programs that lose what they don't take in
// time.
func Try(t testing.TB, f func() error) {
	t.Helper()
	for n := 1; ; n++ {
		err := f()
		if err == nil {
			return
		}
		if n == 3 {
			t.Fatal(err)
		}
		t.Logf("try %d: %v", n, err)
	}
}
