package player_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scanout-av/scanout/ingest/pattern"
	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/internal/sdl"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

const (
	wide, high = 320, 180
	title      = "scanout-test"
)

// screen is a display server that a test plays on.
type screen interface {
	Screenshot(testing.TB) image.Image
	// at returns where on the screenshot the window is.
	at(testing.TB) image.Rectangle
}

// pointSDL points SDL, in this process, at a display server.
func pointSDL(t *testing.T, env map[string]string) {
	t.Helper()
	lib, err := sdl.Load()
	if err != nil {
		t.Skip(err)
	}
	for _, n := range []string{"DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "SDL_VIDEODRIVER"} {
		lib.Setenv(n, env[n])
	}
}

// x11 is an X server.
type x11 struct{ *avtest.Display }

// bareX11 starts one without a window manager, of that size.
func bareX11(t *testing.T, width, height int) x11 {
	t.Helper()
	if _, err := exec.LookPath("xwininfo"); err != nil {
		t.Skip("needs xwininfo (Debian: apt install x11-utils)")
	}
	d := avtest.Xvfb(t, width, height)
	pointSDL(t, map[string]string{"DISPLAY": d.Name})
	return x11{d}
}

// newX11 starts one with a window manager.
func newX11(t *testing.T) x11 {
	t.Helper()
	wm, err := exec.LookPath("openbox")
	if err != nil {
		t.Skip("needs a window manager for fullscreen windows (Debian: apt install openbox)")
	}
	d := bareX11(t, 640, 480)
	ready := filepath.Join(t.TempDir(), "ready")
	cmd := exec.Command(wm, "--sm-disable", "--startup", "touch "+ready)
	cmd.Env = append(d.Env(), "HOME="+t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	// SDL waits for ever for a window that it maps while the window manager starts.
	if err := avtest.Eventually(func() bool {
		_, err := os.Stat(ready)
		return err == nil
	}); err != nil {
		t.Fatalf("openbox: %v", err)
	}
	return d
}

func (d x11) window(t testing.TB) string {
	t.Helper()
	var id string
	if err := avtest.Eventually(func() bool {
		// It fails while there is none.
		cmd := exec.Command("xdotool", "search", "--onlyvisible", "--name", "^"+title+"$")
		cmd.Env = d.Env()
		out, _ := cmd.Output()
		id, _, _ = strings.Cut(string(out), "\n")
		return id != ""
	}); err != nil {
		t.Fatalf("the window: %v", err)
	}
	return id
}

func (d x11) at(t testing.TB) image.Rectangle {
	t.Helper()
	// xdotool is wrong by the window's decoration.
	cmd := exec.Command("xwininfo", "-id", d.window(t))
	cmd.Env = d.Env()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("xwininfo: %v", err)
	}
	v := map[string]int{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		v[name], _ = strconv.Atoi(strings.TrimSpace(value))
	}
	x, y := v["Absolute upper-left X"], v["Absolute upper-left Y"]
	return image.Rect(x, y, x+v["Width"], y+v["Height"])
}

// wayland is a compositor.
type wayland struct{ *avtest.Compositor }

func (c wayland) at(t testing.TB) image.Rectangle {
	t.Helper()
	type node struct {
		Name  string
		Rect  struct{ X, Y, Width, Height int }
		Nodes []json.RawMessage
		Float []json.RawMessage `json:"floating_nodes"`
	}
	var found image.Rectangle
	var walk func(json.RawMessage)
	walk = func(b json.RawMessage) {
		var n node
		if err := json.Unmarshal(b, &n); err != nil {
			t.Fatal(err)
		}
		if n.Name == title {
			found = image.Rect(n.Rect.X, n.Rect.Y, n.Rect.X+n.Rect.Width, n.Rect.Y+n.Rect.Height)
		}
		for _, c := range append(n.Nodes, n.Float...) {
			walk(c)
		}
	}
	walk(json.RawMessage(c.Msg(t, "-r", "-t", "get_tree")))
	return found
}

