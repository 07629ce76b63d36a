package h265

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scanout-av/scanout/internal/avtest"
)

// withoutMeaning are syntax elements that no field stands for: those that others follow
// from, and those of structures that are read over.
var withoutMeaning = regexp.MustCompile(`^(forbidden_zero_bit|.*reserved.*|rbsp_.*|alignment_bit_.*|.*_extension_flag|` +
	`num_ref_idx_active_override_flag|deblocking_filter_override_flag|layer_id_included_flag|vps_max_layer_id|vps_num_layer_sets_minus1|` +
	`vps_base_layer_.*|entry_point_offset_minus1|offset_len_minus1|nal_unit_type|nuh_layer_id|nuh_temporal_id_plus1|` +
	`general_(max_|intra_|one_|lower_|inbld_).*|sub_layer_.*|slice_reserved_flag|delta_poc_s[01]_minus1|used_by_curr_pic_s[01]_flag|` +
	`inter_ref_pic_set_prediction_flag|delta_rps_sign|abs_delta_rps_minus1|delta_idx_minus1|num_negative_pics|num_positive_pics|used_by_curr_pic_flag|use_delta_flag|` +
	`scaling_list_.*|slice_segment_header_extension_.*|vps_extension_data.*|.*_data_flag|` +
	// hrd_parameters()
	`nal_hrd_parameters_present_flag|vcl_hrd_parameters_present_flag|sub_pic_hrd_params_present_flag|bit_rate_scale|cpb_size_scale|` +
	`initial_cpb_removal_delay_length_minus1|au_cpb_removal_delay_length_minus1|dpb_output_delay_length_minus1|fixed_pic_rate_.*|` +
	`elemental_duration_in_tc_minus1|low_delay_hrd_flag|cpb_cnt_minus1|bit_rate_value_minus1|cpb_size_value_minus1|cbr_flag)$`)

// otherNames are the names of fields that are not the plain ones.
var otherNames = map[string]string{
	"motionvectorsoverpicboundariesflag":     "motionvectorsoverpicboundaries",
	"ppsslicechromaqpoffsetspresentflag":     "ppsslicechromaqpoffsetspresent",
	"loopfilteracrosstilesenabledflag":       "loopfilteracrosstilesenabled",
	"ppsloopfilteracrossslicesenabledflag":   "loopfilteracrossslicesenabled",
	"slicesegmentheaderextensionpresentflag": "slicesegmentheaderextensionpresent",
	"vpssublayerorderinginfopresentflag":     "vpssublayerorderinginfopresent",
	"matrixcoefficients":                     "matrixcoeffs",
}

var weight = regexp.MustCompile(`^(.*)_l([01])(_flag)?$`)

// field returns what our structs say of a syntax element.
func field(flat map[string]int64, h *SliceHeader, f *avtest.TraceField) (int64, bool) {
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
	case "general_profile_compatibility_flag":
		return flat["generalprofilecompatibilityflags"] >> (31 - index(0)) & 1, true
	case "num_ref_idx_l0_active_minus1":
		return int64(h.NumRefIdxActive[0]) - 1, true
	case "num_ref_idx_l1_active_minus1":
		return int64(h.NumRefIdxActive[1]) - 1, true
	case "ref_pic_list_modification_flag_l0":
		return flag(h.RefPicListModificationFlag[0])
	case "ref_pic_list_modification_flag_l1":
		return flag(h.RefPicListModificationFlag[1])
	case "delta_chroma_log2_weight_denom":
		return int64(h.ChromaLog2WeightDenom) - int64(h.LumaLog2WeightDenom), true
	case "poc_lsb_lt":
		return int64(h.LongTerm[index(0)].PocLsbLt), true
	}
	if m := weight.FindStringSubmatch(f.Name); m != nil && h != nil {
		w := &h.PredWeights[m[2][0]-'0'][index(0)]
		switch m[1] {
		case "luma_weight":
			return flag(w.LumaFlag)
		case "chroma_weight":
			return flag(w.ChromaFlag)
		case "delta_luma_weight":
			return int64(w.Weight[0]), true
		case "luma_offset":
			return int64(w.Offset[0]), true
		case "delta_chroma_weight":
			return int64(w.Weight[1+index(1)]), true
		case "delta_chroma_offset", "chroma_offset": // FFmpeg leaves out the delta_
			return int64(w.Offset[1+index(1)]), true
		}
	}
	key := f.Key()
	if v, ok := flat[key]; ok {
		return v, true
	}
	for _, prefix := range []string{"sps", "vps"} { // of sub-layer ordering
		if v, ok := flat[strings.TrimPrefix(key, prefix)]; ok && strings.HasPrefix(key, prefix) {
			return v, true
		}
	}
	v, ok := flat[otherNames[key]]
	return v, ok
}

