package player

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/ingest/rtp"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/metrics"
)

// steadyAfter is how many frames are shown before allocations and GC cycles are counted:
// until then queues fill and pools warm.
const steadyAfter = 30

// Stats says what playback did so far.
type Stats struct {
	Renderer string
	Decoder  string
	Audio    string
	Display  media.Display
	Thread   string              // how the presenting thread is scheduled
	Source   media.PresentSource // where presentation stamps come from

	Decoded   int64
	Presented int64
	Dropped   int64 // late, dropped before any GPU work
	Skipped   int64 // decoded on the way to an exact seek target
	Late      int64 // visible more than half a refresh after their moment
	Repeated  int64 // refreshes on which a picture outstayed its time
	Missed    int64 // refreshes missed by submitted frames
	Discarded int64 // submitted frames that the display says it never showed
	// Mistimed counts frames that stayed for another number of refreshes than the two around
	// their duration, and Reanchored how often time started anew after a gap.
	Mistimed, Reanchored int64
	// Drops counts all frames that were decoded and not shown, and units that were not
	// decoded to catch up, by reason. Dropped are the pacer's.
	Drops  [media.NumDropReasons]int64
	Copies int64 // CPU copies of a plane, by decoder and renderer
	ReadErrors, DecodeErrors,
	AudioErrors, AudioUnderruns int64
	AudioLost    int64 // audio devices that went away while playing
	SoundSkipped int64 // blocks of a live source's sound left out to catch up

	// Over the steady part of playback, after the first 30 frames.
	SteadyFrames int64
	SteadyAllocs int64
	GCCycles     int64

	// Of decoding on the GPU.
	Fallbacks int64 // changes of the decoder while playing
	ReadBacks int64 // pictures copied to the CPU's memory, for outputs that need that
	Damaged   int64 // pictures that were not shown, because they or their references were damaged
	Grown     int64 // images added because too many pictures were held

	Pool PoolStats

	// AVOffset is visible minus heard. Its mean has a sign, positive when the picture is
	// behind; the rest is about its size. Without sound it is about the media clock.
	AVOffset Distribution
	Interval Distribution // between pictures that became visible
	Latency  Distribution // from submission to visible
	// ToSubmit and Age are from reception to submission and to visible, where the source
	// says when it received; of a file that is when it was read.
	ToSubmit, Age Distribution

	Policy          string
	MaxLatency      time.Duration // that a live source is held to
	Delay           time.Duration // that evens out its jitter
	Speed           float64       // media seconds a second
	RefreshMeasured time.Duration // interval, as estimated from the display's stamps

	FirstPicture time.Duration // since Config.Started; 0 when nothing was shown
	// Live is how the streams of a live source are received.
	Live []rtp.Counters

	Position time.Duration
	Elapsed  time.Duration // since the first picture
	CPU      CPU           // the whole process, since the first picture
}

// PoolStats says how frame memory was used.
type PoolStats struct {
	Slots, SlotBytes, Peak, InUse int
	// InUseAtClose is what was still out when the player was closed; −1 before.
	InUseAtClose int
	Fallbacks    int64 // pictures that had to be placed outside the pool
	HugePages    string
}

// Distribution sums up measured spans.
type Distribution struct {
	Count          int64
	Mean, P50, P99 time.Duration
	Min, Max       time.Duration
}

// CPU is processor time of the whole process.
type CPU struct{ User, System time.Duration }

