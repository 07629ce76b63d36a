package soft

import (
	"errors"
	"fmt"
	"image"
	"time"

	"github.com/scanout-av/scanout/internal/sdl"
	"github.com/scanout-av/scanout/internal/wl"
	"github.com/scanout-av/scanout/internal/x11"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
	"github.com/scanout-av/scanout/yuv"
)

// maxAhead is how long Present holds a picture back that is not due yet. The player
// hands pictures over a refresh or so early; more is a mistake, and must not freeze the
// window.
const maxAhead = 100 * time.Millisecond

// copyMargin is how long before a refresh a picture should have been copied into a window
// that is shown as it is: a wake-up may be late by that much.
const copyMargin = time.Millisecond

// latchedEarly is how many copies in a row must come a refresh late before it is believed
// that the server, or a compositor behind it, is done with a refresh well before that, as
// virtual ones are. Then nothing tears, and pictures are copied as early as on Wayland.
const latchedEarly = 8

// Window draws into a window's own memory.
// Concurrency: one goroutine, the one that opened the window, locked to its thread.
type Window struct {
	cfg     Config
	win     Canvas
	paint   painter
	target  target
	display pace.Simulated
	last    media.Instant // newest update
	handing time.Duration // how long handing a picture over takes, smoothed
	reports reports
	depth   pace.SwapDepth
	commits commits         // nil where the window system does not say what became of pictures
	copies  bool            // pictures are copied into the window's own memory on the server
	behind  int             // copies in a row that were shown a refresh after the wanted one
	report  media.Presented // of the picture being shown; here, because interfaces take its address
	drawn   bool
	exposed bool // all of the window must be shown again
}

// NewWindow returns a sink that draws into cfg.Window.
// Ownership: takes the window, even on error; Close closes it.
// Errors: media.ErrNotSupported when the window's pixels are not RGBA or BGRA.
func NewWindow(cfg Config) (*Window, error) {
	if cfg.Window == nil {
		return nil, errors.New("soft: no window: set Window, or use NewOffscreen")
	}
	w := &Window{cfg: cfg, win: cfg.Window, paint: painter{filter: cfg.Filter, chroma: cfg.Chroma}}
	err := w.cfg.check()
	if err == nil && (cfg.Now == nil || cfg.Sleep == nil) {
		err = errors.New("soft: a window needs a clock: set Now and Sleep")
	}
	if err == nil {
		_, err = w.surface()
	}
	if err != nil {
		return nil, errors.Join(err, w.win.Close())
	}
	w.readRefresh()
	w.watch()
	return w, nil
}

// watch asks the window system to say when pictures appear. The window's own memory must
// have been asked for: it may have made a new window of it.
func (w *Window) watch() {
	n, ok := w.win.(interface{ Native() sdl.Native })
	if !ok {
		return
	}
	switch v := n.Native(); v.System {
	case sdl.SystemWayland:
		if f, err := wl.Watch(v.Display, v.Window, w.cfg.Now); err == nil {
			w.commits = f
		}
	case sdl.SystemX11:
		if !w.cfg.X11Present {
			return
		}
		name, err := x11.DisplayName(v.Display)
		if err != nil {
			return
		}
		if f, err := x11.Watch(name, v.Window, true, w.cfg.Now); err == nil {
			w.commits, w.copies = f, true
		}
	}
}

// unwatch stops that.
func (w *Window) unwatch() {
	if w.commits != nil {
		w.commits.Close()
		w.commits, w.copies = nil, false
	}
}

func (w *Window) readRefresh() {
	hz := w.cfg.Refresh
	if hz == 0 {
		hz = float64(w.win.RefreshRate())
	}
	if p := period(hz); p != w.display.Period {
		w.display = pace.Simulated{Period: p}
	}
}

// surface takes up the window's memory and reports whether it is new.
func (w *Window) surface() (fresh bool, err error) {
	s, err := w.win.Surface()
	if err != nil {
		return false, fmt.Errorf("soft: %w", err)
	}
	t := target{pix: s.Pixels, width: s.Width, height: s.Height, stride: s.Stride}
	switch s.Format {
	case media.BGRA:
		t.packing = yuv.BGRA
	case media.RGBA:
		t.packing = yuv.RGBA
	default:
		return false, fmt.Errorf("soft: the window's pixels are %s: %w: use a display of 24 or 32 bits", s.FormatName, media.ErrNotSupported)
	}
	if err := t.check(); err != nil {
		return false, err
	}
	o := &w.target
	fresh = o.width != t.width || o.height != t.height || o.stride != t.stride || o.packing != t.packing || &o.pix[0] != &t.pix[0]
	*o = t
	return fresh, nil
}

