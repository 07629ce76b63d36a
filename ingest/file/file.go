package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scanout-av/scanout/internal/libav"
	"github.com/scanout-av/scanout/media"
)

// Config says what to open.
type Config struct {
	// URL is a path or anything that FFmpeg opens. "-" is standard input.
	URL string
	// Options are FFmpeg's options of the demuxer and the protocol, by name
	// ("probesize", "rtsp_transport", "user_agent"). An option that nobody knows is an
	// error.
	Options map[string]string
	// Now stamps access units as they are read; nil leaves them without a stamp. Live
	// sources read the monotonic clock then.
	Now func() media.Instant
	// Network says how to deal with servers.
	Network NetworkConfig
}

// Source is an opened file, or a connection to a server.
// Concurrency: one goroutine, but Info, Stats, Interrupt, Close and the release of access
// units from any.
type Source struct {
	lib  *libav.Lib
	cfg  Config
	name string // of the source, fit to be shown
	net  network
	now  func() media.Instant
	info atomic.Pointer[media.Info]

	// interrupt is what the interrupt callback reads: libavformat holds its address. stop is
	// a field of it.
	interrupt *libav.Interrupt
	endless   bool // it ended a call of this connection because the server sends on and on
	stop      *atomic.Int32
	quit      chan struct{} // closed by Interrupt
	once      sync.Once
	watch     *watchdog

	mu       sync.Mutex // held by Read, Seek, Select and Close
	calls    *libav.Calls
	ctx      libav.FormatContext
	pipe     *os.File
	selected []bool
	bases    []media.Timebase
	places   []int          // the streams of this connection by those of Info; −1: none
	queue    []libav.Packet // read ahead by Seek, and when a live source is opened
	head     int            // of queue
	props    libav.PacketProps
	ahead    bool  // the last packet came from queue
	live     *live // nil: the timestamps are the source's own
	recorded bool  // a server sends as fast as it can
	broken   error // what ended reading ahead

	// Of reconnect.
	wait      time.Duration // before the next try
	connected time.Time     // since when there has been a connection

	packets packetStore
	counts  counts
}

// Open opens cfg.URL and finds out what streams it has. Cancelling ctx ends Open, not
// the source.
// Ownership: the caller closes the source.
// Errors: one line that says what is wrong and what to do; media.ErrNotSupported when
// FFmpeg is missing or does not know the format.
func Open(ctx context.Context, cfg Config) (*Source, error) {
	name := Redact(cfg.URL)
	lib, err := libav.Open()
	if err != nil {
		return nil, fmt.Errorf("file: open %s: %w", name, err)
	}
	s := &Source{lib: lib, cfg: cfg, name: name, net: classify(cfg.URL), now: cfg.Now,
		interrupt: new(libav.Interrupt), quit: make(chan struct{}), calls: lib.NewCalls()}
	s.stop = &s.interrupt.Stop
	s.watch = newWatchdog(s.stop)
	if n := cfg.Network.maxGrowth; n > 0 {
		s.watch.growth = n
	}
	s.packets.calls = lib.NewCalls()
	cancelled := context.AfterFunc(ctx, s.Interrupt)
	err = s.open()
	if !cancelled() && err == nil {
		err = context.Cause(ctx)
	} else if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("file: open %s: %w", name, err)
	}
	return s, nil
}

// open opens what the configuration names for the first time.
func (s *Source) open() error {
	if err := s.cfg.Network.validate(); err != nil {
		return err
	}
	url, local, err := s.locate(s.cfg.URL)
	if err != nil {
		return err
	}
	if local {
		s.net = network{}
	}
	if s.cfg.URL, err = withUser(url, s.cfg.Network.User, s.cfg.Network.Password); err != nil {
		return err
	}
	if err := portless(s.cfg.URL); err != nil {
		return err
	}
	defer s.notice()()
	if err := s.connect(local); err != nil {
		return err
	}
	in, err := s.describe(local)
	if err != nil {
		return err
	}
	s.selected = make([]bool, len(in.Streams))
	for i := range s.selected {
		s.selected[i] = true
		s.places = append(s.places, i)
	}
	if in.LocalTime {
		s.live = newLive(s, in)
		// Over HTTP it shows in what comes whether it is live.
		if !s.net.live && !s.live.begin() {
			s.live, s.recorded = nil, true
			if in, err = s.describe(local); err != nil {
				return err
			}
		}
	}
	s.info.Store(in)
	return nil
}

