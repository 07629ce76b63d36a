package soft

import "testing"

// BenchmarkLoops runs the scaling loops on rows in the first-level cache.
func BenchmarkLoops(b *testing.B) {
	const n = 1920
	src, other, dst, wide := make([]byte, 4*n), make([]byte, 4*n), make([]byte, 4*n), make([]uint64, n)
	a := make(axis, n)
	a.build(FilterBilinear, 1280, 0, false)
	band := make([]byte, bandRows*(4*n+64))
	turned := make([]byte, n*4320)
	for _, c := range []struct {
		name string
		run  func()
		px   int
	}{
		{"blend", func() { blend(dst, src, other, 77) }, n},
		{"spread", func() { spread(wide, src) }, n},
		{"blend and spread", func() { blendSpread(wide, src, other, 77) }, n},
		{"interp", func() { interp(dst, wide, a) }, n},
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
