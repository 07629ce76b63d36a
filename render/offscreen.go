package render

import (
	"fmt"
	"image"

	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
)

// Offscreen draws to images that nobody sees: for files, for measurements, for tests.
//
// With a refresh interval it behaves like a display: a vblank comes at every interval
// from the moment it was opened, or as Display has it; each presented frame takes the next
// one that is free, and Begin waits until the frame before has been shown. A frame whose drawing the GPU
// has not finished at its vblank takes the next, as on a real display.
//
// Concurrency: one goroutine.
type Offscreen struct {
	r       *renderer
	cfg     Config
	targets []target // by entry
	display pace.Simulated
	shown   media.Instant // when the newest frame becomes visible; 0 before the first
}

// NewOffscreen opens a device and an offscreen target. Width and Height of 0 follow the
// displayed size of the frames.
// Errors: media.ErrNotSupported when there is no usable Vulkan device.
func NewOffscreen(cfg Config) (*Offscreen, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Width < 0 || cfg.Height < 0 || (cfg.Width == 0) != (cfg.Height == 0) {
		return nil, fmt.Errorf("render: offscreen target of %dx%d", cfg.Width, cfg.Height)
	}
	in, drop, err := instanceFor(&cfg, nil)
	if err != nil {
		return nil, fmt.Errorf("render: %w", err)
	}
	r, err := openRenderer(cfg, in, 0)
	if err != nil {
		drop()
		return nil, err
	}
	o := &Offscreen{r: r, cfg: r.cfg, targets: make([]target, len(r.entries)), display: pace.Simulated{Period: cfg.Refresh}}
	if cfg.Display != nil {
		o.display = *cfg.Display
	}
	o.display.Start(cfg.Now())
	return o, nil
}

// Name says what renders where.
func (o *Offscreen) Name() string { return "vulkan offscreen, " + o.r.d.Name }

// Report says how the renderer works.
func (o *Offscreen) Report() Report { return o.r.report() }

// Messages returns what the validation layer has said.
func (o *Offscreen) Messages() []string { return o.r.in.Messages() }

// Display describes the simulated display.
func (o *Offscreen) Display() media.Display {
	d := o.display.Display(0)
	d.Width, d.Height = o.cfg.Width, o.cfg.Height
	if d.Throttled {
		d.Last = o.display.Before(o.cfg.Now())
	}
	return d
}

// Begin waits until there is room for a frame and the one before has been shown.
// Units: deadline is ns, CLOCK_MONOTONIC; 0 waits for ever.
// Errors: media.ErrAgain at the deadline; media.ErrDeviceLost.
func (o *Offscreen) Begin(deadline media.Instant) error {
	if err := o.r.begin(deadline); err != nil || o.cfg.Refresh == 0 {
		return err
	}
	for {
		shown, now := o.shown, o.cfg.Now()
		if now >= shown {
			late, err := o.settle(o.r.pending.newest(), now)
			if err != nil || !late {
				return err
			}
			continue
		}
		if deadline != 0 && shown > deadline {
			o.cfg.Sleep(deadline)
			return media.ErrAgain
		}
		o.cfg.Sleep(shown)
	}
}

// settle moves a frame that was not finished at its vblank to the next one.
func (o *Offscreen) settle(p *pending, now media.Instant) (late bool, err error) {
	if p == nil || p.visible != o.shown {
		return false, nil
	}
	done, err := o.r.draws.Done(o.r.c, p.drawValue)
	if err != nil {
		return false, o.r.fail(err)
	}
	if !done {
		o.shown = o.display.Slip(now)
		p.visible = o.shown
	}
	return !done, nil
}

// Present draws s and returns once the GPU work is submitted.
// Ownership: takes s.Frame, even on error.
// Errors: media.ErrDeviceLost.
func (o *Offscreen) Present(s *media.Scheduled) error {
	r := o.r
	if s.Repeat && r.current >= 0 {
		return o.again(s)
	}
	if err := r.begin(0); err != nil {
		s.Frame.Release()
		return err
	}
	i := (r.current + 1) % len(r.entries)
	e := &r.entries[i]
	r.ready = false
	p := stamped(s, s.Frame, 0, o.cfg.Refresh)
	w, h := o.cfg.Width, o.cfg.Height
	if w == 0 {
		w, h = s.Frame.DisplaySize()
	}
	copies, err := r.upload(e, s.Frame)
	if err != nil {
		return err
	}
	t := &o.targets[i]
	if err := o.fit(t, w, h); err != nil {
		_ = r.settleUpload(e)
		return err
	}
	if err := r.draw(e, t, false); err != nil {
		_ = r.settleUpload(e)
		return err
	}
	r.current = i
	o.submitted(&p, e, copies)
	return r.collect()
}