// checkSet derives a short-term set from its syntax by the letter of 7.4.8 and compares.
// fields are those of the set; sets are those before it.
func checkSet(t *testing.T, got *ShortTermRefPicSet, fields []avtest.TraceField, sets []ShortTermRefPicSet) {
	t.Helper()
	value := map[string]int64{}
	for i := range fields {
		value[fields[i].Key()] = fields[i].Value
	}
	get := func(name string, i int) int64 {
		f := avtest.TraceField{Name: name, Index: []int{i}}
		return value[f.Key()]
	}
	type delta struct {
		poc  int32
		used bool
	}
	var neg, pos []delta
	if value["interrefpicsetpredictionflag"] == 0 {
		poc := int32(0)
		for i := range int(value["numnegativepics"]) {
			poc -= int32(get("delta_poc_s0_minus1", i)) + 1
			neg = append(neg, delta{poc, get("used_by_curr_pic_s0_flag", i) != 0})
		}
		poc = 0
		for i := range int(value["numpositivepics"]) {
			poc += int32(get("delta_poc_s1_minus1", i)) + 1
			pos = append(pos, delta{poc, get("used_by_curr_pic_s1_flag", i) != 0})
		}
	} else {
		ref := sets[len(sets)-1-int(value["deltaidxminus1"])]
		d := int32(1-2*value["deltarpssign"]) * int32(value["absdeltarpsminus1"]+1)
		var all []int32
		all = append(all, ref.DeltaPocS0[:ref.NumNegativePics]...)
		all = append(all, ref.DeltaPocS1[:ref.NumPositivePics]...)
		all = append(all, 0)
		for j, p := range all {
			used := get("used_by_curr_pic_flag", j) != 0
			if !used && get("use_delta_flag", j) == 0 {
				continue
			}
			switch p += d; {
			case p < 0:
				neg = append(neg, delta{p, used})
			case p > 0:
				pos = append(pos, delta{p, used})
			}
		}
		slices.SortFunc(neg, func(a, b delta) int { return int(b.poc - a.poc) })
		slices.SortFunc(pos, func(a, b delta) int { return int(a.poc - b.poc) })
	}
	if len(neg) != int(got.NumNegativePics) || len(pos) != int(got.NumPositivePics) {
		t.Fatalf("set %+v, want %v and %v", got, neg, pos)
	}
	for i, w := range neg {
		if got.DeltaPocS0[i] != w.poc || got.UsedByCurrPicS0>>i&1 != 0 != w.used {
			t.Errorf("set %+v, want %v", got, neg)
		}
	}
	for i, w := range pos {
		if got.DeltaPocS1[i] != w.poc || got.UsedByCurrPicS1>>i&1 != 0 != w.used {
			t.Errorf("set %+v, want %v", got, pos)
		}
	}
}

var setElements = regexp.MustCompile(`^(inter_ref_pic_set_prediction_flag|delta_rps_sign|abs_delta_rps_minus1|delta_idx_minus1|num_negative_pics|num_positive_pics|` +
	`used_by_curr_pic_flag|use_delta_flag|delta_poc_s[01]_minus1|used_by_curr_pic_s[01]_flag)$`)

