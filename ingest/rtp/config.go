package rtp

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/scanout-av/scanout/internal/udp"
	"github.com/scanout-av/scanout/media"
)

// Damage says what happens to pictures after something was lost.
type Damage uint8

const (
	// DamageAuto waits for a key frame where one can be asked for, and shows damage where
	// not.
	DamageAuto Damage = iota
	// DamageShow hands on what is left; the decoder conceals.
	DamageShow
	// DamageWait hands on nothing until the next key frame, for a second at most.
	DamageWait
)

// Config says what to receive and how. The zero value of every field but Description and
// Now is the documented default.
type Config struct {
	Description *Description
	// Name is what the source is called in messages; "" is the description's.
	Name string
	// Receive forces a way to receive; see package udp.
	Receive udp.Path
	// Interface joins multicast groups there; "" lets the system choose.
	Interface string
	// Now is the monotonic clock.
	Now func() media.Instant
	// Log receives what is worth telling; nil drops it.
	Log *slog.Logger

	// MaxLatency bounds how long anything waits for packets that are missing; 0 is
	// DefaultMaxLatency.
	MaxLatency time.Duration
	// Freshest waits for missing packets for FreshestWait at most.
	Freshest bool
	Damage   Damage
	// Complete hands on everything, however late it is read: for outputs to files.
	Complete bool
	// AnySource takes packets of every sender as they come, instead of the first one's.
	AnySource bool
	// OpenTimeout is how long Open waits for what it needs to know; 0 is
	// DefaultOpenTimeout.
	OpenTimeout time.Duration
	// Reconnect is for how long another sender is waited for when one has fallen silent; 0
	// is DefaultReconnect. After a goodbye that is Linger, unless Reconnect is longer than
	// its default.
	Reconnect time.Duration
	Linger    time.Duration // 0 is DefaultLinger
	// MaxUnit bounds an access unit, MaxMemory all of them, in bytes; 0 is DefaultMaxUnit
	// and DefaultMaxMemory.
	MaxUnit, MaxMemory int
}

// Defaults of [Config].
const (
	DefaultMaxLatency  = 200 * time.Millisecond
	DefaultOpenTimeout = 10 * time.Second
	DefaultReconnect   = time.Minute
	DefaultLinger      = 2 * time.Second
	DefaultMaxUnit     = 16 << 20
	DefaultMaxMemory   = 128 << 20

	// FreshestWait is less than a frame of 100 fps: nothing whole is held back by it, but
	// packets that overtook each other on the way are put right.
	FreshestWait = 8 * time.Millisecond
)

func (c *Config) complete() error {
	if c.Description == nil || len(c.Description.Media) == 0 {
		return fmt.Errorf("Config.Description is missing")
	}
	if c.Now == nil {
		return fmt.Errorf("Config.Now is missing")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Name == "" {
		c.Name = c.Description.Name
	}
	for _, d := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{
		{"MaxLatency", &c.MaxLatency, DefaultMaxLatency}, {"OpenTimeout", &c.OpenTimeout, DefaultOpenTimeout},
		{"Linger", &c.Linger, DefaultLinger}, {"Reconnect", &c.Reconnect, DefaultReconnect},
	} {
		if *d.v == 0 {
			*d.v = d.def
		}
		if *d.v < 0 {
			return fmt.Errorf("negative %s", d.name)
		}
	}
	if c.MaxUnit <= 0 {
		c.MaxUnit = DefaultMaxUnit
	}
	if c.MaxMemory <= 0 {
		c.MaxMemory = DefaultMaxMemory
	}
	return nil
}

// maxWait is how long a missing packet is waited for at most.
func (c *Config) maxWait() time.Duration {
	if c.Freshest {
		return min(FreshestWait, c.MaxLatency)
	}
	return c.MaxLatency
}

// Counters of one stream. Packets and units are counts since opening.
type Counters struct {
	Packets   int64 // of the stream, in whatever state
	Lost      int64 // given up
	Late      int64 // came after they had been given up
	Duplicate int64
	Recovered int64 // by retransmission
	Corrected int64 // lost, and given back by forward error correction
	Units     int64 // handed on
	Damaged   int64 // units of which something was missing
	Discarded int64 // units that were not handed on: damaged, or waiting for a key frame
	Skipped   int64 // units dropped because nobody read them in time

	Malformed int64 // packets that are no RTP, or whose payload makes no sense
	Unknown   int64 // packets of a payload type that was not described
	Foreign   int64 // packets of another sender
	Strange   int64 // packets whose sequence number is far off
	Oversized int64 // units larger than Config.MaxUnit
	// KernelDrops are packets that came to a socket whose buffer was full.
	KernelDrops int64

	Sources       int64 // senders, one after the other; 1 is normal
	Restarts      int64 // timelines, one after the other, of one sender
	PathChanges   int64 // steps of the quickest way through the network
	SenderReports int64
	NACKs         int64 // packets asked for
	Corrections   int64 // packets of forward error correction
	KeyRequests   int64

	Jitter   time.Duration // RFC 3550, 6.4.1
	Wait     time.Duration // for a missing packet, at present
	Delay    time.Duration // at which the network delivers: see Source.Delay
	DriftPPM float64       // of the sender's clock, positive when it is fast
	LipSync  time.Duration // by how much sender reports move the stream
}
