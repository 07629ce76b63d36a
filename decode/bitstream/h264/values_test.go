package h264

import (
	"testing"

	"github.com/scanout-av/scanout/decode/bitstream"
)

// TestCropUnits: cropping counts in chroma samples, and in pairs of rows where there are
// fields (7-19 to 7-22).
func TestCropUnits(t *testing.T) {
	for _, c := range []struct {
		format      uint8
		separate    bool
		frames      bool
		x, y, right int
	}{
		{0, false, true, 1, 1, 2}, {1, false, true, 2, 2, 4}, {2, false, true, 2, 1, 4}, {3, false, true, 1, 1, 2},
		{3, true, true, 1, 1, 2}, {1, false, false, 2, 4, 4}, {2, false, false, 2, 2, 4}, {0, false, false, 1, 2, 2},
	} {
		s := SPS{ChromaFormatIdc: c.format, SeparateColourPlaneFlag: c.separate, FrameMbsOnlyFlag: c.frames, PicWidthInMbsMinus1: 3, PicHeightInMapUnitsMinus1: 1,
			FrameCropLeftOffset: 1, FrameCropRightOffset: 2, FrameCropTopOffset: 1, FrameCropBottomOffset: 3}
		height := 32
		if !c.frames {
			height = 64
		}
		want := bitstream.Rect{X: c.x, Y: c.y, Width: 64 - c.x - c.right, Height: height - 4*c.y}
		if got := s.Crop(); got != want {
			t.Errorf("format %d, separate %v, frames only %v: %+v, want %+v", c.format, c.separate, c.frames, got, want)
		}
	}
}

// TestMaxDpbFrames goes through table A-1.
func TestMaxDpbFrames(t *testing.T) {
	for _, c := range []struct {
		profile, flags, level uint8
		mbsW, mbsH            uint32
		want                  int
	}{
		{66, 0, 10, 11, 9, 4}, {66, 0, 9, 11, 9, 4}, {66, 0, 11, 11, 9, 9}, {66, 0x10, 11, 11, 9, 4}, {100, 0x10, 11, 11, 9, 9},
		{100, 0, 12, 22, 18, 6}, {100, 0, 13, 22, 18, 6}, {100, 0, 20, 22, 18, 6}, {100, 0, 21, 44, 36, 3},
		{100, 0, 22, 45, 36, 5}, {100, 0, 30, 45, 36, 5}, {100, 0, 31, 80, 45, 5}, {100, 0, 32, 80, 64, 4},
		{100, 0, 40, 128, 64, 4}, {100, 0, 41, 128, 64, 4}, {100, 0, 42, 128, 68, 4}, {100, 0, 50, 184, 120, 5},
		{100, 0, 51, 256, 144, 5}, {100, 0, 52, 256, 144, 5}, {100, 0, 60, 512, 272, 5}, {100, 0, 62, 512, 272, 5},
		{100, 0, 51, 11, 9, 16}, {100, 0, 99, 512, 272, 16},
	} {
		s := SPS{ProfileIdc: c.profile, ConstraintSetFlags: c.flags, LevelIdc: c.level, FrameMbsOnlyFlag: true,
			PicWidthInMbsMinus1: c.mbsW - 1, PicHeightInMapUnitsMinus1: c.mbsH - 1}
		if got := s.MaxDpbFrames(); got != c.want {
			t.Errorf("level_idc %d, profile %d, flags %#x, %dx%d macroblocks: %d frames, want %d", c.level, c.profile, c.flags, c.mbsW, c.mbsH, got, c.want)
		}
	}
}

// TestScalingLists: a list that is not there, one that is the default, one whose last value
// repeats, and one written to its end; of 4x4 and of 8x8.
func TestScalingLists(t *testing.T) {
	var w bitWriter
	repeat := func() { // 10, 20, 20…
		w.flag(true)
		w.se(2)
		w.se(10)
		w.se(-20)
	}
	w.flag(false)
	w.flag(true)
	w.se(-8) // the default
	repeat()
	w.flag(true)
	for range 16 { // 9, 10, … 24
		w.se(1)
	}
	w.flag(false)
	w.flag(false)
	repeat()
	w.flag(true)
	w.se(-8)
	w.u(1, 1)
	var r bitstream.Reader
	r.Reset(w.b)
	var l ScalingLists
	l.parse(&r, 8)
	if err := r.Err("lists"); err != nil || r.MoreData() {
		t.Fatalf("%v, more is there: %v", err, r.MoreData())
	}
	if l.PresentMask != 0b1100_1110 || l.UseDefaultMask != 0b1000_0010 {
		t.Errorf("present %#b, default %#b", l.PresentMask, l.UseDefaultMask)
	}
	var repeated, rising [16]uint8
	var long [64]uint8
	for i := range long {
		long[i] = 20
	}
	long[0] = 10
	copy(repeated[:], long[:])
	for i := range rising {
		rising[i] = uint8(9 + i)
	}
	if l.ScalingList4x4 != [6][16]uint8{2: repeated, 3: rising} || l.ScalingList8x8 != [6][64]uint8{0: long} {
		t.Errorf("%v, %v", l.ScalingList4x4, l.ScalingList8x8)
	}
}

