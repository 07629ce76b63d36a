package rtp

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/scanout-av/scanout/media"
)

// Description says what is sent where.
type Description struct {
	Name  string
	Media []Media
	// Skipped says what was left out, a line each.
	Skipped []string
}

// Media is one media section: a stream, or several formats of it.
type Media struct {
	Kind media.Kind
	// Address is where packets go: an address of this machine, a multicast group, or ""
	// for all addresses.
	Address string
	Port    int
	// RTCPPort is where RTCP goes; the same port when it is multiplexed.
	RTCPPort int
	// From is the only sender, where a source filter names one.
	From    netip.Addr
	Formats []Format
	// What the sender takes back. Source: RFC 4585, 4.2; RFC 5104.
	NACK, PLI, FIR bool
	FrameRate      media.Rational
	// anything says that it is described by its address alone: whatever says what it is.
	anything bool
	// repairSSRC is that of the error correction for protectedSSRC, where the description says.
	protectedSSRC, repairSSRC uint32
}

const (
	maxDescription = 64 << 10
	maxMedia       = 16
	maxFormats     = 64
)

// Parse reads a session description. Sections that cannot be played are skipped; an error
// says why when nothing is left.
//
// Source: RFC 8866, RFC 4566, RFC 4570 (source-filter), RFC 5761 (rtcp-mux).
func Parse(b []byte) (*Description, error) {
	d, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("session description: %w", err)
	}
	return d, nil
}

func parse(b []byte) (*Description, error) {
	if len(b) > maxDescription {
		return nil, fmt.Errorf("%d bytes: more than %d are no session description", len(b), maxDescription)
	}
	text := normalize(string(b))
	if text == "" {
		return nil, errors.New(`it does not begin with "v=0"`)
	}
	var s sdp.SessionDescription
	if err := s.UnmarshalString(text); err != nil {
		return nil, fmt.Errorf("%s: see RFC 8866 for its syntax", strings.TrimPrefix(err.Error(), "sdp: "))
	}
	if len(s.MediaDescriptions) > maxMedia {
		return nil, fmt.Errorf("%d media sections: up to %d are taken", len(s.MediaDescriptions), maxMedia)
	}
	d := &Description{Name: strings.TrimSpace(string(s.SessionName))}
	for i, m := range s.MediaDescriptions {
		parsed, err := section(&s, m)
		if err != nil {
			d.Skipped = append(d.Skipped, fmt.Sprintf("section %d (m=%s): %v", i+1, m.MediaName.Media, err))
			continue
		}
		d.Media = append(d.Media, *parsed)
	}
	if err := d.ports(); err != nil {
		return nil, err
	}
	switch {
	case len(s.MediaDescriptions) == 0:
		return nil, errors.New("it has no m= line, so nothing is sent")
	case len(d.Media) == 0:
		return nil, fmt.Errorf("nothing in it can be played: %s", strings.Join(d.Skipped, "; "))
	}
	return d, nil
}

// ports refuses two streams on one port, which another program would seem to have. RTCP is
// left out where its port is a stream's.
func (d *Description) ports() error {
	for i := range d.Media {
		m := &d.Media[i]
		for j := range d.Media {
			o := &d.Media[j]
			if i == j || o.Address != m.Address {
				continue
			}
			switch {
			case o.Port == m.Port:
				return fmt.Errorf("two sections are on port %d: %w; give each stream a port of its own", m.Port, media.ErrNotSupported)
			case o.Port == m.RTCPPort:
				m.RTCPPort = 0
			}
		}
	}
	return nil
}

// normalize gives lines the ends that the grammar wants, drops what stands before "v=",
// and adds the lines that the grammar insists on and hand-written descriptions lack.
func normalize(s string) string {
	var out strings.Builder
	begun := false
	seen := map[byte]bool{}
	for line := range strings.SplitSeq(strings.ReplaceAll(s, "\r\n", "\n"), "\n") {
		line = strings.TrimSpace(line)
		if !begun {
			begun = strings.HasPrefix(line, "v=")
		}
		if !begun || len(line) < 2 || line[1] != '=' {
			continue
		}
		if line[0] == 'm' || strings.IndexByte("iuepcbtrzka", line[0]) >= 0 {
			insist(&out, seen, line[0])
		}
		seen[line[0]] = true
		out.WriteString(line)
		out.WriteString("\r\n")
	}
	return out.String()
}

