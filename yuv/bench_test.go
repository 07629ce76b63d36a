package yuv

import "testing"

// BenchmarkConvert measures every variant and layout on a picture that fits in L2, and
// the copies that surround it. yuvbench compares with other libraries.
func BenchmarkConvert(b *testing.B) {
	for _, v := range Variants() {
		for _, l := range Layouts() {
			for _, p := range []Packing{RGBA, RGB24, RGBA64} {
				c, err := New(Config{From: l, To: p, Variant: v})
				if err != nil {
					continue
				}
				b.Run(v.String()+"/"+l.String()+"/"+p.String(), func(b *testing.B) { benchmark(b, c, 640, 64) })
			}
		}
	}
}

func benchmark(b *testing.B, c *Converter, w, h int) {
	p, _, err := c.cfg.From.NewPicture(nil, w, h)
	if err != nil {
		b.Fatal(err)
	}
	stride := c.cfg.To.RowBytes(w)
	dst := make([]byte, stride*h)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Convert(dst, stride, &p, 0, h); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(w*h)*float64(b.N)/b.Elapsed().Seconds()/1e6, "MPix/s")
}

func BenchmarkL1(b *testing.B) {
	c, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	benchmark(b, c, 1280, 2)
}
