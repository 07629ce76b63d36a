package rtp

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scanout-av/scanout/media"
)

const ffmpegSDP = `SDP:
v=0
o=- 0 0 IN IP4 127.0.0.1
s=No Name
c=IN IP4 127.0.0.1
t=0 0
a=tool:libavformat LIBAVFORMAT_VERSION
m=video 15004 RTP/AVP 96
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z2QAHqy0BQF/y4CIAAADAAgAAAMB4HixdQ==,aO88sA==; profile-level-id=64001E
m=audio 15006 RTP/AVP 97
b=AS:64
a=rtpmap:97 opus/48000/2
a=fmtp:97 sprop-stereo=1
`

// seen is what is compared of a description.
type seen struct {
	Kind           media.Kind
	Address        string
	Port, RTCPPort int
	From           string
	Codec          media.Codec
	PT             uint8
	Clock, Rate    int
	Channels       int
	Extra          int // bytes
	NACK, PLI, FIR bool
	FrameRate      media.Rational
}

func look(d *Description) (out []seen) {
	for i := range d.Media {
		m := &d.Media[i]
		f := m.main()
		s := seen{m.Kind, m.Address, m.Port, m.RTCPPort, "", f.Codec, f.PayloadType, f.Clock, f.SampleRate, f.Channels, len(f.extra), m.NACK, m.PLI, m.FIR, m.FrameRate}
		if m.From.IsValid() {
			s.From = m.From.String()
		}
		out = append(out, s)
	}
	return out
}

