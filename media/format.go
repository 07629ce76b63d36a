package media

import "fmt"

// PixelFormat is the layout of a picture in memory. Names and layouts are those of
// FFmpeg's AVPixelFormat, so that they can be compared with other tools.
type PixelFormat uint8

// Pixel formats. Multi-byte samples are little endian.
const (
	FormatUnknown PixelFormat = iota
	Gray8                     // gray: Y
	Gray10                    // gray10le: Y in the low 10 bits
	I420                      // yuv420p: Y, U, V
	I422                      // yuv422p
	I444                      // yuv444p
	I010                      // yuv420p10le: samples in the low 10 bits
	I210                      // yuv422p10le
	I410                      // yuv444p10le
	I012                      // yuv420p12le: samples in the low 12 bits
	I212                      // yuv422p12le
	I412                      // yuv444p12le
	NV12                      // nv12: Y, UV interleaved
	NV21                      // nv21: Y, VU interleaved
	NV16                      // nv16: 4:2:2
	P010                      // p010le: Y, UV; samples in the high 10 bits
	P210                      // p210le: 4:2:2
	YUYV                      // yuyv422 packed (YUY2)
	UYVY                      // uyvy422 packed
	RGBA                      // rgba packed, alpha ignored
	BGRA                      // bgra packed, alpha ignored
	RGB24                     // rgb24 packed
	RGBA64                    // rgba64le packed
	numFormats
)

// FormatInfo describes a [PixelFormat].
type FormatInfo struct {
	Name     string // FFmpeg's pix_fmt name
	Planes   int
	BitDepth int // significant bits of a sample
	// Bytes of a sample (1 or 2).
	SampleBytes int
	// Shift is how far the significant bits lie above bit 0 of their word: 6 for P010.
	Shift int
	// ChromaX and ChromaY are log2 of the chroma subsampling: 1,1 for 4:2:0.
	ChromaX, ChromaY int
	// Components is the number of interleaved samples per pixel (of that plane) in
	// plane 0 and in the planes after it: {1,1} planar, {1,2} semi-planar, {4,0} RGBA.
	// A packed 4:2:2 picture counts {2,0}: two samples for each pixel.
	Components [2]int
	RGB        bool
}

var formats = [numFormats]FormatInfo{
	FormatUnknown: {Name: "unknown"},
	Gray8:         {"gray", 1, 8, 1, 0, 0, 0, [2]int{1, 0}, false},
	Gray10:        {"gray10le", 1, 10, 2, 0, 0, 0, [2]int{1, 0}, false},
	I420:          {"yuv420p", 3, 8, 1, 0, 1, 1, [2]int{1, 1}, false},
	I422:          {"yuv422p", 3, 8, 1, 0, 1, 0, [2]int{1, 1}, false},
	I444:          {"yuv444p", 3, 8, 1, 0, 0, 0, [2]int{1, 1}, false},
	I010:          {"yuv420p10le", 3, 10, 2, 0, 1, 1, [2]int{1, 1}, false},
	I210:          {"yuv422p10le", 3, 10, 2, 0, 1, 0, [2]int{1, 1}, false},
	I410:          {"yuv444p10le", 3, 10, 2, 0, 0, 0, [2]int{1, 1}, false},
	I012:          {"yuv420p12le", 3, 12, 2, 0, 1, 1, [2]int{1, 1}, false},
	I212:          {"yuv422p12le", 3, 12, 2, 0, 1, 0, [2]int{1, 1}, false},
	I412:          {"yuv444p12le", 3, 12, 2, 0, 0, 0, [2]int{1, 1}, false},
	NV12:          {"nv12", 2, 8, 1, 0, 1, 1, [2]int{1, 2}, false},
	NV21:          {"nv21", 2, 8, 1, 0, 1, 1, [2]int{1, 2}, false},
	NV16:          {"nv16", 2, 8, 1, 0, 1, 0, [2]int{1, 2}, false},
	P010:          {"p010le", 2, 10, 2, 6, 1, 1, [2]int{1, 2}, false},
	P210:          {"p210le", 2, 10, 2, 6, 1, 0, [2]int{1, 2}, false},
	YUYV:          {"yuyv422", 1, 8, 1, 0, 1, 0, [2]int{2, 0}, false},
	UYVY:          {"uyvy422", 1, 8, 1, 0, 1, 0, [2]int{2, 0}, false},
	RGBA:          {"rgba", 1, 8, 1, 0, 0, 0, [2]int{4, 0}, true},
	BGRA:          {"bgra", 1, 8, 1, 0, 0, 0, [2]int{4, 0}, true},
	RGB24:         {"rgb24", 1, 8, 1, 0, 0, 0, [2]int{3, 0}, true},
	RGBA64:        {"rgba64le", 1, 16, 2, 0, 0, 0, [2]int{4, 0}, true},
}

// Info returns the description of f; an unknown format has 0 planes.
func (f PixelFormat) Info() *FormatInfo {
	if f >= numFormats {
		f = FormatUnknown
	}
	return &formats[f]
}

func (f PixelFormat) String() string { return f.Info().Name }

// ParsePixelFormat finds a format by its FFmpeg name. The full-range names (yuvj420p)
// are found, too: range is part of [Color] here.
func ParsePixelFormat(name string) (PixelFormat, error) {
	switch name {
	case "yuvj420p":
		return I420, nil
	case "yuvj422p":
		return I422, nil
	case "yuvj444p":
		return I444, nil
	}
	for i := PixelFormat(1); i < numFormats; i++ {
		if formats[i].Name == name {
			return i, nil
		}
	}
	return FormatUnknown, fmt.Errorf("pixel format %q: %w", name, ErrNotSupported)
}

// PixelFormats lists every known format.
func PixelFormats() []PixelFormat {
	s := make([]PixelFormat, 0, numFormats-1)
	for i := PixelFormat(1); i < numFormats; i++ {
		s = append(s, i)
	}
	return s
}

// PlaneSize returns the bytes of a row without padding and the rows of plane p of a
// w×h picture; odd sizes round chroma up.
func (f PixelFormat) PlaneSize(p, w, h int) (rowBytes, rows int) {
	d := f.Info()
	if p < 0 || p >= d.Planes {
		return 0, 0
	}
	if p == 0 {
		if d.Components[0] == 2 { // packed 4:2:2 holds whole pairs
			w = (w + 1) &^ 1
		}
		return w * d.SampleBytes * d.Components[0], h
	}
	cw := (w + 1<<d.ChromaX - 1) >> d.ChromaX
	ch := (h + 1<<d.ChromaY - 1) >> d.ChromaY
	return cw * d.SampleBytes * d.Components[1], ch
}

// Size returns the bytes of a tightly packed w×h picture: every plane without padding.
func (f PixelFormat) Size(w, h int) int {
	n := 0
	for p := range f.Info().Planes {
		rb, rows := f.PlaneSize(p, w, h)
		n += rb * rows
	}
	return n
}
