package vkvideo

import (
	"fmt"
	"sync/atomic"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// inFlight is how many pictures of a decoder may be on their way through the GPU.
const inFlight = 8

// image is a picture in GPU memory.
type image struct {
	pic  *gpu.Picture
	view vk.ImageView // to decode to, 0 when it is only copied to
	seq  *sequence
	// width and height are those of the picture that is in it.
	width, height int

	held  int          // by a slot and by the wait for output
	out   atomic.Int32 // how many frames of it the consumer has
	fresh bool         // its layout is not defined yet
	first handle
	more  []*handle // for pictures that are shown again while they are on the screen
}

// handle is a frame that hands an image on.
type handle struct {
	frame media.Frame
	im    *image
	out   atomic.Bool // the consumer has it
}

// ReclaimFrame takes the image back from whoever released its frame last.
func (h *handle) ReclaimFrame(f *media.Frame) {
	f.GPU = nil
	h.out.Store(false)
	h.im.out.Add(-1)
	h.im.seq.release()
}

// handle returns a frame of the image that the consumer does not have.
func (im *image) handle() *handle {
	if !im.first.out.Load() {
		return &im.first
	}
	for _, h := range im.more {
		if !h.out.Load() {
			return h
		}
	}
	h := &handle{im: im}
	im.more = append(im.more, h)
	return h
}

// free reports whether a picture may be decoded to the image.
func (im *image) free() bool { return im.held == 0 && im.out.Load() == 0 }

// sequence is what pictures of one size and format need. It outlives its decoder until
// the last frame is back.
type sequence struct {
	kind    kind
	profile *gpu.VideoProfile
	caps    *gpu.VideoCaps
	dev     *gpu.Device
	session *gpu.VideoSession
	mode    Images

	// images are what is handed on; dpb are reference pictures by slot, when those are
	// others.
	images []*image
	dpb    []*image
	pools  []*gpu.Pictures

	ring    *Ring
	pool    vk.CommandPool
	jobs    [inFlight]job
	queries vk.QueryPool
	inlineQ bool
	inlineP bool

	parameters vk.VideoSessionParametersKHR
	version    uint32
	retired    []retired
	reset      bool // the session must be reset before its next picture

	done *timeline
	refs atomic.Int32 // the decoder, and each frame
}

// timeline is what a decoder raises as pictures are there. Frames that are out wait for
// it, so it outlives the decoder with their sequences.
type timeline struct {
	*gpu.Timeline
	refs atomic.Int32
}

func newTimeline(d *gpu.Device) (*timeline, error) {
	g, err := d.NewTimeline()
	if err != nil {
		return nil, err
	}
	t := &timeline{Timeline: g}
	t.refs.Store(1)
	return t, nil
}

func (t *timeline) retain() *timeline {
	t.refs.Add(1)
	return t
}

// release drops a reference; nil is fine.
func (t *timeline) release() {
	if t != nil && t.refs.Add(-1) == 0 {
		t.Close()
	}
}

// retired is an object that pictures up to a value of the timeline need.
type retired struct {
	parameters vk.VideoSessionParametersKHR
	value      uint64
}

// job is a picture on its way through the GPU.
type job struct {
	cb      vk.CommandBuffer
	value   uint64 // of the timeline, 0 for none
	id      bitstream.PictureID
	corrupt bool // the parser knows that it cannot be right
	ring    *Ring
	segment int
}

// describe says what a stream asks for, for errors.
func (k *kind) describe() string {
	s := fmt.Sprintf("%dx%d, profile %d, %d bits", k.width, k.height, k.profile, k.bits)
	if k.interlaced {
		s += ", interlaced"
	}
	if k.grain {
		s += ", film grain"
	}
	return s
}

// supports asks whether dev decodes streams of kind k at a level.
func supports(dev *gpu.Device, p *gpu.VideoProfile, k *kind, level int32) (*gpu.VideoCaps, error) {
	caps, err := dev.VideoCapabilities(p)
	if err != nil {
		return nil, fmt.Errorf("vkvideo: %s: %w", k.describe(), err)
	}
	refuse := func(format string, a ...any) (*gpu.VideoCaps, error) {
		return nil, fmt.Errorf("vkvideo: %s: %s decodes %s: %w", k.describe(), dev.Name, fmt.Sprintf(format, a...), media.ErrNotSupported)
	}
	switch {
	case k.width < caps.MinWidth || k.height < caps.MinHeight || k.width > caps.MaxWidth || k.height > caps.MaxHeight:
		return refuse("%dx%d to %dx%d", caps.MinWidth, caps.MinHeight, caps.MaxWidth, caps.MaxHeight)
	case k.slots > caps.Slots:
		return refuse("with %d reference slots, the stream needs %d", caps.Slots, k.slots)
	case k.references > caps.References:
		return refuse("%d reference pictures, the stream has %d", caps.References, k.references)
	case level > caps.MaxLevel:
		return refuse("up to level number %d, the stream has %d", caps.MaxLevel, level)
	}
	return caps, nil
}

// chooseImages decides how pictures are kept on a device.
func chooseImages(want Images, dev *gpu.Device, caps *gpu.VideoCaps) (Images, error) {
	can := map[Images]bool{
		ImagesShared:   caps.Coincide && dev.Decode.Unified,
		ImagesDistinct: caps.Distinct,
		ImagesCopied:   caps.Coincide && dev.Decode.Copies,
	}
	for _, m := range []Images{ImagesShared, ImagesDistinct, ImagesCopied} {
		if can[m] && (want == ImagesAuto || want == m) {
			return m, nil
		}
	}
	return 0, fmt.Errorf("vkvideo: %s has no way to hand on decoded pictures (%v): %w", dev.Name, want, media.ErrNotSupported)
}

// newSequence makes everything that pictures of kind k need.
func newSequence(cfg *Config, c *dl.Caller, done *timeline, profile *gpu.VideoProfile, k kind, level int32) (s *sequence, err error) {
	dev := cfg.Device
	s = &sequence{kind: k, profile: profile, dev: dev.Retain(), done: done.retain(), reset: true}
	s.refs.Store(1)
	defer func() {
		if err != nil {
			s.release()
			s = nil
		}
	}()
	if s.caps, err = supports(dev, profile, &k, level); err != nil {
		return s, err
	}
	if s.mode, err = chooseImages(cfg.Images, dev, s.caps); err != nil {
		return s, err
	}
	if k.grain && s.mode == ImagesCopied {
		return s, fmt.Errorf("vkvideo: %s: not where pictures are copied: %w", k.describe(), media.ErrNotSupported)
	}
	s.inlineQ = dev.Decode.Status && dev.Decode.Maintenance1 && !cfg.NoMaintenance
	s.inlineP = dev.Decode.Maintenance2 && !cfg.NoMaintenance && !k.noSets
	if s.session, err = dev.NewVideoSession(gpu.VideoSessionConfig{Profile: profile, Caps: s.caps, Width: k.width, Height: k.height,
		Slots: k.slots, References: k.references, InlineQueries: s.inlineQ, InlineParameters: s.inlineP}); err != nil {
		return s, err
	}
	if err = s.makeImages(cfg.Hold); err != nil {
		return s, err
	}
	return s, s.makeJobs(c)
}

func (s *sequence) makeImages(hold int) error {
	const dpb, dst = vk.IMAGE_USAGE_VIDEO_DECODE_DPB_BIT_KHR, vk.IMAGE_USAGE_VIDEO_DECODE_DST_BIT_KHR
	n := s.kind.slots + hold
	if s.kind.grain && s.mode == ImagesShared {
		n += s.kind.slots // what is shown is not what slots stand for
	}
	switch s.mode {
	case ImagesShared:
		return s.add(&s.images, dpb|dst, n, !s.caps.Separate, true)
	case ImagesDistinct:
		if err := s.add(&s.dpb, dpb, s.kind.slots, !s.caps.Separate, false); err != nil {
			return err
		}
		return s.add(&s.images, dst, n, false, true)
	}
	if err := s.add(&s.dpb, dpb|dst|vk.IMAGE_USAGE_TRANSFER_SRC_BIT, s.kind.slots, !s.caps.Separate, false); err != nil {
		return err
	}
	if !s.caps.Separate { // then no image that the device decodes to can be the consumer's
		return s.add(&s.images, vk.IMAGE_USAGE_TRANSFER_DST_BIT, n, false, true)
	}
	return s.add(&s.images, dpb|dst|vk.IMAGE_USAGE_TRANSFER_DST_BIT, n, false, true)
}

// add makes n images and appends them to list.
func (s *sequence) add(list *[]*image, usage vk.ImageUsageFlags, n int, layered, sampled bool) error {
	ps, err := s.dev.NewPictures(gpu.PicturesConfig{Profile: s.profile, Width: s.kind.width, Height: s.kind.height, Count: n,
		Usage: usage, Sampled: sampled, Layered: layered})
	if err != nil {
		return err
	}
	s.pools = append(s.pools, ps)
	for i := range ps.Pictures {
		im := &image{pic: &ps.Pictures[i], view: ps.Decode[i], seq: s, fresh: true, width: s.kind.width, height: s.kind.height}
		im.first.im = im
		im.pic.Layout = vk.IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL
		if s.mode == ImagesShared {
			im.pic.Layout = vk.IMAGE_LAYOUT_GENERAL
		}
		*list = append(*list, im)
	}
	return nil
}

// take returns a free image, making one when the consumer holds more than it said.
func (s *sequence) take(grown func()) (*image, error) {
	for _, im := range s.images {
		if im.free() {
			return im, nil
		}
	}
	if s.mode == ImagesShared && !s.caps.Separate || len(s.images) >= s.kind.slots+2*maxHold {
		return nil, fmt.Errorf("vkvideo: all %d pictures are in use: the consumer must release frames", len(s.images))
	}
	grown()
	usage := vk.ImageUsageFlags(vk.IMAGE_USAGE_VIDEO_DECODE_DST_BIT_KHR)
	switch s.mode {
	case ImagesShared:
		usage |= vk.IMAGE_USAGE_VIDEO_DECODE_DPB_BIT_KHR
	case ImagesCopied:
		usage |= vk.IMAGE_USAGE_VIDEO_DECODE_DPB_BIT_KHR | vk.IMAGE_USAGE_TRANSFER_DST_BIT
		if !s.caps.Separate {
			usage = vk.IMAGE_USAGE_TRANSFER_DST_BIT
		}
	}
	if err := s.add(&s.images, usage, 1, false, true); err != nil {
		return nil, err
	}
	return s.images[len(s.images)-1], nil
}

// segmentBytes is room for a picture of that size that hardly compresses.
func segmentBytes(k *kind, caps *gpu.VideoCaps) int {
	n := max(k.width*k.height*3/4*((k.bits+7)/8), 1<<16)
	return align(n, int(max(caps.OffsetAlign, caps.SizeAlign, 4096)))
}

func align(n, to int) int { return (n + to - 1) / to * to }

// makeRing makes bitstream memory with segments of a size.
func (s *sequence) makeRing(size int) (*Ring, error) {
	const segments = inFlight + 4
	b, err := s.dev.NewBitstreamBuffer(s.profile, uint64(size*segments))
	if err != nil {
		return nil, err
	}
	return newRing(b, b.Mapped, segments), nil
}

func (s *sequence) makeJobs(c *dl.Caller) (err error) {
	k, h := s.dev.Commands, s.dev.Handle
	if s.ring, err = s.makeRing(segmentBytes(&s.kind, s.caps)); err != nil {
		return err
	}
	if err := k.CreateCommandPool(c, h, &vk.CommandPoolCreateInfo{SType: vk.STypeCommandPoolCreateInfo,
		Flags: vk.COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT | vk.COMMAND_POOL_CREATE_TRANSIENT_BIT, QueueFamilyIndex: s.dev.Decode.Family}, nil, &s.pool).Err(); err != nil {
		return fmt.Errorf("vkvideo: command pool: %w", err)
	}
	for i := range s.jobs {
		if err := k.AllocateCommandBuffers(c, h, &vk.CommandBufferAllocateInfo{SType: vk.STypeCommandBufferAllocateInfo,
			CommandPool: s.pool, CommandBufferCount: 1}, &s.jobs[i].cb).Err(); err != nil {
			return fmt.Errorf("vkvideo: command buffer: %w", err)
		}
	}
	if s.dev.Decode.Status {
		if s.queries, err = s.dev.NewStatusQueries(s.profile, inFlight); err != nil {
			return err
		}
	}
	return nil
}

// release drops a reference; the last one destroys everything. Frames come back after
// the GPU has read them and the decoder lets go when it has finished, so nothing is in
// flight.
func (s *sequence) release() {
	if s.refs.Add(-1) > 0 {
		return
	}
	c, k, h := new(dl.Caller), s.dev.Commands, s.dev.Handle
	k.DestroyCommandPool(c, h, s.pool, nil)
	k.DestroyQueryPool(c, h, s.queries, nil)
	if s.session != nil {
		for _, r := range s.retired {
			s.session.FreeParameters(r.parameters)
		}
		s.session.FreeParameters(s.parameters)
	}
	s.session.Close()
	if s.ring != nil {
		s.dev.FreeBuffer(s.ring.buffer)
	}
	for _, p := range s.pools {
		p.Close()
	}
	s.done.release()
	_ = s.dev.Close() // a loss was reported where it was met
}
