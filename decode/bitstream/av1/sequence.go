package av1

import (
	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/media"
)

// Profiles, seq_profile.
const (
	ProfileMain         = 0
	ProfileHigh         = 1
	ProfileProfessional = 2
)

// What seq_force_screen_content_tools and seq_force_integer_mv are when each frame says
// it (3).
const (
	SelectScreenContentTools = 2
	SelectIntegerMv          = 2
)

// Sequence is a sequence header. Its fields are the syntax elements; those that are not
// transmitted have the values that the standard infers.
//
// Ownership: immutable once parsed.
// Source: 5.5, 6.4.
type Sequence struct {
	SeqProfile                uint8
	StillPicture              bool
	ReducedStillPictureHeader bool

	TimingInfoPresentFlag             bool
	NumUnitsInDisplayTick             uint32
	TimeScale                         uint32
	EqualPictureInterval              bool
	NumTicksPerPictureMinus1          uint32
	DecoderModelInfoPresentFlag       bool
	BufferDelayLengthMinus1           uint8
	NumUnitsInDecodingTick            uint32
	BufferRemovalTimeLengthMinus1     uint8
	FramePresentationTimeLengthMinus1 uint8
	InitialDisplayDelayPresentFlag    bool
	OperatingPointsCntMinus1          uint8
	OperatingPoints                   [32]OperatingPoint

	FrameWidthBitsMinus1          uint8
	FrameHeightBitsMinus1         uint8
	MaxFrameWidthMinus1           uint16
	MaxFrameHeightMinus1          uint16
	FrameIDNumbersPresentFlag     bool
	DeltaFrameIDLengthMinus2      uint8
	AdditionalFrameIDLengthMinus1 uint8
	Use128x128Superblock          bool
	EnableFilterIntra             bool
	EnableIntraEdgeFilter         bool
	EnableInterintraCompound      bool
	EnableMaskedCompound          bool
	EnableWarpedMotion            bool
	EnableDualFilter              bool
	EnableOrderHint               bool
	EnableJntComp                 bool
	EnableRefFrameMvs             bool
	SeqChooseScreenContentTools   bool
	SeqForceScreenContentTools    uint8
	SeqChooseIntegerMv            bool
	SeqForceIntegerMv             uint8
	OrderHintBitsMinus1           uint8
	EnableSuperres                bool
	EnableCdef                    bool
	EnableRestoration             bool
	ColorConfig                   ColorConfig
	FilmGrainParamsPresent        bool
}

// OperatingPoint says which layers are decoded.
type OperatingPoint struct {
	OperatingPointIdc                   uint16
	SeqLevelIdx                         uint8
	SeqTier                             uint8
	DecoderModelPresentForThisOp        bool
	DecoderBufferDelay                  uint32
	EncoderBufferDelay                  uint32
	LowDelayModeFlag                    bool
	InitialDisplayDelayPresentForThisOp bool
	InitialDisplayDelayMinus1           uint8
}

// ColorConfig is the sample format and what colours mean.
// Source: 5.5.2, 6.4.2.
type ColorConfig struct {
	HighBitdepth                bool
	TwelveBit                   bool
	MonoChrome                  bool
	ColorDescriptionPresentFlag bool
	ColorPrimaries              uint8
	TransferCharacteristics     uint8
	MatrixCoefficients          uint8
	ColorRange                  bool
	SubsamplingX                bool
	SubsamplingY                bool
	ChromaSamplePosition        uint8
	SeparateUVDeltaQ            bool
}

// ParseSequence parses the payload of a sequence header OBU.
// Errors: bitstream.SyntaxError.
func ParseSequence(payload []byte) (*Sequence, error) {
	var r bitstream.Reader
	r.ResetPlain(payload)
	s := &Sequence{}
	s.SeqProfile = uint8(r.U(3))
	if s.SeqProfile > ProfileProfessional {
		r.Fail("seq_profile", "is reserved")
	}
	s.StillPicture = r.Flag()
	s.ReducedStillPictureHeader = r.Flag()
	if s.ReducedStillPictureHeader && !s.StillPicture {
		r.Fail("reduced_still_picture_header", "is set for a video")
	}
	if s.ReducedStillPictureHeader {
		s.OperatingPoints[0].SeqLevelIdx = uint8(r.U(5))
	} else {
		s.parseOperation(&r)
	}
	s.parseTools(&r)
	s.ColorConfig.parse(&r, s.SeqProfile)
	s.FilmGrainParamsPresent = r.Flag()
	if r.Failed() {
		return nil, r.Err("AV1 sequence header")
	}
	return s, nil
}