// connect opens the URL and finds its streams.
func (s *Source) connect(local bool) error {
	options := libav.NewDictionary()
	defer s.lib.FreeDictionary(options)
	for _, set := range []map[string]string{s.cfg.Network.options(s.net), s.literally(local), s.cfg.Options} {
		for k, v := range set {
			if err := s.lib.Set(options, k, v); err != nil {
				return fmt.Errorf("option %s: %w", k, err)
			}
		}
	}
	ctx := s.calls.NewFormatContext(s.interrupt)
	if ctx == 0 {
		return libav.ErrNoMemory
	}
	limit := s.cfg.Network.timeout(s.net)
	s.watch.beginFrom(limit, anonymousMemory())
	err := s.calls.OpenInput(ctx, s.interrupt, s.cfg.URL, options)
	late := s.watch.end()
	s.endless = s.interrupt.Endless()
	if err == nil {
		s.ctx = ctx
	}
	switch {
	case late != nil:
		err = late
	case err != nil && s.endless:
		err = errTalk
	case err != nil && s.interrupt.Circle():
		err = errCircle
	}
	if err != nil {
		return s.explain(err, local)
	}
	for _, k := range s.lib.Keys(options) {
		if _, theirs := s.cfg.Options[k]; theirs {
			return fmt.Errorf("option %s is not one of this format or protocol: %w", k, libav.ErrOptionNotFound)
		}
	}
	err = s.findStreams(limit)
	if s.interrupt.Circle() && !s.described() {
		err = errCircle // whatever it led to
	}
	if err != nil {
		return s.explain(err, local)
	}
	return nil
}

// disconnect closes what connect opened. A server is told goodbye, for which it has a
// moment.
func (s *Source) disconnect() {
	if s.ctx == 0 {
		return
	}
	s.drop()
	stopped := s.stop.Swap(stopNot)
	if s.net.remote {
		s.watch.begin(goodbye)
	} else {
		s.stop.Store(stopped)
	}
	s.calls.CloseInput(s.ctx)
	_ = s.watch.end() // a server that does not answer is left alone
	s.stop.CompareAndSwap(stopNot, stopped)
	s.ctx = 0
}

// goodbye is how long a server may take to let go.
const goodbye = 300 * time.Millisecond

// Info describes the source as it is now; what it points to does not change.
func (s *Source) Info() *media.Info { return s.info.Load() }

// Select says which streams Read returns; at first, all of them.
func (s *Source) Select(streams ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == 0 {
		return
	}
	clear(s.selected)
	for _, i := range streams {
		if i >= 0 && i < len(s.selected) {
			s.selected[i] = true
		}
	}
	s.discard()
}

// discard tells the demuxer which streams are wanted.
func (s *Source) discard() {
	for j, i := range s.places {
		s.lib.SetDiscard(s.ctx, j, i < 0 || !s.selected[i])
	}
}

// Read fills au with the next access unit of a selected stream; it blocks until there is
// one. Damaged parts of a file are skipped as FFmpeg's demuxer skips them.
// Ownership: au is the caller's, who releases it.
// Errors: io.EOF at the end; os.ErrClosed after Interrupt or Close.
func (s *Source) Read(au *media.AccessUnit) error {
	s.mu.Lock()
	err := s.read(au)
	s.mu.Unlock()
	return err
}

func (s *Source) read(au *media.AccessUnit) error {
	for {
		if s.stop.Load() == stopUser || s.ctx == 0 {
			return os.ErrClosed
		}
		if s.live != nil && !s.live.begun {
			s.live.begin()
		}
		p, err := s.next()
		if err != nil {
			if s.live == nil && !s.segmented() || !s.net.ended(err) {
				return s.readError(err)
			}
			if err := s.reconnect(err); err != nil {
				return err
			}
			continue
		}
		if s.fill(au, p) {
			return nil
		}
	}
}

// fill describes p in au; false when it is not wanted.
func (s *Source) fill(au *media.AccessUnit, p libav.Packet) bool {
	s.lib.PacketProps(p, &s.props)
	v := &s.props
	i := int(v.Stream)
	if i >= 0 && i < len(s.places) {
		i = s.places[i]
	} else {
		i = -1 // a stream that began after opening
	}
	if i < 0 || !s.selected[i] {
		s.packets.put(p)
		return false
	}
	*au = media.AccessUnit{
		Data:          libav.Bytes(v.Data, v.Size),
		Stream:        i,
		PTS:           media.Timestamp(v.PTS),
		DTS:           media.Timestamp(v.DTS),
		Duration:      media.NoTimestamp,
		Timebase:      s.bases[v.Stream],
		Key:           v.Flags&libav.PacketKey != 0,
		Discontinuity: v.Flags&libav.PacketCorrupt != 0,
		Native:        uintptr(p),
		Owner:         &s.packets,
	}
	if v.Duration > 0 {
		au.Duration = media.Timestamp(v.Duration)
	}
	s.packets.bytes.Add(int64(v.Size))
	if s.now != nil {
		au.Received = s.now()
		au.Assembled = au.Received
	}
	if s.live != nil && !s.live.admit(au) {
		au.Release()
		return false
	}
	return true
}

