package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

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
	// Now stamps access units as they are read; nil leaves them without a stamp.
	Now func() media.Instant
}

// Source is an opened file.
// Concurrency: one goroutine, but Interrupt, Close and the release of access units from
// any.
type Source struct {
	lib  *libav.Lib
	now  func() media.Instant
	info media.Info

	// stop is what the interrupt callback reads: libavformat holds its address.
	stop *atomic.Int32

	mu       sync.Mutex // held by Read, Seek, Select and Close
	calls    *libav.Calls
	ctx      libav.FormatContext
	pipe     *os.File
	selected []bool
	bases    []media.Timebase
	queue    []libav.Packet // read ahead by Seek
	head     int            // of queue
	props    libav.PacketProps

	packets packetStore
}

// Open opens cfg.URL and finds out what streams it has. Cancelling ctx ends Open, not
// the source.
// Ownership: the caller closes the source.
// Errors: one line that says what is wrong and what to do; media.ErrNotSupported when
// FFmpeg is missing or does not know the format.
func Open(ctx context.Context, cfg Config) (*Source, error) {
	lib, err := libav.Open()
	if err != nil {
		return nil, fmt.Errorf("file: open %s: %w", cfg.URL, err)
	}
	s := &Source{lib: lib, now: cfg.Now, stop: new(atomic.Int32), calls: lib.NewCalls()}
	s.packets.calls = lib.NewCalls()
	cancelled := context.AfterFunc(ctx, s.Interrupt)
	err = s.open(cfg)
	if !cancelled() && err == nil {
		err = context.Cause(ctx)
	} else if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("file: open %s: %w", cfg.URL, err)
	}
	return s, nil
}

func (s *Source) open(cfg Config) error {
	url, local, err := s.locate(cfg.URL)
	if err != nil {
		return err
	}
	options := libav.NewDictionary()
	defer s.lib.FreeDictionary(options)
	for k, v := range cfg.Options {
		if err := s.lib.Set(options, k, v); err != nil {
			return fmt.Errorf("option %s: %w", k, err)
		}
	}
	ctx := s.calls.NewFormatContext(s.stop)
	if ctx == 0 {
		return libav.ErrNoMemory
	}
	if err := s.calls.OpenInput(ctx, url, options); err != nil {
		return explain(err, local)
	}
	s.ctx = ctx
	if left := s.lib.Keys(options); len(left) > 0 {
		return fmt.Errorf("option %s is not one of this format or protocol: %w", left[0], libav.ErrOptionNotFound)
	}
	if err := s.calls.FindStreamInfo(ctx); err != nil {
		return explain(err, local)
	}
	return s.describe(cfg.URL, local)
}

// Info describes the source; it does not change.
func (s *Source) Info() *media.Info { return &s.info }

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
	for i := range s.selected {
		s.lib.SetDiscard(s.ctx, i, !s.selected[i])
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
		if s.stop.Load() != 0 || s.ctx == 0 {
			return os.ErrClosed
		}
		p, err := s.next()
		if err != nil {
			return err
		}
		s.lib.PacketProps(p, &s.props)
		v := &s.props
		i := int(v.Stream)
		if i < 0 || i >= len(s.selected) || !s.selected[i] {
			s.packets.put(p)
			continue
		}
		*au = media.AccessUnit{
			Data:          libav.Bytes(v.Data, v.Size),
			Stream:        i,
			PTS:           media.Timestamp(v.PTS),
			DTS:           media.Timestamp(v.DTS),
			Duration:      media.NoTimestamp,
			Timebase:      s.bases[i],
			Key:           v.Flags&libav.PacketKey != 0,
			Discontinuity: v.Flags&libav.PacketCorrupt != 0,
			Native:        uintptr(p),
			Owner:         &s.packets,
		}
		if v.Duration > 0 {
			au.Duration = media.Timestamp(v.Duration)
		}
		if s.now != nil {
			au.Received = s.now()
			au.Assembled = au.Received
		}
		return nil
	}
}

// next returns the next packet of the queue or of the file.
func (s *Source) next() (libav.Packet, error) {
	if s.head < len(s.queue) {
		s.head++
		return s.queue[s.head-1], nil
	}
	p := s.packets.get()
	if p == 0 {
		return 0, fmt.Errorf("file: read %s: %w", s.info.Name, libav.ErrNoMemory)
	}
	for again := 0; ; again++ {
		err := s.calls.ReadPacket(s.ctx, p)
		if err == nil {
			return p, nil
		}
		// A demuxer may ask for another try; one that never gets on has ended.
		if err == media.ErrAgain && again < 1000 && s.stop.Load() == 0 {
			continue
		}
		s.packets.put(p)
		switch {
		case s.stop.Load() != 0:
			return 0, os.ErrClosed
		case err == io.EOF || err == media.ErrAgain:
			return 0, io.EOF
		case errors.Is(err, libav.ErrExit):
			return 0, os.ErrClosed
		}
		return 0, fmt.Errorf("file: read %s: %w", s.info.Name, err)
	}
}

// Interrupt makes a blocked or later Read or Seek return os.ErrClosed soon.
// Concurrency: any goroutine.
func (s *Source) Interrupt() { s.stop.Store(1) }

// Close interrupts and closes the source. Access units that are still out stay valid;
// Stream.Native of Info does not.
func (s *Source) Close() error {
	s.Interrupt()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx != 0 {
		s.drop()
		s.calls.CloseInput(s.ctx)
		s.ctx = 0
	}
	if s.pipe != nil {
		s.pipe.Close()
		s.pipe = nil
	}
	for i := range s.info.Streams {
		s.info.Streams[i].Native = 0
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