// counters are written by the stages and read by Stats.
type counters struct {
	decoded, skipped, readErrors, decodeErrors, audioErrors, audioGaps atomic.Int64
	pauses, shown, copies, discarded, unfit                            atomic.Int64
	position                                                           atomic.Int64 // ns, of all rounds of a loop
	round                                                              atomic.Int64 // ns, of one of them
	firstAt                                                            atomic.Int64 // Instant
	inUseAtClose                                                       atomic.Int64
	endedAt                                                            atomic.Int64 // Instant
	dropped, late, repeated, missed                                    atomic.Int64
	mistimed, reanchored, delay, soundSkipped                          atomic.Int64
	vsyncPeriod, speed                                                 atomic.Uint64                      // float64
	drops                                                              [media.NumDropReasons]atomic.Int64 // not the pacer's
	paceDrops                                                          [media.NumDropReasons]atomic.Int64

	mu       sync.Mutex
	sinkName string
	thread   string
	decoder  string
	endCPU   CPU
	display  media.Display
	source   media.PresentSource
	isWindow atomic.Bool

	avOffset, interval, latency metrics.Histogram // avOffset without sign
	toSubmit, age               metrics.Histogram
	avSum                       atomic.Int64 // of A/V offsets with their sign
	lastActual                  media.Instant
	lastNumber                  uint64

	steady   mark
	finish   mark
	firstCPU CPU
}

// mark is a snapshot of the runtime's counters.
type mark struct {
	taken   bool
	frames  int64
	mallocs uint64
	gcs     uint32
	ms      runtime.MemStats // here, because taking it must not allocate
}

func (m *mark) take(frames int64) {
	runtime.ReadMemStats(&m.ms)
	m.taken, m.frames, m.mallocs, m.gcs = true, frames, m.ms.Mallocs, m.ms.NumGC
}

func (c *counters) setDecoder(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.decoder = name
}

func (c *counters) setSink(name string, d media.Display) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sinkName, c.display, c.source = name, d, d.Source
}

func (c *counters) setThread(how string) {
	c.mu.Lock()
	c.thread = how
	c.mu.Unlock()
}

// window reports whether there are window events to look at.
func (c *counters) window() bool { return c.isWindow.Load() }

// presented records that frame number count was submitted; 0 is the beginning of sound
// without a picture.
func (c *counters) presented(count int64, now media.Instant) {
	c.shown.Store(count)
	if c.firstAt.Load() == 0 {
		c.firstAt.Store(int64(now))
		c.mu.Lock()
		c.firstCPU = CPU(rt.ProcessCPU())
		c.mu.Unlock()
	}
	if count == steadyAfter {
		c.mu.Lock()
		c.steady.take(count)
		c.mu.Unlock()
	}
}

// end closes the steady part.
func (c *counters) end(p *Player) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.steady.taken {
		c.finish.take(c.shown.Load())
	}
	c.endCPU = CPU(rt.ProcessCPU())
	c.endedAt.Store(int64(clock.Now()))
	c.pacer(p)
}

// pacer copies the pacer's counts, which belong to the presenting goroutine.
func (c *counters) pacer(p *Player) {
	s := p.pacer.Stats()
	c.dropped.Store(s.Dropped)
	c.late.Store(s.Late)
	c.repeated.Store(s.Repeated)
	c.missed.Store(s.Missed)
	c.mistimed.Store(s.Mistimed)
	c.reanchored.Store(s.Reanchored)
	c.delay.Store(int64(s.Delay))
	c.vsyncPeriod.Store(math.Float64bits(float64(s.Refresh)))
	c.speed.Store(math.Float64bits(s.Speed))
	for i, n := range s.Drops {
		c.paceDrops[i].Store(n)
	}
}

// observe records what the display said about a frame; due is when the media clock wanted
// it, 0 when that is not known.
// received is when it came here, 0 when that is not known.
func (c *counters) observe(f *media.Presented, due, received media.Instant) {
	c.copies.Add(int64(f.Copies))
	if f.Discarded {
		c.discarded.Add(1)
	}
	if f.Actual == 0 {
		return
	}
	if c.lastActual != 0 && f.Number == c.lastNumber+1 {
		c.interval.Record(f.Actual.Sub(c.lastActual))
	}
	c.lastActual, c.lastNumber = f.Actual, f.Number
	if received != 0 && f.Submitted > received {
		c.toSubmit.Record(f.Submitted.Sub(received))
		c.age.Record(f.Actual.Sub(received))
	}
	if f.Submitted != 0 {
		c.latency.Record(f.Actual.Sub(f.Submitted))
	}
	if due != 0 {
		d := f.Actual.Sub(due)
		c.avOffset.Record(d.Abs())
		c.avSum.Add(int64(d))
	}
}

