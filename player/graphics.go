package player

import (
	"errors"
	"fmt"
	"sync"

	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/media"
)

// Graphics is a GPU that a player decodes and draws with; several players may share one
// ([Config.Graphics]), whose streams then spread over its decoding engines. The zero
// value is ready for use.
// Ownership: the device closes with the last player that uses it.
// Concurrency: any goroutine.
type Graphics struct {
	mu    sync.Mutex
	users int
	open  *opening
	lost  []*gpu.Device // replaced; somebody may have asked for them a moment ago
}

// opening is a device on its way: opened once, waited for by whoever needs it.
type opening struct {
	done chan struct{}
	dev  *gpu.Device
	err  error
}

// graphicsConfig says what a device must be able to do.
type graphicsConfig struct {
	device     string // index or part of a name, "" for the best
	hardware   bool   // a CPU that plays the GPU will not do
	windows    bool
	validation bool
}

// start begins to open a device unless that has been done. Loading drivers takes tens of
// milliseconds, which pass while the media is being opened.
func (g *Graphics) start(c graphicsConfig) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.users++
	if g.open == nil {
		g.begin(c)
	}
}

func (g *Graphics) begin(c graphicsConfig) {
	o := &opening{done: make(chan struct{})}
	g.open = o
	go func() {
		defer close(o.done)
		o.dev, o.err = openGPU(c)
	}()
}

func openGPU(c graphicsConfig) (*gpu.Device, error) {
	if c.hardware && !gpu.Present() {
		return nil, fmt.Errorf("player: this machine has no GPU: %w", media.ErrNotSupported)
	}
	return gpu.OpenDevice(gpu.InstanceConfig{Surfaces: c.windows, Validation: c.validation},
		gpu.Config{Device: c.device, Hardware: c.hardware, Present: c.windows, Video: true})
}

// device waits until the device is open and returns it, borrowed until the player stops.
func (g *Graphics) device() (*gpu.Device, error) {
	g.mu.Lock()
	o := g.open
	g.mu.Unlock()
	if o == nil {
		return nil, fmt.Errorf("player: no GPU was asked for: %w", media.ErrNotSupported)
	}
	<-o.done
	return o.dev, o.err
}

// reopen replaces lost by a device that works; whoever comes second gets the same.
func (g *Graphics) reopen(lost *gpu.Device, c graphicsConfig) (*gpu.Device, error) {
	g.mu.Lock()
	o := g.open
	if o != nil {
		<-o.done
	}
	if o == nil || o.dev == lost {
		g.begin(c)
		if lost != nil {
			g.lost = append(g.lost, lost)
		}
	}
	g.mu.Unlock()
	return g.device()
}

// stop says that a player needs the device no longer.
func (g *Graphics) stop() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.users--; g.users > 0 || g.open == nil {
		return nil
	}
	o := g.open
	g.open = nil
	<-o.done
	for _, d := range g.lost {
		_ = d.Close() // the loss has been reported
	}
	g.lost = nil
	if o.dev == nil {
		return nil
	}
	return o.dev.Close()
}

// wantsGraphics says which device the output and the decoder ask for, false when none.
func (p *Player) wantsGraphics() (graphicsConfig, bool) {
	cfg := &p.cfg
	c := graphicsConfig{device: cfg.Device, validation: cfg.Validation,
		hardware: cfg.Renderer != RendererVulkan && cfg.Decoder != DecoderVulkan && cfg.Device == "" && !cfg.Validation}
	kind, _ := cfg.Output.split()
	switch kind {
	case OutputAuto, OutputWindow:
		c.windows = kind == OutputWindow || HasDisplay()
		return c, cfg.Renderer != RendererCPU
	case OutputOffscreen:
		return c, cfg.Renderer != RendererCPU
	case OutputNull:
		return c, cfg.Decoder != DecoderFFmpeg && cfg.Renderer != RendererCPU
	}
	return c, cfg.Decoder == DecoderVulkan // read back: on request only
}

// lookForGPU opens the graphics device while the media is being opened.
func (p *Player) lookForGPU() {
	c, wanted := p.wantsGraphics()
	if !wanted {
		return
	}
	p.graphicsConfig = c
	p.graphics = p.cfg.Graphics
	if p.graphics == nil {
		p.graphics = new(Graphics)
	}
	p.graphics.start(c)
}

// device returns the GPU of this playback, nil when there is none.
func (p *Player) device() *gpu.Device {
	if p.graphics == nil {
		return nil
	}
	d, err := p.graphics.device()
	if err != nil {
		p.noGPU.Do(func() { p.log.Info("no GPU, drawing and decoding on the CPU", "error", err) })
		return nil
	}
	return d
}

// gpuError says why there is no GPU to decode with.
func (p *Player) gpuError() error {
	if p.graphics == nil {
		return fmt.Errorf("player: the output %q takes no pictures from a GPU: %w", p.cfg.Output, media.ErrNotSupported)
	}
	d, err := p.graphics.device()
	if err == nil && d.Lost() {
		err = media.ErrDeviceLost
	}
	if err == nil {
		err = media.ErrNotSupported
	}
	return err
}

// onCPU reports whether the CPU draws: on request, and wherever no GPU would do it.
func (p *Player) onCPU() bool {
	switch {
	case p.cfg.Renderer == RendererCPU:
		return true
	case p.cfg.Renderer == RendererVulkan, p.cfg.Device != "", p.cfg.Upload != "", p.cfg.Validation, p.cfg.PresentMode > media.PresentModeFIFO:
		return false
	}
	return p.device() == nil
}

// replaceGPU opens the graphics device again after a loss. Decoding begins anew where
// playback is, when the media can be sought; else with the next keyframe.
func (p *Player) replaceGPU() {
	if p.graphics == nil {
		return
	}
	old, err := p.graphics.device()
	if err != nil || !old.Lost() {
		return
	}
	if _, err := p.graphics.reopen(old, p.graphicsConfig); err != nil {
		p.log.Warn("the lost GPU cannot be opened again", "error", err)
	}
	p.restartDecoding()
}

// restartDecoding begins again where playback is, when pictures came from the GPU.
func (p *Player) restartDecoding() {
	if c, ok := p.vdec.(*chooser); !ok || !c.onGPU() {
		return
	}
	if p.info.Seekable && !p.info.Live {
		_ = p.Seek(p.Position()) // it was asked whether it can
	}
}

// refuseGPU is called when the sink cannot show pictures in GPU memory after all.
func (p *Player) refuseGPU() {
	if p.gpuFrames.Swap(false) {
		p.restartDecoding()
	}
}

// takesGPU is what sinks have that can show frames in GPU memory.
type takesGPU interface{ TakesGPU() bool }

func (p *Player) closeGraphics() error {
	if p.graphics == nil {
		return nil
	}
	g := p.graphics
	p.graphics = nil
	if err := g.stop(); err != nil && !errors.Is(err, media.ErrDeviceLost) {
		return err
	}
	return nil
}