var descriptions = []struct {
	name, sdp string
	want      []seen
	err       string
}{
	{"ffmpeg", ffmpegSDP, []seen{
		{Kind: media.KindVideo, Address: "127.0.0.1", Port: 15004, RTCPPort: 15005, Codec: "h264", PT: 96, Clock: 90000, Rate: 90000, Channels: 1, Extra: 37},
		{Kind: media.KindAudio, Address: "127.0.0.1", Port: 15006, RTCPPort: 15007, Codec: "opus", PT: 97, Clock: 48000, Rate: 48000, Channels: 2},
	}, ""},
	{"short and with feedback", "v=0\nm=video 5004 RTP/AVPF 96 97\nc=IN IP6 ::1\na=rtcp-mux\na=rtpmap:96 VP8/90000\na=rtpmap:97 rtx/90000\na=fmtp:97 apt=96\na=rtcp-fb:96 nack\na=rtcp-fb:96 nack pli\na=rtcp-fb:* ccm fir\na=framerate:29.97\n",
		[]seen{{Kind: media.KindVideo, Address: "::1", Port: 5004, RTCPPort: 5004, Codec: "vp8", PT: 96, Clock: 90000, Rate: 90000, Channels: 1, NACK: true, PLI: true, FIR: true, FrameRate: media.Rational{Num: 30000, Den: 1001}}}, ""},
	{"multicast with a source", "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=x\nc=IN IP4 239.1.2.3/64\nt=0 0\na=source-filter: incl IN IP4 239.1.2.3 10.0.0.7\nm=audio 6000 RTP/AVP 8\na=rtcp:7001 IN IP4 239.1.2.3\n",
		[]seen{{Kind: media.KindAudio, Address: "239.1.2.3", Port: 6000, RTCPPort: 7001, From: "10.0.0.7", Codec: "pcm_alaw", PT: 8, Clock: 8000, Rate: 8000, Channels: 1}}, ""},
	{"aac", "v=0\nm=audio 6000 RTP/AVP 97\na=rtpmap:97 MPEG4-GENERIC/48000/2\na=fmtp:97 profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3; config=119056E500\n",
		[]seen{{Kind: media.KindAudio, Port: 6000, RTCPPort: 6001, Codec: "aac", PT: 97, Clock: 48000, Rate: 48000, Channels: 2, Extra: 5}}, ""},
	{"latm", "v=0\nm=audio 6000 RTP/AVP 97\na=rtpmap:97 MP4A-LATM/48000/2\na=fmtp:97 profile-level-id=1;cpresent=0;config=40002320adca00\n",
		[]seen{{Kind: media.KindAudio, Port: 6000, RTCPPort: 6001, Codec: "aac", PT: 97, Clock: 48000, Rate: 48000, Channels: 2, Extra: 5}}, ""},
	{"one section of two", "v=0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 theora/90000\nm=audio 5006 RTP/AVP 0\n",
		[]seen{{Kind: media.KindAudio, Port: 5006, RTCPPort: 5007, Codec: "pcm_mulaw", PT: 0, Clock: 8000, Rate: 8000, Channels: 1}}, ""},

	{"RTCP where a stream is", "v=0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 VP8/90000\nm=audio 5005 RTP/AVP 0\n", []seen{
		{Kind: media.KindVideo, Port: 5004, Codec: "vp8", PT: 96, Clock: 90000, Rate: 90000, Channels: 1},
		{Kind: media.KindAudio, Port: 5005, RTCPPort: 5006, Codec: "pcm_mulaw", PT: 0, Clock: 8000, Rate: 8000, Channels: 1}}, ""},
	{"two on a port", "v=0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 VP8/90000\nm=audio 5004 RTP/AVP 0\n", nil, "two sections are on port 5004"},
	{"absurd address", "v=0\nc=IN IP4 300.1.1.1\nm=audio 5004 RTP/AVP 0\n", nil, `"300.1.1.1" is no IP address`},

	{"nothing", "", nil, `session description: it does not begin with "v=0"`},
	{"no media", "v=0\r\no=- 0 0 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\n", nil, "session description: it has no m= line, so nothing is sent"},
	{"too long", "v=0\n" + strings.Repeat("a=x\n", 20000), nil, "session description: 80004 bytes: more than 65536 are no session description"},
	{"absurd port", "v=0\nm=video 99999 RTP/AVP 96\na=rtpmap:96 H264/90000\n", nil, "port"},
	{"negative port", "v=0\nm=video -1 RTP/AVP 96\na=rtpmap:96 H264/90000\n", nil, "port"},
	{"port 0", "v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n", nil, "switched off"},
	{"absurd clock", "v=0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/999999999\n", nil, "clock rate 999999999: use 1000 to 1000000"},
	{"no clock", "v=0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264\n", nil, "write it like H264/90000"},
	{"clock 0", "v=0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/0\n", nil, "is no clock rate"},
	{"absurd channels", "v=0\nm=audio 5004 RTP/AVP 96\na=rtpmap:96 L16/48000/4000000000\n", nil, "channels"},
	{"no rtpmap", "v=0\nm=video 5004 RTP/AVP 96\n", nil, "payload type 96 has no a=rtpmap"},
	{"payload type 200", "v=0\nm=video 5004 RTP/AVP 200\na=rtpmap:200 H264/90000\n", nil, "use 0 to 127"},
	{"encrypted", "v=0\nm=video 5004 RTP/SAVP 96\na=rtpmap:96 H264/90000\n", nil, "encrypted"},
	{"interleaved", "v=0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 packetization-mode=2\n", nil, "interleaved"},
	{"transport stream", "v=0\nm=video 5004 RTP/AVP 33\n", nil, "udp://"},
	{"aac without configuration", "v=0\nm=audio 5004 RTP/AVP 96\na=rtpmap:96 mpeg4-generic/44100/2\na=fmtp:96 mode=AAC-hbr\n", nil, "config=HEX"},
	{"many ports", "v=0\nm=video 5004/40 RTP/AVP 96\na=rtpmap:96 H264/90000\n", nil, "40 ports"},
	{"inactive", "v=0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\na=inactive\n", nil, "inactive"},
	{"many sections", "v=0\n" + strings.Repeat("m=audio 5004 RTP/AVP 0\n", 17), nil, "17 media sections"},
	{"garbage", "v=0\nm=\n", nil, "RFC 8866"},
}

