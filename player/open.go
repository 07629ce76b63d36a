package player

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/decode/ffmpeg"
	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/ingest/annexb"
	"github.com/scanout-av/scanout/ingest/file"
	"github.com/scanout-av/scanout/ingest/pattern"
	"github.com/scanout-av/scanout/ingest/raw"
	"github.com/scanout-av/scanout/internal/ring"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

// What an error of Open, Probe or Run is about; errors.Is tells.
var (
	ErrConfig = errors.New("configuration")
	ErrMedia  = errors.New("media")
	ErrOutput = errors.New("output")
)

// about marks err as being about kind without changing its text.
func about(kind, err error) error {
	if err == nil {
		return nil
	}
	return &aboutError{kind, err}
}

type aboutError struct{ kind, err error }

func (e *aboutError) Error() string   { return e.err.Error() }
func (e *aboutError) Unwrap() []error { return []error{e.err, e.kind} }

const (
	// packetRing is how many packets wait for a decoder: about 8 s of 60 fps video, so
	// that a badly interleaved file does not starve one of its streams.
	packetRing = 512
	// packetRefill is how much room there must be before the source goroutine, asleep at a
	// full ring, is woken: it then reads that many packets at once.
	packetRefill = 64
	// frameRing is how many decoded frames wait to be shown. More would only cost
	// memory: it is the decoder's threads that even out expensive frames.
	frameRing = 8
	// frameRefill is how many places must be free before the decoder, asleep at a full
	// ring, is woken: a wake-up costs more than a frame's way through the ring.
	frameRefill = 4
	// hereLeft is how many pictures are still ready when the presenting goroutine, where it
	// decodes, makes more: a GPU takes a few milliseconds from being asked to being done.
	hereLeft = 3
	// primeFrames is how many decoded frames let time run.
	primeFrames = 2
	// inFlight is how many frames the renderer may hold until the GPU is done with them.
	inFlight = 4
	// maxPixels bounds a picture: 16384×16384 is more than any decoder level allows.
	maxPixels = 1 << 28
)

