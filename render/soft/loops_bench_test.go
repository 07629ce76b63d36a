package soft

import (
	"testing"

	"github.com/scanout-av/scanout/internal/resample"
)

// BenchmarkLoops runs the scaling loops on rows in the first-level cache.
func BenchmarkLoops(b *testing.B) {
	const n = 1920
	src, other, dst := make([]byte, 4*n), make([]byte, 4*n), make([]byte, 4*n)
	a := make(axis, n)
	a.build(FilterBilinear, 1280, 0, false)
	m := resample.NewMap(a)
	band := make([]byte, bandRows*(4*n+64))
	turned := make([]byte, n*4320)
	for _, c := range []struct {
		name string
		run  func()
		px   int
	}{
		{"blend", func() { resample.Blend(dst, src, other, 77) }, n},
		{"across", func() { resample.Across(dst, src, &m) }, n},
		{"pick", func() { pick(dst, src, a) }, n},
		{"columns", func() { columns(turned, 4320, band, 4*n+64, n, bandRows, false) }, n * bandRows},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				c.run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*c.px), "ns/px")
		})
	}
}
