package rtp

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/scanout-av/scanout/ingest/rtp/fec"
	"github.com/scanout-av/scanout/ingest/rtp/payload"
	"github.com/scanout-av/scanout/media"
)

// role says what packets of a payload type are for.
type role uint8

const (
	roleMedia   role = iota
	roleRTX          // retransmission, RFC 4588
	roleFEC          // forward error correction
	roleIgnored      // comfort noise, telephone events, what is not known here to be corrected
)

// Format is one payload type of a media section.
type Format struct {
	PayloadType uint8
	Encoding    string // as in rtpmap, lower case
	Clock       int    // Hz
	Channels    int
	Codec       media.Codec // "" for what is not media
	// SampleRate of the sound, where it is not the clock.
	SampleRate int
	// Params are those of fmtp, names in lower case.
	Params map[string]string

	role   role
	apt    uint8      // of a retransmission
	scheme fec.Scheme // of error correction
	extra  []byte
}

// staticFormats are the payload types that need no rtpmap. Source: RFC 3551, 6.
var staticFormats = map[uint8]Format{
	0:  {Encoding: "pcmu", Clock: 8000, Channels: 1},
	8:  {Encoding: "pcma", Clock: 8000, Channels: 1},
	9:  {Encoding: "g722", Clock: 8000, Channels: 1},
	10: {Encoding: "l16", Clock: 44100, Channels: 2},
	11: {Encoding: "l16", Clock: 44100, Channels: 1},
	14: {Encoding: "mpa", Clock: 90000},
	26: {Encoding: "jpeg", Clock: 90000},
	32: {Encoding: "mpv", Clock: 90000},
	33: {Encoding: "mp2t", Clock: 90000},
	34: {Encoding: "h263", Clock: 90000},
}

// encodings names the codec of each encoding that is taken.
var encodings = map[string]media.Codec{
	"h264": "h264", "h265": "hevc", "vp8": "vp8", "vp9": "vp9", "av1": "av1",
	"opus": "opus", "mpeg4-generic": "aac", "mp4a-latm": "aac",
	"l8": "pcm_u8", "l16": "pcm_s16be", "l24": "pcm_s24be",
	"pcmu": "pcm_mulaw", "pcma": "pcm_alaw", "g722": "adpcm_g722",
}

// maxChannels bounds the channels of uncompressed sound.
const maxChannels = 64

// resolve finds out what f is from its encoding and parameters.
func (f *Format) resolve(kind media.Kind) error {
	switch f.Encoding {
	case "rtx":
		apt, err := strconv.ParseUint(f.Params["apt"], 10, 7)
		if err != nil {
			return fmt.Errorf("retransmission needs apt=PAYLOADTYPE in its fmtp")
		}
		f.role, f.apt = roleRTX, uint8(apt)
		return nil
	case "ulpfec":
		f.role, f.scheme = roleFEC, fec.ULP
		return nil
	case "flexfec-03":
		f.role, f.scheme = roleFEC, fec.Flex03
		return nil
	case "flexfec", "red", "cn", "telephone-event", "parityfec", "x-ulpfecuc":
		f.role = roleIgnored
		return nil
	}
	f.Codec = encodings[f.Encoding]
	if f.Codec == "" {
		if f.Encoding == "mp2t" {
			return fmt.Errorf("MPEG-TS inside RTP is not taken here: %w; send plain MPEG-TS and play udp://HOST:PORT", media.ErrNotSupported)
		}
		return fmt.Errorf("encoding %q: %w; it can be h264, h265, vp8, vp9, av1, opus, mpeg4-generic, mp4a-latm, l16, l24, pcmu, pcma or g722", f.Encoding, media.ErrNotSupported)
	}
	if f.Clock == 0 && kind == media.KindVideo {
		f.Clock = 90000
	}
	if f.Clock < 1000 || f.Clock > 1_000_000 {
		return fmt.Errorf("clock rate %d: use 1000 to 1000000", f.Clock)
	}
	if f.Channels == 0 {
		f.Channels = 1
	}
	if f.Channels < 0 || f.Channels > maxChannels {
		return fmt.Errorf("%d channels: use 1 to %d", f.Channels, maxChannels)
	}
	f.SampleRate = f.Clock
	switch f.Encoding {
	case "h264":
		if f.Params["packetization-mode"] == "2" {
			return fmt.Errorf("interleaved H.264 (packetization-mode=2): %w; let the sender use mode 1", media.ErrNotSupported)
		}
		f.extra = f.sprop("sprop-parameter-sets")
	case "h265":
		f.extra = f.sprop("sprop-vps", "sprop-sps", "sprop-pps")
	case "opus":
		f.SampleRate, f.Channels = 48000, 2 // RFC 7587, 7: whatever is sent
	case "g722":
		f.SampleRate = 16000 // RFC 3551, 4.5.2: the clock is wrong for history's sake
	case "mpeg4-generic":
		return f.resolveAAC()
	case "mp4a-latm":
		return f.resolveLATM()
	}
	return nil
}

