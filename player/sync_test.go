package player_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/ingest/pattern"
	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

// flash is a picture with the white square, and when it became visible.
type flash struct {
	at    media.Instant
	frame uint32
	// first says that it began a stretch of playback: such a picture shows at once and
	// stays until the sound has made its way through the server, so it has no moment.
	first  bool
	missed int
}

// flashes collects the first picture of every second of the pattern as it becomes visible.
type flashes struct {
	t    testing.TB
	rate uint32

	mu      sync.Mutex
	shown   map[uint64]uint32 // frame by number, of those not yet visible
	serial  uint32
	all     []flash
	display media.Presented // the newest report
}

// watch makes cfg report to f.
func (f *flashes) watch(cfg *player.Config) {
	f.shown = map[uint64]uint32{}
	before := cfg.OnPresent
	cfg.OnPresent = func(s *media.Scheduled) {
		v, err := pattern.ReadFrameNumber(s.Frame)
		if err != nil {
			f.t.Errorf("frame %d: %v", s.Number, err)
		}
		f.mu.Lock()
		f.shown[s.Number] = v
		f.mu.Unlock()
		if before != nil {
			before(s)
		}
	}
	cfg.OnPresented = func(p *media.Presented) {
		f.mu.Lock()
		defer f.mu.Unlock()
		v, ok := f.shown[p.Number]
		if !ok {
			f.t.Errorf("frame %d was reported and not shown, or twice", p.Number)
		}
		delete(f.shown, p.Number)
		if v%f.rate == 0 {
			f.all = append(f.all, flash{p.Actual, v, p.Serial != f.serial, p.Missed})
		}
		f.serial, f.display = p.Serial, *p
	}
}

// beeps returns when each beep of the recording set in. A beep begins where silence of at
// least 0.3 s ends.
func beeps(t testing.TB, r *avtest.Recording, level float32) []media.Instant {
	t.Helper()
	var at []media.Instant
	quiet := 0
	samples := r.Samples()
	for i := 0; i+1 < len(samples); i += 2 {
		if max(samples[i], -samples[i]) < level {
			quiet++
			continue
		}
		if quiet > 48000*3/10 {
			v, ok := r.SampleTime(i / 2)
			if !ok {
				t.Fatal("the recording has no measured position")
			}
			at = append(at, v)
		}
		quiet = 0
	}
	return at
}

// lipSync pairs every flash with the nearest beep and returns visible minus heard, in
// order of size. A flash that the display reports as missing its refresh says something
// about this machine's load and nothing about lip-sync: it is left out and counted. A flash
// without a beep counts as a second off.
func lipSync(t testing.TB, fs []flash, bs []media.Instant) []time.Duration {
	t.Helper()
	var off []time.Duration
	left := 0
	for _, f := range fs {
		if f.first {
			continue
		}
		if f.missed > 0 {
			left++
			continue
		}
		best := time.Duration(math.MaxInt64)
		for _, b := range bs {
			if d := f.at.Sub(b); d.Abs() < best.Abs() {
				best = d
			}
		}
		if best.Abs() > 500*time.Millisecond {
			t.Logf("no beep near the flash of frame %d", f.frame)
			best = time.Second
		}
		off = append(off, best)
	}
	t.Logf("visible minus heard, in order: %v; %d flashes missed their refresh; %d beeps", off, left, len(bs))
	slices.SortFunc(off, func(a, b time.Duration) int { return int(a.Abs() - b.Abs()) })
	return off
}

