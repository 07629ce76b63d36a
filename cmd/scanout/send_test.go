package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/internal/impair"
)

var sendClips = []struct {
	name, file string
	encoder    []string
	codec      string   // FFmpeg's name, of what its depacketizers know
	args       []string // of scanout
}{
	{"h264", "send-h264.mp4", []string{"-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "12", "-pix_fmt", "yuv420p"}, "h264", nil},
	{"h264 with error correction", "send-h264.mp4", []string{"-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "12", "-pix_fmt", "yuv420p"}, "h264", []string{"--fec", "50"}},
	{"h264 in a transport stream", "send-h264.ts", []string{"-c:v", "libx264", "-preset", "veryfast", "-g", "12", "-pix_fmt", "yuv420p"}, "h264", nil},
	{"h264 of one picture a packet and more", "send-big.mkv", []string{"-c:v", "libx264", "-preset", "ultrafast", "-qp", "4", "-slices", "3", "-g", "10", "-pix_fmt", "yuv420p"}, "h264", nil},
	{"hevc", "send-hevc.mp4", []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "keyint=12:log-level=none", "-pix_fmt", "yuv420p"}, "hevc", nil},
	{"vp8", "send-vp8.webm", []string{"-c:v", "libvpx", "-deadline", "realtime", "-g", "12", "-b:v", "1M"}, "vp8", nil},
	{"vp9", "send-vp9.webm", []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "12", "-b:v", "1M"}, "vp9", nil},
	{"av1", "send-av1.mp4", []string{"-c:v", "libsvtav1", "-preset", "12", "-g", "12", "-pix_fmt", "yuv420p"}, "", nil},
}

// description has scanout describe a file without sending all of it.
func description(t *testing.T, path string, port int, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	sdp := filepath.Join(t.TempDir(), "a.sdp")
	cmd := command{args: append([]string{"send", path, fmt.Sprintf("rtp://127.0.0.1:%d", port), "--sdp", sdp}, args...)}.prepare(ctx, t)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for ctx.Err() == nil && cmd.ProcessState == nil {
		if _, err := os.Stat(sdp); err == nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if _, err := os.Stat(sdp); err != nil {
		t.Fatalf("no description: %s", said.String())
	}
	return sdp
}

// TestSendToFFmpeg: FFmpeg receives what scanout sends, and decodes the pictures that are
// in the file.
func TestSendToFFmpeg(t *testing.T) {
	for _, c := range sendClips {
		if c.codec == "" {
			continue // FFmpeg 5.1 does not receive it
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := generate(t, c.file, append([]string{"-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=1"}, c.encoder...)...)
			want := reference(t, path)
			// FFmpeg's socket is small and it has no way to ask again: where the machine stands
			// still for a moment it loses packets. A sender that sends the wrong ones does so
			// every time.
			avtest.Try(t, func() error {
				got, said := sendToFFmpeg(t, path, len(want), c.args...)
				if !slices.Equal(got, want) {
					return fmt.Errorf("%d pictures, the file has %d, or they differ; %s", len(got), len(want), said)
				}
				return nil
			})
		})
	}
}

// sendToFFmpeg returns the MD5s of the pictures that FFmpeg receives, at most n, and what
// both programs said.
func sendToFFmpeg(t *testing.T, path string, n int, args ...string) (pictures []string, said string) {
	t.Helper()
	port := avtest.Ports(t, 4)
	sdp := description(t, path, port, args...)
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	receive := exec.CommandContext(ctx, needFFmpeg(t), "-v", "error", "-protocol_whitelist", "file,udp,rtp", "-flags", "+unaligned", "-i", sdp,
		"-map", "0:v", "-fps_mode", "passthrough", "-frames:v", fmt.Sprint(n), "-f", "framemd5", "-")
	var out, errs bytes.Buffer
	receive.Stdout, receive.Stderr = &out, &errs
	if err := receive.Start(); err != nil {
		t.Fatal(err)
	}
	if err := avtest.Bound(port, ctx.Done()); err != nil {
		t.Fatal(err)
	}
	r := command{args: append([]string{"send", path, fmt.Sprintf("rtp://127.0.0.1:%d?pkt_size=1000", port), "--sdp", filepath.Join(t.TempDir(), "again.sdp")}, args...)}.run(t)
	if r.code != exitOK {
		t.Errorf("exit code %d: %s", r.code, r.err)
	}
	// It ends with the goodbye, or with the last picture.
	if err := receive.Wait(); err != nil {
		fmt.Fprintf(&errs, "ffmpeg: %v", err)
	}
	return hashes(out.String()), errs.String() + r.err
}

// TestSendToScanout: scanout plays what it sends, without a difference, AV1 and sound
// included.
func TestSendToScanout(t *testing.T) {
	for _, c := range sendClips {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := generate(t, c.file, append([]string{"-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=1"}, c.encoder...)...)
			want := reference(t, path)
			port := avtest.Ports(t, 4)
			sdp := description(t, path, port, c.args...)
			sent := make(chan result, 1)
			go func() {
				if err := avtest.Bound(port, t.Context().Done()); err != nil {
					sent <- result{code: exitFailed, err: err.Error()}
					return
				}
				sent <- command{args: append([]string{"send", path, fmt.Sprintf("rtp://127.0.0.1:%d", port)}, c.args...)}.run(t)
			}()
			got := play("-q", "--speed", "max", "-o", "framemd5:-", sdp).run(t)
			if r := <-sent; r.code != exitOK {
				t.Errorf("send: exit code %d: %s", r.code, r.err)
			}
			if h := hashes(got.out); got.code != exitOK || !slices.Equal(h, want) {
				t.Errorf("code %d: %d pictures, the file has %d, or they differ: %s", got.code, len(h), len(want), got.err)
			}
		})
	}
}

