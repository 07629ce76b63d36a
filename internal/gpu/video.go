package gpu

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// Video says what a device's video decode queues can do. The zero value is a device
// without any.
type Video struct {
	// Codecs are the operations of the decode queues.
	Codecs vk.VideoCodecOperationFlagsKHR
	Family uint32
	Queues int
	// Copies says that these queues copy images, too.
	Copies bool
	// Status says that they tell whether a picture was decoded without error.
	Status bool
	// Maintenance1 is VK_KHR_video_maintenance1: images without a profile, queries without
	// commands of their own. Maintenance2: parameter sets handed over with each picture.
	Maintenance1, Maintenance2 bool
	// Unified says that the general layout serves decoding as well as any other, so that
	// a reference picture can be sampled where it lies
	// (VK_KHR_unified_image_layouts with its video feature).
	Unified bool
}

// Names returns what the decode queues decode: "H.264", "AV1".
func (v *Video) Names() (names []string) {
	for _, e := range videoExtensions {
		if v.Codecs&e.op != 0 {
			names = append(names, e.codec)
		}
	}
	return names
}

// VideoQueue is a decode queue that decoders may share.
// Concurrency: any goroutine.
type VideoQueue struct {
	Queue
	users atomic.Int32
}

// OpenVideoQueue returns the decode queue with the fewest users. Each queue of a device
// is an engine of its own where the device has several.
func (d *Device) OpenVideoQueue() *VideoQueue {
	d.videoMu.Lock()
	defer d.videoMu.Unlock()
	var best *VideoQueue
	for _, q := range d.videoQueues {
		if best == nil || q.users.Load() < best.users.Load() {
			best = q
		}
	}
	if best != nil {
		best.users.Add(1)
	}
	return best
}

// Close says that a decoder needs the queue no longer.
func (q *VideoQueue) Close() { q.users.Add(-1) }

// video looks for the family of queues that decodes the most.
func (p *physical) video(in *Instance, c *dl.Caller) {
	n := new(uint32)
	in.Commands.GetPhysicalDeviceQueueFamilyProperties2(c, p.handle, n, nil)
	if *n == 0 || !p.extensions[vk.KHR_VIDEO_QUEUE_EXTENSION_NAME] || !p.extensions[vk.KHR_VIDEO_DECODE_QUEUE_EXTENSION_NAME] {
		return
	}
	fs := make([]vk.QueueFamilyProperties2, *n)
	vs := make([]vk.QueueFamilyVideoPropertiesKHR, *n)
	rs := make([]vk.QueueFamilyQueryResultStatusPropertiesKHR, *n)
	for i := range fs {
		rs[i].SType = vk.STypeQueueFamilyQueryResultStatusPropertiesKHR
		vs[i] = vk.QueueFamilyVideoPropertiesKHR{SType: vk.STypeQueueFamilyVideoPropertiesKHR, PNext: vk.Pointer(&rs[i])}
		fs[i] = vk.QueueFamilyProperties2{SType: vk.STypeQueueFamilyProperties2, PNext: vk.Pointer(&vs[i])}
	}
	in.Commands.GetPhysicalDeviceQueueFamilyProperties2(c, p.handle, n, &fs[0])
	known := p.videoCodecs()
	for i := range fs[:*n] {
		q := &fs[i].QueueFamilyProperties
		ops := vs[i].VideoCodecOperations & known
		if q.QueueFlags&vk.QUEUE_VIDEO_DECODE_BIT_KHR == 0 || q.QueueCount == 0 || ops == 0 || p.Decode.Codecs&^ops != 0 {
			continue
		}
		p.Decode = Video{Codecs: ops, Family: uint32(i), Queues: int(q.QueueCount),
			Copies: q.QueueFlags&vk.QUEUE_TRANSFER_BIT != 0, Status: rs[i].QueryResultStatusSupport != 0,
			Maintenance1: p.maintenance1, Maintenance2: p.maintenance2, Unified: p.unified}
	}
}

// videoExtensions belong to a codec operation each.
var videoExtensions = []struct {
	op    vk.VideoCodecOperationFlagsKHR
	name  string
	codec string
}{
	{vk.VIDEO_CODEC_OPERATION_DECODE_H264_BIT_KHR, vk.KHR_VIDEO_DECODE_H264_EXTENSION_NAME, "H.264"},
	{vk.VIDEO_CODEC_OPERATION_DECODE_H265_BIT_KHR, vk.KHR_VIDEO_DECODE_H265_EXTENSION_NAME, "H.265"},
	{vk.VIDEO_CODEC_OPERATION_DECODE_AV1_BIT_KHR, vk.KHR_VIDEO_DECODE_AV1_EXTENSION_NAME, "AV1"},
	{vk.VIDEO_CODEC_OPERATION_DECODE_VP9_BIT_KHR, vk.KHR_VIDEO_DECODE_VP9_EXTENSION_NAME, "VP9"},
}

