package vkvideo

import (
	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// maxSlots is how many slots a decoded picture buffer has at most: 16 pictures and the one
// being decoded.
const maxSlots = 17

// picture is a coded picture, whatever the codec.
type picture struct {
	id          bitstream.PictureID
	newSequence bool
	kind        kind
	view        view
	// width and height are the picture's; 0 is the kind's.
	width, height int
	slices        []slice
	// raw says that the GPU reads the access unit from head on as it is: slices are tiles,
	// and nothing is put before them.
	raw    bool
	head   int
	slot   int
	refs   []reference
	output []bitstream.Output
	freed  bitstream.Slots

	key         bool
	intra       bool
	reference   bool  // later pictures may refer to it
	hidden      bool  // not meant to be shown
	nonExisting bool  // inferred: there is nothing to decode
	corrupt     bool  // its pixels cannot be right
	refuse      error // why no video queue decodes it
	recovering  bool  // later pictures may be right although this one is not
	needsAll    bool  // nothing of it can be decoded unless all references are there
	grain       bool  // what is shown differs from what later pictures refer to
	// keep says that pictures are shown when output names them, any number of times, until
	// their slots are freed; existing is no more than that.
	keep, existing bool
}

// slice is where a slice lies in the access unit: with its start code, if it has one.
type slice struct{ start, begin, end int }

// reference is a picture that may be referred to, by the slot that it lies in.
type reference struct {
	slot        int
	nonExisting bool
}

// kind is all of a stream that a session depends on.
type kind struct {
	profile       int // profile_idc
	bits          int
	interlaced    bool
	grain         bool // film grain is to be added
	noSets        bool // the codec has no parameter sets
	width, height int  // coded, of the largest picture
	slots         int
	references    int
}

// view is what of a picture is shown and how.
type view struct {
	crop  bitstream.Rect
	color media.Color
	sar   media.Rational
}

// codec is the part of decoding that differs.
type codec interface {
	// profile is what the driver must know of a stream of that kind.
	profile(k *kind) *gpu.VideoProfile
	// known returns what the container said, false when it said nothing; usual is the
	// most common profile_idc.
	known() (k kind, level int32, ok bool)
	usual() int
	// parse takes an access unit; next then returns its pictures, valid until the next
	// call. The error is about the unit: its pictures are to be had all the same.
	parse(data []byte) error
	next() *picture
	// annexB says that units have start codes.
	annexB() bool
	// flush returns what waits for output; reset forgets it.
	flush() []bitstream.Output
	reset()
	// damage says that a picture could not be decoded.
	damage(id bitstream.PictureID)
	// level is the level of the current picture as the video headers number it.
	level() int32

	// The rest fills in the structures of the current picture, which live in the codec.

	// attach points info at the picture's structures; the slices begin at offsets.
	attach(info *vk.VideoDecodeInfoKHR, offsets []uint32)
	// reference describes the current picture (−1) or its i-th reference to the device.
	reference(i int, info *vk.VideoReferenceSlotInfoKHR)
	// parameters returns the parameter sets of the current picture: its number changes
	// with them. inline hangs them on the picture; else create makes an object of all.
	version() uint32
	inline() error
	create(s *gpu.VideoSession) (vk.VideoSessionParametersKHR, error)
	// chain hangs a structure on the picture's own, the last of the chain.
	chain(query *vk.VideoInlineQueryInfoKHR)
}
