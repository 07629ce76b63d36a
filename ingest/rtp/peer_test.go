package rtp

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/internal/udp"
	"github.com/scanout-av/scanout/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("needs %s: bash internal/ci/packages.sh test", program)
	}
	return path
}

// packetsOf returns the MD5s of a file's packets, by FFmpeg.
func packetsOf(t *testing.T, file string) (sums []string) {
	t.Helper()
	out, err := exec.Command(need(t, "ffmpeg"), "-v", "error", "-i", file, "-map", "0:a", "-c", "copy", "-f", "framemd5", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "#") {
			sums = append(sums, strings.TrimSpace(strings.Split(line, ",")[5])) // side data follows
		}
	}
	return sums
}

// TestSoundOfOthers: the access units of sound that FFmpeg and GStreamer send are the
// packets of the file, on every way to receive.
func TestSoundOfOthers(t *testing.T) {
	aac := "a=rtpmap:97 MPEG4-GENERIC/48000/2\na=fmtp:97 profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3; config=1190\n"
	opus := "a=rtpmap:97 opus/48000/2\n"
	tests := []struct {
		name, sdp, file, codec, gst string
		path                        udp.Path
	}{
		{"opus from ffmpeg", opus, "a.mkv", "libopus", "", udp.PathAuto},
		{"opus from gstreamer", opus, "a.mkv", "libopus", "matroskademux ! rtpopuspay", udp.PathNet},
		{"aac from ffmpeg", aac, "a.mp4", "aac", "", udp.PathMMsg},
		{"aac from gstreamer", aac, "a.mp4", "aac", "qtdemux ! aacparse ! rtpmp4gpay", udp.PathURing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), tt.file)
			if out, err := exec.Command(need(t, "ffmpeg"), "-v", "error", "-f", "lavfi", "-i", "anoisesrc=sample_rate=48000:amplitude=0.3,aeval=val(0)|val(0)", "-t", "2",
				"-c:a", tt.codec, "-b:a", "96k", file).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			want := packetsOf(t, file)
			units, c := soundFrom(t, tt.sdp, file, tt.gst, tt.path)
			var got []string
			for _, u := range units {
				sum := md5.Sum(u)
				got = append(got, hex.EncodeToString(sum[:]))
			}
			// FFmpeg keeps what does not fill a packet at the end, GStreamer leaves out what
			// comes before the beginning.
			from := 0
			if len(got) > 0 {
				from = max(slices.Index(want, got[0]), 0)
			}
			if len(got) < len(want)-6 || len(got) > len(want)-from || !slices.Equal(got, want[from:from+len(got)]) {
				t.Errorf("%d units, the file has %d, or they differ: %+v", len(got), len(want), c)
			}
			if c.SenderReports == 0 {
				t.Error("no sender reports")
			}
		})
	}
}

// TestPCMOfOthers: the same of sound whose packets are cut as the sender likes, and of which
// every byte counts.
func TestPCMOfOthers(t *testing.T) {
	for _, tt := range []struct{ name, rtpmap, file, codec, rate, raw, gst string }{
		{"L16 from ffmpeg", "L16/48000/2", "a.au", "pcm_s16be", "48000", "s16be", ""},
		{"L16 from gstreamer", "L16/48000/2", "a.wav", "pcm_s16le", "48000", "s16be", "wavparse ! audioconvert ! rtpL16pay"},
		{"L24 from gstreamer", "L24/48000/2", "a.wav", "pcm_s24le", "48000", "s24be", "wavparse ! audioconvert ! rtpL24pay"},
		{"PCMU from ffmpeg", "PCMU/8000", "a.wav", "pcm_mulaw", "8000", "mulaw", ""},
		{"PCMU from gstreamer", "PCMU/8000", "a.wav", "pcm_mulaw", "8000", "mulaw", "wavparse ! rtppcmupay"},
		{"PCMA from ffmpeg", "PCMA/8000", "a.wav", "pcm_alaw", "8000", "alaw", ""},
		{"PCMA from gstreamer", "PCMA/8000", "a.wav", "pcm_alaw", "8000", "alaw", "wavparse ! rtppcmapay"},
		{"G722 from ffmpeg", "G722/8000", "a.mkv", "g722", "16000", "g722", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), tt.file)
			channels := "1"
			if strings.HasSuffix(tt.rtpmap, "/2") {
				channels = "2"
			}
			if out, err := exec.Command(need(t, "ffmpeg"), "-v", "error", "-f", "lavfi", "-i", "anoisesrc=amplitude=0.3:sample_rate="+tt.rate, "-t", "2",
				"-ac", channels, "-c:a", tt.codec, file).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			args := []string{"-v", "error", "-i", file, "-f", tt.raw}
			if strings.HasPrefix(tt.raw, "s") {
				args = append(args, "-c:a", "pcm_"+tt.raw)
			} else {
				args = append(args, "-c", "copy")
			}
			want, err := exec.Command(need(t, "ffmpeg"), append(args, "-")...).Output()
			if err != nil {
				t.Fatal(err)
			}
			units, c := soundFrom(t, "a=rtpmap:97 "+tt.rtpmap+"\n", file, tt.gst, udp.PathAuto)
			got := slices.Concat(units...)
			if len(got) < len(want)*9/10 || !bytes.Contains(want, got) {
				t.Errorf("%d bytes in %d units, the file has %d, or they differ: %+v", len(got), len(units), len(want), c)
			}
		})
	}
}