func (p *physical) videoCodecs() (ops vk.VideoCodecOperationFlagsKHR) {
	for _, e := range videoExtensions {
		if p.extensions[e.name] {
			ops |= e.op
		}
	}
	return ops
}

// VideoProfile is what a driver wants to know of a stream before it says what it can do.
// The structures point to each other: it is made by the functions below and not copied.
type VideoProfile struct {
	Info vk.VideoProfileInfoKHR

	list vk.VideoProfileListInfoKHR
	h264 vk.VideoDecodeH264ProfileInfoKHR
	h265 vk.VideoDecodeH265ProfileInfoKHR
	av1  vk.VideoDecodeAV1ProfileInfoKHR
	vp9  vk.VideoDecodeVP9ProfileInfoKHR
}

func newVideoProfile(op vk.VideoCodecOperationFlagBitsKHR, bits int) *VideoProfile {
	depth := vk.VideoComponentBitDepthFlagsKHR(vk.VIDEO_COMPONENT_BIT_DEPTH_8_BIT_KHR)
	if bits > 8 {
		depth = vk.VIDEO_COMPONENT_BIT_DEPTH_10_BIT_KHR
	}
	p := &VideoProfile{Info: vk.VideoProfileInfoKHR{SType: vk.STypeVideoProfileInfoKHR, VideoCodecOperation: op,
		ChromaSubsampling: vk.VIDEO_CHROMA_SUBSAMPLING_420_BIT_KHR, LumaBitDepth: depth, ChromaBitDepth: depth}}
	p.list = vk.VideoProfileListInfoKHR{SType: vk.STypeVideoProfileListInfoKHR, ProfileCount: 1, PProfiles: &p.Info}
	return p
}

// H264Profile is a 4:2:0 profile of H.264, 8 bits a sample. Interlaced streams have
// their fields in alternating rows.
func H264Profile(idc int, interlaced bool) *VideoProfile {
	p := newVideoProfile(vk.VIDEO_CODEC_OPERATION_DECODE_H264_BIT_KHR, 8)
	p.h264 = vk.VideoDecodeH264ProfileInfoKHR{SType: vk.STypeVideoDecodeH264ProfileInfoKHR, StdProfileIdc: vk.StdVideoH264ProfileIdc(idc)}
	if interlaced {
		p.h264.PictureLayout = vk.VIDEO_DECODE_H264_PICTURE_LAYOUT_INTERLACED_INTERLEAVED_LINES_BIT_KHR
	}
	p.Info.PNext = vk.Pointer(&p.h264)
	return p
}

// H265Profile is a 4:2:0 profile of H.265.
func H265Profile(idc, bits int) *VideoProfile {
	p := newVideoProfile(vk.VIDEO_CODEC_OPERATION_DECODE_H265_BIT_KHR, bits)
	p.h265 = vk.VideoDecodeH265ProfileInfoKHR{SType: vk.STypeVideoDecodeH265ProfileInfoKHR, StdProfileIdc: vk.StdVideoH265ProfileIdc(idc)}
	p.Info.PNext = vk.Pointer(&p.h265)
	return p
}

// AV1Profile is a 4:2:0 profile of AV1; grain says that the device shall add film grain.
func AV1Profile(profile, bits int, grain bool) *VideoProfile {
	p := newVideoProfile(vk.VIDEO_CODEC_OPERATION_DECODE_AV1_BIT_KHR, bits)
	p.av1 = vk.VideoDecodeAV1ProfileInfoKHR{SType: vk.STypeVideoDecodeAV1ProfileInfoKHR, StdProfile: vk.StdVideoAV1Profile(profile),
		FilmGrainSupport: vk.Bool(grain)}
	p.Info.PNext = vk.Pointer(&p.av1)
	return p
}

// VP9Profile is a 4:2:0 profile of VP9.
func VP9Profile(profile, bits int) *VideoProfile {
	p := newVideoProfile(vk.VIDEO_CODEC_OPERATION_DECODE_VP9_BIT_KHR, bits)
	p.vp9 = vk.VideoDecodeVP9ProfileInfoKHR{SType: vk.STypeVideoDecodeVP9ProfileInfoKHR, StdProfile: vk.StdVideoVP9Profile(profile)}
	p.Info.PNext = vk.Pointer(&p.vp9)
	return p
}