// Stats returns what playback did so far. It is meant for a few calls a second, and for
// one after Close.
func (p *Player) Stats() Stats {
	c := &p.stats
	s := Stats{
		Decoded: c.decoded.Load(), Presented: c.shown.Load(), Skipped: c.skipped.Load(),
		Dropped: c.dropped.Load(), Late: c.late.Load(), Repeated: c.repeated.Load(), Missed: c.missed.Load(),
		Copies: c.copies.Load(), Discarded: c.discarded.Load(),
		ReadErrors: c.readErrors.Load(), DecodeErrors: c.decodeErrors.Load(), AudioErrors: c.audioErrors.Load(),
		Position: p.Position(),
		Mistimed: c.mistimed.Load(), Reanchored: c.reanchored.Load(),
		SoundSkipped: c.soundSkipped.Load(),
		Policy:       p.policy().String(), MaxLatency: p.maxLatency, Delay: time.Duration(c.delay.Load()),
		Speed: math.Float64frombits(c.speed.Load()), RefreshMeasured: time.Duration(math.Float64frombits(c.vsyncPeriod.Load())),
		ToSubmit: distribution(&c.toSubmit), Age: distribution(&c.age),
		AVOffset: distribution(&c.avOffset), Interval: distribution(&c.interval), Latency: distribution(&c.latency),
	}
	for i := range s.Drops {
		s.Drops[i] = c.drops[i].Load() + c.paceDrops[i].Load()
	}
	s.Drops[media.DropSkipped] += s.Skipped
	if p.asink != nil {
		s.Audio = p.asink.Name()
		s.AudioUnderruns = p.asink.Underruns()
		if p.asink.Err() != nil {
			s.AudioLost = 1
		}
	} else {
		s.Audio = "none"
	}
	if p.pool != nil {
		ps := p.pool.Stats()
		s.Pool = PoolStats{Slots: ps.Slots, SlotBytes: p.pool.SlotBytes(), Peak: ps.Peak, InUse: ps.InUse,
			Fallbacks: ps.Fallbacks, HugePages: ps.HugePages}
	}
	s.Pool.InUseAtClose = int(c.inUseAtClose.Load())
	if c, ok := p.vdec.(*chooser); ok {
		d := c.stats()
		s.Copies += d.copies
		s.Fallbacks, s.ReadBacks, s.Damaged, s.Grown = d.fallbacks, d.readBacks, d.skipped+c.p.stats.unfit.Load(), d.grown
	}
	if l, ok := p.src.(interface{ Stats() []rtp.Counters }); ok {
		s.Live = l.Stats()
	}
	if n := s.AVOffset.Count; n > 0 {
		s.AVOffset.Mean = time.Duration(c.avSum.Load() / n)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Thread = c.thread
	s.Renderer, s.Decoder, s.Display, s.Source = c.sinkName, c.decoder, c.display, c.source
	if p.raw != nil {
		s.Decoder = "none"
	}
	if first := media.Instant(c.firstAt.Load()); first != 0 {
		s.FirstPicture = first.Sub(p.cfg.Started)
		end, cpu := media.Instant(c.endedAt.Load()), c.endCPU
		if end == 0 {
			end, cpu = clock.Now(), CPU(rt.ProcessCPU())
		}
		s.Elapsed = end.Sub(first)
		s.CPU = CPU{cpu.User - c.firstCPU.User, cpu.System - c.firstCPU.System}
	}
	if c.steady.taken {
		m := &c.finish
		if !m.taken {
			m = new(mark)
			m.take(s.Presented)
		}
		s.SteadyFrames = m.frames - c.steady.frames
		s.SteadyAllocs = int64(m.mallocs - c.steady.mallocs)
		s.GCCycles = int64(m.gcs - c.steady.gcs)
	}
	return s
}

func distribution(h *metrics.Histogram) Distribution {
	m := h.Summary()
	return Distribution{m.Count, m.Mean, m.P50, m.P99, m.Min, m.Max}
}
