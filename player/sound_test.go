package player_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

// TestAudioDeviceMovesAndDies moves the sound to another device in the middle, one of another
// rate, and kills the audio server later: the sound goes on, then the picture does, to its
// end.
func TestAudioDeviceMovesAndDies(t *testing.T) {
	// Where the machine stands still the media may end before the server does.
	avtest.Try(t, func() error { return audioDeviceMovesAndDies(t) })
}

func audioDeviceMovesAndDies(t *testing.T) error {
	server, _ := record(t)
	server.Pactl(t, "load-module", "module-null-sink", "sink_name=other", "rate=44100")
	n := &numbers{t: t}
	reached := make(chan struct{}, 2)
	at := []uint32{25, 75}
	p := open(t, player.Config{Media: "pattern:size=320x180,rate=50,duration=3s", Output: player.OutputNull, Audio: player.AudioPulse, Refresh: 100,
		OnPresent: func(s *media.Scheduled) {
			n.add(s)
			if len(at) > 0 && n.seen[len(n.seen)-1] >= at[0] {
				at = at[1:]
				reached <- struct{}{}
			}
		}})
	ended := make(chan error, 1)
	go func() { ended <- p.Run(t.Context()) }()
	await := func() {
		select {
		case <-reached:
		case err := <-ended: // for whoever asks next
			ended <- err
		}
	}
	await()
	// "INDEX SINK CLIENT …"
	input := strings.Fields(server.Pactl(t, "list", "short", "sink-inputs"))
	if len(input) < 2 {
		return errors.Join(fmt.Errorf("no sound is played: %v", input), <-ended)
	}
	server.Pactl(t, "move-sink-input", input[0], "other")
	await()
	after := strings.Fields(server.Pactl(t, "list", "short", "sink-inputs"))
	moved := p.Stats()
	server.Kill()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	s := closed(t, p)
	if len(after) < 2 || after[0] != input[0] || after[1] == input[1] {
		return fmt.Errorf("the sound was at %v, is at %v", input, after)
	}
	if moved.AudioLost != 0 || moved.Audio == "" || strings.Contains(moved.Audio, "loss") {
		return fmt.Errorf("after the move audio is %q, lost %d times", moved.Audio, moved.AudioLost)
	}
	if !strings.Contains(s.Audio, "loss of pulse") || s.AudioLost != 1 {
		return fmt.Errorf("audio is %q, lost %d times", s.Audio, s.AudioLost)
	}
	if s.Presented+s.Dropped != 150 {
		t.Errorf("%d shown + %d dropped, want 150", s.Presented, s.Dropped)
	}
	if n.seen[len(n.seen)-1] != 149 {
		t.Errorf("the last picture is %d, want 149", n.seen[len(n.seen)-1])
	}
	return nil
}

// TestStreamsOfDifferentLength ends, begins and interrupts sound and picture apart from
// each other. Nothing may hang, and every picture has its turn.
func TestStreamsOfDifferentLength(t *testing.T) {
	video, sound := patternFiles(t, "pattern:size=64x64,rate=50,duration=2s")
	// So many pictures and blocks that a second and a bit of them fills a packet ring.
	dense, _ := patternFiles(t, "pattern:size=32x32,rate=400,duration=4s,beep=off")
	make := func(t *testing.T, name string, args ...string) string {
		path := filepath.Join(t.TempDir(), name)
		ffmpeg(t, append(args, path)...)
		return path
	}
	cat := func(parts ...[]string) (all []string) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	mpeg4 := []string{"-c:v", "mpeg4", "-q:v", "2", "-c:a", "pcm_s16le"}
	for _, c := range []struct {
		name   string
		args   []string
		frames int64
	}{
		{"sound ends first", cat([]string{"-t", "1"}, sound, video, mpeg4), 100},
		{"picture ends first", cat([]string{"-t", "1"}, video, sound, mpeg4), 50},
		{"sound begins late", cat(video, []string{"-itsoffset", "1"}, sound, mpeg4), 100},
		{"picture begins late", cat([]string{"-itsoffset", "1"}, video, sound, mpeg4), 100},
		{"sound only", cat(sound, []string{"-c:a", "pcm_s16le"}), 0},
		{"hole in the sound", cat(video, sound, []string{"-af", "aselect='not(between(t,0.5,1))'"}, mpeg4), 100},
		// The demultiplexer cannot see the other stream before this one has been played.
		{"sound begins beyond the ring", cat(dense, []string{"-itsoffset", "2.5"}, sound, mpeg4), 1600},
		{"hole beyond the ring", cat(dense, sound, sound,
			[]string{"-filter_complex", "[1:a][2:a]concat=n=2:v=0:a=1,asetpts='PTS+gt(T,1.99)*2/TB'[a]", "-map", "0:v", "-map", "[a]"}, mpeg4), 1600},
		{"picture begins beyond the ring", cat([]string{"-itsoffset", "2"}, video, []string{"-f", "lavfi", "-i", "sine=r=48000:d=4",
			"-c:v", "mpeg4", "-q:v", "2", "-c:a", "libopus", "-frame_duration", "2.5"}), 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // most of the time is waited
			path := make(t, "a.mkv", c.args...)
			s := play(t, player.Config{Media: path, Output: player.OutputNull, Audio: player.AudioNull, Refresh: 100})
			if s.Presented+s.Dropped != c.frames {
				t.Errorf("%d shown + %d dropped, want %d", s.Presented, s.Dropped, c.frames)
			}
			t.Logf("%d dropped, A/V %+v", s.Dropped, s.AVOffset)
			if s.DecodeErrors+s.AudioErrors+s.ReadErrors != 0 {
				t.Errorf("errors: %d decode, %d audio, %d read", s.DecodeErrors, s.AudioErrors, s.ReadErrors)
			}
			if c.frames == 0 && s.Position < 1800*time.Millisecond {
				t.Errorf("ended at %v of 2 s", s.Position)
			}
		})
	}
}

