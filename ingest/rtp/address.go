package rtp

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/scanout-av/scanout/media"
)

// Addresses that stand for a description: rtp://host:port.

// ParseURL reads an address of the form
//
//	rtp://HOST:PORT?pt=96&codec=h264&clock=90000
//
// HOST is an address of this machine, a multicast group to join, source@group (for IPv6
// [source]@[group]), or empty for all addresses. Without codec, the payload type of the
// first packets must be one that stands for a codec by itself (0 PCMU, 8 PCMA, 9 G722, 10
// and 11 L16). Further parameters: channels, fmtp (as in a session description), rtcp=PORT (0: none), mux,
// nack, pli, fir.
func ParseURL(s string) (*Description, error) {
	d, err := parseURL(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	return d, nil
}

func parseURL(s string) (*Description, error) {
	address, source := cutSource(s)
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "rtp" {
		return nil, errors.New("write it like rtp://HOST:PORT?pt=96&codec=h264&clock=90000")
	}
	m := Media{Address: u.Hostname()}
	if source != "" {
		if m.From, err = netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(source, "["), "]")); err != nil {
			return nil, fmt.Errorf("the source %q is no IP address: write rtp://SOURCE@GROUP:PORT", source)
		}
		m.From = m.From.Unmap().WithZone("") // packets name the interface in a way of their own
	}
	if u.Port() == "" {
		return nil, errors.New("it has no port: write it like rtp://127.0.0.1:5004")
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || n == 0 {
		return nil, fmt.Errorf("port %q: use 1 to 65535", u.Port())
	}
	m.Port, m.RTCPPort = int(n), int(n)+1
	if m.RTCPPort > 65535 {
		m.RTCPPort = 0
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("its parameters cannot be read: %w", err)
	}
	f := Format{Params: map[string]string{}}
	hasPT := false
	for k, v := range q {
		val := v[len(v)-1]
		number := func(lo, hi int) (n int) {
			if n, err = strconv.Atoi(val); err != nil || n < lo || n > hi {
				err = fmt.Errorf("%s=%s: use %d to %d", k, val, lo, hi)
			}
			return n
		}
		err = nil
		switch k {
		case "pt":
			f.PayloadType, hasPT = uint8(number(0, 127)), true
		case "codec":
			f.Encoding = strings.ToLower(val)
		case "clock":
			f.Clock = number(1000, 1_000_000)
		case "channels":
			f.Channels = number(1, maxChannels)
		case "fmtp":
			f.fmtp(val)
		case "rtcp":
			m.RTCPPort = number(0, 65535)
		case "mux":
			m.RTCPPort = m.Port
		case "nack":
			m.NACK = true
		case "pli":
			m.PLI = true
		case "fir":
			m.FIR = true
		default:
			err = fmt.Errorf("it has no parameter %q: pt, codec, clock, channels, fmtp, rtcp, mux, nack, pli and fir are known", k)
		}
		if err != nil {
			return nil, err
		}
	}
	switch f.Encoding {
	case "hevc":
		f.Encoding = "h265"
	case "aac":
		f.Encoding = "mpeg4-generic"
		for k, v := range map[string]string{"mode": "AAC-hbr", "sizelength": "13", "indexlength": "3", "indexdeltalength": "3"} {
			if f.Params[k] == "" {
				f.Params[k] = v
			}
		}
	}
	if f.Encoding == "" {
		if hasPT {
			s, ok := staticFormats[f.PayloadType]
			if !ok {
				return nil, fmt.Errorf("payload type %d says nothing by itself: add &codec=h264 (or h265, vp8, vp9, av1, opus, aac, l16, …)", f.PayloadType)
			}
			s.PayloadType, s.Params = f.PayloadType, f.Params
			f = s
		} else {
			// Any of those that say what they are.
			return staticDescription(s, m)
		}
	}
	m.Kind = media.KindVideo
	switch c := encodings[f.Encoding]; c {
	case "h264", "hevc", "vp8", "vp9", "av1":
	case "":
	default:
		m.Kind = media.KindAudio
		if f.Clock == 0 {
			switch f.Encoding {
			case "opus":
				f.Clock = 48000
			case "pcmu", "pcma", "g722":
				f.Clock = 8000
			default:
				return nil, fmt.Errorf("codec=%s needs its rate: add &clock=48000", f.Encoding)
			}
		}
	}
	if !hasPT {
		f.PayloadType = anyType
	}
	if err := f.resolve(m.Kind); err != nil {
		return nil, err
	}
	if _, err := f.depacketizer(true); err != nil {
		return nil, err
	}
	m.Formats = []Format{f}
	return &Description{Name: s, Media: []Media{m}}, nil
}

// cutSource returns an address without the source that stands before an @. Package url
// allows no IPv6 address there.
func cutSource(s string) (address, source string) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return s, ""
	}
	authority := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority = rest[:end]
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		return scheme + "://" + rest[at+1:], authority[:at]
	}
	return s, ""
}

// anyType stands for the payload type of the first packets, which the address does not
// say.
const anyType = 255

func staticDescription(s string, m Media) (*Description, error) {
	m.Kind, m.anything = media.KindAudio, true
	for pt, f := range staticFormats {
		f.PayloadType, f.Params = pt, map[string]string{}
		if f.resolve(m.Kind) == nil {
			m.Formats = append(m.Formats, f)
		}
	}
	return &Description{Name: s, Media: []Media{m}}, nil
}
