package render

import (
	"fmt"

	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// shape is all of a frame that resources depend on.
type shape struct {
	format        media.PixelFormat
	width, height int
	images        bool
	chroma        media.ChromaLocation // of a YCbCr sampler
	// decoded pictures bring their images, whose size this is; converted says that they
	// can be read through a YCbCr sampler only.
	decoded, converted bool
}

// resources are what frames of one shape need. A change of shape waits for the GPU and
// builds them anew.
type resources struct {
	shape  shape
	source source

	setLayout vk.DescriptorSetLayout
	layout    vk.PipelineLayout
	pool      vk.DescriptorPool

	conversion vk.SamplerYcbcrConversion
	sampler    vk.Sampler
	planes     [3]planeImage
	planeCount int
	ycbcrScale float64
	ycbcr      vk.Format
	// Size of the multi-planar image: even, where chroma is subsampled.
	width, height int
}

const stages = vk.SHADER_STAGE_FRAGMENT_BIT | vk.SHADER_STAGE_COMPUTE_BIT

// adapt makes the resources fit s.
func (r *renderer) adapt(s shape) error {
	if r.res.layout != 0 && r.res.shape == s {
		return nil
	}
	if r.draws.Next > 0 {
		if err := r.wait(); err != nil {
			return err
		}
	}
	r.res.free(r)
	for i := range r.linear {
		r.dropLinear(&r.linear[i])
	}
	// What was drawn last is gone with its resources: there is nothing to draw again.
	r.current = -1
	if err := r.build(s); err != nil {
		r.res.free(r)
		return err
	}
	return nil
}

func (r *renderer) build(s shape) error {
	res := &r.res
	res.shape, res.source = s, sourceStorage
	res.planes, res.planeCount = planeImages(s.format, s.width, s.height)
	if s.images {
		res.source = sourcePlanes
		if s.converted || !s.decoded && r.cfg.Sampling == SampleYCbCr && r.mode != UploadLinear {
			if err := r.newConversion(s); err != nil {
				return err
			}
		}
		if s.converted && res.source != sourceYCbCr {
			return fmt.Errorf("render: %s can neither view the planes of decoded %v pictures nor convert them: %w", r.d.Name, s.format, media.ErrNotSupported)
		}
	}
	if err := r.newLayouts(); err != nil {
		return err
	}
	for i := range r.entries {
		if err := r.fitEntry(&r.entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// newConversion sets up the YCbCr sampler when the device has it for shape s.
func (r *renderer) newConversion(s shape) error {
	res := &r.res
	format, scale := ycbcrFormat(s.format)
	if !r.d.YCbCrSampler || format == vk.FORMAT_UNDEFINED {
		return nil
	}
	d := s.format.Info()
	have := r.d.FormatFeatures(format)
	need := vk.FORMAT_FEATURE_SAMPLED_IMAGE_BIT | vk.FORMAT_FEATURE_SAMPLED_IMAGE_YCBCR_CONVERSION_LINEAR_FILTER_BIT
	if !s.decoded {
		need |= vk.FORMAT_FEATURE_TRANSFER_DST_BIT
	}
	location := func(offset float64, sub int) (vk.ChromaLocation, vk.FormatFeatureFlags, bool) {
		if sub > 0 && offset == 0.5 {
			return vk.CHROMA_LOCATION_MIDPOINT, vk.FORMAT_FEATURE_MIDPOINT_CHROMA_SAMPLES_BIT, true
		}
		if sub > 0 {
			return vk.CHROMA_LOCATION_COSITED_EVEN, vk.FORMAT_FEATURE_COSITED_CHROMA_SAMPLES_BIT, offset == 0
		}
		return vk.CHROMA_LOCATION_COSITED_EVEN, 0, true
	}
	ox, oy := s.chroma.Offset()
	cx, fx, okX := location(ox, d.ChromaX)
	cy, fy, okY := location(oy, d.ChromaY)
	if need |= fx | fy; !okX || !okY || have&need != need {
		return nil
	}
	filter := vk.FILTER_LINEAR
	info := &vk.SamplerYcbcrConversionCreateInfo{SType: vk.STypeSamplerYcbcrConversionCreateInfo, Format: format,
		YcbcrModel: vk.SAMPLER_YCBCR_MODEL_CONVERSION_RGB_IDENTITY, YcbcrRange: vk.SAMPLER_YCBCR_RANGE_ITU_FULL,
		XChromaOffset: cx, YChromaOffset: cy, ChromaFilter: filter}
	if err := r.d.Commands.CreateSamplerYcbcrConversion(r.c, r.d.Handle, info, nil, &res.conversion).Err(); err != nil {
		return fmt.Errorf("render: YCbCr conversion: %w", err)
	}
	var err error
	if res.sampler, err = r.d.NewSampler(filter, res.conversion); err != nil {
		return err
	}
	up := func(n, sub int) int { return (n + 1<<sub - 1) >> sub << sub }
	res.source, res.ycbcr, res.ycbcrScale = sourceYCbCr, format, scale
	res.width, res.height = up(s.width, d.ChromaX), up(s.height, d.ChromaY)
	return nil
}

func (r *renderer) newLayouts() error {
	res := &r.res
	target := vk.DescriptorSetLayoutBinding{Binding: 3, DescriptorType: vk.DESCRIPTOR_TYPE_STORAGE_IMAGE, DescriptorCount: 1, StageFlags: vk.SHADER_STAGE_COMPUTE_BIT}
	bindings := []vk.DescriptorSetLayoutBinding{target}
	n := uint32(len(r.entries))
	if res.shape.decoded {
		n += maxRecordings
	}
	sizes := []vk.DescriptorPoolSize{{Type: vk.DESCRIPTOR_TYPE_STORAGE_IMAGE, DescriptorCount: n}}
	if res.source == sourceStorage {
		bindings = append(bindings, vk.DescriptorSetLayoutBinding{DescriptorType: vk.DESCRIPTOR_TYPE_STORAGE_BUFFER, DescriptorCount: 1, StageFlags: stages})
		sizes = append(sizes, vk.DescriptorPoolSize{Type: vk.DESCRIPTOR_TYPE_STORAGE_BUFFER, DescriptorCount: n})
	} else {
		sampler, count := &r.nearest, 3
		if res.source == sourceYCbCr {
			sampler, count = &res.sampler, 1
		}
		for i := range count {
			bindings = append(bindings, vk.DescriptorSetLayoutBinding{Binding: uint32(i), DescriptorType: vk.DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
				DescriptorCount: 1, StageFlags: stages, PImmutableSamplers: sampler})
		}
		// A multi-planar image may take a descriptor for each of its planes.
		sizes = append(sizes, vk.DescriptorPoolSize{Type: vk.DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, DescriptorCount: 4 * n})
	}
	k, h := r.d.Commands, r.d.Handle
	if err := k.CreateDescriptorSetLayout(r.c, h, &vk.DescriptorSetLayoutCreateInfo{SType: vk.STypeDescriptorSetLayoutCreateInfo,
		BindingCount: uint32(len(bindings)), PBindings: &bindings[0]}, nil, &res.setLayout).Err(); err != nil {
		return fmt.Errorf("render: descriptor layout: %w", err)
	}
	if err := k.CreatePipelineLayout(r.c, h, &vk.PipelineLayoutCreateInfo{SType: vk.STypePipelineLayoutCreateInfo, SetLayoutCount: 1, PSetLayouts: &res.setLayout,
		PushConstantRangeCount: 1, PPushConstantRanges: &vk.PushConstantRange{StageFlags: stages, Size: 128}}, nil, &res.layout).Err(); err != nil {
		return fmt.Errorf("render: pipeline layout: %w", err)
	}
	if err := k.CreateDescriptorPool(r.c, h, &vk.DescriptorPoolCreateInfo{SType: vk.STypeDescriptorPoolCreateInfo, MaxSets: n,
		PoolSizeCount: uint32(len(sizes)), PPoolSizes: &sizes[0]}, nil, &res.pool).Err(); err != nil {
		return fmt.Errorf("render: descriptor pool: %w", err)
	}
	return nil
}

// fitEntry gives e the descriptor set and the images of the current shape. Buffers come
// with the first frame, whose strides decide their size.
func (r *renderer) fitEntry(e *entry) error {
	res := &r.res
	if err := r.newSet(&e.set); err != nil {
		return err
	}
	if res.source == sourceStorage || res.shape.decoded {
		return nil
	}
	const usage = vk.IMAGE_USAGE_SAMPLED_BIT | vk.IMAGE_USAGE_TRANSFER_DST_BIT
	var err error
	if res.source == sourceYCbCr {
		e.images[0], err = r.d.NewImage(gpu.ImageConfig{Width: res.width, Height: res.height, Format: res.ycbcr, Usage: usage,
			Shared: r.mode.transfer(), Conversion: res.conversion})
		return err
	}
	for i, p := range res.planes[:res.planeCount] {
		if e.images[i], err = r.d.NewImage(gpu.ImageConfig{Width: p.width, Height: p.height, Format: p.format, Usage: usage,
			Shared: r.mode.transfer()}); err != nil {
			return err
		}
	}
	return nil
}

// free destroys everything of the current shape; nothing may be in flight.
func (res *resources) free(r *renderer) {
	k, h := r.d.Commands, r.d.Handle
	r.recorded.free(r)
	for i := range r.entries {
		e := &r.entries[i]
		for j, im := range e.images {
			r.d.FreeImage(im)
			e.images[j] = nil
		}
		r.d.FreeBuffer(e.local)
		e.local, e.set = nil, 0
	}
	// The pipelines were built for this layout; its handle may be given out again.
	for _, p := range r.pipelines {
		k.DestroyPipeline(r.c, h, p.handle, nil)
	}
	r.pipelines = r.pipelines[:0]
	k.DestroyDescriptorPool(r.c, h, res.pool, nil)
	k.DestroyPipelineLayout(r.c, h, res.layout, nil)
	k.DestroyDescriptorSetLayout(r.c, h, res.setLayout, nil)
	k.DestroySampler(r.c, h, res.sampler, nil)
	k.DestroySamplerYcbcrConversion(r.c, h, res.conversion, nil)
	*res = resources{}
}
