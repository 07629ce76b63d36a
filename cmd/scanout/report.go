package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
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
	Decoding       decodingReport     `json:"decoding"`
	Pool           poolReport         `json:"pool"`
	AVOffset       distributionReport `json:"av_offset_ms"`
	Interval       distributionReport `json:"interval_ms"`
	Latency        distributionReport `json:"submit_to_visible_ms"`
	ToSubmit       distributionReport `json:"receive_to_submit_ms"`
	Age            distributionReport `json:"receive_to_visible_ms"`
	Pacing         pacingReport       `json:"pacing"`
	FirstPicture   float64            `json:"first_picture_ms"`
	Elapsed        float64            `json:"elapsed_s"`
	CPU            cpuReport          `json:"cpu"`
	RSS            float64            `json:"rss_mb"`
	Errors         errorsReport       `json:"errors"`
	Presentation   presentationReport `json:"presentation"`
	Live           []liveReport       `json:"live,omitempty"`
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
	Discarded int64   `json:"never_shown"`
	Skipped   int64   `json:"skipped"`
	PerSecond float64 `json:"per_second"`
	// Mistimed frames stayed for a number of refreshes that no cadence explains; reanchored is how often time started anew.
	Mistimed   int64 `json:"mistimed"`
	Reanchored int64 `json:"reanchored"`
	// Drops counts what was not shown by its reason, those that occurred.
	Drops map[string]int64 `json:"drops"`
}