// TestSendThroughLoss: what gets lost on the way is asked for and sent again.
func TestSendThroughLoss(t *testing.T) {
	path := generate(t, "send-h264.mp4", append([]string{"-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=1"}, sendClips[0].encoder...)...)
	// A machine that stands still is a way that takes longer than anybody waits.
	avtest.Try(t, func() error {
		port := avtest.Ports(t, 4)
		sdp := description(t, path, port, "--payload-size", "200")
		// The beginning comes through: before it a receiver knows of no sender whom it could
		// ask. So does the end: behind the last packet nothing shows that one is missing.
		proxy, err := impair.NewProxy(impair.ProxyConfig{Routes: []impair.Route{{To: fmt.Sprintf("127.0.0.1:%d", port), Listen: "127.0.0.1:0", Ports: 2}}})
		if err != nil {
			return err
		}
		defer proxy.Close()
		sent := make(chan result, 1)
		go func() {
			if err := avtest.Bound(port, nil); err != nil {
				sent <- result{code: exitFailed, err: err.Error()}
				return
			}
			sent <- command{args: []string{"send", path, fmt.Sprintf("rtp://%v", proxy.Addr(0)), "--payload-size", "200"}}.run(t)
		}()
		over := make(chan struct{})
		watched := make(chan error, 1)
		go func() { watched <- loseBetween(proxy, 30, 140, over) }()
		got := play("-q", "--speed", "max", "-o", "null", "--report", "-", sdp).run(t)
		r := <-sent
		close(over)
		if err := <-watched; err != nil {
			return err
		}
		there, _ := proxy.Stats()
		rep := got.report(t)
		if r.code != exitOK || got.code != exitOK || rep == nil || len(rep.Live) != 1 {
			return fmt.Errorf("send %d, play %d: %s%s", r.code, got.code, r.err, got.err)
		}
		if lost := rep.Live[0].Lost; there.Lost < 5 || lost > there.Lost/2 || !strings.Contains(r.err, "were asked for again") {
			return fmt.Errorf("%d of %d packets were lost, and %d have not come again: %s", there.Lost, there.In, lost, r.err)
		}
		return nil
	})
}

// loseBetween has a proxy lose packets both ways once from packets have passed, until to
// have, or until over.
func loseBetween(p *impair.Proxy, from, to int64, over <-chan struct{}) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	lossy := false
	for {
		select {
		case <-over:
			return nil
		case <-tick.C:
		}
		there, _ := p.Stats()
		switch {
		case !lossy && there.In >= from:
			lossy = true
			if err := p.Set(impair.Config{Loss: 0.1, Seed: 3}, impair.Config{Loss: 0.1, Seed: 4}); err != nil {
				return err
			}
		case there.In >= to:
			return p.Set(impair.Config{}, impair.Config{})
		}
	}
}

// packetHashes are FFmpeg's MD5s of the packets of sound.
func packetHashes(t *testing.T, args ...string) (h []string, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, needFFmpeg(t), append(append([]string{"-v", "error"}, args...), "-map", "0:a", "-c", "copy", "-f", "framemd5", "-")...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Errorf("ffmpeg: %v: %s", err, errs.String())
	}
	for line := range strings.Lines(out.String()) {
		// Side data may follow the hash.
		if f := strings.Split(line, ","); len(f) > 5 && !strings.HasPrefix(line, "#") {
			h = append(h, strings.TrimSpace(f[5]))
		}
	}
	return h, errs.String()
}

