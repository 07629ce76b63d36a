package bitstream

import "github.com/scanout-av/scanout/media"

// Colour makes a colour description of VUI fields: the code points are H.273's, full
// is video_full_range_flag, and location is chroma_sample_loc_type, −1 where absent.
func Colour(primaries, transfer, matrix uint8, full bool, location int) media.Color {
	c := media.Color{
		Primaries: media.Primaries(primaries),
		Transfer:  media.Transfer(transfer),
		Matrix:    media.Matrix(matrix),
		Range:     media.RangeLimited,
	}
	if full {
		c.Range = media.RangeFull
	}
	if location >= 0 && location <= 5 {
		c.Chroma = media.ChromaLocation(location + 1)
	}
	return c
}

// sampleAspects is table E-1 of H.264 and H.265: aspect_ratio_idc 1 to 16.
var sampleAspects = [...][2]uint16{
	1: {1, 1}, {12, 11}, {10, 11}, {16, 11}, {40, 33}, {24, 11}, {20, 11}, {32, 11},
	{80, 33}, {18, 11}, {15, 11}, {64, 33}, {160, 99}, {4, 3}, {3, 2}, {2, 1},
}

// ExtendedSAR is the aspect_ratio_idc that stands before an explicit ratio.
const ExtendedSAR = 255

// SampleAspect returns the ratio that aspect_ratio_idc stands for, 0:0 when it is
// unspecified, reserved or explicit.
func SampleAspect(idc uint8) (width, height uint16) {
	if int(idc) >= len(sampleAspects) {
		return 0, 0
	}
	return sampleAspects[idc][0], sampleAspects[idc][1]
}

// Rect is a part of a picture.
// Units: luma samples.
type Rect struct{ X, Y, Width, Height int }