// checkLipSync wants at least atLeast pairs, every one of them within 15 ms, and half of them
// within median. Where the machine stalled so long that sound ran dry, one pair may be off:
// the picture finds its way back to the sound after that.
func checkLipSync(t testing.TB, s player.Stats, off []time.Duration, atLeast int, median time.Duration) error {
	t.Helper()
	if len(off) < atLeast {
		return fmt.Errorf("only %d pairs of flash and beep, want %d", len(off), atLeast)
	}
	last := len(off) - 1
	if s.AudioUnderruns > 0 {
		t.Logf("%d underruns: the worst pair does not count", s.AudioUnderruns)
		last--
	}
	if d := off[last]; d.Abs() > 15*time.Millisecond {
		return fmt.Errorf("a flash is %v from its beep", d)
	}
	if d := off[len(off)/2]; d.Abs() > median {
		return fmt.Errorf("half of the flashes are %v or more from their beeps, want %v", d.Abs(), median)
	}
	return nil
}

// record starts an audio server that the next Open finds, and records it.
func record(t *testing.T) (*avtest.PulseServer, *avtest.Recording) {
	t.Helper()
	server := avtest.Pulse(t)
	t.Setenv("PULSE_SERVER", server.Server)
	return server, server.Record(t, clock.Now)
}

// TestLipSync compares the moments at which the pattern's flashes become visible with
// those at which its beeps are heard, as a recording of what the audio server plays tells
// them. The simulated display's phase against the sound is what it happens to be, so up to
// half a refresh is inherent.
func TestLipSync(t *testing.T) {
	for _, c := range []struct {
		output player.Output
		hz     float64
	}{{player.OutputNull, 60}, {player.OutputOffscreen, 120}} {
		t.Run(fmt.Sprintf("%s %v Hz", c.output, c.hz), func(t *testing.T) {
			avtest.Try(t, func() error {
				_, rec := record(t)
				f := &flashes{t: t, rate: 60}
				cfg := player.Config{Media: "pattern:size=320x180,rate=60,duration=5s", Start: 500 * time.Millisecond,
					Output: c.output, Renderer: player.RendererCPU, Audio: player.AudioPulse, Refresh: c.hz}
				f.watch(&cfg)
				s := play(t, cfg)
				spread, n := rec.Spread()
				t.Logf("recording: spread %v of %d; player: A/V %+v; dropped %d, missed %d, underruns %d",
					spread, n, s.AVOffset, s.Dropped, s.Missed, s.AudioUnderruns)
				off := lipSync(t, f.all, beeps(t, rec, 0.02))
				half := time.Duration(float64(time.Second) / c.hz / 2)
				return checkLipSync(t, s, off, 3, half+2*time.Millisecond)
			})
		})
	}
}

// TestLipSyncAfterSeekAndPause does so through three seeks, one of them backwards, and a
// pause.
func TestLipSyncAfterSeekAndPause(t *testing.T) {
	avtest.Try(t, func() error { return lipSyncAfterSeekAndPause(t) })
}

func lipSyncAfterSeekAndPause(t *testing.T) error {
	_, rec := record(t)
	f := &flashes{t: t, rate: 60}
	var p *player.Player
	var steps []func()
	cfg := player.Config{Media: "pattern:size=320x180,rate=60,duration=60s", Start: 500 * time.Millisecond,
		Output: player.OutputOffscreen, Renderer: player.RendererCPU, Audio: player.AudioPulse, Refresh: 120,
		OnPresent: func(s *media.Scheduled) {
			// Half a second behind a beep, where nothing is heard or seen to be cut.
			if v := s.Frame.PTS; v%60 == 30 && v > 60 && len(steps) > 0 {
				steps[0]()
				steps = steps[1:]
			}
		}}
	f.watch(&cfg)
	p = open(t, cfg)
	none := func() {}
	seek := func(to time.Duration) func() {
		return func() {
			if err := p.Seek(to); err != nil {
				t.Error(err)
			}
		}
	}
	steps = []func(){
		none,
		seek(30500 * time.Millisecond), none, // first picture of the stretch, then one second on
		seek(10500 * time.Millisecond), none,
		func() {
			p.Pause()
			time.AfterFunc(300*time.Millisecond, p.Play)
		}, none,
		func() { p.SetPaused(true); p.SetPaused(false) }, none,
		func() { go p.Close() },
	}
	if err := p.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	s := closed(t, p)
	off := lipSync(t, f.all, beeps(t, rec, 0.02))
	return checkLipSync(t, s, off, 4, 7*time.Millisecond)
}

