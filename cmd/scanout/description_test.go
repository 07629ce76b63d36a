package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/scanout-av/scanout/ingest/rtp"
	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/player"
)

// TestDescriptionByContent: a session description is one wherever it comes from.
func TestDescriptionByContent(t *testing.T) {
	port := avtest.Ports(t, 2)
	text := fmt.Sprintf("v=0\nc=IN IP4 127.0.0.1\nm=video %d RTP/AVP 96\na=rtpmap:96 H264/90000\n", port)
	silence := fmt.Sprintf("port %d (video): nothing came in 200ms", port)
	for _, tt := range []struct {
		name, in, media string
		flags           []string
		want            string
	}{
		{"standard input", text, "-", nil, silence},
		{"a file of another name", "", write(t, "camera.txt", []byte(text)), nil, silence},
		{"nothing in it", "v=0\n", "-", nil, "it has no m= line"},
		{"cut off", "v=0\no=- 0 ", "-", nil, "session description"},
		{"an interface", text, "-", []string{"--interface", "nosuch0"}, `interface "nosuch0" does not exist`},
		{"an interface for something else", "", "udp://127.0.0.1:1", []string{"--interface", "lo"}, "localaddr="},
		{"flags of RTSP", text, "-", []string{"--transport", "udp"}, "--transport is for RTSP"},
		{"options of FFmpeg", text, "-", []string{"--source-option", "a=b"}, "--source-option is for"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := play(append(tt.flags, "-o", "null", "--timeout", "200ms", tt.media)...)
			c.in = []byte(tt.in)
			if r := c.run(t); r.code != exitMedia || !strings.Contains(r.err, tt.want) {
				t.Errorf("code %d, %q, want %q in it", r.code, r.err, tt.want)
			}
		})
	}
}

// TestDescriptionThroughAPipe plays what send describes on standard output, which it closes
// long before it ends.
func TestDescriptionThroughAPipe(t *testing.T) {
	needFFmpeg(t)
	media := generate(t, "pipe.mp4", "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=30", "-t", "1", "-c:v", "libx264", "-g", "15")
	avtest.Try(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		send := command{args: []string{"send", "-q", "--loop", media, fmt.Sprintf("rtp://127.0.0.1:%d", avtest.Ports(t, 2)), "--sdp", "-"}}.prepare(ctx, t)
		send.Stdout = w
		if err := send.Start(); err != nil {
			t.Fatal(err)
		}
		w.Close()
		defer func() {
			_ = send.Process.Kill()
			_ = send.Wait() // killed
		}()
		p := play("-q", "-o", "null", "--frames", "10", "-").prepare(ctx, t)
		p.Stdin = r
		if out, err := p.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

// TestDamage: a network's losses are not the sender's fault.
func TestDamage(t *testing.T) {
	s := player.Stats{ReadErrors: 1, DecodeErrors: 2, AudioErrors: 3}
	if got := damage("a.ts", &s); got != "a.ts is damaged: 1 units could not be read and 5 not decoded; the rest was played" {
		t.Error(got)
	}
	s.Live = []rtp.Counters{{}, {Lost: 4}}
	if got := damage("a.sdp", &s); got != "4 packets of a.sdp were lost on the way, and 5 units could not be decoded for that; the rest was played" {
		t.Error(got)
	}
}