// again draws the picture on screen once more.
func (o *Offscreen) again(s *media.Scheduled) error {
	r := o.r
	e := &r.entries[r.current]
	p := stamped(s, s.Frame, 0, o.cfg.Refresh)
	if s.Frame != nil {
		s.Frame.Release()
	}
	if err := r.draws.Wait(r.c, e.drawValue, -1); err != nil {
		return r.fail(err)
	}
	if err := r.draw(e, &o.targets[r.current], true); err != nil {
		return err
	}
	o.submitted(&p, e, 0)
	return nil
}

func (o *Offscreen) submitted(p *pending, e *entry, copies int) {
	p.Submitted, p.Copies, p.drawValue = o.cfg.Now(), copies, e.drawValue
	if o.cfg.Refresh > 0 {
		o.shown = o.display.Show(p.Submitted, p.Target)
		p.visible = o.shown
	}
	o.r.pending.push(p)
}

// fit makes t's image w×h; its entry is not in flight.
func (o *Offscreen) fit(t *target, w, h int) error {
	if t.image != nil && t.image.Width == w && t.image.Height == h {
		return nil
	}
	o.r.d.FreeImage(t.image)
	t.image, t.compute, t.again = nil, o.cfg.Draw == DrawCompute, true
	usage := vk.IMAGE_USAGE_COLOR_ATTACHMENT_BIT | vk.IMAGE_USAGE_TRANSFER_SRC_BIT
	if t.compute {
		usage |= vk.IMAGE_USAGE_STORAGE_BIT
	}
	im, err := o.r.d.NewImage(gpu.ImageConfig{Width: w, Height: h, Format: vk.FORMAT_R8G8B8A8_UNORM, Usage: usage})
	if err != nil {
		return fmt.Errorf("render: target: %w", err)
	}
	t.image = im
	return nil
}

// Feedback pops what is known about the oldest presented frame.
func (o *Offscreen) Feedback(p *media.Presented) bool {
	q := o.r.pending.oldest()
	if q == nil || o.r.lost != nil {
		return false
	}
	now := o.cfg.Now()
	if o.cfg.Refresh > 0 && now < q.visible {
		return false
	}
	done, err := o.r.draws.Done(o.r.c, q.drawValue)
	if err != nil {
		_ = o.r.fail(err) // Begin reports it
		return false
	}
	if !done {
		return false
	}
	*p = q.Presented
	p.Source, p.Actual = media.PresentImmediate, now
	if o.cfg.Refresh > 0 {
		p.Source, p.Actual = media.PresentSimulated, q.visible
		p.Missed = media.MissedRefreshes(q.Target, p.Actual, o.cfg.Refresh)
	}
	o.r.pending.pop()
	return true
}

// Poll pops a window event: there is no window.
func (o *Offscreen) Poll(*media.Event) bool { return false }

// ReadRGBA waits for the picture that was drawn last and copies it to dst, which has
// the target's size.
func (o *Offscreen) ReadRGBA(dst *image.RGBA) error {
	if o.r.current < 0 {
		return fmt.Errorf("render: nothing has been drawn yet")
	}
	return o.r.readBack(&o.targets[o.r.current], dst)
}

// Size returns the size of the picture that was drawn last.
func (o *Offscreen) Size() (w, h int) {
	if o.r.current < 0 {
		return o.cfg.Width, o.cfg.Height
	}
	t := o.targets[o.r.current].image
	return t.Width, t.Height
}

// Screenshot returns the current frame at its own displayed size.
func (o *Offscreen) Screenshot() (*image.RGBA, error) { return o.r.screenshot() }

// Wait waits until everything presented has been drawn.
// Errors: media.ErrDeviceLost.
func (o *Offscreen) Wait() error {
	if err := o.r.wait(); err != nil {
		return err
	}
	return o.r.collect()
}

// Close waits for the GPU, releases every frame and closes the device.
func (o *Offscreen) Close() error {
	if o.r.d == nil {
		return nil
	}
	_ = o.r.idle()
	for i := range o.targets {
		o.r.d.FreeImage(o.targets[i].image)
	}
	return o.r.close()
}