// Name says what renders where.
func (w *Window) Name() string {
	name := fmt.Sprintf("cpu: %s, window %dx%d", instructions(), w.target.width, w.target.height)
	if d, ok := w.win.(interface{ Driver() string }); ok {
		name += " (" + d.Driver() + ")"
	}
	return name
}

// Display describes the window. The compositor or the X server says when pictures
// appear; where none does, the refresh interval is what the display says of itself.
func (w *Window) Display() media.Display {
	width, height := w.win.DrawableSize()
	if w.commits != nil {
		return media.Display{Width: width, Height: height, Refresh: w.refresh(), Source: w.commits.Source(),
			Throttled: true, Last: w.last, Mode: media.PresentModeFIFO, Depth: w.depth.Depth(), Raised: w.depth.Raised()}
	}
	return media.Display{Width: width, Height: height, Refresh: w.display.Period, Source: media.PresentFence,
		Throttled: w.display.Period > 0, Last: w.last}
}

// Begin waits until the display can take another picture.
// Errors: media.ErrAgain at the deadline.
func (w *Window) Begin(deadline media.Instant) error {
	if w.commits != nil {
		if err := w.commits.Wait(w.depth.Depth()-1, deadline); err != nil {
			if err == media.ErrAgain {
				return err
			}
			return fmt.Errorf("soft: %w", err)
		}
		return nil
	}
	return waitReady(&w.display, &w.cfg, deadline)
}

// refresh is the display's interval, by the best that is known.
func (w *Window) refresh() time.Duration {
	if w.commits != nil && w.cfg.Refresh == 0 && (!w.copies || w.display.Period == 0) {
		if r := w.commits.Refresh(); r > 0 {
			return r
		}
	}
	return w.display.Period
}

// Present draws s into the window's memory, waits for its moment and shows it.
//
// A picture with a target is shown then, at most 100 ms from now; one without, on the
// next refresh that a display of this rate would have. Handing over starts earlier by the
// time that it usually takes. Where the compositor latches pictures at its own refreshes,
// it starts as soon as the refresh before the wanted one is over.
// Ownership: takes s.Frame, even on error; it has been released on return.
// Errors: media.ErrOutOfDate when the window changes its size faster than it can be
// drawn (call again); media.ErrNotSupported for a frame without planes in memory.
func (w *Window) Present(s *media.Scheduled) error {
	f := s.Frame
	begun := w.cfg.Now()
	all, err := w.draw(f)
	if err != nil {
		f.Release()
		return err
	}
	r := &w.report
	*r = media.Presented{Number: s.Number, PTS: f.PTS, Timebase: f.Timebase, Serial: f.Serial, Target: s.Target,
		Submitted: w.cfg.Now(), Refresh: w.refresh(), Source: media.PresentFence}
	if w.commits != nil {
		r.Submitted = begun // drawing is part of the way to the screen, as it is on a GPU
	}
	if !s.Repeat {
		if err := w.wait(r); err != nil {
			f.Release()
			return err
		}
	} else {
		r.Number = 0
	}
	handed := w.cfg.Now()
	err = w.update(all, r)
	if errors.Is(err, media.ErrOutOfDate) {
		// The window was resized meanwhile; what was drawn is lost.
		if all, err = w.draw(f); err == nil {
			err = w.update(all, r)
		}
	}
	f.Release()
	if err != nil || s.Repeat {
		return err
	}
	if w.copies {
		w.learn(w.cfg.Now().Sub(handed))
	}
	if w.commits != nil {
		return nil
	}
	r.Actual = w.cfg.Now()
	w.last = r.Actual
	w.learn(r.Actual.Sub(handed))
	if s.Target != 0 {
		w.display.Start(r.Actual)
		r.Missed = media.MissedRefreshes(r.Target, r.Actual, r.Refresh)
	}
	*w.reports.push() = *r
	return nil
}

