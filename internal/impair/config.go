package impair

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Config is what happens to the packets of one direction. The zero value passes all of
// them on untouched.
type Config struct {
	Seed uint64
	// Loss is the share of packets that is lost, 0 to 1; Burst is how many in a row go at
	// a time, 0 and 1 meaning singly.
	Loss  float64
	Burst int
	// Delay is added to every packet.
	Delay time.Duration
	// Jitter is a further delay that wanders between 0 and Jitter as that of a queue
	// does: packets that come together wait alike, and their order is kept. JitterPeriod
	// is how long it takes from one extreme to the next; 0 is 40 ms.
	Jitter       time.Duration
	JitterPeriod time.Duration
	// Reorder is the share of packets that is held back for ReorderBy, so that those
	// behind overtake; 0 is 10 ms.
	Reorder   float64
	ReorderBy time.Duration
	// Duplicate is the share of packets that comes twice, Corrupt the share in which one
	// bit is turned over.
	Duplicate float64
	Corrupt   float64
	// Rate is what the link carries, in bit/s with the 28 bytes of IPv4 and UDP headers; 0
	// is no limit. Packets queue for Queue at most and are lost beyond it; 0 is 100 ms.
	Rate  int64
	Queue time.Duration
	// Partitions are spans in which nothing passes. A [Proxy] counts them from the first
	// packet.
	Partitions []Span
}

// Span is a stretch of time.
type Span struct{ At, For time.Duration }

const (
	defaultJitterPeriod = 40 * time.Millisecond
	defaultReorderBy    = 10 * time.Millisecond
	defaultQueue        = 100 * time.Millisecond
	maxDelay            = 10 * time.Minute
	maxPartitions       = 64
)

// validate fills in what is left out.
func (c *Config) validate() error {
	for _, s := range []struct {
		what string
		v    float64
	}{{"loss", c.Loss}, {"reorder", c.Reorder}, {"duplicate", c.Duplicate}, {"corrupt", c.Corrupt}} {
		if !(s.v >= 0 && s.v <= 1) {
			return fmt.Errorf("impair: %s of %v: a share is 0 to 1, or 0%% to 100%%", s.what, s.v)
		}
	}
	for _, s := range []struct {
		what string
		v    time.Duration
	}{{"delay", c.Delay}, {"jitter", c.Jitter}, {"jitter-period", c.JitterPeriod}, {"reorder-by", c.ReorderBy}, {"queue", c.Queue}} {
		if s.v < 0 || s.v > maxDelay {
			return fmt.Errorf("impair: %s of %v: use 0 to %v", s.what, s.v, maxDelay)
		}
	}
	switch {
	case c.Burst < 0 || c.Burst > 1_000_000:
		return fmt.Errorf("impair: bursts of %d packets: use 1 to 1000000", c.Burst)
	case c.Rate < 0 || c.Rate != 0 && c.Rate < 1000:
		return fmt.Errorf("impair: rate of %d bit/s: use 1k and more, or 0 for no limit", c.Rate)
	case len(c.Partitions) > maxPartitions:
		return fmt.Errorf("impair: %d partitions: use %d at most", len(c.Partitions), maxPartitions)
	}
	for _, s := range c.Partitions {
		if s.At < 0 || s.For <= 0 {
			return fmt.Errorf("impair: a partition at %v of %v: write it like 10s+2s", s.At, s.For)
		}
	}
	if c.JitterPeriod == 0 {
		c.JitterPeriod = defaultJitterPeriod
	}
	if c.ReorderBy == 0 {
		c.ReorderBy = defaultReorderBy
	}
	if c.Queue == 0 {
		c.Queue = defaultQueue
	}
	c.Burst = max(c.Burst, 1)
	return nil
}

// Parse reads a configuration as words of the form "loss=5%,burst=20,delay=20ms,
// jitter=50ms,jitter-period=40ms,reorder=5%,reorder-by=10ms,duplicate=1%,corrupt=0.1%,
// rate=8M,queue=100ms,partition=10s+2s,seed=1"; a partition may come several times.
func Parse(s string) (Config, error) {
	var c Config
	for word := range strings.SplitSeq(s, ",") {
		word = strings.TrimSpace(word)
		if word == "" {
			continue
		}
		key, value, _ := strings.Cut(word, "=")
		if err := c.set(key, value); err != nil {
			return Config{}, fmt.Errorf("impair: %q: %w", word, err)
		}
	}
	check := c // validate fills in defaults, which are not part of what was said
	if err := check.validate(); err != nil {
		return Config{}, err
	}
	return c, nil
}

func (c *Config) set(key, value string) (err error) {
	switch key {
	case "loss":
		c.Loss, err = ParseShare(value)
	case "burst":
		c.Burst, err = strconv.Atoi(value)
	case "delay":
		c.Delay, err = time.ParseDuration(value)
	case "jitter":
		c.Jitter, err = time.ParseDuration(value)
	case "jitter-period":
		c.JitterPeriod, err = time.ParseDuration(value)
	case "reorder":
		c.Reorder, err = ParseShare(value)
	case "reorder-by":
		c.ReorderBy, err = time.ParseDuration(value)
	case "duplicate":
		c.Duplicate, err = ParseShare(value)
	case "corrupt":
		c.Corrupt, err = ParseShare(value)
	case "rate":
		c.Rate, err = ParseRate(value)
	case "queue":
		c.Queue, err = time.ParseDuration(value)
	case "seed":
		c.Seed, err = strconv.ParseUint(value, 10, 64)
	case "partition":
		var s Span
		if s, err = ParseSpan(value); err == nil {
			c.Partitions = append(c.Partitions, s)
		}
	default:
		err = fmt.Errorf("not known: use loss, burst, delay, jitter, jitter-period, reorder, reorder-by, duplicate, corrupt, rate, queue, partition or seed")
	}
	return err
}

// ParseShare reads "5%" or "0.05".
func ParseShare(s string) (float64, error) {
	number, percent := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(number, 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= 1) {
		return 0, fmt.Errorf("%q is not a share: write it like 5%% or 0.05", s)
	}
	return v, nil
}

// ParseRate reads bits a second: "8M", "500k", "1.5G" or a plain number.
func ParseRate(s string) (int64, error) {
	number, unit := s, 1.0
	if n := len(s) - 1; n >= 0 {
		switch s[n] {
		case 'k', 'K':
			number, unit = s[:n], 1e3
		case 'M', 'm':
			number, unit = s[:n], 1e6
		case 'G', 'g':
			number, unit = s[:n], 1e9
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if v *= unit; err != nil || !(v >= 0 && v <= 1e15) {
		return 0, fmt.Errorf("%q is not a rate: write it like 8M or 500k (bit/s)", s)
	}
	return int64(math.Round(v)), nil
}

// ParseSpan reads "10s+2s": from 10 s on, for 2 s.
func ParseSpan(s string) (Span, error) {
	at, length, ok := strings.Cut(s, "+")
	a, err1 := time.ParseDuration(at)
	b, err2 := time.ParseDuration(length)
	if !ok || err1 != nil || err2 != nil || a < 0 || b <= 0 {
		return Span{}, fmt.Errorf("%q is not a span: write it like 10s+2s (from 10 s on, for 2 s)", s)
	}
	return Span{a, b}, nil
}
