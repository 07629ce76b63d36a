package render

import (
	"embed"
	"fmt"

	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
)

//go:embed shader/*.spv
var shaders embed.FS

// source is where the shader takes samples from.
type source uint8

const (
	sourceStorage source = iota
	sourcePlanes
	sourceYCbCr
)

// pipelineKey is all that a pipeline depends on.
type pipelineKey struct {
	source    source
	compute   bool
	target    vk.Format
	layout    vk.PipelineLayout
	constants [7]uint32
}

// pipeline returns the pipeline of key, building it the first time.
func (r *renderer) pipeline(key pipelineKey) (vk.Pipeline, error) {
	for i := range r.pipelines {
		if r.pipelines[i].key == key {
			return r.pipelines[i].handle, nil
		}
	}
	load := func(name string) []byte {
		b, err := shaders.ReadFile("shader/" + name + ".spv")
		if err != nil {
			panic(err) // embedded: a broken build
		}
		return b
	}
	name := "picture_" + [...]string{"storage", "planes", "ycbcr"}[key.source]
	cfg := gpu.PipelineConfig{Layout: key.layout, Format: key.target, Constants: append([]uint32(nil), key.constants[:]...)}
	if key.compute {
		cfg.Compute = load(name + ".comp")
	} else {
		cfg.Vertex, cfg.Fragment = load("triangle.vert"), load(name+".frag")
	}
	h, err := r.d.NewPipeline(cfg)
	if err != nil {
		return 0, fmt.Errorf("render: %w", err)
	}
	r.pipelines = append(r.pipelines, builtPipeline{key, h})
	return h, nil
}

type builtPipeline struct {
	key    pipelineKey
	handle vk.Pipeline
}
