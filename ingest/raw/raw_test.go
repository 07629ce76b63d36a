package raw

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"

	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testPool(t testing.TB, slots, bytes int) *framepool.Pool {
	t.Helper()
	p, err := framepool.New(framepool.Config{Slots: slots, SlotBytes: bytes})
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

func open(t testing.TB, cfg Config) *Source {
	t.Helper()
	if cfg.Pool == nil {
		cfg.Pool = testPool(t, 2, 1<<18)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	return s
}

// packed returns a frame's planes without padding.
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

// noise returns n bytes that differ from place to place.
func noise(n, seed int) []byte {
	b := make([]byte, n)
	x := uint32(seed)*2654435761 + 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func TestSizesAndSpaces(t *testing.T) {
	for space, c := range colourspaces {
		for _, size := range [][2]int{{1, 1}, {2, 2}, {3, 5}, {17, 15}, {64, 36}, {66, 4}, {176, 144}, {181, 33}} {
			w, h := size[0], size[1]
			n := c.format.Size(w, h)
			in := fmt.Appendf(nil, "YUV4MPEG2 W%d H%d F30000:1001 Ip A1:1 C%s\n", w, h, space)
			for i := range 3 {
				in = append(append(in, []string{"FRAME\n", "FRAME It\n", "FRAME Ip XFOO=BAR\n"}[i]...), noise(n, i)...)
			}
			s := open(t, Config{Reader: bytes.NewReader(in)})
			for i := range 3 {
				f, err := s.ReadFrame()
				if err != nil {
					t.Fatalf("%s %v frame %d: %v", space, size, i, err)
				}
				if err := f.Check(); err != nil {
					t.Fatal(err)
				}
				if f.Format != c.format || f.Color.Chroma != c.chroma || f.PTS != media.Timestamp(i) || f.Timebase != (media.Timebase{Num: 1001, Den: 30000}) ||
					f.Duration != 1 || !f.Key || f.Width != w || f.Height != h {
					t.Errorf("%s %v frame %d: %+v", space, size, i, f)
				}
				if !bytes.Equal(packed(f), noise(n, i)) {
					t.Fatalf("%s %v frame %d: wrong bytes", space, size, i)
				}
				f.Release()
			}
			if _, err := s.ReadFrame(); err != io.EOF {
				t.Errorf("%s %v: %v at the end", space, size, err)
			}
			if st := s.Stats(); st.Frames != 3 || st.Truncated != 0 {
				t.Errorf("%+v", st)
			}
		}
	}
}

func TestHeaders(t *testing.T) {
	for in, want := range map[string]header{
		"YUV4MPEG2 W16 H8": {w: 16, h: 8, format: media.I420, color: color(media.ChromaCenter, 0)},
		"YUV4MPEG2 H8 W16 F25:1 A4:2 It C420mpeg2": {w: 16, h: 8, rate: media.Rational{Num: 25, Den: 1}, sar: media.Rational{Num: 2, Den: 1},
			format: media.I420, color: color(media.ChromaLeft, 0), field: 't'},
		"YUV4MPEG2 W16 H8 XYSCSS=422 Q?":                                       {w: 16, h: 8, format: media.I422, color: color(0, 0)},
		"YUV4MPEG2 W16 H8 C420p10 XYSCSS=420P10 XCOLORRANGE=FULL F0:0 A0:0 I?": {w: 16, h: 8, format: media.I010, color: color(0, media.RangeFull)},
		"YUV4MPEG2 W16 H8 C420paldv XCOLORRANGE=LIMITED XYSCSS=444 Xcomment":   {w: 16, h: 8, format: media.I420, color: color(media.ChromaTopLeft, media.RangeLimited)},
	} {
		got, err := parseHeader(in)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v\nwant %+v", in, got, err, want)
		}
	}
}

func color(l media.ChromaLocation, r media.Range) media.Color {
	c := media.ColorUnspecified
	c.Chroma, c.Range = l, r
	return c
}

var badStreams = map[string]string{
	"":                                              "nothing was sent",
	"YUV":                                           "not Y4M",
	"YUV4MPEG2 W16":                                 "header is cut off",
	"\x00\x00\x00\x18ftypmp42":                      "not Y4M",
	"YUV4MPEG2":                                     "header is cut off",
	"YUV4MPEG2\n":                                   "no width",
	"YUV4MPEG2X W1 H1\n":                            "not Y4M",
	"YUV4MPEG2 W16\n":                               "no height",
	"YUV4MPEG2 W16 Hx\n":                            `"Hx"`,
	"YUV4MPEG2 W-16 H16\n":                          "-16x16: want",
	"YUV4MPEG2 W99999999999999999999 H16\n":         "out of range",
	"YUV4MPEG2 W100000 H16\n":                       "100000x16: want",
	"YUV4MPEG2 W32768 H32768\n":                     "more than 1024 MiB",
	"YUV4MPEG2 W16 H16 F25\n":                       "as 30000:1001",
	"YUV4MPEG2 W16 H16 F-25:1\n":                    "as 30000:1001",
	"YUV4MPEG2 W16 H16 A1:99999999999\n":            "as 30000:1001",
	"YUV4MPEG2 W16 H16 Iz\n":                        "want p, t, b, m",
	"YUV4MPEG2 W16 H16 C411\n":                      `colour space "411": not supported`,
	"YUV4MPEG2 W16 H16 C444alpha\n":                 "convert it first",
	"YUV4MPEG2 W16 H16 XYSCSS=WAT\n":                `"wat"`,
	"YUV4MPEG2 " + strings.Repeat("X", 5000) + "\n": "more than 4096 bytes",
}

func TestBadHeaders(t *testing.T) {
	for in, want := range badStreams {
		s, err := New(Config{Reader: strings.NewReader(in), Name: "x.y4m"})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Open(); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "raw: x.y4m: ") {
			t.Errorf("%.40q: %v, want %q", in, err, want)
		}
		s.Close()
	}
}

const small = "YUV4MPEG2 W4 H2 F25:1 C420jpeg\n" // 12 bytes a picture

func TestDamage(t *testing.T) {
	data := string(noise(12, 1))
	for name, c := range map[string]struct {
		in        string
		frames    int
		eof       bool // errors.Is(err, io.EOF)
		want      string
		truncated int64
	}{
		"no pictures":     {small, 0, true, "EOF", 0},
		"cut in data":     {small + "FRAME\n" + data + "FRAME\n" + data[:5], 1, true, "frame 1 of stream is cut off after 5 of 12 bytes", 1},
		"cut in chroma":   {small + "FRAME\n" + data[:11], 0, true, "cut off after 11 of 12 bytes", 1},
		"cut after FRAME": {small + "FRAME\n" + data + "FRAME\n", 1, true, "cut off after 0 of 12", 1},
		"cut in marker":   {small + "FRAME\n" + data + "FRA", 1, true, "cut off after 0 of 12", 1},
		"cut in params":   {small + "FRAME It", 0, true, "cut off after 0 of 12", 1},
		"wrong marker":    {small + "FRAME\n" + data + "xFRAME\n" + data, 1, false, "expected FRAME", 0},
		"FRAMES":          {small + "FRAMES\n" + data, 0, false, "expected FRAME", 0},
		"long params":     {small + "FRAME " + strings.Repeat("x", 5000) + "\n" + data, 0, false, "FRAME line of more than", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Config{Reader: strings.NewReader(c.in)})
			for range c.frames {
				f, err := s.ReadFrame()
				if err != nil {
					t.Fatal(err)
				}
				f.Release()
			}
			_, err := s.ReadFrame()
			if err == nil || errors.Is(err, io.EOF) != c.eof || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if _, err := s.ReadFrame(); err != io.EOF {
				t.Errorf("after the end: %v", err)
			}
			if st := s.Stats(); st.Truncated != c.truncated || st.Frames != int64(c.frames) {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestHeaderless(t *testing.T) {
	for _, format := range media.PixelFormats() {
		const w, h = 19, 7
		n := format.Size(w, h)
		in := append(noise(n, 1), noise(n, 2)...)
		in = append(in, 1, 2, 3)
		s := open(t, Config{Reader: iotest.OneByteReader(bytes.NewReader(in)), Format: format, Width: w, Height: h, Rate: media.Rational{Num: 50, Den: 1}})
		for i := range 2 {
			f, err := s.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(packed(f), noise(n, i+1)) {
				t.Fatalf("%v: wrong bytes", format)
			}
			f.Release()
		}
		if _, err := s.ReadFrame(); !errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "cut off after 3 of") {
			t.Errorf("%v: %v", format, err)
		}
		if got := s.Info().Streams[0]; got.Format != format || got.FrameRate.Num != 50 {
			t.Errorf("%+v", got)
		}
	}
	for name, c := range map[string]Config{
		"no reader": {Format: media.I420, Width: 4, Height: 4},
		"no format": {Reader: strings.NewReader(""), Width: 4, Height: 4},
		"no size":   {Reader: strings.NewReader(""), Format: media.I420},
		"absurd":    {Reader: strings.NewReader(""), Format: media.RGBA64, Width: MaxSize, Height: MaxSize},
		"negative":  {Reader: strings.NewReader(""), Format: media.I420, Width: -4, Height: 4},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestPoolErrors(t *testing.T) {
	pool := testPool(t, 1, 4096)
	s := open(t, Config{Reader: strings.NewReader("YUV4MPEG2 W640 H480\nFRAME\n"), Pool: pool})
	if _, err := s.ReadFrame(); err == nil || !strings.Contains(err.Error(), "slot") {
		t.Errorf("a picture larger than a slot: %v", err)
	}
	if st := pool.Stats(); st.InUse != 0 {
		t.Errorf("%d slots leaked", st.InUse)
	}
	s.UsePool(testPool(t, 1, 1<<20))
	if _, err := s.ReadFrame(); !errors.Is(err, io.EOF) { // the marker is not read twice
		t.Errorf("after giving a larger pool: %v", err)
	}
	s, _ = New(Config{Reader: strings.NewReader(small)})
	if _, err := s.ReadFrame(); err == nil {
		t.Error("ReadFrame before Open")
	}
	s.Close()
	broken := open(t, Config{Reader: io.MultiReader(strings.NewReader(small+"FRAME\n12"), iotest.ErrReader(errors.New("disk on fire"))), Name: "d"})
	if _, err := broken.ReadFrame(); err == nil || !strings.Contains(err.Error(), "raw: read frame 0 of d: disk on fire") {
		t.Errorf("%v", err)
	}
}

func TestSeek(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.y4m")
	in := []byte(small)
	for i := range 10 {
		in = append(append(in, frameMarker...), noise(12, i)...)
	}
	if err := os.WriteFile(path, in, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Reader: file})
	if in := s.Info(); !in.Seekable || in.Duration != 400*time.Millisecond || in.Streams[0].Duration != 10 {
		t.Errorf("%+v", in)
	}
	for _, c := range []struct {
		t time.Duration
		n int
	}{{0, 0}, {399 * time.Millisecond, 9}, {40 * time.Millisecond, 1}, {39 * time.Millisecond, 0}, {-5, 0}, {79999 * time.Microsecond, 1}} {
		if err := s.Seek(c.t); err != nil {
			t.Fatal(err)
		}
		for n := c.n; n < min(c.n+2, 10); n++ {
			f, err := s.ReadFrame()
			if err != nil || f.PTS != media.Timestamp(n) || !bytes.Equal(packed(f), noise(12, n)) {
				t.Fatalf("seek to %v: frame %d: %v", c.t, n, err)
			}
			f.Release()
		}
	}
	for _, at := range []time.Duration{400 * time.Millisecond, time.Hour} {
		if err := s.Seek(at); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ReadFrame(); err != io.EOF {
			t.Errorf("seek to %v: %v", at, err)
		}
	}
	if err := s.Seek(0); err != nil { // also after the end: --loop
		t.Fatal(err)
	}
	f, err := s.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	f.Release()

	// FRAME parameters in the middle: refused, and reading goes on where it was.
	uneven := open(t, Config{Reader: bytes.NewReader(append(append([]byte(small+"FRAME It\n"), noise(12, 0)...), append([]byte(frameMarker), noise(12, 1)...)...))})
	if err := uneven.Seek(40 * time.Millisecond); !errors.Is(err, media.ErrNotSupported) {
		t.Errorf("seek over FRAME parameters: %v", err)
	}
	f, err = uneven.ReadFrame()
	if err != nil || !bytes.Equal(packed(f), noise(12, 0)) {
		t.Fatalf("after a refused seek: %v", err)
	}
	f.Release()
	pipe := open(t, Config{Reader: iotest.HalfReader(strings.NewReader(small))})
	if err := pipe.Seek(0); !errors.Is(err, media.ErrNotSupported) || pipe.Info().Seekable {
		t.Errorf("seek in a pipe: %v", err)
	}
}

// blocking gives readers on which nothing arrives, each with a function that ends them.
func blocking(t *testing.T) map[string]io.Reader {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	// A pipe that the poller doesn't know, as standard input is: Fd() makes it blocking.
	r2, w2, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w2.Close() })
	r2.Fd()
	c, c2 := net.Pipe()
	t.Cleanup(func() { c2.Close() })
	p, pw := io.Pipe()
	t.Cleanup(func() { pw.Close() })
	m := map[string]io.Reader{"pipe": r, "conn": c, "io.Pipe": p}
	if runtime.GOOS == "linux" || runtime.GOOS == "darwin" {
		m["blocking pipe"] = r2
	}
	return m
}

func TestInterruptWhileReading(t *testing.T) {
	for name, r := range blocking(t) {
		t.Run("open "+name, func(t *testing.T) {
			s, err := New(Config{Reader: r})
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error)
			go func() { done <- s.Open() }()
			runtime.Gosched()
			s.Interrupt()
			if err := <-done; !errors.Is(err, os.ErrClosed) {
				t.Errorf("%v", err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	for name, r := range blocking(t) {
		t.Run("read "+name, func(t *testing.T) {
			pool := testPool(t, 1, 4096)
			s, err := New(Config{Reader: r, Pool: pool, Format: media.I420, Width: 4, Height: 2})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Open(); err != nil {
				t.Fatal(err)
			}
			done := make(chan error)
			go func() {
				_, err := s.ReadFrame()
				done <- err
			}()
			for pool.Stats().InUse == 0 { // until it reads
				runtime.Gosched()
			}
			s.Interrupt()
			if err := <-done; !errors.Is(err, os.ErrClosed) {
				t.Errorf("%v", err)
			}
			if _, err := s.ReadFrame(); !errors.Is(err, os.ErrClosed) {
				t.Errorf("later: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if pool.Stats().InUse != 0 {
				t.Error("leaked a slot")
			}
		})
	}
}

func TestInterruptWhileWaitingForSlot(t *testing.T) {
	s := open(t, Config{Reader: bytes.NewReader(make([]byte, 1000)), Pool: testPool(t, 1, 4096), Format: media.I420, Width: 4, Height: 2})
	f, err := s.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := s.ReadFrame()
		done <- err
	}()
	runtime.Gosched()
	s.Interrupt()
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v", err)
	}
	if err := s.Seek(0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v", err)
	}
	f.Release()
}

// endless yields one Y4M picture over and over.
type endless struct {
	picture []byte
	at      int
}

func (e *endless) Read(b []byte) (int, error) {
	n := copy(b, e.picture[e.at:])
	e.at = (e.at + n) % len(e.picture)
	return n, nil
}

func TestAllocs(t *testing.T) {
	for _, w := range []int{64, 854, 17} { // without padding, with moved rows
		e := &endless{picture: append([]byte(frameMarker), noise(media.I420.Size(w, 16), 1)...)}
		head := strings.NewReader(fmt.Sprintf("YUV4MPEG2 W%d H16\n", w))
		s := open(t, Config{Reader: io.MultiReader(head, e)})
		step := func() {
			f, err := s.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			f.Release()
		}
		step()
		if n := testing.AllocsPerRun(200, step); n != 0 {
			t.Errorf("width %d: %v allocations a frame", w, n)
		}
		if moved := s.Stats().Moved; (w == 64) != (moved == 0) {
			t.Errorf("width %d: %d planes moved", w, moved)
		}
	}
}

func TestFFmpegY4M(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("needs the ffmpeg command (package ffmpeg)")
	}
	for _, pixFmt := range []string{"yuv420p", "yuv422p", "yuv444p", "gray", "gray10le", "yuv420p10le", "yuv422p10le", "yuv444p12le", "yuv420p12le"} {
		src := []string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=s=50x38:r=30000/1001", "-frames:v", "3", "-pix_fmt", pixFmt, "-strict", "-1", "-color_range", "pc", "-f"}
		y4m, err := exec.Command("ffmpeg", append(src, "yuv4mpegpipe", "-")...).Output()
		if err != nil {
			t.Fatalf("%s: %v", pixFmt, err)
		}
		want, err := exec.Command("ffmpeg", append(src, "rawvideo", "-")...).Output()
		if err != nil {
			t.Fatalf("%s: %v", pixFmt, err)
		}
		s := open(t, Config{Reader: bytes.NewReader(y4m)})
		var got []byte
		for {
			f, err := s.ReadFrame()
			if err != nil {
				if err != io.EOF {
					t.Error(err)
				}
				break
			}
			got = append(got, packed(f)...)
			f.Release()
		}
		st := s.Info().Streams[0]
		if md5.Sum(got) != md5.Sum(want) || len(want) == 0 || st.Format.String() != pixFmt || st.FrameRate != (media.Rational{Num: 30000, Den: 1001}) {
			t.Errorf("%s: %d bytes of %v, want %d", pixFmt, len(got), st.Format, len(want))
		}
		if st.Color.Range != media.RangeFull {
			t.Errorf("%s: range %v", pixFmt, st.Color.Range)
		}
	}
}

func TestFieldOrder(t *testing.T) {
	s := open(t, Config{Reader: strings.NewReader("YUV4MPEG2 W4 H2 Ib\n")})
	if s.FieldOrder() != 'b' {
		t.Errorf("%q", s.FieldOrder())
	}
	if err := s.ReadAudio(&media.AudioBlock{}); err != io.EOF {
		t.Errorf("ReadAudio: %v", err)
	}
}

func FuzzY4M(f *testing.F) {
	for in := range badStreams {
		f.Add([]byte(in))
	}
	f.Add(append([]byte(small+frameMarker), noise(12, 0)...))
	f.Add(append([]byte("YUV4MPEG2 W17 H3 F1:1 Ip A1:1 C444p10 XCOLORRANGE=FULL\nFRAME Ip\n"), noise(306, 0)...))
	f.Add([]byte(small + "FRAME\n" + small))
	pool := testPool(f, 2, 1<<16)
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := New(Config{Reader: bytes.NewReader(in), Pool: pool})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if s.Open() != nil {
			return
		}
		st := s.Info().Streams[0]
		if st.Width < 1 || st.Height < 1 || st.Format.Size(st.Width, st.Height) > MaxBytes || !st.Timebase.Valid() {
			t.Fatalf("accepted %+v", st)
		}
		total := 0
		for {
			f, err := s.ReadFrame()
			if err != nil {
				break
			}
			if err := f.Check(); err != nil {
				t.Fatal(err)
			}
			total += st.Format.Size(f.Width, f.Height)
			f.Release()
		}
		if total > len(in) {
			t.Fatalf("%d bytes of pictures out of %d", total, len(in))
		}
		if n := pool.Stats().InUse; n != 0 {
			t.Fatalf("%d frames leaked", n)
		}
	})
}