// sprop decodes NAL units of a session description to a byte stream. What cannot be
// decoded is left out: most senders repeat the sets in the stream.
func (f *Format) sprop(names ...string) []byte {
	var out []byte
	for _, n := range names {
		for s := range strings.SplitSeq(f.Params[n], ",") {
			nal, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
			if err != nil { // some senders leave out the padding
				nal, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(s), "="))
			}
			if err == nil && len(nal) > 0 {
				out = append(append(out, 0, 0, 0, 1), nal...)
			}
		}
	}
	return out
}

func (f *Format) resolveAAC() error {
	mode := strings.ToLower(f.Params["mode"])
	if mode != "aac-hbr" && mode != "aac-lbr" && mode != "generic" {
		return fmt.Errorf("mpeg4-generic with mode=%q: %w; it can be AAC-hbr or AAC-lbr", f.Params["mode"], media.ErrNotSupported)
	}
	config, err := hex.DecodeString(strings.Trim(f.Params["config"], `"`))
	if err != nil || len(config) < 2 {
		return fmt.Errorf("mpeg4-generic needs config=HEX, the AudioSpecificConfig, in its fmtp; it is %q", f.Params["config"])
	}
	f.extra = config
	f.readASC(config)
	return nil
}

func (f *Format) resolveLATM() error {
	if f.Params["cpresent"] != "0" {
		f.Codec = "aac_latm"
		return nil
	}
	config, err := hex.DecodeString(strings.Trim(f.Params["config"], `"`))
	if err != nil || len(config) < 4 {
		return fmt.Errorf("mp4a-latm with cpresent=0 needs config=HEX, the StreamMuxConfig, in its fmtp; it is %q", f.Params["config"])
	}
	// audioMuxVersion 0, allStreamsSameTimeFraming 1, and one program of one layer whose
	// frames come one at a time: the AudioSpecificConfig follows at bit 15.
	// Source: ISO/IEC 14496-3, 1.7.3.
	if config[0]>>6 != 1 || config[0]&0x3f != 0 || config[1]>>1 != 0 {
		return fmt.Errorf("mp4a-latm with several programs, layers or frames: %w", media.ErrNotSupported)
	}
	asc := make([]byte, 0, len(config))
	for i := 1; i+1 < len(config); i++ {
		asc = append(asc, config[i]<<7|config[i+1]>>1)
	}
	f.extra = asc
	f.readASC(asc)
	return nil
}

// readASC takes rate and channels out of an AudioSpecificConfig, as far as it has them.
// Source: ISO/IEC 14496-3, 1.6.2.1.
func (f *Format) readASC(b []byte) {
	if len(b) < 2 || b[0]>>3 == 31 {
		return
	}
	rates := [...]int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
	i := int(b[0]&7<<1 | b[1]>>7)
	if i >= len(rates) {
		return
	}
	f.SampleRate = rates[i]
	if c := int(b[1] >> 3 & 15); c >= 1 && c <= 7 {
		f.Channels = [...]int{0, 1, 2, 3, 4, 5, 6, 8}[c]
	}
}

// number returns a parameter, def when it is missing or no sensible length.
func (f *Format) number(name string, def int) int {
	n, err := strconv.Atoi(strings.TrimSpace(f.Params[name]))
	if err != nil || n < 0 || n > 1<<20 {
		return def
	}
	return n
}

// depacketizer returns a new one. Partial keeps slices whose end is lost.
func (f *Format) depacketizer(partial bool) (payload.Depacketizer, error) {
	switch f.Encoding {
	case "h264":
		return payload.NewH264(partial), nil
	case "h265":
		return payload.NewH265(f.number("sprop-max-don-diff", 0) > 0, partial), nil
	case "vp8":
		return &payload.VP8{}, nil
	case "vp9":
		return &payload.VP9{}, nil
	case "av1":
		return &payload.AV1{}, nil
	case "mpeg4-generic":
		c := payload.AACConfig{
			SizeLength: f.number("sizelength", 0), IndexLength: f.number("indexlength", 0),
			IndexDeltaLength: f.number("indexdeltalength", 0), CTSDeltaLength: f.number("ctsdeltalength", 0),
			DTSDeltaLength: f.number("dtsdeltalength", 0), RandomAccess: f.number("randomaccessindication", 0) != 0,
			StreamStateLength: f.number("streamstateindication", 0), AuxiliaryLength: f.number("auxiliarydatasizelength", 0),
			ConstantSize: f.number("constantsize", 0), Duration: uint32(f.number("constantduration", 1024)),
		}
		for _, l := range []int{c.SizeLength, c.IndexLength, c.IndexDeltaLength, c.CTSDeltaLength, c.DTSDeltaLength, c.StreamStateLength, c.AuxiliaryLength} {
			if l > 32 {
				return nil, fmt.Errorf("mpeg4-generic with a field of %d bits: use up to 32", l)
			}
		}
		if c.SizeLength == 0 && c.ConstantSize == 0 {
			return nil, fmt.Errorf("mpeg4-generic needs sizelength= or constantsize= in its fmtp (13 for AAC-hbr)")
		}
		return payload.NewAAC(c), nil
	case "mp4a-latm":
		return &payload.LATM{InBand: f.Codec == "aac_latm"}, nil
	default:
		return payload.Plain{}, nil
	}
}