// insist writes the lines that must come before one of the given kind.
func insist(out *strings.Builder, seen map[byte]bool, kind byte) {
	for _, l := range []string{"o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0"} {
		if !seen[l[0]] && (l[0] != 't' || strings.IndexByte("ka", kind) >= 0 || kind == 'm') {
			out.WriteString(l)
			out.WriteString("\r\n")
			seen[l[0]] = true
		}
	}
}

func section(s *sdp.SessionDescription, m *sdp.MediaDescription) (*Media, error) {
	r := &Media{}
	switch m.MediaName.Media {
	case "video":
		r.Kind = media.KindVideo
	case "audio":
		r.Kind = media.KindAudio
	default:
		return nil, fmt.Errorf("neither audio nor video")
	}
	proto := strings.ToUpper(strings.Join(m.MediaName.Protos, "/"))
	switch proto {
	case "RTP/AVP", "RTP/AVPF":
	case "RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF":
		return nil, fmt.Errorf("%s is encrypted: %w; let the sender use RTP/AVP", proto, media.ErrNotSupported)
	default:
		return nil, fmt.Errorf("transport %s: %w; it can be RTP/AVP or RTP/AVPF", proto, media.ErrNotSupported)
	}
	attribute := func(key string) (string, bool) {
		if v, ok := m.Attribute(key); ok {
			return strings.TrimSpace(v), true
		}
		v, ok := s.Attribute(key)
		return strings.TrimSpace(v), ok
	}
	// The directions are the sender's in a file and the receiver's in an offer: only one
	// of them means that nothing is sent.
	if _, off := attribute("inactive"); off {
		return nil, errors.New("it is inactive")
	}
	r.Port = m.MediaName.Port.Value
	if r.Port <= 0 || r.Port > 65535 {
		if r.Port == 0 {
			return nil, errors.New("port 0: the stream is switched off, or the port is agreed upon elsewhere (RTSP)")
		}
		return nil, fmt.Errorf("port %d: use 1 to 65535", r.Port)
	}
	if n := m.MediaName.Port.Range; n != nil && *n > 1 {
		return nil, fmt.Errorf("%d ports in a row: %w; describe each stream in a section of its own", *n, media.ErrNotSupported)
	}
	c := m.ConnectionInformation
	if c == nil {
		c = s.ConnectionInformation
	}
	if c != nil && c.Address != nil {
		a, _, _ := strings.Cut(c.Address.Address, "/") // TTL and number of groups
		ip, err := netip.ParseAddr(a)
		switch {
		case err == nil && !ip.IsUnspecified():
			r.Address = ip.Unmap().String()
		case err != nil && (strings.ContainsAny(a, " \t:") || strings.Trim(a, "0123456789.") == ""):
			return nil, fmt.Errorf("connection address %q is no IP address", a)
		case err != nil:
			r.Address = "" // a name: that of the receiver, in practice
		}
	}
	r.RTCPPort = r.Port + 1
	if _, ok := m.Attribute("rtcp-mux"); ok {
		r.RTCPPort = r.Port
	}
	if v, ok := m.Attribute("rtcp"); ok {
		port, _, _ := strings.Cut(v, " ")
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("a=rtcp:%s names no port", v)
		}
		r.RTCPPort = int(n)
	}
	if r.RTCPPort > 65535 {
		r.RTCPPort = 0 // there is none
	}
	if v, ok := attribute("source-filter"); ok {
		f := strings.Fields(v) // incl IN IP4 group source…
		if len(f) >= 5 && f[0] == "incl" {
			a, err := netip.ParseAddr(f[4])
			if err != nil {
				return nil, fmt.Errorf("a=source-filter: %q is no IP address", f[4])
			}
			r.From = a.Unmap().WithZone("")
		}
	}
	if v, ok := m.Attribute("framerate"); ok {
		if f, err := strconv.ParseFloat(v, 64); err == nil && f > 0 && f <= 1000 {
			r.FrameRate = rateOf(f)
		}
	}
	for _, a := range m.Attributes {
		if a.Key == "rtcp-fb" {
			f := strings.Fields(a.Value)
			switch v := strings.Join(f[min(1, len(f)):], " "); v {
			case "nack":
				r.NACK = true
			case "nack pli":
				r.PLI = true
			case "ccm fir":
				r.FIR = true
			}
		}
		// The stream, and then what repairs it. Source: RFC 5956, 4.3.
		if f := strings.Fields(a.Value); a.Key == "ssrc-group" && len(f) == 3 && f[0] == "FEC-FR" {
			stream, err := strconv.ParseUint(f[1], 10, 32)
			repair, err2 := strconv.ParseUint(f[2], 10, 32)
			if err == nil && err2 == nil {
				r.protectedSSRC, r.repairSSRC = uint32(stream), uint32(repair)
			}
		}
	}
	return r, r.formats(m)
}

