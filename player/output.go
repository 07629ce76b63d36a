package player

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/scanout-av/scanout/audio"
	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/decode/ffmpeg"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
	"github.com/scanout-av/scanout/render"
	"github.com/scanout-av/scanout/render/dump"
	"github.com/scanout-av/scanout/render/soft"
)

// defaultWindow is the size of a window without a picture, and of one whose picture does
// not say.
const defaultWidth, defaultHeight = 1280, 720

// openSink opens the output on the calling thread.
func (p *Player) openSink() (VideoSink, error) {
	choose := p.chooseSink
	if p.newSink != nil {
		choose = p.newSink
	}
	s, err := choose()
	if err != nil {
		return nil, about(ErrOutput, err)
	}
	return s, nil
}

func (p *Player) chooseSink() (VideoSink, error) {
	kind, path := p.cfg.Output.split()
	if p.video == nil && kind != OutputWindow {
		return dump.NewNull(dump.NullConfig{}), nil // sound only: there is nothing to show
	}
	switch kind {
	case OutputWindow:
		return p.openWindow()
	case OutputOffscreen:
		return p.openOffscreen()
	case OutputAuto:
		if HasDisplay() {
			s, err := p.openWindow()
			if err == nil || p.cfg.PresentMode != media.PresentModeAuto { // that is about windows
				return s, err
			}
			p.log.Warn("no window, rendering offscreen", "error", err)
		}
		return p.openOffscreen()
	case OutputNull:
		return dump.NewNull(dump.NullConfig{Refresh: p.refresh(), Display: p.simulated(), Now: clock.Now, Sleep: p.sleepUntil()}), nil
	case OutputFrameMD5, OutputY4M:
		c, err := p.dumpConfig(path)
		switch {
		case err != nil:
			return nil, err
		case kind == OutputY4M:
			return dump.NewY4M(c)
		}
		return dump.NewFrameMD5(c)
	case OutputPNG:
		raster, err := soft.NewRaster(soft.Config{})
		if err != nil {
			return nil, err
		}
		return dump.NewPNG(dump.Config{Path: path, Rate: p.video.FrameRate, Now: clock.Now}, raster)
	}
	return nil, fmt.Errorf("unknown output %q", p.cfg.Output)
}

// minRefresh is the shortest interval of a simulated display. A stream that claims a higher
// rate has one made of its time base.
const minRefresh = time.Second / 10000

// refresh is the interval of a simulated display.
func (p *Player) refresh() time.Duration {
	switch {
	case p.cfg.MaxSpeed:
		return 0
	case p.cfg.Refresh > 0:
		return time.Duration(float64(time.Second) / p.cfg.Refresh)
	}
	if d := p.frameInterval(); d >= minRefresh {
		return displayInterval(d)
	}
	return time.Second / 60
}

// maxRefresh is the longest interval of a simulated display that nobody asked for: that of
// 24/1.001 Hz and a microsecond, because intervals are rounded. On a display of one refresh a
// second, a key or the end would wait for that long.
const maxRefresh = 1001*time.Second/24000 + time.Microsecond

// displayInterval is the interval of a display that suits pictures of that interval: their own,
// or of slow ones the largest whole part of it that is a display's.
func displayInterval(picture time.Duration) time.Duration {
	return picture / ((picture + maxRefresh - 1) / maxRefresh)
}

// simulated is a simulated display that is more than a rate, else nil.
func (p *Player) simulated() *pace.Simulated {
	if p.cfg.MaxSpeed {
		return nil
	}
	return p.cfg.Display
}

// pictureSize is how large the upright picture is on a display with square pixels.
func (p *Player) pictureSize() (w, h int) {
	if p.cfg.Width > 0 && p.cfg.Height > 0 {
		return p.cfg.Width, p.cfg.Height
	}
	if p.video == nil || p.video.Width == 0 {
		return defaultWidth, defaultHeight
	}
	return media.DisplaySize(p.video.Width, p.video.Height, p.video.SAR, p.video.Orientation)
}

func (p *Player) renderConfig() (render.Config, error) {
	c := render.Config{Device: p.cfg.Device, Validation: p.cfg.Validation, InFlight: inFlight, Now: clock.Now, Sleep: p.sleepUntil(),
		Mode: p.cfg.PresentMode, FrameInterval: p.frameInterval()}
	if p.pool != nil {
		c.Pool = p.pool
		d, ok := p.vdec.(*chooser)
		c.LatePool = ok && d.onGPU() // for the time after, if it comes
	}
	c.On = p.device()
	if p.cfg.Upload != "" {
		m, err := render.ParseUploadMode(p.cfg.Upload)
		if err != nil {
			return c, err
		}
		c.Upload = m
	}
	return c, nil
}

func (p *Player) openOffscreen() (VideoSink, error) {
	c, err := p.renderConfig()
	if err != nil {
		return nil, err
	}
	c.Width, c.Height = p.pictureSize()
	c.Refresh, c.Display = p.refresh(), p.simulated()
	if p.onCPU() {
		hz := 0.0
		if c.Refresh > 0 {
			hz = float64(time.Second) / float64(c.Refresh)
		}
		return soft.NewOffscreen(soft.Config{Width: c.Width, Height: c.Height, Refresh: hz, Display: c.Display, Now: clock.Now, Sleep: p.sleepUntil()})
	}
	if c.On != nil && c.On.Type != "cpu" {
		// Data centre GPUs have few units that rasterize: an H200 draws 2,500 1080p
		// frames/s with a triangle and 14,700 with a compute shader (scanout bench upload).
		c.Draw = render.DrawCompute
	}
	s, err := render.NewOffscreen(c)
	if err != nil { // no typed nil
		return nil, err
	}
	return s, nil
}

