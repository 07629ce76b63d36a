package yuv

import (
	"errors"
	"fmt"
)

// Matrix is the equation between YCbCr and RGB.
type Matrix uint8

// Matrices. The zero value is the one of high-definition video.
// Source: ITU-T H.273 table 4, MatrixCoefficients 1, 6 and 9.
const (
	BT709  Matrix = iota // HD video
	BT601                // SD video, JPEG, most webcams
	BT2020               // UHD and HDR video, non-constant luminance
)

// Range says which codes stand for black and white.
type Range uint8

const (
	Limited Range = iota // 16…235 and 16…240 of 8 bits: video
	Full                 // all codes: JPEG, screens
)

// Layout is how the samples of a YCbCr picture lie in memory. Names are FFmpeg's and
// FourCC's. 16-bit samples are little-endian.
type Layout uint8

const (
	I420 Layout = iota // three planes, chroma halved both ways (yuv420p)
	I422               // three planes, chroma halved across (yuv422p)
	I440               // three planes, chroma halved downwards (yuv440p)
	I444               // three planes (yuv444p)
	NV12               // Y plane, then U and V interleaved, chroma halved both ways
	NV21               // Y plane, then V and U interleaved, chroma halved both ways
	I010               // I420 with 10-bit samples in the low bits of 16 (yuv420p10le)
	P010               // NV12 with 10-bit samples in the high bits of 16 (p010le); limited-range P012 and P016, too
	YUY2               // one plane, Y U Y V, chroma halved across (yuyv422)
	UYVY               // one plane, U Y V Y, chroma halved across (uyvy422)
	layouts
)

// Packing is how RGB pixels lie in memory, in bytes from low to high addresses.
type Packing uint8

const (
	RGBA   Packing = iota // R G B A, alpha 255: image.RGBA and image.NRGBA
	BGRA                  // B G R A, alpha 255: X11, Wayland and SDL windows
	RGB24                 // R G B
	BGR24                 // B G R
	RGBA64                // 16-bit big-endian R G B A: image.RGBA64; from 10-bit layouts only
	packings
)

// Variant is one implementation. All give the same bytes.
type Variant uint8

const (
	Auto       Variant = iota // the fastest that this CPU has
	Generic                   // Go
	AVX2                      // amd64
	AVX512                    // amd64 with AVX-512 F, BW, DQ and VL
	AVX512VBMI                // AVX512 and VBMI, as Ice Lake and Zen 4 have
	NEON                      // arm64
	variants
)

// Errors that can be told apart with errors.Is.
var (
	// ErrGeometry says that sizes, strides and memory do not fit together.
	ErrGeometry = errors.New("picture and memory do not fit")
	// ErrOverlap says that source and destination share memory.
	ErrOverlap = errors.New("source and destination overlap")
	// ErrNotSupported says that there is no such conversion, or that this CPU cannot run
	// the variant asked for.
	ErrNotSupported = errors.New("not supported")
)

// Config says what a [Converter] or a [Reverse] does. The zero value is BT.709, limited
// range, between I420 and RGBA, with the fastest variant.
type Config struct {
	Matrix Matrix
	Range  Range
	From   Layout  // the YCbCr side, also of a Reverse
	To     Packing // the RGB side, also of a Reverse
	// Chroma is ChromaNearest unless set: the fastest. Set it to where the samples were
	// sited for what looks best, and what a GPU's sampler gives.
	Chroma Chroma
	// Variant forces an implementation; Auto is right except in tests and benchmarks.
	Variant Variant
	// NonTemporal writes past the caches where the destination allows it: for pictures
	// that do not fit in them (1.2 to 1.8 times as fast there) and that nobody reads
	// soon, since that reading then comes from memory.
	// Shape: RGBA and BGRA whose address and stride are multiples of 64, with
	// ChromaNearest; others are written as usual.
	NonTemporal bool
}

func (cfg Config) validate() error {
	switch {
	case cfg.Matrix > BT2020:
		return fmt.Errorf("yuv: matrix %d: %w", cfg.Matrix, ErrNotSupported)
	case cfg.Range > Full:
		return fmt.Errorf("yuv: range %d: %w", cfg.Range, ErrNotSupported)
	case cfg.From >= layouts:
		return fmt.Errorf("yuv: layout %d: %w", cfg.From, ErrNotSupported)
	case cfg.To >= packings:
		return fmt.Errorf("yuv: packing %d: %w", cfg.To, ErrNotSupported)
	case cfg.Chroma >= chromas:
		return fmt.Errorf("yuv: chroma %d: %w", cfg.Chroma, ErrNotSupported)
	case cfg.Variant != Auto && !cfg.Variant.usable():
		return fmt.Errorf("yuv: variant %v on this CPU and in this build (usable: %v): %w", cfg.Variant, Variants(), ErrNotSupported)
	}
	return nil
}

// Variants lists what can run here, the fastest first. Generic is always the last.
func Variants() []Variant {
	var v []Variant
	for i := variants - 1; i > Auto; i-- {
		if i.usable() {
			v = append(v, i)
		}
	}
	return v
}

func (v Variant) usable() bool { return v == Generic || v < variants && v != Auto && hasVariant(v) }

func best() Variant {
	for v := variants - 1; v > Generic; v-- {
		if hasVariant(v) {
			return v
		}
	}
	return Generic
}

// Layouts lists every layout.
func Layouts() []Layout {
	l := make([]Layout, layouts)
	for i := range l {
		l[i] = Layout(i)
	}
	return l
}

// Packings lists every packing.
func Packings() []Packing {
	p := make([]Packing, packings)
	for i := range p {
		p[i] = Packing(i)
	}
	return p
}

func (m Matrix) String() string { return name(int(m), "bt709", "bt601", "bt2020") }
func (r Range) String() string  { return name(int(r), "limited", "full") }
func (v Variant) String() string {
	return name(int(v), "auto", "generic", "avx2", "avx512", "avx512vbmi", "neon")
}
func (p Packing) String() string { return name(int(p), "rgba", "bgra", "rgb24", "bgr24", "rgba64") }
func (l Layout) String() string {
	return name(int(l), "i420", "i422", "i440", "i444", "nv12", "nv21", "i010", "p010", "yuy2", "uyvy")
}

func name(i int, names ...string) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprint("unknown ", i)
}

// krkb are the luma weights of red and blue.
func (m Matrix) krkb() (kr, kb float64) {
	switch m {
	case BT601:
		return 0.299, 0.114
	case BT2020:
		return 0.2627, 0.0593
	}
	return 0.2126, 0.0722
}
