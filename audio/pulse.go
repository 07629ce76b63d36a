package audio

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jfreymuth/pulse/proto"

	"github.com/scanout-av/scanout/media"
)

// pulse plays through a PulseAudio server.
//
// Three goroutines meet here: the Sink's caller, the feeder (feed) and the protocol's
// reader (event). Samples go through ring; everything else is in fields guarded by mu,
// which is never held while the socket is written.
type pulse struct {
	cfg       *Config
	label     string
	wire      wire
	client    *proto.Client
	stream    uint32
	sinkInput uint32

	ring *ring
	// credit is how many bytes the server has asked for and not been sent.
	credit atomic.Int64

	wake       chan struct{}
	quit       chan struct{}
	feederDone chan struct{}
	readerDone chan struct{}

	mu sync.Mutex
	// What the Sink wants; epoch counts the changes that make earlier measurements void.
	want  control
	epoch uint64
	// done is the state that the feeder has brought about, and its epoch.
	done      control
	doneEpoch uint64

	line anchor
	sent int64 // bytes since the last flush
	read int64 // bytes that had left the server's queue, by the last answer
	// still is for how long answers have said that nothing was taken, since something was sent,
	// taken or changed; answered is when the last one came.
	still    time.Duration
	answered media.Instant
	running  bool  // the last answer said so
	started  bool  // sound has come out since the last flush
	dry      bool  // the device is dry: an underrun, if more is sent
	gap      bool  // there was silence: the line breaks with the next samples
	drain    bool  // the rest of the stream is too short for the server to play it unasked
	drained  int64 // what had been sent when that was last said
	astray   int64 // what the server says is queued, and is not
	poll     poll
	count    int64 // underruns
	err      error // why the server is gone
}

// control is what can be asked of a playing stream.
type control struct {
	paused  bool
	muted   bool
	volume  float64
	flushes uint64
	flushAt uint64 // the ring's position at the last flush
}

// poll is a question about the delay that is under way.
type poll struct {
	tag     uint32
	pending bool
	epoch   uint64
	at      media.Instant
	wall    int64 // µs
	sent    int64 // bytes sent before it
}

const (
	// pollFast is how often the delay is asked for until the line stands on several answers,
	// pollSlow from then on, and pollPaused during a pause, for a server that is gone.
	pollFast   = 20 * time.Millisecond
	pollSlow   = 100 * time.Millisecond
	pollPaused = time.Second
	// stall is how long a server may take to answer before it counts as gone.
	stall = 3 * time.Second
	// stuckAfter is how long, beside its latency, a server may take nothing of its queue: the
	// end of a stream before it is asked to drain, and after that, and what it says to be
	// playing. PipeWire 0.3 loses count of what it has taken when it stands still: what it
	// says is queued then has been played.
	stuckAfter = 500 * time.Millisecond
	// chunk is the most samples that are sent at once.
	chunk = 8192
)

// channelMaps are FFmpeg's default layouts.
var channelMaps = [maxChannels + 1]proto.ChannelMap{
	1: {proto.ChannelMono},
	2: {proto.ChannelFrontLeft, proto.ChannelFrontRight},
	3: {proto.ChannelFrontLeft, proto.ChannelFrontRight, proto.ChannelLFE},
	4: {proto.ChannelFrontLeft, proto.ChannelFrontRight, proto.ChannelFrontCenter, proto.ChannelRearCenter},
	5: {proto.ChannelFrontLeft, proto.ChannelFrontRight, proto.ChannelFrontCenter, proto.ChannelRearLeft, proto.ChannelRearRight},
	6: {proto.ChannelFrontLeft, proto.ChannelFrontRight, proto.ChannelFrontCenter, proto.ChannelLFE, proto.ChannelRearLeft, proto.ChannelRearRight},
	7: {proto.ChannelFrontLeft, proto.ChannelFrontRight, proto.ChannelFrontCenter, proto.ChannelLFE, proto.ChannelRearCenter, proto.ChannelLeftSide, proto.ChannelRightSide},
	8: {proto.ChannelFrontLeft, proto.ChannelFrontRight, proto.ChannelFrontCenter, proto.ChannelLFE, proto.ChannelRearLeft, proto.ChannelRearRight, proto.ChannelLeftSide, proto.ChannelRightSide},
}

func openPulse(cfg *Config) (*pulse, error) {
	conn, addr, err := dialPulse(cfg.Server)
	if err != nil {
		return nil, err
	}
	p := newPulse(cfg, conn)
	if err := p.setUp(addr); err != nil {
		conn.Close()
		<-p.readerDone
		return nil, fmt.Errorf("audio: %s: %w", addr, err)
	}
	go p.feed()
	return p, nil
}

func newPulse(cfg *Config, conn net.Conn) *pulse {
	frames := count(cfg.bufferLength(), cfg.Rate)
	p := &pulse{
		cfg: cfg, client: new(proto.Client),
		ring: newRing(int(frames) * cfg.Channels),
		wake: make(chan struct{}, 1), quit: make(chan struct{}),
		feederDone: make(chan struct{}), readerDone: make(chan struct{}),
		want: control{volume: 1}, done: control{volume: 1},
		stream: proto.Undefined,
	}
	p.wire = wire{conn: conn, event: p.event, in: make([]byte, 4096), out: make([]byte, headerSize, headerSize+chunk*4)}
	p.client.SetTimeout(stall)
	p.client.Callback = func(m any) {
		if _, ok := m.(*proto.ConnectionClosed); ok { // the last thing that the reader does
			p.gone(errors.New("the connection ended"))
			close(p.readerDone)
		}
	}
	p.client.Open(&p.wire)
	return p
}

