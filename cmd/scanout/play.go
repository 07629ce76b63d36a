package main

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"time"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
	"github.com/scanout-av/scanout/player"
)

// builtin is what plays when no media is named.
const builtin = "pattern:duration=10s"

type playCommand struct {
	Media string `arg:"" type:"media" optional:"" help:"File, URL, pattern:… or - for standard input; the built-in picture when left out."`

	Output      string  `short:"o" placeholder:"KIND" help:"window, offscreen, null, png:DIR, framemd5:FILE or y4m:FILE (- is standard output). Default: a window where there is a display, else offscreen with a report."`
	Renderer    string  `enum:"auto,vulkan,cpu" default:"auto" help:"What draws: ${enum}."`
	Decoder     string  `enum:"auto,vulkan,ffmpeg" default:"auto" help:"What decodes video: ${enum}. auto takes the GPU where it can."`
	Audio       string  `enum:"auto,pulse,sdl,null,none" default:"auto" help:"Where sound goes: ${enum}. null keeps time without sound."`
	Device      string  `placeholder:"GPU" help:"Number or part of the name of the GPU; see scanout doctor."`
	Upload      string  `placeholder:"MODE" help:"Force how frames reach the GPU; see scanout bench upload." hidden:""`
	PresentMode string  `name:"present-mode" enum:"auto,fifo,latest,mailbox,immediate" default:"auto" help:"How frames take turns in a window: ${enum}. auto is fifo, or latest where the source is faster than the display."`
	Validation  bool    `help:"Load the Vulkan validation layer and print what it says." hidden:""`
	Size        string  `placeholder:"WxH" help:"Size of the window or the offscreen picture; default: the media's own, in a window at most what fits on the display."`
	Fullscreen  bool    `short:"f" help:"Start in fullscreen."`
	Realtime    bool    `help:"Ask for real-time priority for the thread that presents and, as root, keep processors from idling deeply."`
	Refresh     float64 `placeholder:"HZ" help:"Refresh rate of the offscreen output's simulated display; default: the media's frame rate, or a multiple of it from 24 Hz on."`
	Display     string  `placeholder:"SPEC" help:"The offscreen output's simulated display, with its faults: a rate or the range of a variable one, then jitter, share of missed refreshes, seed; e.g. 120,jitter=0.5ms,miss=1% or 48-144. Replaces --refresh."`
	Speed       string  `enum:"1,max" default:"1" help:"max shows every frame as fast as it can be made, without sound."`
	Start       span    `placeholder:"TIME" help:"Begin here: 1m30s, 1:30 or 90."`
	Duration    span    `placeholder:"TIME" help:"Play this long, written likewise. Without it an image stays in its window until that is closed."`
	Frames      int64   `placeholder:"N" help:"Show this many frames."`
	Loop        bool    `help:"Start again at the end."`
	Volume      float64 `default:"1" help:"Volume, 0 to 1.5."`
	Mute        bool    `help:"Start muted."`
	Latency     string  `placeholder:"POLICY" help:"Of live sources: smooth keeps the rhythm, balanced delays as much as jitter takes, freshest shows the newest frame at once; or the most that a frame may be old, e.g. 50ms. Default: balanced."`
	Trace       string  `placeholder:"FILE" help:"Write every frame's life for Perfetto (ui.perfetto.dev) or chrome://tracing; - is standard output."`
	Threads     int     `placeholder:"N" help:"Decoder threads; default: one for each CPU, up to 8."`
	HugePages   bool    `help:"Use huge pages for frame memory."`
	Report      string  `placeholder:"FILE" help:"Write a JSON report at the end; - is standard output."`
	Verbose     bool    `short:"v" help:"Say more."`
	Quiet       bool    `short:"q" help:"No progress line."`

	Receive string `enum:"auto,uring,mmsg,net" default:"auto" help:"How packets of live streams are received: ${enum}."`

	sourceFlags
	Reconnect string `default:"1m" placeholder:"TIME" help:"For how long a live source that broke off is tried again: a time, forever or off. Default: 1m."`

	RawSize   string `placeholder:"WxH" help:"Size of headerless video in a file or on standard input."`
	RawFormat string `placeholder:"FMT" default:"yuv420p" help:"Pixel format of headerless video, as FFmpeg names it. Default: yuv420p."`
	RawRate   string `placeholder:"FPS" default:"30" help:"Frame rate of headerless video, e.g. 60 or 30000/1001. Default: 30."`
}