// soundFrom receives what a program sends of file, to its RTCP BYE.
func soundFrom(t *testing.T, sdp, file, gst string, path udp.Path) (units [][]byte, c Counters) {
	t.Helper()
	for range 3 {
		var ended bool
		if units, c, ended = trySoundFrom(t, sdp, file, gst, path); ended {
			return units, c
		}
	}
	t.Fatal("the sender hung three times")
	return nil, c
}

// trySoundFrom is one try; ended is false when no BYE came in 20 s. The program is not waited
// for: gst-launch with a session says BYE and may then wait for ever for the end of its RTCP.
func trySoundFrom(t *testing.T, sdp, file, gst string, path udp.Path) (got [][]byte, c Counters, ended bool) {
	t.Helper()
	port := avtest.Ports(t, 2)
	d, err := Parse([]byte(fmt.Sprintf("v=0\nc=IN IP4 127.0.0.1\nm=audio %d RTP/AVP 97\n%s", port, sdp)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(context.Background(), Config{Description: d, Now: clock.Now, Receive: path, Complete: true, Linger: 300 * time.Millisecond,
		Reconnect: 5 * time.Second})
	if err != nil && path != udp.PathAuto && path != udp.PathNet {
		t.Skipf("needs Linux's %v: %v", path, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	send := exec.CommandContext(ctx, need(t, "ffmpeg"), "-v", "error", "-re", "-i", file, "-map", "0:a", "-c", "copy", "-f", "rtp",
		"-rtpflags", "+send_bye", "-payload_type", "97", fmt.Sprintf("rtp://127.0.0.1:%d", port))
	if gst != "" {
		send = exec.CommandContext(ctx, need(t, "gst-launch-1.0"), append([]string{"-q"}, strings.Fields(fmt.Sprintf(
			"rtpbin name=b filesrc location=%s ! %s pt=97 ! b.send_rtp_sink_0 b.send_rtp_src_0 ! queue ! udpsink host=127.0.0.1 port=%d "+
				"b.send_rtcp_src_0 ! udpsink host=127.0.0.1 port=%d sync=false async=false", file, gst, port, port+1))...)...)
	}
	sent := make(chan error, 1)
	go func() {
		out, err := send.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, out)
		}
		sent <- err
	}()
	defer context.AfterFunc(ctx, s.Interrupt)()
	var au media.AccessUnit
	last := media.NoTimestamp
	for {
		err := s.Read(&au)
		if ctx.Err() != nil {
			<-sent
			return nil, c, false
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, bytes.Clone(au.Data))
		if last.Valid() && (au.PTS <= last || au.PTS > last+200_000_000) {
			t.Errorf("unit %d at %d, the one before at %d", len(got), au.PTS, last)
		}
		last = au.PTS
		au.Release()
	}
	select {
	case err = <-sent:
	default:
		stop()
		<-sent
	}
	if err != nil {
		t.Error(err)
	}
	return got, s.Stats()[0], true
}

// TestNothingComes: errors of Open say what to do.
func TestNothingComes(t *testing.T) {
	port := avtest.Ports(t, 2)
	open := func(url string, send []byte) error {
		d, err := ParseURL(url)
		if err != nil {
			t.Fatal(err)
		}
		if send != nil {
			c, err := net.Dial("udp4", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			go func() {
				for {
					if _, err := c.Write(send); errors.Is(err, net.ErrClosed) {
						return
					}
					time.Sleep(time.Millisecond)
				}
			}()
		}
		s, err := Open(context.Background(), Config{Description: d, Now: clock.Now, Name: url, OpenTimeout: 300 * time.Millisecond})
		if err == nil {
			s.Close()
			t.Fatal("it opens")
		}
		return err
	}
	url := fmt.Sprintf("rtp://127.0.0.1:%d?pt=96&codec=h264", port)
	for _, tt := range []struct {
		send []byte
		want string
	}{
		{nil, "is the sender running"},
		{[]byte{0x47, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "for MPEG-TS use udp://"},
		{rtpPacket(0, 0, 7, 97, true, 1, 2, 3), "of payload type 97, and 96 is described"},
	} {
		// While the machine stands still nothing is sent.
		avtest.Try(t, func() error {
			if err := open(url, tt.send); !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				return fmt.Errorf("error %q, want %q in it", err, tt.want)
			}
			return nil
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	d, _ := ParseURL(url)
	if _, err := Open(ctx, Config{Description: d, Now: clock.Now}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
