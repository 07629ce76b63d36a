package render

import (
	"errors"
	"fmt"
	"time"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// lane is a queue of the copy engine with the timeline of what it has copied. Two lanes
// take turns, so that the engine finds the next copy waiting when it ends one.
type lane struct {
	queue gpu.Queue
	done  *gpu.Timeline
}

// renderer is what every target shares: device, entries in flight, pipelines.
// Concurrency: one goroutine.
type renderer struct {
	cfg Config
	in  *gpu.Instance
	d   *gpu.Device
	c   *dl.Caller

	mode     UploadMode // never UploadAuto or UploadStaging
	stageAll bool       // the CPU copies every frame, as was asked for
	late     bool       // the pool is imported with its first frame
	imported *gpu.Buffer
	mapping  []byte
	// Why pool memory is not read in place, nil when it is.
	importErr error

	lanes    []lane
	nextLane int
	draws    *gpu.Timeline
	pools    [2]vk.CommandPool // graphics, transfer

	nearest   vk.Sampler
	res       resources
	pipelines []builtPipeline
	recorded  recordings
	entries   []entry
	current   int // the entry on screen, −1 before the first frame
	ready     bool
	linear    []linearSlot // by pool slot
	lost      error

	pending pendingRing
}

// openRenderer opens the device that cfg names on instance in.
// Ownership: takes in when it succeeds, unless it is that of cfg.On.
func openRenderer(cfg Config, in *gpu.Instance, surface vk.SurfaceKHR) (r *renderer, err error) {
	r = &renderer{cfg: cfg, in: in, c: new(dl.Caller), current: -1}
	defer func() {
		if err != nil {
			r.in = nil
			_ = r.close()
			r = nil
		}
	}()
	if cfg.On != nil {
		r.d = cfg.On.Retain()
	} else if r.d, err = in.Open(gpu.Config{Device: cfg.Device, Surface: surface}); err != nil {
		return r, fmt.Errorf("render: %w", err)
	}
	if r.d.Lost() {
		return r, fmt.Errorf("render: %s: %w", r.d.Name, media.ErrDeviceLost)
	}
	if cfg.oneQueue && len(r.d.Transfer) == 0 {
		r.d.Transfer = []gpu.Queue{r.d.Graphics, r.d.Graphics}
	}
	if r.late = cfg.LatePool; !r.late {
		r.importPool()
	}
	if err = r.chooseMode(); err != nil {
		return r, err
	}
	if r.draws, err = r.d.NewTimeline(); err != nil {
		return r, err
	}
	if r.pools[0], err = r.commandPool(r.d.Graphics.Family); err != nil {
		return r, err
	}
	if r.mode.transfer() {
		if r.pools[1], err = r.commandPool(r.d.Transfer[0].Family); err != nil {
			return r, err
		}
		for _, q := range r.d.Transfer {
			t, err := r.d.NewTimeline()
			if err != nil {
				return r, err
			}
			r.lanes = append(r.lanes, lane{q, t})
		}
	}
	if r.nearest, err = r.d.NewSampler(vk.FILTER_NEAREST, 0); err != nil {
		return r, err
	}
	// One more than may be in flight: the entry on screen stays for redraws.
	r.entries = make([]entry, cfg.InFlight+1)
	for i := range r.entries {
		if err = r.initEntry(&r.entries[i]); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (r *renderer) importPool() {
	if r.cfg.Pool == nil {
		return
	}
	m := r.cfg.Pool.Mapping()
	b, err := r.d.ImportBuffer(m, vk.BUFFER_USAGE_TRANSFER_SRC_BIT|vk.BUFFER_USAGE_STORAGE_BUFFER_BIT)
	if err != nil {
		r.importErr = err
		return
	}
	r.imported, r.mapping = b, m
}

func (r *renderer) chooseMode() error {
	r.mode = r.cfg.Upload
	if r.mode == UploadStaging {
		r.mode, r.stageAll = UploadAuto, true
	}
	if r.mode == UploadAuto {
		switch {
		case r.d.Type == "cpu":
			r.mode = UploadGraphicsImage // half the time of reading a buffer: 85 against 185 ms
		case r.d.UnifiedMemory:
			r.mode = UploadDirect
		case len(r.d.Transfer) > 0:
			r.mode = UploadTransferBuffer
		default:
			r.mode = UploadGraphicsBuffer
		}
	}
	if r.mode.transfer() && len(r.d.Transfer) == 0 {
		return fmt.Errorf("render: upload mode %v: %s has no copy engine with a queue of its own; try %v: %w",
			r.mode, r.d.Name, UploadGraphicsBuffer, media.ErrNotSupported)
	}
	if r.mode == UploadLinear && r.imported == nil && !r.late {
		return fmt.Errorf("render: upload mode %v needs an imported pool: %w", r.mode, media.ErrNotSupported)
	}
	return nil
}

func (r *renderer) commandPool(family uint32) (vk.CommandPool, error) {
	p := new(vk.CommandPool)
	err := r.d.Commands.CreateCommandPool(r.c, r.d.Handle, &vk.CommandPoolCreateInfo{SType: vk.STypeCommandPoolCreateInfo,
		Flags: vk.COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT | vk.COMMAND_POOL_CREATE_TRANSIENT_BIT, QueueFamilyIndex: family}, nil, p).Err()
	if err != nil {
		return 0, fmt.Errorf("render: command pool: %w", err)
	}
	return *p, nil
}

func (r *renderer) commandBuffer(pool vk.CommandPool) (vk.CommandBuffer, error) {
	cb := new(vk.CommandBuffer)
	err := r.d.Commands.AllocateCommandBuffers(r.c, r.d.Handle, &vk.CommandBufferAllocateInfo{SType: vk.STypeCommandBufferAllocateInfo,
		CommandPool: pool, CommandBufferCount: 1}, cb).Err()
	if err != nil {
		return 0, fmt.Errorf("render: command buffer: %w", err)
	}
	return *cb, nil
}

// begin finds the next entry and waits until the GPU has finished with it.
// Errors: media.ErrAgain at the deadline; media.ErrDeviceLost.
func (r *renderer) begin(deadline media.Instant) error {
	if r.ready {
		return nil
	}
	if err := r.collect(); err != nil {
		return err
	}
	e := r.nextEntry()
	timeout := time.Duration(-1)
	if deadline != 0 {
		timeout = max(0, deadline.Sub(r.cfg.Now()))
	}
	if err := r.draws.Wait(r.c, e.drawValue, timeout); err != nil {
		return r.fail(err)
	}
	e.drop()
	r.ready = true
	return nil
}

func (r *renderer) nextEntry() *entry { return &r.entries[(r.current+1)%len(r.entries)] }

// fail remembers that the device was lost: everything after that fails the same way.
func (r *renderer) fail(err error) error {
	if errors.Is(err, media.ErrDeviceLost) {
		r.lost = err
		r.d.MarkLost()
	}
	return err
}

// idle waits until nothing of this renderer is in flight, whatever else is on the device.
func (r *renderer) idle() error {
	err := r.d.Graphics.WaitIdle(r.d, r.c).Err()
	for i := range r.lanes {
		if err == nil {
			err = r.lanes[i].done.Wait(r.c, r.lanes[i].done.Next, -1)
		}
	}
	if err != nil {
		return r.fail(fmt.Errorf("render: wait for the GPU: %w", err))
	}
	return nil
}

// collect releases the frames that the GPU has read.
func (r *renderer) collect() error {
	if r.lost == nil && r.d.Lost() { // somebody else met it
		r.lost = fmt.Errorf("render: %s: %w", r.d.Name, media.ErrDeviceLost)
	}
	if r.lost != nil {
		return r.lost
	}
	for i := range r.entries {
		e := &r.entries[i]
		if e.frame == nil {
			continue
		}
		t, v := r.draws, e.drawValue
		if e.lane != nil {
			t, v = e.lane.done, e.laneValue
		} else if e.inPlace && i == r.current {
			continue // redraws read it again
		}
		done, err := t.Done(r.c, v)
		if err != nil {
			return r.fail(err)
		}
		if done {
			e.drop()
		}
	}
	return nil
}

// wait waits until everything drawn so far is finished.
func (r *renderer) wait() error {
	return r.fail(r.draws.Wait(r.c, r.draws.Next, -1))
}

func (r *renderer) close() error {
	var err error
	if r.d != nil {
		if lost := r.lost; lost == nil {
			err = r.idle()
		} else {
			_ = r.idle() // the loss has been reported
		}
		for i := range r.entries {
			r.entries[i].drop()
		}
		r.res.free(r)
		for i := range r.entries {
			r.d.FreeBuffer(r.entries[i].staging)
		}
		for i := range r.linear {
			r.dropLinear(&r.linear[i])
		}
		k := r.d.Commands
		for _, p := range r.pipelines {
			k.DestroyPipeline(r.c, r.d.Handle, p.handle, nil)
		}
		k.DestroySampler(r.c, r.d.Handle, r.nearest, nil)
		for _, p := range r.pools {
			k.DestroyCommandPool(r.c, r.d.Handle, p, nil)
		}
		for _, l := range r.lanes {
			l.done.Close()
		}
		r.draws.Close()
		r.d.FreeBuffer(r.imported)
		if e := r.d.Close(); err == nil {
			err = e
		}
		r.d = nil
	}
	if r.in != nil && r.cfg.On == nil {
		r.in.Close()
	}
	r.in = nil
	return err
}

// Report says how a renderer works, for doctor and for the report of a playback.
type Report struct {
	Device   gpu.Info
	Upload   UploadMode
	Draw     DrawMode
	Imported bool
	// ImportError says why the pool is not read in place, "" when it is.
	ImportError string
	YCbCr       bool // the device's YCbCr sampler is in use
}

func (r *renderer) report() Report {
	p := Report{Device: r.d.Info, Upload: r.mode, Draw: r.cfg.Draw, Imported: r.imported != nil, YCbCr: r.res.source == sourceYCbCr}
	if r.importErr != nil {
		p.ImportError = r.importErr.Error()
	}
	return p
}

// settleUpload waits for the copy of an entry that could not be drawn and releases its
// frame.
func (r *renderer) settleUpload(e *entry) error {
	var err error
	if e.lane != nil && r.lost == nil {
		err = r.fail(e.lane.done.Wait(r.c, e.laneValue, -1))
	}
	e.drop()
	return err
}
