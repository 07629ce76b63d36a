package ffmpeg

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/ingest/file"
	"github.com/scanout-av/scanout/internal/libav"
	"github.com/scanout-av/scanout/media"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if n := libav.LiveAllocators(); n != 0 && code == 0 {
		println("frame allocators leaked:", n)
		code = 1
	}
	os.Exit(code)
}

// mediaDir finds the shared test media.
func mediaDir(t testing.TB) string {
	t.Helper()
	if d := os.Getenv("SCANOUT_MEDIA"); d != "" {
		return d
	}
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			d := filepath.Join(dir, "..", "shared", "media")
			if _, err := os.Stat(d); err == nil {
				return d
			}
			break
		}
		dir = filepath.Dir(dir)
	}
	t.Skip("needs the shared test media: set SCANOUT_MEDIA to their folder")
	return ""
}

func needFFmpeg(t testing.TB) {
	t.Helper()
	if _, err := libav.Open(); err != nil {
		t.Skipf("needs FFmpeg's libraries: %v", err)
	}
}

// tool returns the ffmpeg command.
func tool(t testing.TB) string {
	t.Helper()
	p, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("needs the ffmpeg command: apt-get install ffmpeg")
	}
	return p
}

// generate makes a clip with the ffmpeg command.
func generate(t testing.TB, name string, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	cmd := exec.Command(tool(t), append(append([]string{"-v", "error", "-y"}, args...), out)...)
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("needs an ffmpeg command that can run %v: %v: %s", args, err, b)
	}
	return out
}

// deck is an opened file with a decoder and a pool.
type deck struct {
	t      testing.TB
	src    *file.Source
	stream media.Stream
	pool   *framepool.Pool
	dec    *Video
	au     media.AccessUnit
	ended  bool
	errs   int
}

func newDeck(t testing.TB, path string, threads int, live bool) *deck {
	t.Helper()
	needFFmpeg(t)
	src, err := file.Open(context.Background(), file.Config{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	d := &deck{t: t, src: src}
	for _, s := range src.Info().Streams { // like -map 0:v:0
		if s.Kind == media.KindVideo {
			d.stream = s
			break
		}
	}
	src.Select(d.stream.Index)
	bytes, err := SlotBytes(d.stream)
	if err != nil {
		t.Fatal(err)
	}
	d.pool, err = framepool.New(framepool.Config{Slots: SlotsNeeded(d.stream, threads) + 2, SlotBytes: bytes, Trace: true})
	if err != nil {
		t.Fatal(err)
	}
	d.dec, err = NewVideo(Config{Stream: d.stream, Pool: d.pool, Threads: threads, Live: live})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// next returns the next frame, io.EOF after the last.
func (d *deck) next() (*media.Frame, error) {
	for {
		f, err := d.dec.Receive()
		if err != media.ErrAgain {
			return f, err
		}
		if d.ended {
			return nil, errors.New("a drained decoder wants more")
		}
		switch err := d.src.Read(&d.au); err {
		case nil:
			if d.dec.Send(&d.au) != nil {
				d.errs++
			}
		case io.EOF:
			d.ended = true
			d.dec.Send(nil)
		default:
			return nil, err
		}
	}
}

func (d *deck) close() {
	d.t.Helper()
	d.dec.Close()
	d.src.Close()
	if err := d.pool.Close(); err != nil {
		d.t.Error(err)
	}
}

// hashFrame writes the visible planes, tightly packed.
func hashFrame(h hash.Hash, f *media.Frame) {
	for p := range f.Format.Info().Planes {
		n, rows := f.Format.PlaneSize(p, f.Width, f.Height)
		for y := range rows {
			h.Write(f.Planes[p].Data[y*f.Planes[p].Stride:][:n])
		}
	}
}

// reference returns ffmpeg's hashes of every frame.
func reference(t *testing.T, path string) []string {
	t.Helper()
	cmd := exec.Command(tool(t), "-v", "quiet", "-flags", "+unaligned", "-noautorotate", "-i", path,
		"-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-")
	out, _ := cmd.Output() // damaged files end with an error
	var sums []string
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		if l := s.Text(); !strings.HasPrefix(l, "#") {
			sums = append(sums, strings.TrimSpace(l[strings.LastIndex(l, ",")+1:]))
		}
	}
	return sums
}

func TestFrameMD5(t *testing.T) {
	dir := mediaDir(t)
	tool(t)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range files {
		switch filepath.Ext(e.Name()) {
		case ".md", ".tsv":
			continue
		}
		path := filepath.Join(dir, e.Name())
		var once sync.Once
		var want []string
		for _, threads := range []int{1, 2} {
			t.Run(e.Name()+"/"+string(rune('0'+threads)), func(t *testing.T) {
				once.Do(func() { want = reference(t, path) })
				d := newDeck(t, path, threads, false)
				defer d.close()
				n, bad := 0, 0
				for {
					f, err := d.next()
					if err == io.EOF {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
					h := md5.New()
					hashFrame(h, f)
					if got := hex.EncodeToString(h.Sum(nil)); n >= len(want) || got != want[n] {
						if bad++; bad < 4 {
							t.Errorf("frame %d (pts %d) differs", n, f.PTS)
						}
					}
					n++
					f.Release()
				}
				st := d.dec.Stats()
				if n != len(want) {
					t.Errorf("%d frames, ffmpeg has %d", n, len(want))
				}
				if bad > 0 {
					t.Errorf("%d frames differ", bad)
				}
				// libdav1d brings its own memory; this conformance stream shows a small part
				// of its pictures, which nothing says before they are decoded.
				outside := d.stream.Codec == "av1" || e.Name() == "CVFC1_Sony_C.jsv"
				if st.Fallbacks != 0 && !outside || st.Copies != 0 {
					t.Errorf("%+v", st)
				}
				t.Logf("%s %dx%d %v: %d frames, %+v, peak %d of %d slots", d.stream.Codec, d.stream.Width, d.stream.Height,
					d.stream.Format, n, st, d.pool.Stats().Peak, d.pool.Stats().Slots)
			})
		}
	}
}

func TestConformance(t *testing.T) {
	dir := mediaDir(t)
	b, err := os.ReadFile(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		t.Skip(err)
	}
	streams := 0
	for _, line := range strings.Split(string(b), "\n") {
		p := strings.Split(line, "\t")
		if len(p) < 4 || len(p[3]) != 32 {
			continue
		}
		streams++
		t.Run(p[0], func(t *testing.T) {
			d := newDeck(t, filepath.Join(dir, p[0]), 2, false)
			defer d.close()
			h := md5.New()
			for {
				f, err := d.next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if f.Format != media.I420 {
					t.Fatalf("format %v", f.Format)
				}
				hashFrame(h, f)
				f.Release()
			}
			if got := hex.EncodeToString(h.Sum(nil)); got != p[3] {
				t.Errorf("MD5 %s, want %s", got, p[3])
			}
		})
	}
	if streams != 13 {
		t.Errorf("%d conformance streams in the manifest, want 13", streams)
	}
	runtime.GC()
}