// shot is a screenshot, cut down to the window.
type shot struct {
	*image.RGBA
	picture image.Rectangle // where the pattern is in it
}

// look takes a screenshot and says where the picture must be in a window of that size.
func look(t testing.TB, s screen) shot {
	t.Helper()
	r := s.at(t)
	all := s.Screenshot(t)
	m := image.NewRGBA(image.Rect(0, 0, r.Dx(), r.Dy()))
	draw.Draw(m, m.Rect, all, r.Min, draw.Src)
	w, h := r.Dx(), r.Dy()
	if w*high < h*wide {
		h = w * high / wide
	} else {
		w = h * wide / high
	}
	x, y := (r.Dx()-w)/2, (r.Dy()-h)/2
	return shot{m, image.Rect(x, y, x+w, y+h)}
}

// keep saves the screenshot where SCANOUT_TEST_OUT says, for people to look at.
func (s shot) keep(t testing.TB, name string) {
	dir := os.Getenv("SCANOUT_TEST_OUT")
	if dir == "" {
		return
	}
	f, err := os.Create(filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "-")+"-"+name+".png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, s); err != nil {
		t.Fatal(err)
	}
}

func (s shot) number() (uint32, error) {
	return pattern.ReadFrameNumberRGBA(s.SubImage(s.picture).(*image.RGBA), wide, high)
}

// check says what is wrong with the picture's surroundings and its colour bars: around it
// all is black, and the eight bars of 75 % are right within 3.
func (s shot) check() error {
	if s.picture.Empty() {
		return fmt.Errorf("the window has no size")
	}
	b := s.Bounds()
	for y := range b.Dy() {
		for x := range b.Dx() {
			// The picture may end between two pixels.
			if p := s.RGBAAt(x, y); !(image.Pt(x, y).In(s.picture.Inset(-1))) && (p.R|p.G|p.B) != 0 {
				return fmt.Errorf("the border at %d,%d is %v", x, y, p)
			}
		}
	}
	for i := range 8 {
		x := s.picture.Min.X + (2*i+1)*s.picture.Dx()/16
		y := s.picture.Min.Y + s.picture.Dy()*6/36
		p := s.RGBAAt(x, y)
		k := 7 - i // bits: green, red, blue
		want := [3]int{191 * (k >> 1 & 1), 191 * (k >> 2 & 1), 191 * (k & 1)}
		for c, v := range [3]uint8{p.R, p.G, p.B} {
			if d := int(v) - want[c]; d > 3 || d < -3 {
				return fmt.Errorf("bar %d is %v, want %v", i, p, want)
			}
		}
	}
	return nil
}

// playing is a player in a window.
type playing struct {
	*player.Player
	ended chan error
	frame atomic.Uint32 // newest frame given to the sink
}

func playWindow(t *testing.T, cfg player.Config) *playing {
	t.Helper()
	p := &playing{ended: make(chan error, 1)}
	cfg.Output, cfg.Title = player.OutputWindow, title
	cfg.OnPresent = func(s *media.Scheduled) { p.frame.Store(uint32(s.Frame.PTS)) }
	p.Player = open(t, cfg)
	go func() { p.ended <- p.Run(context.Background()) }()
	t.Cleanup(func() { p.Close() })
	return p
}

// eventually waits until the window has that size and shows a readable picture that is in
// order, and returns it. While playing, what is on the screen must be of its time.
func (p *playing) eventually(t *testing.T, s screen, name string, size image.Point) shot {
	t.Helper()
	var m shot
	var err error
	if e := avtest.Eventually(func() bool {
		select {
		case err := <-p.ended:
			t.Fatalf("%s: playback has ended: %v", name, err)
		default:
		}
		before := p.frame.Load()
		m = look(t, s)
		if m.Bounds().Size() != size {
			err = fmt.Errorf("the window is %v, want %v", m.Bounds().Size(), size)
			return false
		}
		var n uint32
		if n, err = m.number(); err != nil {
			return false
		}
		// Up to four pictures are on their way to the display.
		if n+4 < before || n > p.frame.Load() {
			err = fmt.Errorf("frame %d is on the screen while %d is shown", n, before)
			return false
		}
		err = m.check()
		return err == nil
	}); e != nil {
		m.keep(t, name+"-failed")
		t.Errorf("%s: %v", name, err)
	}
	m.keep(t, name)
	return m
}

