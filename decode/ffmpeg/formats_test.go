package ffmpeg

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/ingest/file"
	"github.com/scanout-av/scanout/media"
)

// sums decodes everything and returns the frames' hashes.
func (d *deck) sums() (sums []string) {
	d.t.Helper()
	for {
		f, err := d.next()
		if err == io.EOF {
			return sums
		}
		if err != nil {
			d.t.Fatal(err)
		}
		h := md5.New()
		hashFrame(h, f)
		sums = append(sums, hex.EncodeToString(h.Sum(nil)))
		f.Release()
	}
}

// TestFormats decodes pixel formats that package media knows, knows by another name, and
// does not know.
func TestFormats(t *testing.T) {
	for _, c := range []struct {
		codec, format, ext string
		want               media.PixelFormat
		copied             bool
	}{
		{"ffv1", "yuv422p", "mkv", media.I422, false},
		{"ffv1", "yuv444p10le", "mkv", media.I410, false},
		{"ffv1", "yuv422p12le", "mkv", media.I212, false},
		{"ffv1", "gray", "mkv", media.Gray8, false},
		{"ffv1", "yuva420p", "mkv", media.I420, false},
		{"ffv1", "bgr0", "mkv", media.BGRA, false},
		{"mjpeg", "yuvj422p", "mkv", media.I422, false},
		{"png", "rgb24", "mkv", media.RGB24, false},
		{"png", "rgba", "mkv", media.RGBA, false},
		{"rawvideo", "nv12", "nut", media.NV12, false},
		{"rawvideo", "uyvy422", "nut", media.UYVY, false},
		{"libx264rgb", "rgb24", "mkv", media.FormatUnknown, true}, // gbrp
		{"ffv1", "gbrp10le", "mkv", media.RGBA64, true},
		{"ffv1", "yuv440p", "mkv", media.I444, true},
		{"ffv1", "yuv411p", "mkv", media.I422, true},
		{"png", "pal8", "mkv", media.RGBA, true},
		{"rawvideo", "bgr24", "avi", media.RGB24, true}, // bottom-up
		{"rawvideo", "bgr0", "avi", media.BGRA, true},   // bottom-up
	} {
		t.Run(c.codec+" "+c.format, func(t *testing.T) {
			path := generate(t, "a."+c.ext, "-f", "lavfi", "-i", "testsrc2=size=70x54:rate=10", "-frames:v", "4",
				"-c:v", c.codec, "-pix_fmt", c.format)
			d := newDeck(t, path, 1, false)
			f, err := d.next()
			if err != nil {
				t.Fatal(err)
			}
			if f.Format != c.want && !c.copied {
				t.Errorf("%v, want %v", f.Format, c.want)
			}
			if full := strings.HasPrefix(c.format, "yuvj"); full && f.Color.Range != media.RangeFull {
				t.Errorf("range %v", f.Color.Range)
			}
			if c.copied && f.Slot < 0 {
				t.Error("a converted picture lies outside the pool")
			}
			if err := f.Check(); err != nil {
				t.Error(err)
			}
			h := md5.New()
			hashFrame(h, f)
			got := append([]string{hex.EncodeToString(h.Sum(nil))}, "")
			name := f.Format.String()
			if strings.HasPrefix(c.format, "yuvj") || c.codec+c.format == "ffv1bgr0" {
				name = c.format
			}
			f.Release()
			got = append(got[:1], d.sums()...)
			out, err := exec.Command(tool(t), "-v", "error", "-i", path, "-fps_mode", "passthrough", "-pix_fmt", name,
				"-sws_flags", "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp", "-f", "framemd5", "-").Output()
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, l := range strings.Split(string(out), "\n") {
				if l != "" && l[0] != '#' {
					want = append(want, strings.TrimSpace(l[strings.LastIndex(l, ",")+1:]))
				}
			}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("as %s: %v, ffmpeg %v", name, got, want)
			}
			st := d.dec.Stats()
			if (st.Copies != 0) != c.copied || st.Copies != 0 && st.Copies != 4 {
				t.Errorf("%+v", st)
			}
			t.Logf("%s → %s, %+v", c.format, name, st)
			d.close()
		})
	}
}

