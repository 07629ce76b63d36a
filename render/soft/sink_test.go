package soft

import (
	"errors"
	"image"
	"runtime"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/sdl"
	"github.com/scanout-av/scanout/media"
)

const ms = media.Instant(time.Millisecond)

// fakeClock moves only when somebody sleeps.
type fakeClock struct {
	now    media.Instant
	sleeps []media.Instant
}

func (c *fakeClock) Now() media.Instant { return c.now }
func (c *fakeClock) Sleep(t media.Instant) {
	c.sleeps = append(c.sleeps, t)
	c.now = max(c.now, t)
}

// canvas is a window in memory. It remembers what it was asked to show.
type canvas struct {
	w, h    int
	stride  int
	pix     []byte
	format  media.PixelFormat
	hz      int
	updates []rect
	stale   int // updates that fail
	events  []media.Event
	full    bool
	closed  int
	takes   time.Duration // of handing a picture over
	clk     *fakeClock
}

func newCanvas(w, h int) *canvas {
	c := &canvas{format: media.BGRA, updates: make([]rect, 0, 4096)}
	c.resize(w, h)
	return c
}

func (c *canvas) resize(w, h int) {
	c.w, c.h, c.stride = w, h, 4*w+8
	c.pix = make([]byte, c.stride*h)
	for i := range c.pix {
		c.pix[i] = 0xaa
	}
}

func (c *canvas) Surface() (sdl.Surface, error) {
	return sdl.Surface{Pixels: c.pix, Width: c.w, Height: c.h, Stride: c.stride, Format: c.format}, nil
}

func (c *canvas) UpdateSurface(x, y, w, h int) error {
	if c.stale > 0 {
		c.stale--
		return media.ErrOutOfDate
	}
	c.updates = append(c.updates, rect{x, y, w, h})
	if c.takes > 0 {
		c.clk.now = c.clk.now.Add(c.takes)
	}
	return nil
}

func (c *canvas) DrawableSize() (int, int)    { return c.w, c.h }
func (c *canvas) RefreshRate() int            { return c.hz }
func (c *canvas) SetFullscreen(on bool) error { c.full = on; return nil }
func (c *canvas) Close() error                { c.closed++; return nil }
func (c *canvas) PollEvent(e *media.Event) bool {
	if len(c.events) == 0 {
		return false
	}
	*e, c.events = c.events[0], c.events[1:]
	return true
}

