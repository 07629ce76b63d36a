package avtest

import (
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// nobody is the user that sway runs as when the test is root: sway refuses root.
const nobody = "65534"

// Compositor is a Wayland compositor without a screen.
type Compositor struct {
	*Process
	// Socket is the absolute path of the Wayland socket; WAYLAND_DISPLAY takes it as it is.
	Socket string
	// RuntimeDir is the compositor's XDG_RUNTIME_DIR.
	RuntimeDir    string
	Width, Height int
	ipc           string
}

// Sway starts sway with one headless output of the given size and refresh rate and ends
// it with the test. FIFO presentation is throttled to that rate.
//
// Clients: a program is pointed at it by the two variables of Env. Sway itself runs as
// user 65534 when the test runs as root, but a client that is root connects all the same:
// libwayland checks no owner, and file permissions do not hold root back; so clients need
// no setpriv. A client that is not root must be the user who started the test. SDL in the
// test's own process is pointed at it by (*sdl.Library).Setenv, variable by variable.
//
// There is no keyboard on a headless seat: keys are tested on [Xvfb].
func Sway(t testing.TB, width, height, hz int) *Compositor {
	t.Helper()
	path := need(t, "sway", "sway")
	dir := tempDir(t)
	config := filepath.Join(dir, "config")
	ready := filepath.Join(dir, "ready")
	text := fmt.Sprintf(`xwayland disable
output HEADLESS-1 mode --custom %dx%d@%dHz
output HEADLESS-1 position 0 0
default_border none
focus_on_window_activation focus
exec printf '%%s\n' "$WAYLAND_DISPLAY" "$SWAYSOCK" > %s.new && mv %s.new %s
`, width, height, hz, ready, ready, ready)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{path, "-c", config}
	if os.Getuid() == 0 {
		args = append([]string{need(t, "setpriv", "util-linux"), "--reuid=" + nobody, "--regid=" + nobody, "--clear-groups"}, args...)
		if err := os.Chown(dir, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(without(os.Environ(), "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "HOME", "SWAYSOCK"),
		"XDG_RUNTIME_DIR="+dir, "HOME="+dir,
		"WLR_BACKENDS=headless", "WLR_RENDERER=pixman", "WLR_LIBINPUT_NO_DEVICES=1")
	p := start(t, cmd)
	var lines []string
	p.waitFor(t, "its socket is there", func() bool {
		b, err := os.ReadFile(ready)
		lines = strings.Fields(string(b))
		return err == nil && len(lines) == 2
	})
	return &Compositor{Process: p, Socket: filepath.Join(dir, lines[0]), RuntimeDir: dir, Width: width, Height: height, ipc: lines[1]}
}

// Variables returns the variables that point a client at the compositor.
func (c *Compositor) Variables() map[string]string {
	return map[string]string{"WAYLAND_DISPLAY": c.Socket, "XDG_RUNTIME_DIR": c.RuntimeDir, "SDL_VIDEODRIVER": "wayland"}
}

// Env returns the environment of a client.
func (c *Compositor) Env() []string {
	env := without(os.Environ(), "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "SDL_VIDEODRIVER")
	for k, v := range c.Variables() {
		env = append(env, k+"="+v)
	}
	return env
}

// Msg sends a command to sway ("resize set 400 300", "floating enable") and returns the
// answer.
func (c *Compositor) Msg(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.Command(need(t, "swaymsg", "sway"), append([]string{"-s", c.ipc}, args...)...)
	cmd.Env = c.Env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("swaymsg %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Screenshot returns what is on the output.
func (c *Compositor) Screenshot(t testing.TB) image.Image {
	t.Helper()
	cmd := exec.Command(need(t, "grim", "grim"), "-t", "png", "-")
	cmd.Env = c.Env()
	return screenshot(t, cmd)
}