// quits waits for the end of playback that the user asked for.
func (p *playing) quits(t *testing.T) player.Stats {
	t.Helper()
	select {
	case err := <-p.ended:
		if err != nil {
			t.Errorf("quit: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the window does not quit")
	}
	return closed(t, p.Player)
}

// windowConfig plays the pattern with a renderer. Vulkan runs on lavapipe, which draws at
// this size about as fast as a display asks.
func windowConfig(r player.Renderer, rate int) player.Config {
	return player.Config{Media: fmt.Sprintf("pattern:size=%dx%d,rate=%d,format=yuv444p", wide, high, rate), Renderer: r, Audio: player.AudioNull}
}

var renderers = []player.Renderer{player.RendererCPU, player.RendererVulkan}

// TestWindowX11 resizes a window while it plays, switches it to fullscreen and back by
// key, and quits it by key and by its close button.
func TestWindowX11(t *testing.T) {
	d := newX11(t)
	for _, r := range renderers {
		t.Run(string(r), func(t *testing.T) {
			p := playWindow(t, windowConfig(r, 25))
			p.eventually(t, d, "unscaled", image.Pt(wide, high))
			w := d.window(t)
			d.Xdotool(t, "windowsize", w, "500", "400")
			p.eventually(t, d, "bars above and below", image.Pt(500, 400))
			d.Xdotool(t, "windowsize", w, "600", "180")
			p.eventually(t, d, "bars at the sides", image.Pt(600, 180))
			d.Xdotool(t, "windowfocus", w)
			d.Xdotool(t, "key", "f")
			p.eventually(t, d, "fullscreen", image.Pt(640, 480))
			d.Xdotool(t, "key", "f")
			p.eventually(t, d, "back", image.Pt(600, 180))
			d.Xdotool(t, "key", "space")
			if err := avtest.Eventually(p.Paused); err != nil {
				t.Error("the space bar does not pause")
			}
			d.Xdotool(t, "windowsize", w, "320", "240")
			p.eventually(t, d, "resized while paused", image.Pt(320, 240))
			if r == player.RendererCPU {
				d.Xdotool(t, "key", "q")
			} else {
				d.Xdotool(t, "key", "alt+F4") // the window manager asks it to close
			}
			s := p.quits(t)
			t.Logf("%s, %d shown, %d dropped, A/V %+v", s.Renderer, s.Presented, s.Dropped, s.AVOffset)
		})
	}
}

// TestWindowFitsX11 plays what is larger than the display, with a window manager, whose title
// bar takes some of that, and without.
func TestWindowFitsX11(t *testing.T) {
	cfg := player.Config{Media: "pattern:size=1280x720,rate=25", Renderer: player.RendererCPU, Audio: player.AudioNull}
	fits := func(t *testing.T, d x11, want func(image.Rectangle) bool) {
		p := playWindow(t, cfg)
		d.window(t)
		var at image.Rectangle
		if err := avtest.Eventually(func() bool { at = d.at(t); return want(at) }); err != nil {
			t.Errorf("the window is at %v", at)
		}
		closed(t, p.Player)
	}
	t.Run("bare", func(t *testing.T) {
		fits(t, bareX11(t, 640, 480), func(at image.Rectangle) bool { return at == image.Rect(0, 60, 640, 420) })
	})
	t.Run("managed", func(t *testing.T) {
		// A pixel more than 9/16 of its width may be rounded away; the title bar is 10 high at least.
		fits(t, newX11(t), func(at image.Rectangle) bool {
			return at.In(image.Rect(1, 10, 639, 479)) && at.Dx() > 600 && max(at.Dy()*16-at.Dx()*9, at.Dx()*9-at.Dy()*16) <= 16
		})
	})
}

// TestWindowBareX11 fits a window on a display that is too small for its picture, and covers
// that display with it and back, where no window manager does any of it.
func TestWindowBareX11(t *testing.T) {
	d := bareX11(t, 280, 240)
	for _, r := range renderers {
		t.Run(string(r), func(t *testing.T) {
			p := playWindow(t, windowConfig(r, 25))
			p.eventually(t, d, "fitted", image.Pt(280, 158))
			d.Xdotool(t, "windowfocus", d.window(t))
			d.Xdotool(t, "key", "f")
			p.eventually(t, d, "fullscreen", image.Pt(280, 240))
			d.Xdotool(t, "key", "f")
			p.eventually(t, d, "back", image.Pt(280, 158))
			d.Xdotool(t, "key", "q")
			p.quits(t)
		})
	}
}

// TestPresentModeRefused asks for a present mode that the window lacks: nothing is played
// elsewhere instead, unseen.
func TestPresentModeRefused(t *testing.T) {
	d := bareX11(t, 640, 480)
	t.Setenv("DISPLAY", d.Name)
	cfg := windowConfig(player.RendererVulkan, 25)
	cfg.Media += ",duration=100ms"
	cfg.PresentMode = media.PresentModeLatest
	p := open(t, cfg)
	err := p.Run(t.Context())
	switch name := p.Stats().Renderer; {
	case err == nil && strings.HasPrefix(name, "vulkan window"):
		t.Log("this window has that mode: nothing to refuse")
	case err == nil:
		t.Errorf("it was played by %q", name)
	case !strings.Contains(err.Error(), "present mode"):
		t.Skip(err) // no Vulkan
	case !errors.Is(err, player.ErrOutput) || !errors.Is(err, media.ErrNotSupported):
		t.Error(err)
	}
}

// TestWindowWayland does so on a display of 120 Hz, where the compositor tiles, floats,
// fills and closes the window.
func TestWindowWayland(t *testing.T) {
	c := wayland{avtest.Sway(t, 640, 480, 120)}
	pointSDL(t, c.Variables())
	for _, r := range renderers {
		for _, rate := range []int{60, 120} {
			t.Run(fmt.Sprintf("%s %d", r, rate), func(t *testing.T) {
				p := playWindow(t, windowConfig(r, rate))
				p.eventually(t, c, "tiled", image.Pt(640, 480))
				c.Msg(t, "floating enable, resize set 500 400")
				p.eventually(t, c, "bars above and below", image.Pt(500, 400))
				c.Msg(t, "fullscreen enable")
				p.eventually(t, c, "fullscreen", image.Pt(640, 480))
				c.Msg(t, "fullscreen disable, resize set 320 180")
				p.eventually(t, c, "unscaled", image.Pt(wide, high))
				c.Msg(t, "kill")
				s := p.quits(t)
				t.Logf("%s, %v Hz, %v: %d shown, %d dropped, %d late, %d missed, A/V %+v, interval %+v", s.Renderer,
					float64(time.Second)/float64(max(s.Display.Refresh, 1)), s.Source, s.Presented, s.Dropped, s.Late, s.Missed, s.AVOffset, s.Interval)
			})
		}
	}
}

// TestRenderersAgree compares what the CPU and Vulkan put on the screen for the same frame,
// unscaled: nowhere may a sample differ by more than 2. Chroma is full, subsampled or
// left out, of 8 and 10 bits, from a pattern and from files of several codecs and odd size.
func TestRenderersAgree(t *testing.T) {
	type source struct {
		name, media string
		size        image.Point
		start       time.Duration
	}
	var sources []source
	for _, format := range []string{"yuv444p", "yuv420p", "nv12", "yuv420p10le"} {
		sources = append(sources, source{format, fmt.Sprintf("pattern:size=%dx%d,rate=25,format=%s", wide, high, format), image.Pt(wide, high), 1480 * time.Millisecond})
	}
	for name, size := range map[string]image.Point{"bt601.mp4": {X: 360, Y: 240}, "bear-vp9-odd-dimensions.webm": {X: 161, Y: 121}, "roadtrip-vp92-10bit.webm": {X: 426, Y: 240}} {
		sources = append(sources, source{name, "", size, time.Second})
	}
	both := func(t *testing.T, s screen, place func(t *testing.T, size image.Point), only ...string) {
		for _, c := range sources {
			if len(only) > 0 && !slices.Contains(only, c.name) {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				if c.media == "" {
					c.media = filepath.Join(avtest.Media(t), c.name)
				}
				// On a machine that stands still, a compositor may show an old picture for
				// longer than still looks.
				avtest.Try(t, func() error {
					var shots [2]shot
					for i, r := range renderers {
						p := playWindow(t, player.Config{Media: c.media, Renderer: r, Audio: player.AudioNull, Start: c.start, Paused: true})
						shots[i] = p.still(t, s, string(r), c.size, place)
						st := closed(t, p.Player)
						if strings.HasPrefix(st.Renderer, "cpu: ") != (r == player.RendererCPU) {
							t.Errorf("%s: drawn by %q", r, st.Renderer)
						}
						if err := <-p.ended; err != nil {
							t.Error(err)
						}
					}
					return compare(t, shots[0], shots[1])
				})
			})
		}
	}
	t.Run("X11", func(t *testing.T) {
		both(t, newX11(t), func(*testing.T, image.Point) {}) // windows open in the picture's size
	})
	t.Run("Wayland", func(t *testing.T) {
		c := wayland{avtest.Sway(t, 640, 480, 60)}
		pointSDL(t, c.Variables())
		both(t, c, func(t *testing.T, size image.Point) {
			if !c.at(t).Empty() {
				c.Msg(t, fmt.Sprintf("[title=%q] floating enable, border none, resize set %d %d", title, size.X, size.Y))
			}
		}, "yuv420p", "bt601.mp4")
	})
}

