package gpu

import (
	"fmt"
	"unsafe"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/vk"
)

// PipelineConfig describes a pipeline that draws one triangle over the whole target, or
// with Compute set one that computes it.
type PipelineConfig struct {
	Vertex, Fragment []byte // SPIR-V
	Compute          []byte
	Layout           vk.PipelineLayout
	Format           vk.Format // of the target
	// Constants are 32-bit specialization constants 0, 1, 2… of the last stage.
	Constants []uint32
}

func (d *Device) shader(c *dl.Caller, spirv []byte) (vk.ShaderModule, error) {
	words := make([]uint32, len(spirv)/4)
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(spirv)), spirv)
	m := new(vk.ShaderModule)
	err := d.Commands.CreateShaderModule(c, d.Handle, &vk.ShaderModuleCreateInfo{SType: vk.STypeShaderModuleCreateInfo,
		CodeSize: uintptr(len(words) * 4), PCode: &words[0]}, nil, m).Err()
	return *m, err
}

// NewPipeline builds a pipeline.
func (d *Device) NewPipeline(cfg PipelineConfig) (vk.Pipeline, error) {
	c := new(dl.Caller)
	entry := dl.CString("main")
	var modules []vk.ShaderModule
	defer func() {
		for _, m := range modules {
			d.Commands.DestroyShaderModule(c, d.Handle, m, nil)
		}
	}()
	var stages []vk.PipelineShaderStageCreateInfo
	add := func(stage vk.ShaderStageFlags, spirv []byte) error {
		m, err := d.shader(c, spirv)
		if err != nil {
			return fmt.Errorf("gpu: shader: %w", err)
		}
		modules = append(modules, m)
		stages = append(stages, vk.PipelineShaderStageCreateInfo{SType: vk.STypePipelineShaderStageCreateInfo, Stage: stage, Module: m, PName: entry})
		return nil
	}
	special := specialization(cfg.Constants)
	p := new(vk.Pipeline)
	if cfg.Compute != nil {
		if err := add(vk.SHADER_STAGE_COMPUTE_BIT, cfg.Compute); err != nil {
			return 0, err
		}
		stages[0].PSpecializationInfo = special
		info := &vk.ComputePipelineCreateInfo{SType: vk.STypeComputePipelineCreateInfo, Stage: stages[0], Layout: cfg.Layout}
		if err := d.Commands.CreateComputePipelines(c, d.Handle, 0, 1, info, nil, p).Err(); err != nil {
			return 0, fmt.Errorf("gpu: compute pipeline: %w", err)
		}
		return *p, nil
	}
	if err := add(vk.SHADER_STAGE_VERTEX_BIT, cfg.Vertex); err != nil {
		return 0, err
	}
	if err := add(vk.SHADER_STAGE_FRAGMENT_BIT, cfg.Fragment); err != nil {
		return 0, err
	}
	stages[1].PSpecializationInfo = special
	format := new(vk.Format)
	*format = cfg.Format
	dynamic := []vk.DynamicState{vk.DYNAMIC_STATE_VIEWPORT, vk.DYNAMIC_STATE_SCISSOR}
	info := &vk.GraphicsPipelineCreateInfo{SType: vk.STypeGraphicsPipelineCreateInfo,
		PNext: vk.Pointer(&vk.PipelineRenderingCreateInfo{SType: vk.STypePipelineRenderingCreateInfo,
			ColorAttachmentCount: 1, PColorAttachmentFormats: format}),
		StageCount: uint32(len(stages)), PStages: &stages[0],
		PVertexInputState: &vk.PipelineVertexInputStateCreateInfo{SType: vk.STypePipelineVertexInputStateCreateInfo},
		PInputAssemblyState: &vk.PipelineInputAssemblyStateCreateInfo{SType: vk.STypePipelineInputAssemblyStateCreateInfo,
			Topology: vk.PRIMITIVE_TOPOLOGY_TRIANGLE_LIST},
		PViewportState:      &vk.PipelineViewportStateCreateInfo{SType: vk.STypePipelineViewportStateCreateInfo, ViewportCount: 1, ScissorCount: 1},
		PRasterizationState: &vk.PipelineRasterizationStateCreateInfo{SType: vk.STypePipelineRasterizationStateCreateInfo, LineWidth: 1},
		PMultisampleState: &vk.PipelineMultisampleStateCreateInfo{SType: vk.STypePipelineMultisampleStateCreateInfo,
			RasterizationSamples: vk.SAMPLE_COUNT_1_BIT},
		PColorBlendState: &vk.PipelineColorBlendStateCreateInfo{SType: vk.STypePipelineColorBlendStateCreateInfo,
			AttachmentCount: 1, PAttachments: &vk.PipelineColorBlendAttachmentState{ColorWriteMask: 15}},
		PDynamicState: &vk.PipelineDynamicStateCreateInfo{SType: vk.STypePipelineDynamicStateCreateInfo,
			DynamicStateCount: uint32(len(dynamic)), PDynamicStates: &dynamic[0]},
		Layout: cfg.Layout}
	if err := d.Commands.CreateGraphicsPipelines(c, d.Handle, 0, 1, info, nil, p).Err(); err != nil {
		return 0, fmt.Errorf("gpu: graphics pipeline: %w", err)
	}
	return *p, nil
}

func specialization(constants []uint32) *vk.SpecializationInfo {
	if len(constants) == 0 {
		return nil
	}
	entries := make([]vk.SpecializationMapEntry, len(constants))
	for i := range entries {
		entries[i] = vk.SpecializationMapEntry{ConstantID: uint32(i), Offset: uint32(4 * i), Size: 4}
	}
	return &vk.SpecializationInfo{MapEntryCount: uint32(len(entries)), PMapEntries: &entries[0],
		DataSize: uintptr(4 * len(constants)), PData: unsafe.Pointer(&constants[0])}
}

// NewSampler makes a clamping sampler, with a YCbCr conversion unless conv is 0.
func (d *Device) NewSampler(f vk.Filter, conv vk.SamplerYcbcrConversion) (vk.Sampler, error) {
	const clamp = vk.SAMPLER_ADDRESS_MODE_CLAMP_TO_EDGE
	info := &vk.SamplerCreateInfo{SType: vk.STypeSamplerCreateInfo, MagFilter: f, MinFilter: f,
		AddressModeU: clamp, AddressModeV: clamp, AddressModeW: clamp}
	if conv != 0 {
		info.PNext = vk.Pointer(&vk.SamplerYcbcrConversionInfo{SType: vk.STypeSamplerYcbcrConversionInfo, Conversion: conv})
	}
	s := new(vk.Sampler)
	if err := d.Commands.CreateSampler(new(dl.Caller), d.Handle, info, nil, s).Err(); err != nil {
		return 0, fmt.Errorf("gpu: sampler: %w", err)
	}
	return *s, nil
}

// FormatFeatures returns what optimally tiled images of format f can do.
func (d *Device) FormatFeatures(f vk.Format) vk.FormatFeatureFlags {
	p := &vk.FormatProperties2{SType: vk.STypeFormatProperties2}
	d.Instance.Commands.GetPhysicalDeviceFormatProperties2(new(dl.Caller), d.Physical, f, p)
	return p.FormatProperties.OptimalTilingFeatures
}
