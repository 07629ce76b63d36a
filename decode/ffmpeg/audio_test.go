package ffmpeg

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/scanout-av/scanout/ingest/file"
	"github.com/scanout-av/scanout/media"
)

type soundDeck struct {
	t     testing.TB
	src   *file.Source
	dec   *Audio
	au    media.AccessUnit
	ended bool
}

func newSoundDeck(t testing.TB, path string, rate, channels int) *soundDeck {
	needFFmpeg(t)
	src, err := file.Open(context.Background(), file.Config{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	s := src.Info().Best(media.KindAudio)
	if s == nil {
		t.Fatal("no sound")
	}
	src.Select(s.Index)
	dec, err := NewAudio(AudioConfig{Stream: *s, Rate: rate, Channels: channels})
	if err != nil {
		t.Fatal(err)
	}
	return &soundDeck{t: t, src: src, dec: dec}
}

func (d *soundDeck) next(b *media.AudioBlock) error {
	for {
		err := d.dec.Receive(b)
		if err != media.ErrAgain {
			return err
		}
		switch err := d.src.Read(&d.au); err {
		case nil:
			if err := d.dec.Send(&d.au); err != nil {
				d.t.Log(err)
			}
		case io.EOF:
			if d.ended {
				d.t.Fatal("a drained decoder wants more")
			}
			d.ended = true
			d.dec.Send(nil)
		default:
			return err
		}
	}
}

func (d *soundDeck) close() {
	d.dec.Close()
	d.src.Close()
}

// TestSound compares decoded samples with the ffmpeg command's, and timestamps with the
// number of samples.
func TestSound(t *testing.T) {
	for _, c := range []struct {
		name, ext, codec string
		rate, channels   int // of the file
		toRate, to       int
	}{
		{"same", "wav", "pcm_s16le", 48000, 2, 48000, 2},
		{"flac up", "flac", "flac", 44100, 2, 48000, 2},
		{"aac", "mp4", "aac", 48000, 2, 48000, 2},
		{"mono", "mp4", "aac", 22050, 1, 48000, 2},
		{"surround", "mkv", "flac", 48000, 6, 48000, 2},
		{"down", "wav", "pcm_f32le", 96000, 2, 44100, 1},
		{"opus", "webm", "libopus", 48000, 2, 48000, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := generate(t, "a."+c.ext, "-f", "lavfi", "-i", "sine=frequency=440:sample_rate="+strconv.Itoa(c.rate)+":duration=1.5",
				"-af", "volume=0.5", "-ac", strconv.Itoa(c.channels), "-c:a", c.codec)
			raw, err := exec.Command(tool(t), "-v", "error", "-i", path, "-ac", strconv.Itoa(c.to), "-ar", strconv.Itoa(c.toRate), "-f", "f32le", "-").Output()
			if err != nil {
				t.Fatal(err)
			}
			want := make([]float32, len(raw)/4)
			if err := binary.Read(bytes.NewReader(raw), binary.LittleEndian, want); err != nil {
				t.Fatal(err)
			}
			d := newSoundDeck(t, path, c.toRate, c.to)
			defer d.close()
			var got []float32
			var b media.AudioBlock
			first := media.NoTimestamp
			worst := int64(0)
			for {
				err := d.next(&b)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if b.Rate != c.toRate || b.Channels != c.to || b.Timebase != (media.Timebase{Num: 1, Den: int32(c.toRate)}) {
					t.Fatalf("%d Hz, %d channels, %v", b.Rate, b.Channels, b.Timebase)
				}
				if first == media.NoTimestamp {
					first = b.PTS
				}
				off := int64(b.PTS-first) - int64(len(got)/c.to)
				worst = max(worst, off, -off)
				got = append(got, b.Samples...)
			}
			n := min(len(got), len(want))
			if len(got) != len(want) {
				t.Errorf("%d samples, ffmpeg has %d", len(got), len(want))
			}
			diff, peak := 0.0, 0.0
			for i := range n {
				diff = max(diff, math.Abs(float64(got[i]-want[i])))
				peak = max(peak, math.Abs(float64(got[i])))
			}
			// ffmpeg's own chain may resample in the file's sample format.
			if diff > 1e-4 || peak < 0.01 {
				t.Errorf("differs by %g, peak %g", diff, peak)
			}
			// Containers count milliseconds at worst.
			if worst > int64(c.toRate/1000+2) {
				t.Errorf("timestamps are off by up to %d samples", worst)
			}
			t.Logf("%d samples, differ by %g, first at %d, timestamps within %d samples", len(got), diff, first, worst)
		})
	}
}

// TestSoundChanges plays a stream whose rate and channels change.
func TestSoundChanges(t *testing.T) {
	var all bytes.Buffer
	for i, c := range []struct{ rate, channels string }{{"48000", "2"}, {"44100", "1"}, {"48000", "2"}} {
		p := generate(t, strconv.Itoa(i)+".aac", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate="+c.rate+":duration=1",
			"-ac", c.channels, "-c:a", "aac", "-f", "adts")
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	path := t.TempDir() + "/all.aac"
	if err := os.WriteFile(path, all.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	d := newSoundDeck(t, path, 48000, 2)
	defer d.close()
	var b media.AudioBlock
	n := 0
	for d.next(&b) == nil {
		if b.Rate != 48000 || b.Channels != 2 {
			t.Fatalf("%d Hz, %d channels", b.Rate, b.Channels)
		}
		n += b.Count()
	}
	if n < 48000*29/10 || n > 48000*32/10 {
		t.Errorf("%d samples of three seconds", n)
	}
}

func TestSoundSteady(t *testing.T) {
	path := generate(t, "a.mp4", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=10", "-c:a", "aac")
	d := newSoundDeck(t, path, 48000, 2)
	defer d.close()
	var b media.AudioBlock
	step := func() {
		if err := d.next(&b); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		step()
	}
	if n := testing.AllocsPerRun(200, step); n != 0 {
		t.Errorf("%v heap allocations per block", n)
	}
	if err := d.src.Seek(0); err != nil {
		t.Fatal(err)
	}
	d.dec.Flush(9)
	step()
	if b.Serial != 9 || b.PTS > 4800 {
		t.Errorf("after the seek: serial %d, at %d", b.Serial, b.PTS)
	}
}