// still waits until a paused player's window has that size and its picture, and shows the
// same four times in a row: after a change of size it may show the old picture for a while.
// Until then place is asked to give it its size.
func (p *playing) still(t *testing.T, s screen, name string, size image.Point, place func(*testing.T, image.Point)) shot {
	t.Helper()
	var last, m shot
	same := 0
	if err := avtest.Eventually(func() bool {
		last, m = m, look(t, s)
		if m.Bounds().Size() != size {
			place(t, size)
			return false
		}
		if last.RGBA == nil || last.Bounds() != m.Bounds() || !bytes.Equal(last.Pix, m.Pix) {
			same = 0
			return false
		}
		same++
		return same >= 3 && m.covered() && slices.ContainsFunc(m.Pix, func(b uint8) bool { return b != 0 && b != 255 })
	}); err != nil {
		m.keep(t, name+"-failed")
		t.Fatalf("%s: the window is %v, want %v with a picture: %v", name, m.Bounds(), size, err)
	}
	m.keep(t, name)
	return m
}

// covered says whether the window reaches all its corners. Until it is drawn in its new
// size, sway shows its own grey there.
func (s shot) covered() bool {
	b := s.Bounds()
	for _, p := range []image.Point{b.Min, {b.Max.X - 1, b.Min.Y}, {b.Min.X, b.Max.Y - 1}, b.Max.Sub(image.Pt(1, 1))} {
		if c := s.RGBAAt(p.X, p.Y); c.R == c.G && c.G == c.B && (c.R == 63 || c.R == 64) {
			return false
		}
	}
	return true
}

// compare says where two pictures of a size differ by more than 2.
func compare(t *testing.T, a, b shot) error {
	t.Helper()
	worst, at := 0, 0
	for i := range a.Pix {
		if d := int(a.Pix[i]) - int(b.Pix[i]); max(d, -d) > worst {
			worst, at = max(d, -d), i
		}
	}
	x, y := at%a.Stride/4, at/a.Stride
	t.Logf("the worst of %v differs by %d", a.Bounds().Size(), worst)
	if worst > 2 {
		return fmt.Errorf("the renderers differ by %d at %d,%d: %v and %v", worst, x, y, a.RGBAAt(x, y), b.RGBAAt(x, y))
	}
	return nil
}