// Open opens cfg.Media with its decoders, frame memory and sound, and starts decoding.
// Nothing is shown before [Player.Run] or [Player.Play].
// Ownership: the caller closes the player.
// Errors: ErrConfig, ErrMedia, ErrOutput.
func Open(ctx context.Context, cfg Config) (*Player, error) {
	if err := cfg.validate(); err != nil {
		return nil, about(ErrConfig, err)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Started == 0 {
		cfg.Started = clock.Now()
	}
	if cfg.Volume == 0 {
		cfg.Volume = 1
	}
	if cfg.MaxSpeed || cfg.written() {
		cfg.Audio = AudioNone
	}
	p := &Player{cfg: cfg, log: cfg.Log, quit: make(chan struct{}), asked: make(chan struct{}, 1), finished: make(chan struct{}),
		volume: cfg.Volume, muted: cfg.Muted}
	p.demand = sync.NewCond(&p.mu)
	p.waiter = rt.NewWaiter(p.sleep())
	if err := p.makeRings(); err != nil {
		return nil, err
	}
	p.stats.inUseAtClose.Store(-1)
	p.paused.Store(cfg.Paused)
	p.serial.Store(1)
	p.rawSerial = 1
	p.clk = clock.NewMedia(clock.MediaConfig{}, clock.Now())
	p.lookForGPU()
	if err := p.openMedia(ctx); err != nil {
		return nil, p.abandon(ErrMedia, err)
	}
	if err := p.openAudio(); err != nil {
		return nil, p.abandon(ErrOutput, err)
	}
	if err := p.openPacer(); err != nil {
		return nil, p.abandon(ErrConfig, err)
	}
	if err := p.openTrace(); err != nil {
		return nil, p.abandon(ErrConfig, err)
	}
	if cfg.Start > 0 {
		if d := p.info.Duration; d > 0 && cfg.Start >= d {
			p.log.Warn("nothing is left to play, the start lies behind the end", "start", cfg.Start, "duration", d)
		}
		if err := p.Seek(cfg.Start); err != nil {
			return nil, p.abandon(ErrMedia, err)
		}
	}
	p.start()
	return p, nil
}

// abandon gives back what a failing Open has opened so far.
func (p *Player) abandon(kind, err error) error {
	p.interrupt()
	p.stages.Wait()
	return errors.Join(about(kind, err), p.release())
}

func (p *Player) makeRings() (err error) {
	if p.vq, err = ring.New[packet](ring.Config{Capacity: packetRing, Refill: packetRefill}); err != nil {
		return err
	}
	if p.aq, err = ring.New[packet](ring.Config{Capacity: packetRing}); err != nil {
		return err
	}
	p.fq, err = ring.New[picture](ring.Config{Capacity: frameRing, Refill: frameRefill, Consumer: rt.NewWaiter(p.sleep())})
	return err
}

// Probe opens cfg.Media only to say what is in it.
func Probe(ctx context.Context, cfg Config) (*media.Info, error) {
	if err := cfg.validate(); err != nil {
		return nil, about(ErrConfig, err)
	}
	cfg.Log = slog.New(slog.DiscardHandler)
	p := &Player{cfg: cfg, log: cfg.Log}
	err := p.openSource(ctx)
	if err == nil && p.raw == nil && p.src == nil {
		err = media.ErrNotSupported
	}
	var info *media.Info
	if err == nil {
		c := *p.info
		info = &c
	}
	if p.src != nil {
		err = errors.Join(err, p.src.Close())
	}
	if p.raw != nil {
		err = errors.Join(err, p.raw.Close())
	}
	if p.pool != nil {
		err = errors.Join(err, p.pool.Close())
	}
	return info, about(ErrMedia, err)
}

// openSource opens what cfg.Media names.
func (p *Player) openSource(ctx context.Context) error {
	cfg := &p.cfg
	switch {
	case cfg.Media == "pattern" || strings.HasPrefix(cfg.Media, "pattern:"):
		return p.openPattern()
	case cfg.Media == "-":
		return p.openRaw(ctx)
	}
	if cfg.RawWidth > 0 && !strings.Contains(cfg.Media, "://") {
		if _, err := p.openInput(ctx); err != nil {
			return err
		}
		return p.openRaw(ctx)
	}
	if strings.HasSuffix(strings.ToLower(cfg.Media), ".y4m") && !strings.Contains(cfg.Media, "://") {
		f, err := p.openInput(ctx)
		if err != nil {
			return err
		}
		if err = p.openRaw(ctx); !errors.Is(err, media.ErrNotSupported) || p.raw == nil || !isRegular(f) {
			return err
		}
		p.log.Info("not read as Y4M", "reason", err)
		if err := p.raw.Close(); err != nil {
			return err
		}
		p.raw = nil
	}
	if annexb.CodecOf(cfg.Media) != "" && !strings.Contains(cfg.Media, "://") {
		src, err := annexb.Open(annexb.Config{Path: cfg.Media, Now: clock.Now})
		if err == nil {
			p.src, p.info = src, src.Info()
			return nil
		}
		if !errors.Is(err, media.ErrNotSupported) {
			return err
		}
		p.log.Info("not read as a raw stream", "reason", err)
	}
	if isRTP(cfg.Media) {
		return p.openRTP(ctx)
	}
	if cfg.Network.Interface != "" {
		return fmt.Errorf("open %s: an interface (--interface) is for rtp:// and session descriptions; for udp:// add ?localaddr=ADDRESS to the address", file.Redact(cfg.Media))
	}
	src, err := file.Open(ctx, file.Config{URL: cfg.Media, Options: cfg.SourceOptions, Now: clock.Now, Network: file.NetworkConfig{
		Transport: file.Transport(cfg.Network.Transport), User: cfg.Network.User, Password: cfg.Network.Password,
		Timeout: cfg.Network.Timeout, Reconnect: cfg.Network.Reconnect, Complete: cfg.MaxSpeed || cfg.written(),
		MaxLatency: cfg.MaxLatency, Log: cfg.Log}})
	if err != nil {
		return err
	}
	p.src, p.info = src, src.Info()
	return nil
}

// openInput makes the file that cfg.Media names the raw source's input.
func (p *Player) openInput(ctx context.Context) (*os.File, error) {
	f, err := openFile(ctx, p.cfg.Media)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, fmt.Errorf("open %s: %w", p.cfg.Media, err)
	}
	p.cfg.Input = f
	return f, nil
}