// config turns flags into a player's configuration.
func (c *playCommand) config(env *environment) (player.Config, error) {
	cfg := player.Config{
		Media: c.Media, Input: env.in, Writer: env.out,
		Output:   player.Output(c.Output),
		Renderer: player.Renderer(strings.TrimPrefix(c.Renderer, "auto")),
		Decoder:  player.Decoder(strings.TrimPrefix(c.Decoder, "auto")),
		Audio:    player.Audio(strings.TrimPrefix(c.Audio, "auto")),
		Device:   c.Device, Upload: c.Upload, Validation: c.Validation,
		Fullscreen: c.Fullscreen, Realtime: c.Realtime, Refresh: c.Refresh, MaxSpeed: c.Speed == "max",
		Start: time.Duration(c.Start), Duration: time.Duration(c.Duration), Frames: c.Frames, Loop: c.Loop,
		Volume: c.Volume, Muted: c.Mute, Threads: c.Threads, HugePages: c.HugePages,
		Receive: strings.TrimPrefix(c.Receive, "auto"),
		Started: env.started,
	}
	mode, err := media.ParsePresentMode(c.PresentMode)
	if err != nil {
		return cfg, usageError{fmt.Errorf("--present-mode: %w", err)}
	}
	cfg.PresentMode = mode
	if c.Volume == 0 {
		cfg.Volume = math.SmallestNonzeroFloat64 // 0 is the default there, and the keys go on from here
	}
	if cfg.Media == "" {
		cfg.Media = builtin
	}
	if err := c.apply(&cfg); err != nil {
		return cfg, err
	}
	if cfg.Network.Reconnect, err = parseReconnect(c.Reconnect); err != nil {
		return cfg, usageError{fmt.Errorf("--reconnect: %w", err)}
	}
	if c.Display != "" {
		if cfg.Display, err = pace.ParseSimulated(c.Display); err != nil {
			return cfg, usageError{fmt.Errorf("--display: %w", err)}
		}
	}
	if c.Size != "" {
		if cfg.Width, cfg.Height, err = parseSize(c.Size); err != nil {
			return cfg, usageError{fmt.Errorf("--size: %w", err)}
		}
	}
	if c.RawSize != "" {
		if !headerless(cfg.Media) {
			return cfg, usageError{fmt.Errorf("--raw-size: %s says its size itself: leave it out", cfg.Media)}
		}
		if cfg.RawWidth, cfg.RawHeight, err = parseSize(c.RawSize); err != nil {
			return cfg, usageError{fmt.Errorf("--raw-size: %w", err)}
		}
		if cfg.RawFormat, err = media.ParsePixelFormat(c.RawFormat); err != nil {
			return cfg, usageError{fmt.Errorf("--raw-format: %w", err)}
		}
		if cfg.RawRate, err = parseRate(c.RawRate); err != nil {
			return cfg, usageError{fmt.Errorf("--raw-rate: %w", err)}
		}
	}
	if cfg.Latency, cfg.MaxLatency, err = parseLatency(c.Latency); err != nil {
		return cfg, usageError{fmt.Errorf("--latency: %w", err)}
	}
	level := slog.LevelWarn
	if c.Verbose {
		level = slog.LevelInfo
	}
	cfg.Log = slog.New(newLineHandler(env.err, level))
	return cfg, nil
}

// headerless reports whether name may be of video that does not say what it is: it is standard
// input or a file.
func headerless(name string) bool {
	return name != "pattern" && !strings.HasPrefix(name, "pattern:") && !strings.Contains(name, "://") && !strings.HasSuffix(strings.ToLower(name), ".y4m")
}

// Help is what the help says below the flags.
func (c *playCommand) Help() string {
	return `Keys in a window: space pauses, left and right seek by 5 s, up and down by 60 s, f fullscreen, m mute, 9 and 0 volume, . next frame, s screenshot, q quits.

Examples:

  scanout play film.mp4
  scanout play pattern:size=1920x1080,rate=120
  scanout play film.mkv -o framemd5:-`
}

