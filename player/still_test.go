package player_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/player"
)

// stills are configurations that play a red picture of that size, from a file and as Y4M.
func stills(t *testing.T, size image.Point) map[string]player.Config {
	t.Helper()
	m := image.NewRGBA(image.Rectangle{Max: size})
	for i := 0; i < len(m.Pix); i += 4 {
		m.Pix[i], m.Pix[i+3] = 255, 255
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "red.png")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var y4m bytes.Buffer
	fmt.Fprintf(&y4m, "YUV4MPEG2 W%d H%d F25:1 C444\nFRAME\n", size.X, size.Y)
	for _, v := range []byte{63, 102, 240} {
		y4m.Write(bytes.Repeat([]byte{v}, size.X*size.Y))
	}
	return map[string]player.Config{
		"png": {Media: name, Renderer: player.RendererCPU},
		"y4m": {Media: "-", Input: &y4m, Renderer: player.RendererCPU},
	}
}

// TestStillStays shows single pictures in a window, where they stay until the user quits, also
// in another size.
func TestStillStays(t *testing.T) {
	d := bareX11(t, 640, 480)
	for name, cfg := range stills(t, image.Pt(wide, high)) {
		t.Run(name, func(t *testing.T) {
			p := playWindow(t, cfg)
			for _, size := range []image.Point{{X: 320, Y: 180}, {X: 640, Y: 360}, {X: 160, Y: 90}} {
				w := d.window(t)
				d.Xdotool(t, "windowsize", w, fmt.Sprint(size.X), fmt.Sprint(size.Y))
				var got color.Color
				if err := avtest.Eventually(func() bool {
					at := d.at(t)
					got = d.Screenshot(t).At(at.Min.X+at.Dx()/2, at.Min.Y+at.Dy()/2)
					r, g, b, _ := got.RGBA()
					return at.Size() == size && r>>8 > 220 && g>>8 < 16 && b>>8 < 16
				}); err != nil {
					t.Fatalf("%v: %v is in the middle: %v", size, got, err)
				}
			}
			d.Xdotool(t, "windowfocus", d.window(t))
			d.Xdotool(t, "key", "q")
			if s := p.quits(t); s.Presented != 1 || s.Decoded != 1 {
				t.Errorf("%d decoded, %d shown, want 1", s.Decoded, s.Presented)
			}
		})
	}
}

// TestStillDuration shows a picture for as long as it was asked for, and no longer than its
// frame where there is no window.
func TestStillDuration(t *testing.T) {
	bareX11(t, 640, 480)
	const d = 300 * time.Millisecond
	for name, cfg := range stills(t, image.Pt(wide, high)) {
		t.Run(name, func(t *testing.T) {
			cfg.Output, cfg.Duration = player.OutputWindow, d
			began := time.Now()
			play(t, cfg)
			if lasted := time.Since(began); lasted < d {
				t.Errorf("gone after %v, want %v", lasted, d)
			}
		})
	}
	for name, cfg := range stills(t, image.Pt(wide, high)) {
		t.Run(name+" offscreen", func(t *testing.T) {
			cfg.Output = player.OutputOffscreen
			if s := play(t, cfg); s.Presented != 1 { // which ends
				t.Errorf("%d shown", s.Presented)
			}
		})
	}
}
