package bitstream

import (
	"errors"
	"fmt"

	"github.com/scanout-av/scanout/media"
)

// SyntaxError says where a unit breaks its standard.
type SyntaxError struct {
	Unit   string // "H.264 slice header"
	Field  string // the syntax element, by its name in the standard
	Reason string // what is wrong with it
}

func (e *SyntaxError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%s: %s", e.Unit, e.Reason)
	}
	return fmt.Sprintf("%s: %s %s", e.Unit, e.Field, e.Reason)
}

// MaxPictures and MaxSlices bound what comes of one access unit, which holds a picture as a
// rule, of some hundred slices at most. A damaged or hostile one may hold a slice every few
// bytes, and what is kept of each takes kilobytes.
const (
	MaxPictures = 256
	MaxSlices   = 4096
)

// Feature is a tool of a coding standard.
type Feature uint8

// Features that decoders in hardware lack.
const (
	FeatureNone         Feature = iota
	Interlaced                  // field pictures (PAFF); MBAFF frames are not among them
	SliceGroups                 // flexible macroblock ordering (FMO)
	ArbitrarySliceOrder         // ASO
	DataPartitioning            // slice data partitions A, B and C
	SwitchingSlices             // SP and SI slices
	SeparatePlanes              // separate_colour_plane_flag
	ScreenContent               // H.265 screen content coding extensions
	MultilayerExtension         // a layer of a scalable or multiview stream is needed
	LargeScaleTile              // AV1 large scale tile coding
	FeatureReserved             // a value that the standard keeps for later
	numFeatures
)

var featureNames = [numFeatures]string{
	FeatureNone:         "nothing",
	Interlaced:          "interlaced coding (field pictures)",
	SliceGroups:         "slice groups (flexible macroblock ordering)",
	ArbitrarySliceOrder: "arbitrary slice order",
	DataPartitioning:    "slice data partitioning",
	SwitchingSlices:     "switching slices (SP, SI)",
	SeparatePlanes:      "separately coded colour planes",
	ScreenContent:       "screen content coding",
	MultilayerExtension: "multilayer coding",
	LargeScaleTile:      "large scale tile coding",
	FeatureReserved:     "a reserved extension",
}

func (f Feature) String() string {
	if f >= numFeatures {
		return fmt.Sprintf("feature(%d)", uint8(f))
	}
	return featureNames[f]
}

// UnsupportedError says that a stream is in order and uses a tool that only a software
// decoder offers. errors.Is(err, media.ErrNotSupported) holds.
type UnsupportedError struct {
	Codec   string // "H.264"
	Feature Feature
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("%s: %v: needs a software decoder", e.Codec, e.Feature)
}

// Is makes the error a media.ErrNotSupported.
func (e *UnsupportedError) Is(target error) bool { return target == media.ErrNotSupported }

// Graver returns the error that whoever decodes must know: the first, but rather one that says
// that the stream needs another decoder.
func Graver(a, b error) error {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	if errors.Is(b, media.ErrNotSupported) && !errors.Is(a, media.ErrNotSupported) {
		return b
	}
	return a
}