// Format is the multi-planar format of decoded pictures.
func (p *VideoProfile) Format() vk.Format {
	if p.Info.LumaBitDepth == vk.VIDEO_COMPONENT_BIT_DEPTH_8_BIT_KHR {
		return vk.FORMAT_G8_B8R8_2PLANE_420_UNORM
	}
	return vk.FORMAT_G10X6_B10X6R10X6_2PLANE_420_UNORM_3PACK16
}

// VideoCaps is what a device can do with a profile.
type VideoCaps struct {
	OffsetAlign, SizeAlign uint64 // of bitstreams in their buffer
	MinWidth, MinHeight    int
	MaxWidth, MaxHeight    int
	Granularity            [2]int // the device may write whole multiples of it
	Slots, References      int
	// MaxLevel is the highest level as the video headers number it.
	MaxLevel int32
	// Separate says that reference pictures may be images of their own rather than layers
	// of one.
	Separate bool
	// Coincide and Distinct say whether pictures may be, or may not be, decoded to the
	// image that later pictures refer to.
	Coincide, Distinct bool

	std vk.ExtensionProperties
}

// VideoCapabilities asks what the device can do with p.
// Errors: media.ErrNotSupported.
func (d *Device) VideoCapabilities(p *VideoProfile) (*VideoCaps, error) {
	none := func(why string) error { return fmt.Errorf("gpu: %s %s: %w", d.Name, why, media.ErrNotSupported) }
	if len(d.videoQueues) == 0 {
		return nil, none("has no video decoder that Vulkan reaches")
	}
	if d.Decode.Codecs&p.Info.VideoCodecOperation == 0 {
		return nil, none("does not decode this codec")
	}
	h264 := &vk.VideoDecodeH264CapabilitiesKHR{SType: vk.STypeVideoDecodeH264CapabilitiesKHR}
	h265 := &vk.VideoDecodeH265CapabilitiesKHR{SType: vk.STypeVideoDecodeH265CapabilitiesKHR}
	av1 := &vk.VideoDecodeAV1CapabilitiesKHR{SType: vk.STypeVideoDecodeAV1CapabilitiesKHR}
	vp9 := &vk.VideoDecodeVP9CapabilitiesKHR{SType: vk.STypeVideoDecodeVP9CapabilitiesKHR}
	decode := &vk.VideoDecodeCapabilitiesKHR{SType: vk.STypeVideoDecodeCapabilitiesKHR, PNext: vk.Pointer(h264)}
	switch p.Info.VideoCodecOperation {
	case vk.VIDEO_CODEC_OPERATION_DECODE_H265_BIT_KHR:
		decode.PNext = vk.Pointer(h265)
	case vk.VIDEO_CODEC_OPERATION_DECODE_AV1_BIT_KHR:
		decode.PNext = vk.Pointer(av1)
	case vk.VIDEO_CODEC_OPERATION_DECODE_VP9_BIT_KHR:
		decode.PNext = vk.Pointer(vp9)
	}
	k := &vk.VideoCapabilitiesKHR{SType: vk.STypeVideoCapabilitiesKHR, PNext: vk.Pointer(decode)}
	if r := d.Instance.Commands.GetPhysicalDeviceVideoCapabilitiesKHR(new(dl.Caller), d.Physical, &p.Info, k); r < 0 {
		return nil, none("does not decode this profile (" + r.String() + ")")
	}
	caps := &VideoCaps{
		OffsetAlign: max(k.MinBitstreamBufferOffsetAlignment, 1), SizeAlign: max(k.MinBitstreamBufferSizeAlignment, 1),
		MinWidth: int(k.MinCodedExtent.Width), MinHeight: int(k.MinCodedExtent.Height),
		MaxWidth: int(k.MaxCodedExtent.Width), MaxHeight: int(k.MaxCodedExtent.Height),
		Granularity: [2]int{int(k.PictureAccessGranularity.Width), int(k.PictureAccessGranularity.Height)},
		Slots:       int(k.MaxDpbSlots), References: int(k.MaxActiveReferencePictures),
		MaxLevel: int32(h264.MaxLevelIdc), Separate: k.Flags&vk.VIDEO_CAPABILITY_SEPARATE_REFERENCE_IMAGES_BIT_KHR != 0,
		Coincide: decode.Flags&vk.VIDEO_DECODE_CAPABILITY_DPB_AND_OUTPUT_COINCIDE_BIT_KHR != 0,
		Distinct: decode.Flags&vk.VIDEO_DECODE_CAPABILITY_DPB_AND_OUTPUT_DISTINCT_BIT_KHR != 0,
		std:      k.StdHeaderVersion,
	}
	switch decode.PNext {
	case vk.Pointer(h265):
		caps.MaxLevel = int32(h265.MaxLevelIdc)
	case vk.Pointer(av1):
		caps.MaxLevel = int32(av1.MaxLevel)
	case vk.Pointer(vp9):
		caps.MaxLevel = int32(vp9.MaxLevel)
	}
	return caps, nil
}

