package media

import "fmt"

// Colour description. Values are the code points of ITU-T H.273 (CICP), so that they
// can be taken from a bitstream or from FFmpeg as they are.

// Primaries is H.273 ColourPrimaries.
type Primaries uint8

// Transfer is H.273 TransferCharacteristics.
type Transfer uint8

// Matrix is H.273 MatrixCoefficients.
type Matrix uint8

// Range says which codes stand for black and white.
type Range uint8

// ChromaLocation is where a chroma sample lies among its luma samples (H.273
// ChromaLocType + 1; 0 is not known).
type ChromaLocation uint8

// H.273 code points that scanout knows by name.
const (
	PrimariesUnspecified Primaries = 2
	PrimariesBT709       Primaries = 1
	PrimariesBT470BG     Primaries = 5
	PrimariesBT601       Primaries = 6
	PrimariesBT2020      Primaries = 9

	TransferUnspecified Transfer = 2
	TransferBT709       Transfer = 1
	TransferBT601       Transfer = 6
	TransferSRGB        Transfer = 13
	TransferPQ          Transfer = 16
	TransferHLG         Transfer = 18

	MatrixRGB         Matrix = 0
	MatrixBT709       Matrix = 1
	MatrixUnspecified Matrix = 2
	MatrixFCC         Matrix = 4
	MatrixBT470BG     Matrix = 5
	MatrixBT601       Matrix = 6
	MatrixSMPTE240M   Matrix = 7
	MatrixYCgCo       Matrix = 8
	MatrixBT2020      Matrix = 9

	RangeUnspecified Range = 0
	RangeLimited     Range = 1
	RangeFull        Range = 2

	ChromaUnspecified ChromaLocation = 0
	ChromaLeft        ChromaLocation = 1
	ChromaCenter      ChromaLocation = 2
	ChromaTopLeft     ChromaLocation = 3
	ChromaTop         ChromaLocation = 4
	ChromaBottomLeft  ChromaLocation = 5
	ChromaBottom      ChromaLocation = 6
)

// Color is a picture's colour description. The zero value is unspecified except that
// MatrixRGB is 0: use [ColorUnspecified] for YUV of unknown origin.
type Color struct {
	Primaries Primaries
	Transfer  Transfer
	Matrix    Matrix
	Range     Range
	Chroma    ChromaLocation
}

// ColorUnspecified is what a stream without a colour description carries.
var ColorUnspecified = Color{PrimariesUnspecified, TransferUnspecified, MatrixUnspecified, RangeUnspecified, ChromaUnspecified}

// Resolve fills what a stream left open with what players agree on: BT.709 for
// pictures of at least 1280 columns or more than 576 rows, BT.601 below, limited range
// for YUV and full range for RGB, left-sited 4:2:0 chroma.
func (c Color) Resolve(f PixelFormat, w, h int) Color {
	if f.Info().RGB {
		c.Matrix = MatrixRGB
		if c.Range == RangeUnspecified {
			c.Range = RangeFull
		}
		return c
	}
	if c.Range == RangeUnspecified {
		c.Range = RangeLimited
	}
	switch c.Matrix {
	case MatrixBT709, MatrixFCC, MatrixBT470BG, MatrixBT601, MatrixSMPTE240M, MatrixYCgCo, MatrixBT2020:
	case MatrixRGB:
		// YUV planes that say "RGB" are GBR; scanout has no planar RGB format, so a
		// stream that says so here lies.
		fallthrough
	default:
		if w >= 1280 || h > 576 {
			c.Matrix = MatrixBT709
		} else {
			c.Matrix = MatrixBT601
		}
	}
	if c.Chroma == ChromaUnspecified {
		c.Chroma = ChromaLeft
	}
	return c
}

// KrKb returns the luma weights of red and blue.
// Source: ITU-T H.273 table 4.
func (m Matrix) KrKb() (kr, kb float64) {
	switch m {
	case MatrixFCC:
		return 0.30, 0.11
	case MatrixBT470BG, MatrixBT601:
		return 0.299, 0.114
	case MatrixSMPTE240M:
		return 0.212, 0.087
	case MatrixBT2020:
		return 0.2627, 0.0593
	default:
		return 0.2126, 0.0722
	}
}

