package render

import (
	"fmt"
	"time"

	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
)

// UploadMode says how planes get to where the shader reads them.
type UploadMode uint8

// Upload modes. Each but the last reads the imported pool, without a CPU copy.
const (
	// UploadAuto is UploadDirect where CPU and GPU share memory (UploadGraphicsImage where
	// the CPU plays the GPU), else UploadTransferBuffer where there is a copy engine, else
	// UploadGraphicsBuffer.
	UploadAuto UploadMode = iota
	// UploadDirect: the shader reads the pool itself.
	UploadDirect
	// UploadTransferBuffer: the copy engine fills a buffer in GPU memory, the shader reads
	// that.
	UploadTransferBuffer
	// UploadGraphicsBuffer: the graphics queue fills that buffer.
	UploadGraphicsBuffer
	// UploadTransferImage: the copy engine fills an image per plane.
	UploadTransferImage
	// UploadGraphicsImage: the graphics queue fills an image per plane.
	UploadGraphicsImage
	// UploadTransferBufferImage: the copy engine fills a buffer in GPU memory, the graphics
	// queue copies that to an image per plane.
	UploadTransferBufferImage
	// UploadLinear: linear images lie on the pool itself.
	UploadLinear
	// UploadStaging: the CPU copies planes to a staging buffer, which goes on as in
	// UploadAuto. The way of those who have no imported pool.
	UploadStaging
	numUploadModes
)

var uploadNames = [numUploadModes]string{"auto", "direct", "transfer-buffer", "graphics-buffer", "transfer-image",
	"graphics-image", "transfer-buffer-image", "linear", "staging"}

func (m UploadMode) String() string { return uploadNames[min(m, numUploadModes-1)] }

// UploadModes lists the modes.
func UploadModes() []UploadMode {
	s := make([]UploadMode, numUploadModes)
	for i := range s {
		s[i] = UploadMode(i)
	}
	return s
}

// ParseUploadMode finds a mode by its name.
func ParseUploadMode(name string) (UploadMode, error) {
	for i, n := range uploadNames {
		if n == name {
			return UploadMode(i), nil
		}
	}
	return 0, fmt.Errorf("render: no upload mode %q; there are %v", name, uploadNames)
}

// images reports whether the shader reads images rather than a buffer.
func (m UploadMode) images() bool {
	return m == UploadTransferImage || m == UploadGraphicsImage || m == UploadTransferBufferImage || m == UploadLinear
}

// transfer reports whether the copy engine works.
func (m UploadMode) transfer() bool {
	return m == UploadTransferBuffer || m == UploadTransferImage || m == UploadTransferBufferImage
}

// local reports whether there is a buffer in GPU memory.
func (m UploadMode) local() bool {
	return m == UploadTransferBuffer || m == UploadGraphicsBuffer || m == UploadTransferBufferImage
}

// Sampling says how images are sampled. Modes that read a buffer fetch samples from it.
type Sampling uint8

// Samplings.
const (
	// SamplePlanes fetches from one integer image per plane: exact, on every device.
	SamplePlanes Sampling = iota
	// SampleYCbCr uses one multi-planar image and the device's YCbCr sampler for chroma,
	// where the device has it for the frame's format; else SamplePlanes.
	SampleYCbCr
)

// DrawMode says what runs the shader.
type DrawMode uint8

// Draw modes.
const (
	// DrawTriangle draws one triangle over the target.
	DrawTriangle DrawMode = iota
	// DrawCompute computes the target's pixels, for GPUs with few units that rasterize.
	// Offscreen targets only.
	DrawCompute
)

func (m DrawMode) String() string { return [...]string{"triangle", "compute"}[min(m, 1)] }

// Filter says how luma is interpolated when the picture is scaled.
type Filter uint8

// Filters.
const (
	FilterLinear Filter = iota
	FilterNearest
)

// Pool is a frame pool whose memory the GPU shall read in place.
type Pool interface {
	// Mapping is the memory that the Offset of a frame's planes counts in.
	Mapping() []byte
}

// Config describes a renderer. The zero value is the best device, automatic upload and
// linear scaling.
type Config struct {
	Device     string // index or part of a name, "" for the best
	Validation bool   // turn the validation layer on; see Messages
	Upload     UploadMode
	Sampling   Sampling
	Draw       DrawMode
	Filter     Filter
	// On is the device to draw with, shared with a decoder that leaves pictures in its
	// memory; nil opens one.
	// Ownership: the renderer holds it with a reference of its own.
	On *gpu.Device
	// InFlight is how many frames may be on their way through the GPU; 0 means 3.
	InFlight int
	// Pool is imported when the device can; nil for none. It must outlive the renderer.
	Pool Pool
	// LatePool imports Pool with the first frame of it rather than at once: importing pins
	// its memory.
	LatePool bool

	// Mode says how frames take turns in a window. FrameInterval is the source's, which
	// media.PresentModeAuto compares with the display's; 0 when not known.
	Mode          media.PresentMode
	FrameInterval time.Duration

	// Width and Height are the size of an offscreen target.
	Width, Height int
	// Fit makes the window that OpenWindow opens smaller where it would not fit on the
	// display; its shape stays.
	Fit bool
	// Refresh is the interval of an offscreen target's simulated vblank, which needs Now
	// and Sleep; 0 for none: frames are drawn as fast as they come.
	Refresh time.Duration
	// Display is that display when it is more than a rate: jitter, missed refreshes, a variable
	// rate. Refresh is not looked at then.
	Display *pace.Simulated
	// Now reads the monotonic clock; nil leaves stamps at 0.
	Now func() media.Instant
	// Sleep sleeps until an instant.
	Sleep func(media.Instant)

	// oneQueue makes the graphics queue stand in for a missing copy engine, so that tests
	// see those modes on every device.
	oneQueue bool
}

func (c *Config) check() error {
	if c.Upload >= numUploadModes || c.Sampling > SampleYCbCr || c.Draw > DrawCompute || c.Filter > FilterNearest {
		return fmt.Errorf("render: unknown mode in %+v", *c)
	}
	if c.Display != nil {
		if err := c.Display.Check(); err != nil {
			return fmt.Errorf("render: %w", err)
		}
		c.Refresh = c.Display.Interval()
	}
	if c.Refresh < 0 || c.Refresh > 0 && (c.Now == nil || c.Sleep == nil) {
		return fmt.Errorf("render: a refresh interval of %v needs a clock", c.Refresh)
	}
	if c.InFlight == 0 {
		c.InFlight = 3
	}
	if c.InFlight < 1 || c.InFlight > 64 {
		return fmt.Errorf("render: %d frames in flight: want 1 to 64", c.InFlight)
	}
	if c.Now == nil {
		c.Now = func() media.Instant { return 0 }
	}
	return nil
}