// TestSendSound: FFmpeg receives the packets of sound that are in the file, beside a
// picture or alone.
func TestSendSound(t *testing.T) {
	for _, c := range []struct {
		name, file string
		args       []string
	}{
		{"aac", "send-aac.mp4", join(picture("1"), sound("1"), h264, []string{"-c:a", "aac"})},
		{"aac in a transport stream", "send-aac.ts", join(sound("1"), []string{"-c:a", "aac", "-ac", "2"})},
		{"opus", "send-opus.webm", join(sound("1"), []string{"-c:a", "libopus"})},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := generate(t, c.file, c.args...)
			want, _ := packetHashes(t, "-i", path)
			if strings.HasSuffix(path, ".ts") {
				// ADTS headers stay behind.
				raw := generate(t, "send-raw.mp4", "-i", path, "-c", "copy", "-bsf:a", "aac_adtstoasc")
				want, _ = packetHashes(t, "-i", raw)
			}
			port := avtest.Ports(t, 4)
			sdp := description(t, path, port, "--no-video")
			sent := make(chan error, 1)
			go func() {
				err := avtest.Bound(port, t.Context().Done())
				if err == nil {
					command{args: []string{"send", path, fmt.Sprintf("rtp://127.0.0.1:%d", port), "--no-video"}}.run(t)
				}
				sent <- err
			}()
			got, said := packetHashes(t, "-protocol_whitelist", "file,udp,rtp", "-i", sdp)
			if err := <-sent; err != nil {
				t.Error(err)
			}
			if len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("%d packets, the file has %d, or they differ: %s", len(got), len(want), said)
			}
		})
	}
}

// TestSendLoop: sequence numbers and timestamps go on at the end of the file.
func TestSendLoop(t *testing.T) {
	path := generate(t, "send-h264.mp4", append([]string{"-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=1"}, sendClips[0].encoder...)...)
	want := reference(t, path)
	port := avtest.Ports(t, 4)
	sdp := description(t, path, port)
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	sender := command{args: []string{"send", path, fmt.Sprintf("rtp://127.0.0.1:%d", port), "--loop", "--rate", "2"}}.prepare(ctx, t)
	var said bytes.Buffer
	sender.Stderr = &said
	started := make(chan error, 1)
	go func() {
		err := avtest.Bound(port, ctx.Done())
		if err == nil {
			err = sender.Start()
		}
		started <- err
	}()
	n := 2*len(want) + 3
	got := play("-q", "--speed", "max", "-o", "framemd5:-", "--frames", fmt.Sprint(n), sdp).run(t)
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	sender.Process.Signal(os.Interrupt)
	if err := sender.Wait(); sender.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("%v: %s", err, said.String())
	}
	h := hashes(got.out)
	if len(h) != n {
		t.Fatalf("%d pictures instead of %d: %s", len(h), n, got.err)
	}
	for i := range h {
		if h[i] != want[i%len(want)] {
			t.Fatalf("picture %d differs", i)
		}
	}
}

func TestSendBadInput(t *testing.T) {
	path := generate(t, "send-h264.mp4", append([]string{"-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=1"}, sendClips[0].encoder...)...)
	wav := generate(t, "send.wav", sound("1")...)
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{path, "127.0.0.1:5004"}, exitUsage, "is not rtp://host:port"},
		{[]string{path, "rtp://127.0.0.1"}, exitUsage, "is not rtp://host:port"},
		{[]string{path, "udp://127.0.0.1:5004"}, exitUsage, "is not rtp://host:port"},
		{[]string{path, "rtp://127.0.0.1:5004?x=1"}, exitUsage, `has no option "x"`},
		{[]string{path, "rtp://127.0.0.1:5004?pkt_size=some"}, exitUsage, "is not a number"},
		{[]string{path, "rtp://127.0.0.1:5004?pkt_size=20"}, exitUsage, "use 64 to 65000"},
		{[]string{path, "rtp://127.0.0.1:5004?pkt_size=1200", "--payload-size", "1000"}, exitUsage, "twice"},
		{[]string{path, "rtp://127.0.0.1:5004", "--payload-size", "70000"}, exitUsage, "use 64 to 65000"},
		{[]string{path, "rtp://127.0.0.1:5004", "--fec", "101"}, exitUsage, "--fec 101: use 0 to 100"},
		{[]string{path, "rtp://127.0.0.1:5004", "--rate", "0"}, exitUsage, "out of range"},
		{[]string{path, "rtp://127.0.0.1:5004", "--rate", "NaN"}, exitUsage, "out of range"},
		{[]string{path, "rtp://127.0.0.1:5004", "--no-video", "--no-audio"}, exitUsage, "nothing to send"},
		{[]string{path, "rtp://127.0.0.1:5004", "--no-video"}, exitMedia, "no stream that was asked for"},
		{[]string{"nosuch.mp4", "rtp://127.0.0.1:5004"}, exitMedia, "check the path"},
		{[]string{wav, "rtp://127.0.0.1:5004"}, exitFailed, "pcm_s16le: not supported over RTP here"},
		{[]string{path, "rtp://127.0.0.1:65535"}, exitFailed, `port "65535"`},
		{[]string{path, "rtp://127.0.0.1:5004?interface=nope0"}, exitFailed, `interface "nope0" does not exist`},
		{[]string{path, "rtp://127.0.0.1:5004", "--sdp", "/nonexistent/a.sdp"}, exitFailed, "--sdp /nonexistent/a.sdp: no such file"},
	} {
		r := command{args: append([]string{"send"}, tt.args...)}.run(t)
		if r.code != tt.code || !strings.Contains(r.err, tt.want) {
			t.Errorf("%q: code %d, want %d with %q: %s", tt.args, r.code, tt.code, tt.want, r.err)
		}
	}
}