func TestParse(t *testing.T) {
	for _, tt := range descriptions {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Parse([]byte(tt.sdp))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "\n") {
					t.Fatalf("error %q, want one line with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, look(d)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

var addresses = []struct {
	url  string
	want seen
	err  string
}{
	{"rtp://127.0.0.1:5004?pt=96&codec=h264&clock=90000", seen{Kind: media.KindVideo, Address: "127.0.0.1", Port: 5004, RTCPPort: 5005, Codec: "h264", PT: 96, Clock: 90000, Rate: 90000, Channels: 1}, ""},
	{"rtp://:5004?codec=hevc", seen{Kind: media.KindVideo, Port: 5004, RTCPPort: 5005, Codec: "hevc", PT: anyType, Clock: 90000, Rate: 90000, Channels: 1}, ""},
	{"rtp://[::1]:5004?pt=97&codec=opus&mux", seen{Kind: media.KindAudio, Address: "::1", Port: 5004, RTCPPort: 5004, Codec: "opus", PT: 97, Clock: 48000, Rate: 48000, Channels: 2}, ""},
	{"rtp://10.0.0.7@239.1.1.1:5004?pt=0&rtcp=0", seen{Kind: media.KindAudio, Address: "239.1.1.1", Port: 5004, From: "10.0.0.7", Codec: "pcm_mulaw", Clock: 8000, Rate: 8000, Channels: 1}, ""},
	{"rtp://[fe80::7%25eth0]@[ff32::1]:5004?pt=0&rtcp=0", seen{Kind: media.KindAudio, Address: "ff32::1", Port: 5004, From: "fe80::7", Codec: "pcm_mulaw", Clock: 8000, Rate: 8000, Channels: 1}, ""},
	{"rtp://fd00::7@[ff32::1]:5004?pt=0&rtcp=0", seen{Kind: media.KindAudio, Address: "ff32::1", Port: 5004, From: "fd00::7", Codec: "pcm_mulaw", Clock: 8000, Rate: 8000, Channels: 1}, ""},
	{"rtp://:5004?codec=h264&nack&pli", seen{Kind: media.KindVideo, Port: 5004, RTCPPort: 5005, Codec: "h264", PT: anyType, Clock: 90000, Rate: 90000, Channels: 1, NACK: true, PLI: true}, ""},
	{"rtp://127.0.0.1", seen{}, "it has no port"},
	{"rtp://127.0.0.1:0", seen{}, "use 1 to 65535"},
	{"rtp://127.0.0.1:70000", seen{}, "use 1 to 65535"},
	{"rtp://127.0.0.1:5004?pt=96", seen{}, "add &codec=h264"},
	{"rtp://127.0.0.1:5004?pt=200", seen{}, "use 0 to 127"},
	{"rtp://127.0.0.1:5004?codec=l16", seen{}, "add &clock=48000"},
	{"rtp://127.0.0.1:5004?codec=divx", seen{}, "it can be h264"},
	{"rtp://127.0.0.1:5004?codec=aac&clock=48000", seen{}, "config=HEX"},
	{"rtp://127.0.0.1:5004?colour=red", seen{}, "no parameter"},
	{"rtp://me@127.0.0.1:5004?codec=h264", seen{}, "no IP address"},
	{"rtp:127.0.0.1:5004", seen{}, "write it like rtp://"},
}

func TestParseURL(t *testing.T) {
	for _, tt := range addresses {
		d, err := ParseURL(tt.url)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: error %v, want one with %q", tt.url, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff([]seen{tt.want}, look(d)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.url, diff)
		}
	}
	// Without a codec, whatever says by itself what it is.
	d, err := ParseURL("rtp://127.0.0.1:5004")
	if err != nil || len(d.Media) != 1 || len(d.Media[0].Formats) != 5 {
		t.Errorf("%+v, %v", d, err)
	}
}

// FuzzParse: no description makes the parser fall over, and what it accepts makes sense.
func FuzzParse(f *testing.F) {
	for _, d := range descriptions {
		if len(d.sdp) < 4096 {
			f.Add(d.sdp)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := Parse([]byte(s))
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Fatalf("more than a line: %q", err)
			}
			return
		}
		checkDescription(t, d)
	})
}

// FuzzParseURL is the same for addresses.
func FuzzParseURL(f *testing.F) {
	for _, a := range addresses {
		f.Add(a.url)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseURL(s); err == nil {
			checkDescription(t, d)
		}
	})
}

func checkDescription(t *testing.T, d *Description) {
	t.Helper()
	if len(d.Media) == 0 || len(d.Media) > maxMedia {
		t.Fatalf("%d sections", len(d.Media))
	}
	for i := range d.Media {
		m := &d.Media[i]
		if m.Port < 1 || m.Port > 65535 || m.RTCPPort < 0 || m.RTCPPort > 65535 || m.main() == nil {
			t.Fatalf("section %+v", m)
		}
		for j := range m.Formats {
			f := &m.Formats[j]
			if f.role != roleMedia {
				continue
			}
			if f.Clock < 1000 || f.Channels < 1 || f.Channels > maxChannels || f.Codec == "" {
				t.Fatalf("format %+v", f)
			}
			if _, err := f.depacketizer(true); err != nil {
				t.Fatal(err)
			}
		}
	}
}