func newWindow(t *testing.T, c *canvas, clk *fakeClock) *Window {
	t.Helper()
	w, err := NewWindow(Config{Window: c, Now: clk.Now, Sleep: clk.Sleep})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// show presents a frame and wants it back.
func show(t *testing.T, w *Window, f *media.Frame, s media.Scheduled) error {
	t.Helper()
	var own owner
	f.Arm(&own)
	s.Frame = f
	err := w.Present(&s)
	if own.reclaimed != 1 {
		t.Errorf("the frame came back %d times", own.reclaimed)
	}
	return err
}

func (c *canvas) last() rect { return c.updates[len(c.updates)-1] }

func TestWindowUpdatesWhatChanged(t *testing.T) {
	c, clk := newCanvas(8, 10), &fakeClock{now: ms}
	w := newWindow(t, c, clk)
	f := marked()
	present := func(want rect) {
		t.Helper()
		if err := show(t, w, f, media.Scheduled{}); err != nil {
			t.Fatal(err)
		}
		if c.last() != want {
			t.Errorf("shown: %+v, want %+v", c.last(), want)
		}
	}
	present(rect{0, 0, 8, 10}) // borders included
	for y := range 10 {
		for x := range 8 {
			if border := y < 2 || y >= 8; border && [4]byte(c.pix[y*c.stride+4*x:]) != [4]byte{0, 0, 0, 255} {
				t.Fatalf("border pixel %d,%d is %v", x, y, c.pix[y*c.stride+4*x:][:4])
			}
		}
		if y < 9 && [8]byte(c.pix[y*c.stride+32:]) != [8]byte{0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa} {
			t.Fatalf("row %d: written beyond its end", y)
		}
	}
	if got, want := [4]byte(c.pix[2*c.stride:]), [4]byte{99, 10, 10, 255}; got != want {
		t.Errorf("first pixel %v, want BGRA %v", got, want)
	}
	c.pix[0] = 77 // a border pixel: nobody paints it again
	present(rect{0, 2, 8, 6})
	present(rect{0, 2, 8, 6})
	if c.pix[0] != 77 {
		t.Error("the border was painted without need")
	}
	c.events = []media.Event{{Kind: media.EventExpose}}
	var e media.Event
	if !w.Poll(&e) || e.Kind != media.EventExpose || w.Poll(&e) {
		t.Error("the event did not come through")
	}
	present(rect{0, 0, 8, 10})
	present(rect{0, 2, 8, 6})
	f.SAR = media.Rational{Num: 2, Den: 1}
	present(rect{0, 0, 8, 10})
	if c.pix[0] != 0 {
		t.Error("another geometry, and the border was not painted")
	}
	present(rect{0, 3, 8, 3})
	c.resize(20, 3)
	present(rect{0, 0, 20, 3})
	present(rect{6, 0, 8, 3})

	// A resize between drawing and showing: once is made up for, twice is reported.
	c.stale = 1
	present(rect{6, 0, 8, 3})
	c.stale = 2
	if err := show(t, w, f, media.Scheduled{}); !errors.Is(err, media.ErrOutOfDate) {
		t.Errorf("error %v", err)
	}
	present(rect{6, 0, 8, 3})
	if err := w.SetFullscreen(true); err != nil || !c.full {
		t.Error("no fullscreen")
	}
	if err := w.Close(); err != nil || c.closed != 1 {
		t.Errorf("closed %d times, %v", c.closed, err)
	}
}

func TestWindowRefused(t *testing.T) {
	clk := &fakeClock{}
	for i, cfg := range []Config{
		{},
		{Now: clk.Now},
		{Now: clk.Now, Sleep: clk.Sleep, Filter: 7},
		{Now: clk.Now, Sleep: clk.Sleep},
	} {
		c := newCanvas(8, 8)
		if i == 3 {
			c.format = media.FormatUnknown
		}
		cfg.Window = c
		if _, err := NewWindow(cfg); err == nil || c.closed != 1 {
			t.Errorf("configuration %d: error %v, closed %d times", i, err, c.closed)
		}
	}
}

func TestWindowScreenshot(t *testing.T) {
	c, clk := newCanvas(4, 5), &fakeClock{now: ms}
	w := newWindow(t, c, clk)
	if _, err := w.Screenshot(); err == nil {
		t.Error("a screenshot before the first picture")
	}
	want := ".. .. .. .. \n00 10 20 30 \n01 11 21 31 \n02 12 22 32 \n.. .. .. .. \n"
	for _, format := range []media.PixelFormat{media.BGRA, media.RGBA} {
		c.format = format
		if err := show(t, w, marked(), media.Scheduled{}); err != nil {
			t.Fatal(err)
		}
		m, err := w.Screenshot()
		if err != nil {
			t.Fatal(err)
		}
		if got := cells(m); got != want {
			t.Errorf("%v:\n%swant\n%s", format, got, want)
		}
	}
	c.resize(9, 9)
	if _, err := w.Screenshot(); !errors.Is(err, media.ErrOutOfDate) {
		t.Errorf("after a resize: %v", err)
	}
	if err := show(t, w, marked(), media.Scheduled{Repeat: true}); err != nil {
		t.Fatal(err)
	}
	if m, err := w.Screenshot(); err != nil || m.Rect != image.Rect(0, 0, 9, 9) {
		t.Errorf("after the picture was drawn again: %v", err)
	}
	var p media.Presented
	for n := 0; n < 2; n++ {
		if !w.Feedback(&p) {
			t.Fatal("no feedback")
		}
	}
	if w.Feedback(&p) {
		t.Error("feedback about a repeat")
	}
}

func TestWindowPaces(t *testing.T) {
	c, clk := newCanvas(8, 8), &fakeClock{now: 1000 * ms}
	c.hz = 50
	w := newWindow(t, c, clk)
	if d := w.Display(); d.Refresh != 20*time.Millisecond || !d.Throttled || d.Source != media.PresentFence || d.Width != 8 || d.Height != 8 {
		t.Errorf("display %+v", d)
	}
	for _, s := range []struct {
		name           string
		target, actual media.Instant
		missed         int
	}{
		{"ahead of its moment", 1017 * ms, 1017 * ms, 0},
		{"late", 990 * ms, 1017 * ms, 1},
		{"on time at any phase", 1042 * ms, 1042 * ms, 0},
		{"far too early", 9000 * ms, 1142 * ms, 0},
		{"no target: the next refresh", 0, 1142 * ms, 0},
		{"no target: the one after it", 0, 1162 * ms, 0},
	} {
		if err := w.Begin(clk.now.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if err := show(t, w, marked(), media.Scheduled{Target: s.target, Number: 7}); err != nil {
			t.Fatal(err)
		}
		var p media.Presented
		if !w.Feedback(&p) || w.Feedback(&p) {
			t.Fatal("want one report a frame")
		}
		if p.Actual != s.actual || p.Missed != s.missed || p.Target != s.target || p.Number != 7 || p.Copies != 0 || p.Source != media.PresentFence {
			t.Errorf("%s: %+v; want it visible at %d, %d missed", s.name, p, s.actual, s.missed)
		}
	}
	c.hz = 0
	c.events = []media.Event{{Kind: media.EventResize, Width: 8, Height: 8}}
	var e media.Event
	w.Poll(&e)
	if d := w.Display(); d.Refresh != 0 || d.Throttled {
		t.Errorf("on a display of unknown rate: %+v", d)
	}
}

// TestWindowHandsOverEarly checks that the time that handing over takes is not added to
// every picture's lateness, and that one slow picture does not make the others early.
func TestWindowHandsOverEarly(t *testing.T) {
	clk := &fakeClock{now: 1000 * ms}
	c := newCanvas(8, 8)
	c.clk = clk
	w := newWindow(t, c, clk)
	for n := range media.Instant(50) {
		c.takes = 2 * time.Millisecond
		if n == 20 {
			c.takes = 60 * time.Millisecond
		}
		target := (1090 + 90*n) * ms
		if err := show(t, w, marked(), media.Scheduled{Target: target}); err != nil {
			t.Fatal(err)
		}
		var p media.Presented
		w.Feedback(&p)
		off := p.Actual.Sub(target)
		if n == 0 || n == 20 {
			continue // not known yet; slow
		}
		if off < -time.Millisecond/2 || off > time.Millisecond/2 {
			t.Errorf("picture %d is visible %v from its moment", n, off)
		}
	}
}

func TestOffscreenPaces(t *testing.T) {
	clk := &fakeClock{now: 1000 * ms}
	o, err := NewOffscreen(Config{Width: 8, Height: 8, Refresh: 100, Now: clk.Now, Sleep: clk.Sleep})
	if err != nil {
		t.Fatal(err)
	}
	if d := o.Display(); d.Refresh != 10*time.Millisecond || !d.Throttled || d.Source != media.PresentSimulated {
		t.Errorf("display %+v", d)
	}
	f := marked()
	f.Arm(forever{})
	var p media.Presented
	for n, want := range []media.Instant{1000 * ms, 1010 * ms, 1030 * ms} {
		if err := o.Begin(0); err != nil {
			t.Fatal(err)
		}
		target := want
		if n == 1 {
			target = 0
		}
		f.Retain()
		if err := o.Present(&media.Scheduled{Frame: f, Number: uint64(n), Target: target}); err != nil {
			t.Fatal(err)
		}
		if !o.Feedback(&p) || p.Actual != want || p.Source != media.PresentSimulated || p.Missed != 0 {
			t.Errorf("frame %d: %+v, want it visible at %d", n, p, want)
		}
	}
	// The last one becomes visible at 1030.
	clk.now = 1012 * ms
	if err := o.Begin(1015 * ms); !errors.Is(err, media.ErrAgain) || clk.now != 1015*ms {
		t.Errorf("at the deadline: %v at %d", err, clk.now)
	}
	if err := o.Begin(1010 * ms); !errors.Is(err, media.ErrAgain) || clk.now != 1015*ms {
		t.Errorf("after the deadline: %v at %d", err, clk.now)
	}
	if err := o.Begin(1031 * ms); err != nil || clk.now != 1030*ms {
		t.Errorf("before the deadline: %v at %d", err, clk.now)
	}
}

func TestFeedbackForgetsTheOldest(t *testing.T) {
	var r reports
	for i := range maxFeedback + 5 {
		r.push().Number = uint64(i)
	}
	var p media.Presented
	for i := 5; i < maxFeedback+5; i++ {
		if !r.pop(&p) || p.Number != uint64(i) {
			t.Fatalf("report %d, want %d", p.Number, i)
		}
	}
	if r.pop(&p) {
		t.Error("one too many")
	}
}

// TestAllocations presents frames of every format, scaled and not, after the first.
func TestAllocations(t *testing.T) {
	for _, format := range media.PixelFormats() {
		for _, o := range []media.Orientation{{}, {Rotation: 90, Mirror: true}} {
			for i, size := range [][2]int{{32, 24}, {50, 40}, {32, 24}, {50, 40}} {
				c, clk := newCanvas(size[0], size[1]), &fakeClock{now: ms}
				w := newWindow(t, c, clk)
				off, err := NewOffscreen(Config{Width: size[0], Height: size[1], Chroma: Chroma(i / 2)})
				if err != nil {
					t.Fatal(err)
				}
				f := newFrame(format, 32, 24)
				f.Orientation = o
				f.Arm(forever{})
				s := &media.Scheduled{Frame: f}
				p := new(media.Presented)
				e := new(media.Event)
				run := func() {
					c.updates = c.updates[:0]
					f.Retain()
					f.Retain()
					if w.Poll(e) || w.Begin(0) != nil || w.Present(s) != nil || !w.Feedback(p) {
						t.Fatal("window")
					}
					if off.Begin(0) != nil || off.Present(s) != nil || !off.Feedback(p) {
						t.Fatal("offscreen")
					}
				}
				if n := testing.AllocsPerRun(20, run); n != 0 {
					t.Errorf("%v %+v to %v: %v allocations a frame", format, o, size, n)
				}
				if format != media.I420 {
					continue
				}
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				for range 1000 {
					run()
				}
				runtime.ReadMemStats(&after)
				if n := after.Mallocs - before.Mallocs; n > 10 { // the runtime's own
					t.Errorf("%d allocations in 1000 frames", n)
				}
			}
		}
	}
}
