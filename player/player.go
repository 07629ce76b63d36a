package player

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/internal/ring"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
	"github.com/scanout-av/scanout/trace"
)

// Player plays one source.
// Concurrency: every method from any goroutine; Run once.
type Player struct {
	cfg Config
	log *slog.Logger

	info  *media.Info
	video *media.Stream // nil: no picture
	audio *media.Stream // nil: no sound

	src Source    // one of src and raw is set
	raw RawSource //
	// overRTP says that src is an rtp.Source, whose pictures may be damaged.
	overRTP bool
	pool    *framepool.Pool
	vdec    VideoDecoder
	adec    AudioDecoder
	asink   AudioSink
	// graphics is the GPU that draws and decodes, nil when none was asked for.
	graphics       *Graphics
	graphicsConfig graphicsConfig
	noGPU          sync.Once   // that is said once
	gpuFrames      atomic.Bool // the sink can show pictures in GPU memory
	// newSink replaces chooseSink in tests: a device cannot be lost on purpose.
	newSink func() (VideoSink, error)

	stage *videoStage // nil without coded video
	// here is set while the presenting goroutine decodes, and starved when it waits for a
	// packet to decode; presents once there is that goroutine.
	here, starved, presents atomic.Bool
	forceHere               atomic.Int32 // in tests: 1 is here, -1 is not

	vq     *ring.Ring[packet]
	aq     *ring.Ring[packet]
	fq     *ring.Ring[picture]
	waiter *rt.Waiter // wakes the presenting goroutine
	thread *rt.Thread // the presenting goroutine's, while it has one; its alone
	clk    *clock.Media
	pacer  *pace.Pacer
	// maxLatency is the pacer's contract, for the stages before it.
	maxLatency time.Duration
	// strained is whether decoding is behind: see strain.
	strained atomic.Bool
	// keys is how many keyframes of a live source wait to be decoded.
	keys atomic.Int32
	// aligns is whether sound begins on a refresh.
	aligns atomic.Int32
	// soundSpeed is how fast sound should play, as the bits of a float64; 0 is 1.
	soundSpeed atomic.Uint64
	trace      *trace.Recorder // nil: none is written

	// serial is the number of the current stretch of playback; older data is stale.
	serial  atomic.Uint32
	mu      sync.Mutex
	demand  *sync.Cond    // wakes the source goroutine at the end of the media
	seekTo  time.Duration // target of the current serial
	seek    bool          // the source has not yet acted on seekTo
	closing bool
	volume  float64
	muted   bool

	// rawMu keeps a raw source's sound at rest while the video stage seeks it.
	rawMu     sync.Mutex
	rawSerial uint32
	rawShift  time.Duration // of the rounds of a loop played before

	line soundLine // what the audio device plays
	// free is the serial in which the picture has gone on without the sound, because there
	// was none; sound that comes then joins the picture where that is.
	free atomic.Uint32

	paused    atomic.Bool
	step      atomic.Bool
	redraw    atomic.Bool
	audioDone atomic.Uint32 // serial whose sound has been written completely
	stop      atomic.Bool
	quit      chan struct{} // closed with stop, for waits on a channel
	asked     chan struct{} // has something when a pause or a seek was asked for, for the sound
	pipe      *os.File      // that pictures are written to; with mu held
	rounds    [2]round      // of a loop: of the picture, of the sound; with mu held

	running  atomic.Bool
	finished chan struct{} // closed when Run has ended
	stages   sync.WaitGroup
	failure  atomic.Pointer[error]

	closeOnce sync.Once
	closeErr  error

	stats counters
}

// packet is what travels from the source to a decoder.
type packet struct {
	au     media.AccessUnit
	what   packetKind
	serial uint32
	stream *media.Stream // of packetChange
}

type packetKind uint8

const (
	packetUnit   packetKind = iota
	packetEnd               // the media ended: drain the decoder
	packetLoop              // the media starts again: drain the decoder and go on
	packetChange            // other parameters: drain the decoder and open one for stream
)

// picture is what travels from the video stage to the presenting goroutine.
type picture struct {
	frame  *media.Frame // nil: the end of this serial
	serial uint32
	due    media.Instant // of a live source's, given by the pacer
	limit  media.Instant // when a live source's is as old as it may be; 0 when that is not known
	anew   bool          // the pacer let that timeline start anew with it
	ready  media.Instant // when it would have been decoded had there always been room for it
}

// Play resumes, and starts Run on a goroutine of its own if nobody has called it.
// Errors of that goroutine are returned by [Player.Wait].
func (p *Player) Play() {
	p.SetPaused(false)
	if p.begin() == nil {
		go func() { _ = p.run(context.Background()) }() // Wait returns the error
	}
}

// begin reserves the player for its only run, unless it is being closed.
func (p *Player) begin() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closing:
		return fmt.Errorf("player: run: %w", os.ErrClosed)
	case p.running.Swap(true):
		return errors.New("player: Run was called before")
	}
	return nil
}

// Run plays until the end of the media, the limits of the configuration, a user's
// request to quit, or the end of ctx. Where there may be a window, it locks the calling
// goroutine to its thread, opens the window there, and handles its events; else it presents
// on a goroutine of its own.
// Errors: what made playback end early; nil at the end of the media or on quit.
func (p *Player) Run(ctx context.Context) error {
	if err := p.begin(); err != nil {
		return err
	}
	return p.run(ctx)
}

func (p *Player) run(ctx context.Context) (err error) {
	defer close(p.finished)
	defer func() {
		if err != nil {
			p.fail(err)
		}
		p.interrupt()
	}()
	stop := context.AfterFunc(ctx, p.interrupt)
	defer stop()
	if p.ownsThread() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err = p.present()
	} else {
		// The caller may be locked to its thread.
		done := make(chan error)
		go func() { done <- p.present() }()
		err = <-done
	}
	if f := p.failure.Load(); err == nil && f != nil {
		err = *f
	}
	return err
}