// TestLipSyncLoop plays a loop three times.
func TestLipSyncLoop(t *testing.T) {
	avtest.Try(t, func() error { return lipSyncLoop(t) })
}

func lipSyncLoop(t *testing.T) error {
	_, rec := record(t)
	f := &flashes{t: t, rate: 60}
	cfg := player.Config{Media: "pattern:size=320x180,rate=60,duration=2s", Loop: true, Duration: 6 * time.Second,
		Output: player.OutputOffscreen, Renderer: player.RendererCPU, Audio: player.AudioPulse, Refresh: 120}
	f.watch(&cfg)
	s := play(t, cfg)
	t.Logf("player: A/V %+v; dropped %d, missed %d, underruns %d", s.AVOffset, s.Dropped, s.Missed, s.AudioUnderruns)
	if s.Presented+s.Dropped != 360 {
		t.Errorf("%d frames shown and %d dropped, want 360", s.Presented, s.Dropped)
	}
	return checkLipSync(t, s, lipSync(t, f.all, beeps(t, rec, 0.02)), 4, 7*time.Millisecond)
}

// ffmpeg runs ffmpeg and skips the test when it is not installed.
func ffmpeg(t testing.TB, args ...string) {
	t.Helper()
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("needs ffmpeg to make a file with sound (Debian: apt install ffmpeg)")
	}
	cmd := exec.Command(path, append([]string{"-hide_banner", "-loglevel", "error", "-nostdin", "-y"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// patternFiles writes the pattern's pictures and sound to files, with the arguments for
// ffmpeg to read them.
func patternFiles(t *testing.T, url string) (video, sound []string) {
	t.Helper()
	dir := t.TempDir()
	y4m, pcm := filepath.Join(dir, "a.y4m"), filepath.Join(dir, "a.f32")
	play(t, player.Config{Media: url, Output: player.Output("y4m:" + y4m)})
	c, err := pattern.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	src, err := pattern.New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var raw []byte
	var b media.AudioBlock
	for src.ReadAudio(&b) == nil {
		for _, v := range b.Samples {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
	}
	if err := os.WriteFile(pcm, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"-i", y4m}, []string{"-f", "f32le", "-ar", "48000", "-ac", "2", "-i", pcm}
}

// patternFile makes a file of the pattern, coded as args say.
func patternFile(t *testing.T, url, name string, args ...string) string {
	t.Helper()
	video, sound := patternFiles(t, url)
	path := filepath.Join(t.TempDir(), name)
	ffmpeg(t, slices.Concat(video, sound, args, []string{path})...)
	return path
}

var h264 = []string{"-c:v", "libx264", "-preset", "ultrafast", "-crf", "20", "-g", "30", "-pix_fmt", "yuv420p"}

// TestLipSyncFile does so with H.264 and AAC: encoder delay, edit list and decoder delay
// have to cancel out.
func TestLipSyncFile(t *testing.T) {
	path := patternFile(t, "pattern:size=320x180,rate=60,duration=5s", "a.mp4", append(h264, "-bf", "2", "-c:a", "aac", "-b:a", "192k")...)
	avtest.Try(t, func() error {
		_, rec := record(t)
		f := &flashes{t: t, rate: 60}
		cfg := player.Config{Media: path, Start: 500 * time.Millisecond,
			Output: player.OutputOffscreen, Renderer: player.RendererCPU, Audio: player.AudioPulse, Refresh: 120}
		f.watch(&cfg)
		s := play(t, cfg)
		t.Logf("player: A/V %+v; dropped %d, missed %d, underruns %d", s.AVOffset, s.Dropped, s.Missed, s.AudioUnderruns)
		// The level is above what AAC smears ahead of a beep.
		return checkLipSync(t, s, lipSync(t, f.all, beeps(t, rec, 0.2)), 3, 7*time.Millisecond)
	})
}
