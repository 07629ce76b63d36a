package vkvideo

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/media"
)

// Config says what to decode and where.
type Config struct {
	// Device decodes; it must have been opened with its video queues.
	// Ownership: the decoder holds it with a reference of its own.
	Device *gpu.Device
	// Stream describes what is decoded.
	Stream media.Stream
	// Hold is how many frames the consumer holds at most, the one on the screen included;
	// 0 means 8.
	Hold int
	// Batch is how many pictures are submitted to the device at once; 0 and 1 submit each by
	// itself. What is handed to the driver in one piece costs less CPU, but is done in one
	// piece, too. Whoever sets it calls [Video.Submit] before it waits for anything.
	Batch int
	// ReadBack makes frames that lie in this pool instead of in GPU memory: planar, as a
	// software decoder's. For files and tests; each costs a wait and a copy by the CPU.
	ReadBack *framepool.Pool
	// Images forces how pictures are kept; see the package documentation.
	Images Images
	// NoMaintenance leaves video_maintenance1 and 2 unused, to test what devices without
	// them do.
	NoMaintenance bool
}

// Images says how decoded pictures are kept.
type Images uint8

// Ways to keep pictures.
const (
	ImagesAuto Images = iota
	ImagesShared
	ImagesDistinct
	ImagesCopied
)

func (i Images) String() string {
	return [...]string{"auto", "shared", "distinct", "copied"}[min(i, ImagesCopied)]
}

const (
	defaultHold = 8
	maxHold     = 64
)

func (c *Config) check() error {
	if c.Device == nil {
		return errors.New("vkvideo: Config.Device is missing")
	}
	if c.Hold == 0 {
		c.Hold = defaultHold
	}
	if c.Hold < 1 || c.Hold > maxHold {
		return fmt.Errorf("vkvideo: a consumer that holds %d frames: want 1 to %d", c.Hold, maxHold)
	}
	if c.Batch < 0 || c.Batch > inFlight {
		return fmt.Errorf("vkvideo: batches of %d pictures: want 1 to %d", c.Batch, inFlight)
	}
	if c.Images > ImagesCopied {
		return fmt.Errorf("vkvideo: unknown way to keep pictures %d", c.Images)
	}
	return nil
}

// Stats counts what a decoder has done. Frames, Skipped, Errors and ReadBacks count
// pictures.
type Stats struct {
	Frames int64
	// Skipped were not shown because they, or what they refer to, are damaged or missing.
	Skipped int64
	// Errors are pictures that the device reports as not decoded.
	Errors int64
	// Copies counts access units that the CPU copied to where the GPU reads them.
	Copies    int64
	CopyBytes int64
	ReadBacks int64
	// Grown counts images that were added because the consumer held all.
	Grown int64
	// Waits counts submissions that had to wait for the GPU first.
	Waits     int64
	Sequences int64
	// Submits counts submissions; a batch is one.
	Submits int64
}

type counters struct {
	frames, skipped, errors, copies, copyBytes, readBacks, grown, waits, sequences, submits atomic.Int64
}

func (c *counters) stats() Stats {
	return Stats{c.frames.Load(), c.skipped.Load(), c.errors.Load(), c.copies.Load(), c.copyBytes.Load(),
		c.readBacks.Load(), c.grown.Load(), c.waits.Load(), c.sequences.Load(), c.submits.Load()}
}