// formats reads rtpmap and fmtp.
func (r *Media) formats(m *sdp.MediaDescription) error {
	if len(m.MediaName.Formats) > maxFormats {
		return fmt.Errorf("%d payload types: up to %d are taken", len(m.MediaName.Formats), maxFormats)
	}
	var reasons []string
	for _, name := range m.MediaName.Formats {
		pt, err := strconv.ParseUint(name, 10, 8)
		if err != nil || pt > 127 {
			return fmt.Errorf("payload type %q: use 0 to 127", name)
		}
		f := staticFormats[uint8(pt)]
		f.PayloadType = uint8(pt)
		f.Params = map[string]string{}
		for _, a := range m.Attributes {
			n, rest, _ := strings.Cut(strings.TrimSpace(a.Value), " ")
			if n != name {
				continue
			}
			switch a.Key {
			case "rtpmap":
				if err := f.rtpmap(strings.TrimSpace(rest)); err != nil {
					return err
				}
			case "fmtp":
				f.fmtp(rest)
			}
		}
		if f.Encoding == "" {
			reasons = append(reasons, fmt.Sprintf("payload type %d has no a=rtpmap", pt))
			continue
		}
		if err := f.resolve(r.Kind); err != nil {
			reasons = append(reasons, fmt.Sprintf("payload type %d: %v", pt, err))
			continue
		}
		if f.role == roleMedia {
			if _, err := f.depacketizer(true); err != nil {
				reasons = append(reasons, fmt.Sprintf("payload type %d: %v", pt, err))
				continue
			}
		}
		r.Formats = append(r.Formats, f)
	}
	if r.main() == nil {
		if reasons == nil {
			reasons = []string{"it has no payload type"}
		}
		return errors.New(strings.Join(reasons, "; "))
	}
	return nil
}

// main is the format that is expected: the first that is media.
func (r *Media) main() *Format {
	for i := range r.Formats {
		if r.Formats[i].role == roleMedia {
			return &r.Formats[i]
		}
	}
	return nil
}

func (f *Format) rtpmap(s string) error {
	parts := strings.Split(s, "/")
	f.Encoding = strings.ToLower(strings.TrimSpace(parts[0]))
	f.Clock, f.Channels = 0, 0
	if len(parts) < 2 || len(parts) > 3 {
		return fmt.Errorf("a=rtpmap %q: write it like H264/90000 or opus/48000/2", s)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(parts[1]), 10, 31)
	if err != nil || n == 0 {
		return fmt.Errorf("a=rtpmap %q: %q is no clock rate", s, parts[1])
	}
	f.Clock = int(n)
	if len(parts) == 3 {
		c, err := strconv.ParseUint(strings.TrimSpace(parts[2]), 10, 8)
		if err != nil || c == 0 || c > maxChannels {
			return fmt.Errorf("a=rtpmap %q: %q channels; use 1 to %d", s, parts[2], maxChannels)
		}
		f.Channels = int(c)
	}
	return nil
}

func (f *Format) fmtp(s string) {
	for p := range strings.SplitSeq(s, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		if k != "" {
			f.Params[strings.ToLower(strings.TrimSpace(k))] = strings.TrimSpace(v)
		}
	}
}

// rateOf turns a decimal frame rate into a ratio; 29.97 and its kin are NTSC's.
func rateOf(f float64) media.Rational {
	for _, n := range []int32{24, 30, 48, 60, 120} {
		if d := f - float64(n)*1000/1001; d > -0.006 && d < 0.006 {
			return media.Rational{Num: n * 1000, Den: 1001}
		}
	}
	return media.Rational{Num: int32(f*1000 + 0.5), Den: 1000}.Reduce()
}

// ReadFile reads a session description from a file.
func ReadFile(path string) (*Description, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxDescription+1))
	if err != nil {
		return nil, err
	}
	return Parse(b)
}
