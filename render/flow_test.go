package render

import (
	"errors"
	"image"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

func TestGeometryOnTarget(t *testing.T) {
	p := newPool(t, 12, 64*1024)
	for _, c := range []Config{{Filter: FilterLinear, Upload: UploadDirect}, {Filter: FilterNearest, Upload: UploadDirect},
		{Filter: FilterLinear, Upload: UploadGraphicsImage}, {Filter: FilterNearest, Upload: UploadGraphicsImage}} {
		c.Pool, c.Width, c.Height = p, 70, 50
		o := offscreen(t, c)
		for i, format := range []media.PixelFormat{media.I420, media.P010, media.I422, media.I444, media.YUYV, media.RGB24, media.Gray10} {
			for _, rotation := range []media.Rotation{0, 90, 180, 270} {
				f := newFrame(t, p, format, 37, 23, uint64(i))
				f.Orientation = media.Orientation{Rotation: rotation, Mirror: i%2 == 1}
				f.SAR = []media.Rational{{}, {Num: 4, Den: 3}, {Num: 10, Den: 11}}[i%3]
				check2(t, o, f)
			}
		}
	}
}

// check2 is check for scaled pictures, where nearest sampling may fall on either side of
// a boundary between two samples.
func check2(t *testing.T, o *Offscreen, f *media.Frame) {
	t.Helper()
	f.Retain()
	if err := o.Present(&media.Scheduled{Frame: f, Number: 1}); err != nil {
		f.Release()
		t.Fatal(err)
	}
	w, h := o.Size()
	got := image.NewRGBA(image.Rect(0, 0, w, h))
	if err := o.ReadRGBA(got); err != nil {
		t.Fatal(err)
	}
	worst, off, n := compare(f, got, o.cfg.Filter == FilterLinear)
	if o.cfg.Filter == FilterLinear && worst > exact(o)+0.01 || off*1000 > n {
		t.Errorf("%v %+v %v: off by %.3f/255, %d of %d by more than 1", f.Format, f.Orientation, f.SAR, worst, off, n)
	}
	f.Release()
}

// private is the owner of frames outside any pool.
type private struct{ reclaimed int }

func (p *private) ReclaimFrame(*media.Frame) { p.reclaimed++ }

func TestFrameFromElsewhereIsCopiedAndCounted(t *testing.T) {
	p := newPool(t, 4, 64*1024)
	o := offscreen(t, Config{Pool: p})
	own := new(private)
	f := &media.Frame{Format: media.I420, Width: 37, Height: 23, Slot: -1, Color: media.ColorUnspecified}
	for i := range 3 {
		row, rows := f.Format.PlaneSize(i, f.Width, f.Height)
		f.Planes[i] = media.Plane{Data: make([]byte, row*rows), Stride: row, Offset: -1}
	}
	fill(f, 9)
	f.Arm(own)
	check(t, o, f)
	if own.reclaimed != 1 {
		t.Errorf("reclaimed %d times", own.reclaimed)
	}
	var got media.Presented
	if !o.Feedback(&got) || got.Copies != 3 || got.Source != media.PresentImmediate {
		t.Errorf("feedback %+v, want 3 copies", got)
	}
	check(t, o, newFrame(t, p, media.I420, 37, 23, 1))
	if !o.Feedback(&got) || got.Copies != 0 {
		t.Errorf("feedback %+v, want no copies", got)
	}
	// A slot number of another pool is not taken for ours.
	other := newPool(t, 2, 64*1024)
	check(t, o, newFrame(t, other, media.I420, 37, 23, 2))
	if !o.Feedback(&got) || got.Copies != 3 {
		t.Errorf("feedback %+v, want 3 copies", got)
	}
}

func TestRepeatAndRelease(t *testing.T) {
	for _, mode := range []UploadMode{UploadDirect, UploadTransferBuffer, UploadGraphicsImage} {
		p := newPool(t, 6, 64*1024)
		o := offscreen(t, Config{Pool: p, Upload: mode, InFlight: 2, oneQueue: true})
		f := newFrame(t, p, media.NV12, 40, 30, 1)
		f.Retain()
		if err := o.Present(&media.Scheduled{Frame: f, Number: 1}); err != nil {
			t.Fatal(err)
		}
		if err := o.Wait(); err != nil {
			t.Fatal(err)
		}
		want := 1 // what the GPU has copied is not needed any more
		if mode == UploadDirect {
			want = 2
		}
		if f.References() != want {
			t.Errorf("%v: %d references after drawing, want %d", mode, f.References(), want)
		}
		f.Retain()
		if err := o.Present(&media.Scheduled{Frame: f, Number: 2, Repeat: true}); err != nil {
			t.Fatal(err)
		}
		got := image.NewRGBA(image.Rect(0, 0, 40, 30))
		if err := o.ReadRGBA(got); err != nil {
			t.Fatal(err)
		}
		if worst, _, _ := compare(f, got, false); worst > exact(o) {
			t.Errorf("%v: repeated picture is off by %.3f", mode, worst)
		}
		shot, err := o.Screenshot()
		if err != nil {
			t.Fatal(err)
		}
		if worst, _, _ := compare(f, shot, false); worst > exact(o) {
			t.Errorf("%v: screenshot is off by %.3f", mode, worst)
		}
		for i := range uint64(3) {
			if err := o.Present(&media.Scheduled{Frame: newFrame(t, p, media.NV12, 40, 30, i), Number: 3 + i}); err != nil {
				t.Fatal(err)
			}
		}
		if err := o.Wait(); err != nil {
			t.Fatal(err)
		}
		if f.References() != 1 {
			t.Errorf("%v: %d references at the end", mode, f.References())
		}
		f.Release()
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		if n := p.Stats().InUse; n != 0 {
			t.Errorf("%v: %d slots in use after Close", mode, n)
		}
	}
}

// fakeClock moves only when somebody sleeps.
type fakeClock struct{ now media.Instant }

func (c *fakeClock) Now() media.Instant { return c.now }
func (c *fakeClock) Sleep(t media.Instant) {
	if t > c.now {
		c.now = t
	}
}

func TestSimulatedVblank(t *testing.T) {
	p := newPool(t, 8, 64*1024)
	c := &fakeClock{now: 1_000_000}
	const refresh = 10 * time.Millisecond
	o := offscreen(t, Config{Pool: p, Refresh: refresh, Now: c.Now, Sleep: c.Sleep})
	if d := o.Display(); !d.Throttled || d.Refresh != refresh || d.Source != media.PresentSimulated {
		t.Errorf("display %+v", d)
	}
	epoch := c.now
	f := newFrame(t, p, media.I420, 16, 16, 1)
	var got media.Presented
	for i := range int64(5) {
		if err := o.Begin(0); err != nil {
			t.Fatal(err)
		}
		if want := epoch.Add(time.Duration(i) * refresh); c.now != want {
			t.Errorf("frame %d began at %v, want %v", i, c.now.Sub(epoch), want.Sub(epoch))
		}
		f.Retain()
		if err := o.Present(&media.Scheduled{Frame: f, Number: uint64(i + 1), Target: epoch.Add(refresh)}); err != nil {
			t.Fatal(err)
		}
		if o.Feedback(&got) {
			t.Errorf("frame %d was shown before its vblank", i)
		}
		if i == 0 {
			if err := o.Begin(c.now.Add(refresh / 2)); err != media.ErrAgain || c.now != epoch.Add(refresh/2) {
				t.Errorf("Begin with a deadline before the vblank: %v at %v", err, c.now.Sub(epoch))
			}
		}
		if err := o.Wait(); err != nil { // or the GPU might miss the vblank
			t.Fatal(err)
		}
		c.Sleep(epoch.Add(time.Duration(i+1) * refresh))
		if !o.Feedback(&got) || got.Number != uint64(i+1) || got.Actual != c.now || got.Missed != int(i) {
			t.Errorf("feedback %+v, want frame %d at %v with %d missed", got, i+1, c.now, i)
		}
	}
	f.Release()
}

func TestShownBy(t *testing.T) {
	const ms = media.Instant(time.Millisecond)
	p := pending{Presented: media.Presented{Submitted: 100 * ms}}
	for _, c := range []struct {
		notBefore, now, want media.Instant
		refresh              time.Duration
	}{
		{0, 103 * ms, 103 * ms, 10 * time.Millisecond},        // looked soon
		{0, 150 * ms, 110 * ms, 10 * time.Millisecond},        // looked late
		{145 * ms, 150 * ms, 150 * ms, 10 * time.Millisecond}, // the GPU was late
		{0, 150 * ms, 150 * ms, 0},                            // nothing is known
	} {
		p.notBefore = c.notBefore
		if got := p.shownBy(c.now, c.refresh); got != c.want {
			t.Errorf("%+v: got %d ms", c, got/ms)
		}
	}
}

func TestChangeOfShape(t *testing.T) {
	p := newPool(t, 6, 64*1024)
	for _, mode := range []UploadMode{UploadDirect, UploadTransferBufferImage} {
		o := offscreen(t, Config{Pool: p, Upload: mode, InFlight: 2, oneQueue: true})
		for i, c := range []struct {
			format media.PixelFormat
			w, h   int
		}{{media.I420, 40, 30}, {media.P010, 40, 30}, {media.P010, 64, 48}, {media.RGB24, 17, 9}, {media.I420, 2, 2}, {media.YUYV, 1, 1}} {
			f := newFrame(t, p, c.format, c.w, c.h, uint64(i))
			check(t, o, f.Retain())
			if err := o.Present(&media.Scheduled{Frame: f, Repeat: true}); err != nil {
				t.Fatal(err)
			}
			if w, h := o.Size(); w != c.w || h != c.h {
				t.Errorf("%v %v: target of %dx%d", mode, c, w, h)
			}
		}
		// A frame that cannot be shown leaves the picture as it is.
		bad := newFrame(t, p, media.I420, 8, 8, 1)
		bad.Planes[0].Stride = 1
		if err := o.Present(&media.Scheduled{Frame: bad}); err == nil {
			t.Errorf("%v: a stride of 1 was drawn", mode)
		}
		if w, h := o.Size(); w != 1 || h != 1 {
			t.Errorf("%v: after a bad frame the target is %dx%d", mode, w, h)
		}
	}
}

func TestBadFrames(t *testing.T) {
	p := newPool(t, 4, 64*1024)
	o := offscreen(t, Config{Pool: p})
	f := newFrame(t, p, media.I420, 16, 16, 1)
	f.Planes[1].Data = f.Planes[1].Data[:3]
	if err := o.Present(&media.Scheduled{Frame: f}); err == nil {
		t.Error("a plane of 3 bytes was drawn")
	}
	f = newFrame(t, p, media.I420, 16, 16, 1)
	f.Format = 250
	if err := o.Present(&media.Scheduled{Frame: f}); !errors.Is(err, media.ErrNotSupported) {
		t.Errorf("unknown format: %v", err)
	}
	check(t, o, newFrame(t, p, media.I420, 16, 16, 1))
	if n := p.Stats().InUse; n > 1 {
		t.Errorf("%d slots in use", n)
	}
}

func TestConfig(t *testing.T) {
	for name, cfg := range map[string]Config{
		"refresh without a clock": {Refresh: time.Second},
		"half a size":             {Width: 10},
		"negative":                {Width: -1, Height: -1},
		"too many":                {InFlight: 1000},
		"mode":                    {Upload: 99},
	} {
		if o, err := NewOffscreen(cfg); err == nil {
			o.Close()
			t.Errorf("%s: no error", name)
		}
	}
	for _, m := range UploadModes() {
		if got, err := ParseUploadMode(m.String()); err != nil || got != m {
			t.Errorf("%v: %v, %v", m, got, err)
		}
	}
	if _, err := ParseUploadMode("teleport"); err == nil {
		t.Error("teleport is a mode")
	}
}

// TestPresentAllocatesNothing counts over every mode: the validation layer is off, since
// it is the renderer's own work that counts.
func TestPresentAllocatesNothing(t *testing.T) {
	for _, mode := range UploadModes() {
		p := newPool(t, 8, 64*1024)
		o, err := NewOffscreen(Config{Device: device(), Pool: p, Upload: mode, InFlight: 3, oneQueue: true})
		if err != nil {
			t.Skipf("needs a Vulkan device (apt-get install mesa-vulkan-drivers): %v", err)
		}
		frames := make([]*media.Frame, 4)
		for i := range frames {
			frames[i] = newFrame(t, p, media.I420, 256, 16, uint64(i))
		}
		b, err := Bench(o, frames, 1000)
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		s := new(media.Scheduled)
		var got media.Presented
		n := testing.AllocsPerRun(100, func() {
			if err := o.Begin(0); err != nil {
				t.Fatal(err)
			}
			s.Frame = frames[i%4].Retain()
			i++
			if err := o.Present(s); err != nil {
				t.Fatal(err)
			}
			o.Feedback(&got)
		})
		// The runtime itself makes a few allocations in a thousand frames.
		if n != 0 || b.Allocs > 20 {
			t.Errorf("%v: %v allocations a frame, %d in 1,000", mode, n, b.Allocs)
		}
		want := 0
		if mode == UploadStaging {
			want = 3000
		}
		if b.Copies != want {
			t.Errorf("%v: %d copies in 1,000 frames, want %d", mode, b.Copies, want)
		}
		t.Log(b.String())
		for _, f := range frames {
			f.Release()
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
