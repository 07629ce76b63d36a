package rtp

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/scanout-av/scanout/media"
)

// format is how a stream is sent.
type format struct {
	packetize packetizer
	clock     int    // ticks a second
	name      string // of a=rtpmap
	fmtp      string
	// complete fills in, from the first access unit, what the stream did not say.
	complete func(f *format, au *media.AccessUnit)
}

// CanSend reports whether a stream can be sent as RTP.
func CanSend(st *media.Stream) bool {
	_, err := formatOf(st)
	return err == nil
}

// formatOf chooses how to send a stream.
// Errors: media.ErrNotSupported.
func formatOf(st *media.Stream) (f format, err error) {
	f.clock = 90000
	switch st.Codec {
	case "h264":
		p, err := avcSets(st.ExtraData)
		if err != nil {
			return f, err
		}
		f.packetize, f.name = avc(p), "H264/90000"
		f.describeAVC(p)
		f.complete = func(f *format, au *media.AccessUnit) {
			if len(p.sets) == 0 && p.prefix == 0 {
				f.describeAVC(annexB(au.Data))
			}
		}
	case "hevc":
		p, err := hevcSets(st.ExtraData)
		if err != nil {
			return f, err
		}
		f.packetize, f.name = hevc(p), "H265/90000"
		f.describeHEVC(p)
		f.complete = func(f *format, au *media.AccessUnit) {
			if len(p.sets) == 0 && p.prefix == 0 {
				f.describeHEVC(annexB(au.Data))
			}
		}
	case "vp8":
		f.packetize, f.name = vp8(), "VP8/90000"
	case "vp9":
		f.packetize, f.name = vp9(), "VP9/90000"
	case "av1":
		f.packetize, f.name = av1(), "AV1/90000"
	case "opus":
		f.packetize, f.clock, f.name = opus, 48000, "opus/48000/2"
		if st.Channels == 2 {
			f.fmtp = "sprop-stereo=1"
		}
	case "aac":
		if st.SampleRate <= 0 || st.Channels <= 0 {
			return f, fmt.Errorf("its sample rate or channels are not known")
		}
		f.packetize, f.clock = aac, st.SampleRate
		f.name = fmt.Sprintf("mpeg4-generic/%d/%d", st.SampleRate, st.Channels)
		f.describeAAC(st.ExtraData)
		f.complete = func(f *format, au *media.AccessUnit) {
			if config, _, ok := adts(au.Data); ok && len(st.ExtraData) == 0 {
				f.describeAAC(config)
			}
		}
	default:
		return f, fmt.Errorf("%s: %w over RTP here; h264, hevc, vp8, vp9, av1, aac and opus are", st.Codec, media.ErrNotSupported)
	}
	return f, nil
}

// Source: RFC 6184, 8.1.
func (f *format) describeAVC(p parameterSets) {
	var sets []string
	profile := ""
	for _, n := range p.sets {
		switch n[0] & 31 {
		case 7:
			if len(n) >= 4 {
				profile = ";profile-level-id=" + hex.EncodeToString(n[1:4])
			}
			fallthrough
		case 8:
			sets = append(sets, base64.StdEncoding.EncodeToString(n))
		}
	}
	f.fmtp = "packetization-mode=1" + profile
	if len(sets) > 0 {
		f.fmtp += ";sprop-parameter-sets=" + strings.Join(sets, ",")
	}
}

// Source: RFC 7798, 7.1.
func (f *format) describeHEVC(p parameterSets) {
	var parts []string
	for kind, name := range []string{"sprop-vps", "sprop-sps", "sprop-pps"} {
		var sets []string
		for _, n := range p.sets {
			if n[0]>>1&63 == byte(32+kind) {
				sets = append(sets, base64.StdEncoding.EncodeToString(n))
			}
		}
		if len(sets) > 0 {
			parts = append(parts, name+"="+strings.Join(sets, ","))
		}
	}
	f.fmtp = strings.Join(parts, ";")
}