// readError says what ended a read. After Interrupt that is the interruption, whatever came
// of the read before.
func (s *Source) readError(err error) error {
	if err == io.EOF {
		return err
	}
	if why := explainBreak(err, s.silence()); why != nil && s.net.remote && s.stop.Load() != stopUser {
		err = why
	} else if err = s.explain(err, false); err == os.ErrClosed {
		return err
	}
	return fmt.Errorf("file: read %s: %w", s.name, err)
}

// next returns the next packet of the queue or of the file.
// Errors: io.EOF, os.ErrClosed, errLate, errFlood, or FFmpeg's.
func (s *Source) next() (libav.Packet, error) {
	if s.ahead = s.head < len(s.queue); !s.ahead {
		if err := s.broken; err != nil {
			s.broken = nil
			return 0, err
		}
		return s.fetch()
	}
	p := s.queue[s.head]
	if s.head++; s.head == len(s.queue) {
		s.queue, s.head = s.queue[:0], 0
	}
	return p, nil
}

// fetch reads the next packet of the file.
func (s *Source) fetch() (libav.Packet, error) {
	p := s.packets.get()
	if p == 0 {
		return 0, libav.ErrNoMemory
	}
	for again := 0; ; again++ {
		s.watch.begin(s.silence())
		if s.net.counted {
			s.interrupt.Bound()
		}
		err := s.calls.ReadPacket(s.ctx, p)
		s.endless = s.interrupt.Unbound() || s.endless // also where a last packet came
		late := s.watch.end()
		if err == nil {
			return p, nil
		}
		// A demuxer may ask for another try; one that never gets on has ended.
		// An interrupted one asks for that, too, or says so in the next call.
		if late == nil && errors.Is(err, libav.ErrExit) {
			if late = errLate; s.endless {
				late = errFlood
			}
		}
		if err == media.ErrAgain && late == nil && again < 1000 && s.stop.Load() == stopNot {
			continue
		}
		s.packets.put(p)
		switch {
		case s.stop.Load() == stopUser:
			return 0, os.ErrClosed
		case late != nil:
			return 0, late
		case err == io.EOF || err == media.ErrAgain:
			return 0, io.EOF
		}
		return 0, err
	}
}

// silence is how long a server may send nothing.
func (s *Source) silence() time.Duration {
	if s.live != nil && s.net.remote {
		if d := s.cfg.Network.Timeout; d > 0 {
			return d
		}
		return liveTimeout
	}
	return s.cfg.Network.timeout(s.net)
}

// Interrupt makes a blocked or later Read or Seek return os.ErrClosed soon.
// Concurrency: any goroutine.
func (s *Source) Interrupt() {
	s.stop.Store(stopUser)
	s.once.Do(func() { close(s.quit) })
}

// Close interrupts and closes the source. Access units that are still out stay valid;
// Stream.Native of Info does not.
func (s *Source) Close() error {
	s.Interrupt()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disconnect()
	s.watch.close()
	if s.pipe != nil {
		s.pipe.Close()
		s.pipe = nil
	}
	s.packets.close()
	return nil
}

// packetsAhead is how many packets may wait for two decoders before the list of free ones
// grows.
const packetsAhead = 1100

// packetStore recycles packets.
// Concurrency: any goroutine.
type packetStore struct {
	mu     sync.Mutex
	calls  *libav.Calls
	free   []libav.Packet
	out    int
	closed bool
	bytes  atomic.Int64 // in packets that are out
}

// get returns an empty packet.
func (s *packetStore) get() libav.Packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	var p libav.Packet
	if n := len(s.free); n > 0 {
		p = s.free[n-1]
		s.free = s.free[:n-1]
	} else {
		p = s.calls.NewPacket()
	}
	if p != 0 {
		s.out++
	}
	return p
}

func (s *packetStore) put(p libav.Packet) { s.ReclaimAccessUnit(uintptr(p)) }

// NativeIsPacket tells FFmpeg's decoders that they can take the packet as it is.
func (s *packetStore) NativeIsPacket() {}

// ReclaimAccessUnit takes a packet back.
func (s *packetStore) ReclaimAccessUnit(native uintptr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out--
	s.bytes.Add(-int64(s.calls.PacketSize(libav.Packet(native))))
	if s.closed {
		s.calls.FreePacket(libav.Packet(native))
		return
	}
	s.calls.UnrefPacket(libav.Packet(native))
	if s.free == nil {
		s.free = make([]libav.Packet, 0, packetsAhead) // growing later would allocate while playing
	}
	s.free = append(s.free, libav.Packet(native))
}

func (s *packetStore) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, p := range s.free {
		s.calls.FreePacket(p)
	}
	s.free = nil
}