// TestSlicesOutside: a slice begins in the picture, which has half as many places to begin
// in where macroblocks come in pairs of fields.
func TestSlicesOutside(t *testing.T) {
	for _, c := range []struct {
		fields, field bool
		first         uint32
		ok            bool
	}{{false, false, 8, true}, {false, false, 9, false}, {true, false, 11, true}, {true, false, 12, false}, {true, true, 5, true}, {true, true, 6, false}} {
		cr := craft{profile: 77, refs: 1, fields: c.fields}
		d, err := NewDecoder(Config{ExtraData: cr.sets()})
		if err != nil {
			t.Fatal(err)
		}
		nal := cr.slice(craftSlice{idr: true, intra: true, reference: true, field: c.field, first: c.first, count: 1})
		var h SliceHeader
		if err := h.Parse(nal[4:], d.PPS, d.SPS); (err == nil) != c.ok {
			t.Errorf("fields %v, a field %v: first_mb_in_slice %d: %v", c.fields, c.field, c.first, err)
		}
	}
}

// TestMissingOperations: operations that name pictures that are not there are counted.
func TestMissingOperations(t *testing.T) {
	c := craft{profile: 66, refs: 2}
	d, err := NewDecoder(Config{ExtraData: c.sets()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Decode(c.slice(craftSlice{idr: true, intra: true, reference: true, count: 9})); err != nil {
		t.Fatal(err)
	}
	pics, err := d.Decode(c.slice(craftSlice{reference: true, frameNum: 1, lsb: 2, active: 1, count: 9, mmco: []MMCO{
		{Op: 1, DifferenceOfPicNumsMinus1: 3}, {Op: 2, LongTermPicNum: 1}, {Op: 1, DifferenceOfPicNumsMinus1: 0},
	}}))
	if err != nil || len(pics) != 1 || pics[0].Missing.Operations != 2 {
		t.Errorf("%v, %+v", err, pics)
	}
}

// TestVUIColours reads what encoders at hand do not write.
func TestVUIColours(t *testing.T) {
	var w bitWriter
	w.u(8, 66)
	w.u(16, 30)
	w.ue(0)       // seq_parameter_set_id
	w.ue(0)       // log2_max_frame_num_minus4
	w.ue(2)       // pic_order_cnt_type
	w.ue(1)       // max_num_ref_frames
	w.u(1, 0)     //
	w.ue(2)       // 48 samples
	w.ue(2)       //
	w.u(3, 0b110) // frame_mbs_only_flag, direct_8x8_inference_flag, no cropping
	w.u(1, 1)     // vui_parameters_present_flag
	w.u(1, 1)     // aspect_ratio_info_present_flag
	w.u(8, 255)
	w.u(16, 64)
	w.u(16, 45)
	w.u(2, 0b11) // overscan
	w.u(1, 1)    // video_signal_type_present_flag
	w.u(3, 1)
	w.u(2, 0b11) // full range, colour_description_present_flag
	w.u(8, 9)
	w.u(8, 16)
	w.u(8, 10)
	w.u(1, 1) // chroma_loc_info_present_flag
	w.ue(2)
	w.ue(3)
	w.u(1, 1) // timing_info_present_flag
	w.u(32, 1001)
	w.u(32, 60000)
	w.u(5, 0b10000) // fixed_frame_rate_flag, no HRD, no pic_struct, no restriction
	s, err := ParseSPS(w.nal(0x67)[4:])
	if err != nil {
		t.Fatal(err)
	}
	v := &s.VUI
	type short struct {
		sarW, sarH               uint16
		overscan, full, fixed    bool
		format, primaries, curve uint8
		matrix, top, bottom      uint8
		tick, scale              uint32
		reorder                  int
	}
	got := short{v.SarWidth, v.SarHeight, v.OverscanAppropriateFlag, v.VideoFullRangeFlag, v.FixedFrameRateFlag, v.VideoFormat, v.ColourPrimaries,
		v.TransferCharacteristics, v.MatrixCoefficients, v.ChromaSampleLocTypeTopField, v.ChromaSampleLocTypeBottomField, v.NumUnitsInTick, v.TimeScale, s.ReorderFrames()}
	if want := (short{64, 45, true, true, true, 1, 9, 16, 10, 2, 3, 1001, 60000, 0}); got != want || !s.VuiParametersPresentFlag {
		t.Errorf("%+v, want %+v", got, want)
	}
}
