package yuv

import "testing"

// BenchmarkConvert measures every variant and layout on a picture that fits in L2.
// Package yuvbench compares with other libraries.
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

// BenchmarkReverse measures RGBA to 4:2:0 on the same picture.
func BenchmarkReverse(b *testing.B) {
	const w, h = 640, 64
	for _, v := range Variants() {
		for _, l := range []Layout{I420, NV12} {
			c, err := NewReverse(Config{From: l, Variant: v})
			if err != nil {
				b.Fatal(err)
			}
			p, _, err := l.NewPicture(nil, w, h)
			if err != nil {
				b.Fatal(err)
			}
			src := make([]byte, w*h*4)
			b.Run(v.String()+"/"+l.String(), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := c.Convert(&p, src, w*4, 0, h); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(w*h)*float64(b.N)/b.Elapsed().Seconds()/1e6, "MPix/s")
			})
		}
	}
}