// Conversion maps normalized YCbCr samples to RGB: rgb = M·(y,cb,cr) + Offset, where a
// sample is code/(2^bits−1) and RGB is in 0…1 before clamping.
type Conversion struct {
	M      [3][3]float64
	Offset [3]float64
}

// Conversion returns the exact conversion for resolved colour c and samples of the
// given bit depth.
// Limited-range RGB and YCgCo scale all three components by 219: their equations work on
// quantized R, G and B.
// Source: ITU-T H.273 section 8.3, MatrixCoefficients.
func (c Color) Conversion(bits int) Conversion {
	full := float64(int(1)<<bits - 1)
	one := float64(int(1) << (bits - 8))
	sy, sc, oy, oc := 1.0, 1.0, 0.0, 128*one/full
	if c.Range != RangeFull {
		sy = full / (219 * one)
		sc = full / (224 * one)
		oy = 16 * one / full
	}
	var m [3][3]float64
	switch c.Matrix {
	case MatrixRGB:
		cv := Conversion{M: [3][3]float64{{sy, 0, 0}, {0, sy, 0}, {0, 0, sy}}}
		if oy != 0 { // not −0 for full range
			cv.Offset = [3]float64{-sy * oy, -sy * oy, -sy * oy}
		}
		return cv
	case MatrixYCgCo:
		// Cg is the first chroma plane, Co the second.
		m = [3][3]float64{{sy, -sy, sy}, {sy, sy, 0}, {sy, -sy, -sy}}
	default:
		kr, kb := c.Matrix.KrKb()
		kg := 1 - kr - kb
		m = [3][3]float64{
			{sy, 0, 2 * (1 - kr) * sc},
			{sy, -2 * (1 - kb) * kb / kg * sc, -2 * (1 - kr) * kr / kg * sc},
			{sy, 2 * (1 - kb) * sc, 0},
		}
	}
	cv := Conversion{M: m}
	for r := range 3 {
		cv.Offset[r] = -(m[r][0]*oy + (m[r][1]+m[r][2])*oc)
	}
	return cv
}

// Apply converts one normalized sample triple; the result is not clamped.
func (cv *Conversion) Apply(y, cb, cr float64) (r, g, b float64) {
	return cv.M[0][0]*y + cv.M[0][1]*cb + cv.M[0][2]*cr + cv.Offset[0],
		cv.M[1][0]*y + cv.M[1][1]*cb + cv.M[1][2]*cr + cv.Offset[1],
		cv.M[2][0]*y + cv.M[2][1]*cb + cv.M[2][2]*cr + cv.Offset[2]
}

// Offset returns where the first chroma sample lies relative to the first luma sample,
// in luma samples, for a subsampled axis: 0 is co-sited, ½ is midway.
// Source: ITU-T H.273 figure 1, ChromaLocType.
func (l ChromaLocation) Offset() (x, y float64) {
	switch l {
	case ChromaCenter:
		return 0.5, 0.5
	case ChromaTopLeft:
		return 0, 0
	case ChromaTop:
		return 0.5, 0
	case ChromaBottomLeft:
		return 0, 1
	case ChromaBottom:
		return 0.5, 1
	default:
		return 0, 0.5
	}
}

func (m Matrix) String() string {
	switch m {
	case MatrixRGB:
		return "rgb"
	case MatrixBT709:
		return "bt709"
	case MatrixFCC:
		return "fcc"
	case MatrixBT470BG, MatrixBT601:
		return "bt601"
	case MatrixSMPTE240M:
		return "smpte240m"
	case MatrixYCgCo:
		return "ycgco"
	case MatrixBT2020:
		return "bt2020"
	case MatrixUnspecified:
		return "unspecified"
	}
	return fmt.Sprintf("matrix(%d)", uint8(m))
}

func (r Range) String() string {
	switch r {
	case RangeLimited:
		return "limited"
	case RangeFull:
		return "full"
	}
	return "unspecified"
}

func (l ChromaLocation) String() string {
	if l > ChromaBottom {
		l = ChromaUnspecified
	}
	return [...]string{"unspecified", "left", "center", "topleft", "top", "bottomleft", "bottom"}[l]
}

func (c Color) String() string {
	return fmt.Sprintf("%v/%v/%v", c.Matrix, c.Range, c.Chroma)
}
