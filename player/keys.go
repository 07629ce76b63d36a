package player

import (
	"fmt"
	"image/png"
	"os"
	"time"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/render/soft"
)

// key acts on a key press; false quits.
//
// Keys: space pauses; ←/→ ±5 s, ↑/↓ ±60 s; f fullscreen; m mute; 9/0 volume; . next frame;
// s screenshot; q or Escape quits.
func (s *presenter) key(e media.Event) bool {
	p := s.p
	seek := func(d time.Duration) {
		if err := p.Seek(p.Position() + d); err != nil {
			p.log.Warn("cannot seek", "error", err)
		}
	}
	switch e.Key {
	case 'q':
		return false
	case media.KeyEscape:
		if !s.fullscreen {
			return false
		}
		s.setFullscreen(false)
	case ' ', 'p':
		p.SetPaused(!p.Paused())
	case media.KeyLeft:
		seek(-5 * time.Second)
	case media.KeyRight:
		seek(5 * time.Second)
	case media.KeyDown:
		seek(-time.Minute)
	case media.KeyUp:
		seek(time.Minute)
	case 'f':
		s.setFullscreen(!s.fullscreen)
	case 'm':
		p.ToggleMute()
	case '9':
		p.changeVolume(-0.05)
	case '0':
		p.changeVolume(0.05)
	case '.':
		p.Step()
	case 's':
		if name, err := s.screenshot(); err != nil {
			p.log.Warn("no screenshot", "error", err)
		} else {
			p.log.Warn("screenshot saved", "file", name)
		}
	}
	return true
}

func (s *presenter) setFullscreen(on bool) {
	w, ok := s.sink.(interface{ SetFullscreen(on bool) error })
	if !ok {
		return
	}
	if err := w.SetFullscreen(on); err != nil {
		s.p.log.Warn("cannot change to or from fullscreen", "error", err)
		return
	}
	s.fullscreen = on
}

// screenshot saves the picture on the screen as a PNG in the working directory.
func (s *presenter) screenshot() (string, error) {
	if s.shown == nil {
		return "", fmt.Errorf("there is no picture yet")
	}
	img, err := soft.Picture(s.shown)
	if err != nil {
		return "", err
	}
	for i := 1; ; i++ {
		name := fmt.Sprintf("scanout-%04d.png", i)
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if os.IsExist(err) && i < 9999 {
			continue
		}
		if err != nil {
			return "", err
		}
		if err := png.Encode(f, img); err != nil {
			f.Close()
			return "", err
		}
		return name, f.Close()
	}
}

// ToggleMute silences the sound or lets it be heard again.
func (p *Player) ToggleMute() {
	p.mu.Lock()
	p.muted = !p.muted
	p.mu.Unlock()
	p.applyVolume()
}

// SetVolume sets the volume, 1 is as recorded; values outside 0…1.5 are clamped.
func (p *Player) SetVolume(v float64) {
	p.mu.Lock()
	p.volume = min(max(v, 0), 1.5)
	p.mu.Unlock()
	p.applyVolume()
}

func (p *Player) changeVolume(d float64) {
	p.mu.Lock()
	v := p.volume + d
	p.muted = false
	p.mu.Unlock()
	p.SetVolume(v)
}

func (p *Player) applyVolume() {
	if p.asink == nil {
		return
	}
	p.mu.Lock()
	v := p.volume
	if p.muted {
		v = 0
	}
	p.mu.Unlock()
	p.asink.SetVolume(v)
}