// Source: RFC 3640, 4.1.
func (f *format) describeAAC(config []byte) {
	f.fmtp = "profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3"
	if len(config) > 0 {
		f.fmtp += ";config=" + hex.EncodeToString(config)
	}
}

// SDP describes what is sent, for receivers. It is complete once an access unit of each
// stream has been queued: until then, streams without a configuration record lack what
// they carry in band.
func (s *Sender) SDP() ([]byte, error) {
	family := func(a netip.Addr) string {
		if a.Is4() {
			return "IP4"
		}
		return "IP6"
	}
	to, local := s.streams[0].media.To().Addr(), s.streams[0].media.LocalAddr().Addr().WithZone("")
	address := sdp.Address{Address: to.WithZone("").String()}
	if to.IsMulticast() && to.Is4() {
		ttl := max(s.cfg.TTL, 1)
		address.TTL = &ttl
	}
	name := strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s.cfg.Name)
	if name == "" {
		name = "-"
	}
	d := sdp.SessionDescription{
		Origin: sdp.Origin{Username: "-", SessionID: s.session, SessionVersion: s.session, NetworkType: "IN",
			AddressType: family(local), UnicastAddress: local.String()},
		SessionName:           sdp.SessionName(name),
		ConnectionInformation: &sdp.ConnectionInformation{NetworkType: "IN", AddressType: family(to), Address: &address},
		TimeDescriptions:      []sdp.TimeDescription{{}},
	}
	for _, st := range s.streams {
		pt := fmt.Sprint(st.payloadType)
		m := &sdp.MediaDescription{
			MediaName: sdp.MediaName{Media: st.kind.String(), Port: sdp.RangedPort{Value: int(st.media.To().Port())},
				Protos: []string{"RTP", "AVP"}, Formats: []string{pt}},
			Attributes: []sdp.Attribute{{Key: "rtpmap", Value: pt + " " + st.format.name}},
		}
		if st.format.fmtp != "" {
			m.Attributes = append(m.Attributes, sdp.Attribute{Key: "fmtp", Value: pt + " " + st.format.fmtp})
		}
		if st.answers() {
			// RFC 4585 wants RTP/AVPF for this, which live555 (VLC) does not read. No "nack
			// pli": whoever can ask for a key frame waits for one, and a file has those it has.
			m.Attributes = append(m.Attributes, sdp.Attribute{Key: "rtcp-fb", Value: pt + " nack"})
		}
		if r := st.rate; r.Valid() && s.cfg.Speed == 1 {
			m.Attributes = append(m.Attributes, sdp.Attribute{Key: "framerate", Value: fmt.Sprintf("%.6g", r.Float())})
		}
		m.Attributes = append(m.Attributes, sdp.Attribute{Key: "ssrc", Value: fmt.Sprintf("%d cname:%s", st.ssrc, s.cname)})
		if c := st.correct; c != nil {
			// As libwebrtc describes it. Source: the draft, 5.1; RFC 5956, 4.3.
			m.MediaName.Formats = append(m.MediaName.Formats, strconv.Itoa(correctionType))
			m.Attributes = append(m.Attributes,
				sdp.Attribute{Key: "rtpmap", Value: fmt.Sprintf("%d flexfec-03/90000", correctionType)},
				sdp.Attribute{Key: "fmtp", Value: fmt.Sprintf("%d repair-window=%d", correctionType, correctionWindow.Microseconds())},
				sdp.Attribute{Key: "ssrc", Value: fmt.Sprintf("%d cname:%s", c.ssrc, s.cname)},
				sdp.Attribute{Key: "ssrc-group", Value: fmt.Sprintf("FEC-FR %d %d", st.ssrc, c.ssrc)})
		}
		d.MediaDescriptions = append(d.MediaDescriptions, m)
	}
	b, err := d.Marshal()
	if err != nil {
		return nil, fmt.Errorf("rtp: describe the session: %w", err)
	}
	return b, nil
}
