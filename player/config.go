package player

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
)

// Output says where pictures go.
type Output string

// Outputs. The ones that end in a colon take a path after it.
const (
	OutputAuto      Output = ""          // a window where there is a display, offscreen otherwise
	OutputWindow    Output = "window"    // SDL2: X11, Wayland, Windows, macOS
	OutputOffscreen Output = "offscreen" // rendered into GPU memory, on a simulated display
	OutputNull      Output = "null"      // decoded and paced, not rendered
	OutputPNG       Output = "png:"      // one PNG a frame in a directory
	OutputFrameMD5  Output = "framemd5:" // checksums of the decoded planes, FFmpeg's format
	OutputY4M       Output = "y4m:"      // decoded planes as YUV4MPEG2
)

// Network says how to deal with servers. The zero value is the documented default.
type Network struct {
	// Transport carries RTSP: "tcp", "udp", "multicast" or "http"; "" is TCP, and UDP where
	// the server refuses that.
	Transport string
	// User and Password go into the address, in place of those that it has.
	User, Password string
	// Timeout is how long a server may take to answer and to describe what it sends, and
	// how long it may send nothing; 0 is 10 s for live sources and 60 s for files.
	Timeout time.Duration
	// Interface is where multicast groups of RTP are joined; "" lets the system choose.
	Interface string
	// Reconnect is for how long a live source that broke off is tried again; 0 is one
	// minute, negative is not at all.
	Reconnect time.Duration
}

// Renderer says what draws.
type Renderer string

// Renderers.
const (
	RendererAuto   Renderer = ""
	RendererVulkan Renderer = "vulkan"
	RendererCPU    Renderer = "cpu"
)

// Decoder says what decodes video.
type Decoder string

// Decoders.
const (
	DecoderAuto   Decoder = "" // the GPU where it can (H.264, H.265) and the pictures stay there, else FFmpeg
	DecoderVulkan Decoder = "vulkan"
	DecoderFFmpeg Decoder = "ffmpeg"
)

// Audio says where sound goes.
type Audio string

// Audio outputs.
const (
	AudioAuto  Audio = ""      // PulseAudio or PipeWire, then SDL, then null
	AudioPulse Audio = "pulse" // PulseAudio's protocol, which PipeWire speaks, too
	AudioSDL   Audio = "sdl"
	AudioNull  Audio = "null" // a clock without sound
	AudioNone  Audio = "none" // sound is not even decoded
)

// Latency says what a viewer wants more of a live source: every frame in its rhythm, or the
// newest one now. Files are played smoothly whatever it says.
type Latency string

// Latencies.
const (
	LatencyAuto     Latency = ""         // balanced for live sources, smooth for files
	LatencySmooth   Latency = "smooth"   // the rhythm first: up to 2 s behind
	LatencyBalanced Latency = "balanced" // as much delay as jitter takes: up to 250 ms
	LatencyFreshest Latency = "freshest" // the newest frame at the next refresh: up to 100 ms
)

