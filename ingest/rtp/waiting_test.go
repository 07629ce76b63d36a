package rtp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/media"
)

// lines collects what is logged; cancel is called with each line.
type lines struct {
	mu     sync.Mutex
	b      bytes.Buffer
	cancel func()
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cancel != nil {
		l.cancel()
	}
	return l.b.Write(p)
}

func (l *lines) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.b.Reset()
	return l.b.String()
}

func (l *lines) into(c *Config) { c.Log = slog.New(slog.NewTextHandler(l, nil)) }

// TestWhatIsMissing: why a stream cannot be opened is said for what came, once while it is
// waited for, and at the end.
func TestWhatIsMissing(t *testing.T) {
	delta := func(seq uint16, pt uint8) []byte { return rtpPacket(seq, uint32(seq)*tick, 7, pt, true, 0x61, 1, 2, 3) }
	for _, tt := range []struct {
		name, url  string
		send       func(seq uint16) []byte
		said, ends string
	}{
		{"silence", h264URL, nil, "waiting for the first packet, for 10s at most", "nothing came in 10s: is the sender running"},
		{"no key frame", h264URL, func(n uint16) []byte { return delta(n, 96) },
			"(video): packets come, waiting for a key frame", "no key frame with parameter sets: let the sender repeat them"},
		{"no key frame of VP8", "rtp://127.0.0.1:5004?codec=vp8", func(n uint16) []byte { return rtpPacket(n, uint32(n)*tick, 7, 96, true, 0x10, 1, 2, 3) },
			"waiting for a key frame", "no key frame: let the sender make one more often (ffmpeg: -g 30); or is it not VP8 that is sent?"},
		{"another codec", "rtp://127.0.0.1:5004?codec=h265", func(n uint16) []byte { return rtpPacket(n, uint32(n)*tick, 7, 96, true, 0x7c) },
			"waiting for a key frame", "of them are no H265: is that what is sent?"},
		{"another type", h264URL, func(n uint16) []byte { return delta(n, 97) },
			"of payload type 97, and 96 is described", "of payload type 97, and 96 is described: compare pt="},
		{"no codec", "rtp://127.0.0.1:5004", func(n uint16) []byte { return delta(n, 96) },
			"port 5004: ", "of payload type 96, which says nothing by itself: add ?codec=h264"},
		{"not RTP", h264URL, func(uint16) []byte { return []byte{0x47, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} }, "not as RTP", "for MPEG-TS use udp://"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log lines
			s := newStand(t, tt.url, log.into)
			for n := range uint16(20) {
				if tt.send != nil {
					s.put(0, home, tt.send(n))
				}
				s.now += 16 * ms
			}
			s.notice()
			if got := log.take(); strings.Count(got, "\n") != 1 || !strings.Contains(got, tt.said) {
				t.Errorf("said %q, want %q in it", got, tt.said)
			}
			s.notice()
			if got := log.take(); got != "" {
				t.Errorf("said again: %q", got)
			}
			if err := s.nothing(); !strings.Contains(err.Error(), tt.ends) {
				t.Errorf("error %q, want %q in it", err, tt.ends)
			}
		})
	}
}

// TestOpenSaysThatItWaits: whoever waits for a source hears for what.
func TestOpenSaysThatItWaits(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := lines{cancel: cancel}
	d, err := ParseURL(fmt.Sprintf("rtp://127.0.0.1:%d?codec=h264", avtest.Ports(t, 2)))
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Description: d, Now: clock.Now}
	log.into(&cfg)
	if _, err := Open(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if got := log.take(); !strings.Contains(got, "waiting for the first packet") {
		t.Errorf("said %q", got)
	}
}

// TestLeftOut: a stream whose packets come and that cannot be played yet is not said to be
// silent. What is known of the other one is right.
func TestLeftOut(t *testing.T) {
	d, err := Parse([]byte("v=0\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\nm=video 5006 RTP/AVP 96\na=rtpmap:96 VP8/90000\na=framerate:30\n"))
	if err != nil {
		t.Fatal(err)
	}
	var log lines
	s := describedStand(t, d, log.into)
	for n := range uint16(8) {
		s.put(0, home, rtpPacket(n, uint32(n)*3000, 7, 96, true, 0x61, 1, 2, 3))
		s.put(1, home, rtpPacket(n, uint32(n)*3000, 7, 96, true, 0x10, 0, 0, 0, 0x9d, 1, 0x2a, 64, 0, 48, 0))
		s.now += 33 * ms
	}
	if err := s.describe(); err != nil {
		t.Fatal(err)
	}
	got := log.take()
	if !strings.Contains(got, "port 5004 (video) is left out (--timeout waits longer): 8 packets came and no key frame") || strings.Count(got, "\n") != 1 {
		t.Errorf("said %q", got)
	}
	if i := s.Info(); len(i.Streams) != 1 || i.Streams[0].Width != 64 || i.Streams[0].Color != media.ColorUnspecified {
		t.Errorf("%+v", i.Streams)
	}
}

// TestComplaint: what could not be used is said at the end, in words, and only what there was.
func TestComplaint(t *testing.T) {
	var log lines
	s := newStand(t, h264URL, log.into)
	tr := s.tracks[0]
	tr.c.Unknown, tr.c.Foreign, tr.c.KernelDrops = 3, 4, 5
	tr.complain()
	if got := log.take(); !strings.Contains(got, "dropped 5 packets") || strings.Contains(got, "another sender") {
		t.Errorf("before it was open: %q", got)
	}
	tr.c.KernelDrops = 0
	s.opened.Store(true)
	tr.complain()
	if got := log.take(); !strings.Contains(got, "3 of a payload type that is not described, 4 of another sender") || strings.Contains(got, "malformed") {
		t.Errorf("said %q", got)
	}
}

// TestSilenceIsSaid: a sender that falls silent is waited for, and whoever watches hears that,
// a few times.
func TestSilenceIsSaid(t *testing.T) {
	var log lines
	s := newStand(t, h264URL, log.into)
	tr := s.tracks[0]
	look := func(d time.Duration) string {
		s.now = s.now.Add(d)
		tr.mu.Lock()
		defer tr.mu.Unlock()
		if tr.over(s.now) {
			t.Fatal("it ends")
		}
		return log.take()
	}
	n := 0
	said := 0
	for range 2 * mostSilences {
		for range 3 {
			s.frame(home, 7, n, true)
			n++
		}
		log.take()
		if got := look(time.Second); got != "" {
			t.Errorf("after a second: %q", got)
		}
		switch got := look(4 * time.Second); {
		case got == "":
		case strings.Contains(got, "port 5004 (video): the sender, 192.0.2.1:5000, has fallen silent: waiting for 1m0s"):
			said++
		default:
			t.Errorf("said %q", got)
		}
		again := look(time.Second)
		s.frame(home, 7, n, true)
		n++
		back := look(0)
		if again != "" || said < mostSilences && !strings.Contains(back, "192.0.2.1:5000 sends again, after 6") {
			t.Errorf("said %q, %q", again, back)
		}
	}
	if said != mostSilences {
		t.Errorf("said %d times", said)
	}
}