// TestChanges decodes a stream that changes its size and its format.
func TestChanges(t *testing.T) {
	dir := t.TempDir()
	var all bytes.Buffer
	var want []string
	sizes := [][3]string{{"320x180", "yuv420p", "a.h264"}, {"176x98", "yuv420p", "b.h264"}, {"320x180", "yuv444p", "c.h264"}}
	for _, s := range sizes {
		p := generate(t, s[2], "-f", "lavfi", "-i", "testsrc2=size="+s[0]+":rate=25", "-frames:v", "8", "-c:v", "libx264", "-bf", "0", "-pix_fmt", s[1])
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
		want = append(want, reference(t, p)...)
	}
	path := filepath.Join(dir, "all.h264")
	if err := os.WriteFile(path, all.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, threads := range []int{1, 2} {
		d := newDeck(t, path, threads, false)
		got := d.sums()
		if strings.Join(got, " ") != strings.Join(want, " ") || len(want) != 24 {
			t.Errorf("%d threads: %d frames, want %d, or other pictures", threads, len(got), len(want))
		}
		t.Logf("%+v", d.dec.Stats())
		d.close()
	}
}

// TestForeignUnits decodes access units whose memory is Go's, as a network source's is.
func TestForeignUnits(t *testing.T) {
	path := generate(t, "a.mp4", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-frames:v", "12", "-c:v", "libx264")
	want := reference(t, path)
	d := newDeck(t, path, 1, false)
	defer d.close()
	d.dec.Close()
	d.stream.Native = 0
	var err error
	now := media.Instant(0)
	d.dec, err = NewVideo(Config{Stream: d.stream, Pool: d.pool, Threads: 1, Now: func() media.Instant { now += 1000; return now }})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	var received media.Instant
	take := func() {
		for {
			f, err := d.dec.Receive()
			if err != nil {
				return
			}
			if f.Received == 0 || f.Assembled != f.Received+1 || f.Decoded == 0 {
				t.Errorf("stamps %d %d %d", f.Received, f.Assembled, f.Decoded)
			}
			if f.PTS != media.Timestamp(f.Received) {
				t.Errorf("frame %d has the stamp of %d", f.PTS, f.Received)
			}
			received = f.Received
			h := md5.New()
			hashFrame(h, f)
			got = append(got, hex.EncodeToString(h.Sum(nil)))
			f.Release()
		}
	}
	for d.src.Read(&d.au) == nil {
		au := d.au
		au.Data = bytes.Clone(d.au.Data)
		au.Owner, au.Native = nil, 0
		au.PTS++ // so that no stamp is 0
		au.DTS++
		au.Received, au.Assembled = media.Instant(au.PTS), media.Instant(au.PTS+1)
		d.au.Release()
		if err := d.dec.Send(&au); err != nil {
			t.Fatal(err)
		}
		take()
	}
	d.dec.Send(nil)
	take()
	if strings.Join(got, " ") != strings.Join(want, " ") || received == 0 {
		t.Errorf("%d frames, want %d, or other pictures", len(got), len(want))
	}
}

// TestLive gives each picture of a stream without reordering at once.
func TestLive(t *testing.T) {
	path := generate(t, "a.ts", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-frames:v", "12", "-c:v", "libx264", "-tune", "zerolatency")
	d := newDeck(t, path, 0, true)
	defer d.close()
	n := 0
	for d.src.Read(&d.au) == nil {
		if err := d.dec.Send(&d.au); err != nil {
			t.Fatal(err)
		}
		f, err := d.dec.Receive()
		if err != nil {
			t.Fatalf("unit %d: %v", n, err)
		}
		f.Release()
		n++
	}
	if n != 12 {
		t.Errorf("%d units", n)
	}
}

// TestLiveReorders plays a stream with B-frames live: late, but whole and in order.
func TestLiveReorders(t *testing.T) {
	d := newDeck(t, generate(t, "a.ts", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-frames:v", "50", "-c:v", "libx264", "-bf", "3"), 0, true)
	defer d.close()
	n, last := 0, media.NoTimestamp
	for {
		f, err := d.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if f.PTS <= last {
			t.Errorf("%d after %d", f.PTS, last)
		}
		n, last = n+1, f.PTS
		f.Release()
	}
	if n != 50 {
		t.Errorf("%d frames", n)
	}
}

// TestTooLarge refuses pictures above MaxPixels, unit by unit.
func TestTooLarge(t *testing.T) {
	d := newDeck(t, generate(t, "a.h264", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-frames:v", "5", "-c:v", "libx264"), 1, false)
	defer d.close()
	c := Config{Stream: d.stream, Pool: d.pool, MaxPixels: 1000, Threads: 1}
	if _, err := NewVideo(c); !errors.Is(err, media.ErrNotSupported) || !strings.Contains(err.Error(), "160x90") {
		t.Errorf("declared: %v", err)
	}
	c.Stream.Native, c.Stream.Width, c.Stream.Height = 0, 0, 0 // found out while decoding
	dec, err := NewVideo(c)
	if err != nil {
		t.Fatal(err)
	}
	d.dec.Close()
	d.dec = dec
	if n := len(d.sums()); n != 0 || d.dec.Stats().Errors == 0 || d.errs == 0 {
		t.Errorf("%d frames, %+v, %d reported", n, d.dec.Stats(), d.errs)
	}
}

func TestSeekAndFlush(t *testing.T) {
	path := generate(t, "a.mp4", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-frames:v", "100", "-c:v", "libx264", "-g", "25", "-bf", "3", "-sc_threshold", "0")
	for _, threads := range []int{1, 2} {
		d := newDeck(t, path, threads, false)
		tb := d.stream.Timebase
		for i, at := range []float64{2.5, 0, 3.99, 1.0, 1.01, 0.5, 60} {
			for range 3 + i { // leave something in the decoder
				if f, err := d.next(); err == nil {
					f.Release()
				}
			}
			want := float64(int(min(at, 3.99))) // the keyframe at each whole second
			if err := d.src.Seek(d.src.Info().Start + time.Duration(at*1e9)); err != nil {
				t.Fatal(err)
			}
			d.dec.Flush(uint32(i + 1))
			d.ended = false
			f, err := d.next()
			if err != nil {
				t.Fatal(err)
			}
			got := tb.Duration(f.PTS).Seconds()
			if got != want || !f.Key || f.Serial != uint32(i+1) {
				t.Errorf("%d threads, seek to %v: picture at %v (key %v, serial %d), want %v", threads, at, got, f.Key, f.Serial, want)
			}
			f.Release()
		}
		d.close()
	}
}

// TestDescription checks what frames carry besides pictures.
func TestDescription(t *testing.T) {
	first := func(t *testing.T, path string, check func(f *media.Frame)) {
		d := newDeck(t, path, 1, false)
		defer d.close()
		f, err := d.next()
		if err != nil {
			t.Fatal(err)
		}
		check(f)
		f.Release()
	}
	dir := mediaDir(t)
	first(t, filepath.Join(dir, "hlg10-color-test.mp4"), func(f *media.Frame) {
		if c := f.Color; c.Primaries != media.PrimariesBT2020 || c.Transfer != media.TransferHLG || c.Matrix != media.MatrixBT2020 || f.Format != media.I010 {
			t.Errorf("%v %v", c, f.Format)
		}
	})
	first(t, filepath.Join(dir, "sample_rotate_and_reflect.mp4"), func(f *media.Frame) {
		// ffmpeg turns pictures upright by itself: the luma planes must agree.
		upright, err := exec.Command(tool(t), "-v", "error", "-i", filepath.Join(dir, "sample_rotate_and_reflect.mp4"),
			"-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-").Output()
		if err != nil {
			t.Fatal(err)
		}
		w, h := f.DisplaySize()
		if f.Orientation == (media.Orientation{}) || len(upright) != w*h*3/2 {
			t.Fatalf("%+v, %dx%d, %d bytes", f.Orientation, w, h, len(upright))
		}
		wrong := 0
		for y := range f.Height {
			for x := range f.Width {
				u, v, uw, uh := x, y, f.Width, f.Height
				if f.Orientation.Mirror {
					u = uw - 1 - u
				}
				for range f.Orientation.Rotation / 90 {
					u, v, uw, uh = uh-1-v, u, uh, uw
				}
				if upright[v*w+u] != f.Planes[0].Data[y*f.Planes[0].Stride+x] {
					wrong++
				}
			}
		}
		if wrong != 0 {
			t.Errorf("%+v: %d samples are elsewhere", f.Orientation, wrong)
		}
	})
	sar := generate(t, "sar.mp4", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-frames:v", "2", "-vf", "setsar=4/3", "-c:v", "libx264",
		"-color_range", "pc", "-colorspace", "bt470bg", "-color_primaries", "bt470bg", "-color_trc", "smpte170m")
	first(t, sar, func(f *media.Frame) {
		if f.SAR != (media.Rational{Num: 4, Den: 3}) || f.Color.Range != media.RangeFull || f.Color.Matrix != media.MatrixBT470BG {
			t.Errorf("SAR %v, %v", f.SAR, f.Color)
		}
		if w, h := f.DisplaySize(); w != 213 || h != 90 {
			t.Errorf("displays %dx%d", w, h)
		}
		if f.Duration.Valid() && f.Timebase.Duration(f.Duration).Milliseconds() != 40 {
			t.Errorf("duration %v", f.Timebase.Duration(f.Duration))
		}
	})
}

// TestDamage decodes truncated files and files with flipped bits: errors are counted,
// nothing crashes, every slot comes back.
func TestDamage(t *testing.T) {
	dir := mediaDir(t)
	scratch := t.TempDir()
	for i, name := range []string{"sample_h264.ts", "h265_bframes.mp4", "bear-vp9-odd-dimensions.webm", "CI_MW_D.264", "MR2_TANDBERG_E.264", "sample_av1.mp4"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		rnd := rand.New(rand.NewPCG(uint64(i), 7))
		frames, errs, refused := 0, 0, 0
		for round := range 6 {
			c := bytes.Clone(b)
			if round%2 == 1 {
				c = c[:len(c)/4+rnd.IntN(len(c)/2)]
			}
			for range 3 << round {
				// Not the first bytes: a container that is not recognised tests nothing.
				c[512+rnd.IntN(len(c)-512)] ^= 1 << rnd.IntN(8)
			}
			path := filepath.Join(scratch, name)
			if err := os.WriteFile(path, c, 0o644); err != nil {
				t.Fatal(err)
			}
			src, err := file.Open(context.Background(), file.Config{URL: path})
			if err != nil {
				refused++
				continue
			}
			ok := false
			for _, s := range src.Info().Streams {
				ok = ok || s.Kind == media.KindVideo && s.Width > 0 && s.Width < 4000 && s.Height < 4000
			}
			src.Close()
			if !ok {
				refused++
				continue
			}
			d := newDeck(t, path, 1+round%3, false)
			for {
				f, err := d.next()
				if err != nil {
					if err != io.EOF && !errors.Is(err, media.ErrNotSupported) {
						errs++ // of the container
					}
					break
				}
				h := md5.New()
				hashFrame(h, f)
				f.Release()
				frames++
			}
			errs += int(d.dec.Stats().Errors)
			d.close()
		}
		t.Logf("%s: %d frames, %d errors, %d refused", name, frames, errs, refused)
		if frames == 0 {
			t.Errorf("%s: no damaged copy gave a frame", name)
		}
	}
}

func TestRefusals(t *testing.T) {
	needFFmpeg(t)
	pool, err := framepool.New(framepool.Config{Slots: 2, SlotBytes: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for name, c := range map[string]Config{
		"no such codec": {Stream: media.Stream{Codec: "nonesuch"}, Pool: pool},
		"no codec":      {Stream: media.Stream{}, Pool: pool},
		"no pool":       {Stream: media.Stream{Codec: "h264"}},
		"threads":       {Stream: media.Stream{Codec: "h264"}, Pool: pool, Threads: 1000},
	} {
		d, err := NewVideo(c)
		if err == nil {
			d.Close()
			t.Errorf("%s: accepted", name)
			continue
		}
		if strings.Contains(err.Error(), "\n") || strings.Contains(name, "codec") && !errors.Is(err, media.ErrNotSupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewAudio(AudioConfig{Stream: media.Stream{Codec: "nonesuch"}}); !errors.Is(err, media.ErrNotSupported) {
		t.Error(err)
	}
	if _, err := SlotBytes(media.Stream{Codec: "h264"}); err == nil {
		t.Error("slots for pictures of no size")
	}
	if _, err := SlotBytes(media.Stream{Codec: "h264", Width: 1 << 20, Height: 1 << 20}); !errors.Is(err, media.ErrNotSupported) {
		t.Error(err)
	}
	// 1088 rows and two more, which the H.264 decoder writes for its motion vectors.
	n, err := SlotBytes(media.Stream{Codec: "h264", Width: 1920, Height: 1080, Format: media.I420})
	if least := 1920 * 1090 * 3 / 2; err != nil || n < least || n > least+least/8 {
		t.Errorf("1080p takes %d bytes, %v; at least %d", n, err, least)
	}
}