// Config says what to play and where. The zero value of every field but Media is the
// documented default.
type Config struct {
	// Media is a path or URL, "pattern:…" for the built-in test picture, or "-" for
	// YUV4MPEG2, raw video or a session description from Input.
	Media string
	// Input is read for Media "-".
	Input io.Reader
	// RawFormat, RawWidth, RawHeight and RawRate describe headerless video from Input or in
	// the file that Media names; without them Input must be YUV4MPEG2.
	RawFormat           media.PixelFormat
	RawWidth, RawHeight int
	RawRate             media.Rational

	// Network says how to deal with servers: transport, user, time limits, reconnecting.
	Network Network
	// SourceOptions are FFmpeg's options of the format or protocol that opens Media, by
	// name; they override those that are chosen for live sources.
	SourceOptions map[string]string

	Output   Output
	Renderer Renderer
	Decoder  Decoder
	Audio    Audio

	// Writer receives framemd5: and y4m: output whose path is "-".
	Writer io.Writer
	// Device chooses the GPU by index or part of its name; "" is the best one.
	Device string
	// Graphics is a GPU that several players share; nil: this player opens its own.
	Graphics *Graphics
	// Upload forces how frames reach the GPU; "" chooses. For benchmarks.
	Upload string
	// PresentMode says how frames take turns in a window; the zero value chooses. Modes that
	// a queue of frames does not have are Vulkan's.
	PresentMode media.PresentMode
	// Validation loads the Vulkan validation layer and reports its messages as errors.
	Validation bool

	// Width and Height of the offscreen picture or the window; 0: the media's own, in a window
	// at most what fits on the display.
	Width, Height int
	Fullscreen    bool
	// Realtime asks for real-time priority for the thread that presents: SCHED_FIFO, else
	// RealtimeKit, else a warning says why not. Where the process may (as root), processors
	// are kept from idling deeply, too, which costs power. Frames are handed over ahead of
	// their moment, so only a machine that is busy with other things needs it.
	Realtime bool
	Title    string
	// Refresh is the simulated display's rate in Hz for OutputOffscreen and OutputNull; 0
	// takes the media's own frame rate, or the multiple of it that is at least 24 Hz.
	Refresh float64
	// Display is that display when it is more than a rate: with jitter, missed refreshes or a
	// variable rate (pace.ParseSimulated). Refresh is not looked at then.
	Display *pace.Simulated
	// MaxSpeed shows frames as fast as they can be made, without sound.
	MaxSpeed bool

	Start    time.Duration // where to begin
	Duration time.Duration // how long to play; 0: to the end, and an image in a window until that is closed
	Frames   int64         // how many frames to show; 0: no limit
	Loop     bool
	Volume   float64 // 0…1.5; 0 means 1
	Muted    bool
	Paused   bool // open without starting

	Latency Latency
	// MaxLatency is a contract for live sources: a frame that was received longer ago is not
	// shown when there is a newer one. 0: what Latency says.
	MaxLatency time.Duration

	// Trace receives a trace of every frame's life in Chrome's format, which Perfetto and
	// chrome://tracing open; nil for none. It is complete when Close has returned.
	Trace io.Writer

	// Threads is the number of decoder threads; 0: one per CPU up to 8.
	Threads int
	// HugePages asks for transparent huge pages for frame memory.
	HugePages bool

	// DecodeApart keeps decoding on a goroutine of its own, also where a GPU decodes and the
	// presenting goroutine would hand it the pictures. For benchmarks.
	DecodeApart bool

	// Receive forces how packets of live streams are received: "uring", "mmsg" or "net"; ""
	// is the best that works here.
	Receive string

	// OnEvent is called on the presenting goroutine with every window event; returning
	// true keeps the player from acting on it.
	OnEvent func(media.Event) bool
	// OnPresent is called on the presenting goroutine with every shown frame, lent for
	// the call, and before it is given to the sink.
	OnPresent func(*media.Scheduled)
	// OnPresented is called on the presenting goroutine with what became of every frame
	// that was shown, as soon as the output knows: a few refreshes later, in order, lent
	// for the call. Actual is 0 when the output cannot tell. Pictures drawn again, after a
	// resize, are not reported.
	OnPresented func(*media.Presented)
	// Log receives what is worth telling; nil drops it.
	Log *slog.Logger
	// Started is when the program started, for first_picture_ms; 0: when Open was called.
	Started media.Instant

	// In tests: what stands between the player and the source, the software decoder, and the
	// audio device.
	aroundSource  func(Source) Source
	aroundAudio   func(AudioSink) AudioSink
	aroundDecoder func(VideoDecoder) VideoDecoder
}

// Output returns the kind of c.Output and the path behind its colon.
func (o Output) split() (kind Output, path string) {
	for _, k := range []Output{OutputPNG, OutputFrameMD5, OutputY4M} {
		if len(o) > len(k) && o[:len(k)] == k {
			return k, string(o[len(k):])
		}
	}
	return o, ""
}

// Bounds of MaxLatency: below a few refreshes every frame would be too old, and beyond ten
// seconds no queue of ours reaches.
const minLatency, maxLatency = 5 * time.Millisecond, 10 * time.Second

