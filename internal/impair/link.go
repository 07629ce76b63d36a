package impair

import (
	"math/rand/v2"
	"time"
)

// Link decides what becomes of the packets of one direction. It does not hold them.
//
// Units: `now` counts from the beginning, as partitions do, and never runs backwards.
// Concurrency: one goroutine.
type Link struct {
	cfg    Config
	chance *rand.Rand
	left   int           // packets that the current burst still takes
	start  float64       // how likely a packet outside of a burst begins one
	free   time.Duration // when the line has sent what is queued on it
	last   time.Duration // when the last packet arrives that keeps its order
	cut    bool
	stats  Stats
}

// Stats counts packets.
type Stats struct {
	In         int64 // came
	Out        int64 // were sent on, copies included
	Lost       int64 // by chance, singly or in bursts
	Cut        int64 // lost in a partition
	Queued     int64 // lost because the queue before the limited rate was full
	Reordered  int64 // held back
	Duplicated int64
	Corrupted  int64
	Overflow   int64 // lost because the proxy held too much
	Failed     int64 // could not be sent
}

func (s *Stats) add(t Stats) {
	s.In += t.In
	s.Out += t.Out
	s.Lost += t.Lost
	s.Cut += t.Cut
	s.Queued += t.Queued
	s.Reordered += t.Reordered
	s.Duplicated += t.Duplicated
	s.Corrupted += t.Corrupted
	s.Overflow += t.Overflow
	s.Failed += t.Failed
}

// Delivery is a packet that leaves.
type Delivery struct {
	At time.Duration
	// Flip is the bit that is turned over, counted from the first byte's lowest; −1: none.
	Flip int
}

// NewLink returns a link.
// Errors: the configuration is out of range.
func NewLink(cfg Config) (*Link, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	l := &Link{cfg: cfg, chance: rand.New(rand.NewPCG(cfg.Seed, 0x9e3779b97f4a7c15))}
	// Bursts of n that take the share p of all packets: p = n·q / (n·q + 1 − q).
	n := float64(cfg.Burst)
	l.start = cfg.Loss / (n*(1-cfg.Loss) + cfg.Loss)
	return l, nil
}

// Cut says whether nothing passes from now on, beside the partitions of the
// configuration.
func (l *Link) Cut(on bool) { l.cut = on }

// Stats returns the counters.
func (l *Link) Stats() Stats { return l.stats }

// Push decides about a packet of size bytes that came now, and appends to out when it
// leaves: not at all, once or twice.
func (l *Link) Push(now time.Duration, size int, out []Delivery) []Delivery {
	// Always as many draws, so that the fate of the packets behind does not depend on
	// this one's.
	loss, reorder, duplicate, corrupt := l.chance.Float64(), l.chance.Float64(), l.chance.Float64(), l.chance.Float64()
	bit := l.chance.Uint64()
	l.stats.In++

	lost := l.left > 0
	if lost {
		l.left--
	} else if loss < l.start {
		lost, l.left = true, l.cfg.Burst-1
	}
	switch {
	case l.partitioned(now):
		l.stats.Cut++
		return out
	case lost:
		l.stats.Lost++
		return out
	}
	d := Delivery{At: now, Flip: -1}
	if l.cfg.Rate > 0 {
		if l.free-now > l.cfg.Queue {
			l.stats.Queued++
			return out
		}
		const headers = 28
		l.free = max(l.free, now) + time.Duration(int64(size+headers)*8*int64(time.Second)/l.cfg.Rate)
		d.At = l.free
	}
	d.At += l.cfg.Delay + l.jitter(now)
	if reorder < l.cfg.Reorder {
		d.At = max(d.At, l.last) + l.cfg.ReorderBy
		l.stats.Reordered++
	} else {
		d.At = max(d.At, l.last)
		l.last = d.At
	}
	if corrupt < l.cfg.Corrupt && size > 0 {
		d.Flip = int(bit % uint64(size*8))
		l.stats.Corrupted++
	}
	out = append(out, d)
	l.stats.Out++
	if duplicate < l.cfg.Duplicate {
		out = append(out, d)
		l.stats.Duplicated++
		l.stats.Out++
	}
	return out
}

// partitioned reports whether nothing passes now.
func (l *Link) partitioned(now time.Duration) bool {
	for _, s := range l.cfg.Partitions {
		if now >= s.At && now-s.At < s.For {
			return true
		}
	}
	return l.cut
}

// jitter is the wandering delay: a line between points drawn for every period, so that it
// is a function of the seed and the time.
func (l *Link) jitter(now time.Duration) time.Duration {
	if l.cfg.Jitter == 0 {
		return 0
	}
	k := uint64(now / l.cfg.JitterPeriod)
	part := float64(now%l.cfg.JitterPeriod) / float64(l.cfg.JitterPeriod)
	a, b := l.point(k), l.point(k+1)
	return time.Duration((a + (b-a)*part) * float64(l.cfg.Jitter))
}

// point is the k-th point of the jitter, 0 to 1.
// Source: the finalizer of SplitMix64, Steele, Lea and Flood 2014.
func (l *Link) point(k uint64) float64 {
	z := l.cfg.Seed + (k+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}
