package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// These tests receive from other programs: FFmpeg sends, scanout plays.

// freePorts returns an even port of this machine that is free together with the one after
// it.
func freePorts(t *testing.T) int {
	t.Helper()
	for range 100 {
		a, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		port := a.LocalAddr().(*net.UDPAddr).Port
		a.Close()
		if port%2 == 1 {
			continue
		}
		b, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port + 1})
		if err == nil {
			b.Close()
			return port
		}
	}
	t.Fatal("no two free ports in a row")
	return 0
}

// listening waits until a program listens on a port.
func listening(t *testing.T, port int) {
	t.Helper()
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			return
		}
		c.Close()
	}
	t.Fatalf("nobody listens on port %d", port)
}

// clip encodes two seconds for the senders, once.
func clip(t *testing.T, name string, encoder ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	args := append([]string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=30", "-t", "2"}, encoder...)
	if out, err := exec.Command(needFFmpeg(t), append(args, path)...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	return path
}

var liveCodecs = []struct {
	name, file, rtpmap string
	encoder            []string
	gst                string // from the file to packets
	need               []string
}{
	{"h264", "a.mkv", "H264/90000", []string{"-c:v", "libx264", "-preset", "veryfast", "-g", "15", "-bf", "2", "-x264-params", "repeat-headers=1", "-pix_fmt", "yuv420p"},
		"matroskademux ! h264parse config-interval=1 ! rtph264pay", []string{"h264parse", "rtph264pay"}},
	{"h265", "a.mkv", "H265/90000", []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "keyint=15:repeat-headers=1:log-level=none", "-pix_fmt", "yuv420p"},
		"matroskademux ! h265parse config-interval=1 ! rtph265pay", []string{"h265parse", "rtph265pay"}},
	{"vp8", "a.webm", "VP8/90000", []string{"-c:v", "libvpx", "-deadline", "realtime", "-g", "15", "-b:v", "1M"}, "matroskademux ! rtpvp8pay", []string{"rtpvp8pay"}},
	{"vp9", "a.webm", "VP9/90000", []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "15", "-b:v", "1M"}, "matroskademux ! rtpvp9pay", []string{"rtpvp9pay"}},
}

// TestPlaysWhatOthersSend: what FFmpeg sends arrives bit by bit.
func TestPlaysWhatOthersSend(t *testing.T) {
	for _, c := range liveCodecs {
		for _, sender := range []string{"ffmpeg"} {
			t.Run(c.name+" from "+sender, func(t *testing.T) {
				t.Parallel()
				file := clip(t, c.file, c.encoder...)
				want := reference(t, file)
				port := freePorts(t)
				sdp := filepath.Join(t.TempDir(), "live.sdp")
				text := fmt.Sprintf("v=0\nc=IN IP4 127.0.0.1\nm=video %d RTP/AVP 96\na=rtpmap:96 %s\n", port, c.rtpmap)
				if err := os.WriteFile(sdp, []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
				argv := []string{needFFmpeg(t), "-v", "error", "-re", "-i", file, "-map", "0:v", "-c", "copy", "-strict", "-2", "-f", "rtp",
					"-rtpflags", "+send_bye", "-payload_type", "96", fmt.Sprintf("rtp://127.0.0.1:%d?pkt_size=1200", port)}
				r, ended := receiveFrom(t, sdp, port, argv)
				if !ended && !slices.Equal(hashes(r.out), want) {
					t.Logf("%s hung; once more", sender)
					r, _ = receiveFrom(t, sdp, port, argv)
				}
				if got := hashes(r.out); !slices.Equal(got, want) {
					t.Errorf("%d hashes, FFmpeg has %d, or they differ; %s", len(got), len(want), r.err)
				}
				if r.code != exitOK {
					t.Errorf("code %d: %s", r.code, r.err)
				}
			})
		}
	}
}

// receiveFrom plays sdp while argv sends to port. A sender that goes on when playing has
// ended is stopped, and ended is false.
func receiveFrom(t *testing.T, sdp string, port int, argv []string) (r result, ended bool) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	send := exec.CommandContext(ctx, argv[0], argv[1:]...)
	sent := make(chan error, 1)
	go func() {
		listening(t, port)
		out, err := send.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%s: %w\n%s", argv[0], err, out)
		}
		sent <- err
	}()
	r = play("-q", "-o", "framemd5:-", sdp).run(t)
	select {
	case err := <-sent:
		if err != nil {
			t.Error(err)
		}
		return r, true
	case <-time.After(10 * time.Second):
		stop()
		<-sent
		return r, false
	}
}
