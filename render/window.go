package render

import (
	"fmt"
	"image"
	"time"

	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/sdl"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/internal/wl"
	"github.com/scanout-av/scanout/internal/x11"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
)

// NativeWindow is a window of the system's that Vulkan can draw to.
type NativeWindow interface {
	VulkanInstanceExtensions() ([]string, error)
	CreateSurface(instance uintptr) (surface uint64, err error)
	DrawableSize() (w, h int)
	PollEvent(e *media.Event) bool
	RefreshRate() int // Hz, 0 when not known
	Close() error
}

// Window draws to a window through a swapchain in FIFO mode: a frame is shown at the
// first refresh after it is ready, and none tears.
//
// Concurrency: one goroutine.
type Window struct {
	r       *renderer
	cfg     Config
	native  NativeWindow
	surface vk.SurfaceKHR
	chain   swapchain

	stale      bool // the swapchain must be made anew before the next frame
	suboptimal int  // how often in a row that was because the driver called it suboptimal
	acquired   bool
	index      uint32 // of the acquired image
	t          target
	p          pending // of the frame being presented; here, because interfaces take its address

	offered []media.PresentMode
	depth   pace.SwapDepth

	commits   commits // nil where the window system does not say what became of frames
	measured  bool    // its interval is measured, and what the display says of itself goes first
	spare     media.Presented
	refresh   time.Duration
	last      media.Instant // a recent refresh
	fast      int           // frames in a row that came much sooner than a refresh
	begun     media.Instant
	presentID uint64
}

