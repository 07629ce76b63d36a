package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// These tests run the program itself: built once, as a user builds it, without cgo.

var scratch string // the program and generated media

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "scanout-test")
	if err != nil {
		panic(err)
	}
	scratch = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// program is the program, built when the first test needs it: fuzzing does not.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "scanout")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// deadline is how long any command here may take; reaching it is a hang.
const deadline = 2 * time.Minute

// command is one run of the program.
type command struct {
	args []string
	env  []string // added to a surroundings without display and sound server
	in   []byte
}

// result is what came of it.
type result struct {
	code     int
	out, err string
}

func play(args ...string) command { return command{args: append([]string{"play"}, args...)} }

func (c command) with(env ...string) command {
	c.env = append(c.env[:len(c.env):len(c.env)], env...)
	return c
}

// prepare returns c ready to start.
func (c command) prepare(ctx context.Context, t *testing.T) *exec.Cmd {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, path, c.args...)
	cmd.Dir = scratch
	cmd.Env = append(os.Environ(), "DISPLAY=", "WAYLAND_DISPLAY=", "XDG_RUNTIME_DIR="+scratch,
		"PULSE_SERVER=unix:"+filepath.Join(scratch, "no-server"))
	cmd.Env = append(cmd.Env, c.env...)
	cmd.WaitDelay = time.Second
	if c.in != nil {
		cmd.Stdin = bytes.NewReader(c.in)
	}
	return cmd
}

// run runs c to its end and fails the test when it hangs or panics.
func (c command) run(t *testing.T) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	cmd := c.prepare(ctx, t)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("scanout %q: %v", c.args, err)
	}
	if ctx.Err() != nil {
		t.Fatalf("scanout %q hangs; it said: %s", c.args, errOut.String())
	}
	r := result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
	r.sane(t, c)
	return r
}

// sane fails the test when the program crashed.
func (r result) sane(t *testing.T, c command) {
	t.Helper()
	if strings.Contains(r.err, "goroutine ") || strings.Contains(r.err, "panic") || strings.Contains(r.err, "SIG") || r.code < 0 {
		t.Fatalf("scanout %q crashed with code %d:\n%s", c.args, r.code, r.err)
	}
}

// report reads the JSON report on standard output, nil when there is none.
func (r result) report(t *testing.T) *report {
	t.Helper()
	if r.out == "" {
		return nil
	}
	p := new(report)
	if err := json.Unmarshal([]byte(r.out), p); err != nil {
		t.Fatalf("the report is not JSON: %v\n%s", err, r.out)
	}
	if p.Pool.InUseAtClose != 0 {
		t.Errorf("in_use_at_close %d", p.Pool.InUseAtClose)
	}
	return p
}

// lines returns the lines that a user sees.
func (r result) lines() []string {
	if s := strings.TrimSpace(r.err); s != "" {
		return strings.Split(s, "\n")
	}
	return nil
}

// mediaDir returns the folder of the shared test media.
func mediaDir(t testing.TB) string {
	t.Helper()
	if d := os.Getenv("SCANOUT_MEDIA"); d != "" {
		return d
	}
	d, err := filepath.Abs("../../../shared/media")
	if err == nil {
		if _, err = os.Stat(d); err == nil {
			return d
		}
	}
	t.Skip("needs the shared test media: set SCANOUT_MEDIA to their folder")
	return ""
}

// needFFmpeg skips the test without the ffmpeg program, which comes with its libraries.
func needFFmpeg(t testing.TB) string {
	t.Helper()
	p, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("needs ffmpeg (Debian: apt install ffmpeg)")
	}
	return p
}

var generated struct {
	sync.Mutex
	files map[string]*sync.Once
}

// generate has ffmpeg make a file, once for all tests.
func generate(t testing.TB, name string, args ...string) string {
	t.Helper()
	ffmpeg := needFFmpeg(t)
	path := filepath.Join(scratch, name)
	generated.Lock()
	if generated.files == nil {
		generated.files = map[string]*sync.Once{}
	}
	once := generated.files[name]
	if once == nil {
		once = new(sync.Once)
		generated.files[name] = once
	}
	generated.Unlock()
	once.Do(func() {
		cmd := exec.Command(ffmpeg, append(append([]string{"-v", "error", "-y"}, args...), path)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			os.Remove(path)
			t.Errorf("ffmpeg %q: %v\n%s", args, err, out)
		}
	})
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s was not generated", name)
	}
	return path
}

// picture and sound are inputs of ffmpeg.
func picture(seconds string) []string {
	return []string{"-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=" + seconds}
}

func sound(seconds string) []string {
	return []string{"-f", "lavfi", "-i", "sine=d=" + seconds}
}

var h264 = []string{"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"}

func join(parts ...[]string) []string {
	var all []string
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// write puts a file into the scratch folder.
func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(scratch, name)
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
