package file

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/libav"
	"github.com/scanout-av/scanout/media"
)

func needFFmpeg(t testing.TB) {
	t.Helper()
	if _, err := libav.Open(); err != nil {
		t.Skipf("needs FFmpeg's libraries: %v", err)
	}
}

// generate makes a clip with the ffmpeg command.
func generate(t testing.TB, name string, args ...string) string {
	t.Helper()
	needFFmpeg(t)
	p, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("needs the ffmpeg command: apt-get install ffmpeg")
	}
	out := filepath.Join(t.TempDir(), name)
	if b, err := exec.Command(p, append(append([]string{"-v", "error", "-y"}, args...), out)...).CombinedOutput(); err != nil {
		t.Skipf("needs an ffmpeg command that can run %v: %v: %s", args, err, b)
	}
	return out
}

// clip makes 4 s of video with a keyframe each second and B-frames, and sound.
func clip(t testing.TB, name string) string {
	return generate(t, name, "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
		"-t", "4", "-c:v", "libx264", "-g", "25", "-bf", "3", "-sc_threshold", "0", "-c:a", "aac", "-metadata:s:a:0", "language=deu")
}

func write(t testing.TB, name string, b []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func open(t testing.TB, url string) *Source {
	t.Helper()
	s, err := Open(context.Background(), Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestBadInput checks that each kind of bad input gives one line that says what and why.
func TestBadInput(t *testing.T) {
	needFFmpeg(t)
	text := write(t, "notes.txt", []byte(strings.Repeat("This is a line of text, and not media.\n", 200)))
	noise := make([]byte, 10000)
	for i := range noise {
		noise[i] = byte(i * i >> 3)
	}
	locked := write(t, "locked.mp4", noise)
	if err := os.Chmod(locked, 0); err != nil {
		t.Fatal(err)
	}
	srt := write(t, "a.srt", []byte("1\n00:00:01,000 --> 00:00:02,000\nHello\n\n2\n00:00:03,000 --> 00:00:04,000\nWorld\n"))
	video := generate(t, "v.mp4", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-frames:v", "5", "-c:v", "libx264")
	b, err := os.ReadFile(video)
	if err != nil {
		t.Fatal(err)
	}
	unknown := write(t, "unknown.mp4", bytes.ReplaceAll(b, []byte("avc1"), []byte("zzq9")))
	cut := write(t, "cut.mp4", b[:len(b)/2])
	for _, c := range []struct {
		name, url string
		is        error
		says      string
	}{
		{"missing", "/no/such/film.mp4", fs.ErrNotExist, "check the path"},
		{"missing url", "file:/no/such/film.mp4", fs.ErrNotExist, ""},
		{"nothing", "", nil, "no file"},
		{"folder", t.TempDir(), nil, "folder"},
		{"empty", write(t, "empty.mp4", nil), nil, "empty"},
		{"text", text, nil, "text file"},
		{"text as mp4", write(t, "text.mp4", []byte(strings.Repeat("no media here\n", 100))), nil, "not a media file"},
		{"noise", write(t, "noise.mkv", noise), nil, ""},
		{"locked", locked, fs.ErrPermission, "may not read"},
		{"subtitles", srt, nil, "neither pictures nor sound"},
		{"unknown codec", unknown, media.ErrNotSupported, "coding format"},
		{"cut", cut, nil, ""},
		{"protocol", "gopherx://host/film", media.ErrNotSupported, "protocol"},
		{"nul", "a\x00b", nil, "NUL"},
		{"refused", "http://127.0.0.1:1/film.mp4", nil, "refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "locked" && os.Geteuid() == 0 {
				t.Skip("needs a user who is not root")
			}
			s, err := Open(context.Background(), Config{URL: c.url})
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q, want %v and %q", err, c.is, c.says)
			}
			t.Log(err)
		})
	}
	_, err = Open(context.Background(), Config{URL: video, Options: map[string]string{"nonesuch": "1"}})
	if err == nil || !strings.Contains(err.Error(), "nonesuch") {
		t.Errorf("an unknown option: %v", err)
	}
	s, err := Open(context.Background(), Config{URL: video, Options: map[string]string{"ignore_editlist": "1"}})
	if err != nil {
		t.Errorf("a known option: %v", err)
	} else {
		s.Close()
	}
}

// TestNoFFmpeg runs in a process that looks for FFmpeg in an empty folder.
func TestNoFFmpeg(t *testing.T) {
	if os.Getenv("SCANOUT_TEST_NO_FFMPEG") != "" {
		_, err := Open(context.Background(), Config{URL: "film.mp4"})
		if !errors.Is(err, media.ErrNotSupported) || !strings.Contains(err.Error(), "install") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v", err)
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=TestNoFFmpeg$")
	cmd.Env = append(os.Environ(), "SCANOUT_TEST_NO_FFMPEG=1", libav.FolderVariable+"="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestInfo(t *testing.T) {
	s := open(t, clip(t, "12:30 a.mkv")) // the name is not a protocol
	in := s.Info()
	if !in.Seekable || in.Live || in.Duration < 3900*time.Millisecond || in.Duration > 4100*time.Millisecond || in.Format != "matroska,webm" {
		t.Errorf("%+v", in)
	}
	v, a := in.Best(media.KindVideo), in.Best(media.KindAudio)
	if v == nil || a == nil {
		t.Fatal("no stream found")
	}
	if v.Codec != "h264" || v.Width != 160 || v.Height != 90 || v.FrameRate != (media.Rational{Num: 25, Den: 1}) || !v.Timebase.Valid() ||
		v.Native == 0 || len(v.ExtraData) == 0 || v.CoverArt || v.Profile == "" {
		t.Errorf("%+v", v)
	}
	if a.Codec != "aac" || a.SampleRate != 48000 || a.Channels != 1 || !(a.Language == "ger" || a.Language == "deu") {
		t.Errorf("%+v", a)
	}
}

func TestCoverArt(t *testing.T) {
	png := generate(t, "c.png", "-f", "lavfi", "-i", "testsrc2=size=64x64", "-frames:v", "1")
	song := generate(t, "s.flac", "-f", "lavfi", "-i", "sine=duration=1", "-i", png, "-map", "0", "-map", "1", "-disposition:v", "attached_pic", "-c:v", "copy")
	in := open(t, song).Info()
	if v := in.Best(media.KindVideo); v == nil || !v.CoverArt {
		t.Errorf("%+v", v)
	}
}

// TestRead reads everything, and then only one stream.
func TestRead(t *testing.T) {
	now := media.Instant(0)
	s, err := Open(context.Background(), Config{URL: clip(t, "a.mp4"), Now: func() media.Instant { now++; return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v, a := s.Info().Best(media.KindVideo).Index, s.Info().Best(media.KindAudio).Index
	count := func() map[int]int {
		n := map[int]int{}
		var au media.AccessUnit
		for {
			err := s.Read(&au)
			if err == io.EOF {
				return n
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(au.Data) == 0 || !au.PTS.Valid() || au.Received == 0 || !au.Timebase.Valid() {
				t.Errorf("%+v", au)
			}
			n[au.Stream]++
			au.Release()
			au.Release() // an empty unit: nothing happens
		}
	}
	if n := count(); n[v] != 100 || n[a] < 180 {
		t.Errorf("%v", n)
	}
	if err := s.Seek(0); err != nil {
		t.Fatal(err)
	}
	s.Select(v)
	if n := count(); n[v] != 100 || len(n) != 1 {
		t.Errorf("selected %d: %v", v, n)
	}
	s.Close()
	if s.packets.out != 0 {
		t.Errorf("%d packets were not given back", s.packets.out)
	}
}

// TestDescriptors opens and closes, well and badly, and counts open files.
func TestDescriptors(t *testing.T) {
	count := func() int {
		d, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("needs /proc/self/fd")
		}
		return len(d)
	}
	path := clip(t, "a.mp4")
	bad := write(t, "bad.mp4", bytes.Repeat([]byte("bad"), 1000))
	open(t, path).Close()
	before := count()
	for range 10 {
		open(t, path).Close()
		if s, err := Open(context.Background(), Config{URL: bad}); err == nil {
			s.Close()
			t.Error("opened")
		}
		if s, err := Open(context.Background(), Config{URL: path, Options: map[string]string{"nonesuch": "1"}}); err == nil {
			s.Close()
			t.Error("opened")
		}
	}
	if n := count(); n > before {
		t.Errorf("%d open files, %d before", n, before)
	}
}

// TestSeek compares each seek with the keyframes that reading everything finds.
func TestSeek(t *testing.T) {
	for _, name := range []string{"a.mp4", "a.mkv", "a.ts"} {
		t.Run(name, func(t *testing.T) {
			s := open(t, clip(t, name))
			v := s.Info().Best(media.KindVideo)
			s.Select(v.Index)
			var keys []media.Timestamp
			var au media.AccessUnit
			for s.Read(&au) == nil {
				if au.Key {
					keys = append(keys, au.PTS)
				}
				au.Release()
			}
			if len(keys) != 4 {
				t.Fatalf("keyframes at %v", keys)
			}
			for ms := 3950; ms > -200; ms -= 53 {
				at := s.Info().Start + time.Duration(ms)*time.Millisecond
				want := keys[0]
				for _, k := range keys {
					if k <= v.Timebase.Ticks(at) {
						want = k
					}
				}
				if err := s.Seek(at); err != nil {
					t.Fatal(err)
				}
				if err := s.Read(&au); err != nil {
					t.Fatal(err)
				}
				if au.PTS != want || !au.Key {
					t.Errorf("seek to %v ms: unit at %d (key %v), want %d", ms, au.PTS, au.Key, want)
				}
				au.Release()
			}
		})
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	s := open(t, clip(t, "a.mkv"))
	var au media.AccessUnit
	step := func() {
		if err := s.Read(&au); err != nil {
			t.Fatal(err)
		}
		au.Release()
	}
	for range 10 {
		step()
	}
	if n := testing.AllocsPerRun(200, step); n != 0 {
		t.Errorf("%v allocations per unit", n)
	}
}

// TestOutlive keeps an access unit beyond the source.
func TestOutlive(t *testing.T) {
	s := open(t, clip(t, "a.mp4"))
	var au media.AccessUnit
	if err := s.Read(&au); err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(au.Data)
	s.Close()
	if !bytes.Equal(before, au.Data) {
		t.Error("the data changed")
	}
	done := make(chan bool)
	go func() { au.Release(); close(done) }()
	<-done
	if err := s.Read(&au); err != os.ErrClosed {
		t.Errorf("Read after Close: %v", err)
	}
	if err := s.Seek(0); err != os.ErrClosed {
		t.Errorf("Seek after Close: %v", err)
	}
	s.Select(0)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestHTTP(t *testing.T) {
	path := clip(t, "a.mp4")
	var requests atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		http.ServeFile(w, r, path)
	}))
	defer srv.Close()
	s := open(t, srv.URL+"/a.mp4")
	if !s.Info().Seekable || s.Info().Live {
		t.Errorf("%+v", s.Info())
	}
	if err := s.Seek(2 * time.Second); err != nil {
		t.Error(err)
	}
	var au media.AccessUnit
	if err := s.Read(&au); err != nil {
		t.Fatal(err)
	}
	au.Release()
	if requests.Load() == 0 {
		t.Error("nobody asked the server")
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	defer gone.Close()
	if _, err := Open(context.Background(), Config{URL: gone.URL}); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a page that is not there: %v", err)
	}
}

// TestStalled interrupts a source whose server has stopped sending: while opening, by the
// context, and while reading.
func TestStalled(t *testing.T) {
	b, err := os.ReadFile(clip(t, "a.ts"))
	if err != nil {
		t.Fatal(err)
	}
	stalled := make(chan bool, 8)
	release := make(chan bool)
	var send atomic.Int32
	send.Store(int32(len(b)))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write(b[:send.Load()])
		w.(http.Flusher).Flush()
		time.Sleep(50 * time.Millisecond) // as live sources do between pictures
		w.Write(b[:send.Load()])
		w.(http.Flusher).Flush()
		stalled <- true
		<-release
	}))
	defer srv.Close()
	defer close(release)

	s := open(t, srv.URL) // a whole clip, and then silence
	<-stalled
	if !s.Info().Live {
		t.Errorf("%+v", s.Info())
	}
	if err := s.Seek(0); !errors.Is(err, media.ErrNotSupported) {
		t.Errorf("Seek of a live source: %v", err)
	}
	result := make(chan error)
	go func() {
		var au media.AccessUnit
		for {
			if err := s.Read(&au); err != nil {
				result <- err
				return
			}
			au.Release()
		}
	}()
	s.Interrupt()
	if err := <-result; err != os.ErrClosed {
		t.Errorf("interrupted Read: %v", err)
	}
	s.Close()

	send.Store(100) // too little to open
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-stalled; cancel() }()
	if _, err := Open(ctx, Config{URL: srv.URL}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled Open: %v", err)
	}
	// Close alone ends a blocked Read, too.
	send.Store(int32(len(b)))
	s2 := open(t, srv.URL)
	<-stalled
	go func() {
		var au media.AccessUnit
		for {
			if err := s2.Read(&au); err != nil {
				result <- err
				return
			}
			au.Release()
		}
	}()
	s2.Close()
	if err := <-result; err != os.ErrClosed {
		t.Errorf("Read during Close: %v", err)
	}
}

// TestInterruptedAfterAnError: a source that is interrupted between an error and what it
// comes to says that it was interrupted, and nothing else.
func TestInterruptedAfterAnError(t *testing.T) {
	s := open(t, clip(t, "a.ts"))
	s.Interrupt()
	for _, cause := range []error{errLate, errBloat, os.ErrClosed} {
		if err := s.readError(cause); err != os.ErrClosed {
			t.Errorf("%v: %v", cause, err)
		}
		if err := s.reconnect(cause); err != os.ErrClosed {
			t.Errorf("%v, connecting again: %v", cause, err)
		}
	}
}

// TestPipe plays from a named pipe, whose writer comes late, and interrupts one whose
// writer never comes.
func TestPipe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs named pipes of a Unix")
	}
	b, err := os.ReadFile(clip(t, "a.ts"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "pipe")
	if out, err := exec.Command("mkfifo", path).CombinedOutput(); err != nil {
		t.Skipf("needs mkfifo: %v %s", err, out)
	}
	go func() {
		w, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return
		}
		w.Write(b)
		w.Close()
	}()
	s := open(t, path)
	if !s.Info().Live || s.Info().Seekable {
		t.Errorf("%+v", s.Info())
	}
	n := 0
	var au media.AccessUnit
	for s.Read(&au) == nil {
		n++
		au.Release()
	}
	if n < 280 {
		t.Errorf("%d units", n)
	}
	s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ctx, Config{URL: path}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func FuzzScheme(f *testing.F) {
	for _, s := range []string{"", ":", "a:", "http://x", "C:\\film", "12:30.mp4", "rtsp+tcp://h", "-", "%d.png"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if scheme(s) && (!strings.Contains(s, ":") || strings.HasPrefix(s, "/")) {
			t.Errorf("%q has a scheme", s)
		}
		src := &Source{}
		if _, _, err := src.locate(strings.ReplaceAll(s, "/", "_") + "\x00"); err == nil {
			t.Error("a NUL was accepted")
		}
	})
}