// NewWindow opens a device that can present to native.
// Ownership: takes native when it succeeds.
// Errors: media.ErrNotSupported when there is no usable Vulkan device.
func NewWindow(cfg Config, native NativeWindow) (*Window, error) {
	if cfg.Draw != DrawTriangle {
		return nil, fmt.Errorf("render: draw mode %v is for offscreen targets", cfg.Draw)
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	extensions, err := native.VulkanInstanceExtensions()
	if err != nil {
		return nil, fmt.Errorf("render: %w", err)
	}
	in, drop, err := instanceFor(&cfg, extensions)
	if err != nil {
		return nil, fmt.Errorf("render: %w", err)
	}
	s, err := native.CreateSurface(uintptr(in.Handle))
	if err != nil {
		drop()
		return nil, fmt.Errorf("render: a Vulkan surface: %w", err)
	}
	w := &Window{cfg: cfg, native: native, surface: vk.SurfaceKHR(s)}
	if cfg.On != nil && !cfg.On.CanPresent(w.surface) {
		in.DestroySurface(w.surface)
		return nil, fmt.Errorf("render: %s cannot present to this window: %w", cfg.On.Name, media.ErrNotSupported)
	}
	if w.r, err = openRenderer(cfg, in, w.surface); err != nil {
		in.DestroySurface(w.surface)
		drop()
		return nil, err
	}
	w.chain.init(w.r, w.surface)
	w.watch()
	w.offered, err = w.chain.offered(w.r, w.surface)
	if err == nil {
		_, err = chooseMode(cfg.Mode, w.offered, 0, 0)
	}
	if err == nil {
		err = w.resize()
	}
	if err != nil && err != media.ErrAgain {
		w.native = nil // stays the caller's
		_ = w.Close()
		return nil, err
	}
	return w, nil
}

// instanceFor returns the instance to draw with and what gives it back after an error.
func instanceFor(cfg *Config, extensions []string) (in *gpu.Instance, drop func(), err error) {
	if cfg.On != nil {
		return cfg.On.Instance, func() {}, nil
	}
	in, err = gpu.NewInstance(gpu.InstanceConfig{Extensions: extensions, Validation: cfg.Validation})
	if err != nil {
		return nil, nil, err
	}
	return in, in.Close, nil
}

// watch asks the window system to say when frames appear.
func (w *Window) watch() {
	n, ok := w.native.(interface{ Native() sdl.Native })
	if !ok {
		return
	}
	switch v := n.Native(); v.System {
	case sdl.SystemWayland:
		if f, err := wl.Watch(v.Display, v.Window, w.cfg.Now); err == nil {
			w.commits = f
		}
	case sdl.SystemX11:
		name, err := x11.DisplayName(v.Display)
		if err != nil {
			return
		}
		if f, err := x11.Watch(name, v.Window, false, w.cfg.Now); err == nil {
			w.commits, w.measured = f, true
		}
	}
}

// unwatch stops that.
func (w *Window) unwatch() {
	if w.commits != nil {
		w.commits.Close()
		w.commits, w.measured = nil, false
	}
}

// Name says what renders where.
func (w *Window) Name() string { return "vulkan window, " + w.r.d.Name }

// Report says how the renderer works.
func (w *Window) Report() Report { return w.r.report() }

// Messages returns what the validation layer has said.
func (w *Window) Messages() []string { return w.r.in.Messages() }

// throttleAfter is how many quick frames in a row show that the display does not make
// anybody wait; fewer fit into a swapchain.
const throttleAfter = 8

// Display describes the window's display.
func (w *Window) Display() media.Display {
	d := media.Display{Width: w.chain.width, Height: w.chain.height, Refresh: w.refresh, Source: media.PresentFence,
		Throttled: w.fast < throttleAfter, Last: w.last}
	d.Mode, d.Depth, d.Raised = w.chain.mode, w.depth.Depth(), w.depth.Raised()
	switch d.Refresh = w.interval(); {
	case w.chain.stamps.on():
		d.Source, d.Throttled = w.chain.stamps.source, true
	case w.commits != nil:
		d.Source, d.Throttled = w.commits.Source(), true
	case w.chain.waits != waitNone:
		d.Source = media.PresentWait
	}
	if w.commits == nil && w.chain.waits == waitNone && len(w.chain.images) > 0 {
		d.Depth = len(w.chain.images) - 1 // nothing else limits it
	}
	return d
}

// images is how many images the swapchain wants: one on the screen and those that wait,
// and where it is known how many wait, one more to draw to meanwhile.
func (w *Window) images() int {
	n := 1 + w.depth.Depth()
	if w.commits != nil || w.chain.waits != waitNone {
		n++
	}
	return n
}

// interval is the display's refresh interval, by the best that is known.
func (w *Window) interval() time.Duration {
	if w.chain.stamps.refresh > 0 {
		return w.chain.stamps.refresh
	}
	if w.commits != nil && (!w.measured || w.refresh == 0) {
		if r := w.commits.Refresh(); r > 0 {
			return r
		}
	}
	return w.refresh
}

// resize makes a swapchain of the window's present size.
// Errors: media.ErrAgain when nothing of the window is visible.
func (w *Window) resize() error {
	w.stale, w.acquired = false, false
	w.refresh = 0
	if hz := w.native.RefreshRate(); hz > 0 { // a window that was moved may be on another display
		w.refresh = time.Second / time.Duration(hz)
	}
	width, height := w.native.DrawableSize()
	mode, err := chooseMode(w.cfg.Mode, w.offered, w.cfg.FrameInterval, w.interval())
	if err != nil {
		return err
	}
	if err := w.chain.recreate(w.r, w.surface, width, height, w.images(), mode); err != nil {
		w.stale = true
		return err
	}
	w.chain.firstID = w.presentID + 1
	// What the old swapchain knew of presents went with it.
	for i := range w.r.pending.buf {
		w.r.pending.buf[i].presentID = 0
	}
	return nil
}

// Begin waits until there is room for a frame and acquires the image that it will be
// drawn to.
// Units: deadline is ns, CLOCK_MONOTONIC; 0 waits for ever.
// Errors: media.ErrAgain at the deadline, which is also when a hidden window is asked
// again; media.ErrDeviceLost.
func (w *Window) Begin(deadline media.Instant) error {
	if err := w.r.begin(deadline); err != nil {
		return err
	}
	if w.latched() {
		if err := w.await(w.depth.Depth()-1, deadline); err != nil {
			return err
		}
	} else if err := w.awaitPresent(deadline); err != nil {
		return err
	}
	if w.acquired {
		return nil
	}
	timeout := ^uint64(0)
	if deadline != 0 {
		timeout = uint64(max(0, deadline.Sub(w.cfg.Now())))
	}
	err := w.acquire(timeout)
	if err == media.ErrAgain && w.stale && deadline != 0 && w.cfg.Sleep != nil {
		w.cfg.Sleep(deadline) // hidden: there is nothing to wait for
	}
	return err
}

// latched reports whether the compositor takes up one commit at each refresh and says when
// it has. In other modes a newer frame replaces the one that waits.
func (w *Window) latched() bool { return w.commits != nil && w.chain.mode <= media.PresentModeLatest }

// await waits until at most n commits have not been taken up by the compositor.
func (w *Window) await(n int, deadline media.Instant) error {
	err := w.commits.Wait(n, deadline)
	if err == nil || err == media.ErrAgain {
		return err
	}
	return w.r.fail(fmt.Errorf("render: %w", err))
}

// awaitPresent waits until fewer frames than the depth have yet to be shown, where
// present_wait tells: the frame is chosen after that.
func (w *Window) awaitPresent(deadline media.Instant) error {
	n := uint64(w.depth.Depth() - 1)
	if w.commits != nil || w.chain.waits == waitNone || w.presentID < w.chain.firstID+n || w.chain.mode > media.PresentModeLatest {
		return nil
	}
	timeout := uint64(100 * time.Millisecond)
	if deadline != 0 {
		timeout = uint64(max(0, deadline.Sub(w.cfg.Now())))
	}
	switch r := w.chain.shown(w.r, w.presentID-n, timeout); r {
	case vk.TIMEOUT:
		return media.ErrAgain
	case vk.ERROR_DEVICE_LOST:
		return w.r.fail(fmt.Errorf("render: wait for the display: %w", r))
	}
	return nil // shown, or the swapchain went: acquiring finds out
}

func (w *Window) acquire(timeout uint64) error {
	// A window that is being resized can outdate each new swapchain in turn.
	for range 4 {
		if width, height := w.native.DrawableSize(); w.stale || !w.chain.fits(w.r, w.surface, width, height) {
			if err := w.resize(); err != nil {
				return err
			}
		}
		r := w.chain.acquire(w.r, timeout, &w.index)
		switch {
		case r == vk.SUCCESS || r == vk.SUBOPTIMAL_KHR:
			w.acquired = true
			if r == vk.SUBOPTIMAL_KHR {
				w.improve()
			}
			w.pace()
			return nil
		case r == vk.TIMEOUT || r == vk.NOT_READY:
			return media.ErrAgain
		case r == vk.ERROR_OUT_OF_DATE_KHR:
			w.stale = true
		default:
			return w.r.fail(fmt.Errorf("render: acquire an image of the window: %w", r))
		}
	}
	return media.ErrAgain
}

// pace notices displays that never make anybody wait, such as a virtual X server.
func (w *Window) pace() {
	now := w.cfg.Now()
	if w.refresh > 0 && w.fast < throttleAfter {
		if w.begun != 0 && now.Sub(w.begun) < w.refresh/2 {
			w.fast++
		} else {
			w.fast = 0
		}
	}
	w.begun = now
}

// Present draws s and queues it for display.
// Ownership: takes s.Frame, even on error.
// Errors: media.ErrDeviceLost; media.ErrOutOfDate when the window was hidden meanwhile or
// changes too fast: nothing is reported of the frame, and it is to be presented again.
func (w *Window) Present(s *media.Scheduled) error {
	r := w.r
	repeat := s.Repeat && r.current >= 0
	p := &w.p
	*p = stamped(s, s.Frame, 0, w.interval())
	if !w.acquired {
		if err := w.Begin(0); err != nil {
			if s.Frame != nil {
				s.Frame.Release()
			}
			return err
		}
	}
	i := r.current
	if repeat {
		if s.Frame != nil {
			s.Frame.Release()
		}
		if err := r.draws.Wait(r.c, r.entries[i].drawValue, -1); err != nil {
			return r.fail(err)
		}
	} else {
		i = (r.current + 1) % len(r.entries)
		r.ready = false
		var err error
		if p.Copies, err = r.upload(&r.entries[i], s.Frame); err != nil {
			return err
		}
	}
	e := &r.entries[i]
	if err := w.draw(e, repeat); err != nil {
		if !repeat {
			_ = r.settleUpload(e)
		}
		return err
	}
	r.current = i
	if s.Repeat {
		p.Number = 0
	}
	if w.latched() && w.commits.Queued() > 0 {
		// One commit is taken up at a refresh. Presenting earlier would block in the driver,
		// for as long as the window is hidden.
		if err := w.await(0, w.cfg.Now().Add(max(3*w.interval(), 50*time.Millisecond))); err != nil {
			w.stale, w.acquired = true, false // the image goes with what was drawn
			if err == media.ErrAgain {
				err = media.ErrOutOfDate
			}
			return err
		}
	}
	p.Submitted, p.drawValue = w.cfg.Now(), e.drawValue
	res := w.present(p)
	if res == vk.ERROR_OUT_OF_DATE_KHR {
		// The window changed while the frame was drawn: once more, in the new size.
		w.stale = true
		if err := r.draws.Wait(r.c, e.drawValue, -1); err != nil {
			return r.fail(err)
		}
		if err := w.acquire(uint64(100 * time.Millisecond)); err == nil {
			if err := w.draw(e, true); err != nil {
				return err
			}
			res = w.present(p)
		}
	}
	switch {
	case res == vk.ERROR_OUT_OF_DATE_KHR:
		if err := r.collect(); err != nil {
			return err
		}
		return media.ErrOutOfDate
	case res < 0:
		return r.fail(fmt.Errorf("render: present: %w", res))
	}
	if w.commits == nil || w.chain.stamps.on() {
		p.Submitted, p.drawValue, p.presentID = w.cfg.Now(), e.drawValue, 0
		if w.chain.numbered() {
			p.presentID = w.presentID
		}
		r.pending.push(p)
	}
	return r.collect()
}

func (w *Window) draw(e *entry, again bool) error {
	im := &w.chain.images[w.index]
	w.t = target{image: im.image, again: true, shown: vk.IMAGE_LAYOUT_PRESENT_SRC_KHR, acquired: w.chain.pendingSemaphore(), drawn: im.drawn}
	if err := w.r.draw(e, &w.t, again); err != nil {
		return err
	}
	w.chain.used(w.r.draws.Next)
	return nil
}

func (w *Window) present(p *pending) vk.Result {
	w.acquired = false
	if w.commits != nil {
		w.commits.Request(&p.Presented)
	}
	w.presentID++
	res := w.chain.present(w.r, w.index, w.presentID)
	if w.commits != nil {
		if res < 0 {
			w.commits.Withdraw()
		} else {
			w.commits.Committed()
		}
	}
	switch res {
	case vk.SUBOPTIMAL_KHR:
		w.improve()
	case vk.ERROR_OUT_OF_DATE_KHR:
		w.stale = true
	case vk.SUCCESS:
		w.suboptimal = 0
	}
	return res
}

// maxSuboptimal is how many swapchains in a row are made because the one before was
// suboptimal. Some drivers say that of every one: of a display that is turned, say.
const maxSuboptimal = 3

// improve has the swapchain made anew, unless the last few were no better.
func (w *Window) improve() {
	if !w.stale && w.suboptimal < maxSuboptimal {
		w.suboptimal++
		w.stale = true
	}
}

// Feedback pops what is known about the oldest presented frame.
func (w *Window) Feedback(p *media.Presented) bool {
	switch {
	case w.chain.stamps.on():
		return w.stamped(p)
	case w.commits != nil:
		return w.committed(p)
	}
	q := w.r.pending.oldest()
	if q == nil || w.r.lost != nil {
		return false
	}
	now := w.cfg.Now()
	source := media.PresentFence
	if q.presentID != 0 && w.chain.waits != waitNone {
		switch r := w.chain.shown(w.r, q.presentID, 0); {
		case r == vk.SUCCESS || r == vk.SUBOPTIMAL_KHR:
			source = media.PresentWait
		case r == vk.TIMEOUT:
			q.notBefore = now
			return false
		default:
			q.presentID = 0 // the swapchain went; the fence will do
			return false
		}
	} else if done, err := w.r.draws.Done(w.r.c, q.drawValue); err != nil || !done {
		_ = w.r.fail(err) // Begin reports it
		q.notBefore = now
		return false
	}
	*p = q.Presented
	p.Source, p.Actual = source, q.shownBy(now, w.refresh)
	// Only what is certain counts: at the earliest it was shown after this.
	p.Missed = media.MissedRefreshes(q.Target, max(q.Submitted, q.notBefore), w.refresh)
	if source == media.PresentWait {
		w.last = p.Actual
	}
	w.r.pending.pop()
	if w.depth.Observe(p) && source == media.PresentFence {
		w.stale = true // only the number of images limits what waits
	}
	return true
}

// committed pops what the window system says of the oldest frame.
func (w *Window) committed(p *media.Presented) bool {
	if !w.commits.Next(p) {
		if w.commits.Source() == media.PresentFence {
			w.unwatch() // it never says anything
		}
		return false
	}
	if p.Actual != 0 {
		w.last = p.Actual
		p.Missed = media.MissedRefreshes(p.Target, p.Actual, p.Refresh)
	}
	w.depth.Observe(p)
	return true
}

// stamped pops what the driver says of the oldest frame. What the window system says of it
// only limits how many wait.
func (w *Window) stamped(p *media.Presented) bool {
	if w.commits != nil {
		for w.commits.Next(&w.spare) {
			continue
		}
	}
	s := &w.chain.stamps
	q := w.r.pending.oldest()
	if q == nil || w.r.lost != nil {
		return false
	}
	at, known := s.look(q.presentID)
	if !known {
		s.collect(w.r, w.chain.handle)
		if at, known = s.look(q.presentID); !known && !s.forgotten(q.presentID) {
			return false
		}
	}
	now := w.cfg.Now()
	if at != 0 && !plausible(q.Submitted, at, now) {
		s.off()
		known = false
	}
	*p = q.Presented
	w.r.pending.pop()
	switch {
	case !known: // by its draw, as without the driver's word
		p.Source, p.Actual = media.PresentFence, q.shownBy(now, w.refresh)
	case at == 0:
		p.Source, p.Discarded = s.source, true
	default:
		p.Source, p.Actual, p.Flags, w.last = s.source, at, media.PresentVsync, at
		p.Missed = media.MissedRefreshes(p.Target, p.Actual, p.Refresh)
	}
	w.depth.Observe(p)
	return true
}

// Poll pops a window event.
func (w *Window) Poll(e *media.Event) bool { return w.native.PollEvent(e) }

// EventFD returns the file descriptor that tells of events, -1 where there is none.
func (w *Window) EventFD() int {
	if n, ok := w.native.(interface{ EventFD() int }); ok {
		return n.EventFD()
	}
	return -1
}

// Screenshot returns the current frame at its own displayed size.
func (w *Window) Screenshot() (*image.RGBA, error) { return w.r.screenshot() }

// Close waits for the GPU, releases every frame and closes device and window.
func (w *Window) Close() error {
	if w.r.d == nil {
		return nil
	}
	_ = w.r.idle()
	w.unwatch()
	w.chain.free(w.r)
	w.r.in.DestroySurface(w.surface)
	err := w.r.close()
	if w.native != nil {
		if e := w.native.Close(); err == nil {
			err = e
		}
	}
	return err
}