// VideoFormat reports whether pictures of p may be decoded to images of that usage, and
// with which flags such images may be created.
func (d *Device) VideoFormat(p *VideoProfile, usage vk.ImageUsageFlags) (flags vk.ImageCreateFlags, ok bool) {
	info := &vk.PhysicalDeviceVideoFormatInfoKHR{SType: vk.STypePhysicalDeviceVideoFormatInfoKHR, PNext: vk.Pointer(&p.list), ImageUsage: usage}
	c, n, k := new(dl.Caller), new(uint32), d.Instance.Commands
	if k.GetPhysicalDeviceVideoFormatPropertiesKHR(c, d.Physical, info, n, nil) < 0 || *n == 0 {
		return 0, false
	}
	fs := make([]vk.VideoFormatPropertiesKHR, *n)
	for i := range fs {
		fs[i].SType = vk.STypeVideoFormatPropertiesKHR
	}
	if k.GetPhysicalDeviceVideoFormatPropertiesKHR(c, d.Physical, info, n, &fs[0]) < 0 {
		return 0, false
	}
	for _, f := range fs[:*n] {
		if f.Format == p.Format() && f.ImageTiling == vk.IMAGE_TILING_OPTIMAL {
			return f.ImageCreateFlags, true
		}
	}
	return 0, false
}

// VideoSessionConfig describes a decode session.
type VideoSessionConfig struct {
	Profile       *VideoProfile
	Caps          *VideoCaps
	Width, Height int // the largest coded size
	Slots         int // of the decoded picture buffer, the picture being decoded included
	References    int
	// InlineQueries and InlineParameters say that pictures bring their query
	// (Maintenance1) and their parameter sets (Maintenance2) along.
	InlineQueries, InlineParameters bool
}

// VideoSession is a decode session with its memory.
type VideoSession struct {
	Handle vk.VideoSessionKHR

	d      *Device
	memory []vk.DeviceMemory
}

// NewVideoSession makes a session.
func (d *Device) NewVideoSession(cfg VideoSessionConfig) (*VideoSession, error) {
	c, k := new(dl.Caller), d.Commands
	info := &vk.VideoSessionCreateInfoKHR{SType: vk.STypeVideoSessionCreateInfoKHR, QueueFamilyIndex: d.Decode.Family,
		PVideoProfile: &cfg.Profile.Info, PictureFormat: cfg.Profile.Format(), ReferencePictureFormat: cfg.Profile.Format(),
		MaxCodedExtent: vk.Extent2D{Width: uint32(cfg.Width), Height: uint32(cfg.Height)}, MaxDpbSlots: uint32(cfg.Slots),
		MaxActiveReferencePictures: uint32(cfg.References), PStdHeaderVersion: &cfg.Caps.std}
	if cfg.InlineQueries {
		info.Flags |= vk.VIDEO_SESSION_CREATE_INLINE_QUERIES_BIT_KHR
	}
	if cfg.InlineParameters {
		info.Flags |= vk.VIDEO_SESSION_CREATE_INLINE_SESSION_PARAMETERS_BIT_KHR
	}
	s := &VideoSession{d: d}
	if err := k.CreateVideoSessionKHR(c, d.Handle, info, nil, &s.Handle).Err(); err != nil {
		return nil, fmt.Errorf("gpu: video session %dx%d: %w", cfg.Width, cfg.Height, err)
	}
	n := new(uint32)
	err := k.GetVideoSessionMemoryRequirementsKHR(c, d.Handle, s.Handle, n, nil).Err()
	if err == nil && *n > 0 {
		err = s.bind(c, *n)
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("gpu: memory of a video session: %w", err)
	}
	return s, nil
}