// Wait waits for a playback that [Player.Play] started and returns its error.
func (p *Player) Wait() error {
	if p.running.Load() {
		<-p.finished
	}
	if f := p.failure.Load(); f != nil {
		return *f
	}
	return nil
}

// Pause stops the picture and the sound where they are.
func (p *Player) Pause() { p.SetPaused(true) }

// Paused reports whether playback is paused.
func (p *Player) Paused() bool { return p.paused.Load() }

// SetPaused pauses or resumes.
func (p *Player) SetPaused(on bool) {
	p.paused.Store(on)
	p.command()
}

// Step shows the next frame and stays paused.
func (p *Player) Step() {
	p.paused.Store(true)
	p.step.Store(true)
	p.command()
}

// maxTarget is longer than any media, and short enough for sums of it.
const maxTarget = time.Duration(1<<63-1) / 4

// Seek moves to t from the beginning and shows the first frame at or after it. It
// returns at once.
// Errors: the source cannot seek.
func (p *Player) Seek(t time.Duration) error {
	if !p.info.Seekable {
		return fmt.Errorf("player: %s cannot be sought: %w", p.info.Name, media.ErrNotSupported)
	}
	t = min(max(t, 0), maxTarget)
	if p.info.Duration > 0 {
		t = min(t, p.info.Duration)
	}
	p.mu.Lock()
	p.seekTo, p.seek = t, true
	p.serial.Add(1)
	p.stats.position.Store(int64(t)) // until the first picture from there says more
	p.demand.Broadcast()
	p.mu.Unlock()
	p.command()
	return nil
}

// Position returns where playback is, from the beginning of the media.
func (p *Player) Position() time.Duration {
	at := time.Duration(p.stats.position.Load())
	if r := time.Duration(p.stats.round.Load()); r > 0 {
		at %= r
	}
	return at
}

// setPosition says that playback of serial is at a moment, unless a seek has made that old.
func (p *Player) setPosition(serial uint32, at time.Duration) {
	p.mu.Lock()
	if serial == p.serial.Load() {
		p.stats.position.Store(int64(at))
	}
	p.mu.Unlock()
}

// Info describes the media.
func (p *Player) Info() *media.Info { return p.info }

// interrupt makes every stage end soon. It is called more than once.
func (p *Player) interrupt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop.Swap(true) {
		return
	}
	close(p.quit)
	p.hurryPipe()
	p.demand.Broadcast()
	if p.src != nil {
		p.src.Interrupt()
	}
	if p.raw != nil {
		p.raw.Interrupt()
	}
	p.vq.Close()
	p.aq.Close()
	p.fq.Close()
	p.wake()
}

// command makes picture and sound look at what was asked for.
func (p *Player) command() {
	p.wake()
	select {
	case p.asked <- struct{}{}:
	default:
	}
}

// wake makes the presenting goroutine look at its commands.
func (p *Player) wake() {
	p.waiter.Wake()
	p.fq.InterruptPop()
}

// fail ends playback with err; the first one counts.
func (p *Player) fail(err error) {
	if errors.Is(err, os.ErrClosed) && p.stop.Load() {
		return
	}
	p.failure.CompareAndSwap(nil, &err)
}

// Close ends playback and gives everything back. It waits for Run to return, so it is not
// for the callbacks of [Config], which Run makes. Closing twice returns the same, and only
// when all is closed.
// Errors: frames that were never given back.
func (p *Player) Close() error {
	p.closeOnce.Do(func() {
		p.mu.Lock()
		p.closing = true // nothing runs that does not already
		p.mu.Unlock()
		p.interrupt()
		if p.running.Load() {
			<-p.finished
		}
		p.stages.Wait()
		p.closeErr = p.release()
	})
	return p.closeErr
}

// release closes what Open opened, in the order of the data path. The stages are at
// rest.
func (p *Player) release() error {
	for {
		pic, ok := p.fq.TryPop()
		if !ok {
			break
		}
		if pic.frame != nil {
			pic.frame.Release()
		}
	}
	if p.stage != nil {
		for _, pic := range p.stage.spill {
			if pic.frame != nil {
				pic.frame.Release()
			}
		}
		p.stage.spill = nil
	}
	for _, q := range []*ring.Ring[packet]{p.vq, p.aq} {
		for {
			pk, ok := q.TryPop()
			if !ok {
				break
			}
			pk.au.Release()
		}
	}
	var errs []error
	closeOne := func(what string, c interface{ Close() error }) {
		if err := c.Close(); err != nil {
			errs = append(errs, fmt.Errorf("player: close %s: %w", what, err))
		}
	}
	if p.asink != nil {
		closeOne("audio", p.asink)
	}
	if p.adec != nil {
		closeOne("audio decoder", p.adec)
	}
	if p.vdec != nil {
		closeOne("video decoder", p.vdec)
	}
	if p.src != nil {
		closeOne("source", p.src)
	}
	if p.raw != nil {
		closeOne("source", p.raw)
	}
	if p.trace != nil {
		closeOne("trace", p.trace)
		if n := p.trace.Lost(); n > 0 {
			p.log.Warn("the trace is not complete", "lost", n)
		}
	}
	p.stats.inUseAtClose.Store(0)
	if p.pool != nil {
		p.stats.inUseAtClose.Store(int64(p.pool.Stats().InUse))
		closeOne("frame pool", p.pool)
	}
	if err := p.closeGraphics(); err != nil {
		errs = append(errs, fmt.Errorf("player: close the GPU: %w", err))
	}
	return errors.Join(errs...)
}
