package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/internal/impair"
)

// throughLoss is what came of a clip of which packets were lost on the way.
type throughLoss struct {
	live         liveReport
	lost         int64 // on the way
	whole, shown int   // pictures
}

// playThroughLoss plays sdp while send sends to a proxy for port, which loses some of the packets
// but the first and the last.
func playThroughLoss(t *testing.T, sdp string, port int, want []string, send func(ctx context.Context, port int) *exec.Cmd) (r throughLoss, err error) {
	t.Helper()
	proxy, err := impair.NewProxy(impair.ProxyConfig{Routes: []impair.Route{{To: fmt.Sprintf("127.0.0.1:%d", port), Listen: "127.0.0.1:0", Ports: 2}}})
	if err != nil {
		return r, err
	}
	defer proxy.Close()
	ctx, stop := context.WithTimeout(t.Context(), deadline)
	defer stop()
	sent, watched, over := make(chan error, 1), make(chan error, 1), make(chan struct{})
	go func() {
		if err := avtest.Bound(port, ctx.Done()); err != nil {
			sent <- err
			return
		}
		out, err := send(ctx, int(proxy.Addr(0).Port())).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("the sender: %w\n%s", err, out)
		}
		sent <- err
	}()
	go func() { watched <- loseBetween(proxy, 30, 400, over) }()
	pictures := filepath.Join(t.TempDir(), "pictures")
	got := play("-q", "--speed", "max", "-o", "framemd5:"+pictures, "--report", "-", "--reconnect", "5s", sdp).run(t)
	select {
	case err = <-sent:
	default: // gst-launch with a session may wait for ever for the end of its RTCP
		stop()
		<-sent
	}
	close(over)
	if w := <-watched; err == nil {
		err = w
	}
	rep := got.report(t)
	if err != nil || got.code != exitOK || rep == nil || len(rep.Live) != 1 {
		return r, fmt.Errorf("%v, play %d: %s", err, got.code, got.err)
	}
	list, err := os.ReadFile(pictures)
	if err != nil {
		return r, err
	}
	there, _ := proxy.Stats()
	r.live, r.lost = rep.Live[0], there.Lost
	sentPictures := map[string]bool{}
	for _, h := range want {
		sentPictures[h] = true
	}
	for _, h := range hashes(string(list)) {
		r.shown++
		if sentPictures[h] {
			r.whole++
		}
	}
	return r, nil
}

// TestCorrectionThroughLoss: with error correction what gets lost on the way is there all the
// same, and without asking for it.
func TestCorrectionThroughLoss(t *testing.T) {
	// Key frames are near: the few that stay lost should not spoil everything.
	path := generate(t, "send-fec.mp4", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", "-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "5", "-pix_fmt", "yuv420p")
	want := reference(t, path)
	avtest.Try(t, func() error {
		var without, with throughLoss
		for _, r := range []struct {
			fec string
			to  *throughLoss
		}{{"0", &without}, {"50", &with}} {
			port := avtest.Ports(t, 4)
			args := []string{"--payload-size", "200", "--fec", r.fec}
			sdp := description(t, path, port, args...)
			b, err := os.ReadFile(sdp)
			if err != nil {
				return err
			}
			// Nothing is asked for.
			var lines []string
			for line := range strings.Lines(string(b)) {
				if !strings.HasPrefix(line, "a=rtcp-fb") {
					lines = append(lines, line)
				}
			}
			if err := os.WriteFile(sdp, []byte(strings.Join(lines, "")), 0o666); err != nil {
				return err
			}
			if *r.to, err = playThroughLoss(t, sdp, port, want, func(ctx context.Context, port int) *exec.Cmd {
				return command{args: append([]string{"send", path, fmt.Sprintf("rtp://127.0.0.1:%d", port)}, args...)}.prepare(ctx, t)
			}); err != nil {
				return err
			}
		}
		switch {
		case without.lost < 5 || with.lost < 5:
			return fmt.Errorf("%d and %d packets were lost", without.lost, with.lost)
		case without.live.Corrected+without.live.Corrections != 0 || without.live.Lost == 0:
			return fmt.Errorf("without error correction: %+v", without)
		case with.live.Corrected == 0 || with.live.Lost > with.lost/3 || with.live.NACKs != 0 || with.live.Malformed+with.live.Foreign != 0:
			return fmt.Errorf("with error correction: %+v", with)
		case with.whole < 2*without.whole:
			return fmt.Errorf("with error correction %+v, without %+v", with, without)
		}
		t.Logf("of %d pictures %d are whole without error correction and %d with", len(want), without.whole, with.whole)
		return nil
	})
}

// TestCorrectionFromGStreamer: ULPFEC, in band, as GStreamer sends it.
func TestCorrectionFromGStreamer(t *testing.T) {
	gst := needGStreamer(t, "h264parse", "rtph264pay", "rtpulpfecenc", "rtpbin")
	c := &liveCodecs[0]
	file := clip(t, c.file, "-c:v", "libx264", "-preset", "veryfast", "-g", "5", "-bf", "0", "-x264-params", "repeat-headers=1", "-pix_fmt", "yuv420p")
	want := reference(t, file)
	avtest.Try(t, func() error {
		port := avtest.Ports(t, 2)
		sdp := filepath.Join(t.TempDir(), "live.sdp")
		text := fmt.Sprintf("v=0\nc=IN IP4 127.0.0.1\nm=video %d RTP/AVP 96 122\na=rtpmap:96 H264/90000\na=rtpmap:122 ulpfec/90000\n", port)
		if err := os.WriteFile(sdp, []byte(text), 0o666); err != nil {
			return err
		}
		r, err := playThroughLoss(t, sdp, port, want, func(ctx context.Context, port int) *exec.Cmd {
			return exec.CommandContext(ctx, gst, append([]string{"-q"}, strings.Fields(fmt.Sprintf(
				"rtpbin name=b filesrc location=%s ! %s pt=96 mtu=400 ! rtpulpfecenc pt=122 percentage=50 ! b.send_rtp_sink_0 b.send_rtp_src_0 ! queue ! "+
					"udpsink host=127.0.0.1 port=%d b.send_rtcp_src_0 ! udpsink host=127.0.0.1 port=%d sync=false async=false", file, c.gst, port, port+1))...)...)
		})
		if err != nil {
			return err
		}
		// A third of what is lost is error correction, which counts as lost in band.
		if r.lost < 5 || r.live.Corrected == 0 || r.live.Corrected+r.live.Lost > r.lost || r.live.Malformed+r.live.Unknown+r.live.Strange != 0 {
			return fmt.Errorf("%+v", r)
		}
		if r.whole < len(want)/2 {
			return fmt.Errorf("%d of %d pictures are whole: %+v", r.whole, len(want), r)
		}
		t.Logf("%d of %d pictures whole, %d of %d packets lost came back", r.whole, len(want), r.live.Corrected, r.lost)
		return nil
	})
}
