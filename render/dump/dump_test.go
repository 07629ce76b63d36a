package dump

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testPool(t testing.TB) *framepool.Pool {
	t.Helper()
	p, err := framepool.New(framepool.Config{Slots: 2, SlotBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil { // a sink kept a frame
			t.Error(err)
		}
	})
	return p
}

// noisy returns a frame of noise, 25 frames a second.
func noisy(t testing.TB, p *framepool.Pool, format media.PixelFormat, w, h, n int) *media.Frame {
	t.Helper()
	f, err := p.Get()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Layout(f, format, w, h, 0); err != nil {
		t.Fatal(err)
	}
	d := format.Info()
	x := uint32(n)*2654435761 + 12345
	for i := range d.Planes {
		b := f.Planes[i].Data
		for k := range b {
			x ^= x << 13
			x ^= x >> 17
			x ^= x << 5
			b[k] = byte(x)
		}
		for k := 0; d.SampleBytes == 2 && k+1 < len(b); k += 2 {
			v := (uint16(b[k]) | uint16(b[k+1])<<8) >> (16 - d.BitDepth) << d.Shift
			b[k], b[k+1] = byte(v), byte(v>>8)
		}
	}
	f.PTS, f.Duration, f.Timebase = media.Timestamp(n), 1, media.Timebase{Num: 1, Den: 25}
	f.SAR = media.Rational{Num: 1, Den: 1}
	return f
}

func packed(f *media.Frame) []byte {
	var b []byte
	for p := range f.Format.Info().Planes {
		rb, rows := f.Format.PlaneSize(p, f.Width, f.Height)
		for y := range rows {
			b = append(b, f.Planes[p].Data[y*f.Planes[p].Stride:][:rb]...)
		}
	}
	return b
}

func ffmpeg(t *testing.T, in []byte, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("needs the ffmpeg command (package ffmpeg)")
	}
	cmd := exec.Command("ffmpeg", append([]string{"-v", "error"}, args...)...)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffmpeg %v: %v\n%s", args, err, stderr.Bytes())
	}
	return out
}