// checkSets compares all short-term sets of a unit.
func checkSets(t *testing.T, u *avtest.TraceUnit, s any, sps *SPS) {
	var runs [][]avtest.TraceField
	var starts []int
	last := -2
	for i, f := range u.Fields {
		if !setElements.MatchString(f.Name) {
			continue
		}
		begins := f.Name == "inter_ref_pic_set_prediction_flag" || i != last+1 ||
			f.Name == "num_negative_pics" && u.Fields[i-1].Name != "inter_ref_pic_set_prediction_flag"
		if begins {
			runs = append(runs, nil)
			starts = append(starts, f.Bit)
		}
		runs[len(runs)-1] = append(runs[len(runs)-1], f)
		last = i
	}
	switch s := s.(type) {
	case *SPS:
		if len(runs) != int(s.NumShortTermRefPicSets) {
			t.Errorf("%d sets, FFmpeg has %d", s.NumShortTermRefPicSets, len(runs))
			return
		}
		for i := range runs {
			checkSet(t, &s.ShortTermRefPicSets[i], runs[i], s.ShortTermRefPicSets[:i])
		}
	case *SliceHeader:
		for i := range runs {
			checkSet(t, &s.ShortTermRefPicSet, runs[i], sps.ShortTermRefPicSets[:sps.NumShortTermRefPicSets])
			for j := range u.Fields { // the element behind it tells its length
				if u.Fields[j].Bit > runs[i][len(runs[i])-1].Bit {
					if got := starts[i] + int(s.ShortTermRefPicSet.Bits); got != u.Fields[j].Bit {
						t.Errorf("a set of %d bits ends at %d, FFmpeg's at %d", s.ShortTermRefPicSet.Bits, got, u.Fields[j].Bit)
					}
					break
				}
			}
		}
	}
}

// checkHeaders compares every syntax element of every parameter set and slice segment
// header with FFmpeg's reader of headers.
func checkHeaders(t *testing.T, path string, data []byte) {
	d, err := NewDecoder(Config{})
	if err != nil {
		t.Fatal(err)
	}
	units := avtest.TraceHeaders(t, path)
	units = slices.DeleteFunc(units, func(u avtest.TraceUnit) bool {
		return u.Name != "Video Parameter Set" && u.Name != "Sequence Parameter Set" && u.Name != "Picture Parameter Set" && u.Name != "Slice Segment Header"
	})
	compared, next := 0, 0
	h := &SliceHeader{}
	for pos := 0; ; {
		n, ok, _ := d.framing.Next(data, pos)
		if !ok {
			break
		}
		pos = n.After()
		nal := n.Bytes(data)
		var s any
		slice := false
		switch typ := NALType(nal[0] >> 1 & 63); {
		case typ == NALVPS:
			s, err = ParseVPS(nal)
		case typ == NALSPS:
			s, err = ParseSPS(nal)
		case typ == NALPPS:
			s, err = ParsePPS(nal, d.getSPS)
		case typ.VCL():
			s, err, slice = h, h.Parse(nal, d.getPPS, d.getSPS), true
		default:
			continue
		}
		if e := d.parameterSet(nal); err != nil || e != nil {
			t.Fatal(err, e)
		}
		if next >= len(units) {
			t.Fatalf("unit %d: FFmpeg has only %d", next, len(units))
		}
		u := &units[next]
		next++
		flat := avtest.Flatten(s)
		for i := range u.Fields {
			f := &u.Fields[i]
			if withoutMeaning.MatchString(f.Name) && !(f.Name == "sps_range_extension_flag" || f.Name == "pps_range_extension_flag") {
				continue
			}
			var header *SliceHeader
			if slice {
				header = h
			}
			v, ok := field(flat, header, f)
			if !ok {
				t.Fatalf("%s: no field stands for %s", u.Name, f.Key())
			}
			if v != f.Value {
				t.Errorf("%s %d: %s is %d, FFmpeg has %d", u.Name, next-1, f.Key(), v, f.Value)
			}
			compared++
		}
		var sps *SPS
		if slice {
			sps = d.SPS(d.PPS(h.SlicePicParameterSetID).PpsSeqParameterSetID)
			if last := &u.Fields[len(u.Fields)-1]; h.HeaderBits+16 != last.Bit+1 {
				t.Errorf("slice %d: the header ends at bit %d, FFmpeg's at %d", next-1, h.HeaderBits+16, last.Bit+1)
			}
		}
		checkSets(t, u, s, sps)
	}
	if next != len(units) || compared == 0 {
		t.Errorf("%d units, FFmpeg has %d; %d elements compared", next, len(units), compared)
	}
	t.Logf("%d units, %d elements", next, compared)
}
