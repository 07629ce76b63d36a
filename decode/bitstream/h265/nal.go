package h265

// NALType is nal_unit_type.
type NALType uint8

// NAL unit types.
// Source: table 7-1.
const (
	TrailN    NALType = 0
	TrailR    NALType = 1
	TsaN      NALType = 2
	RadlN     NALType = 6
	RadlR     NALType = 7
	RaslN     NALType = 8
	RaslR     NALType = 9
	BlaWLP    NALType = 16
	BlaWRadl  NALType = 17
	BlaNLP    NALType = 18
	IdrWRadl  NALType = 19
	IdrNLP    NALType = 20
	Cra       NALType = 21
	NALVPS    NALType = 32
	NALSPS    NALType = 33
	NALPPS    NALType = 34
	NALAUD    NALType = 35
	NALEOS    NALType = 36
	NALEOB    NALType = 37
	NALFiller NALType = 38
	PrefixSEI NALType = 39
	SuffixSEI NALType = 40
)

var nalNames = [...]string{
	0: "TRAIL_N", "TRAIL_R", "TSA_N", "TSA_R", "STSA_N", "STSA_R", "RADL_N", "RADL_R", "RASL_N", "RASL_R",
	16: "BLA_W_LP", "BLA_W_RADL", "BLA_N_LP", "IDR_W_RADL", "IDR_N_LP", "CRA",
	32: "VPS", "SPS", "PPS", "AUD", "EOS", "EOB", "FD", "PREFIX_SEI", "SUFFIX_SEI",
}

func (t NALType) String() string {
	if int(t) < len(nalNames) && nalNames[t] != "" {
		return nalNames[t]
	}
	return "reserved"
}

// VCL reports whether the unit holds a slice segment of a known type.
func (t NALType) VCL() bool { return t <= RaslR || t >= BlaWLP && t <= Cra }

// IRAP reports whether decoding can begin at the picture.
func (t NALType) IRAP() bool { return t >= BlaWLP && t <= 23 }

// IDR reports whether the picture is an IDR picture.
func (t NALType) IDR() bool { return t == IdrWRadl || t == IdrNLP }

// BLA reports whether the picture is a BLA picture.
func (t NALType) BLA() bool { return t >= BlaWLP && t <= BlaNLP }

// RASL reports whether the picture is a skipped leading picture: it cannot be decoded
// when decoding begins at its IRAP picture.
func (t NALType) RASL() bool { return t == RaslN || t == RaslR }

// RADL reports whether the picture is a decodable leading picture.
func (t NALType) RADL() bool { return t == RadlN || t == RadlR }

// SubLayerNonReference reports whether no picture of the same sub-layer refers to the
// picture.
func (t NALType) SubLayerNonReference() bool { return t < 16 && t&1 == 0 }