func (s *Sequence) parseOperation(r *bitstream.Reader) {
	if s.TimingInfoPresentFlag = r.Flag(); s.TimingInfoPresentFlag {
		s.NumUnitsInDisplayTick, s.TimeScale = r.U(32), r.U(32)
		if s.EqualPictureInterval = r.Flag(); s.EqualPictureInterval {
			s.NumTicksPerPictureMinus1 = r.UE() // uvlc() is the same code
		}
		if s.DecoderModelInfoPresentFlag = r.Flag(); s.DecoderModelInfoPresentFlag {
			s.BufferDelayLengthMinus1 = uint8(r.U(5))
			s.NumUnitsInDecodingTick = r.U(32)
			s.BufferRemovalTimeLengthMinus1 = uint8(r.U(5))
			s.FramePresentationTimeLengthMinus1 = uint8(r.U(5))
		}
	}
	s.InitialDisplayDelayPresentFlag = r.Flag()
	s.OperatingPointsCntMinus1 = uint8(r.U(5))
	for i := range int(s.OperatingPointsCntMinus1) + 1 {
		o := &s.OperatingPoints[i]
		o.OperatingPointIdc = uint16(r.U(12))
		o.SeqLevelIdx = uint8(r.U(5))
		if o.SeqLevelIdx > 7 {
			o.SeqTier = uint8(r.U(1))
		}
		if s.DecoderModelInfoPresentFlag {
			if o.DecoderModelPresentForThisOp = r.Flag(); o.DecoderModelPresentForThisOp {
				n := int(s.BufferDelayLengthMinus1) + 1
				o.DecoderBufferDelay, o.EncoderBufferDelay = r.U(n), r.U(n)
				o.LowDelayModeFlag = r.Flag()
			}
		}
		if s.InitialDisplayDelayPresentFlag {
			if o.InitialDisplayDelayPresentForThisOp = r.Flag(); o.InitialDisplayDelayPresentForThisOp {
				o.InitialDisplayDelayMinus1 = uint8(r.U(4))
			}
		}
	}
}

func (s *Sequence) parseTools(r *bitstream.Reader) {
	s.FrameWidthBitsMinus1, s.FrameHeightBitsMinus1 = uint8(r.U(4)), uint8(r.U(4))
	s.MaxFrameWidthMinus1 = uint16(r.U(int(s.FrameWidthBitsMinus1) + 1))
	s.MaxFrameHeightMinus1 = uint16(r.U(int(s.FrameHeightBitsMinus1) + 1))
	if !s.ReducedStillPictureHeader {
		s.FrameIDNumbersPresentFlag = r.Flag()
	}
	if s.FrameIDNumbersPresentFlag {
		s.DeltaFrameIDLengthMinus2 = uint8(r.U(4))
		s.AdditionalFrameIDLengthMinus1 = uint8(r.U(3))
		if s.idLen() > 16 {
			r.Fail("additional_frame_id_length_minus_1", "is out of range")
		}
	}
	s.Use128x128Superblock = r.Flag()
	s.EnableFilterIntra = r.Flag()
	s.EnableIntraEdgeFilter = r.Flag()
	s.SeqForceScreenContentTools, s.SeqForceIntegerMv = SelectScreenContentTools, SelectIntegerMv
	if !s.ReducedStillPictureHeader {
		s.EnableInterintraCompound = r.Flag()
		s.EnableMaskedCompound = r.Flag()
		s.EnableWarpedMotion = r.Flag()
		s.EnableDualFilter = r.Flag()
		if s.EnableOrderHint = r.Flag(); s.EnableOrderHint {
			s.EnableJntComp = r.Flag()
			s.EnableRefFrameMvs = r.Flag()
		}
		if s.SeqChooseScreenContentTools = r.Flag(); !s.SeqChooseScreenContentTools {
			s.SeqForceScreenContentTools = uint8(r.U(1))
		}
		if s.SeqForceScreenContentTools > 0 {
			if s.SeqChooseIntegerMv = r.Flag(); !s.SeqChooseIntegerMv {
				s.SeqForceIntegerMv = uint8(r.U(1))
			}
		}
		if s.EnableOrderHint {
			s.OrderHintBitsMinus1 = uint8(r.U(3))
		}
	}
	s.EnableSuperres = r.Flag()
	s.EnableCdef = r.Flag()
	s.EnableRestoration = r.Flag()
}

