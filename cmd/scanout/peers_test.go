package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/avtest"
)

// sums are the checksums of a framemd5 file, in order.
func sums(framemd5 string) (h []string) {
	for line := range strings.Lines(framemd5) {
		if f := strings.Split(strings.TrimSpace(line), ","); !strings.HasPrefix(line, "#") && len(f) == 6 {
			h = append(h, strings.TrimSpace(f[5]))
		}
	}
	return h
}

// inARow checks that got is what was sent, without a picture missing or changed, from
// wherever it begins; a sender may repeat its clip.
func inARow(got, sent []string) error {
	at := -1
	for i, h := range sent {
		if len(got) > 0 && h == got[0] {
			at = i
			break
		}
	}
	if at < 0 {
		return fmt.Errorf("%d pictures, and the first is none of those sent", len(got))
	}
	for k, h := range got {
		if want := sent[(at+k)%len(sent)]; h != want {
			return fmt.Errorf("picture %d of %d is not what was sent after the one before", k, len(got))
		}
	}
	return nil
}

// behindTLS passes connections with TLS on to a port of this machine that does without, and
// returns where it listens.
func behindTLS(t *testing.T, port int) int {
	t.Helper()
	web := httptest.NewTLSServer(nil) // has a certificate
	web.Close()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: web.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var open []net.Conn
	var ended bool
	var running sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		ended = true
		mu.Unlock()
		running.Wait()
	})
	running.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				in.Close()
				continue
			}
			mu.Lock()
			if open = append(open, in, out); ended {
				in.Close()
				out.Close()
			}
			mu.Unlock()
			for _, c := range [][2]net.Conn{{in, out}, {out, in}} {
				running.Go(func() {
					_, _ = io.Copy(c[0], c[1]) // until one of the two ends
					c[0].Close()
				})
			}
		}
	})
	return l.Addr().(*net.TCPAddr).Port
}

// TestLivePeers plays live streams of other programs: what was not lost on the way equals
// what was sent, to the sample.
func TestLivePeers(t *testing.T) {
	needFFmpeg(t)
	clip := generate(t, "peer.ts", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-t", "6", "-c:v", "libx264", "-preset", "veryfast",
		"-g", "25", "-bf", "2", "-x264-params", "repeat-headers=1")
	reference, _ := avtest.FFmpeg(t, "-i", clip, "-map", "0:v", "-f", "framemd5", "-")
	sent := sums(string(reference))
	const n = 50
	loop := []string{"-re", "-stream_loop", "-1", "-i", clip, "-c", "copy"}
	send := func(args ...string) func(*testing.T) *avtest.Process { // a sender that serves one player
		return func(t *testing.T) *avtest.Process {
			return avtest.StartFFmpeg(t, append(loop[:len(loop):len(loop)], args...)...)
		}
	}
	serve := func(t *testing.T, cfg avtest.RTSPConfig) int {
		cfg.Launch = avtest.RTSPFile(clip)
		_, port := avtest.RTSP(t, cfg)
		return port
	}
	udp, rtmp, srt := avtest.Ports(t, 1), avtest.Ports(t, 1), avtest.Ports(t, 1)
	for _, tt := range []struct {
		name  string
		start func(*testing.T) *avtest.Process
		url   func(*testing.T) string
		flags []string
	}{
		{"RTSP over TCP", nil, func(t *testing.T) string { return fmt.Sprintf("rtsp://127.0.0.1:%d/v", serve(t, avtest.RTSPConfig{})) }, []string{"--transport", "tcp"}},
		{"RTSP over UDP", nil, func(t *testing.T) string { return fmt.Sprintf("rtsp://127.0.0.1:%d/v", serve(t, avtest.RTSPConfig{})) }, []string{"--transport", "udp"}},
		{"RTSP with a digest", nil, func(t *testing.T) string {
			return fmt.Sprintf("rtsp://me:wo%%20rd@127.0.0.1:%d/v", serve(t, avtest.RTSPConfig{User: "me", Password: "wo rd", Digest: true}))
		}, nil},
		{"RTSP with a user", nil, func(t *testing.T) string {
			return fmt.Sprintf("rtsp://127.0.0.1:%d/v", serve(t, avtest.RTSPConfig{User: "me", Password: "wo rd"}))
		}, []string{"--user", "me:wo rd"}},
		{"RTSP over TLS", nil, func(t *testing.T) string {
			return fmt.Sprintf("rtsps://127.0.0.1:%d/v", behindTLS(t, serve(t, avtest.RTSPConfig{})))
		}, nil},
		{"MPEG-TS over UDP", send("-f", "mpegts", fmt.Sprintf("udp://127.0.0.1:%d?pkt_size=1316", udp)),
			func(*testing.T) string { return fmt.Sprintf("udp://127.0.0.1:%d", udp) }, nil},
		{"SRT", send("-f", "mpegts", fmt.Sprintf("srt://127.0.0.1:%d?mode=listener", srt)),
			func(*testing.T) string { return fmt.Sprintf("srt://127.0.0.1:%d", srt) }, nil},
		{"RTMP", send("-f", "flv", "-listen", "1", fmt.Sprintf("rtmp://127.0.0.1:%d/live/x", rtmp)),
			func(*testing.T) string { return fmt.Sprintf("rtmp://127.0.0.1:%d/live/x", rtmp) }, nil},
		{"HTTP", nil, func(t *testing.T) string {
			b, err := os.ReadFile(clip)
			if err != nil {
				t.Fatal(err)
			}
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for step := len(b) / 300 / 188 * 188; len(b) > 0; b = b[min(step, len(b)):] {
					if _, err := w.Write(b[:min(step, len(b))]); err != nil {
						return
					}
					w.(http.Flusher).Flush()
					time.Sleep(20 * time.Millisecond) // six seconds take six seconds
				}
			}))
			t.Cleanup(srv.Close)
			return srv.URL + "/live.ts"
		}, nil},
		{"HLS", nil, func(t *testing.T) string {
			dir := t.TempDir()
			list := filepath.Join(dir, "a.m3u8")
			avtest.StartFFmpeg(t, append(loop[:len(loop):len(loop)], "-f", "hls", "-hls_time", "1", "-hls_flags", "delete_segments", list)...)
			if err := avtest.Eventually(func() bool { b, _ := os.ReadFile(list); return strings.Count(string(b), ".ts") >= 3 }); err != nil {
				t.Fatal(err)
			}
			srv := httptest.NewServer(http.FileServer(http.Dir(dir)))
			t.Cleanup(srv.Close)
			return srv.URL + "/a.m3u8"
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// What UDP carries is lost where the machine stands still.
			avtest.Try(t, func() error {
				url := tt.url(t)
				if tt.start != nil {
					defer tt.start(t).Kill()
				}
				args := append([]string{"--reconnect", "off", "-o", "framemd5:-", "--frames", fmt.Sprint(n)}, tt.flags...)
				var r result
				// A server that has just been started may not listen yet.
				if err := avtest.Eventually(func() bool {
					r = play(append(args, url)...).run(t)
					return r.code == exitOK || !strings.Contains(r.err, "nothing listens there") && !strings.Contains(r.err, "broke off")
				}); err != nil || r.code != exitOK {
					return fmt.Errorf("%v, code %d: %s", err, r.code, r.err)
				}
				if strings.Contains(r.err, "wo rd") || strings.Contains(r.err, "wo%20rd") {
					t.Errorf("the password is shown: %s", r.err)
				}
				got := sums(r.out)
				if len(got) != n {
					return fmt.Errorf("%d pictures of %d", len(got), n)
				}
				return inARow(got, sent)
			})
		})
	}
}

