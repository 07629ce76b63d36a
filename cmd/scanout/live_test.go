package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scanout-av/scanout/internal/avtest"
)

// These tests receive from other programs: FFmpeg and GStreamer send, scanout plays.

func needGStreamer(t *testing.T, elements ...string) string {
	t.Helper()
	path, err := exec.LookPath("gst-launch-1.0")
	if err != nil {
		t.Skip("needs GStreamer: apt-get install gstreamer1.0-tools gstreamer1.0-plugins-good gstreamer1.0-plugins-bad")
	}
	for _, e := range elements {
		if exec.Command("gst-inspect-1.0", "--exists", e).Run() != nil {
			t.Skipf("needs GStreamer's %s", e)
		}
	}
	return path
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

// TestPlaysWhatOthersSend: what FFmpeg and GStreamer send arrives bit by bit.
func TestPlaysWhatOthersSend(t *testing.T) {
	for _, c := range liveCodecs {
		for _, sender := range []string{"ffmpeg", "gstreamer"} {
			t.Run(c.name+" from "+sender, func(t *testing.T) {
				t.Parallel()
				file := clip(t, c.file, c.encoder...)
				want := reference(t, file)
				port := avtest.Ports(t, 2)
				sdp := filepath.Join(t.TempDir(), "live.sdp")
				text := fmt.Sprintf("v=0\nc=IN IP4 127.0.0.1\nm=video %d RTP/AVP 96\na=rtpmap:96 %s\n", port, c.rtpmap)
				if err := os.WriteFile(sdp, []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
				argv := []string{needFFmpeg(t), "-v", "error", "-re", "-i", file, "-map", "0:v", "-c", "copy", "-strict", "-2", "-f", "rtp",
					"-rtpflags", "+send_bye", "-payload_type", "96", fmt.Sprintf("rtp://127.0.0.1:%d?pkt_size=1200", port)}
				if sender == "gstreamer" {
					gst := needGStreamer(t, append(c.need, "rtpbin")...)
					// With a session: it reports, and says goodbye at the end. Without the queue the
					// session waits for the sink with its lock held, and hangs now and then.
					pipeline := fmt.Sprintf("rtpbin name=b filesrc location=%s ! %s pt=96 mtu=1200 ! b.send_rtp_sink_0 b.send_rtp_src_0 ! queue ! udpsink host=127.0.0.1 port=%d "+
						"b.send_rtcp_src_0 ! udpsink host=127.0.0.1 port=%d sync=false async=false", file, c.gst, port, port+1)
					argv = append([]string{gst, "-q"}, strings.Fields(pipeline)...)
				}
				// gst-launch hangs now and then, and a machine that stands still loses packets.
				avtest.Try(t, func() error { return receiveFrom(t, sdp, port, argv, want) })
			})
		}
	}
}

// receiveFrom plays sdp while argv sends to port, and wants these pictures. A sender that
// goes on when playing has ended is stopped: gst-launch with a session may wait for ever for
// the end of its RTCP, mostly after it has said BYE.
func receiveFrom(t *testing.T, sdp string, port int, argv, want []string) error {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	send := exec.CommandContext(ctx, argv[0], argv[1:]...)
	sent := make(chan error, 1)
	go func() {
		if err := avtest.Bound(port, ctx.Done()); err != nil {
			sent <- err
			return
		}
		out, err := send.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%s: %w\n%s", argv[0], err, out)
		}
		sent <- err
	}()
	r := play("-q", "-o", "framemd5:-", "--reconnect", "5s", sdp).run(t)
	var err error
	select {
	case err = <-sent:
	default:
		stop()
		<-sent
	}
	switch got := hashes(r.out); {
	case err != nil:
		return err
	case r.code != exitOK:
		return fmt.Errorf("code %d: %s", r.code, r.err)
	case !slices.Equal(got, want):
		return fmt.Errorf("%d hashes, FFmpeg has %d, or they differ; %s", len(got), len(want), r.err)
	}
	return nil
}
