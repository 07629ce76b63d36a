package player_test

import (
	"image"
	"sync"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

// stamps collects what the display says.
type stamps struct {
	mu        sync.Mutex
	last      media.Presented
	count     int64
	discarded int64
	disorder  int
	sources   map[media.PresentSource]int
}

func (s *stamps) take(p *media.Presented) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sources == nil {
		s.sources = map[media.PresentSource]int{}
	}
	s.count++
	s.sources[p.Source]++
	if p.Discarded {
		s.discarded++
		return
	}
	if p.Actual <= s.last.Actual || p.Number <= s.last.Number || p.Actual < p.Submitted-media.Instant(2*time.Millisecond) ||
		p.Sequence != 0 && p.Sequence <= s.last.Sequence {
		s.disorder++
	}
	s.last = *p
}

func (s *stamps) shown() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count - s.discarded
}

// TestDisplayStampsEveryPicture plays on a compositor: whatever was presented is reported
// once, in order, later than it was handed over and with the compositor's own stamp, or
// said not to have been shown.
func TestDisplayStampsEveryPicture(t *testing.T) {
	c := wayland{avtest.Sway(t, wide, high, 120)}
	pointSDL(t, c.Variables())
	for _, r := range renderers {
		t.Run(string(r), func(t *testing.T) {
			var st stamps
			cfg := windowConfig(r, 120)
			cfg.OnPresented = st.take
			p := playWindow(t, cfg)
			p.eventually(t, c, "unscaled", image.Pt(wide, high))
			if err := avtest.Eventually(func() bool { return st.shown() >= 120 }); err != nil {
				t.Fatalf("%d pictures shown: %v", st.shown(), err)
			}
			c.Msg(t, "kill")
			s := p.quits(t)
			st.mu.Lock()
			defer st.mu.Unlock()
			t.Logf("%d presented, %d reported, %d not shown, %v, mode %v, depth %d", s.Presented, st.count, st.discarded, st.sources, s.Display.Mode, s.Display.Depth)
			// The last ones may not have been answered when the window was closed.
			if st.count < s.Presented-4 || st.count > s.Presented {
				t.Errorf("%d of %d presented pictures were reported", st.count, s.Presented)
			}
			if st.disorder > 0 {
				t.Errorf("%d stamps are out of order", st.disorder)
			}
			for source := range st.sources {
				if source != media.PresentWayland && source != media.PresentCallback {
					t.Errorf("stamps from %v", source)
				}
			}
			if s.Discarded != st.discarded || s.Display.Mode != media.PresentModeFIFO || s.Display.Depth < 1 {
				t.Errorf("%d not shown, want %d; display %+v", s.Discarded, st.discarded, s.Display)
			}
		})
	}
}

// TestWindowIsHiddenAndComesBack moves the window out of sight while it plays, where a
// compositor stops to take pictures up: playback goes on, answers commands, and shows the
// picture of its time at once when it is back. Then the display changes its rate, and is
// switched off and on again.
func TestWindowIsHiddenAndComesBack(t *testing.T) {
	c := wayland{avtest.Sway(t, wide, high, 120)}
	pointSDL(t, c.Variables())
	for _, r := range renderers {
		t.Run(string(r), func(t *testing.T) {
			var st stamps
			cfg := windowConfig(r, 60)
			cfg.OnPresented = st.take
			p := playWindow(t, cfg)
			p.eventually(t, c, "before", image.Pt(wide, high))
			away := func(what string, hide, back func()) {
				t.Helper()
				hide()
				n := p.Stats().Decoded
				// Time goes on although nothing is taken up.
				if err := avtest.Eventually(func() bool { return p.Stats().Decoded > n+30 }); err != nil {
					t.Errorf("%s: playback stands still: %v", what, err)
				}
				p.Pause()
				if err := avtest.Eventually(p.Paused); err != nil {
					t.Errorf("%s: it does not pause: %v", what, err)
				}
				p.Play()
				back()
				was := st.shown()
				if err := avtest.Eventually(func() bool { return st.shown() > was+30 }); err != nil {
					t.Errorf("%s: no pictures afterwards: %v", what, err)
				}
				p.eventually(t, c, what, image.Pt(wide, high))
			}
			for range 2 {
				away("hidden", func() { c.Msg(t, "workspace", "2") }, func() { c.Msg(t, "workspace", "1") })
			}
			away("another rate", func() { c.Msg(t, "output HEADLESS-1 mode --custom 320x180@60Hz") }, func() {})
			away("switched off", func() { c.Msg(t, "output HEADLESS-1 disable") }, func() { c.Msg(t, "output HEADLESS-1 enable") })
			c.Msg(t, "output HEADLESS-1 mode --custom 320x180@120Hz")
			c.Msg(t, "kill")
			s := p.quits(t)
			t.Logf("%d presented, %d dropped, %d never shown, %v", s.Presented, s.Dropped, s.Discarded, st.sources)
			if s.Pool.InUseAtClose != 0 {
				t.Errorf("%d slots in use after closing", s.Pool.InUseAtClose)
			}
		})
	}
}

func TestPresentModesAreChecked(t *testing.T) {
	cfg := player.Config{Media: "pattern:", Renderer: player.RendererCPU, PresentMode: media.PresentModeMailbox}
	if p, err := player.Open(t.Context(), cfg); err == nil {
		p.Close()
		t.Error("the CPU renderer takes a Vulkan mode")
	}
}
