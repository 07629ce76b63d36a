package h264

import "github.com/scanout-av/scanout/decode/bitstream"

// SEI is what scanout reads of supplemental enhancement information; it belongs to the
// picture that follows.
// Source: D.1, D.2.
type SEI struct {
	RecoveryPoint    bool
	RecoveryFrameCnt uint32
	ExactMatchFlag   bool
	BrokenLinkFlag   bool

	PicTiming       bool // needs the VUI of the SPS with the id that was parsed last
	CpbRemovalDelay uint32
	DpbOutputDelay  uint32
	PicStruct       uint8 // table D-1; 0 without pic_struct_present_flag

	MasteringDisplay             bool
	DisplayPrimaries             [3][2]uint16 // green, blue, red: x, y in 0.00002
	WhitePoint                   [2]uint16
	MaxDisplayMasteringLuminance uint32 // in 0.0001 cd/m²
	MinDisplayMasteringLuminance uint32
	ContentLight                 bool
	MaxContentLightLevel         uint16
	MaxPicAverageLightLevel      uint16
	AlternativeTransfer          uint8 // preferred_transfer_characteristics, 0 where absent
}

// Parse adds the messages of an SEI NAL unit to what s holds. sps, which may be nil, is
// the parameter set that picture timing refers to. It does not allocate.
func (s *SEI) Parse(nal []byte, sps *SPS) error {
	const unit = "H.264 SEI"
	if len(nal) == 0 {
		return &bitstream.SyntaxError{Unit: unit, Reason: "is empty"}
	}
	var r bitstream.Reader
	r.Reset(nal[1:])
	for r.MoreData() {
		kind, size := bitstream.SEIHeader(&r)
		if r.Failed() {
			break
		}
		at := r.Position()
		switch kind {
		case 1:
			s.parsePicTiming(&r, sps, size)
		case 6:
			s.RecoveryPoint = true
			s.RecoveryFrameCnt = r.UEMax(1<<16, "recovery_frame_cnt")
			s.ExactMatchFlag = r.Flag()
			s.BrokenLinkFlag = r.Flag()
			r.U(2)
		case 137:
			s.MasteringDisplay = true
			for i := range s.DisplayPrimaries {
				s.DisplayPrimaries[i] = [2]uint16{uint16(r.U(16)), uint16(r.U(16))}
			}
			s.WhitePoint = [2]uint16{uint16(r.U(16)), uint16(r.U(16))}
			s.MaxDisplayMasteringLuminance, s.MinDisplayMasteringLuminance = r.U(32), r.U(32)
		case 144:
			s.ContentLight = true
			s.MaxContentLightLevel, s.MaxPicAverageLightLevel = uint16(r.U(16)), uint16(r.U(16))
		case 147:
			s.AlternativeTransfer = uint8(r.U(8))
		}
		left := size*8 - (r.Position() - at)
		if left < 0 {
			r.Fail("payload_size", "is smaller than the message")
		}
		r.Skip(left)
	}
	return r.Err(unit)
}

func (s *SEI) parsePicTiming(r *bitstream.Reader, sps *SPS, size int) {
	if sps == nil {
		return
	}
	v := &sps.VUI
	hrd := &v.NalHrd
	if !v.NalHrdParametersPresentFlag {
		hrd = &v.VclHrd
	}
	bits := 0
	if v.NalHrdParametersPresentFlag || v.VclHrdParametersPresentFlag {
		bits = int(hrd.CpbRemovalDelayLengthMinus1) + int(hrd.DpbOutputDelayLengthMinus1) + 2
	}
	if v.PicStructPresentFlag {
		bits += 4
	}
	if bits == 0 || bits > size*8 {
		return
	}
	if v.NalHrdParametersPresentFlag || v.VclHrdParametersPresentFlag {
		s.CpbRemovalDelay = r.U(int(hrd.CpbRemovalDelayLengthMinus1) + 1)
		s.DpbOutputDelay = r.U(int(hrd.DpbOutputDelayLengthMinus1) + 1)
	}
	if v.PicStructPresentFlag {
		s.PicStruct = uint8(r.U(4)) // clock timestamps follow; nothing needs them
	}
	s.PicTiming = true
}
