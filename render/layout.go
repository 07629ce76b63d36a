package render

import (
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// Sample layouts, as in shader/picture.glsl.
const (
	layoutGray = iota
	layoutPlanar
	layoutSemiPlanar
	layoutSemiPlanarVU
	layoutYUYV
	layoutUYVY
	layoutRGBA
	layoutBGRA
	layoutRGB
)

func sampleLayout(f media.PixelFormat) uint32 {
	d := f.Info()
	switch f {
	case media.NV21:
		return layoutSemiPlanarVU
	case media.YUYV:
		return layoutYUYV
	case media.UYVY:
		return layoutUYVY
	case media.RGBA, media.RGBA64:
		return layoutRGBA
	case media.BGRA:
		return layoutBGRA
	case media.RGB24:
		return layoutRGB
	}
	switch d.Planes {
	case 1:
		return layoutGray
	case 2:
		return layoutSemiPlanar
	}
	return layoutPlanar
}

// planeImage is the integer image that holds a plane as it is.
type planeImage struct {
	format        vk.Format
	width, height int
	texel         int // bytes
}

func planeImages(f media.PixelFormat, w, h int) (p [3]planeImage, n int) {
	d := f.Info()
	formats := [3][5]vk.Format{
		1: {1: vk.FORMAT_R8_UINT, 2: vk.FORMAT_R8G8_UINT, 4: vk.FORMAT_R8G8B8A8_UINT},
		2: {1: vk.FORMAT_R16_UINT, 2: vk.FORMAT_R16G16_UINT, 4: vk.FORMAT_R16G16B16A16_UINT},
	}
	for i := range d.Planes {
		row, rows := f.PlaneSize(i, w, h)
		comps := d.Components[min(i, 1)]
		switch comps {
		case 2:
			if d.Planes == 1 { // packed 4:2:2: a texel is two pixels
				comps = 4
			}
		case 3:
			comps = 1
		}
		texel := comps * d.SampleBytes
		p[i] = planeImage{formats[d.SampleBytes][comps], row / texel, rows, texel}
	}
	return p, d.Planes
}

// ycbcrFormat is the multi-planar format of f, and by how much its samples must be
// multiplied, FORMAT_UNDEFINED when there is none.
func ycbcrFormat(f media.PixelFormat) (vk.Format, float64) {
	low := func(bits int) float64 { return 65535 / float64(int(1)<<bits-1) }
	switch f {
	case media.I420:
		return vk.FORMAT_G8_B8_R8_3PLANE_420_UNORM, 1
	case media.I422:
		return vk.FORMAT_G8_B8_R8_3PLANE_422_UNORM, 1
	case media.I444:
		return vk.FORMAT_G8_B8_R8_3PLANE_444_UNORM, 1
	case media.NV12, media.NV21:
		return vk.FORMAT_G8_B8R8_2PLANE_420_UNORM, 1
	case media.NV16:
		return vk.FORMAT_G8_B8R8_2PLANE_422_UNORM, 1
	case media.P010:
		return vk.FORMAT_G10X6_B10X6R10X6_2PLANE_420_UNORM_3PACK16, 1
	case media.P210:
		return vk.FORMAT_G10X6_B10X6R10X6_2PLANE_422_UNORM_3PACK16, 1
	case media.I010:
		return vk.FORMAT_G16_B16_R16_3PLANE_420_UNORM, low(10)
	case media.I210:
		return vk.FORMAT_G16_B16_R16_3PLANE_422_UNORM, low(10)
	case media.I410:
		return vk.FORMAT_G16_B16_R16_3PLANE_444_UNORM, low(10)
	case media.I012:
		return vk.FORMAT_G16_B16_R16_3PLANE_420_UNORM, low(12)
	case media.I212:
		return vk.FORMAT_G16_B16_R16_3PLANE_422_UNORM, low(12)
	case media.I412:
		return vk.FORMAT_G16_B16_R16_3PLANE_444_UNORM, low(12)
	}
	return vk.FORMAT_UNDEFINED, 0
}

// pushConstants is the block of shader/picture.glsl.
type pushConstants struct {
	m                         [3][4]float32
	a                         [3]float32
	off0                      uint32
	b                         [3]float32
	off1                      uint32
	rect                      [4]int32
	size                      [2]int32
	chroma                    [2]float32
	stride0, stride1, stride2 uint32
	off2                      uint32
}

// setColor fills in the conversion of f. The shader sees samples as codes; behind a YCbCr
// sampler they are normalized and must be multiplied by ycbcr, and vu says that the image
// has Cr where the sampler expects Cb.
func (p *pushConstants) setColor(f *picture, ycbcr float64, vu bool) {
	d := f.format.Info()
	cv := f.color.Conversion(d.BitDepth)
	scale := ycbcr
	if scale == 0 { // codes rather than normalized samples
		scale = 1 / float64(int(1)<<d.BitDepth-1)
	}
	for r := range 3 {
		for c := range 3 {
			p.m[r][c] = float32(cv.M[r][c] * scale)
		}
		p.m[r][3] = float32(cv.Offset[r])
		if vu {
			p.m[r][1], p.m[r][2] = p.m[r][2], p.m[r][1]
		}
	}
	x, y := f.color.Chroma.Offset()
	p.chroma = [2]float32{}
	if d.ChromaX > 0 {
		p.chroma[0] = float32(x)
	}
	if d.ChromaY > 0 {
		p.chroma[1] = float32(y)
	}
}

func (p *pushConstants) setPlacement(r Rect, m *affine, f *picture) {
	p.rect = [4]int32{int32(r.X0), int32(r.Y0), int32(r.X1), int32(r.Y1)}
	p.size = [2]int32{int32(f.width), int32(f.height)}
	for i := range 3 {
		p.a[i], p.b[i] = float32(m.a[i]), float32(m.b[i])
	}
}
