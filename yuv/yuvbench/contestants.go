package yuvbench

import (
	"image"
	"image/draw"

	"github.com/scanout-av/scanout/yuv"
)

const (
	nameLibyuv     = "libyuv"
	nameLibyuvAVX2 = "libyuv avx2"
)

// contestants lists what can run here, in the order of the report.
func contestants(cfg Config, s size) (list []contestant, missing []string, err error) {
	for _, v := range yuv.Variants() {
		for _, nt := range []bool{false, true} {
			if nt && v == yuv.Generic {
				continue
			}
			c, err := yuv.New(yuv.Config{Variant: v, NonTemporal: nt})
			if err != nil {
				return nil, nil, err
			}
			name := "yuv " + v.String()
			if nt {
				name += " nt"
			}
			list = append(list, contestant{name: name, nt: nt, run: func(f *frame) error {
				return c.Convert(f.dst, f.p.Width*4, &f.p, 0, f.p.Height)
			}})
		}
	}
	if !cfg.NoPeers {
		if l, err := openLibyuv(); err != nil {
			missing = append(missing, "libyuv (apt install libyuv0): "+err.Error())
		} else {
			list = append(list, l.contestants()...)
		}
		if sw, err := openSwscale(); err != nil {
			missing = append(missing, "swscale (apt install libswscale6): "+err.Error())
		} else if c, err := sw.contestant(s); err != nil {
			missing = append(missing, "swscale: "+err.Error())
		} else {
			list = append(list, c)
		}
		list = append(list, contestant{name: "go image/draw", run: imageDraw}, contestant{name: "go naive", run: naive})
	}
	return append(list, limits()...), missing, nil
}

// imageDraw is what a Go program does without this package. It is always JFIF's matrix.
func imageDraw(f *frame) error {
	p := &f.p
	r := image.Rect(0, 0, p.Width, p.Height)
	src := &image.YCbCr{Y: p.Planes[0], Cb: p.Planes[1], Cr: p.Planes[2], YStride: p.Stride[0], CStride: p.Stride[1],
		SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: r}
	draw.Draw(&image.RGBA{Pix: f.dst, Stride: p.Width * 4, Rect: r}, r, src, image.Point{}, draw.Src)
	return nil
}

// naive is the equation, in integers, pixel by pixel.
func naive(f *frame) error {
	p := &f.p
	clamp := func(x int) byte { return byte(min(max(x, 0), 255)) }
	for y := range p.Height {
		for x := range p.Width {
			l := 298 * (int(p.Planes[0][y*p.Stride[0]+x]) - 16)
			u := int(p.Planes[1][y/2*p.Stride[1]+x/2]) - 128
			v := int(p.Planes[2][y/2*p.Stride[2]+x/2]) - 128
			d := f.dst[(y*p.Width+x)*4:]
			d[0] = clamp((l + 459*v + 128) >> 8)
			d[1] = clamp((l - 55*u - 136*v + 128) >> 8)
			d[2] = clamp((l + 541*u + 128) >> 8)
			d[3] = 255
		}
	}
	return nil
}