func TestFrameMD5EqualsFFmpeg(t *testing.T) {
	pool := testPool(t)
	for _, format := range media.PixelFormats() {
		size := [2]int{51, 35}
		if format.Info().Components[0] == 2 {
			size[0]++ // FFmpeg packs 4:2:2 of odd width in its own way
		}
		var out bytes.Buffer
		s, err := NewFrameMD5(Config{Writer: &out})
		if err != nil {
			t.Fatal(err)
		}
		var raw []byte
		for n := range 3 {
			f := noisy(t, pool, format, size[0], size[1], n)
			raw = append(raw, packed(f)...)
			f.SAR = media.Rational{}
			if err := s.Present(&media.Scheduled{Frame: f, Number: uint64(n + 1)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		want := ffmpeg(t, raw, "-f", "rawvideo", "-pix_fmt", format.String(), "-s", fmt.Sprintf("%dx%d", size[0], size[1]),
			"-r", "25", "-i", "-", "-flags", "+bitexact", "-fflags", "+bitexact", "-f", "framemd5", "-")
		if out.String() != string(want) {
			t.Errorf("%v %v:\n%s\nwant\n%s", format, size, out.Bytes(), want)
		}
	}
}

func TestFrameMD5Times(t *testing.T) {
	pool := testPool(t)
	var out bytes.Buffer
	s, _ := NewFrameMD5(Config{Writer: &out, Rate: media.Rational{Num: 50, Den: 1}})
	for n, pts := range []media.Timestamp{100, media.NoTimestamp, -3} {
		f := noisy(t, pool, media.Gray8, 16, 16, n)
		f.PTS, f.Timebase, f.Duration = pts, media.Timebase{Num: 1, Den: 1000}, 40
		f.SAR = media.Rational{Num: 32, Den: 30}
		if err := s.Present(&media.Scheduled{Frame: f}); err != nil {
			t.Fatal(err)
		}
	}
	f := noisy(t, pool, media.Gray8, 16, 16, 9)
	if err := s.Present(&media.Scheduled{Frame: f, Repeat: true}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range map[int]string{3: "#tb 0: 1/50", 7: "#sar 0: 16/15",
		9: "0,          5,          5,        2,      256, ", 10: "0,          7,          7,        2,", 11: "0,          0,          0,        2,"} {
		if len(lines) <= i || !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d: %q, want %q", i, lines[i], want)
		}
	}
	if len(lines) != 13 {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
}

// planarOf names the planar format that holds the same samples.
var planarOf = map[media.PixelFormat]media.PixelFormat{
	media.NV12: media.I420, media.NV21: media.I420, media.NV16: media.I422, media.P010: media.I010, media.P210: media.I210,
	media.YUYV: media.I422, media.UYVY: media.I422,
}

func TestY4M(t *testing.T) {
	pool := testPool(t)
	for _, format := range media.PixelFormats() {
		if format.Info().RGB {
			continue
		}
		for _, size := range [][2]int{{16, 8}, {51, 35}, {1, 1}} {
			var out bytes.Buffer
			s, err := NewY4M(Config{Writer: &out})
			if err != nil {
				t.Fatal(err)
			}
			var planar []byte
			for n := range 2 {
				f := noisy(t, pool, format, size[0], size[1], n)
				f.Color = media.Color{Matrix: media.MatrixBT709, Range: media.RangeFull, Chroma: media.ChromaLeft}
				planar = append(planar, components(f)...)
				if err := s.Present(&media.Scheduled{Frame: f}); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			head, rest, _ := bytes.Cut(out.Bytes(), []byte("\n"))
			if n := len(planar) / 2; !bytes.HasSuffix(head, []byte(" XCOLORRANGE=FULL")) ||
				!bytes.Equal(rest, slices.Concat([]byte("FRAME\n"), planar[:n], []byte("FRAME\n"), planar[n:])) {
				t.Errorf("%v %v: %s: wrong bytes", format, size, head)
			}
			if size[0] > 50 {
				name := format.String()
				if p, ok := planarOf[format]; ok {
					name = p.String()
				}
				got := ffmpeg(t, out.Bytes(), "-f", "yuv4mpegpipe", "-i", "-", "-pix_fmt", name, "-f", "rawvideo", "-")
				if !bytes.Equal(got, planar) {
					t.Errorf("%v %v: ffmpeg reads other pictures", format, size)
				}
			}
		}
	}
}

// components returns the samples of f as a planar picture of the same depth has them.
func components(f *media.Frame) []byte {
	d := f.Format.Info()
	var b []byte
	for c := range 3 {
		if c > 0 && d.Planes == 1 && d.Components[0] == 1 {
			break
		}
		r := newReader(f, d, c)
		w, h := f.Width, f.Height
		if c > 0 {
			w, h = (w+d.ChromaX)>>d.ChromaX, (h+d.ChromaY)>>d.ChromaY
		}
		for y := range h {
			for x := range w {
				v := uint16(r.at(x, y))
				b = append(b, byte(v))
				if d.SampleBytes == 2 {
					b = append(b, byte(v>>8))
				}
			}
		}
	}
	return b
}

func TestY4MRefuses(t *testing.T) {
	pool := testPool(t)
	s, _ := NewY4M(Config{Writer: io.Discard})
	if err := s.Present(&media.Scheduled{Frame: noisy(t, pool, media.RGBA, 16, 16, 0)}); !errors.Is(err, media.ErrNotSupported) {
		t.Errorf("RGBA: %v", err)
	}
	for i, c := range []struct {
		format media.PixelFormat
		w, h   int
		want   error
	}{{media.I420, 16, 16, nil}, {media.I420, 32, 16, media.ErrFormatChanged}, {media.NV12, 16, 16, media.ErrFormatChanged}, {media.I420, 16, 16, nil}} {
		if err := s.Present(&media.Scheduled{Frame: noisy(t, pool, c.format, c.w, c.h, 0)}); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%d: %v, want %v", i, err, c.want)
		}
	}
}

// failing takes n bytes, then fails.
type failing struct {
	n      int
	writes int
	closed int
}

func (w *failing) Write(b []byte) (int, error) {
	w.writes++
	if w.n -= len(b); w.n < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(b), nil
}

func (w *failing) Close() error { w.closed++; return nil }

type videoSink interface {
	Name() string
	Display() media.Display
	Begin(deadline media.Instant) error
	Present(s *media.Scheduled) error
	Feedback(p *media.Presented) bool
	Poll(e *media.Event) bool
	Close() error
}

func TestWriteErrorIsSticky(t *testing.T) {
	pool := testPool(t)
	for name, make := range map[string]func(w io.Writer) videoSink{
		"framemd5": func(w io.Writer) videoSink { s, _ := NewFrameMD5(Config{Writer: w}); return s },
		"y4m":      func(w io.Writer) videoSink { s, _ := NewY4M(Config{Writer: w}); return s },
	} {
		w := &failing{n: 1500}
		s := make(w)
		var first error
		after := 0
		for n := range 50 {
			err := s.Present(&media.Scheduled{Frame: noisy(t, pool, media.I420, 16, 16, n)})
			if first == nil {
				if first = err; err != nil {
					after = w.writes
				}
			} else if err != first {
				t.Errorf("%s: %v, then %v", name, first, err)
			}
		}
		if first == nil || !strings.Contains(first.Error(), "dump: write "+name) || !strings.Contains(first.Error(), "no space left") {
			t.Errorf("%s: %v", name, first)
		}
		if w.writes != after {
			t.Errorf("%s: %d writes after the error", name, w.writes-after)
		}
		if err := s.Begin(0); err != first {
			t.Errorf("%s: Begin: %v", name, err)
		}
		if err := s.Close(); err != nil || w.closed != 1 {
			t.Errorf("%s: Close: %v, closed %d times", name, err, w.closed)
		}
		if s.Close() != nil || w.closed != 1 {
			t.Errorf("%s: closed twice", name)
		}
		if err := s.Present(&media.Scheduled{Frame: noisy(t, pool, media.I420, 16, 16, 0)}); err == nil {
			t.Errorf("%s: Present after Close", name)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", filepath.Join(file, "x"), t.TempDir()} {
		if s, err := NewFrameMD5(Config{Path: path}); err == nil || s != nil {
			t.Errorf("framemd5 to %q: %v", path, err)
		}
		if s, err := NewY4M(Config{Path: path}); err == nil || s != nil {
			t.Errorf("y4m to %q: %v", path, err)
		}
	}
	for _, path := range []string{"", "-", file, filepath.Join(file, "x")} {
		if s, err := NewPNG(Config{Path: path}, nil); err == nil || s != nil {
			t.Errorf("png to %q: %v", path, err)
		}
	}
	pool := testPool(t)
	path := filepath.Join(t.TempDir(), "out.y4m")
	s, err := NewY4M(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	bad := noisy(t, pool, media.I420, 16, 16, 0)
	bad.Planes[1].Data = nil
	if err := s.Present(&media.Scheduled{Frame: bad}); err == nil {
		t.Error("a frame without a plane was written")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestPNG(t *testing.T) {
	pool := testPool(t)
	dir := filepath.Join(t.TempDir(), "a", "b")
	s, err := NewPNG(Config{Path: dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		f := noisy(t, pool, media.RGBA, 20, 10, n)
		f.Orientation.Rotation = 90
		want := packed(f)
		if err := s.Present(&media.Scheduled{Frame: f}); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(filepath.Join(dir, fmt.Sprintf("frame-%06d.png", n+1)))
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		if b := img.Bounds(); b.Dx() != 10 || b.Dy() != 20 {
			t.Fatalf("%v", b)
		}
		// The top left corner of the picture is at the top right.
		r, g, b, _ := img.At(9, 0).RGBA()
		if got := [3]byte{byte(r >> 8), byte(g >> 8), byte(b >> 8)}; got != [3]byte(want[:3]) {
			t.Errorf("%v, want %v", got, want[:3])
		}
	}
	files, _ := os.ReadDir(dir)
	if len(files) != 2 || s.Close() != nil {
		t.Errorf("%d files", len(files))
	}
}

func TestFeedback(t *testing.T) {
	pool := testPool(t)
	now := media.Instant(1000)
	s, _ := NewFrameMD5(Config{Writer: io.Discard, Now: func() media.Instant { now++; return now }})
	for n := range 70 {
		if err := s.Present(&media.Scheduled{Frame: noisy(t, pool, media.Gray8, 16, 16, n), Number: uint64(n)}); err != nil {
			t.Fatal(err)
		}
	}
	var p media.Presented
	for n := 6; n < 70; n++ { // the oldest are lost
		if !s.Feedback(&p) || p.Number != uint64(n) || p.PTS != media.Timestamp(n) || p.Actual != media.Instant(1001+n) || p.Source != media.PresentImmediate {
			t.Fatalf("%d: %+v", n, p)
		}
	}
	if s.Feedback(&p) || s.Poll(nil) || s.Display().Throttled || s.Display().Width != 16 {
		t.Error("too much")
	}
}

func TestNullVblank(t *testing.T) {
	pool := testPool(t)
	const refresh = 10 * time.Millisecond
	now := media.Instant(5_000_000)
	s := NewNull(NullConfig{Refresh: refresh, Now: func() media.Instant { return now }, Sleep: func(u media.Instant) { now = max(now, u) }})
	epoch := now
	var p media.Presented
	for i := range 5 {
		if err := s.Begin(0); err != nil {
			t.Fatal(err)
		}
		s.Present(&media.Scheduled{Frame: noisy(t, pool, media.I420, 16, 16, i), Number: uint64(i), Target: epoch + media.Instant(i+1)*media.Instant(refresh)})
		want := epoch + media.Instant(i+1)*media.Instant(refresh)
		if !s.Feedback(&p) || p.Actual != want || p.Missed != 0 || p.Source != media.PresentSimulated || p.Refresh != refresh {
			t.Fatalf("frame %d: %+v, want %d", i, p, want)
		}
	}
	// A deadline before the next refresh.
	at := now
	if err := s.Begin(at + 1000); err != media.ErrAgain || now != at+1000 {
		t.Errorf("%v at %d", err, now-at)
	}
	if err := s.Begin(0); err != nil {
		t.Error(err)
	}
	// Two refreshes late.
	target := now + media.Instant(refresh)
	now += media.Instant(2*refresh) + 1000
	s.Present(&media.Scheduled{Frame: noisy(t, pool, media.I420, 16, 16, 0), Target: target})
	if !s.Feedback(&p) || p.Missed != 2 {
		t.Errorf("%+v", p)
	}
	if d := s.Display(); !d.Throttled || d.Refresh != refresh || d.Last > now || now.Sub(d.Last) >= refresh {
		t.Errorf("%+v at %d", d, now)
	}
	s.Close()
	if err := s.Present(&media.Scheduled{Frame: noisy(t, pool, media.I420, 16, 16, 0)}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestAllocs(t *testing.T) {
	pool := testPool(t)
	md5, _ := NewFrameMD5(Config{Writer: io.Discard})
	y4m, _ := NewY4M(Config{Writer: io.Discard})
	for name, s := range map[string]videoSink{"framemd5": md5, "y4m": y4m, "null": NewNull(NullConfig{})} {
		f := noisy(t, pool, media.NV12, 50, 20, 0)
		sc := &media.Scheduled{Frame: f}
		step := func() {
			f.Retain()
			if err := errors.Join(s.Begin(0), s.Present(sc)); err != nil {
				t.Fatal(err)
			}
		}
		step()
		if n := testing.AllocsPerRun(200, step); n != 0 {
			t.Errorf("%s: %v allocations a frame", name, n)
		}
		f.Release()
	}
}

// Constant colours come out exact in every format, matrix and range; gradients show siting.
func TestReferenceSiting(t *testing.T) {
	pool := testPool(t)
	for _, l := range []media.ChromaLocation{media.ChromaLeft, media.ChromaCenter, media.ChromaTopLeft, media.ChromaTop, media.ChromaBottomLeft, media.ChromaBottom} {
		f := noisy(t, pool, media.I420, 16, 16, 0)
		f.Color = media.Color{Matrix: media.MatrixBT709, Range: media.RangeFull, Chroma: l}
		for i := range f.Planes[0].Data {
			f.Planes[0].Data[i] = 100
		}
		// Cr rises by 4 a luma sample to the right, Cb by 4 downwards.
		ox, oy := l.Offset()
		for y := range 8 {
			for x := range 8 {
				f.Planes[1].Data[y*f.Planes[1].Stride+x] = byte(96 + 4*(2*float64(y)+oy))
				f.Planes[2].Data[y*f.Planes[2].Stride+x] = byte(96 + 4*(2*float64(x)+ox))
			}
		}
		img := image.NewRGBA(image.Rect(0, 0, 16, 16))
		if err := (&Reference{}).RGBA(f, img); err != nil {
			t.Fatal(err)
		}
		cv := f.Color.Conversion(8)
		for y := 2; y < 13; y++ {
			for x := 2; x < 13; x++ {
				r, g, b := cv.Apply(100./255, (96+4*float64(y))/255, (96+4*float64(x))/255)
				for c, want := range [3]float64{r, g, b} {
					if got := img.Pix[img.PixOffset(x, y)+c]; math.Abs(float64(got)-min(max(want, 0), 1)*255) > 0.5+1e-9 {
						t.Fatalf("%v: %d,%d component %d is %d, want %.3f", l, x, y, c, got, want*255)
					}
				}
			}
		}
		f.Release()
	}
}

// The same picture in every layout gives the same pixels.
func TestReferenceLayouts(t *testing.T) {
	pool := testPool(t)
	want := map[media.PixelFormat]*image.RGBA{}
	for _, format := range media.PixelFormats() {
		f := noisy(t, pool, format, 12, 10, 0)
		d := format.Info()
		f.Color.Range = media.RangeFull
		// Sample c of the picture at x, y of its own grid, as 8 bits.
		value := func(c, x, y int) int { return (x*37 + y*91 + c*53) % 256 }
		for c := range 3 {
			if c > 0 && d.Planes == 1 && d.Components[0] == 1 {
				break
			}
			r := newReader(f, d, c)
			w, h := 12, 10
			if c > 0 {
				w, h = w>>d.ChromaX, h>>d.ChromaY
			}
			for y := range h {
				for x := range w {
					v := value(c, x, y) << (d.BitDepth - 8) << d.Shift
					i := y*r.stride + r.offset + x*r.step
					r.data[i] = byte(v)
					if r.wide {
						r.data[i+1] = byte(v >> 8)
					}
				}
			}
		}
		img := image.NewRGBA(image.Rect(0, 0, 12, 10))
		if err := (&Reference{}).RGBA(f, img); err != nil {
			t.Fatal(err)
		}
		key, ok := planarOf[format]
		switch {
		case format == media.BGRA, format == media.RGB24:
			key = media.RGBA
		case !ok:
			key = format
		}
		if want[key] == nil {
			want[key] = img
		} else if !bytes.Equal(want[key].Pix, img.Pix) {
			t.Errorf("%v differs from %v", format, key)
		}
		f.Release()
	}
}

func TestReferenceOrientation(t *testing.T) {
	pool := testPool(t)
	f := noisy(t, pool, media.I444, 7, 5, 3)
	plain := image.NewRGBA(image.Rect(0, 0, 7, 5))
	if err := (&Reference{}).RGBA(f, plain); err != nil {
		t.Fatal(err)
	}
	var r Reference // reused: the tables must fit each time
	for _, mirror := range []bool{false, true} {
		for rot := media.Rotation(0); rot < 360; rot += 90 {
			f.Orientation = media.Orientation{Rotation: rot, Mirror: mirror}
			w, h := f.DisplaySize()
			img := image.NewRGBA(image.Rect(0, 0, w, h))
			if err := r.RGBA(f, img); err != nil {
				t.Fatal(err)
			}
			for y := range 5 {
				for x := range 7 {
					u := x
					if mirror {
						u = 6 - x
					}
					dx, dy := u, y
					switch rot {
					case 90:
						dx, dy = 4-y, u
					case 180:
						dx, dy = 6-u, 4-y
					case 270:
						dx, dy = y, 6-u
					}
					if img.RGBAAt(dx, dy) != plain.RGBAAt(x, y) {
						t.Fatalf("%+v: %d,%d", f.Orientation, x, y)
					}
				}
			}
		}
	}
	f.Orientation = media.Orientation{}
	big := image.NewRGBA(image.Rect(0, 0, 21, 15)) // times three: centres stay
	if err := r.RGBA(f, big); err != nil {
		t.Fatal(err)
	}
	for y := range 5 {
		for x := range 7 {
			if big.RGBAAt(3*x+1, 3*y+1) != plain.RGBAAt(x, y) {
				t.Fatalf("scaled: %d,%d", x, y)
			}
		}
	}
	if err := r.RGBA(f, image.NewRGBA(image.Rectangle{})); err != nil {
		t.Error(err)
	}
	if err := r.RGBA(&media.Frame{Format: media.I420, Width: 4, Height: 4}, big); err == nil {
		t.Error("a frame without memory")
	}
	f.Release()
}