func (p *Player) openWindow() (VideoSink, error) {
	title := p.cfg.Title
	if title == "" {
		title = p.info.Name
	}
	w, h := p.pictureSize()
	fit := p.cfg.Width == 0 || p.cfg.Height == 0 // the media's own size may be more than the display has
	if p.onCPU() {
		s, err := soft.OpenWindow(soft.Config{Width: w, Height: h, Fit: fit, Refresh: p.cfg.Refresh, Now: clock.Now, Sleep: p.sleepUntil()}, title, p.cfg.Fullscreen)
		if err != nil {
			return nil, err
		}
		p.stats.isWindow.Store(true)
		return s, nil
	}
	c, err := p.renderConfig()
	if err != nil {
		return nil, err
	}
	c.Width, c.Height, c.Fit = w, h, fit
	s, err := render.OpenWindow(c, title, p.cfg.Fullscreen)
	if err != nil && c.On != nil && errors.Is(err, media.ErrNotSupported) {
		p.log.Info("the window needs a device of its own", "reason", err)
		c.On = nil
		s, err = render.OpenWindow(c, title, p.cfg.Fullscreen)
	}
	if err != nil {
		return nil, err
	}
	p.stats.isWindow.Store(true)
	return s, nil
}

// dumpConfig says where pictures are written.
func (p *Player) dumpConfig(path string) (dump.Config, error) {
	c := dump.Config{Path: path, Rate: p.video.FrameRate, Now: clock.Now}
	if path == "-" && p.cfg.Writer != nil {
		c.Writer = struct{ io.Writer }{p.cfg.Writer} // it stays the caller's to close
		return c, nil
	}
	if st, err := os.Stat(path); err == nil && st.Mode()&os.ModeNamedPipe != 0 {
		f, err := p.openPipe(path)
		if err != nil {
			return c, err
		}
		c.Writer = f
	}
	return c, nil
}

// openPipe opens a named pipe for writing alone, so that it breaks when its reader goes. It
// waits for the reader to come.
// Errors: os.ErrClosed when playback ends.
func (p *Player) openPipe(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0) // whatever blocks could not be interrupted
		switch {
		case err == nil:
			p.mu.Lock()
			p.pipe = f
			p.hurryPipe()
			p.mu.Unlock()
			return f, nil
		case !errors.Is(err, syscall.ENXIO):
			return nil, err
		}
		select {
		case <-p.quit:
			return nil, fmt.Errorf("output %s has no reader: %w", path, os.ErrClosed)
		case <-time.After(pipePoll):
		}
	}
}

const (
	// pipePoll is how often a reader of a named pipe is looked for.
	pipePoll = 50 * time.Millisecond
	// pipeGrace is how long one that reads no more may hold up the end of playback.
	pipeGrace = time.Second
)

// hurryPipe lets nobody wait for the pipe's reader any more when playback ends. It is called
// with mu held.
func (p *Player) hurryPipe() {
	if p.pipe != nil && p.stop.Load() {
		_ = p.pipe.SetWriteDeadline(time.Now().Add(pipeGrace)) // it may be closed already
	}
}

// closedSink stands for a sink that could not be opened again.
type closedSink struct{}

func (closedSink) Name() string                   { return "" }
func (closedSink) Display() media.Display         { return media.Display{} }
func (closedSink) Begin(media.Instant) error      { return os.ErrClosed }
func (closedSink) Present(*media.Scheduled) error { return os.ErrClosed }
func (closedSink) Feedback(*media.Presented) bool { return false }
func (closedSink) Poll(*media.Event) bool         { return false }
func (closedSink) Close() error                   { return nil }

// openAudio opens the decoder and the sink of the sound. Sound that cannot be had does
// not keep the picture from playing.
func (p *Player) openAudio() error {
	if p.audio == nil {
		return nil
	}
	name := string(p.cfg.Audio)
	if name == "" {
		name = "auto"
	}
	backend, err := audio.ParseBackend(name)
	if err != nil {
		return err
	}
	c := audio.Config{Backend: backend, Title: p.info.Name, Now: clock.Now}
	if p.live() {
		m := p.cfg.MaxLatency
		if m == 0 {
			m = pace.DefaultMaxLatency(p.policy())
		}
		p.maxLatency = m
		c.Latency = min(p.soundDepth(), 100*time.Millisecond)
	}
	s, err := audio.Open(c)
	if err != nil {
		if p.cfg.Audio != AudioAuto {
			return err
		}
		p.log.Warn("no sound", "error", err)
		p.audio = nil
		return nil
	}
	p.asink = s
	if around := p.cfg.aroundAudio; around != nil {
		p.asink = around(s)
	}
	p.asink.Pause(true)
	p.applyVolume()
	if p.src == nil {
		return nil
	}
	d, err := p.newAudioDecoder(p.audio)
	if err != nil {
		if p.video == nil {
			return about(ErrMedia, err)
		}
		p.log.Warn("the sound cannot be decoded, playing the picture only", "error", err)
		p.audio = nil
		if p.src != nil {
			p.src.Select(p.video.Index)
		}
		p.asink = nil
		return s.Close()
	}
	p.adec = d
	return nil
}

// newAudioDecoder opens a decoder for st that suits the sink.
func (p *Player) newAudioDecoder(st *media.Stream) (AudioDecoder, error) {
	return ffmpeg.NewAudio(ffmpeg.AudioConfig{Stream: *st, Rate: p.asink.Rate(), Channels: p.asink.Channels()})
}
