package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

type probeCommand struct {
	Media string `arg:"" type:"media" help:"File, URL or pattern:…"`
	JSON  bool   `name:"json" help:"Print JSON; with --nal one object a line."`
	NAL   bool   `name:"nal" help:"Print the NAL units of H.264 or H.265 video, the OBUs of AV1 or the frames of VP9, with their headers and what becomes of the decoded picture buffer."`
	sourceFlags
}

type probeReport struct {
	Media    string        `json:"media"`
	Format   string        `json:"format"`
	Duration float64       `json:"duration_s"`
	Start    float64       `json:"start_s"`
	Live     bool          `json:"live"`
	Seekable bool          `json:"seekable"`
	Streams  []probeStream `json:"streams"`
}

type probeStream struct {
	Index    int     `json:"index"`
	Kind     string  `json:"kind"`
	Codec    string  `json:"codec"`
	Profile  string  `json:"profile,omitempty"`
	Timebase string  `json:"timebase"`
	Language string  `json:"language,omitempty"`
	Default  bool    `json:"default"`
	CoverArt bool    `json:"cover_art,omitempty"`
	BitRate  int64   `json:"bit_rate,omitempty"`
	Width    int     `json:"width,omitempty"`
	Height   int     `json:"height,omitempty"`
	FPS      float64 `json:"fps,omitempty"`
	PixFmt   string  `json:"pix_fmt,omitempty"`
	SAR      string  `json:"sar,omitempty"`
	Rotation int     `json:"rotation,omitempty"`
	Mirror   bool    `json:"mirror,omitempty"`
	Color    *probed `json:"color,omitempty"`
	Rate     int     `json:"sample_rate,omitempty"`
	Channels int     `json:"channels,omitempty"`
}

type probed struct {
	Primaries int    `json:"primaries"`
	Transfer  int    `json:"transfer"`
	Matrix    string `json:"matrix"`
	Range     string `json:"range"`
	Chroma    string `json:"chroma_location"`
}

func (c *probeCommand) Run(env *environment) error {
	if c.NAL {
		return probeNAL(env, c.Media, c.JSON)
	}
	cfg := player.Config{Media: c.Media, Input: env.in}
	if err := c.apply(&cfg); err != nil {
		return err
	}
	info, err := player.Probe(env.ctx, cfg)
	if err != nil {
		return err
	}
	r := probeReport{info.Name, info.Format, info.Duration.Seconds(), info.Start.Seconds(), info.Live, info.Seekable, nil}
	for i := range info.Streams {
		r.Streams = append(r.Streams, probeOne(&info.Streams[i]))
	}
	if c.JSON {
		e := json.NewEncoder(env.out)
		e.SetIndent("", "  ")
		return e.Encode(&r)
	}
	fmt.Fprintf(env.out, "%s: %s", r.Media, r.Format)
	if info.Duration > 0 {
		fmt.Fprintf(env.out, ", %s", info.Duration.Round(time.Millisecond))
	}
	if info.Live {
		fmt.Fprint(env.out, ", live")
	}
	fmt.Fprintln(env.out)
	for _, s := range r.Streams {
		fmt.Fprintf(env.out, "  %d: %s\n", s.Index, s.line())
	}
	return nil
}

func probeOne(s *media.Stream) probeStream {
	o := probeStream{Index: s.Index, Kind: s.Kind.String(), Codec: string(s.Codec), Profile: s.Profile,
		Timebase: fmt.Sprintf("%d/%d", s.Timebase.Num, s.Timebase.Den), Language: s.Language,
		Default: s.Default, CoverArt: s.CoverArt, BitRate: s.BitRate}
	switch s.Kind {
	case media.KindVideo:
		o.Width, o.Height, o.FPS = s.Width, s.Height, round(s.FrameRate.Float())
		o.PixFmt = s.FormatName
		if s.Format != media.FormatUnknown {
			o.PixFmt = s.Format.String()
		}
		if s.SAR.Valid() && s.SAR.Num != s.SAR.Den {
			o.SAR = s.SAR.String()
		}
		o.Rotation, o.Mirror = int(s.Orientation.Rotation), s.Orientation.Mirror
		o.Color = &probed{int(s.Color.Primaries), int(s.Color.Transfer), s.Color.Matrix.String(), s.Color.Range.String(), s.Color.Chroma.String()}
	case media.KindAudio:
		o.Rate, o.Channels = s.SampleRate, s.Channels
	}
	return o
}

func (s *probeStream) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", s.Kind, s.Codec)
	if s.Profile != "" {
		fmt.Fprintf(&b, " (%s)", s.Profile)
	}
	if s.Width > 0 {
		fmt.Fprintf(&b, ", %dx%d", s.Width, s.Height)
		if s.FPS > 0 {
			fmt.Fprintf(&b, ", %g fps", s.FPS)
		}
		if s.PixFmt != "" {
			fmt.Fprintf(&b, ", %s, %s/%s", s.PixFmt, s.Color.Matrix, s.Color.Range)
		}
		switch media.Transfer(s.Color.Transfer) {
		case media.TransferPQ:
			b.WriteString(", PQ")
		case media.TransferHLG:
			b.WriteString(", HLG")
		}
		if s.SAR != "" {
			fmt.Fprintf(&b, ", SAR %s", s.SAR)
		}
		if s.Rotation != 0 || s.Mirror {
			fmt.Fprintf(&b, ", rotated %d°", s.Rotation)
			if s.Mirror {
				b.WriteString(" mirrored")
			}
		}
	}
	if s.Rate > 0 {
		fmt.Fprintf(&b, ", %d Hz, %d channel", s.Rate, s.Channels)
		if s.Channels != 1 {
			b.WriteString("s")
		}
	}
	switch {
	case s.BitRate >= 1000:
		fmt.Fprintf(&b, ", %d kbit/s", (s.BitRate+500)/1000)
	case s.BitRate > 0: // whose duration is wrong
		fmt.Fprintf(&b, ", %d bit/s", s.BitRate)
	}
	if s.Language != "" {
		fmt.Fprintf(&b, ", %s", s.Language)
	}
	if s.CoverArt {
		b.WriteString(", cover picture")
	}
	return b.String()
}
