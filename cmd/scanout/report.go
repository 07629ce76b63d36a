package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

// report is what `play --report` writes. Milliseconds are fractional.
type report struct {
	Media  string       `json:"media"`
	Output string       `json:"output"`
	Video  *videoReport `json:"video,omitempty"`
	Sound  *soundReport `json:"sound,omitempty"`
	Frames framesReport `json:"frames"`
	// CPU copies of a plane for each shown frame, Go heap allocations for each steady
	// frame, and garbage collections in the steady part of playback.
	CopiesPerFrame float64            `json:"copies_per_frame"`
	AllocsPerFrame float64            `json:"allocs_per_frame"`
	GCCycles       int64              `json:"gc_cycles"`
	Pool           poolReport         `json:"pool"`
	AVOffset       distributionReport `json:"av_offset_ms"`
	Interval       distributionReport `json:"interval_ms"`
	Latency        distributionReport `json:"submit_to_visible_ms"`
	FirstPicture   float64            `json:"first_picture_ms"`
	Elapsed        float64            `json:"elapsed_s"`
	CPU            cpuReport          `json:"cpu"`
	RSS            float64            `json:"rss_mb"`
	Errors         errorsReport       `json:"errors"`
	Presentation   presentationReport `json:"presentation"`
	Renderer       string             `json:"renderer"`
	Decoder        string             `json:"decoder"`
	Audio          string             `json:"audio"`
	Version        string             `json:"version"`
}

type videoReport struct {
	Codec  string  `json:"codec"`
	Width  int     `json:"width"`
	Height int     `json:"height"`
	FPS    float64 `json:"fps"`
	PixFmt string  `json:"pix_fmt"`
	Color  string  `json:"color"`
}

type soundReport struct {
	Codec    string `json:"codec"`
	Rate     int    `json:"rate"`
	Channels int    `json:"channels"`
}

type framesReport struct {
	Decoded   int64   `json:"decoded"`
	Presented int64   `json:"presented"`
	Dropped   int64   `json:"dropped"`
	Late      int64   `json:"late"`
	Repeated  int64   `json:"repeated"`
	Missed    int64   `json:"missed_vsyncs"`
	Skipped   int64   `json:"skipped"`
	PerSecond float64 `json:"per_second"`
}

type poolReport struct {
	Slots        int    `json:"slots"`
	SlotBytes    int    `json:"slot_bytes"`
	Peak         int    `json:"peak"`
	InUseAtClose int    `json:"in_use_at_close"`
	Fallbacks    int64  `json:"fallbacks"`
	HugePages    string `json:"huge_pages"`
}

type distributionReport struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
}

type cpuReport struct {
	User          float64 `json:"user_s"`
	System        float64 `json:"sys_s"`
	PercentOfCore float64 `json:"percent_of_core"`
}

type errorsReport struct {
	Read     int64 `json:"read"`
	Decode   int64 `json:"decode"`
	Audio    int64 `json:"audio"`
	Underrun int64 `json:"audio_underruns"`
}

type presentationReport struct {
	Source    string  `json:"source"`
	RefreshHz float64 `json:"refresh_hz"`
}

func milliseconds(d time.Duration) float64 { return round(float64(d) / 1e6) }

func round(v float64) float64 { return float64(int64(v*1000+0.5*sign(v))) / 1000 }

func sign(v float64) float64 {
	if v < 0 {
		return -1
	}
	return 1
}

func distribution(d player.Distribution) distributionReport {
	return distributionReport{d.Count, milliseconds(d.Mean), milliseconds(d.P50), milliseconds(d.P99), milliseconds(d.Min), milliseconds(d.Max)}
}

func makeReport(info *media.Info, cfg *player.Config, s *player.Stats) *report {
	r := &report{
		Media:  info.Name,
		Output: string(cfg.Output),
		Frames: framesReport{Decoded: s.Decoded, Presented: s.Presented, Dropped: s.Dropped, Late: s.Late,
			Repeated: s.Repeated, Missed: s.Missed, Skipped: s.Skipped},
		GCCycles: s.GCCycles,
		Pool: poolReport{s.Pool.Slots, s.Pool.SlotBytes, s.Pool.Peak, s.Pool.InUseAtClose,
			s.Pool.Fallbacks, s.Pool.HugePages},
		AVOffset:     distribution(s.AVOffset),
		Interval:     distribution(s.Interval),
		Latency:      distribution(s.Latency),
		FirstPicture: milliseconds(s.FirstPicture),
		Elapsed:      round(s.Elapsed.Seconds()),
		CPU:          cpuReport{User: round(s.CPU.User.Seconds()), System: round(s.CPU.System.Seconds())},
		RSS:          residentMB(),
		Errors:       errorsReport{s.ReadErrors, s.DecodeErrors, s.AudioErrors, s.AudioUnderruns},
		Presentation: presentationReport{Source: s.Source.String()},
		Renderer:     s.Renderer,
		Decoder:      s.Decoder,
		Audio:        s.Audio,
		Version:      version(),
	}
	if s.Presented > 0 {
		r.CopiesPerFrame = round(float64(s.Copies) / float64(s.Presented))
	}
	if s.SteadyFrames > 0 {
		r.AllocsPerFrame = round(float64(s.SteadyAllocs) / float64(s.SteadyFrames))
	}
	if s.Elapsed > 0 {
		r.CPU.PercentOfCore = round(100 * float64(s.CPU.User+s.CPU.System) / float64(s.Elapsed))
		r.Frames.PerSecond = round(float64(s.Presented) / s.Elapsed.Seconds())
	}
	if s.Display.Refresh > 0 {
		r.Presentation.RefreshHz = round(float64(time.Second) / float64(s.Display.Refresh))
	}
	if v := info.Best(media.KindVideo); v != nil {
		name := v.FormatName
		if v.Format != media.FormatUnknown {
			name = v.Format.String()
		}
		r.Video = &videoReport{string(v.Codec), v.Width, v.Height, round(v.FrameRate.Float()), name,
			v.Color.Resolve(v.Format, v.Width, v.Height).String()}
	}
	if a := info.Best(media.KindAudio); a != nil {
		r.Sound = &soundReport{string(a.Codec), a.SampleRate, a.Channels}
	}
	return r
}

// write writes r as JSON to path, "-" being out.
func (r *report) write(path string, out io.Writer) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if path == "-" {
		_, err = out.Write(b)
		return err
	}
	if err := os.WriteFile(path, b, 0o666); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// residentMB returns the resident memory of the process in MiB, 0 where the system does
// not say.
func residentMB() float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var kb float64
			if _, err := fmt.Sscanf(rest, "%f kB", &kb); err == nil {
				return round(kb / 1024)
			}
		}
	}
	return 0
}