// TestSoundBehindThePicture plays pictures that end long before their sound, cover art among
// them: the sound has its time, and says where playback is.
func TestSoundBehindThePicture(t *testing.T) {
	dir := t.TempDir()
	picture := filepath.Join(dir, "cover.jpg")
	ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=64x64", "-frames:v", "1", picture)
	for _, c := range []struct {
		name, seconds   string
		args            []string
		start, duration time.Duration
		from, to        time.Duration // where it ends
	}{
		{name: "still.mkv", seconds: "1", args: []string{"-c:v", "mpeg4", "-c:a", "pcm_s16le"}, from: 900 * time.Millisecond, to: 1100 * time.Millisecond},
		{name: "cover.mp3", seconds: "1", args: []string{"-c:v", "copy", "-disposition:v", "attached_pic"}, from: 900 * time.Millisecond, to: 1100 * time.Millisecond},
		// The end of the pictures stands behind more sound than the ring holds.
		{name: "long.mp3", seconds: "60", args: []string{"-c:v", "copy", "-disposition:v", "attached_pic"},
			duration: 500 * time.Millisecond, from: 500 * time.Millisecond, to: 10 * time.Second},
		{name: "end of long.mp3", seconds: "60", args: []string{"-c:v", "copy", "-disposition:v", "attached_pic"},
			start: 59 * time.Second, from: 59500 * time.Millisecond, to: 61 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // most of the time is waited
			path := filepath.Join(dir, c.name)
			ffmpeg(t, append(append([]string{"-i", picture, "-f", "lavfi", "-i", "sine=d=" + c.seconds, "-map", "0", "-map", "1"}, c.args...), path)...)
			s := play(t, player.Config{Media: path, Output: player.OutputOffscreen, Renderer: player.RendererCPU, Audio: player.AudioNull,
				Start: c.start, Duration: c.duration})
			if s.Presented != 1 || s.Position < c.from || s.Position > c.to {
				t.Errorf("%d pictures, ended at %v; want 1, and %v to %v", s.Presented, s.Position, c.from, c.to)
			}
		})
	}
}

// TestDurationBetweenPictures ends playback within a gap between two pictures and within a
// picture's own time: at the place that was asked for, not with the picture before or behind.
func TestDurationBetweenPictures(t *testing.T) {
	video, sound := patternFiles(t, "pattern:size=64x64,rate=10,duration=2s")
	gap := filepath.Join(t.TempDir(), "gap.mkv")
	ffmpeg(t, slices.Concat(video, sound, []string{"-vf", "setpts='PTS+gt(N,4)*10/TB'", "-fps_mode", "passthrough", "-c:v", "mpeg4", "-c:a", "pcm_s16le", gap})...)
	for _, c := range []struct {
		media    string
		audio    player.Audio
		duration time.Duration
		frames   int64
	}{
		{gap, player.AudioNull, 1500 * time.Millisecond, 5},
		{gap, player.AudioNone, 1500 * time.Millisecond, 5},
		{"pattern:size=64x64,rate=1/30,duration=60s,beep=off", player.AudioNone, 500 * time.Millisecond, 1},
	} {
		t.Run(string(c.audio), func(t *testing.T) {
			t.Parallel() // most of the time is waited
			s := play(t, player.Config{Media: c.media, Output: player.OutputNull, Audio: c.audio, Refresh: 100, Duration: c.duration})
			// It may take longer, but not as long as the picture.
			if n := s.Presented + s.Dropped; n != c.frames || s.Elapsed < c.duration-50*time.Millisecond || s.Elapsed > 15*time.Second {
				t.Errorf("%d pictures and %v, want %d and %v", n, s.Elapsed, c.frames, c.duration)
			}
		})
	}
}

// TestSeekFarBeyondTheEnd seeks to where there is nothing in files that do not say how long
// they are, so that all of the sound lies days before the target.
func TestSeekFarBeyondTheEnd(t *testing.T) {
	video, sound := patternFiles(t, "pattern:size=64x64,rate=10,duration=1s")
	for name, args := range map[string][]string{
		"both.mkv":  slices.Concat(video, sound, []string{"-c:v", "mpeg4", "-c:a", "aac"}),
		"sound.mkv": slices.Concat(sound, []string{"-c:a", "aac"}),
	} {
		path := filepath.Join(t.TempDir(), name)
		ffmpeg(t, append(args, "-live", "1", path)...)
		for _, start := range []time.Duration{60 * time.Hour, 100_000 * time.Hour} {
			p := open(t, player.Config{Media: path, Output: player.OutputNull, Audio: player.AudioNull, Refresh: 100, Start: start})
			if d := p.Info().Duration; d != 0 {
				t.Errorf("%s: the duration is known: %v", name, d)
			}
			if err := p.Run(t.Context()); err != nil {
				t.Errorf("%s from %v: %v", name, start, err)
			}
			closed(t, p)
		}
	}
}