// Code points that mean RGB (6.4.2).
const (
	unspecified = 2
	cpBT709     = 1
	tcSRGB      = 13
	mcIdentity  = 0
)

func (c *ColorConfig) parse(r *bitstream.Reader, profile uint8) {
	c.HighBitdepth = r.Flag()
	if profile == ProfileProfessional && c.HighBitdepth {
		c.TwelveBit = r.Flag()
	}
	if profile != ProfileHigh {
		c.MonoChrome = r.Flag()
	}
	c.ColorPrimaries, c.TransferCharacteristics, c.MatrixCoefficients = unspecified, unspecified, unspecified
	if c.ColorDescriptionPresentFlag = r.Flag(); c.ColorDescriptionPresentFlag {
		c.ColorPrimaries, c.TransferCharacteristics, c.MatrixCoefficients = uint8(r.U(8)), uint8(r.U(8)), uint8(r.U(8))
	}
	switch {
	case c.MonoChrome:
		c.ColorRange = r.Flag()
		c.SubsamplingX, c.SubsamplingY = true, true
		return
	case c.ColorPrimaries == cpBT709 && c.TransferCharacteristics == tcSRGB && c.MatrixCoefficients == mcIdentity:
		c.ColorRange = true
		if profile == ProfileMain {
			r.Fail("matrix_coefficients", "is RGB in a 4:2:0 profile")
		}
	default:
		c.ColorRange = r.Flag()
		switch {
		case profile == ProfileMain:
			c.SubsamplingX, c.SubsamplingY = true, true
		case profile == ProfileHigh:
		case c.TwelveBit:
			if c.SubsamplingX = r.Flag(); c.SubsamplingX {
				c.SubsamplingY = r.Flag()
			}
		default:
			c.SubsamplingX = true
		}
		if c.SubsamplingX && c.SubsamplingY {
			c.ChromaSamplePosition = uint8(r.U(2))
		}
	}
	c.SeparateUVDeltaQ = r.Flag()
}

// BitDepth is the bits of a sample.
func (c *ColorConfig) BitDepth() int {
	switch {
	case c.TwelveBit:
		return 12
	case c.HighBitdepth:
		return 10
	}
	return 8
}

// NumPlanes is 1 for monochrome.
func (c *ColorConfig) NumPlanes() int {
	if c.MonoChrome {
		return 1
	}
	return 3
}

// MaxWidth is the width of the largest frame.
func (s *Sequence) MaxWidth() int { return int(s.MaxFrameWidthMinus1) + 1 }

// MaxHeight is the height of the largest frame.
func (s *Sequence) MaxHeight() int { return int(s.MaxFrameHeightMinus1) + 1 }

// OrderHintBits is the size of an order hint.
func (s *Sequence) OrderHintBits() int {
	if !s.EnableOrderHint {
		return 0
	}
	return int(s.OrderHintBitsMinus1) + 1
}

func (s *Sequence) idLen() int {
	return int(s.AdditionalFrameIDLengthMinus1) + int(s.DeltaFrameIDLengthMinus2) + 3
}

// relativeDist is get_relative_dist (5.9.3).
func (s *Sequence) relativeDist(a, b uint8) int {
	if !s.EnableOrderHint {
		return 0
	}
	m := 1 << s.OrderHintBitsMinus1
	diff := int(a) - int(b)
	return diff&(m-1) - diff&m
}

// FrameRate is the rate that the stream promises, 0/0 when it promises none.
func (s *Sequence) FrameRate() (num, den uint64) {
	if !s.EqualPictureInterval || s.NumUnitsInDisplayTick == 0 || s.TimeScale == 0 {
		return 0, 0
	}
	return uint64(s.TimeScale), uint64(s.NumUnitsInDisplayTick) * (uint64(s.NumTicksPerPictureMinus1) + 1)
}

// Color is the colour description; what the stream leaves open is unspecified.
func (s *Sequence) Color() media.Color {
	c := &s.ColorConfig
	loc := -1
	switch c.ChromaSamplePosition {
	case 1: // CSP_VERTICAL: left, between two rows of luma
		loc = 0
	case 2: // CSP_COLOCATED
		loc = 2
	}
	return bitstream.Colour(c.ColorPrimaries, c.TransferCharacteristics, c.MatrixCoefficients, c.ColorRange, loc)
}

// Spatial reports the number of spatial layers of an operating point, 1 when the stream
// has no layers.
func (o *OperatingPoint) Spatial() int {
	n := 0
	for i := range 4 {
		n += int(o.OperatingPointIdc >> (8 + i) & 1)
	}
	return max(n, 1)
}