// setUp authenticates and creates the stream.
func (p *pulse) setUp(addr address) error {
	c := p.client
	var auth proto.AuthReply
	if err := c.Request(&proto.Auth{Version: c.Version(), Cookie: cookie(os.Getenv)}, &auth); err != nil {
		return fmt.Errorf("log in (is the cookie the server's? see PULSE_COOKIE): %w: %w", media.ErrNotSupported, err)
	}
	c.SetVersion(auth.Version)
	text := proto.PropListString
	err := c.Request(&proto.SetClientName{Props: proto.PropList{
		"application.name":       text("scanout"),
		"application.process.id": text(strconv.Itoa(os.Getpid())),
		"media.role":             text("video"),
	}}, &proto.SetClientNameReply{})
	if err != nil {
		return fmt.Errorf("introduce the program: %w", err)
	}
	var info proto.GetServerInfoReply
	if err := c.Request(&proto.GetServerInfo{}, &info); err != nil {
		return fmt.Errorf("ask for the server's version: %w", err)
	}
	volumes := make(proto.ChannelVolumes, p.cfg.Channels)
	for i := range volumes {
		volumes[i] = uint32(proto.VolumeNorm)
	}
	target := uint32(count(p.cfg.Latency, p.cfg.Rate)) * uint32(p.frameSize())
	part := target / 4 / uint32(p.frameSize()) * uint32(p.frameSize())
	var reply proto.CreatePlaybackStreamReply
	err = c.Request(&proto.CreatePlaybackStream{
		SampleSpec: proto.SampleSpec{Format: proto.FormatFloat32LE, Channels: byte(p.cfg.Channels), Rate: uint32(p.cfg.Rate)},
		ChannelMap: channelMaps[p.cfg.Channels],
		SinkIndex:  proto.Undefined,

		BufferMaxLength:       proto.Undefined,
		BufferTargetLength:    target,
		BufferPrebufferLength: 2 * part,
		BufferMinimumRequest:  part,
		AdjustLatency:         true,

		ChannelVolumes: volumes,
		Properties: proto.PropList{
			"media.name": text(p.cfg.Title),
			"media.role": text("video"),
		},
	}, &reply)
	if err != nil {
		return fmt.Errorf("create a stream: %w: %w", media.ErrNotSupported, err)
	}
	p.mu.Lock()
	p.stream, p.sinkInput = reply.StreamIndex, reply.SinkInputIndex
	p.mu.Unlock()
	p.credit.Add(int64(reply.Missing))
	p.label = fmt.Sprintf("pulse %s, %s %s, sink %s", addr, info.PackageName, info.PackageVersion, reply.SinkName)
	return nil
}

func (p *pulse) frameSize() int64 { return int64(p.cfg.Channels) * 4 }

// span converts bytes of the stream to time.
func (p *pulse) span(bytes int64) time.Duration { return span(bytes/p.frameSize(), p.cfg.Rate) }

func (p *pulse) name() string { return p.label }

func (p *pulse) write(x []float32) (int, error) {
	n := p.ring.push(x)
	// The server's next request wakes the feeder otherwise: it looks at the ring after it
	// has added to credit, as this looks at credit after it has added to the ring.
	if p.credit.Load() >= p.frameSize() {
		p.signal()
	}
	return n, nil
}

func (p *pulse) room() int { return p.ring.free() }

// signal wakes the feeder.
func (p *pulse) signal() {
	select {
	case p.wake <- struct{}{}:
	default: // it has been woken already
	}
}

func (p *pulse) heard(now media.Instant) (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.doneEpoch != p.epoch {
		return 0, false
	}
	d, ok := p.line.at(now)
	if !ok || d < 0 {
		return 0, false
	}
	// Silence is not heard as sound: the line ends with what the device has been given.
	end := p.sent
	if !p.running {
		end = p.read
	}
	return min(d, p.span(end)), true
}

func (p *pulse) pause(paused bool) {
	p.mu.Lock()
	p.want.paused = paused
	p.epoch++
	p.mu.Unlock()
	p.signal()
}

func (p *pulse) gain(v float64, muted bool) {
	p.mu.Lock()
	p.want.volume, p.want.muted = v, muted
	p.mu.Unlock()
	p.signal()
}

func (p *pulse) flush() {
	p.mu.Lock()
	p.want.flushes++
	p.want.flushAt = p.ring.head.Load()
	p.epoch++
	p.mu.Unlock()
	p.signal()
}

func (p *pulse) underruns() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

func (p *pulse) lost() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// gone records why there is no server any more; the first reason stays.
func (p *pulse) gone(err error) {
	p.mu.Lock()
	if p.err == nil {
		p.err = err
	}
	p.mu.Unlock()
	p.signal()
}

func (p *pulse) close() error {
	close(p.quit)
	p.wire.conn.Close()
	<-p.feederDone
	<-p.readerDone
	return nil
}