func isRegular(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode().IsRegular()
}

// openFile opens path for reading. Opening a named pipe waits for its writer, and a file
// of a server that is gone for the server: ctx ends the wait, not the opening.
func openFile(ctx context.Context, path string) (*os.File, error) {
	type opened struct {
		f   *os.File
		err error
	}
	done := make(chan opened, 1)
	go func() {
		f, err := os.Open(path)
		done <- opened{f, err}
	}()
	select {
	case o := <-done:
		return o.f, o.err
	case <-ctx.Done():
		go func() {
			if o := <-done; o.err == nil {
				o.f.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

func (p *Player) openPattern() error {
	c, err := pattern.ParseURL(p.cfg.Media)
	if err != nil {
		return err
	}
	if p.cfg.Audio == AudioNone {
		c.Beep = false
	}
	if c, err = c.Resolve(); err != nil {
		return err
	}
	if err := p.newPool(frameRing+inFlight+4, framepool.FrameBytes(c.Format, c.Width, c.Height, 0)); err != nil {
		return err
	}
	c.Pool = p.pool
	src, err := pattern.New(c)
	if err != nil {
		return err
	}
	p.raw, p.info = src, src.Info()
	return nil
}

func (p *Player) openRaw(ctx context.Context) error {
	cfg := &p.cfg
	if cfg.Input == nil {
		return errors.New("no input: standard input is closed")
	}
	src, err := raw.New(raw.Config{Reader: cfg.Input, Name: cfg.Media, Format: cfg.RawFormat,
		Width: cfg.RawWidth, Height: cfg.RawHeight, Rate: cfg.RawRate})
	if err != nil {
		return err
	}
	p.raw = src
	stop := context.AfterFunc(ctx, src.Interrupt)
	err = src.Open()
	stop()
	if err != nil {
		if cfg.Media == "-" && errors.Is(err, media.ErrNotSupported) {
			return p.openPiped(ctx, src, err)
		}
		return err
	}
	p.info = src.Info()
	v := p.info.Best(media.KindVideo)
	if err := p.newPool(frameRing+inFlight+4, framepool.FrameBytes(v.Format, v.Width, v.Height, 0)); err != nil {
		return err
	}
	src.UsePool(p.pool)
	return nil
}

// openMedia opens the source, chooses its streams and opens their decoders.
func (p *Player) openMedia(ctx context.Context) error {
	if err := p.openSource(ctx); err != nil {
		return err
	}
	if around := p.cfg.aroundSource; around != nil {
		p.src = around(p.src)
		p.info = p.src.Info()
	}
	p.video = p.info.Best(media.KindVideo)
	if p.cfg.Audio != AudioNone {
		p.audio = p.info.Best(media.KindAudio)
	}
	if p.video == nil && p.audio == nil {
		if p.info.Best(media.KindAudio) != nil {
			return fmt.Errorf("%s has only sound, and sound is switched off: leave out --audio none, --speed max and outputs to files", p.info.Name)
		}
		return fmt.Errorf("%s has neither video nor sound that can be played", p.info.Name)
	}
	if p.video != nil && p.video.CoverArt {
		p.info.Duration = max(p.info.Duration, 0)
	}
	if p.src == nil {
		return nil
	}
	if p.video != nil {
		if err := p.openVideoDecoder(); err != nil {
			if p.audio == nil || p.cfg.Decoder == DecoderVulkan && !p.video.CoverArt {
				return err // there is nothing else, or what was asked for is not to be had
			}
			p.log.Warn("the picture cannot be decoded, playing the sound only", "error", err)
			p.video = nil
		}
	}
	var streams []int
	if p.video != nil {
		streams = append(streams, p.video.Index)
	}
	if p.audio != nil {
		streams = append(streams, p.audio.Index)
	}
	p.src.Select(streams...)
	return nil
}

// prepareSoftware makes frame memory and tells c how to open FFmpeg's decoder.
func (p *Player) prepareSoftware(c *chooser) error {
	v := p.video
	threads := p.threads()
	if v.Width <= 0 || v.Height <= 0 {
		return fmt.Errorf("%s: the size of its video cannot be found: its beginning is damaged or cut off", p.info.Name)
	}
	bytes, err := ffmpeg.SlotBytes(*v)
	if err != nil {
		return err
	}
	// Memory that nobody touches costs nothing: while the GPU decodes it stays so.
	slots := ffmpeg.SlotsNeeded(*v, threads) + frameRing + inFlight + 2
	if err := p.newPool(slots, bytes); err != nil {
		return err
	}
	c.software = func() (VideoDecoder, error) {
		d, err := ffmpeg.NewVideo(ffmpeg.Config{Stream: c.stream, Pool: p.pool, Reserve: frameRing + 3 + threads + 2, Threads: threads, Live: p.info.Live, Split: p.info.Live && p.info.Format == "rtsp", Corrupt: p.overRTP, Now: clock.Now})
		if err != nil {
			return nil, err
		}
		if around := p.cfg.aroundDecoder; around != nil {
			return around(d), nil
		}
		return d, nil
	}
	return nil
}

// newReadPool makes frame memory for pictures that are read back from the GPU where there
// is no software decoder.
func (p *Player) newReadPool() error {
	w, h := max(p.video.Width, 1920), max(p.video.Height, 1088)
	return p.newPool(frameRing+inFlight+4, framepool.FrameBytes(media.I010, w, h, 0))
}

// threads is how many decode.
func (p *Player) threads() int {
	switch {
	case p.info.Live:
		return 1
	case p.cfg.Threads != 0:
		return p.cfg.Threads
	}
	return min(runtime.NumCPU(), 8)
}

func (p *Player) newPool(slots, bytes int) error {
	huge := framepool.HugeOff
	if p.cfg.HugePages {
		huge = framepool.HugeTHP
	}
	pool, err := framepool.New(framepool.Config{Slots: slots, SlotBytes: bytes, HugePages: huge})
	if err != nil {
		return fmt.Errorf("frame memory of %d × %d MiB: %w", slots, bytes>>20, err)
	}
	p.pool = pool
	return nil
}

// spareThreads is how many threads playback may need at once: its goroutines in calls of
// C or the kernel, and one for each that is ready meanwhile.
const spareThreads = 8

// start begins reading and decoding.
func (p *Player) start() {
	rt.Warm(spareThreads)
	run := func(f func()) {
		p.stages.Add(1)
		go f()
	}
	if p.trace != nil {
		run(p.drainTrace)
	}
	if p.raw != nil {
		if p.video != nil {
			run(p.readVideo)
		}
		if p.audio != nil {
			run(p.readAudio)
		}
		return
	}
	if p.video != nil {
		p.stage = newVideoStage(p)
		run(p.decodeVideo)
	}
	if p.audio != nil {
		run(p.decodeAudio)
	}
	run(p.demux)
}

// frameInterval is the nominal interval of the video, 0 when it is not known.
func (p *Player) frameInterval() time.Duration {
	if p.video == nil || !p.video.FrameRate.Valid() {
		return 0
	}
	r := p.video.FrameRate
	return time.Duration(int64(time.Second) * int64(r.Den) / int64(r.Num))
}

// HasDisplay reports whether this process has a display to open windows on.
func HasDisplay() bool {
	switch runtime.GOOS {
	case "windows", "darwin":
		return true
	}
	return os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != ""
}