// learn smooths how long it takes to hand a picture over: 1 ms or 2 for a large one. A
// single slow one counts little.
func (w *Window) learn(d time.Duration) {
	if w.handing == 0 {
		w.handing = min(d, 5*time.Millisecond)
		return
	}
	w.handing += (min(d, 2*w.handing+time.Millisecond/4) - w.handing) / 8
}

// wait sleeps until the picture of r has to be handed over to appear in time.
//
// Errors: media.ErrOutOfDate when the window was hidden meanwhile.
func (w *Window) wait(r *media.Presented) error {
	now := w.cfg.Now()
	at := r.Target
	if w.commits != nil {
		// A commit shows at the next refresh: a quarter into the one before is early enough
		// and cannot be too early. One commit is taken up at a refresh.
		if w.commits.Wait(0, now.Add(maxAhead)) == media.ErrAgain {
			return media.ErrOutOfDate // hidden meanwhile
		}
		early := r.Refresh * 3 / 4
		if w.copies && w.behind < latchedEarly {
			// What is copied is seen where the display's beam has yet to come to: the less of
			// the refresh before is left, the less of it tears.
			early = w.handing + min(copyMargin, r.Refresh/4)
		}
		if at = min(at.Add(-early), now.Add(maxAhead)); r.Target != 0 && at > now {
			w.cfg.Sleep(at)
		}
		return nil
	}
	if at == 0 {
		at, _ = w.display.Present(now, 0)
	}
	if at = min(at, now.Add(maxAhead)).Add(-w.handing); at > now {
		w.cfg.Sleep(at)
	}
	return nil
}

// draw draws f and reports whether all of the window has to be shown.
func (w *Window) draw(f *media.Frame) (all bool, err error) {
	fresh, err := w.surface()
	if err != nil {
		return false, err
	}
	if all, err = w.paint.draw(&w.target, f, fresh || !w.drawn); err != nil {
		return false, err
	}
	w.drawn = true
	w.exposed = w.exposed || all
	return w.exposed, nil
}

// update shows the picture's rectangle, or all of the window; p is what is reported of it.
func (w *Window) update(all bool, p *media.Presented) error {
	r := w.paint.at
	if all {
		r = rect{w: w.target.width, h: w.target.height}
	}
	if w.commits != nil {
		w.commits.Request(p)
	}
	if err := w.win.UpdateSurface(r.x, r.y, r.w, r.h); err != nil {
		if w.commits != nil {
			w.commits.Withdraw()
		}
		return fmt.Errorf("soft: show a picture: %w", err)
	}
	if w.commits != nil {
		w.commits.Committed()
	}
	w.exposed = false
	return nil
}

// Feedback pops what is known about the oldest presented frame.
func (w *Window) Feedback(p *media.Presented) bool {
	if w.commits == nil {
		return w.reports.pop(p)
	}
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
	if w.copies && p.Target != 0 && w.behind < latchedEarly {
		if w.behind++; p.Missed == 0 {
			w.behind = 0
		}
	}
	w.depth.Observe(p)
	return true
}

// Poll pops a window event. After a resize or an expose event the caller presents the
// picture again.
func (w *Window) Poll(e *media.Event) bool {
	if !w.win.PollEvent(e) {
		return false
	}
	switch e.Kind {
	case media.EventExpose, media.EventShown:
		w.exposed = true
	case media.EventResize:
		w.exposed = true
		w.readRefresh() // it may be on another display now
	}
	return true
}

// EventFD returns the file descriptor that tells of events, -1 where there is none.
func (w *Window) EventFD() int {
	if n, ok := w.win.(interface{ EventFD() int }); ok {
		return n.EventFD()
	}
	return -1
}

// SetFullscreen makes the window cover the screen, or not.
func (w *Window) SetFullscreen(on bool) error { return w.win.SetFullscreen(on) }

// Screenshot returns a copy of what the window shows.
// Errors: media.ErrOutOfDate after a resize, until the picture has been drawn again.
func (w *Window) Screenshot() (*image.RGBA, error) {
	if !w.drawn {
		return nil, errNoPicture
	}
	if fresh, err := w.surface(); err != nil {
		return nil, err
	} else if fresh {
		w.drawn = false
		return nil, fmt.Errorf("soft: screenshot: %w", media.ErrOutOfDate)
	}
	return w.target.copyImage(), nil
}

// Close closes the window. Closing twice does nothing.
func (w *Window) Close() error {
	w.target, w.drawn = target{}, false
	w.unwatch()
	return w.win.Close()
}