func (c *playCommand) Run(env *environment) (err error) {
	cfg, err := c.config(env)
	if err != nil {
		return err
	}
	// With nothing to look at, what playback came to is what the user gets.
	reportTo := c.Report
	if reportTo == "" && cfg.Output == player.OutputAuto && !player.HasDisplay() {
		cfg.Output = player.OutputOffscreen
		reportTo = "-"
	}
	if err := c.sharing(reportTo); err != nil {
		return err
	}
	if c.Output == "y4m:-" && isTerminal(env.out) {
		return usageError{errors.New("--output y4m:-: standard output is a terminal, which shows no pictures: redirect it to a file or another program (or name the terminal: y4m:/dev/stdout)")}
	}
	to, err := openReport(reportTo, env.out)
	if err != nil {
		return err
	}
	defer to.close()
	switch c.Trace {
	case "":
	case "-":
		buffered := bufio.NewWriterSize(env.out, 1<<16)
		cfg.Trace = buffered
		defer func() { err = errors.Join(err, buffered.Flush()) }()
	default:
		f, createErr := os.Create(c.Trace)
		if createErr != nil {
			return fmt.Errorf("%w: cannot write the trace (choose another place): %w", player.ErrOutput, createErr)
		}
		buffered := bufio.NewWriterSize(f, 1<<16)
		cfg.Trace = buffered
		defer func() {
			if lost := errors.Join(buffered.Flush(), f.Close()); lost != nil {
				err = errors.Join(err, fmt.Errorf("write the trace: %w", lost))
			}
		}()
	}
	p, err := player.Open(env.ctx, cfg)
	if err != nil {
		return err
	}
	if reportTo != c.Report {
		fmt.Fprintln(env.err, "scanout: no display found: rendering offscreen, a report follows")
	}
	progress := startProgress(env, p, c.Quiet || c.Output == "framemd5:-" || c.Output == "y4m:-")
	runErr := p.Run(env.ctx)
	progress.stop()
	closeErr := p.Close()
	s := p.Stats()
	reportErr := to.write(makeReport(p.Info(), &cfg, &s))
	if lost := s.DecodeErrors + s.ReadErrors + s.AudioErrors; lost > 0 && runErr == nil {
		if s.Decoded == 0 && p.Info().Best(media.KindVideo) != nil && s.DecodeErrors > 0 {
			runErr = fmt.Errorf("%s is damaged: none of its pictures could be decoded", p.Info().Name)
		} else {
			fmt.Fprintln(env.err, "scanout: "+damage(p.Info().Name, &s))
		}
	}
	return errors.Join(runErr, closeErr, reportErr)
}

// damage says what of a medium was not played. Where packets were lost on the way, that is why.
func damage(name string, s *player.Stats) string {
	lost := int64(0)
	for i := range s.Live {
		lost += s.Live[i].Lost
	}
	if lost > 0 {
		return fmt.Sprintf("%d packets of %s were lost on the way, and %d units could not be decoded for that; the rest was played", lost, name, s.DecodeErrors+s.AudioErrors)
	}
	return fmt.Sprintf("%s is damaged: %d units could not be read and %d not decoded; the rest was played", name, s.ReadErrors, s.DecodeErrors+s.AudioErrors)
}

// sharing refuses to write two things to standard output.
func (c *playCommand) sharing(reportTo string) error {
	var to []string
	if c.Output == "framemd5:-" || c.Output == "y4m:-" {
		to = append(to, "--output "+c.Output)
	}
	if reportTo == "-" {
		to = append(to, "--report -")
	}
	if c.Trace == "-" {
		to = append(to, "--trace -")
	}
	if len(to) < 2 {
		return nil
	}
	return usageError{fmt.Errorf("%s cannot share standard output: write one of them to a file", strings.Join(to, " and "))}
}

// span is a time on the command line: 1m30s, 1:30, 90 or 1:02:03.5.
type span time.Duration

// UnmarshalText reads one.
func (t *span) UnmarshalText(text []byte) error {
	d, err := parseSpan(string(text))
	*t = span(d)
	return err
}

// maxSpan is longer than anything that plays, and short enough for sums of it.
const maxSpan = 100_000 * time.Hour