type decodingReport struct {
	Fallbacks int64 `json:"fallbacks"`
	ReadBacks int64 `json:"read_backs"`
	Damaged   int64 `json:"damaged"`
	Grown     int64 `json:"images_added"`
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

type pacingReport struct {
	Policy       string  `json:"policy"`
	MaxLatency   float64 `json:"max_latency_ms"` // that a live source is held to
	Delay        float64 `json:"jitter_delay_ms"`
	Speed        float64 `json:"speed"`
	MeasuredHz   float64 `json:"measured_hz"` // of the display, from its stamps
	SoundSkipped int64   `json:"sound_blocks_skipped"`
}

type errorsReport struct {
	Read     int64 `json:"read"`
	Decode   int64 `json:"decode"`
	Audio    int64 `json:"audio"`
	Underrun int64 `json:"audio_underruns"`
}

// liveReport is how one stream of a live source was received: packets, then units, then
// what was odd.
type liveReport struct {
	Packets       int64   `json:"packets"`
	Lost          int64   `json:"lost"`
	Late          int64   `json:"late"`
	Duplicate     int64   `json:"duplicate"`
	Recovered     int64   `json:"retransmitted"`
	Corrected     int64   `json:"recovered_by_fec"`
	Units         int64   `json:"units"`
	Damaged       int64   `json:"damaged"`
	Discarded     int64   `json:"discarded"`
	Skipped       int64   `json:"skipped"`
	Malformed     int64   `json:"malformed"`
	Unknown       int64   `json:"unknown_payload_type"`
	Foreign       int64   `json:"other_sender"`
	Strange       int64   `json:"odd_sequence"`
	Oversized     int64   `json:"oversized_units"`
	KernelDrops   int64   `json:"kernel_drops"`
	Sources       int64   `json:"senders"`
	Restarts      int64   `json:"timelines"`
	PathChanges   int64   `json:"path_changes"`
	SenderReports int64   `json:"sender_reports"`
	NACKs         int64   `json:"nacks"`
	Corrections   int64   `json:"fec_packets"`
	KeyRequests   int64   `json:"key_requests"`
	Jitter        float64 `json:"jitter_ms"`
	Wait          float64 `json:"wait_for_missing_ms"`
	Delay         float64 `json:"network_delay_ms"`
	DriftPPM      float64 `json:"drift_ppm"`
	LipSync       float64 `json:"lip_sync_ms"`
}

type presentationReport struct {
	Source    string  `json:"source"`
	Estimated bool    `json:"estimated"` // the stamps are guesses
	RefreshHz float64 `json:"refresh_hz"`
	Thread    string  `json:"thread"` // how the presenting thread is scheduled
	Mode      string  `json:"mode,omitempty"`
	Depth     int     `json:"depth,omitempty"`        // frames that may wait for the display
	Raised    int     `json:"depth_raised,omitempty"` // how often late frames raised that
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
			Repeated: s.Repeated, Missed: s.Missed, Discarded: s.Discarded, Skipped: s.Skipped},
		GCCycles: s.GCCycles,
		Pool: poolReport{s.Pool.Slots, s.Pool.SlotBytes, s.Pool.Peak, s.Pool.InUseAtClose,
			s.Pool.Fallbacks, s.Pool.HugePages},
		Decoding: decodingReport{s.Fallbacks, s.ReadBacks, s.Damaged, s.Grown},
		AVOffset: distribution(s.AVOffset),
		Interval: distribution(s.Interval),
		Latency:  distribution(s.Latency),
		ToSubmit: distribution(s.ToSubmit),
		Age:      distribution(s.Age),
		Pacing: pacingReport{Policy: s.Policy, MaxLatency: milliseconds(s.MaxLatency), Delay: milliseconds(s.Delay),
			Speed: math.Round(s.Speed*1e7) / 1e7, SoundSkipped: s.SoundSkipped},
		FirstPicture: milliseconds(s.FirstPicture),
		Elapsed:      round(s.Elapsed.Seconds()),
		CPU:          cpuReport{User: round(s.CPU.User.Seconds()), System: round(s.CPU.System.Seconds())},
		RSS:          residentMB(),
		Errors:       errorsReport{s.ReadErrors, s.DecodeErrors, s.AudioErrors, s.AudioUnderruns},
		Presentation: presentationReport{Source: s.Source.String(), Estimated: s.Source.Estimated(), Thread: s.Thread},
		Renderer:     s.Renderer,
		Decoder:      s.Decoder,
		Audio:        s.Audio,
		Version:      version(),
	}
	if d := &s.Display; d.Depth > 0 {
		r.Presentation.Mode, r.Presentation.Depth, r.Presentation.Raised = d.Mode.String(), d.Depth, d.Raised
	}
	for i := range s.Live {
		c := &s.Live[i]
		r.Live = append(r.Live, liveReport{c.Packets, c.Lost, c.Late, c.Duplicate, c.Recovered, c.Corrected, c.Units, c.Damaged, c.Discarded, c.Skipped,
			c.Malformed, c.Unknown, c.Foreign, c.Strange, c.Oversized, c.KernelDrops, c.Sources, c.Restarts, c.PathChanges, c.SenderReports, c.NACKs, c.Corrections,
			c.KeyRequests, milliseconds(c.Jitter), milliseconds(c.Wait), milliseconds(c.Delay), round(c.DriftPPM), milliseconds(c.LipSync)})
	}
	r.Frames.Mistimed, r.Frames.Reanchored = s.Mistimed, s.Reanchored
	r.Frames.Drops = map[string]int64{}
	for reason, n := range s.Drops {
		if n > 0 {
			r.Frames.Drops[media.DropReason(reason).String()] = n
		}
	}
	if s.RefreshMeasured > 0 {
		r.Pacing.MeasuredHz = round(float64(time.Second) / float64(s.RefreshMeasured))
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

// reportTarget is where a report goes: out, a file, or nowhere.
type reportTarget struct {
	out  io.Writer
	file *os.File
}

// openReport opens path before anything is played, so that the wish for a report in an
// impossible place is refused at once and not after the film. "-" is out, "" nowhere.
// Errors: player.ErrOutput.
func openReport(path string, out io.Writer) (*reportTarget, error) {
	switch path {
	case "":
		return &reportTarget{}, nil
	case "-":
		return &reportTarget{out: out}, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o666) // what it holds is kept until there is a report
	if err != nil {
		return nil, fmt.Errorf("%w: cannot write the report (choose another place): %w", player.ErrOutput, err)
	}
	return &reportTarget{f, f}, nil
}

// write writes r as JSON.
func (t *reportTarget) write(r *report) error {
	if t.out == nil {
		return nil
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err == nil && t.file != nil && isRegular(t.file) {
		err = t.file.Truncate(0)
	}
	if err == nil {
		_, err = t.out.Write(append(b, '\n'))
	}
	if t.file != nil {
		err = errors.Join(err, t.file.Close())
		t.file = nil
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// close drops a new file that no report was written to.
func (t *reportTarget) close() {
	if t.file == nil {
		return
	}
	st, err := t.file.Stat()
	unused := err == nil && st.Mode().IsRegular() && st.Size() == 0
	t.file.Close()
	if unused {
		os.Remove(t.file.Name())
	}
}

// isRegular reports whether f is a file on a disk, not a device or a pipe.
func isRegular(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode().IsRegular()
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