// realtimePriority is in the lower part of the range: above ordinary programs, below audio
// servers and the kernel's own threads.
const realtimePriority = 10

func (c *Config) priority() int {
	if c.Realtime {
		return realtimePriority
	}
	return 0
}

func (c *Config) validate() error {
	if c.Media == "" {
		return fmt.Errorf("player: nothing to play: name a file, a URL or \"pattern:\"")
	}
	switch k, path := c.Output.split(); k {
	case OutputAuto, OutputWindow, OutputOffscreen, OutputNull:
	case OutputPNG, OutputFrameMD5, OutputY4M:
		if path == "" {
			return fmt.Errorf("player: output %s needs a path after the colon", k)
		}
	default:
		return fmt.Errorf("player: unknown output %q: use window, offscreen, null, png:DIR, framemd5:FILE or y4m:FILE", c.Output)
	}
	switch c.Renderer {
	case RendererAuto, RendererVulkan, RendererCPU:
	default:
		return fmt.Errorf("player: unknown renderer %q: use auto, vulkan or cpu", c.Renderer)
	}
	if c.PresentMode > media.PresentModeFIFO && c.Renderer == RendererCPU {
		return fmt.Errorf("player: the CPU renderer has no present mode %v: use --renderer vulkan, or leave the mode out", c.PresentMode)
	}
	switch c.Decoder {
	case DecoderAuto, DecoderVulkan, DecoderFFmpeg:
	default:
		return fmt.Errorf("player: unknown decoder %q: use auto, vulkan or ffmpeg", c.Decoder)
	}
	switch c.Audio {
	case AudioAuto, AudioPulse, AudioSDL, AudioNull, AudioNone:
	default:
		return fmt.Errorf("player: unknown audio output %q: use auto, pulse, sdl, null or none", c.Audio)
	}
	switch c.Latency {
	case LatencyAuto, LatencySmooth, LatencyBalanced, LatencyFreshest:
	default:
		return fmt.Errorf("player: unknown latency %q: use smooth, balanced or freshest, or set MaxLatency", c.Latency)
	}
	if c.Display != nil {
		if err := c.Display.Check(); err != nil {
			return fmt.Errorf("player: the simulated display: %w", err)
		}
	}
	switch {
	case c.MaxLatency < 0 || c.MaxLatency > 0 && c.MaxLatency < minLatency || c.MaxLatency > maxLatency:
		return fmt.Errorf("player: a maximal latency of %v is out of range: use %v to %v", c.MaxLatency, minLatency, maxLatency)
	case c.Width < 0 || c.Height < 0 || c.Width > 16384 || c.Height > 16384:
		return fmt.Errorf("player: size %dx%d is out of range: use 1 to 16384 each", c.Width, c.Height)
	case c.Refresh != 0 && !(c.Refresh >= 1 && c.Refresh <= 10000): // so that NaN is refused, too
		return fmt.Errorf("player: refresh rate %v Hz is out of range: use 1 to 10000", c.Refresh)
	case c.Start < 0:
		return fmt.Errorf("player: start %v lies before the beginning", c.Start)
	case c.Duration < 0 || c.Frames < 0:
		return fmt.Errorf("player: negative duration or number of frames")
	case !(c.Volume >= 0 && c.Volume <= 1.5):
		return fmt.Errorf("player: volume %v is out of range: use 0 to 1.5", c.Volume)
	case c.Network.Timeout < 0:
		return fmt.Errorf("player: timeout %v is negative", c.Network.Timeout)
	case c.Threads < 0 || c.Threads > 64:
		return fmt.Errorf("player: %d decoder threads: use 1 to 64, or 0 to choose", c.Threads)
	}
	return nil
}

// written reports whether pictures are written rather than shown: every frame counts,
// none is dropped, and nothing waits for a clock.
func (c *Config) written() bool {
	switch k, _ := c.Output.split(); k {
	case OutputPNG, OutputFrameMD5, OutputY4M:
		return true
	}
	return false
}