// parseSpan reads a time as Go writes it, or as players do: seconds, minutes and seconds, or
// hours, minutes and seconds, the last with decimals.
func parseSpan(s string) (time.Duration, error) {
	if d, err := time.ParseDuration(s); err == nil && d.Abs() <= maxSpan {
		return d, nil
	}
	whole, frac, decimals := strings.Cut(s, ".")
	parts := strings.Split(whole, ":")
	seconds := 0
	for i, p := range parts {
		limit := 59
		if i == 0 {
			limit = int(maxSpan / time.Second)
		}
		n, ok := parseInt(p, limit)
		if !ok || i == 3 {
			return 0, badSpan(s)
		}
		seconds = seconds*60 + n
	}
	if seconds > int(maxSpan/time.Second) {
		return 0, badSpan(s)
	}
	d := time.Duration(seconds) * time.Second
	if decimals {
		const nanos = "000000000"
		if frac == "" || len(frac) > len(nanos) {
			return 0, badSpan(s)
		}
		n, ok := parseInt(frac+nanos[len(frac):], 999_999_999)
		if !ok {
			return 0, badSpan(s)
		}
		d += time.Duration(n)
	}
	return d, nil
}

func badSpan(s string) error {
	return fmt.Errorf("%q is not a time: write it like 1m30s, 1:30 or 90", s)
}

// parseLatency reads a policy, or how old a frame may be at most.
func parseLatency(s string) (player.Latency, time.Duration, error) {
	switch l := player.Latency(s); l {
	case player.LatencyAuto, player.LatencySmooth, player.LatencyBalanced, player.LatencyFreshest:
		return l, 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 5*time.Millisecond || d > 10*time.Second {
		return "", 0, fmt.Errorf("%q is not a policy and no time from 5ms to 10s: choose smooth, balanced, freshest, or write it like 50ms", s)
	}
	return player.LatencyBalanced, d, nil
}

// parseSize reads WxH.
func parseSize(s string) (w, h int, err error) {
	ws, hs, ok := strings.Cut(strings.ToLower(s), "x")
	if ok {
		w, ok = parseInt(ws, 16384)
	}
	if ok {
		h, ok = parseInt(hs, 16384)
	}
	if !ok || w == 0 || h == 0 {
		return 0, 0, fmt.Errorf("%q is not a size: write it like 1920x1080, each 1 to 16384", s)
	}
	return w, h, nil
}

// maxRate is the highest frame rate that is taken for one.
const maxRate = 100_000

// parseRate reads a frame rate: 60, 29.97 or 30000/1001.
func parseRate(s string) (media.Rational, error) {
	bad := fmt.Errorf("%q is not a frame rate: write it like 60, 59.94 or 60000/1001", s)
	if n, d, ok := strings.Cut(s, "/"); ok {
		// Every rate that a decimal number can say can be said as a ratio, too.
		num, ok1 := parseInt(n, maxRate*1000)
		den, ok2 := parseInt(d, maxRate*1000)
		if !ok1 || !ok2 || num == 0 || den == 0 || num > maxRate*den {
			return media.Rational{}, bad
		}
		return media.Rational{Num: int32(num), Den: int32(den)}.Reduce(), nil
	}
	whole, frac, _ := strings.Cut(s, ".")
	n, ok := parseInt(whole, maxRate)
	if !ok || len(frac) > 3 {
		return media.Rational{}, bad
	}
	for len(frac) < 3 {
		frac += "0"
	}
	f, ok := parseInt(frac, 999)
	if !ok || n == 0 && f == 0 || n == maxRate && f > 0 {
		return media.Rational{}, bad
	}
	// 23.976, 29.97, 59.94 and 119.88 stand for the NTSC rates.
	m := n*1000 + f
	for _, base := range []int{24, 30, 48, 60, 120} {
		if ntsc := base * 1000 * 1000 / 1001; m == ntsc || m == ntsc+1 || m == ntsc/10*10 || m == (ntsc/10+1)*10 {
			return media.Rational{Num: int32(base) * 1000, Den: 1001}, nil
		}
	}
	return media.Rational{Num: int32(m), Den: 1000}.Reduce(), nil
}

// parseInt reads a decimal number from 0 to limit, digits only.
func parseInt(s string, limit int) (int, bool) {
	if s == "" || len(s) > 9 {
		return 0, false
	}
	n := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, n <= limit
}

// isTerminal reports whether w is a terminal.
func isTerminal(w any) bool {
	if o, ok := w.(*output); ok {
		w = o.w
	}
	f, ok := w.(*os.File)
	return ok && terminal(f)
}
