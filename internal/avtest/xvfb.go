package avtest

import (
	"bufio"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Display is an X server without a screen.
type Display struct {
	*Process
	// Name is the value for DISPLAY, such as ":7".
	Name          string
	Width, Height int
}

// Xvfb starts an X server of the given size on a free display number and ends it with
// the test. It has no window manager: windows get no focus by themselves, and fullscreen
// is what the client makes of it. Xvfb reports no refresh rate and never throttles.
//
// A program is pointed at it by DISPLAY in its environment. SDL in the test's own process
// is, by (*sdl.Library).Setenv.
func Xvfb(t testing.TB, width, height int) *Display {
	t.Helper()
	path := need(t, "Xvfb", "xvfb")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command(path, "-displayfd", "3", "-screen", "0", fmt.Sprintf("%dx%dx24", width, height), "-nolisten", "tcp", "-noreset")
	cmd.ExtraFiles = []*os.File{w}
	p := start(t, cmd)
	w.Close()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb did not start: %v\n%s", err, p.out.String())
	}
	return &Display{Process: p, Name: ":" + strings.TrimSpace(line), Width: width, Height: height}
}

// Env returns the environment of a client.
func (d *Display) Env() []string {
	return append(without(os.Environ(), "DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"), "DISPLAY="+d.Name)
}

// Xdotool runs xdotool on the display and returns what it prints.
func (d *Display) Xdotool(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.Command(need(t, "xdotool", "xdotool"), args...)
	cmd.Env = d.Env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("xdotool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// Screenshot returns what is on the display.
func (d *Display) Screenshot(t testing.TB) image.Image {
	t.Helper()
	cmd := exec.Command(need(t, "import", "imagemagick"), "-window", "root", "-silent", "png:-")
	cmd.Env = d.Env()
	return screenshot(t, cmd)
}

func screenshot(t testing.TB, cmd *exec.Cmd) image.Image {
	t.Helper()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd.Path, err)
	}
	m, err := png.Decode(strings.NewReader(string(out)))
	if err != nil {
		t.Fatalf("%s: %v", cmd.Path, err)
	}
	return m
}

// without returns env without the named variables.
func without(env []string, names ...string) []string {
	var out []string
next:
	for _, e := range env {
		for _, n := range names {
			if strings.HasPrefix(e, n+"=") {
				continue next
			}
		}
		out = append(out, e)
	}
	return out
}
