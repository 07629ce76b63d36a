package h264

// pocState is what picture order count carries from picture to picture.
// Source: 8.2.1.
type pocState struct {
	prevMsb, prevLsb int32  // of the previous reference picture
	prevFrameNum     uint32 // of the previous picture
	prevOffset       uint32 // FrameNumOffset of the previous picture
}

// next returns TopFieldOrderCnt and BottomFieldOrderCnt of a frame. Damaged streams make
// sums overflow: they wrap.
func (s *pocState) next(h *SliceHeader, sps *SPS) (poc [2]int32) {
	if sps.PicOrderCntType == 0 {
		return s.type0(h, sps)
	}
	offset := s.prevOffset
	if h.IdrPicFlag {
		offset = 0
	} else if s.prevFrameNum > h.FrameNum {
		offset += 1 << (sps.Log2MaxFrameNumMinus4 + 4)
	}
	s.prevOffset, s.prevFrameNum = offset, h.FrameNum
	if sps.PicOrderCntType == 1 {
		return s.type1(h, sps, offset)
	}
	t := int32(2 * (offset + h.FrameNum))
	if h.IdrPicFlag {
		t = 0
	} else if h.NalRefIdc == 0 {
		t--
	}
	return [2]int32{t, t}
}

func (s *pocState) type0(h *SliceHeader, sps *SPS) (poc [2]int32) {
	if h.IdrPicFlag {
		s.prevMsb, s.prevLsb = 0, 0
	}
	size := int32(1) << (sps.Log2MaxPicOrderCntLsbMinus4 + 4)
	lsb, msb := int32(h.PicOrderCntLsb), s.prevMsb
	if lsb < s.prevLsb && s.prevLsb-lsb >= size/2 {
		msb += size
	} else if lsb > s.prevLsb && lsb-s.prevLsb > size/2 {
		msb -= size
	}
	if h.NalRefIdc != 0 {
		s.prevMsb, s.prevLsb = msb, lsb
	}
	return [2]int32{msb + lsb, msb + lsb + h.DeltaPicOrderCntBottom}
}

func (s *pocState) type1(h *SliceHeader, sps *SPS, offset uint32) (poc [2]int32) {
	n := int32(sps.NumRefFramesInPicOrderCntCycle)
	var abs int32
	if n != 0 {
		abs = int32(offset + h.FrameNum)
	}
	if h.NalRefIdc == 0 && abs > 0 {
		abs--
	}
	var expected int32
	if abs > 0 {
		var cycle int32
		for _, o := range sps.OffsetForRefFrame[:n] {
			cycle += o
		}
		expected = (abs - 1) / n * cycle
		for _, o := range sps.OffsetForRefFrame[:(abs-1)%n+1] {
			expected += o
		}
	}
	if h.NalRefIdc == 0 {
		expected += sps.OffsetForNonRefPic
	}
	top := expected + h.DeltaPicOrderCnt[0]
	return [2]int32{top, top + sps.OffsetForTopToBottomField + h.DeltaPicOrderCnt[1]}
}

// reset is what memory_management_control_operation 5 does: the picture counts as one
// with frame_num 0 whose order count begins at 0.
func (s *pocState) reset(poc [2]int32) [2]int32 {
	t := min(poc[0], poc[1])
	poc[0] -= t
	poc[1] -= t
	*s = pocState{prevLsb: poc[0]}
	return poc
}
