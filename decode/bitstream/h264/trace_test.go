package h264

import (
	"slices"
	"strings"
	"testing"

	"github.com/scanout-av/scanout/internal/avtest"
)

// withoutMeaning are syntax elements that no field stands for.
var withoutMeaning = []string{
	"forbidden_zero_bit", "reserved_zero_2bits", "rbsp_stop_one_bit", "rbsp_alignment_zero_bit", "cabac_alignment_one_bit",
	"num_ref_idx_active_override_flag", "delta_scale", "more_rbsp_data",
}

// field returns what our structs say of a syntax element.
func field(flat map[string]int64, h *SliceHeader, u *avtest.TraceUnit, i int) (v int64, ok bool) {
	f := &u.Fields[i]
	index := func(n int) int {
		if n < len(f.Index) {
			return f.Index[n]
		}
		return 0
	}
	flag := func(b bool) (int64, bool) {
		if b {
			return 1, true
		}
		return 0, true
	}
	switch f.Name {
	case "nal_ref_idc", "nal_unit_type":
		if h == nil {
			return f.Value, true // of parameter sets
		}
	case "slice_type":
		return int64(h.SliceType) + f.Value/5*5, true
	case "gaps_in_frame_num_allowed_flag":
		return flat["gapsinframenumvalueallowedflag"], true
	case "num_ref_idx_l0_active_minus1":
		return int64(h.NumRefIdxActive[0]) - 1, true
	case "num_ref_idx_l1_active_minus1":
		return int64(h.NumRefIdxActive[1]) - 1, true
	case "ref_pic_list_modification_flag_l0", "ref_pic_list_modification_flag_l1":
		return flag(h.NumModifications[f.Name[len(f.Name)-1]-'0'] > 0)
	case "luma_weight_l0_flag", "luma_weight_l1_flag", "chroma_weight_l0_flag", "chroma_weight_l1_flag":
		return f.Value, true // the weights themselves show it
	}
	if base, list, ok := strings.Cut(f.Name, "_l"); ok && (list == "0" || list == "1") {
		w := &h.PredWeights[list[0]-'0'][index(0)]
		switch base {
		case "luma_weight":
			return int64(w.Weight[0]), true
		case "luma_offset":
			return int64(w.Offset[0]), true
		case "chroma_weight":
			return int64(w.Weight[1+index(1)]), true
		case "chroma_offset":
			return int64(w.Offset[1+index(1)]), true
		}
	}
	if bit, ok := strings.CutPrefix(f.Name, "constraint_set"); ok {
		return flat["constraintsetflags"] >> (7 - (bit[0] - '0')) & 1, true
	}
	if f.Name == "pic_scaling_list_present_flag" || f.Name == "seq_scaling_list_present_flag" {
		return flat["presentmask"] >> index(0) & 1, true
	}
	if f.Name == "cbr_flag" {
		return flat["cbrflag"] >> index(0) & 1, true
	}
	v, ok = flat[f.Key()]
	return v, ok
}

// lists checks commands that repeat in a header: modifications and operations.
func lists(t *testing.T, h *SliceHeader, u *avtest.TraceUnit) {
	var got, want []int64
	for l, n := range h.NumModifications {
		for _, m := range h.Modifications[l][:n] {
			got = append(got, int64(m.ModificationOfPicNumsIdc), int64(m.Value))
		}
		if n > 0 {
			got = append(got, 3)
		}
	}
	for _, m := range h.MMCO[:h.NumMMCO] {
		got = append(got, int64(m.Op))
		switch m.Op {
		case 1:
			got = append(got, int64(m.DifferenceOfPicNumsMinus1))
		case 2:
			got = append(got, int64(m.LongTermPicNum))
		case 3:
			got = append(got, int64(m.DifferenceOfPicNumsMinus1), int64(m.LongTermFrameIdx))
		case 4:
			got = append(got, int64(m.MaxLongTermFrameIdxPlus1))
		case 6:
			got = append(got, int64(m.LongTermFrameIdx))
		}
	}
	if h.AdaptiveRefPicMarkingModeFlag {
		got = append(got, 0)
	}
	for i := range u.Fields {
		if slices.Contains(repeated, u.Fields[i].Name) {
			want = append(want, u.Fields[i].Value)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("commands %v, FFmpeg has %v", got, want)
	}
}

var repeated = []string{
	"modification_of_pic_nums_idc", "abs_diff_pic_num_minus1", "long_term_pic_num",
	"memory_management_control_operation", "difference_of_pic_nums_minus1", "long_term_frame_idx", "max_long_term_frame_idx_plus1",
}

// checkHeaders compares every syntax element of every parameter set and slice header with
// FFmpeg's reader of headers.
func checkHeaders(t *testing.T, path string, data []byte) {
	d, err := NewDecoder(Config{})
	if err != nil {
		t.Fatal(err)
	}
	units := avtest.TraceHeaders(t, path)
	units = slices.DeleteFunc(units, func(u avtest.TraceUnit) bool {
		return u.Name != "Sequence Parameter Set" && u.Name != "Picture Parameter Set" && u.Name != "Slice Header"
	})
	compared, next := 0, 0
	for pos := 0; ; {
		n, ok, _ := d.framing.Next(data, pos)
		if !ok {
			break
		}
		pos = n.After()
		nal := n.Bytes(data)
		var h *SliceHeader
		var s any
		switch nal[0] & 31 {
		case NALSPS:
			if err := d.parameterSet(nal); err != nil {
				t.Fatal(err)
			}
			s = d.lastSPS
		case NALPPS:
			if err := d.parameterSet(nal); err != nil {
				t.Fatal(err)
			}
			if s, err = ParsePPS(nal, d.getSPS); err != nil {
				t.Fatal(err)
			}
		case NALSlice, NALIDR:
			h = &SliceHeader{}
			if err := h.Parse(nal, d.getPPS, d.getSPS); err != nil {
				t.Fatal(err)
			}
			s = h
		default:
			continue
		}
		if next >= len(units) {
			t.Fatalf("unit %d of type %d: FFmpeg has only %d", next, nal[0]&31, len(units))
		}
		u := &units[next]
		next++
		flat := avtest.Flatten(s)
		for i := range u.Fields {
			f := &u.Fields[i]
			if slices.Contains(withoutMeaning, f.Name) || h != nil && slices.Contains(repeated, f.Name) {
				continue
			}
			v, ok := field(flat, h, u, i)
			if !ok {
				t.Fatalf("%s: no field stands for %s", u.Name, f.Key())
			}
			if v != f.Value {
				t.Errorf("%s %d: %s is %d, FFmpeg has %d", u.Name, next-1, f.Key(), v, f.Value)
			}
			compared++
		}
		if h != nil {
			lists(t, h, u)
			end := u.Fields[len(u.Fields)-1].Bit + 1
			for i := range u.Fields {
				if u.Fields[i].Name == "cabac_alignment_one_bit" {
					end = u.Fields[i].Bit
					break
				}
			}
			if p := d.getPPS(h.PicParameterSetID); p.EntropyCodingModeFlag && h.HeaderBits+8 > end || h.HeaderBits+8 < u.Fields[len(u.Fields)-1].Bit-7 {
				t.Errorf("slice %d: the header ends at bit %d, FFmpeg's at %d", next-1, h.HeaderBits+8, end)
			}
		}
	}
	if next != len(units) || compared == 0 {
		t.Errorf("%d units, FFmpeg has %d; %d elements compared", next, len(units), compared)
	}
	t.Logf("%d units, %d elements", next, compared)
}
