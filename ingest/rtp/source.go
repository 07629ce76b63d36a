package rtp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scanout-av/scanout/internal/udp"
	"github.com/scanout-av/scanout/media"
)

// Source receives the streams of a description. It is a player's source.
// Concurrency: Read on one goroutine; everything else from any.
type Source struct {
	cfg     Config
	epoch   media.Instant
	info    media.Info
	tracks  []*track
	units   *unitStore
	queue   *queue
	lip     lip
	stale   time.Duration
	news    chan struct{} // something may have become known
	opened  atomic.Bool
	running sync.WaitGroup
	left    atomic.Int32 // tracks that still receive
	closed  sync.Once
}

// Open listens, and waits until it is known what the streams are: the size of pictures,
// mostly. Cancelling ctx ends Open, not the source.
// Ownership: the caller closes the source.
// Errors: one line that says what is wrong and what to do.
func Open(ctx context.Context, cfg Config) (*Source, error) {
	s, err := open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("rtp: open %s: %w", cfg.Name, err)
	}
	return s, nil
}

func open(ctx context.Context, cfg Config) (*Source, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	s := newSource(cfg)
	err := s.listen()
	if err == nil {
		for _, t := range s.tracks {
			s.running.Add(1)
			go t.run()
		}
		err = s.await(ctx)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// newSource returns a source that does not listen yet.
func newSource(cfg Config) *Source {
	s := &Source{cfg: cfg, epoch: cfg.Now(), queue: newQueue(), units: newUnitStore(cfg.MaxMemory),
		news: make(chan struct{}, 1), stale: max(2*cfg.MaxLatency, 500*time.Millisecond)}
	if cfg.Complete {
		s.stale = 24 * time.Hour
	}
	for i := range cfg.Description.Media {
		s.tracks = append(s.tracks, newTrack(s, i, &cfg.Description.Media[i]))
	}
	s.left.Store(int32(len(s.tracks)))
	return s
}

func (s *Source) multicast(m *Media) bool {
	a, err := netip.ParseAddr(m.Address)
	return err == nil && a.IsMulticast()
}

// listen opens the sockets.
func (s *Source) listen() error {
	for _, t := range s.tracks {
		m := t.media
		host := m.Address
		if a, err := netip.ParseAddr(host); err == nil && !a.IsMulticast() && !own(a) {
			host = "" // as the sender sees this machine
		}
		address := func(port int) string {
			a := net.JoinHostPort(host, fmt.Sprint(port))
			if m.From.IsValid() && s.multicast(m) {
				from := m.From.String()
				if m.From.Is6() {
					from = "[" + from + "]"
				}
				a = from + "@" + a
			}
			return a
		}
		var err error
		if t.conn, err = udp.Listen(udp.Config{Address: address(m.Port), Interface: s.cfg.Interface, Receive: s.cfg.Receive}); err != nil {
			return err
		}
		for _, w := range t.conn.Warnings() {
			s.cfg.Log.Warn(w)
		}
		if m.RTCPPort == m.Port || m.RTCPPort == 0 {
			continue
		}
		// Polled now and then: for that recvmmsg is better than the rest, where there is one.
		cfg := udp.Config{Address: address(m.RTCPPort), Interface: s.cfg.Interface, Receive: udp.PathMMsg, NoGRO: true,
			Packets: 64, ReceiveBuffer: 64 << 10}
		if t.rtcp, err = udp.Listen(cfg); err != nil {
			cfg.Receive = udp.PathNet
			t.rtcp, err = udp.Listen(cfg)
		}
		if err != nil {
			// A neighbour that listens there is no reason not to play.
			s.cfg.Log.Warn(fmt.Sprintf("%s: no lip-sync and no reports to the sender, for there is no RTCP: %v", t.name(), err))
			t.rtcp = nil
		}
	}
	return nil
}

// own reports whether a is an address of this machine.
func own(a netip.Addr) bool {
	if a.IsLoopback() || a.IsUnspecified() {
		return true
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, i := range all {
		if p, err := netip.ParsePrefix(i.String()); err == nil && p.Addr().Unmap() == a.Unmap() {
			return true
		}
	}
	return false
}

// progress tells await that something may have become known.
func (s *Source) progress() {
	if s.opened.Load() {
		return
	}
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// await waits until all streams are known.
func (s *Source) await(ctx context.Context) error {
	timer := time.NewTimer(s.cfg.OpenTimeout)
	defer timer.Stop()
	look := time.NewTicker(firstNotice)
	defer look.Stop()
	expired := false
	for {
		known := 0
		for _, t := range s.tracks {
			if t.known() {
				known++
			}
		}
		if known == len(s.tracks) || expired && known > 0 {
			s.opened.Store(true)
			return s.describe()
		}
		if expired || s.left.Load() == 0 {
			return s.nothing()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
			expired = true
		case <-look.C:
			s.notice()
		case <-s.news:
		}
	}
}

// known reports whether enough is known of the stream to decode it.
func (t *track) known() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.format == nil {
		return false
	}
	if !t.pictures {
		return true
	}
	// A few timestamps tell the frame rate.
	return t.sized && (t.media.FrameRate.Valid() || t.nstamps == len(t.stamps)) && t.c.Units > 0
}

// describe fills in what the streams are.
func (s *Source) describe() error {
	s.info = media.Info{Name: s.cfg.Name, Format: "rtp", Live: true, LocalTime: true}
	for _, m := range s.cfg.Description.Skipped {
		s.cfg.Log.Warn("left out: " + m)
	}
	for _, t := range s.tracks {
		if !t.known() {
			t.mu.Lock()
			why := s.missing(t)
			t.mu.Unlock()
			s.cfg.Log.Warn(t.name() + " is left out (--timeout waits longer): " + why)
			continue
		}
		t.mu.Lock()
		f := t.format
		st := media.Stream{
			Index: t.index, Kind: t.media.Kind, Codec: f.Codec, Timebase: media.Nanoseconds,
			Duration: media.NoTimestamp, Default: true, ExtraData: f.extra,
		}
		if t.pictures {
			st.Width, st.Height = t.picture.Width, t.picture.Height
			st.FrameRate = t.frameRate()
			st.Color = media.ColorUnspecified // each picture says
			st.FormatName = pixelFormat(t.picture.Chroma, t.picture.BitDepth)
			if pf, err := media.ParsePixelFormat(st.FormatName); err == nil {
				st.Format = pf
			}
		} else {
			st.SampleRate, st.Channels = f.SampleRate, f.Channels
		}
		t.mu.Unlock()
		s.info.Streams = append(s.info.Streams, st)
	}
	if len(s.info.Streams) == 0 {
		return s.nothing()
	}
	return nil
}

// pixelFormat is FFmpeg's name for what a sequence parameter set says.
func pixelFormat(chroma, depth int) string {
	name := [...]string{"gray", "yuv420p", "yuv422p", "yuv444p"}[min(max(chroma, 0), 3)]
	if depth > 8 {
		name += fmt.Sprintf("%dle", depth)
	}
	return name
}

// frameRate is what the description says, or what the distances of the first timestamps
// come to; not known when they are uneven.
func (t *track) frameRate() media.Rational {
	if t.media.FrameRate.Valid() {
		return t.media.FrameRate
	}
	// The least distance of two pictures, in whatever order they came.
	var least int64
	for i := range t.nstamps {
		for j := range i {
			d := t.stamps[i] - t.stamps[j]
			if d < 0 {
				d = -d
			}
			if d > 0 && (least == 0 || d < least) {
				least = d
			}
		}
	}
	if least == 0 {
		return media.Rational{}
	}
	lo, hi := t.stamps[0], t.stamps[0]
	for _, ts := range t.stamps[:t.nstamps] {
		lo, hi = min(lo, ts), max(hi, ts)
	}
	// Over several frames rounded timestamps come closer to the truth.
	n := (hi - lo + least/2) / least
	return snapRate(float64(t.format.Clock) * float64(n) / float64(hi-lo))
}

// snapRate returns the usual rate that f is close to, or f; not known when it is none.
func snapRate(f float64) media.Rational {
	if f < 0.1 || f > 1000 {
		return media.Rational{}
	}
	usual := [...]int32{10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 72, 75, 90, 100, 120, 144, 240}
	for _, n := range usual {
		if ntsc := float64(n) * 1000 / 1001; (n%24 == 0 || n%30 == 0) && f > ntsc*0.9998 && f < ntsc*1.0002 {
			return media.Rational{Num: n * 1000, Den: 1001}
		}
	}
	for _, n := range usual {
		if r := f / float64(n); r > 0.985 && r < 1.015 { // timestamps may be in whole milliseconds
			return media.Rational{Num: n, Den: 1}
		}
	}
	return media.Rational{Num: int32(f*1000 + 0.5), Den: 1000}.Reduce()
}

// Info describes the source.
func (s *Source) Info() *media.Info { return &s.info }

// Select says which streams Read returns; at first, all of them.
func (s *Source) Select(streams ...int) {
	for _, t := range s.tracks {
		on := false
		for _, i := range streams {
			on = on || i == t.index
		}
		t.selected.Store(on)
	}
}

// Read fills au with the next access unit; it blocks until there is one.
// Ownership: au is the caller's, who releases it.
// Errors: io.EOF when every sender has said goodbye or fallen silent; os.ErrClosed after
// Interrupt or Close.
func (s *Source) Read(au *media.AccessUnit) error {
	for {
		if err := s.queue.pop(au); err != nil {
			return err
		}
		if t := s.tracks[au.Stream]; t.selected.Load() {
			return nil
		}
		au.Release()
	}
}

// Deliver hands units to f as soon as they are whole, on the goroutine that receives,
// instead of to Read, which then only says how the source ends: nobody has to be woken for
// a unit but who decodes it. f must not block; it is not called after Interrupt.
// Ownership: f takes the unit when it returns true; else the unit is skipped, and for
// pictures what follows up to the next key frame.
// Concurrency: before the first Read; f is called on one goroutine at a time.
func (s *Source) Deliver(f func(*media.AccessUnit) bool) {
	s.queue.divert(func(au *media.AccessUnit) bool {
		if !s.tracks[au.Stream].selected.Load() {
			au.Release()
			return true
		}
		return f(au)
	})
}

// Seek is not possible.
func (s *Source) Seek(time.Duration) error {
	return fmt.Errorf("rtp: a live stream cannot be sought: %w", media.ErrNotSupported)
}

// Delay is how much later than at its quickest the network delivers: a unit that is shown
// that long after its timestamp is nearly always there in time. It changes slowly, and is
// never more than Config.MaxLatency.
func (s *Source) Delay() time.Duration {
	var d time.Duration
	for _, t := range s.tracks {
		if t.selected.Load() {
			d = max(d, time.Duration(t.target.Load()))
		}
	}
	return min(d, s.cfg.MaxLatency)
}

// Stats returns the counters of each stream, by the index of the description's section.
func (s *Source) Stats() []Counters {
	out := make([]Counters, len(s.tracks))
	for i, t := range s.tracks {
		t.mu.Lock()
		out[i] = t.counters()
		t.mu.Unlock()
	}
	return out
}

func (t *track) counters() Counters {
	c := t.c
	c.Wait, c.Delay = t.buf.Wait(), t.delay.Target()
	if t.conn != nil {
		c.KernelDrops = int64(t.conn.Stats().Drops)
	}
	if t.format != nil {
		c.Jitter, c.DriftPPM, c.PathChanges = t.recv.Jitter(), t.clk.PPM(), t.clk.Steps()
	}
	return c
}

// trackEnded notes that a track has ended.
func (s *Source) trackEnded(err error) {
	if err == nil {
		err = io.EOF
	}
	if s.left.Add(-1) == 0 {
		s.queue.end(err, false)
	}
	s.progress()
}

// Interrupt makes a blocked or later Read return os.ErrClosed.
func (s *Source) Interrupt() { s.queue.end(os.ErrClosed, true) }

// Close says goodbye to the senders and closes the sockets. Access units that are still
// out stay valid.
func (s *Source) Close() error {
	var errs []error
	s.closed.Do(func() {
		s.Interrupt()
		for _, t := range s.tracks {
			if t.conn != nil {
				t.conn.Interrupt()
			}
		}
		s.running.Wait()
		for _, t := range s.tracks {
			if t.conn != nil && t.back.spoke {
				t.send(&feedback{own: t.back.own, source: t.sender.ssrc, cname: t.back.cname, bye: true})
			}
			for _, c := range []*udp.Conn{t.conn, t.rtcp} {
				if c != nil {
					errs = append(errs, c.Close())
				}
			}
			if t.conn != nil {
				t.c.KernelDrops = int64(t.conn.Stats().Drops)
			}
			t.complain()
		}
	})
	return errors.Join(errs...)
}
