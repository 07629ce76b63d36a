package pattern

import (
	"errors"
	"image"
	"io"
	"math"
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testPool holds slots frames of up to w×h in any format; closing it reports leaks.
func testPool(t testing.TB, slots, w, h int) *framepool.Pool {
	t.Helper()
	p, err := framepool.New(framepool.Config{Slots: slots, SlotBytes: framepool.FrameBytes(media.I412, w, h, 0)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func testSource(t testing.TB, c Config) *Source {
	t.Helper()
	if c.Pool == nil {
		c.Pool = testPool(t, 2, c.Width, c.Height)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustRead(t testing.TB, s *Source) *media.Frame {
	t.Helper()
	f, err := s.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// sample returns the codes at luma position x, y.
func sample(f *media.Frame, x, y int) [3]float64 {
	d := f.Format.Info()
	read := func(p, i, y int) float64 {
		at := f.Planes[p].Data[y*f.Planes[p].Stride+i*d.SampleBytes:]
		v := uint16(at[0])
		if d.SampleBytes == 2 {
			v |= uint16(at[1]) << 8
		}
		return float64(v >> d.Shift)
	}
	cx, cy := x>>d.ChromaX, y>>d.ChromaY
	switch {
	case d.Planes == 1:
		half := float64(int(1) << (d.BitDepth - 1))
		return [3]float64{read(0, x, y), half, half}
	case f.Format == media.NV21:
		return [3]float64{read(0, x, y), read(1, 2*cx+1, cy), read(1, 2*cx, cy)}
	case d.Planes == 2:
		return [3]float64{read(0, x, y), read(1, 2*cx, cy), read(1, 2*cx+1, cy)}
	}
	return [3]float64{read(0, x, y), read(1, cx, cy), read(2, cx, cy)}
}

func rgbAt(f *media.Frame, x, y int) [3]float64 {
	bits := f.Format.Info().BitDepth
	cv := f.Color.Conversion(bits)
	top := math.Exp2(float64(bits)) - 1
	v := sample(f, x, y)
	r, g, b := cv.Apply(v[0]/top, v[1]/top, v[2]/top)
	return [3]float64{r, g, b}
}

// toRGBA converts by nearest chroma, which the flat parts of the pattern don't notice.
func toRGBA(f *media.Frame) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, f.Width, f.Height))
	for y := range f.Height {
		for x := range f.Width {
			for c, v := range rgbAt(f, x, y) {
				img.Pix[img.PixOffset(x, y)+c] = uint8(min(max(v, 0), 1)*255 + 0.5)
			}
		}
	}
	return img
}

func TestEveryFormatMatrixAndRange(t *testing.T) {
	pool := testPool(t, 1, 163, 99)
	bars := [8][3]float64{{1, 1, 1}, {1, 1, 0}, {0, 1, 1}, {0, 1, 0}, {1, 0, 1}, {1, 0, 0}, {0, 0, 1}, {0, 0, 0}}
	formats := 0
	for _, format := range media.PixelFormats() {
		if !paintable(format) {
			continue
		}
		formats++
		for _, m := range matrices {
			for _, r := range []media.Range{media.RangeLimited, media.RangeFull} {
				c := Config{Width: 163, Height: 99, Format: format, Color: m.color, Pool: pool}
				c.Color.Range = r
				s := testSource(t, c)
				f := mustRead(t, s)
				if err := f.Check(); err != nil {
					t.Fatal(err)
				}
				bits := format.Info().BitDepth
				// One code of rounding in each component.
				tolerance := 3 / math.Exp2(float64(bits))
				if format.Info().Planes > 1 {
					for i, want := range bars {
						x := 163*i/8 + 10
						for c, got := range rgbAt(f, x, 10) {
							if math.Abs(got-0.75*want[c]) > tolerance {
								t.Errorf("%v %v %v: 75 %% bar %d component %d is %.4f", format, m.name, r, i, c, got)
							}
						}
						for c, got := range rgbAt(f, 162-x, s.paint.bars100.y+2) {
							if math.Abs(got-want[c]) > tolerance {
								t.Errorf("%v %v %v: 100 %% bar %d component %d is %.4f", format, m.name, r, i, c, got)
							}
						}
					}
				}
				one := float64(int(1) << (bits - 8))
				lo, hi := 16*one, 235*one
				if r == media.RangeFull {
					lo, hi = 0, math.Exp2(float64(bits))-1
				}
				// Peak white and black of the flash square and the code band, exactly.
				fl := s.paint.flash
				if got := sample(f, fl.x+1, fl.y+1); got[0] != hi || got[1] != 128*one || got[2] != 128*one {
					t.Errorf("%v %v %v: white is %v", format, m.name, r, got)
				}
				cell := s.paint.cell(1)
				if got := sample(f, cell.x, cell.y); got[0] != lo || got[1] != 128*one {
					t.Errorf("%v %v %v: black is %v", format, m.name, r, got)
				}
				if n, err := ReadFrameNumber(f); err != nil || n != 0 {
					t.Errorf("%v %v %v: number %d, %v", format, m.name, r, n, err)
				}
				f.Release()
			}
		}
	}
	if formats < 16 {
		t.Errorf("only %d formats", formats)
	}
}

// Every sample of every plane is painted, whatever the size: a second, differently
// prepared memory gives the same picture.
func TestPaintsEverything(t *testing.T) {
	for _, size := range [][2]int{{16, 16}, {17, 16}, {16, 17}, {17, 19}, {31, 33}, {33, 63}, {64, 64}, {65, 127}, {127, 65}, {130, 98}, {129, 97}, {333, 41}, {41, 333}, {641, 361}} {
		for _, format := range []media.PixelFormat{media.I420, media.I422, media.I444, media.P010, media.NV21, media.Gray10} {
			pool := testPool(t, 2, size[0], size[1])
			for i := range int32(2) {
				b := pool.SlotData(i)
				for k := range b {
					b[k] = byte(0x55 << i)
				}
			}
			c := Config{Width: size[0], Height: size[1], Format: format, Pool: pool}
			s := testSource(t, c)
			f := mustRead(t, s)
			s.Seek(0)
			g := mustRead(t, s)
			if f.Slot == g.Slot {
				t.Fatal("the same slot twice")
			}
			for p := range format.Info().Planes {
				rb, rows := format.PlaneSize(p, size[0], size[1])
				for y := range rows {
					a, b := f.Planes[p].Data[y*f.Planes[p].Stride:], g.Planes[p].Data[y*g.Planes[p].Stride:]
					for x := range rb {
						if a[x] != b[x] {
							t.Fatalf("%v %v: byte %d of row %d of plane %d is not painted", format, size, x, y, p)
						}
					}
					for x := rb; x < f.Planes[p].Stride; x++ {
						if a[x] != 0x55 {
							t.Fatalf("%v %v: byte %d beyond row %d of plane %d is painted", format, size, x, y, p)
						}
					}
				}
			}
			f.Release()
			g.Release()
		}
	}
}

// Painting only what has changed gives what painting everything gives.
func TestRepaintEqualsPaint(t *testing.T) {
	for _, format := range []media.PixelFormat{media.I420, media.P010} {
		c := Config{Width: 322, Height: 182, Rate: media.Rational{Num: 12, Den: 1}, Format: format}
		c.Pool = testPool(t, 3, c.Width, c.Height)
		s := testSource(t, c)
		c.Pool = testPool(t, 1, c.Width, c.Height)
		var held *media.Frame // so that slots alternate
		for n := range 40 {
			f := mustRead(t, s)
			fresh := testSource(t, c)
			fresh.Seek(time.Duration(n)*time.Second/12 + 1)
			g := mustRead(t, fresh)
			if f.PTS != g.PTS {
				t.Fatalf("frame %d after a seek is %d", f.PTS, g.PTS)
			}
			if a, b := f.Planes[0].Data, g.Planes[0].Data; string(a) != string(b) || string(f.Planes[1].Data) != string(g.Planes[1].Data) {
				t.Fatalf("%v: frame %d differs", format, n)
			}
			g.Release()
			if held != nil {
				held.Release()
			}
			held = f
		}
		held.Release()
	}
}

func TestNoticesForeignWriter(t *testing.T) {
	pool := testPool(t, 1, 320, 180)
	s := testSource(t, Config{Width: 320, Height: 180, Pool: pool})
	f := mustRead(t, s)
	want := string(f.Planes[0].Data[:180*f.Planes[0].Stride])
	f.Release()
	for name, spoil := range map[string]func(){
		"as a frame": func() {
			f, _ := pool.Get()
			pool.Layout(f, media.I420, 320, 180, 0)
			f.Planes[0].Data[5000] ^= 255 // not in the code
			f.Release()
		},
		"as bare memory": func() {
			slot, _ := pool.GetSlot()
			clear(pool.SlotData(slot))
			pool.PutSlot(slot)
		},
	} {
		spoil()
		s.Seek(0)
		f := mustRead(t, s)
		if string(f.Planes[0].Data[:180*f.Planes[0].Stride]) != want {
			t.Errorf("%s: the picture is damaged", name)
		}
		f.Release()
	}
}

func TestFrameFields(t *testing.T) {
	s := testSource(t, Config{Width: 64, Height: 48, Rate: media.Rational{Num: 60000, Den: 1001}, Duration: 100 * time.Millisecond})
	tb := media.Timebase{Num: 1001, Den: 60000}
	for n := range 6 { // 5.99 frames in 100 ms: the sixth begins before the end
		f := mustRead(t, s)
		if f.PTS != media.Timestamp(n) || f.Duration != 1 || f.Timebase != tb || !f.Key || f.SAR != (media.Rational{Num: 1, Den: 1}) ||
			f.Color.Matrix != media.MatrixBT601 || f.Color.Range != media.RangeLimited || f.References() != 1 {
			t.Errorf("frame %d: %+v", n, f)
		}
		if got, err := ReadFrameNumber(f); err != nil || got != uint32(n) {
			t.Errorf("frame %d says %d, %v", n, got, err)
		}
		f.Release()
	}
	for range 2 {
		if _, err := s.ReadFrame(); err != io.EOF {
			t.Errorf("after the end: %v", err)
		}
	}
	in := s.Info()
	if in.Duration != 100*time.Millisecond || !in.Seekable || in.Live || len(in.Streams) != 1 || in.Streams[0].Duration != 6 {
		t.Errorf("%+v", in)
	}
}

func TestSeek(t *testing.T) {
	s := testSource(t, Config{Width: 64, Height: 48, Rate: media.Rational{Num: 30000, Den: 1001}, Beep: true})
	for at, want := range map[time.Duration]media.Timestamp{
		0: 0, -time.Second: 0, 33 * time.Millisecond: 0, 34 * time.Millisecond: 1,
		1001 * time.Second: 30000, 3600 * time.Hour: 388411588,
	} {
		if err := s.Seek(at); err != nil {
			t.Fatal(err)
		}
		f := mustRead(t, s)
		if f.PTS != want {
			t.Errorf("seek to %v: frame %d, want %d", at, f.PTS, want)
		}
		var b media.AudioBlock
		if err := s.ReadAudio(&b); err != nil {
			t.Fatal(err)
		}
		if d := f.Timebase.Duration(f.PTS) - b.Timebase.Duration(b.PTS); d.Abs() > 11*time.Microsecond {
			t.Errorf("seek to %v: sound is %v off", at, d)
		}
		f.Release()
	}
}

func TestInterrupt(t *testing.T) {
	pool := testPool(t, 1, 64, 48)
	s := testSource(t, Config{Width: 64, Height: 48, Pool: pool, Beep: true})
	f := mustRead(t, s)
	done := make(chan error)
	go func() {
		_, err := s.ReadFrame() // waits: the only slot is out
		done <- err
	}()
	runtime.Gosched()
	s.Interrupt()
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("ReadFrame: %v", err)
	}
	f.Release()
	s.Interrupt()
	if _, err := s.ReadFrame(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("later ReadFrame: %v", err)
	}
	if err := s.ReadAudio(&media.AudioBlock{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("ReadAudio: %v", err)
	}
	if err := s.Seek(0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Seek: %v", err)
	}
}

func TestNewErrors(t *testing.T) {
	pool := testPool(t, 1, 64, 48)
	for name, c := range map[string]Config{
		"small":        {Width: 15, Height: 16, Pool: pool},
		"height only":  {Height: 16, Pool: pool},
		"large":        {Width: 16385, Height: 16, Pool: pool},
		"packed":       {Format: media.YUYV, Pool: pool},
		"rgb":          {Format: media.RGBA, Pool: pool},
		"rate":         {Rate: media.Rational{Num: -1, Den: 1}, Pool: pool},
		"fast":         {Rate: media.Rational{Num: 20000, Den: 1}, Pool: pool},
		"duration":     {Duration: -1, Pool: pool},
		"sample rate":  {SampleRate: 7, Pool: pool},
		"channels":     {Channels: 99, Pool: pool},
		"chroma":       {Color: media.Color{Matrix: media.MatrixBT709, Chroma: 99}, Pool: pool},
		"color range":  {Color: media.Color{Matrix: media.MatrixBT709, Range: 99}, Pool: pool},
		"zero rate":    {Rate: media.Rational{Num: 0, Den: 1}, Pool: pool},
		"unknown fmt":  {Format: 200, Pool: pool},
		"negative dim": {Width: -64, Height: -48, Pool: pool},
	} {
		if s, err := New(c); err == nil || s != nil {
			t.Errorf("%s: no error", name)
		}
	}
	bare, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bare.ReadFrame(); err == nil {
		t.Error("a frame without a pool")
	}
	bare.UsePool(pool)
	if _, err := bare.ReadFrame(); err == nil {
		t.Error("1920x1080 in a slot for 64x48")
	}
	s := testSource(t, Config{Width: 640, Height: 480, Pool: pool})
	if _, err := s.ReadFrame(); err == nil {
		t.Error("a picture larger than the slot was painted")
	}
	if st := pool.Stats(); st.InUse != 0 {
		t.Errorf("%d frames leaked", st.InUse)
	}
}

func TestAllocs(t *testing.T) {
	s := testSource(t, Config{Width: 640, Height: 360, Rate: media.Rational{Num: 120, Den: 1}, Beep: true})
	var b media.AudioBlock
	step := func() {
		f, err := s.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		f.Release()
		if err := s.ReadAudio(&b); err != nil {
			t.Fatal(err)
		}
	}
	step()
	if n := testing.AllocsPerRun(500, step); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 1000 {
		step()
	}
	runtime.ReadMemStats(&after)
	// The runtime itself may allocate now and then.
	if n := after.Mallocs - before.Mallocs; n > 50 {
		t.Errorf("%d allocations in 1000 frames", n)
	}
}

func BenchmarkFrame1080p120(b *testing.B) {
	for _, format := range []media.PixelFormat{media.I420, media.P010, media.I412} {
		b.Run(format.String(), func(b *testing.B) {
			pool, err := framepool.New(framepool.Config{Slots: 4, SlotBytes: framepool.FrameBytes(format, 1920, 1080, 0)})
			if err != nil {
				b.Fatal(err)
			}
			defer pool.Close()
			s := testSource(b, Config{Width: 1920, Height: 1080, Format: format, Rate: media.Rational{Num: 120, Den: 1}, Pool: pool})
			var queue [4]*media.Frame // all slots turn, as they do behind a pacer
			for i := range queue {
				queue[i] = mustRead(b, s)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				queue[i].Release()
				queue[i] = mustRead(b, s)
				i = (i + 1) % len(queue)
			}
			for _, f := range queue {
				f.Release()
			}
		})
	}
}
