package rtp

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"

	"github.com/scanout-av/scanout/media"
)

// peer receives on two ports in a row.
type peer struct {
	media, rtcp *net.UDPConn
	port        int
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	for range 100 {
		a, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		port := a.LocalAddr().(*net.UDPAddr).Port
		b, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port + 1})
		if err != nil || port > 65000 {
			a.Close()
			continue
		}
		t.Cleanup(func() { a.Close(); b.Close() })
		return &peer{a, b, port}
	}
	t.Fatal("no two free ports in a row")
	return nil
}

func readOne(t *testing.T, c *net.UDPConn) []byte {
	t.Helper()
	b := make([]byte, 65536)
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// TestPacing drives the clock by hand: a picture is spread over half the time to the
// next one, reports come once a second, and a goodbye at the end.
func TestPacing(t *testing.T) {
	p := newPeer(t)
	now := media.Instant(1e9)
	s, err := New(Config{To: net.JoinHostPort("127.0.0.1", itoa(p.port)), PayloadSize: 100, Speed: 1,
		Streams: []media.Stream{{Index: 3, Kind: media.KindVideo, Codec: "vp8"}},
		Now:     func() media.Instant { return now }, Wall: func() time.Time { return time.Unix(1700000000, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	const size = 96 * 20 // twenty packets
	base := media.RTPVideo
	var dues []media.Instant
	for i := range 3 {
		due, err := s.Queue(&media.AccessUnit{Stream: 3, Data: make([]byte, size), PTS: media.Timestamp(3600 * i), DTS: media.NoTimestamp, Timebase: base}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		dues = append(dues, due)
	}
	if dues[1].Sub(dues[0]) != 40*time.Millisecond || dues[2].Sub(dues[1]) != 40*time.Millisecond {
		t.Errorf("due at %v", dues)
	}
	sent := func(at media.Instant) uint64 {
		now = at
		if err := s.Send(at); err != nil {
			t.Fatal(err)
		}
		return s.Stats().Packets
	}
	if n := sent(dues[0] - 1); n != 0 {
		t.Errorf("%d packets before their time", n)
	}
	if n := sent(dues[0]); n != 20 { // nothing says when the next one comes
		t.Errorf("%d packets of the first picture", n)
	}
	last := uint64(20)
	for ms := range 20 {
		n := sent(dues[1].Add(time.Duration(ms) * time.Millisecond))
		if n-last > 2 {
			t.Errorf("%d packets at once after %d ms", n-last, ms)
		}
		last = n
	}
	if last != 40 {
		t.Errorf("%d packets after 20 ms", last)
	}
	sent(dues[2].Add(time.Second))
	if _, ok := s.Next(); ok {
		t.Error("something is left")
	}
	var first rtp.Packet
	for i := range 60 {
		var h rtp.Packet
		if err := h.Unmarshal(readOne(t, p.media)); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = h
		}
		if h.SSRC != first.SSRC || h.SequenceNumber != first.SequenceNumber+uint16(i) || h.Timestamp != first.Timestamp+uint32(i/20*3600) ||
			h.Marker != (i%20 == 19) || h.PayloadType != 96 {
			t.Fatalf("packet %d: %v", i, h.Header)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ packets, ticks uint32 }{{0, 0}, {40, 90 * 1080}, {60, 90 * 1080}} {
		all, err := rtcp.Unmarshal(readOne(t, p.rtcp))
		if err != nil {
			t.Fatal(err)
		}
		sr, ok := all[0].(*rtcp.SenderReport)
		if !ok || sr.SSRC != first.SSRC || sr.PacketCount != want.packets || sr.RTPTime != first.Timestamp+want.ticks || sr.NTPTime>>32 != 1700000000+2208988800 {
			t.Errorf("report %d: %v", i, all[0])
		}
		_, bye := all[len(all)-1].(*rtcp.Goodbye)
		if bye != (i == 2) {
			t.Errorf("report %d: goodbye %v", i, bye)
		}
	}
}

func itoa(n int) string { return (&net.UDPAddr{Port: n}).String()[1:] }

func TestSDP(t *testing.T) {
	streams := []media.Stream{
		{Index: 0, Kind: media.KindVideo, Codec: "h264", ExtraData: annex(nal(8, 0x67, 0x64, 0, 0x28), nal(4, 0x68)), FrameRate: media.Rational{Num: 25, Den: 1}},
		{Index: 1, Kind: media.KindAudio, Codec: "aac", SampleRate: 44100, Channels: 2, ExtraData: []byte{0x12, 0x10}},
	}
	for _, to := range []string{"127.0.0.1:5004", "239.1.2.3:5004"} {
		s, err := New(Config{To: to, Streams: streams, Name: "a\r\nb", Now: func() media.Instant { return 1 }, Wall: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.SDP()
		if err != nil {
			t.Fatal(err)
		}
		var d sdp.SessionDescription
		if err := d.Unmarshal(b); err != nil || len(d.MediaDescriptions) != 2 {
			t.Fatalf("%v\n%s", err, b)
		}
		for _, want := range []string{"s=a  b\r\n", "m=video 5004 RTP/AVP 96\r\n", "a=rtpmap:96 H264/90000\r\n", "packetization-mode=1;profile-level-id=640028;sprop-parameter-sets=Z2QAKFpaWlo=,aFpaWg==",
			"m=audio 5006 RTP/AVP 97\r\n", "a=rtpmap:97 mpeg4-generic/44100/2\r\n", "config=1210"} {
			if !strings.Contains(string(b), want) {
				t.Errorf("%q is not in\n%s", want, b)
			}
		}
		if strings.HasPrefix(to, "239") && !strings.Contains(string(b), "c=IN IP4 239.1.2.3/1\r\n") {
			t.Errorf("%s", b)
		}
		// A group has many members, whose requests nobody weighs.
		if got := strings.Contains(string(b), "a=rtcp-fb:96 nack\r\n"); got == strings.HasPrefix(to, "239") || strings.Contains(string(b), "pli") {
			t.Errorf("%s: requests for packets announced: %v", to, got)
		}
		s.Close()
	}
}

func TestBadConfig(t *testing.T) {
	ok := []media.Stream{{Kind: media.KindVideo, Codec: "vp8"}}
	now, wall := func() media.Instant { return 1 }, time.Now
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{To: "127.0.0.1:5004", Streams: ok}, "missing"},
		{Config{To: "127.0.0.1:5004", Now: now, Wall: wall}, "no stream"},
		{Config{To: "127.0.0.1", Streams: ok, Now: now, Wall: wall}, "not host:port"},
		{Config{To: "127.0.0.1:0", Streams: ok, Now: now, Wall: wall}, "port"},
		{Config{To: "127.0.0.1:65535", Streams: ok, Now: now, Wall: wall}, "port"},
		{Config{To: "127.0.0.1:5004", Streams: ok, Now: now, Wall: wall, PayloadSize: 10}, "use 64 to 65000"},
		{Config{To: "127.0.0.1:5004", Streams: ok, Now: now, Wall: wall, Speed: 100}, "out of range"},
		{Config{To: "127.0.0.1:5004", Streams: []media.Stream{{Codec: "prores"}}, Now: now, Wall: wall}, "prores: not supported over RTP here"},
		{Config{To: "127.0.0.1:5004", Streams: []media.Stream{{Codec: "aac"}}, Now: now, Wall: wall}, "not known"},
	} {
		s, err := New(tt.cfg)
		if err == nil {
			s.Close()
			t.Errorf("%+v: no error", tt.cfg)
		} else if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q does not say %q", err, tt.want)
		}
	}
	if CanSend(&media.Stream{Codec: "prores"}) || !CanSend(&ok[0]) {
		t.Error("CanSend")
	}
	if _, err := New(Config{To: "127.0.0.1:5004", Streams: []media.Stream{{Codec: "mp3"}}, Now: now, Wall: wall}); !errors.Is(err, media.ErrNotSupported) {
		t.Error(err)
	}
}
