package h265

import "github.com/scanout-av/scanout/decode/bitstream"

// SEI is what scanout reads of supplemental enhancement information; it belongs to the
// picture that follows.
// Source: D.2, D.3.
type SEI struct {
	RecoveryPoint  bool
	RecoveryPocCnt int32
	ExactMatchFlag bool
	BrokenLinkFlag bool

	PicTiming bool  // with frame_field_info_present_flag
	PicStruct uint8 // table D.2

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

// Parse adds the messages of a prefix SEI NAL unit to what s holds. sps, which may be
// nil, is the parameter set that picture timing refers to. It does not allocate.
func (s *SEI) Parse(nal []byte, sps *SPS) error {
	const unit = "H.265 SEI"
	if len(nal) < 2 {
		return &bitstream.SyntaxError{Unit: unit, Reason: "is empty"}
	}
	var r bitstream.Reader
	r.Reset(nal[2:])
	for r.MoreData() {
		kind, size := bitstream.SEIHeader(&r)
		if r.Failed() {
			break
		}
		at := r.Position()
		switch kind {
		case 1:
			if sps != nil && sps.VUI.FrameFieldInfoPresentFlag && size > 0 {
				s.PicTiming, s.PicStruct = true, uint8(r.U(4))
			}
		case 6:
			s.RecoveryPoint = true
			s.RecoveryPocCnt = r.SERange(-1<<15, 1<<15-1, "recovery_poc_cnt")
			s.ExactMatchFlag = r.Flag()
			s.BrokenLinkFlag = r.Flag()
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