// TestProbeLive says what a live stream is, and within the time limit that there is none.
func TestProbeLive(t *testing.T) {
	needFFmpeg(t)
	port := avtest.Ports(t, 1)
	url := fmt.Sprintf("udp://127.0.0.1:%d", port)
	r := command{args: []string{"probe", "--timeout", "300ms", url}}.run(t)
	if r.code != exitMedia || !strings.Contains(r.err, "is the sender running") {
		t.Errorf("code %d: %s", r.code, r.err)
	}
	clip := generate(t, "probe.ts", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-t", "2", "-c:v", "libx264", "-g", "25")
	avtest.StartFFmpeg(t, "-re", "-stream_loop", "-1", "-i", clip, "-c", "copy", "-f", "mpegts", url+"?pkt_size=1316")
	r = command{args: []string{"probe", "--timeout", "30s", url}}.run(t)
	if r.code != exitOK || !strings.Contains(r.out, "mpegts, live") || !strings.Contains(r.out, "h264") || !strings.Contains(r.out, "160x90") {
		t.Errorf("code %d: %s%s", r.code, r.out, r.err)
	}
}

// TestSourceArguments gives flags that make no sense.
func TestSourceArguments(t *testing.T) {
	for _, args := range [][]string{{"--reconnect", "soon"}, {"--reconnect", "-1s"}, {"--timeout", "-1s"}, {"--timeout=-1s"}, {"--timeout", "soon"}, {"--raw-size", "4x4"}, {"--transport", "pigeon"}, {"--source-option", "x"}} {
		if r := play(append(args, "rtsp://127.0.0.1:1/x")...).run(t); r.code != exitUsage {
			t.Errorf("%q: code %d: %s", args, r.code, r.err)
		}
	}
	for _, tt := range []struct {
		s    string
		want time.Duration
	}{{"off", -1}, {"0", -1}, {"0s", -1}, {"forever", 1<<63 - 1}, {"90s", 90 * time.Second}, {"90", 90 * time.Second}, {"1:30", 90 * time.Second}} {
		if d, err := parseReconnect(tt.s); d != tt.want || err != nil {
			t.Errorf("%q is %v, %v", tt.s, d, err)
		}
	}
}