// bind gives the session memory: several pieces, each of its own type.
func (s *VideoSession) bind(c *dl.Caller, n uint32) error {
	d, k := s.d, s.d.Commands
	rs := make([]vk.VideoSessionMemoryRequirementsKHR, n)
	for i := range rs {
		rs[i].SType = vk.STypeVideoSessionMemoryRequirementsKHR
	}
	if err := k.GetVideoSessionMemoryRequirementsKHR(c, d.Handle, s.Handle, &n, &rs[0]).Err(); err != nil {
		return err
	}
	bs := make([]vk.BindVideoSessionMemoryInfoKHR, n)
	for i := range bs {
		r := &rs[i].MemoryRequirements
		t, ok := d.typeFor(r.MemoryTypeBits, Local)
		if !ok {
			return errors.New("no memory type")
		}
		m := new(vk.DeviceMemory)
		if err := k.AllocateMemory(c, d.Handle, &vk.MemoryAllocateInfo{SType: vk.STypeMemoryAllocateInfo, AllocationSize: r.Size, MemoryTypeIndex: t}, nil, m).Err(); err != nil {
			return err
		}
		s.memory = append(s.memory, *m)
		bs[i] = vk.BindVideoSessionMemoryInfoKHR{SType: vk.STypeBindVideoSessionMemoryInfoKHR, MemoryBindIndex: rs[i].MemoryBindIndex,
			Memory: *m, MemorySize: r.Size}
	}
	return k.BindVideoSessionMemoryKHR(c, d.Handle, s.Handle, n, &bs[0]).Err()
}

// NewParameters makes an object with parameter sets; next is the codec's own create
// info.
func (s *VideoSession) NewParameters(next unsafe.Pointer) (vk.VideoSessionParametersKHR, error) {
	p := new(vk.VideoSessionParametersKHR)
	info := &vk.VideoSessionParametersCreateInfoKHR{SType: vk.STypeVideoSessionParametersCreateInfoKHR, PNext: next, VideoSession: s.Handle}
	if err := s.d.Commands.CreateVideoSessionParametersKHR(new(dl.Caller), s.d.Handle, info, nil, p).Err(); err != nil {
		return 0, fmt.Errorf("gpu: parameter sets of a video session: %w", err)
	}
	return *p, nil
}

// FreeParameters destroys what NewParameters made; 0 is fine.
func (s *VideoSession) FreeParameters(p vk.VideoSessionParametersKHR) {
	s.d.Commands.DestroyVideoSessionParametersKHR(new(dl.Caller), s.d.Handle, p, nil)
}

// Close destroys the session; nil is fine. Nothing of it may be in flight.
func (s *VideoSession) Close() {
	if s == nil {
		return
	}
	c := new(dl.Caller)
	s.d.Commands.DestroyVideoSessionKHR(c, s.d.Handle, s.Handle, nil)
	for _, m := range s.memory {
		s.d.Commands.FreeMemory(c, s.d.Handle, m, nil)
	}
	*s = VideoSession{d: s.d}
}

// NewBitstreamBuffer makes a buffer that the CPU writes and the decoder reads.
func (d *Device) NewBitstreamBuffer(p *VideoProfile, size uint64) (*Buffer, error) {
	c := new(dl.Caller)
	b := &Buffer{Size: size}
	info := &vk.BufferCreateInfo{SType: vk.STypeBufferCreateInfo, PNext: vk.Pointer(&p.list), Size: size, Usage: vk.BUFFER_USAGE_VIDEO_DECODE_SRC_BIT_KHR}
	if err := d.Commands.CreateBuffer(c, d.Handle, info, nil, &b.Handle).Err(); err != nil {
		return nil, fmt.Errorf("gpu: bitstream buffer of %d bytes: %w", size, err)
	}
	if err := d.backBuffer(c, b, Staging); err != nil {
		return nil, err
	}
	return b, nil
}

// NewStatusQueries makes a pool of n queries of how decoding went.
func (d *Device) NewStatusQueries(p *VideoProfile, n int) (vk.QueryPool, error) {
	q := new(vk.QueryPool)
	info := &vk.QueryPoolCreateInfo{SType: vk.STypeQueryPoolCreateInfo, PNext: vk.Pointer(&p.Info),
		QueryType: vk.QUERY_TYPE_RESULT_STATUS_ONLY_KHR, QueryCount: uint32(n)}
	if err := d.Commands.CreateQueryPool(new(dl.Caller), d.Handle, info, nil, q).Err(); err != nil {
		return 0, fmt.Errorf("gpu: decode status queries: %w", err)
	}
	return *q, nil
}
