package soft

import (
	"fmt"
	"testing"

	"github.com/scanout-av/scanout/media"
)

// forever keeps a frame alive through any number of presents.
type forever struct{}

func (forever) ReclaimFrame(*media.Frame) {}

// BenchmarkPresent draws 1080p I420 offscreen; one operation is one frame.
func BenchmarkPresent(b *testing.B) {
	for _, c := range []struct {
		name   string
		w, h   int
		filter Filter
		turn   media.Orientation
	}{
		{"unscaled", 1920, 1080, FilterBilinear, media.Orientation{}},
		{"bilinear", 1280, 720, FilterBilinear, media.Orientation{}},
		{"nearest", 1280, 720, FilterNearest, media.Orientation{}},
		{"bilinear", 640, 360, FilterBilinear, media.Orientation{}},
		{"bilinear", 320, 180, FilterBilinear, media.Orientation{}},
		{"bilinear", 3840, 2160, FilterBilinear, media.Orientation{}},
		{"turned", 1080, 1920, FilterBilinear, media.Orientation{Rotation: 90}},
		{"mirrored", 1920, 1080, FilterBilinear, media.Orientation{Mirror: true}},
	} {
		b.Run(fmt.Sprintf("1080p/%s-%dx%d", c.name, c.w, c.h), func(b *testing.B) {
			benchmark(b, 1920, 1080, Config{Width: c.w, Height: c.h, Filter: c.filter}, c.turn)
		})
	}
	b.Run("1080p/chroma nearest-1920x1080", func(b *testing.B) {
		benchmark(b, 1920, 1080, Config{Width: 1920, Height: 1080, Chroma: ChromaNearest}, media.Orientation{})
	})
	b.Run("720p/bilinear-1920x1080", func(b *testing.B) {
		benchmark(b, 1280, 720, Config{Width: 1920, Height: 1080}, media.Orientation{})
	})
}

func benchmark(b *testing.B, w, h int, cfg Config, turn media.Orientation) {
	f := newFrame(media.I420, w, h)
	f.Orientation = turn
	randomize(f, 1)
	f.Arm(forever{})
	o, err := NewOffscreen(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	s := media.Scheduled{Frame: f}
	for b.Loop() {
		f.Retain()
		if err := o.Present(&s); err != nil {
			b.Fatal(err)
		}
	}
}
